//! The rules and sets of one IP version, in the words of `iptables-save` and in the order of the original.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use runtime::netlink::ipset::{Entry, SetKind};
use runtime::netlink::nftables::Family;

use super::{Content, SetNames, Settings};
use crate::kernel::firewall::{Blocked, Desired, Vmac};

// Types of ICMPv6 messages (RFC 2710, RFC 3810, RFC 4861).
const MLD_LISTENER_REPORT: u8 = 131;
const NEIGHBOUR_SOLICIT: u8 = 135;
const NEIGHBOUR_ADVERT: u8 = 136;
const MLD2_LISTENER_REPORT: u8 = 143;

/// Which sets there are. They stay when there is nothing more in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    addresses: bool,
    vmacs: bool,
}

impl Shape {
    pub(super) fn of(family: Family, desired: &Desired, settings: &Settings) -> Self {
        if settings.sets.is_none() {
            return Self::default();
        }
        let vmacs = vmacs(family, desired).next().is_some() && settings.output.is_some();
        Self { addresses: blocked(family, desired).next().is_some(), vmacs }
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self { addresses: self.addresses || other.addresses, vmacs: self.vmacs || other.vmacs }
    }
}

/// An end of a packet, as rules and sets name it.
struct End<'a> {
    chain: &'a str,
    /// In rules: option of the address, and of the interface.
    options: (&'static str, &'static str),
    /// In sets: the address, and the address with the interface.
    directions: (&'static str, &'static str),
}

fn ends(settings: &Settings) -> impl Iterator<Item = End<'_>> {
    let input =
        End { chain: &settings.input, options: ("-d", "-i"), directions: ("dst", "dst,src") };
    let output = settings.output.as_ref().map(|chain| End {
        chain,
        options: ("-s", "-o"),
        directions: ("src", "src,dst"),
    });
    std::iter::once(input).chain(output)
}

fn blocked(family: Family, desired: &Desired) -> impl Iterator<Item = &Blocked> {
    desired.blocked.iter().filter(move |blocked| match blocked {
        Blocked::Anywhere(IpAddr::V4(_)) => family == Family::Ip,
        Blocked::Anywhere(IpAddr::V6(_)) | Blocked::OnLink(..) => family == Family::Ip6,
    })
}

fn vmacs(family: Family, desired: &Desired) -> impl Iterator<Item = &Vmac> {
    desired.vmacs.iter().filter(move |vmac| match family {
        Family::Ip => vmac.ipv4,
        Family::Ip6 => vmac.ipv6,
    })
}

/// What keeps away what is `desired`.
pub(super) fn content(
    family: Family,
    desired: &Desired,
    settings: &Settings,
    shape: Shape,
) -> Content {
    match &settings.sets {
        Some(names) => with_sets(family, desired, settings, names, shape),
        None => without_sets(family, desired, settings),
    }
}

fn with_sets(
    family: Family,
    desired: &Desired,
    settings: &Settings,
    names: &SetNames,
    shape: Shape,
) -> Content {
    let mut content = Content::default();
    if let Some(output) = settings.output.as_ref().filter(|_| shape.vmacs) {
        keep_reports(family, desired, output, names, &mut content);
    }
    if shape.addresses {
        match family {
            Family::Ip => keep_addresses(desired, settings, names, &mut content),
            Family::Ip6 => keep_addresses6(desired, settings, names, &mut content),
        }
    }
    content
}

/// What VMACs would tell of groups and of themselves does not leave.
fn keep_reports(
    family: Family,
    desired: &Desired,
    output: &str,
    names: &SetNames,
    content: &mut Content,
) {
    let on_all = |any: IpAddr| {
        let vmacs = vmacs(family, desired);
        vmacs.map(move |vmac| Entry::OnInterface(any, 0, vmac.name.clone()))
    };
    match family {
        Family::Ip => {
            let all = on_all(Ipv4Addr::UNSPECIFIED.into());
            content.set(&names.igmp, SetKind::NetworksOnInterfaces, all);
            let found = format!("-m set --match-set {} dst,dst", names.igmp);
            content.head.push(format!("{output} -p igmp {found} -j DROP"));
        }
        Family::Ip6 => {
            let all = on_all(Ipv6Addr::UNSPECIFIED.into());
            content.set(&names.mld, SetKind::NetworksOnInterfaces, all);
            let shared = vmacs(family, desired).filter_map(|vmac| {
                Some(Entry::OnInterface(vmac.link_local?.into(), 128, vmac.name.clone()))
            });
            content.set(&names.vmac_nd, SetKind::NetworksOnInterfaces, shared);
            let drop = |set: &str, directions: &str, icmp| {
                let found = format!("-m set --match-set {set} {directions} ");
                format!("{output} {} -j DROP", icmpv6(&found, icmp))
            };
            content.head.extend([
                drop(&names.mld, "dst,dst", MLD2_LISTENER_REPORT),
                drop(&names.mld, "dst,dst", MLD_LISTENER_REPORT),
                drop(&names.vmac_nd, "src,dst", NEIGHBOUR_ADVERT),
            ]);
        }
    }
}

