//! A virtual or static address as a line of a dump.

use runtime::machine::AddressFlags;

use super::prefixed;
use crate::config::Address;

/// Where an address is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placed {
    /// Its interface.
    pub interface: String,
    /// What that stands on, where it is a macvlan or ipvlan.
    pub base: Option<String>,
    /// Whether it asks for a VMAC of its own.
    pub asks_vmac: bool,
    /// Whether we have put it there.
    pub set: bool,
    /// Whether nftables keeps traffic to it away.
    pub nftables: bool,
    /// Whether iptables does.
    pub iptables: bool,
    /// The name of its track group.
    pub track_group: Option<String>,
}

/// `10.0.0.1/24 dev eth0 scope global set`
pub(crate) fn address(address: &Address, placed: &Placed) -> String {
    let mut text = prefixed(address.address, address.prefix_len);
    let mut word = |word: &str| text.extend([" ", word]);
    if let Some(broadcast) = address.broadcast {
        word(&format!("brd {broadcast}"));
    }
    match &placed.base {
        Some(base) => word(&format!("dev {}@{base}", placed.interface)),
        None => word(&format!("dev {}", placed.interface)),
    }
    if placed.asks_vmac {
        word("use_vmac");
    }
    word(&format!("scope {}", scope(address.scope)));
    if let Some(label) = &address.label {
        word(&format!("label {label}"));
    }
    if let Some(peer) = address.peer {
        word(&format!("peer {peer}/{}", address.prefix_len));
    }
    let flags = address.flags;
    for (is_set, name) in [
        (flags.contains(AddressFlags::HOME), "home"),
        (address.address.is_ipv6() && !flags.contains(AddressFlags::NO_DAD), "-nodad"),
        (flags.contains(AddressFlags::MANAGE_TEMPORARY), "mngtmpaddr"),
        (flags.contains(AddressFlags::NO_PREFIX_ROUTE), "noprefixroute"),
        (flags.contains(AddressFlags::AUTOJOIN), "autojoin"),
        (!address.tracked, "no_track"),
    ] {
        if is_set {
            word(name);
        }
    }
    if let Some(group) = &placed.track_group {
        word(&format!("track_group {group}"));
    }
    if address.address.is_ipv6() {
        match address.preferred_lifetime {
            Some(0) => word("deprecated"),
            None => word("preferred_lft forever"),
            Some(seconds) => word(&format!("preferred_lft {seconds}")),
        }
    }
    for (is_set, name) in
        [(placed.set, "set"), (placed.iptables, "iptable_set"), (placed.nftables, "nftable_set")]
    {
        if is_set {
            word(name);
        }
    }
    text
}

fn scope(scope: u8) -> String {
    let name = match scope {
        0 => "global",
        200 => "site",
        253 => "link",
        254 => "host",
        255 => "nowhere",
        number => return number.to_string(),
    };
    name.to_owned()
}
