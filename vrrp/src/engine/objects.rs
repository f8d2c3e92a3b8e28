//! Which addresses, routes, rules and settings should be in the kernel, and what follows when somebody takes one away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use log::{debug, error, info};
use runtime::machine::{Address, Machine, Route, Rule};
use runtime::netlink::{Client, Interest};

use super::Engine;
use super::instance::Instance;
use crate::config::{self, Config, InstanceId};
use crate::fsm::Event;
use crate::kernel::placement::{Owner, Placement};
use crate::kernel::remains::Remains;
use crate::kernel::sysctl::{Knob, Setting};
use crate::kernel::{self, Desired};
use crate::report::{self, Placed};

impl Engine {
    /// Makes the kernel hold what the masters and the static configuration want.
    pub(super) fn reconcile(&mut self) {
        if !std::mem::take(&mut self.dirty) {
            return;
        }
        self.apply_settings();
        self.block();
        let desired = self.desired(|instance| instance.holds);
        let netlink = &mut self.netlink;
        let failures = self.ledger.reconcile(&desired, |requests| netlink.execute(requests));
        for failure in failures {
            info!("{failure}");
        }
        self.unblock();
    }

    /// What is to be there for the static configuration, and for the instances that `holds` says it for.
    fn desired(&self, holds: impl Fn(&Instance) -> bool) -> Desired {
        let holders: Vec<Owner<'_>> =
            self.instances.iter().filter(|one| holds(one)).map(Instance::owner).collect();
        self.placement().desired(&self.config, &holders)
    }

