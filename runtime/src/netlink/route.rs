//! Routes as they are written and read.

use std::net::IpAddr;

use super::attribute::{Attribute, Attributes};
use super::attribute_writer::AttributeWriter;
use super::{encap, family};
use crate::machine::IfIndex;
use crate::machine::route::{AddMode, Hop, Metrics, Prefix, Route};

/// Length of what precedes the attributes (`struct rtmsg`).
const HEADER_LEN: usize = 12;
/// Length of what precedes the attributes of a hop (`struct rtnexthop`).
const HOP_HEADER_LEN: usize = 8;
/// Where the protocol is in the header.
const PROTOCOL_AT: usize = 5;

const RTNH_F_ONLINK: u32 = 0x4;
/// Whatever scope a route has, it is removed.
const RT_SCOPE_NOWHERE: u8 = 255;

const RTAX_CC_ALGO: u16 = 16;

/// What a request that adds `route` has behind its header.
pub(super) fn added(route: &Route) -> Vec<u8> {
    let mut writer = AttributeWriter::after(&header(route, route.scope));
    put_place(route, &mut writer);
    if let Some(source) = route.source {
        writer.put_address(libc::RTA_PREFSRC, source);
    }
    if let Some(metric) = route.metric {
        writer.put_u32(libc::RTA_PRIORITY, metric);
    }
    if let Some(seconds) = route.expires {
        writer.put_u32(RTA_EXPIRES, seconds);
    }
    if let Some(preference) = route.preference {
        writer.put_u8(libc::RTA_PREF, preference);
    }
    if let Some(propagate) = route.ttl_propagate {
        writer.put_u8(RTA_TTL_PROPAGATE, propagate.into());
    }
    if route.metrics != Metrics::default() {
        writer.nest(libc::RTA_METRICS, |inside| {
            for &(number, value) in &route.metrics.numbers {
                inside.put_u32(number, value);
            }
            if let Some(algorithm) = &route.metrics.congestion {
                inside.put_text(RTAX_CC_ALGO, algorithm);
            }
        });
    }
    put_hops(route, &mut writer, true);
    writer.octets().to_vec()
}

/// What a request that removes `route` has behind its header: no more than what tells it from others.
pub(super) fn removed(route: &Route) -> Vec<u8> {
    let mut writer = AttributeWriter::after(&header(route, RT_SCOPE_NOWHERE));
    put_place(route, &mut writer);
    // Without one, any would do.
    let metric = route.effective_metric();
    if metric != 0 {
        writer.put_u32(libc::RTA_PRIORITY, metric);
    }
    put_hops(route, &mut writer, false);
    writer.octets().to_vec()
}

/// What a request for all routes of `protocol` has behind its header.
pub(super) fn all_of(ipv6: bool, protocol: u8) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[0] = family::number(ipv6);
    header[PROTOCOL_AT] = protocol;
    header
}

/// Who has made the route that a message is about.
pub(super) fn protocol(payload: &[u8]) -> Option<u8> {
    payload.get(PROTOCOL_AT).copied()
}

const RTA_VIA: u16 = 18;
const RTA_EXPIRES: u16 = 23;
const RTA_TTL_PROPAGATE: u16 = 26;

fn header(route: &Route, scope: u8) -> [u8; HEADER_LEN] {
    let onlink = matches!(&route.hops[..], [hop] if hop.onlink);
    let [f0, f1, f2, f3] = if onlink { RTNH_F_ONLINK } else { 0 }.to_ne_bytes();
    [
        family::number(route.is_ipv6()),
        route.destination.len,
        route.from.map_or(0, |from| from.len),
        route.tos,
        u8::try_from(route.table).unwrap_or(0),
        route.protocol,
        scope,
        route.kind,
        f0,
        f1,
        f2,
        f3,
    ]
}

fn put_place(route: &Route, writer: &mut AttributeWriter) {
    if u8::try_from(route.table).is_err() {
        writer.put_u32(libc::RTA_TABLE, route.table);
    }
    if route.destination.len > 0 {
        writer.put_address(libc::RTA_DST, route.destination.address);
    }
    if let Some(from) = route.from {
        writer.put_address(libc::RTA_SRC, from.address);
    }
}

fn put_hops(route: &Route, writer: &mut AttributeWriter, whole: bool) {
    if let [hop] = &route.hops[..] {
        if let Some(interface) = hop.interface {
            writer.put_u32(libc::RTA_OIF, interface.0);
        }
        put_hop(hop, route.is_ipv6(), writer, whole);
    } else if !route.hops.is_empty() {
        let mut all = Vec::new();
        for hop in &route.hops {
            let mut inside = AttributeWriter::default();
            put_hop(hop, route.is_ipv6(), &mut inside, whole);
            let length = HOP_HEADER_LEN + inside.octets().len();
            all.extend(u16::try_from(length).expect("a hop is short").to_ne_bytes());
            all.push(if hop.onlink { 0x4 } else { 0 });
            all.push(u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX));
            all.extend(hop.interface.map_or(0, |index| index.0).to_ne_bytes());
            all.extend(inside.octets());
        }
        writer.put(libc::RTA_MULTIPATH, &all);
    }
}

