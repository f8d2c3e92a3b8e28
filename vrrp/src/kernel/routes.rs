//! Routes in the ledger.

use std::net::IpAddr;

use runtime::machine::route::{AddMode, Hop, Metrics, Prefix};
use runtime::machine::{Address, IfIndex, Link, LinkFlags, Route};
use runtime::netlink::Request;

use super::objects::{Doubt, Object};
use crate::config;
use crate::packet::Family;

/// `RT_SCOPE_HOST` and `RT_SCOPE_LINK`.
const HOST: u8 = 254;
const LINK: u8 = 253;

/// Kinds of routes that cannot lead further than the link (`RTN_BROADCAST`, `RTN_ANYCAST`).
const ON_LINK: [u8; 2] = [3, 4];

/// Which routes the kernel takes for the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RouteKey {
    place: Place,
    kind: u8,
    hops: Vec<(Option<IpAddr>, Option<IfIndex>)>,
}

/// Where a route stands. Several may stand in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    table: u32,
    destination: Prefix,
    from: Option<Prefix>,
    tos: u8,
    metric: u32,
}

fn place(route: &Route) -> Place {
    Place {
        table: route.table,
        destination: route.destination.network(),
        from: route.from.map(Prefix::network),
        // IPv6 has none in its routes.
        tos: if route.is_ipv6() { 0 } else { route.tos },
        metric: route.effective_metric(),
    }
}

impl Object for Route {
    type Key = RouteKey;

    fn key(&self) -> RouteKey {
        let hops = self.hops.iter().map(|hop| (hop.gateway, hop.interface)).collect();
        RouteKey { place: place(self), kind: self.kind, hops }
    }

    fn is_shown_as(&self, shown: &Self) -> bool {
        if (place(self), self.kind) != (place(shown), shown.kind) {
            return false;
        }
        // Where nothing leads, IPv6 shows the loopback interface.
        if !self.leads_somewhere() || self.hops.is_empty() {
            return true;
        }
        // The kernel finds out itself which interface a router is on.
        let is = |hop: &Hop, shown: &Hop| {
            hop.gateway == shown.gateway
                && (hop.interface.is_none() || hop.interface == shown.interface)
        };
        let within = shown.hops.iter().all(|found| self.hops.iter().any(|hop| is(hop, found)));
        let around = self.hops.iter().all(|hop| shown.hops.iter().any(|found| is(hop, found)));
        // IPv6 makes one route of all in the same place, and tells of them as it likes.
        if self.is_ipv6() { within || around } else { within && around }
    }

    fn is_complete(&self, shown: &Self) -> bool {
        let is = |hop: &Hop, shown: &Hop| {
            hop.gateway == shown.gateway
                && (hop.interface.is_none() || hop.interface == shown.interface)
                && (&hop.realms, &hop.encap) == (&shown.realms, &shown.encap)
        };
        // What is left of the lifetime is not shown.
        self.expires.is_none()
            && self.source == shown.source
            && self.protocol == shown.protocol
            && (self.is_ipv6() || self.scope == shown.scope)
            && self.metrics == shown.metrics
            && (self.preference.is_none() || self.preference == shown.preference)
            && (!self.leads_somewhere()
                || self.hops.iter().all(|hop| shown.hops.iter().any(|found| is(hop, found))))
    }

    fn has_parts(&self) -> bool {
        self.hops.len() > 1
    }

    fn is_barred_by(&self, other: &Self) -> bool {
        self.add == AddMode::Exclusive && place(self) == place(other)
    }

    fn add(&self) -> Request {
        Request::AddRoute(Box::new(self.clone()))
    }

    fn remove(&self) -> Request {
        Request::RemoveRoute(Box::new(self.clone()))
    }
}

/// What the removal of an address by anybody means to a route. The kernel says nothing about the routes that it removes
/// together with an IPv4 address.
pub(super) fn after_removal_of(address: &Address, route: &Route) -> Option<Doubt> {
    let is_source = route.source == Some(address.local);
    let is_on = |hop: &Hop| may_be_on(hop, address.interface);
    match (address.local, route.is_ipv6()) {
        (IpAddr::V6(_), true) => is_source.then_some(Doubt::Changed),
        (IpAddr::V4(_), false) => {
            (is_source || route.hops.iter().any(is_on)).then_some(Doubt::MayBeGone)
        }
        (IpAddr::V4(_), true) | (IpAddr::V6(_), false) => None,
    }
}

