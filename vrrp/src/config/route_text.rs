//! Routes as they are shown in logs and dumps, in the words of 2.4.3.

use std::fmt::{Result, Write};
use std::net::IpAddr;

use super::TrackGroup;
use super::route::{AddMode, Encap, EncapIp, Metrics, NextHop, Prefix, Route};
use crate::packet::Family;

/// Numbers of settings in the mask of those that are locked (`RTAX_*`).
const MTU: u32 = 2;
const RTT: u32 = 4;
const RTTVAR: u32 = 5;
const SSTHRESH: u32 = 6;
const CWND: u32 = 7;
const ADVMSS: u32 = 8;
const REORDERING: u32 = 9;
const RTO_MIN: u32 = 13;
const CONGESTION: u32 = 16;

const MAIN_TABLE: u32 = 254;
const UNICAST: u8 = 1;
const ECN: u32 = 1;

impl Route {
    /// The route in one line. `groups` are those of the configuration.
    pub fn describe(&self, groups: &[TrackGroup]) -> String {
        let mut text = String::new();
        // A string takes whatever is written.
        let _ = self.write(&mut text, groups);
        text
    }

    fn write(&self, out: &mut String, groups: &[TrackGroup]) -> Result {
        out.push_str(match self.add {
            AddMode::Add => "add ",
            AddMode::Append => "append ",
            AddMode::Prepend => "prepend ",
        });
        if self.kind != UNICAST {
            out.push_str(&kind_name(self.kind));
            out.push(' ');
        }
        let everywhere = if self.family == Family::V4 { "0.0.0.0/0" } else { "::/0" };
        match self.destination {
            Some(destination) => out.push_str(&prefix(destination)),
            None => out.push_str(everywhere),
        }
        if let Some(from) = self.from {
            write!(out, " from {}", prefix(from))?;
        }
        if let Some(source) = self.source {
            write!(out, " src {source}")?;
        }
        if self.tos != 0 {
            write!(out, " tos {}", self.tos)?;
        }
        if let Some(encap) = &self.encap {
            write_encap(encap, out)?;
        }
        if let Some(gateway) = self.gateway {
            write_gateway(gateway, out)?;
        }
        if let Some(interface) = &self.interface {
            write!(out, " dev {interface}")?;
        }
        if self.table != MAIN_TABLE {
            write!(out, " table {}", self.table)?;
        }
        write!(out, " proto {}", self.protocol)?;
        if let Some(scope) = self.scope {
            write!(out, " scope {scope}")?;
        }
        if let Some(metric) = self.metric {
            write!(out, " metric {metric}")?;
        }
        if self.family == Family::V4 && self.onlink {
            out.push_str(" onlink");
        }
        self.write_options(out)?;
        for hop in &self.next_hops {
            write_next_hop(hop, out)?;
        }
        write_tracking(self.tracked, self.track_group.and_then(|id| find(groups, id.0)), out)
    }

    fn write_options(&self, out: &mut String) -> Result {
        if let Some(realms) = self.realms {
            write_realms(realms, out)?;
        }
        if let Some(seconds) = self.expires {
            write!(out, " expires {seconds}sec")?;
        }
        write_metrics(&self.metrics, out)?;
        if let Some(preference) = self.preference {
            let name = match preference {
                3 => "low",
                0 => "medium",
                1 => "high",
                _ => "unknown",
            };
            write!(out, " pref {name}")?;
        }
        if let Some(value) = self.metrics.fastopen_no_cookie {
            write!(out, " fastopen_no_cookie {}", u8::from(value))?;
        }
        match self.ttl_propagate {
            Some(true) => out.push_str(" ttl-propagate enabled"),
            Some(false) => out.push_str(" ttl-propagate disabled"),
            None => {}
        }
        Ok(())
    }
}

