//! The firewall marks that stand for groups of addresses (`nftables_ipvs`), and what nftables is to mark with them.

use std::collections::BTreeMap;

use runtime::global::IpvsNftables;

use crate::config::Group;
use crate::config::service::Protocol;

/// The marks that have been given out. A group keeps its mark, and none is used again.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The next mark; `None` where nftables is not used.
    next: Option<u32>,
    given: BTreeMap<(String, &'static str), u32>,
}

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
}

/// The name of the map of a protocol.
pub(super) fn map_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp_map",
        Protocol::Udp => "udp_map",
        Protocol::Sctp => "sctp_map",
    }
}
