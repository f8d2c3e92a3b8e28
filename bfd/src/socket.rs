//! The UDP sockets of BFD: where packets arrive, and one per session to send from (RFC 5881 §4).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, connect, getsockopt, send,
    sendto, setsockopt, socket, sockopt,
};
use runtime::sys::socket::set_option;

/// Control packets of sessions over one hop.
pub(crate) const SINGLE_HOP_PORT: u16 = 3784;
/// Control packets of sessions over several hops (RFC 5883 §5).
pub(crate) const MULTIHOP_PORT: u16 = 4784;
/// Source ports (RFC 5881 §4).
const FIRST_SOURCE_PORT: u16 = 49152;
/// What the kernel counts for a packet that waits: with a driver that gives each half a page, and at least.
const LARGE_SHARE: usize = 2304;
const SMALL_SHARE: usize = 512;
/// Network control (RFC 4594 §3.1), so that congestion does not look like a failure.
const TRAFFIC_CLASS: i32 = 0xc0;

/// Packets that arrive: one socket per family and kind of session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Arrival {
    /// Whether the packets are IPv6.
    pub ipv6: bool,
    /// Whether the sessions run over several hops.
    pub multihop: bool,
}

impl Arrival {
    /// The port that packets are sent to.
    pub(crate) fn port(self) -> u16 {
        if self.multihop { MULTIHOP_PORT } else { SINGLE_HOP_PORT }
    }

    /// Opens the socket. Only one BFD daemon can have it.
    pub(crate) fn open(self) -> io::Result<OwnedFd> {
        let any: IpAddr =
            if self.ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let opened = open(any)?;
        let wanted = if self.ipv6 {
            [
                (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT),
                (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
            ]
        } else {
            [(libc::IPPROTO_IP, libc::IP_RECVTTL), (libc::IPPROTO_IP, libc::IP_PKTINFO)]
        };
        for (level, option) in wanted {
            set_option(opened.as_fd(), level, option, 1)?;
        }
        bind(opened.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(any, self.port())))?;
        Ok(opened)
    }
}

/// Why there is no socket to send from, in the words of the original.
#[derive(Debug)]
pub(crate) struct Unopened {
    call: &'static str,
    errno: Errno,
}

impl Unopened {
    fn by(call: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self { call, errno }
    }
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}() error ({})", self.call, self.errno.desc())
    }
}

/// The socket that a session sends from. It keeps its port as long as the session lives.
#[derive(Debug)]
pub(crate) struct Departure {
    socket: OwnedFd,
    /// The port to send to, unless the kernel knows whom to send to and need not look for the way each time.
    port: Option<u16>,
}

impl Departure {
    /// Opens a socket that sends to `neighbor` from `source`, or from where the routes say. `random` chooses the port.
    pub(crate) fn open(
        neighbor: IpAddr,
        source: Option<IpAddr>,
        multihop: bool,
        ttl: u8,
        random: u16,
    ) -> Result<Self, Unopened> {
        let opened = open(neighbor).map_err(Unopened::by("socket"))?;
        let (level, hops, class) = match neighbor {
            IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TTL, libc::IP_TOS),
            IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, libc::IPV6_TCLASS),
        };
        for (option, value) in [(hops, i32::from(ttl)), (class, TRAFFIC_CLASS)] {
            set_option(opened.as_fd(), level, option, value).map_err(Unopened::by("setsockopt"))?;
        }
        let any: IpAddr = match neighbor {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        bind_source_port(opened.as_fd(), source.unwrap_or(any), random)
            .map_err(Unopened::by("bind"))?;
        let port = Arrival { ipv6: neighbor.is_ipv6(), multihop }.port();
        let to = SockaddrStorage::from(SocketAddr::new(neighbor, port));
        // A connection would fix the source that the routes say now. Where there is no way yet, one may come.
        let connected = source.is_some() && connect(opened.as_raw_fd(), &to).is_ok();
        Ok(Self { socket: opened, port: (!connected).then_some(port) })
    }

    /// Sends a packet to the neighbor that it was opened for. An answer that nobody listens concerns an earlier one: this one
    /// is sent all the same.
    pub(crate) fn send(&self, packet: &[u8], neighbor: IpAddr) -> io::Result<()> {
        let (descriptor, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_NOSIGNAL);
        let attempt = || match self.port {
            None => send(descriptor, packet, flags),
            Some(port) => {
                let to = SockaddrStorage::from(SocketAddr::new(neighbor, port));
                sendto(descriptor, packet, &to, flags)
            }
        };
        match attempt() {
            Err(Errno::ECONNREFUSED) => attempt()?,
            result => result?,
        };
        Ok(())
    }
}

impl AsFd for Departure {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Has a socket hold `packets` until they are read, as far as the system permits. How many it can hold at most.
pub(crate) fn make_room(opened: &impl AsFd, packets: usize) -> io::Result<usize> {
    let wanted = packets.saturating_mul(LARGE_SHARE);
    if getsockopt(opened, sockopt::RcvBuf)? < wanted {
        // The kernel doubles it. Not everybody may go beyond the limit of the system.
        let half = wanted / 2;
        if setsockopt(opened, sockopt::RcvBufForce, &half).is_err() {
            setsockopt(opened, sockopt::RcvBuf, &half)?;
        }
    }
    Ok(getsockopt(opened, sockopt::RcvBuf)? / SMALL_SHARE)
}

/// A socket of the family of `address`.
fn open(address: IpAddr) -> nix::Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let opened = socket(family, SockType::Datagram, flags, None)?;
    if address.is_ipv6() {
        set_option(opened.as_fd(), libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)?;
    }
    Ok(opened)
}

/// Binds to a free port of the range, from a random one upwards.
fn bind_source_port(opened: BorrowedFd<'_>, source: IpAddr, random: u16) -> nix::Result<()> {
    let ports = u16::MAX - FIRST_SOURCE_PORT;
    for step in 0..=ports {
        let port = FIRST_SOURCE_PORT + (random.wrapping_add(step) & ports);
        match bind(opened.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(source, port))) {
            Err(Errno::EADDRINUSE) => {}
            result => return result,
        }
    }
    Err(Errno::EADDRINUSE)
}
