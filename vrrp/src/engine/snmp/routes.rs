//! Virtual and static routes, and the routers of those that have several. Row 0 of the first index has the static ones.

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};
use runtime::machine::route::{Encap, EncapIp};

use super::super::Engine;
use super::{by_owner, scope};
use crate::config::Route;
use crate::config::route::{Lockable, NextHop};
use crate::kernel;
use crate::packet::Family;

struct Row<'a> {
    engine: &'a Engine,
    route: &'a Route,
}

/// `vrrpRouteTable`
pub(super) fn table(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(2, |row| {
            let route = row.route;
            let prefix = route.destination.or(route.from).map(|prefix| prefix.address);
            let kind = if route.family == Family::V4 { 1 } else { 2 };
            let known = prefix.or(route.gateway).or(route.source);
            Some(known.map_or(Value::Integer(kind), Value::address_type))
        }),
        column(3, |row| row.route.destination.map(|prefix| Value::address(prefix.address))),
        column(4, |row| row.route.destination.map(|prefix| Value::Gauge(prefix.len.into()))),
        column(5, |row| row.route.gateway.map(Value::address)),
        column(6, |row| match row.route.next_hops.as_slice() {
            [NextHop { gateway, encap: None, .. }] => gateway.map(Value::address),
            _ => None,
        }),
        column(7, |row| row.route.source.map(Value::address)),
        column(8, |row| Some(Value::Gauge(row.route.metric.unwrap_or(0)))),
        column(9, |row| {
            let placed = || row.engine.place_route(row.route).map(|route| route.scope);
            scope(row.route.scope.or_else(placed).unwrap_or(0))
        }),
        column(10, |row| Some(Value::Integer(kind(row.route)))),
        column(11, |row| interface_index(row.engine, row.route.interface.as_deref())),
        column(12, |row| row.route.interface.as_ref().map(Value::text)),
        column(13, |row| Some(Value::Gauge(row.route.table))),
        column(14, |row| {
            let placed = row.engine.place_route(row.route);
            let is_set = placed.is_some_and(|route| row.engine.ledger.holds_route(&route));
            Some(Value::truth(is_set))
        }),
        column(15, |row| row.route.from.map(|prefix| Value::address(prefix.address))),
        column(16, |row| row.route.from.map(|prefix| Value::Gauge(prefix.len.into()))),
        column(17, |row| {
            Some(row.route.tos).filter(|&tos| tos != 0).map(|tos| Value::Gauge(tos.into()))
        }),
        // The enumeration of the MIB begins with 1 where that of the kernel begins with 0.
        column(18, |row| {
            let is_shown = row.route.tracked || row.route.protocol != kernel::PROTOCOL;
            is_shown.then(|| Value::Integer(i32::from(row.route.protocol) + 1))
        }),
        column(19, |row| Some(Value::truth(row.route.metrics.notifies_congestion()))),
        column(20, |row| Some(Value::truth(row.route.metrics.quickack == Some(true)))),
        column(21, |row| row.route.expires.map(Value::integer)),
        column(22, |row| row.route.metrics.mtu.map(Value::Gauge)),
        column(23, |row| locked(row.route, row.route.metrics.mtu, Lockable::Mtu)),
        column(24, |row| row.route.metrics.hoplimit.map(|limit| Value::Gauge(limit.into()))),
        column(25, |row| row.route.metrics.advmss.map(Value::Gauge)),
        column(26, |row| locked(row.route, row.route.metrics.advmss, Lockable::AdvMss)),
        column(27, |row| row.route.metrics.rtt.map(|eighths| Value::Gauge(eighths / 8))),
        column(28, |row| locked(row.route, row.route.metrics.rtt, Lockable::Rtt)),
        column(29, |row| row.route.metrics.rttvar.map(|quarters| Value::Gauge(quarters / 4))),
        column(30, |row| locked(row.route, row.route.metrics.rttvar, Lockable::RttVar)),
        column(31, |row| row.route.metrics.reordering.map(Value::Gauge)),
        column(32, |row| locked(row.route, row.route.metrics.reordering, Lockable::Reordering)),
        column(33, |row| row.route.metrics.window.map(Value::Gauge)),
        column(34, |row| row.route.metrics.cwnd.map(Value::Gauge)),
        column(35, |row| locked(row.route, row.route.metrics.cwnd, Lockable::Cwnd)),
        column(36, |row| row.route.metrics.ssthresh.map(Value::Gauge)),
        column(37, |row| locked(row.route, row.route.metrics.ssthresh, Lockable::SsThresh)),
        column(38, |row| row.route.metrics.rto_min.map(Value::Gauge)),
        column(39, |row| locked(row.route, row.route.metrics.rto_min, Lockable::RtoMin)),
        column(40, |row| row.route.metrics.initcwnd.map(Value::Gauge)),
        column(41, |row| row.route.metrics.initrwnd.map(Value::Gauge)),
        column(42, |row| row.route.metrics.congestion.as_ref().map(Value::text)),
        column(43, |row| row.route.preference.map(|preference| Value::Integer(pref(preference)))),
        column(44, |row| realm_to(row.route.realms)),
        column(45, |row| realm_from(row.route.realms)),
        column(46, |row| row.route.encap.as_ref().map(encap_type)),
        column(47, |row| row.route.encap.as_ref().and_then(labels)),
        column(48, |row| ip(row.route.encap.as_ref())?.id.map(Value::Counter64)),
        column(49, |row| ip(row.route.encap.as_ref())?.destination.map(Value::address)),
        column(50, |row| ip(row.route.encap.as_ref())?.source.map(Value::address)),
        column(51, |row| ip(row.route.encap.as_ref())?.tos.map(|tos| Value::Gauge(tos.into()))),
        column(52, |row| ip(row.route.encap.as_ref())?.ttl.map(|ttl| Value::Gauge(ttl.into()))),
        column(53, |row| ip(row.route.encap.as_ref())?.flags.map(|bits| Value::Gauge(bits.into()))),
        column(54, |row| row.route.encap.as_ref().and_then(locator)),
        column(55, |row| row.route.metrics.fastopen_no_cookie.map(Value::truth)),
    ];
    let owned = engine.instances.iter().map(|instance| rows(engine, &instance.config.routes));
    find(columns, by_owner(rows(engine, &engine.config.static_routes), owned), ask)
}

