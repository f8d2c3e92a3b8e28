//! The sockets that adverts are sent and received by.

mod receive;
mod send;

use std::fmt;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use runtime::sys::socket::set_option;
use serde::{Deserialize, Serialize};

pub(crate) use receive::{Cast, Key, Receiver};
pub(crate) use send::{Outgoing, Sender};

/// What an advert is wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Protocol {
    /// Nothing.
    Vrrp,
    /// An authentication header (IPv4).
    Ah,
}

impl Protocol {
    /// The IP protocol number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Protocol::Vrrp => crate::packet::PROTOCOL,
            Protocol::Ah => 51,
        }
    }
}

/// Why a socket cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketError {
    /// What was attempted.
    pub attempted: &'static str,
    /// Why not.
    pub errno: Errno,
}

impl SocketError {
    /// Turns a system error into one that says what was attempted.
    fn at(attempted: &'static str) -> impl FnOnce(Errno) -> Self {
        move |errno| Self { attempted, errno }
    }

    /// Whether the source address is missing on this machine.
    pub(crate) fn is_missing_address(&self) -> bool {
        self.errno == Errno::EADDRNOTAVAIL
    }
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.attempted, self.errno.desc())
    }
}

impl std::error::Error for SocketError {}

/// Has the kernel fill in and verify the checksum of IPv6 adverts.
fn check_sums(socket: BorrowedFd<'_>) -> Result<(), SocketError> {
    const OFFSET: libc::c_int = 6;
    set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_CHECKSUM, OFFSET)
        .map_err(SocketError::at("have checksums made"))
}

#[cfg(test)]
mod tests;
