//! Addresses, routes and rules, static ones and those of instances.

use runtime::machine::{self, IfIndex};
use runtime::netlink::Client;
use runtime::report::Report;

use super::super::instance::Instance;
use super::super::{Engine, own_links};
use crate::config::{Address, Route, TrackGroupId};
use crate::kernel::{self, Ledger};
use crate::packet::Family;
use crate::report::{self, Placed};

impl Engine {
    /// What is there while the daemon runs, and who shares its fate.
    pub(super) fn report_static_objects(&self, out: &mut Report) {
        let config = &self.config;
        let addresses = config.static_addresses.iter();
        section("Static Addresses", addresses.map(|address| self.address_line(address, None)), out);
        let routes = config.static_routes.iter();
        section("Static Routes", routes.map(|route| self.route_line(route)), out);
        let rules = config.static_rules.iter();
        let rules = rules.map(|rule| report::rule(rule, self.track_group(rule.track_group)));
        section("Static Rules", rules, out);
        if config.track_groups.is_empty() {
            return;
        }
        out.heading("Static Track groups");
        for group in &config.track_groups {
            out.field("Static Track Group", &group.name);
            let members = group.members.iter().filter_map(|&id| config.instance(id));
            let names = members.map(|instance| &instance.name);
            out.inside(|out| out.list("VRRP member instances :", names));
        }
    }

    /// An address as dumps show it; without an owner it is a static one.
    pub(super) fn address_line(&self, address: &Address, owner: Option<&Instance>) -> String {
        let place = self.place(address, owner);
        let set = place.as_ref().is_some_and(|place| self.ledger.holds(place.key()));
        let placed = match place {
            Some(place) => {
                let base = self.interfaces.base(place.interface);
                let has_base = base != place.interface;
                Placed {
                    interface: self.interface_name(place.interface),
                    base: has_base.then(|| self.interface_name(base)),
                    ..Placed::default()
                }
            }
            None => {
                Placed { interface: self.wanted_interface(address, owner), ..Placed::default() }
            }
        };
        let track_group = self.track_group(address.track_group).map(str::to_owned);
        // What is not accepted is kept away as long as the address is there.
        let refused = set && owner.is_some_and(|owner| owner.config.refuses());
        let firewall = &self.global.firewall;
        let (nftables, iptables) = (firewall.nftables.is_some(), firewall.iptables.is_some());
        report::address(
            address,
            &Placed {
                asks_vmac: address.use_vmac && !has_vmac_by_owner(address, owner),
                set,
                track_group,
                nftables: refused && nftables,
                iptables: refused && iptables,
                ..placed
            },
        )
    }

    /// Looks at how the kernel shows our routes, where it has had to find an interface itself.
    pub(super) fn look_at_routes(&self) {
        let of_instances = self.instances.iter().flat_map(|instance| &instance.config.routes);
        let mut routes = self.config.static_routes.iter().chain(of_instances);
        if !routes.any(|route| self.left_to_the_kernel(route).is_some()) {
            return;
        }
        let client = Client::open(self.global.vrrp.netlink_command);
        if let Ok(routes) = client.and_then(|mut client| client.routes(kernel::PROTOCOL)) {
            let _ = self.shown_routes.set(routes);
        }
    }

    /// A route as dumps show it, with the interface that the kernel has found for it.
    pub(super) fn route_line(&self, route: &Route) -> String {
        let shown = self.shown_routes.get().and_then(|shown| {
            let placed = self.left_to_the_kernel(route)?;
            shown.iter().find(|shown| Ledger::is_shown_as(&placed, shown))
        });
        self.route_text(route, shown)
    }

    /// A route that somebody has taken away, with the interface that the kernel had found for it.
    pub(in crate::engine) fn lost_route_line(
        &self,
        route: &Route,
        lost: &machine::Route,
    ) -> String {
        self.route_text(route, self.ledger.last_seen(lost).filter(|_| is_left(route)))
    }

    fn route_text(&self, route: &Route, shown: Option<&machine::Route>) -> String {
        let text = report::route(route, self.track_group(route.track_group));
        match shown.and_then(|shown| shown.hops.first()?.interface) {
            Some(index) => format!("{text} [dev {}]", self.interface_name(index)),
            None => text,
        }
    }

    /// A route that is there, and of which the kernel has had to find out the interface.
    fn left_to_the_kernel(&self, route: &Route) -> Option<machine::Route> {
        let placed = is_left(route).then(|| self.place_route(route)).flatten();
        placed.filter(|placed| self.ledger.holds_route(placed))
    }

    /// The interface that an address would be on if it were there.
    pub(in crate::engine) fn wanted_interface(
        &self,
        address: &Address,
        owner: Option<&Instance>,
    ) -> String {
        let configured = address.interface.as_deref();
        let own = owner.and_then(|owner| {
            if address.family() == owner.config.family { self.adverts_on(owner) } else { None }
        });
        let base = owner.and_then(|owner| owner.config.interface.as_deref());
        configured.or(own).or(base).unwrap_or("(null)").to_owned()
    }

    /// The name of the interface that an instance is on: its own one, or that of the configuration.
    pub(in crate::engine) fn adverts_on<'a>(&'a self, instance: &'a Instance) -> Option<&'a str> {
        let own = own_links::of_adverts(&instance.config, &self.own_links);
        own.or(instance.config.interface.as_deref())
    }

    pub(in crate::engine) fn track_group(&self, id: Option<TrackGroupId>) -> Option<&str> {
        let place = usize::try_from(id?.0).ok()?;
        self.config.track_groups.get(place).map(|group| group.name.as_str())
    }

    /// The virtual addresses, routes and rules of an instance.
    pub(super) fn report_addresses(&self, instance: &Instance, out: &mut Report) {
        let config = &instance.config;
        let line = |address| self.address_line(address, Some(instance));
        let title = format!("Virtual IP ({}):", config.addresses.len());
        out.list(&title, config.addresses.iter().map(line));
        out.list("Virtual IP Excluded :", config.excluded.iter().map(line));
    }

    /// The number of the interface that an instance is on, if it is there.
    pub(in crate::engine) fn interface_of(&self, instance: &Instance) -> Option<IfIndex> {
        instance.own.or(instance.base)
    }
}

/// Whether an address has a VMAC of its own because its instance says so for all of them (`use_vmac_addr`).
fn has_vmac_by_owner(address: &Address, owner: Option<&Instance>) -> bool {
    owner.is_some_and(|owner| {
        let elsewhere = address.interface.is_some() || address.family() != owner.config.family;
        owner.config.address_vmacs && elsewhere
    })
}

/// Lines of objects below a title.
fn section(title: &str, lines: impl Iterator<Item = String>, out: &mut Report) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    out.heading(title);
    out.inside(|out| out.inside(|out| lines.for_each(|line| out.line(line))));
}

/// Whether the kernel has to find out the interface of a route. It is only known which route that is where the metric is
/// what the configuration says: the kernel gives IPv6 routes without one 1024.
fn is_left(route: &Route) -> bool {
    let Route { interface, next_hops, tracked, metric, .. } = route;
    let is_known = route.family == Family::V4 || metric.is_some_and(|metric| metric != 0);
    interface.is_none() && next_hops.is_empty() && *tracked && is_known
}