/// The name of a kind of route, or of a rule's action (`RTN_*`).
pub(super) fn kind_name(kind: u8) -> String {
    let name = match kind {
        1 => "unicast",
        2 => "local",
        3 => "broadcast",
        4 => "anycast",
        5 => "multicast",
        6 => "blackhole",
        7 => "unreachable",
        8 => "prohibit",
        9 => "throw",
        10 => "nat",
        11 => "xresolve",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// A prefix; the length of a single address is not shown.
pub(super) fn prefix(prefix: Prefix) -> String {
    let whole = if prefix.address.is_ipv4() { 32 } else { 128 };
    match prefix.len {
        len if len == whole => prefix.address.to_string(),
        len => format!("{}/{len}", prefix.address),
    }
}

/// Whether something is tracked, and by whom.
pub(super) fn write_tracking(tracked: bool, group: Option<&str>, out: &mut String) -> Result {
    if !tracked {
        out.push_str(" no_track");
    }
    match group {
        Some(group) => write!(out, " track_group {group}"),
        None => Ok(()),
    }
}

/// The name of a track group.
pub(super) fn find(groups: &[TrackGroup], number: u32) -> Option<&str> {
    Some(groups.get(usize::try_from(number).ok()?)?.name.as_str())
}

fn write_gateway(gateway: IpAddr, out: &mut String) -> Result {
    let family = if gateway.is_ipv4() { "inet" } else { "inet6" };
    write!(out, " via {family} {gateway}")
}

fn write_realms(realms: u32, out: &mut String) -> Result {
    match realms >> 16 {
        0 => write!(out, " realm {}", realms & 0xffff),
        from => write!(out, " realms {from}/{}", realms & 0xffff),
    }
}

fn write_next_hop(hop: &NextHop, out: &mut String) -> Result {
    out.push_str(" nexthop");
    if let Some(gateway) = hop.gateway {
        write_gateway(gateway, out)?;
    }
    if let Some(interface) = &hop.interface {
        write!(out, " dev {interface}")?;
    }
    if hop.weight != 1 {
        write!(out, " weight {}", hop.weight)?;
    }
    if hop.onlink {
        out.push_str(" onlink");
    }
    if let Some(realms) = hop.realms {
        write_realms(realms, out)?;
    }
    match &hop.encap {
        Some(encap) => write_encap(encap, out),
        None => Ok(()),
    }
}

fn write_metrics(metrics: &Metrics, out: &mut String) -> Result {
    let locked = |number: u32| metrics.locked & 1 << number != 0;
    let lock = |number| if locked(number) { "lock " } else { "" };
    if let Some(algorithm) = &metrics.congestion {
        write!(out, " congctl {}{algorithm}", lock(CONGESTION))?;
    }
    let times = [
        ("rtt", metrics.rtt, RTT, 8),
        ("rttvar", metrics.rttvar, RTTVAR, 4),
        ("rto_min", metrics.rto_min, RTO_MIN, 1),
    ];
    for (name, value, number, per_millisecond) in times {
        let Some(value) = value else { continue };
        let milliseconds = f64::from(value) / f64::from(per_millisecond);
        write!(out, " {name}{} ", if locked(number) { " lock" } else { "" })?;
        if milliseconds >= 1000.0 {
            write!(out, "{}s", milliseconds / 1000.0)?;
        } else {
            write!(out, "{milliseconds}ms")?;
        }
    }
    if metrics.features & ECN != 0 {
        out.push_str(" features ecn");
    }
    let numbers = [
        ("mtu", metrics.mtu, MTU),
        ("window", metrics.window, 0),
        ("ssthresh", metrics.ssthresh, SSTHRESH),
        ("cwnd", metrics.cwnd, CWND),
        ("advmss", metrics.advmss, ADVMSS),
        ("reordering", metrics.reordering, REORDERING),
        ("hoplimit", metrics.hoplimit.map(u32::from), 0),
        ("initcwnd", metrics.initcwnd, 0),
        ("initrwnd", metrics.initrwnd, 0),
        ("quickack", metrics.quickack.map(u32::from), 0),
    ];
    for (name, value, number) in numbers {
        if let Some(value) = value {
            write!(out, " {name} {}{value}", lock(number))?;
        }
    }
    Ok(())
}

fn write_encap(encap: &Encap, out: &mut String) -> Result {
    match encap {
        Encap::Ip(header) => write_encap_ip(header, out),
        // As it lies in the memory of the machine.
        Encap::Ila(locator) => {
            write!(out, " encap ila {}", u64::from_ne_bytes(locator.to_be_bytes()))
        }
        Encap::Mpls(labels) => {
            out.push_str(" encap mpls");
            let last = labels.len().saturating_sub(1);
            for (place, label) in labels.iter().enumerate() {
                let entry = label << 12 | if place == last { 0x100 } else { 0 };
                write!(out, "{}{entry:x}", if place == 0 { " " } else { "/" })?;
            }
            Ok(())
        }
    }
}

fn write_encap_ip(header: &EncapIp, out: &mut String) -> Result {
    let (kind, tos, ttl) = match header.family {
        Family::V4 => ("ip", "tos", "ttl"),
        Family::V6 => ("ip6", "tc", "hoplimit"),
    };
    write!(out, " encap {kind}")?;
    if let Some(id) = header.id {
        write!(out, " id {id}")?;
    }
    if let Some(destination) = header.destination {
        write!(out, " dst {destination}")?;
    }
    if let Some(source) = header.source {
        write!(out, " src {source}")?;
    }
    if let Some(value) = header.tos {
        write!(out, " {tos} {value}")?;
    }
    if let Some(value) = header.ttl {
        write!(out, " {ttl} {value}")?;
    }
    match header.flags {
        Some(flags) => write!(out, " flags {flags:#x}"),
        None => Ok(()),
    }
}
