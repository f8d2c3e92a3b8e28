//! A virtual or static route as a line of a dump.

use std::fmt::Display;

use runtime::json::significant;
use runtime::machine::route::{AddMode, Encap, EncapIp};

use super::{kind, prefix, prefixed};
use crate::config::Route;
use crate::config::route::{Lockable, Metrics, NextHop};
use crate::kernel::PROTOCOL;
use crate::packet::Family;

/// `RTN_UNICAST`.
const UNICAST: u8 = 1;
/// `RT_TABLE_MAIN`.
const MAIN: u32 = 254;

/// Words with a blank before each.
struct Words(String);

impl Words {
    fn add(&mut self, word: impl Display) {
        self.0.push(' ');
        self.0.push_str(&word.to_string());
    }

    fn pair(&mut self, name: &str, value: impl Display) {
        self.add(name);
        self.add(value);
    }

    fn pair_if_any(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.pair(name, value);
        }
    }

    fn add_if(&mut self, condition: bool, word: &str) {
        if condition {
            self.add(word);
        }
    }
}

/// `prepend 198.18.0.0/16 via inet 10.0.0.2 dev eth0 proto 18 metric 20`. `track_group` is the name of its track group.
pub(crate) fn route(route: &Route, track_group: Option<&str>) -> String {
    let mode = match route.add {
        AddMode::Prepend => "prepend",
        AddMode::Append => "append",
        AddMode::Exclusive => "add",
    };
    let mut words = Words(mode.to_owned());
    if route.kind != UNICAST {
        words.add(kind(route.kind));
    }
    words.add(route.destination.map_or_else(|| everywhere(route.family).to_owned(), prefix));
    words.pair_if_any("from", route.from.map(prefix));
    words.pair_if_any("src", route.source);
    words.pair_if_any("tos", Some(route.tos).filter(|&tos| tos != 0));
    encap(route.encap.as_ref(), &mut words);
    if let Some(gateway) = route.gateway {
        words.add(via(gateway));
    }
    words.pair_if_any("dev", route.interface.as_ref());
    words.pair_if_any("table", Some(route.table).filter(|&table| table != MAIN));
    let shows_protocol = route.tracked || route.protocol != PROTOCOL;
    words.pair_if_any("proto", Some(route.protocol).filter(|_| shows_protocol));
    words.pair_if_any("scope", route.scope);
    words.pair_if_any("metric", route.metric);
    words.add_if(route.onlink && route.family == Family::V4, "onlink");
    realms(route.realms, &mut words);
    words.pair_if_any("expires", route.expires.map(|seconds| format!("{seconds}sec")));
    metrics(&route.metrics, &mut words);
    rest_of_metrics(route, &mut words);
    for hop in &route.next_hops {
        next_hop(hop, &mut words);
    }
    words.add_if(!route.tracked, "no_track");
    words.pair_if_any("track_group", track_group);
    words.0
}

/// The destination of a default route.
fn everywhere(family: Family) -> &'static str {
    match family {
        Family::V4 => "0.0.0.0/0",
        Family::V6 => "::/0",
    }
}

fn via(gateway: std::net::IpAddr) -> String {
    let family = if gateway.is_ipv4() { "inet" } else { "inet6" };
    format!("via {family} {gateway}")
}

fn realms(realms: Option<u32>, words: &mut Words) {
    let Some(realms) = realms.filter(|&realms| realms != 0) else { return };
    match (realms >> 16, realms & 0xffff) {
        (0, to) => words.pair("realm", to),
        (from, to) => words.pair("realms", format_args!("{from}/{to}")),
    }
}

