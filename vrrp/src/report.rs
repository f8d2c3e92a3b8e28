//! Configured things as dumps show them: a line of text each, which is the same in data dumps and in JSON.

mod address;
mod route;
mod rule;

pub(crate) use address::{Placed, address};
pub(crate) use route::route;
pub(crate) use rule::rule;

use std::net::IpAddr;

use runtime::machine::route::Prefix;

use crate::packet::Family;

/// An address, with its prefix length unless that is all of it.
fn prefixed(address: IpAddr, len: u8) -> String {
    let whole = Family::of(address).address_len() * 8;
    if usize::from(len) == whole { address.to_string() } else { format!("{address}/{len}") }
}

/// A network, or a single address.
pub(crate) fn prefix(prefix: Prefix) -> String {
    prefixed(prefix.address, prefix.len)
}

/// The name of a kind of route, or of what a rule does to packets (`RTN_*`).
fn kind(kind: u8) -> String {
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
        number => return number.to_string(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests;
