//! The firewall marks that stand for groups of addresses (`nftables_ipvs`), and what nftables is to mark with them.

use std::collections::{BTreeMap, BTreeSet};

use runtime::global::IpvsNftables;
use runtime::netlink::nftables::{Element, Family as Packets};

use crate::config::group::Entry;
use crate::config::service::Protocol;
use crate::config::{Config, Group, Service};

use super::desired::number;

/// The marks that have been given out. A group keeps its mark, and none is used again.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The next mark; `None` where nftables is not used.
    next: Option<u32>,
    given: BTreeMap<(String, &'static str), u32>,
}

/// What each map of each table is to have.
pub(super) type Elements = BTreeMap<Packets, BTreeMap<&'static str, BTreeSet<Element>>>;

impl Marks {
    /// Uses nftables, or does not.
    pub(super) fn configure(&mut self, settings: Option<&IpvsNftables>) {
        match settings {
            None => *self = Self::default(),
            Some(settings) => {
                self.next.get_or_insert(settings.start_fwmark);
            }
        }
    }

    /// The mark of a group for a protocol. `None` where the group is balanced address by address: nftables is not used, or
    /// the group has marks of its own.
    pub(super) fn mark(&mut self, group: &Group, protocol: Option<Protocol>) -> Option<u32> {
        let next = self.next.filter(|_| !group.has_mark())?;
        let map = map_of(protocol?);
        let mark = *self.given.entry((group.name.clone(), map)).or_insert_with(|| {
            self.next = next.checked_add(1);
            next
        });
        Some(mark)
    }

    /// What is to be marked for the virtual servers of a configuration. An address that is named more than once counts where
    /// it is named first: nftables refuses what overlaps.
    pub(super) fn elements(&mut self, config: &Config) -> Elements {
        let mut elements = Elements::new();
        let mut taken: BTreeMap<(Packets, &str, u16), BTreeMap<u128, u128>> = BTreeMap::new();
        for server in &config.virtual_servers {
            let Service::Group(group) = server.service else { continue };
            let (Some(group), Some(protocol)) = (config.group(group), server.protocol) else {
                continue;
            };
            let Some(mark) = self.mark(group, Some(protocol)) else { continue };
            for entry in &group.entries {
                let Entry::Range { first, last, port } = *entry else { continue };
                let packets = if first.is_ipv4() { Packets::Ip } else { Packets::Ip6 };
                let (map, port) = (map_of(protocol), port.unwrap_or(0));
                let key = |address: u128| {
                    let mut key = match (packets, u32::try_from(address)) {
                        (Packets::Ip, Ok(address)) => address.to_be_bytes().to_vec(),
                        _ => address.to_be_bytes().to_vec(),
                    };
                    key.extend(port.to_be_bytes());
                    key.extend([0; 2]);
                    key
                };
                let taken = taken.entry((packets, map, port)).or_default();
                for (first, last) in take(taken, number(first), number(last)) {
                    let value = Some(mark.to_ne_bytes().to_vec());
                    let element = Element { key: key(first), end: Some(key(last)), value };
                    let maps = elements.entry(packets).or_default();
                    maps.entry(map).or_default().insert(element);
                }
            }
        }
        elements
    }
}

/// Takes the numbers from `first` to `last`, or those of them that are not in any range of `taken` yet: in ranges.
fn take(taken: &mut BTreeMap<u128, u128>, first: u128, last: u128) -> Vec<(u128, u128)> {
    let mut free = Vec::new();
    let mut next = Some(first);
    // The range that begins before may reach far.
    let before = taken.range(..first).next_back().map(|(&from, &to)| (from, to));
    let within = taken.range(first..=last.max(first)).map(|(&from, &to)| (from, to));
    for (from, to) in before.into_iter().chain(within) {
        let Some(start) = next.filter(|_| to >= first) else { continue };
        if from > start {
            free.push((start, from - 1));
        }
        next = to.checked_add(1).filter(|&after| after <= last);
    }
    free.extend(next.filter(|&start| start <= last).map(|start| (start, last)));
    taken.extend(free.iter().copied());
    free
}

impl Marks {
    /// The marks that a group has for TCP, UDP and SCTP; 0 where it has none.
    pub(super) fn given(&self, group: &Group) -> [u32; 3] {
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(|protocol| {
            let key = (group.name.clone(), map_of(protocol));
            self.given.get(&key).copied().unwrap_or(0)
        })
    }
}
/// The maps, each with the number of its protocol.
pub(super) const MAPS: [(&str, u8); 3] = [("tcp_map", 6), ("udp_map", 17), ("sctp_map", 132)];

/// The name of the map of a protocol.
pub(super) fn map_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp_map",
        Protocol::Udp => "udp_map",
        Protocol::Sctp => "sctp_map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_again_is_taken_once() {
        let mut taken = BTreeMap::new();
        let mut take = |first, last| take(&mut taken, first, last);
        assert_eq!(take(2, 2), [(2, 2)]);
        assert_eq!(take(8, 9), [(8, 9)]);
        assert_eq!(take(2, 5), [(3, 5)]);
        assert_eq!(take(1, 20), [(1, 1), (6, 7), (10, 20)]);
        assert_eq!(take(4, 12), []);
        assert_eq!(take(20, 21), [(21, 21)]);
        assert_eq!(take(u128::MAX, u128::MAX), [(u128::MAX, u128::MAX)]);
        assert_eq!(take(22, u128::MAX), [(22, u128::MAX - 1)]);
        assert_eq!(take(0, u128::MAX), [(0, 0)]);
    }
}