/// The metrics up to the window, with the times that `ip route` has.
fn metrics(metrics: &Metrics, words: &mut Words) {
    let lock = |setting| if metrics.is_locked(setting) { "lock " } else { "" };
    if let Some(name) = &metrics.congestion {
        words.pair("congctl", format_args!("{}{name}", lock(Lockable::Congestion)));
    }
    for (name, value, number, parts) in [
        ("rtt", metrics.rtt, Lockable::Rtt, 8.0),
        ("rttvar", metrics.rttvar, Lockable::RttVar, 4.0),
        ("rto_min", metrics.rto_min, Lockable::RtoMin, 1.0),
    ] {
        if let Some(value) = value {
            words.pair(name, format_args!("{}{}", lock(number), milliseconds(value, parts)));
        }
    }
    words.add_if(metrics.notifies_congestion(), "features ecn");
    if let Some(mtu) = metrics.mtu {
        words.pair("mtu", format_args!("{}{mtu}", lock(Lockable::Mtu)));
    }
    words.pair_if_any("window", metrics.window);
    for (name, value, number) in [
        ("ssthresh", metrics.ssthresh, Lockable::SsThresh),
        ("cwnd", metrics.cwnd, Lockable::Cwnd),
        ("advmss", metrics.advmss, Lockable::AdvMss),
        ("reordering", metrics.reordering, Lockable::Reordering),
    ] {
        if let Some(value) = value {
            words.pair(name, format_args!("{}{value}", lock(number)));
        }
    }
}

fn rest_of_metrics(route: &Route, words: &mut Words) {
    let metrics = &route.metrics;
    words.pair_if_any("hoplimit", metrics.hoplimit);
    words.pair_if_any("initcwnd", metrics.initcwnd);
    words.pair_if_any("initrwnd", metrics.initrwnd);
    words.pair_if_any("quickack", metrics.quickack.map(u8::from));
    let preference = route.preference.map(|preference| match preference {
        0 => "medium",
        1 => "high",
        3 => "low",
        _ => "unknown",
    });
    words.pair_if_any("pref", preference);
    words.pair_if_any("fastopen_no_cookie", metrics.fastopen_no_cookie.map(u8::from));
    let propagate = route.ttl_propagate.map(|is_on| if is_on { "enabled" } else { "disabled" });
    words.pair_if_any("ttl-propagate", propagate);
}

/// A time that the kernel keeps in so many parts of a millisecond.
fn milliseconds(value: u32, parts: f64) -> String {
    let milliseconds = f64::from(value) / parts;
    if milliseconds >= 1000.0 {
        format!("{}s", significant(milliseconds / 1000.0))
    } else {
        format!("{}ms", significant(milliseconds))
    }
}

fn next_hop(hop: &NextHop, words: &mut Words) {
    words.add("nexthop");
    if let Some(gateway) = hop.gateway {
        words.add(via(gateway));
    }
    words.pair_if_any("dev", hop.interface.as_ref());
    words.pair_if_any("weight", Some(hop.weight).filter(|_| hop.weight_given));
    words.add_if(hop.onlink, "onlink");
    realms(hop.realms, words);
    encap(hop.encap.as_ref(), words);
}

fn encap(encap: Option<&Encap>, words: &mut Words) {
    match encap {
        None => {}
        Some(Encap::Mpls(labels)) => {
            words.pair("encap mpls", label_stack(labels));
        }
        // As it lies in memory.
        Some(Encap::Ila(locator)) => {
            words.pair("encap ila", u64::from_ne_bytes(locator.to_be_bytes()));
        }
        Some(Encap::Ip(header)) => encap_ip(header, Family::V4, words),
        Some(Encap::Ip6(header)) => encap_ip(header, Family::V6, words),
    }
}

/// The entries of a stack of labels as they are sent (RFC 3032 §2.1); the last one is marked as such.
fn label_stack(labels: &[u32]) -> String {
    const BOTTOM: u32 = 0x100;
    let last = labels.len().saturating_sub(1);
    let entries = labels.iter().enumerate().map(|(place, label)| {
        let bottom = if place == last { BOTTOM } else { 0 };
        format!("{:x}", label << 12 | bottom)
    });
    entries.collect::<Vec<_>>().join("/")
}

fn encap_ip(ip: &EncapIp, family: Family, words: &mut Words) {
    let (name, class, limit) = match family {
        Family::V4 => ("encap ip", "tos", "ttl"),
        Family::V6 => ("encap ip6", "tc", "hoplimit"),
    };
    words.add(name);
    words.pair_if_any("id", ip.id);
    let whole = |address| prefixed(address, if family == Family::V4 { 32 } else { 128 });
    words.pair_if_any("dst", ip.destination.map(whole));
    words.pair_if_any("src", ip.source.map(whole));
    words.pair_if_any(class, ip.tos);
    words.pair_if_any(limit, ip.ttl);
    words.pair_if_any("flags", ip.flags.map(|flags| format!("{flags:#x}")));
}