    /// Where things are.
    fn placement(&self) -> Placement<'_> {
        Placement {
            interfaces: &self.interfaces,
            own_links: &self.own_links,
            protocol: self.address_protocol(),
        }
    }

    /// A configured address as it is to be in the kernel; `None` while its interface is missing.
    pub(super) fn place(
        &self,
        address: &config::Address,
        owner: Option<&Instance>,
    ) -> Option<Address> {
        self.placement().address(address, owner.map(Instance::owner))
    }

    /// A configured route as it is to be in the kernel; `None` while its interface is missing or down.
    pub(super) fn place_route(&self, route: &config::Route) -> Option<Route> {
        self.placement().route(route)
    }

    /// The number that marks addresses as ours.
    pub(super) fn address_protocol(&self) -> u8 {
        self.config.address_protocol.unwrap_or(kernel::PROTOCOL)
    }

    /// Gives that number a name where it has none, for those who look at addresses.
    pub(super) fn name_address_protocol(&self) {
        let etc = Path::new(&self.global.vrrp.iproute_etc_dir);
        if self.config.address_protocol.is_none() {
            if let Err(error) = kernel::address_protocol::publish(kernel::PROTOCOL, etc) {
                debug!("cannot name the protocol of our addresses in {}: {error}", etc.display());
            }
        }
    }

    /// Interfaces on which deleting an address is to let the others of its subnet live.
    pub(super) fn promotions(&self) -> BTreeMap<Setting, i32> {
        let wants = self.instances.iter().filter(|instance| instance.config.promote_secondaries);
        let interfaces = wants.filter_map(|instance| instance.interface);
        let setting = |interface| Setting::Interface(interface, Knob::PromoteSecondaries);
        interfaces.map(|interface| (setting(interface), 1)).collect()
    }

    /// Takes what a killed process has left behind for ours: what is not wanted at once is removed. Of what only that
    /// one's configuration names, `left`, that is what has our mark.
    pub(super) fn adopt_leftovers(&mut self, machine: &Machine, left: &Remains) {
        let mut named = self.desired(|_| true);
        let protocol = self.address_protocol();
        let remain = machine.addresses.iter().filter(|address| {
            address.protocol == protocol
                && left.addresses.contains(&address.key())
                && self.interfaces.get(address.interface).is_some()
        });
        named.addresses.extend(remain.cloned());
        let routes = left.routes.iter().filter(|route| route.protocol == kernel::PROTOCOL);
        named.routes.extend(routes.cloned());
        let rules = left.rules.iter().filter(|rule| rule.protocol == Some(kernel::PROTOCOL));
        named.rules.extend(rules.cloned());
        self.ledger.adopt(machine, &named.addresses);
        if named.routes.is_empty() && named.rules.is_empty() {
            return;
        }
        let protocols: BTreeSet<u8> = named.routes.iter().map(|route| route.protocol).collect();
        match there(&mut self.netlink, protocols) {
            Ok((routes, rules)) => self.ledger.adopt_routes(&routes, &rules, &named),
            Err(error) => error!("{error}"),
        }
    }

    /// Notes what there may be of ours, for whoever comes after us, should we be killed.
    pub(super) fn note_remains(&mut self) {
        let Desired { addresses, routes, rules } = self.desired(|_| true);
        let links = self.own_links.made().map(|(index, name)| (index, name.to_owned()));
        let remains = Remains {
            links: links.collect(),
            addresses: addresses.iter().map(Address::key).collect(),
            routes,
            rules,
            firewall: self.firewall_trace(),
        };
        self.note.write(&remains);
    }

    /// Hears of those changes that matter to the configuration.
    pub(super) fn follow_objects(&mut self) {
        match self.netlink.port() {
            Ok(own) => {
                if let Err(error) = self.monitor.follow(interest(&self.config, own)) {
                    error!("{error}");
                }
            }
            Err(error) => error!("{error}"),
        }
    }

    /// Reads what is there of routes and rules again, after messages of the kernel were lost.
    pub(super) fn resync_objects(&mut self) {
        if !self.ledger.has_routes_or_rules() {
            return;
        }
        match there(&mut self.netlink, [kernel::PROTOCOL]) {
            Ok((routes, rules)) => {
                self.ledger.resync_routes(kernel::PROTOCOL, &routes, &rules);
            }
            Err(error) => error!("{error}"),
        }
    }

    /// Does something about what others have taken away: the masters that it belongs to step back for a moment, and
    /// find out whether they are still the best; what is static is simply put back; and what is not tracked is left
    /// to whoever has taken it.
    pub(super) fn meet_losses(&mut self, now: Instant) {
        for address in self.ledger.take_lost() {
            self.address_lost(&address, now);
        }
        for route in self.ledger.take_lost_routes() {
            self.route_lost(&route, now);
        }
        for rule in self.ledger.take_lost_rules() {
            self.rule_lost(&rule, now);
        }
    }

    fn address_lost(&mut self, lost: &Address, now: Instant) {
        let on = self.interface_name(lost.interface);
        let masters = self.holders(|instance| self.misses(instance, lost));
        if !masters.is_empty() {
            if !self.options.monitor_addresses {
                debug!("Netlink reflector reports IP {} removed from {on}", lost.local);
            }
            self.fall_back(masters, now);
            return;
        }
        if self.own_links.is_ours(lost.interface) {
            self.dirty = true;
            return;
        }
        let mut fixed = self.config.static_addresses.iter().filter(|address| address.tracked);
        let is_lost = |address: &&config::Address| {
            self.place(address, None).is_some_and(|one| one.key() == lost.key())
        };
        if let Some(address) = fixed.find(is_lost) {
            let track_group = self.track_group(address.track_group).map(str::to_owned);
            let placed = Placed { interface: on, set: true, track_group, ..Placed::default() };
            info!("Restoring deleted static address {}", report::address(address, &placed));
            self.dirty = true;
        } else {
            self.ledger.give_up(lost.key());
        }
    }

    /// Whether `instance` is to do something about the loss of an address.
    fn misses(&self, instance: &Instance, lost: &Address) -> bool {
        let tracked = instance.config.all_addresses().filter(|address| address.tracked);
        let mut placed = tracked.filter_map(|address| self.place(address, Some(instance)));
        placed.any(|address| address.key() == lost.key())
    }

    fn route_lost(&mut self, lost: &Route, now: Instant) {
        let is_lost = |route: &&config::Route| {
            route.tracked && self.placement().route(route).as_ref() == Some(lost)
        };
        let masters =
            self.holders(|instance| instance.config.routes.iter().any(|one| is_lost(&one)));
        if !masters.is_empty() {
            self.fall_back(masters, now);
        } else if let Some(route) = self.config.static_routes.iter().find(is_lost) {
            info!("Restoring deleted static route {}", self.lost_route_line(route, lost));
            self.dirty = true;
        } else {
            self.ledger.give_up_route(lost);
        }
    }

    fn rule_lost(&mut self, lost: &Rule, now: Instant) {
        let is_lost = |rule: &&config::Rule| rule.tracked && rule.wanted == *lost;
        let masters =
            self.holders(|instance| instance.config.rules.iter().any(|one| is_lost(&one)));
        if !masters.is_empty() {
            self.fall_back(masters, now);
        } else if let Some(rule) = self.config.static_rules.iter().find(is_lost) {
            let text = report::rule(rule, self.track_group(rule.track_group));
            info!("Restoring deleted static rule {text}");
            self.dirty = true;
        } else {
            self.ledger.give_up_rule(lost);
        }
    }

    /// The instances that hold what is theirs and that `concerned` says it for.
    fn holders(&self, concerned: impl Fn(&Instance) -> bool) -> Vec<InstanceId> {
        let concerned = |&id: &InstanceId| {
            self.instances.get(id).is_some_and(|one| one.holds && concerned(one))
        };
        self.instances.keys().filter(concerned).collect()
    }

    /// Has masters that have lost something step back.
    fn fall_back(&mut self, masters: Vec<InstanceId>, now: Instant) {
        self.dirty = true;
        for id in masters {
            self.take(id, Event::ObjectLost, now);
        }
    }

    /// Puts back all settings of the kernel that we have changed.
    pub(super) fn restore_settings(&mut self) {
        for failure in self.settings.reconcile(&BTreeMap::new(), &mut self.netlink) {
            info!("{failure}");
        }
    }
}

/// All routes of some protocols, and all rules.
fn there(
    netlink: &mut Client,
    protocols: impl IntoIterator<Item = u8>,
) -> Result<(Vec<Route>, Vec<Rule>), runtime::netlink::NetlinkError> {
    let mut routes = Vec::new();
    for protocol in protocols {
        routes.extend(netlink.routes(protocol)?);
    }
    Ok((routes, netlink.rules()?))
}

/// Which changes of routes and rules matter to `config`.
fn interest(config: &Config, own: u32) -> Interest {
    let routes = config.instances.iter().flat_map(|instance| &instance.routes);
    let rules = config.instances.iter().flat_map(|instance| &instance.rules);
    let routes = config.static_routes.iter().chain(routes).any(|route| route.tracked);
    let rules = config.static_rules.iter().chain(rules).any(|rule| rule.tracked);
    Interest { routes: routes.then_some(kernel::PROTOCOL), rules, own }
}