/// Packets for addresses that are blocked do not come in, and none leave from them.
fn keep_addresses(desired: &Desired, settings: &Settings, names: &SetNames, content: &mut Content) {
    content.set(&names.address, SetKind::Addresses, blocked_anywhere(Family::Ip, desired));
    for End { chain, directions: (address, _), .. } in ends(settings) {
        let found = format!("-m set --match-set {} {address}", names.address);
        content.tail.push(format!("{chain} {found} -j DROP"));
    }
}

/// As [`keep_addresses`], but neighbours may still be found.
fn keep_addresses6(
    desired: &Desired,
    settings: &Settings,
    names: &SetNames,
    content: &mut Content,
) {
    content.set(&names.address6, SetKind::Addresses, blocked_anywhere(Family::Ip6, desired));
    let on_links = blocked(Family::Ip6, desired).filter_map(|blocked| match blocked {
        Blocked::OnLink(address, link) => {
            Some(Entry::OnInterface((*address).into(), 128, link.name.clone()))
        }
        Blocked::Anywhere(_) => None,
    });
    content.set(&names.address_interface6, SetKind::NetworksOnInterfaces, on_links);
    for End { chain, directions: (address, with_interface), .. } in ends(settings) {
        let sets = [(&names.address_interface6, with_interface), (&names.address6, address)];
        for (set, directions) in sets {
            let found = format!("-m set --match-set {set} {directions} ");
            content.tail.extend(all_but_discovery(chain, "", &found));
        }
    }
}

fn blocked_anywhere(family: Family, desired: &Desired) -> impl Iterator<Item = Entry> {
    blocked(family, desired).filter_map(|blocked| match blocked {
        Blocked::Anywhere(address) => Some(Entry::Address(*address)),
        Blocked::OnLink(..) => None,
    })
}

fn without_sets(family: Family, desired: &Desired, settings: &Settings) -> Content {
    let mut content = Content::default();
    for vmac in vmacs(family, desired) {
        let Some(output) = &settings.output else { break };
        let leaves = format!("-o {} ", vmac.name);
        match family {
            Family::Ip => content.head.push(format!("{output} {leaves}-p igmp -j DROP")),
            Family::Ip6 => {
                let drop = |source: &str, kind| {
                    format!("{output} {source}{leaves}{} -j DROP", icmpv6("", kind))
                };
                let shared = vmac.link_local.map(|address| format!("-s {address}/128 "));
                content.head.extend(shared.map(|source| drop(&source, NEIGHBOUR_ADVERT)));
                let reports = [MLD_LISTENER_REPORT, MLD2_LISTENER_REPORT];
                content.head.extend(reports.map(|kind| drop("", kind)));
            }
        }
    }
    for End { chain, options: (end, by), .. } in ends(settings) {
        for blocked in blocked(family, desired) {
            match blocked {
                Blocked::Anywhere(IpAddr::V4(address)) => {
                    content.tail.push(format!("{chain} {end} {address}/32 -j DROP"));
                }
                Blocked::Anywhere(IpAddr::V6(address)) => {
                    let matched = format!("{end} {address}/128 ");
                    content.tail.extend(all_but_discovery(chain, &matched, ""));
                }
                Blocked::OnLink(address, link) => {
                    let matched = format!("{end} {address}/128 {by} {} ", link.name);
                    content.tail.extend(all_but_discovery(chain, &matched, ""));
                }
            }
        }
    }
    content
}

/// Lets neighbour discovery pass, and nothing else. Conditions stand before the protocol or behind it.
fn all_but_discovery(chain: &str, before: &str, behind: &str) -> [String; 3] {
    let accept = |kind| format!("{chain} {before}{} -j ACCEPT", icmpv6(behind, kind));
    [
        accept(NEIGHBOUR_SOLICIT),
        accept(NEIGHBOUR_ADVERT),
        format!("{chain} {before}{behind}-j DROP"),
    ]
}

fn icmpv6(conditions: &str, kind: u8) -> String {
    format!("-p ipv6-icmp {conditions}-m icmp6 --icmpv6-type {kind}")
}

/// The rules in the list of `iptables-save` that are ours: those that look one of `sets` up, and `others`.
pub(super) fn ours<'a>(
    listed: &str,
    sets: &[&String],
    others: impl Iterator<Item = &'a String>,
) -> Vec<String> {
    let others: BTreeSet<String> = others.map(|rule| normal(rule)).collect();
    let looks_up = |rule: &str| {
        let set = rule.split_once("--match-set ").and_then(|(_, rest)| rest.split(' ').next());
        set.is_some_and(|found| sets.iter().any(|set| *set == found))
    };
    let rules = listed.lines().filter_map(|line| line.strip_prefix("-A "));
    let rules = rules.filter(|rule| looks_up(rule) || others.contains(&normal(rule)));
    rules.map(str::to_owned).collect()
}

/// Versions of `iptables-save` name protocols in different ways.
fn normal(rule: &str) -> String {
    rule.replace("-p icmpv6 ", "-p ipv6-icmp ")
        .replace("-p 58 ", "-p ipv6-icmp ")
        .replace("-p 2 ", "-p igmp ")
}