fn put_hop(hop: &Hop, ipv6: bool, writer: &mut AttributeWriter, whole: bool) {
    match hop.gateway {
        Some(gateway) if gateway.is_ipv6() == ipv6 => {
            writer.put_address(libc::RTA_GATEWAY, gateway);
        }
        Some(gateway) => {
            let mut via = u16::from(family::number(gateway.is_ipv6())).to_ne_bytes().to_vec();
            match gateway {
                IpAddr::V4(gateway) => via.extend(gateway.octets()),
                IpAddr::V6(gateway) => via.extend(gateway.octets()),
            }
            writer.put(RTA_VIA, &via);
        }
        None => {}
    }
    if let (true, Some(realms)) = (whole, hop.realms) {
        writer.put_u32(libc::RTA_FLOW, realms);
    }
    if let (true, Some(header)) = (whole, &hop.encap) {
        encap::put(header, writer);
    }
}

/// What a message says about a route. Those of other families are left out.
pub(super) fn decode(payload: &[u8]) -> Option<Route> {
    let (header, rest) = payload.split_first_chunk::<HEADER_LEN>()?;
    let &[family, destination_len, source_len, tos, table, protocol, scope, kind, f0, f1, f2, f3] =
        header;
    let ipv6 = family::is_ipv6(family)?;
    let everywhere = Prefix::everywhere(ipv6);
    let destination = Prefix { len: destination_len, ..everywhere };
    let plain = Route::plain(destination, Vec::new());
    let mut route = Route { table: table.into(), protocol, scope, kind, tos, ..plain };
    if source_len > 0 {
        route.from = Some(Prefix { len: source_len, ..everywhere });
    }
    let same_family = |address: &IpAddr| address.is_ipv6() == ipv6;
    let mut several = None;
    for attribute in Attributes(rest) {
        match attribute.kind {
            libc::RTA_DST => {
                route.destination.address = attribute.address().filter(same_family)?;
            }
            libc::RTA_SRC => {
                let address = attribute.address().filter(same_family)?;
                route.from = Some(Prefix { address, len: source_len });
            }
            libc::RTA_PREFSRC => route.source = attribute.address(),
            libc::RTA_TABLE => route.table = attribute.u32()?,
            libc::RTA_PRIORITY => route.metric = attribute.u32(),
            libc::RTA_METRICS => route.metrics = metrics(attribute),
            RTA_EXPIRES => route.expires = attribute.u32(),
            libc::RTA_PREF => route.preference = attribute.u8(),
            RTA_TTL_PROPAGATE => route.ttl_propagate = attribute.u8().map(|value| value != 0),
            libc::RTA_MULTIPATH => several = Some(hops(attribute.value)),
            _ => {}
        }
    }
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    route.hops = several.unwrap_or_else(|| {
        let mut hop = Hop { onlink: flags & RTNH_F_ONLINK != 0, ..hop(Attributes(rest)) };
        hop.interface = Attributes(rest)
            .find(|attribute| attribute.kind == libc::RTA_OIF)
            .and_then(Attribute::u32)
            .map(IfIndex);
        if hop == Hop::default() { Vec::new() } else { vec![hop] }
    });
    Some(route)
}

fn metrics(attribute: Attribute<'_>) -> Metrics {
    let mut metrics = Metrics::default();
    for inner in attribute.nested() {
        match (inner.kind, inner.u32()) {
            (RTAX_CC_ALGO, _) => metrics.congestion = Some(inner.text()),
            (kind, Some(value)) => metrics.numbers.push((kind, value)),
            (_, None) => {}
        }
    }
    metrics.numbers.sort_unstable();
    metrics
}

/// The next hops, up to the first whose length lies.
fn hops(mut octets: &[u8]) -> Vec<Hop> {
    let mut found = Vec::new();
    while let Some((&[l0, l1, flags, weight, i0, i1, i2, i3], _)) =
        octets.split_first_chunk::<HOP_HEADER_LEN>()
    {
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let Some(inside) = octets.get(HOP_HEADER_LEN..length) else { break };
        let index = u32::from_ne_bytes([i0, i1, i2, i3]);
        found.push(Hop {
            interface: (index != 0).then_some(IfIndex(index)),
            weight: u16::from(weight) + 1,
            onlink: u32::from(flags) & RTNH_F_ONLINK != 0,
            ..hop(Attributes(inside))
        });
        octets = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn hop(attributes: Attributes<'_>) -> Hop {
    let mut hop = Hop::default();
    let (mut header, mut kind) = (None, None);
    for attribute in attributes {
        match attribute.kind {
            libc::RTA_GATEWAY => hop.gateway = attribute.address(),
            RTA_VIA => hop.gateway = attribute.after(2).address(),
            libc::RTA_FLOW => hop.realms = attribute.u32(),
            encap::RTA_ENCAP => header = Some(attribute),
            encap::RTA_ENCAP_TYPE => kind = attribute.u16(),
            _ => {}
        }
    }
    hop.encap = header.zip(kind).and_then(|(header, kind)| encap::decode(header, kind));
    hop
}

/// The flags of a request that adds a route.
pub(super) fn mode_flags(mode: AddMode) -> u16 {
    const NLM_F_EXCL: u16 = 0x200;
    const NLM_F_CREATE: u16 = 0x400;
    const NLM_F_APPEND: u16 = 0x800;
    NLM_F_CREATE
        | match mode {
            AddMode::Prepend => 0,
            AddMode::Append => NLM_F_APPEND,
            AddMode::Exclusive => NLM_F_EXCL,
        }
}
