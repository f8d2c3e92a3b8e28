//! What the firewall is to keep from virtual addresses and from virtual interfaces.
//!
//! Nobody may talk to the addresses of a master that does not accept, and they say nothing but neighbour discovery.
//! Reports of group membership leave a VMAC by the interface below it, since switches would otherwise learn the virtual
//! hardware address from a backup.

pub(crate) mod iptables;
pub(crate) mod nftables;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use runtime::machine::IfIndex;
use serde::{Deserialize, Serialize};

/// An address that nobody may talk to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Blocked {
    /// It is the same address whatever interface it is on.
    Anywhere(IpAddr),
    /// An IPv6 address of a link, on this interface.
    OnLink(Ipv6Addr, Link),
}

/// An interface, in rules.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Link {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: String,
    /// Whether the master goes on when it vanishes and comes back with another number.
    pub may_vanish: bool,
}

/// A VMAC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Vmac {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: String,
    /// The interface below.
    pub parent: IfIndex,
    /// The link-local address that it shares with the interface below; that one answers for it.
    pub link_local: Option<Ipv6Addr>,
    /// Whether it may join groups of IPv4.
    pub ipv4: bool,
    /// Whether there is IPv6 on it.
    pub ipv6: bool,
}

/// What is known of the firewall of a process that was killed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Trace {
    /// nftables.
    Nftables(nftables::Settings),
    /// iptables, and all that it may keep away.
    Iptables(Box<iptables::Settings>, Desired),
}

/// How far the kernel is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What is to be kept away is, and more may be.
    Block,
    /// Exactly what is to be kept away is.
    All,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Desired {
    /// Addresses that nobody may talk to.
    pub blocked: BTreeSet<Blocked>,
    /// VMACs.
    pub vmacs: BTreeSet<Vmac>,
}

impl Desired {
    /// Whether nothing is to be kept from anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.blocked.is_empty() && self.vmacs.is_empty()
    }
}
