//! Telling the neighbours where an address is now: gratuitous ARP, and unsolicited neighbour advertisements for IPv6.
//!
//! [`Announcer`] decides what is announced when, as a value without I/O; [`Frames`] turns it into frames and sends them.

mod announcer;
mod forwarding;
mod frame;
mod pacer;
mod schedule;
mod send;

use std::net::IpAddr;

use runtime::machine::IfIndex;

pub(crate) use announcer::Announcer;
pub(crate) use forwarding::Forwarding;
pub(crate) use frame::{gratuitous_arp, neighbour_advertisement};
pub(crate) use pacer::{Pace, Pacing};
pub(crate) use send::Frames;

/// An address to be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    /// The address.
    pub address: IpAddr,
    /// The interface that holds it, whose hardware address is announced.
    pub interface: IfIndex,
    /// The interface by which announcements are paced: what the one above stands on.
    pub paced_by: IfIndex,
}