/// What the state of an interface means to a route. The kernel says nothing about the IPv4 routes that it removes when
/// an interface goes down.
pub(super) fn after_change_of(link: &Link, route: &Route) -> Option<Doubt> {
    if link.flags.contains(LinkFlags::UP) { None } else { after_loss_of(link.index, route) }
}

/// What the loss of an interface means to a route.
pub(super) fn after_loss_of(interface: IfIndex, route: &Route) -> Option<Doubt> {
    let is_on = |hop: &Hop| may_be_on(hop, interface);
    route.hops.iter().any(is_on).then_some(Doubt::MayBeGone)
}

/// Where a router is without its interface being given, only the kernel knows.
fn may_be_on(hop: &Hop, interface: IfIndex) -> bool {
    hop.interface.is_none_or(|given| given == interface)
}

/// A configured route as it is to be in the kernel; `None` while one of its interfaces is missing. `find` gives the
/// number of an interface.
pub(super) fn on_machine(
    configured: &config::Route,
    find: impl Fn(&str) -> Option<IfIndex>,
) -> Option<Route> {
    let ipv6 = configured.family == Family::V6;
    let destination = configured.destination.unwrap_or(Prefix::everywhere(ipv6));
    let interface = |name: &Option<String>| match name {
        Some(name) => find(name).map(Some),
        None => Some(None),
    };
    let single = Hop {
        gateway: configured.gateway,
        interface: interface(&configured.interface)?,
        onlink: configured.onlink,
        realms: configured.realms,
        encap: configured.encap.clone(),
        ..Hop::default()
    };
    // What the route says holds for all hops that do not say otherwise: the kernel refuses what contradicts itself.
    let hops = configured.next_hops.iter().map(|hop| {
        Some(Hop {
            gateway: hop.gateway,
            interface: interface(&hop.interface)?.or(single.interface),
            weight: hop.weight,
            onlink: hop.onlink || configured.onlink,
            realms: hop.realms.or(configured.realms),
            encap: hop.encap.as_ref().or(configured.encap.as_ref()).cloned(),
        })
    });
    let mut hops: Vec<Hop> = hops.collect::<Option<_>>()?;
    if hops.is_empty() && single != Hop::default() {
        hops.push(single);
    }
    Some(Route {
        from: configured.from,
        source: configured.source,
        kind: configured.kind,
        table: if configured.table == 0 { Route::MAIN } else { configured.table },
        protocol: configured.protocol,
        scope: configured.scope.unwrap_or_else(|| default_scope(configured.kind)),
        tos: configured.tos,
        metric: configured.metric,
        metrics: metrics(&configured.metrics),
        expires: configured.expires,
        preference: configured.preference,
        ttl_propagate: configured.ttl_propagate,
        add: configured.add,
        ..Route::plain(destination, hops)
    })
}

/// How far a route leads that does not say so; the kernel does not take any other for some kinds.
fn default_scope(kind: u8) -> u8 {
    match kind {
        Route::LOCAL => HOST,
        kind if ON_LINK.contains(&kind) => LINK,
        _ => 0,
    }
}

fn metrics(configured: &config::route::Metrics) -> Metrics {
    let number = |value: u32| Some(value).filter(|&value| value != 0);
    let flag = |value: Option<bool>| value.map(u32::from);
    let all = [
        (1, number(configured.locked)),
        (2, configured.mtu),
        (3, configured.window),
        (4, configured.rtt),
        (5, configured.rttvar),
        (6, configured.ssthresh),
        (7, configured.cwnd),
        (8, configured.advmss),
        (9, configured.reordering),
        (10, configured.hoplimit.map(u32::from)),
        (11, configured.initcwnd),
        (12, number(configured.features)),
        (13, configured.rto_min),
        (14, configured.initrwnd),
        (15, flag(configured.quickack)),
        (17, flag(configured.fastopen_no_cookie)),
    ];
    let numbers = all.into_iter().filter_map(|(number, value)| Some((number, value?)));
    Metrics { numbers: numbers.collect(), congestion: configured.congestion.clone() }
}
