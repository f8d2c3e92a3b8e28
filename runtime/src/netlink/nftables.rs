//! Tables, chains, rules and sets of nf_tables: changed by transactions, of which the kernel does all or nothing.
//!
//! What is asked for lists in `nft` as if that program had made it.

mod expression;
mod monitor;
mod transaction;

use std::fmt;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::SockProtocol;

use super::error::NetlinkError;
use super::family;
use super::message::{Answer, Message};
use super::socket::{Received, Socket};
use crate::global::NetlinkBuffer;

pub use expression::{
    Expression, IFNAME_LEN, Meta, Payload, Register, Verdict, interface_name, layer4_is,
};
pub use monitor::TableMonitor;
pub use transaction::{Change, Element, Hook, KeyType, Set};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// A transaction leaves in one datagram, however long it is.
const SEND_BUFFER: libc::c_int = 16 * 1024 * 1024;

/// The packets that a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
}

impl Family {
    /// As messages carry it.
    pub(super) fn number(self) -> u8 {
        family::number(self == Family::Ip6)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Ip => "ip",
            Family::Ip6 => "ip6",
        })
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Table {
    /// What it sees.
    pub family: Family,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.name)
    }
}

/// A socket for transactions. It belongs to the network namespace in which it was opened.
#[derive(Debug)]
pub struct Nftables {
    socket: Socket,
    sequence: u32,
}

impl Nftables {
    /// Opens it.
    pub fn open() -> Result<Self, NetlinkError> {
        let failed = |errno| NetlinkError::Socket {
            attempted: "open a netlink socket for nftables".to_owned(),
            errno,
        };
        let buffer = NetlinkBuffer::default();
        let socket = Socket::open_for(SockProtocol::NetlinkNetFilter, buffer, 0).map_err(failed)?;
        // Without privilege the system's limit holds, which is enough for a few thousand addresses.
        let _ = socket.grow_send_buffer(SEND_BUFFER);
        Ok(Self { socket, sequence: 0 })
    }

    /// Has the kernel do all of `changes`, or nothing of it. `attempted` says what for.
    pub fn commit(&mut self, changes: &[Change], attempted: &str) -> Result<(), NetlinkError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut datagram = Vec::new();
        let first = self.sequence.wrapping_add(1);
        let last = transaction::encode(changes, first, &mut datagram);
        self.sequence = last;
        let attempted = || attempted.to_owned();
        let failed = |errno| NetlinkError::Socket { attempted: attempted(), errno };
        self.socket.send(&datagram).map_err(failed)?;
        // The change that is last is acknowledged when all is done; what is refused is told before.
        let count = last.wrapping_sub(first);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = match self.socket.receive().map_err(failed)? {
                Received::Datagram(received) => Message::all(received)
                    .filter(|message| message.sequence.wrapping_sub(first) <= count)
                    .find_map(|message| message.answer()),
                // One refusal for each change: there were too many of them.
                Received::Overrun => break,
                Received::Nothing => {
                    if !self.socket.wait(deadline).map_err(failed)? {
                        break;
                    }
                    None
                }
            };
            match answer {
                None => {}
                Some(Answer { errno: None, .. }) => return Ok(()),
                Some(Answer { errno: Some(errno), text }) => {
                    self.forget_answers();
                    return Err(NetlinkError::Refused { attempted: attempted(), errno, text });
                }
            }
        }
        self.forget_answers();
        Err(NetlinkError::Unanswered { attempted: attempted() })
    }

    /// Drops the refusals that follow from the first one.
    fn forget_answers(&mut self) {
        while let Ok(Received::Datagram(_) | Received::Overrun) = self.socket.receive() {}
    }
}

/// Whether the kernel has no nf_tables, or too little of it.
pub fn is_unsupported(error: &NetlinkError) -> bool {
    matches!(
        error.errno(),
        Some(Errno::EOPNOTSUPP | Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT | Errno::EINVAL)
    )
}

#[cfg(test)]
mod tests;
