//! What others do to interfaces and addresses, as it happens.

use std::os::fd::{AsFd, BorrowedFd};

use super::error::NetlinkError;
use super::event::{Event, decode};
use super::socket::{Received, Socket};
use crate::global::NetlinkBuffer;

const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;

/// Datagrams that are read in one go, so that a flood of them does not starve the rest.
const BUDGET: usize = 256;

/// Whether there may be more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything was read: the next word makes the socket readable again.
    Empty,
    /// The budget of one turn is spent: read again before waiting.
    More,
}

/// A socket that hears of every change of interfaces and addresses.
///
/// Open it before the first dump: what happens in between is then heard, and hearing something twice does no harm.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
}

impl Monitor {
    /// Opens it.
    pub fn open(buffer: NetlinkBuffer) -> Result<Self, NetlinkError> {
        let groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
        let socket = Socket::open(buffer, groups).map_err(|errno| NetlinkError::Socket {
            attempted: "open a netlink socket that hears of changes".to_owned(),
            errno,
        })?;
        Ok(Self { socket })
    }

    /// Appends what has happened to `out`, without waiting.
    pub fn drain(&mut self, out: &mut Vec<Event>) -> Result<Drained, NetlinkError> {
        for _ in 0..BUDGET {
            let received = self.socket.receive().map_err(|errno| NetlinkError::Socket {
                attempted: "hear of changes".to_owned(),
                errno,
            })?;
            match received {
                Received::Datagram(datagram) => decode(datagram, out),
                Received::Overrun => out.push(Event::Overrun),
                Received::Nothing => return Ok(Drained::Empty),
            }
        }
        Ok(Drained::More)
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
