//! Sending adverts.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, setsockopt, sockopt};
use runtime::machine::IfIndex;
use runtime::sys::send::{Destination, SendBatch};
use runtime::sys::socket::{open_raw, receive_nothing, set_option};

use super::{Protocol, SocketError};
use crate::packet::Family;

/// Internetwork control (RFC 4594 §3.1), in the place of TOS and traffic class.
const CS6: libc::c_int = 0xc0;
/// The protocol of sockets that bring their IP header (`IPPROTO_RAW`).
const RAW: u8 = 255;
/// Adverts to a group are never forwarded (RFC 9568 §5.1.1.3).
const HOP_LIMIT: libc::c_int = 255;

/// So many adverts wait at most.
const BATCH: usize = 64;

/// An advert on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    /// The group, or a peer.
    pub to: IpAddr,
    /// The source address. That of IPv4 is taken from the datagram.
    pub source: IpAddr,
    /// The interface to leave by; `None` asks the routing table.
    pub interface: Option<IfIndex>,
    /// Hop limit of IPv6 to a peer; `None` is the kernel's. That of IPv4 is taken from the datagram, and a group is
    /// always reached with 255.
    pub hop_limit: Option<u8>,
}

/// The sockets by which all adverts leave: one for each family. Adverts gather until [`Sender::send`], and carry tags
/// `T` by which failures are told.
///
/// A socket serves all interfaces, since every datagram says by which one it leaves; so the adverts of a wake-up leave
/// in one system call for each family, or two where there are both groups and peers. Where they are many, each
/// `BATCH` leave at once: what waits takes room.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    ipv4: Option<OwnedFd>,
    ipv6: Option<OwnedFd>,
    queues: [Queue<T>; 4],
    /// What could not be sent since the last [`Sender::send`].
    failures: Vec<(T, Errno)>,
}

#[derive(Debug)]
struct Queue<T> {
    family: Family,
    multicast: bool,
    batch: SendBatch,
    tags: Vec<T>,
}

impl<T> Sender<T> {
    /// Opens nothing yet.
    pub(crate) fn new() -> Self {
        let queue = |family, multicast| Queue {
            family,
            multicast,
            batch: SendBatch::new(),
            tags: Vec::new(),
        };
        Self {
            ipv4: None,
            ipv6: None,
            queues: [
                queue(Family::V4, true),
                queue(Family::V4, false),
                queue(Family::V6, true),
                queue(Family::V6, false),
            ],
            failures: Vec::new(),
        }
    }

    /// Opens the socket of a family, unless it is open. Do it while there are privileges.
    pub(crate) fn open(&mut self, family: Family) -> Result<(), SocketError> {
        let place = match family {
            Family::V4 => &mut self.ipv4,
            Family::V6 => &mut self.ipv6,
        };
        if place.is_none() {
            *place = Some(open(family)?);
        }
        Ok(())
    }

    /// The number of the descriptor for a family, if it is open.
    pub(crate) fn descriptor(&self, family: Family) -> Option<RawFd> {
        let socket = socket_of(family, &self.ipv4, &self.ipv6);
        socket.map(|socket| socket.as_raw_fd())
    }

    /// Has an advert wait for [`Sender::send`]. `fill` appends its datagram: with IPv4 from the IP header on, whose
    /// checksum the kernel fills in; with IPv6 from the VRRP header on, as is done with that checksum.
    pub(crate) fn push(&mut self, advert: Outgoing, tag: T, fill: impl FnOnce(&mut Vec<u8>)) {
        let Outgoing { to, source, interface, hop_limit } = advert;
        let destination = match to {
            IpAddr::V4(to) => Destination::V4 { to, interface },
            IpAddr::V6(to) => {
                let hop_limit = hop_limit.filter(|_| !to.is_multicast());
                let source = match source {
                    IpAddr::V6(source) => source,
                    // Without a source the kernel takes one.
                    IpAddr::V4(_) => Ipv6Addr::UNSPECIFIED,
                };
                Destination::V6 { to, source, interface, hop_limit }
            }
        };
        let (family, multicast) = (Family::of(to), to.is_multicast());
        let queue = self
            .queues
            .iter_mut()
            .find(|queue| queue.family == family && queue.multicast == multicast)
            .expect("there is a queue for each combination");
        queue.batch.push_with(destination, fill);
        queue.tags.push(tag);
        if queue.tags.len() >= BATCH {
            let socket = socket_of(queue.family, &self.ipv4, &self.ipv6);
            queue.send(socket, &mut self.failures);
        }
    }

