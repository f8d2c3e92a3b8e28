//! Virtual and static addresses.

use std::net::{IpAddr, Ipv4Addr};

use runtime::machine::AddressFlags;
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
    /// Options. Without detection of duplicates is for IPv6 only.
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

impl Address {
    /// Its family.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }
}
