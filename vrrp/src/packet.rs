//! Adverts on the wire: VRRP version 2 (RFC 3768) and version 3 (RFC 9568), for IPv4 and IPv6.
//!
//! [`Packet`] is what we send: built once and stamped for each advert. [`Datagram`] is what was received, split into
//! its headers, and [`Expect`] holds it against what an instance wants to hear.

mod check;
mod checksum;
mod datagram;
mod encode;
mod refused;
mod seal;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::config::auth::Auth;

pub use check::{Advert, Cast, Expect, Peer, Policy, Remark, Verdict};
pub use datagram::{Datagram, TooShort};
pub use encode::{Form, Packet};
pub use refused::{Refused, Topic};
pub use seal::{Counters, Seal};

/// The IP protocol number of VRRP.
pub const PROTOCOL: u8 = 112;

/// Length of the fixed part of an advert.
const HEADER_LEN: usize = 8;
/// Length of the authentication data that ends a version 2 advert for IPv4.
const AUTH_LEN: usize = 8;
/// Length of an IPv4 header without options.
const IPV4_LEN: usize = 20;
/// The only packet type (RFC 9568 §5.2.2).
const ADVERTISEMENT: u8 = 1;

/// Protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// RFC 3768.
    V2,
    /// RFC 9568 (RFC 5798 before).
    V3,
}

impl Version {
    /// The number that stands in the packet.
    pub fn number(self) -> u8 {
        match self {
            Version::V2 => 2,
            Version::V3 => 3,
        }
    }
}

/// Address family of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of `address`.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// Octets of an address.
    pub fn address_len(self) -> usize {
        match self {
            Family::V4 => 4,
            Family::V6 => 16,
        }
    }
}

/// The number that all routers of a virtual router share; 1 to 255 in a configuration, anything on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vrid(pub u8);

/// Priority of a router (RFC 9568 §5.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Priority(pub u8);

impl Priority {
    /// "I am leaving": the others need not wait for the master down time.
    pub const STOP: Priority = Priority(0);
    /// The address owner.
    pub const OWNER: Priority = Priority(255);
    /// What an address owner falls back to while another one is on the link.
    pub const CONTESTED_OWNER: Priority = Priority(254);
    /// Without any configuration.
    pub const DEFAULT: Priority = Priority(100);
}

/// The number that stands for an authentication in a version 2 advert (RFC 2338 §5.3.6). The keyed trailer is none that
/// version 2 knows.
fn auth_number(auth: &Auth) -> u8 {
    match auth {
        Auth::None | Auth::Hmac(_) => 0,
        Auth::Pass(_) => 1,
        Auth::Ah(_) => 2,
    }
}

/// Which pseudo-header the checksum of a version 3 advert for unicast IPv4 includes. Old versions of keepalived took
/// the multicast group for its destination, whatever the real one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OldChecksum {
    /// The right one; an advert that has the old one switches to [`OldChecksum::Detected`].
    #[default]
    Detect,
    /// The right one, always.
    Never,
    /// The old one, because the configuration says so.
    Configured,
    /// The old one, because a peer was heard to use it.
    Detected,
}

impl OldChecksum {
    /// Whether we send and expect the old one.
    pub fn in_use(self) -> bool {
        matches!(self, OldChecksum::Configured | OldChecksum::Detected)
    }
}