    /// Sends what waits; each family's in the order in which it was pushed. Returns what could not be sent, now or
    /// earlier.
    pub(crate) fn send(&mut self) -> Vec<(T, Errno)> {
        for queue in &mut self.queues {
            let socket = socket_of(queue.family, &self.ipv4, &self.ipv6);
            queue.send(socket, &mut self.failures);
        }
        std::mem::take(&mut self.failures)
    }
}

impl<T> Default for Sender<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Queue<T> {
    fn send(&mut self, socket: Option<BorrowedFd<'_>>, failures: &mut Vec<(T, Errno)>) {
        if self.batch.is_empty() {
            return;
        }
        let tags = self.tags.drain(..);
        let Some(socket) = socket else {
            self.batch = SendBatch::new();
            failures.extend(tags.map(|tag| (tag, Errno::EBADF)));
            return;
        };
        // A group is on the link, whatever the routing table says; a peer may be behind a gateway.
        let flags = if self.multicast { libc::MSG_DONTROUTE } else { 0 };
        let flags = MsgFlags::from_bits_retain(flags);
        let unsent = self.batch.send(socket, flags);
        let mut unsent = unsent.into_iter().peekable();
        for (position, tag) in tags.enumerate() {
            if let Some(found) = unsent.next_if(|unsent| unsent.position == position) {
                failures.push((tag, found.errno));
            }
        }
    }
}

fn socket_of<'a>(
    family: Family,
    ipv4: &'a Option<OwnedFd>,
    ipv6: &'a Option<OwnedFd>,
) -> Option<BorrowedFd<'a>> {
    let socket = match family {
        Family::V4 => ipv4,
        Family::V6 => ipv6,
    };
    socket.as_ref().map(AsFd::as_fd)
}

fn open(family: Family) -> Result<OwnedFd, SocketError> {
    let opened = match family {
        // A header of our own carries the protocol, so that one socket serves VRRP and AH; and nothing arrives for it.
        Family::V4 => open_raw(false, RAW),
        Family::V6 => open_raw(true, Protocol::Vrrp.number()),
    };
    let socket = opened.map_err(SocketError::at("open a socket to send adverts"))?;
    let options: &[(libc::c_int, libc::c_int, libc::c_int)] = match family {
        Family::V4 => &[
            (libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, 0),
            (libc::IPPROTO_IP, libc::IP_HDRINCL, 1),
            (libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP, 0),
            // The header has it already, but this also sets the priority in the interface's queue.
            (libc::IPPROTO_IP, libc::IP_TOS, CS6),
        ],
        Family::V6 => &[
            (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_ALL, 0),
            (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS, HOP_LIMIT),
            (libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_LOOP, 0),
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, CS6),
        ],
    };
    setsockopt(&socket, sockopt::RcvBuf, &0)
        .map_err(SocketError::at("shrink a receive buffer that is not used"))?;
    for &(level, option, value) in options {
        set_option(socket.as_fd(), level, option, value)
            .map_err(SocketError::at("set how adverts are sent"))?;
    }
    if family == Family::V6 {
        super::check_sums(socket.as_fd())?;
    }
    receive_nothing(socket.as_fd()).map_err(SocketError::at("refuse what arrives"))?;
    Ok(socket)
}