fn rows<'a>(engine: &'a Engine, routes: &'a [Route]) -> impl Iterator<Item = Row<'a>> {
    routes.iter().map(move |route| Row { engine, route })
}

struct Hop<'a> {
    engine: &'a Engine,
    hop: &'a NextHop,
}

/// `vrrpRouteNextHopTable`
pub(super) fn next_hops(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Hop<'_>>] = &[
        column(2, |row| row.hop.gateway.map(Value::address_type)),
        column(3, |row| row.hop.gateway.map(Value::address)),
        column(4, |row| interface_index(row.engine, row.hop.interface.as_deref())),
        column(5, |row| row.hop.interface.as_ref().map(Value::text)),
        column(6, |row| row.hop.weight_given.then(|| Value::Gauge(row.hop.weight.into()))),
        column(7, |row| Some(Value::truth(row.hop.onlink))),
        column(8, |row| realm_to(row.hop.realms)),
        column(9, |row| realm_from(row.hop.realms)),
        column(10, |row| row.hop.encap.as_ref().map(encap_type)),
        column(11, |row| row.hop.encap.as_ref().and_then(labels)),
        column(12, |row| ip(row.hop.encap.as_ref())?.id.map(Value::Counter64)),
        column(13, |row| ip(row.hop.encap.as_ref())?.destination.map(Value::address)),
        column(14, |row| ip(row.hop.encap.as_ref())?.source.map(Value::address)),
        column(15, |row| ip(row.hop.encap.as_ref())?.tos.map(|tos| Value::Gauge(tos.into()))),
        column(16, |row| ip(row.hop.encap.as_ref())?.ttl.map(|ttl| Value::Gauge(ttl.into()))),
        column(17, |row| ip(row.hop.encap.as_ref())?.flags.map(|bits| Value::Gauge(bits.into()))),
        column(18, |row| row.hop.encap.as_ref().and_then(locator)),
    ];
    let owned = engine.instances.iter().map(|instance| instance.config.routes.as_slice());
    let all = std::iter::once(engine.config.static_routes.as_slice()).chain(owned);
    let rows = (0..).zip(all).flat_map(|(owner, routes)| {
        (1..).zip(routes).flat_map(move |(route, config)| {
            let hops = (1..).zip(&config.next_hops);
            hops.map(move |(number, hop)| ([owner, route, number], Hop { engine, hop }))
        })
    });
    find(columns, rows, ask)
}

/// `RouteType` of the MIB: what is not one of those that lead nowhere leads somewhere, over one router or several.
fn kind(route: &Route) -> i32 {
    match route.kind {
        _ if !route.next_hops.is_empty() => 2,
        6 => 3,
        4 => 4,
        5 => 5,
        3 => 6,
        7 => 7,
        8 => 8,
        9 => 9,
        10 => 10,
        11 => 11,
        _ => 1,
    }
}

fn interface_index(engine: &Engine, name: Option<&str>) -> Option<Value> {
    let interface = engine.interfaces.by_name(name?);
    Some(Value::integer(interface.map_or(0, |interface| interface.link().index.0)))
}

/// Whether a metric that was given must stay as it is.
fn locked(route: &Route, metric: Option<u32>, setting: Lockable) -> Option<Value> {
    metric.map(|_| Value::truth(route.metrics.is_locked(setting)))
}

/// `ICMPV6_ROUTER_PREF_*` as low, medium and high.
fn pref(preference: u8) -> i32 {
    match preference {
        3 => 1,
        0 => 2,
        1 => 3,
        _ => 0,
    }
}

fn realm_to(realms: Option<u32>) -> Option<Value> {
    realms.filter(|&realms| realms != 0).map(|realms| Value::Gauge(realms & 0xffff))
}

fn realm_from(realms: Option<u32>) -> Option<Value> {
    realms.map(|realms| realms >> 16).filter(|&from| from != 0).map(Value::Gauge)
}

/// `LWTUNNEL_ENCAP_*`; the MIB begins with 1 where the kernel begins with 0.
fn encap_type(encap: &Encap) -> Value {
    Value::Integer(match encap {
        Encap::Mpls(_) => 2,
        Encap::Ip(_) => 3,
        Encap::Ila(_) => 4,
        Encap::Ip6(_) => 5,
    })
}

fn ip(encap: Option<&Encap>) -> Option<&EncapIp> {
    match encap? {
        Encap::Ip(ip) | Encap::Ip6(ip) => Some(ip),
        Encap::Mpls(_) | Encap::Ila(_) => None,
    }
}

fn labels(encap: &Encap) -> Option<Value> {
    let Encap::Mpls(labels) = encap else { return None };
    let labels: Vec<String> = labels.iter().map(u32::to_string).collect();
    Some(Value::text(labels.join("/")))
}

fn locator(encap: &Encap) -> Option<Value> {
    match encap {
        Encap::Ila(locator) => Some(Value::Counter64(*locator)),
        Encap::Ip(_) | Encap::Ip6(_) | Encap::Mpls(_) => None,
    }
}
