//! Virtual and static addresses.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::TrackGroupId;
use crate::packet::Family;

/// An address to be put on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Length of its prefix, or of [`Self::peer`]'s where there is one.
    pub prefix_len: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// Broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// The interface; `None` is that of the instance, its VMAC where the families agree.
    pub interface: Option<String>,
    /// Scope (`RT_SCOPE_*`); 0, global, for IPv6.
    pub scope: u8,
    /// The label that `ip` shows, for IPv4.
    pub label: Option<String>,
    /// Options.
    pub flags: AddressFlags,
    /// How long new connections use the address (IPv6); `None` is forever, 0 is never.
    pub preferred_lifetime: Option<u32>,
    /// Whether the loss of the address, or of its interface, matters.
    pub tracked: bool,
    /// Whether the address gets a VMAC of its own.
    pub use_vmac: bool,
    /// Who shares the fate of a static address.
    pub track_group: Option<TrackGroupId>,
}

/// Options of an address (`IFA_F_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressFlags {
    /// A mobile node's home address.
    pub home: bool,
    /// IPv6: used at once, without detection of duplicates.
    pub no_dad: bool,
    /// The kernel makes temporary addresses of it.
    pub manage_temporary: bool,
    /// The kernel adds no route to its prefix.
    pub no_prefix_route: bool,
    /// The kernel joins the multicast group of this address.
    pub autojoin: bool,
}

impl Address {
    /// Its family.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }
}
