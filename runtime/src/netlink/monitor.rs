//! What others do to interfaces, addresses, routes and rules, as it happens.

use std::os::fd::{AsFd, BorrowedFd};

use super::error::NetlinkError;
use super::event::{Event, RTM_DELROUTE, RTM_DELRULE, RTM_NEWROUTE, RTM_NEWRULE, event};
use super::message::Message;
use super::route;
use super::socket::{Received, Socket};
use crate::global::NetlinkBuffer;

const RTMGRP_LINK: u32 = 0x1;
const RTMGRP_IPV4_IFADDR: u32 = 0x10;
const RTMGRP_IPV6_IFADDR: u32 = 0x100;

const RTNLGRP_IPV4_ROUTE: libc::c_int = 7;
const RTNLGRP_IPV4_RULE: libc::c_int = 8;
const RTNLGRP_IPV6_ROUTE: libc::c_int = 11;
const RTNLGRP_IPV6_RULE: libc::c_int = 19;

/// What the receive buffer holds where the configuration does not say, whatever the system's limit: a takeover of a
/// thousand addresses is told at once, and what does not fit has everything read again.
const BUFFER: NetlinkBuffer = NetlinkBuffer { size: Some(1024 * 1024), force: true };

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

/// Which changes besides those of interfaces and addresses are of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Routes that are marked with this protocol (`RTPROT_*`).
    pub routes: Option<u8>,
    /// Policy rules.
    pub rules: bool,
    /// Changes of routes and rules that this socket asked for are not told ([`super::Client::port`]).
    pub own: u32,
}

/// A socket that hears of every change of interfaces and addresses.
///
/// Open it before the first dump: what happens in between is then heard, and hearing something twice does no harm.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    interest: Interest,
}

impl Monitor {
    /// Opens it.
    pub fn open(buffer: NetlinkBuffer) -> Result<Self, NetlinkError> {
        let groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
        let buffer = if buffer.size.is_some() { buffer } else { BUFFER };
        let socket = Socket::open(buffer, groups).map_err(|errno| NetlinkError::Socket {
            attempted: "open a netlink socket that hears of changes".to_owned(),
            errno,
        })?;
        Ok(Self { socket, interest: Interest::default() })
    }

    /// Hears of routes and rules from now on, or no longer. Where many routes come and go, hearing of them is work even
    /// if they do not matter.
    pub fn follow(&mut self, interest: Interest) -> Result<(), NetlinkError> {
        let before = self.interest;
        let groups = [
            (RTNLGRP_IPV4_ROUTE, before.routes.is_some(), interest.routes.is_some()),
            (RTNLGRP_IPV6_ROUTE, before.routes.is_some(), interest.routes.is_some()),
            (RTNLGRP_IPV4_RULE, before.rules, interest.rules),
            (RTNLGRP_IPV6_RULE, before.rules, interest.rules),
        ];
        for (group, before, now) in groups {
            if before != now {
                self.socket.hear(group, now).map_err(|errno| NetlinkError::Socket {
                    attempted: "hear of changes of routes and rules".to_owned(),
                    errno,
                })?;
            }
        }
        self.interest = interest;
        Ok(())
    }

    /// Appends what has happened to `out`, without waiting.
    pub fn drain(&mut self, out: &mut Vec<Event>) -> Result<Drained, NetlinkError> {
        for _ in 0..BUDGET {
            let received = self.socket.receive().map_err(|errno| NetlinkError::Socket {
                attempted: "hear of changes".to_owned(),
                errno,
            })?;
            match received {
                Received::Datagram(datagram) => {
                    let messages = Message::all(datagram);
                    out.extend(messages.filter(|one| self.interest.covers(one)).filter_map(event));
                }
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

impl Interest {
    fn covers(&self, message: &Message<'_>) -> bool {
        match message.kind {
            RTM_NEWROUTE | RTM_DELROUTE => {
                message.port != self.own && route::protocol(message.payload) == self.routes
            }
            RTM_NEWRULE | RTM_DELRULE => message.port != self.own,
            _ => true,
        }
    }
}
