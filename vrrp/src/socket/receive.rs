//! Receiving adverts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{SockaddrIn, SockaddrIn6, bind, setsockopt, sockopt};
use runtime::machine::IfIndex;
use runtime::sys::receive::RecvBatch;
use runtime::sys::socket::{bind_to_interface, join_group4, join_group6, open_raw, set_option};

use super::{Protocol, SocketError};
use crate::packet::Family;

/// Whom the adverts of a socket are sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Cast {
    /// A group, on an interface.
    Multicast {
        /// The group.
        group: IpAddr,
        /// The interface.
        interface: IfIndex,
        /// The one that membership is reported by too: what a VMAC stands on, where its own reports are kept in.
        below: Option<IfIndex>,
    },
    /// This machine.
    Unicast {
        /// The address that we also send from.
        source: IpAddr,
        /// The interface; `None` takes any.
        interface: Option<IfIndex>,
        /// The VRF that the address is in.
        vrf: Option<IfIndex>,
    },
}

/// What tells a socket from others. All instances that agree in it share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// What the adverts are wrapped in.
    pub protocol: Protocol,
    /// Whom they are sent to.
    pub cast: Cast,
}

impl Key {
    /// Family of the adverts.
    pub(crate) fn family(&self) -> Family {
        match self.cast {
            Cast::Multicast { group, .. } => Family::of(group),
            Cast::Unicast { source, .. } => Family::of(source),
        }
    }

    /// The VRF that it is tied to.
    pub(crate) fn vrf(&self) -> Option<IfIndex> {
        match self.cast {
            Cast::Unicast { vrf, .. } => vrf,
            Cast::Multicast { .. } => None,
        }
    }

    /// The interface that the adverts arrive on; `None` where it may be any.
    pub(crate) fn interface(&self) -> Option<IfIndex> {
        match self.cast {
            Cast::Multicast { interface, .. } => Some(interface),
            Cast::Unicast { interface, .. } => interface,
        }
    }
}

/// Octets that wait where the configuration does not say: what a flood brings in a tenth of a second must not crowd out
/// the adverts among it. Memory is used only while they wait.
const ROOM: usize = 1 << 20;

/// A socket that adverts arrive at.
#[derive(Debug)]
pub(crate) struct Receiver {
    socket: OwnedFd,
    key: Key,
}

impl Receiver {
    /// Opens it. `buffer` is the size of its receive buffer in octets; `None` is 1 MiB.
    ///
    /// IPv4 datagrams arrive with their header. IPv6 ones arrive without, their destination, interface and hop limit
    /// beside them.
    pub(crate) fn open(key: Key, buffer: Option<u32>) -> Result<Self, SocketError> {
        let family = key.family();
        let socket = open_raw(family == Family::V6, key.protocol.number())
            .map_err(SocketError::at("open a socket for adverts"))?;
        match buffer {
            Some(size) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                setsockopt(&socket, sockopt::RcvBuf, &size)
                    .map_err(SocketError::at("set the receive buffer of adverts"))?;
            }
            // Without the right to have so much, the system's will do.
            None => drop(setsockopt(&socket, sockopt::RcvBufForce, &ROOM)),
        }
        match family {
            Family::V4 => listen4(&socket, key.cast)?,
            Family::V6 => listen6(&socket, key.cast)?,
        }
        Ok(Self { socket, key })
    }

    /// What it listens to.
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// Receives what is there into `batch`, without waiting: how many datagrams. A full batch means that there may be
    /// more.
    pub(crate) fn receive(&self, batch: &mut RecvBatch) -> Result<usize, SocketError> {
        batch.receive(self.socket.as_fd()).map_err(SocketError::at("receive adverts"))
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn listen4(socket: &OwnedFd, cast: Cast) -> Result<(), SocketError> {
    let fd = socket.as_fd();
    // Only the groups of this very socket: without this it hears what any other one of the machine has joined.
    set_option(fd, libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, 0)
        .map_err(SocketError::at("limit the groups of a socket"))?;
    match cast {
        Cast::Multicast { group: IpAddr::V4(group), interface, below } => {
            if let Some(below) = below {
                join_group4(fd, group, below).map_err(SocketError::at("join the group below"))?;
            }
            join_group4(fd, group, interface).map_err(SocketError::at("join the group"))?;
            bind4(socket, group)?;
        }
        Cast::Unicast { source: IpAddr::V4(source), vrf, .. } => {
            bind_to_vrf(fd, vrf)?;
            // The address may come and go.
            setsockopt(socket, sockopt::IpFreebind, &true)
                .map_err(SocketError::at("bind to an address that may be missing"))?;
            bind4(socket, source)?;
        }
        Cast::Multicast { group: IpAddr::V6(_), .. } | Cast::Unicast { .. } => {}
    }
    bind_to_link(fd, cast)
}

fn listen6(socket: &OwnedFd, cast: Cast) -> Result<(), SocketError> {
    let fd = socket.as_fd();
    set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_ALL, 0)
        .map_err(SocketError::at("limit the groups of a socket"))?;
    match cast {
        Cast::Multicast { group: IpAddr::V6(group), interface, below } => {
            if let Some(below) = below {
                join_group6(fd, group, below).map_err(SocketError::at("join the group below"))?;
            }
            join_group6(fd, group, interface).map_err(SocketError::at("join the group"))?;
            bind6(socket, group, Some(interface))?;
        }
        Cast::Unicast { source: IpAddr::V6(source), interface, vrf } => {
            bind_to_vrf(fd, vrf)?;
            set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_FREEBIND, 1)
                .map_err(SocketError::at("bind to an address that may be missing"))?;
            bind6(socket, source, interface)?;
        }
        Cast::Multicast { group: IpAddr::V4(_), .. } | Cast::Unicast { .. } => {}
    }
    for option in [libc::IPV6_RECVHOPLIMIT, libc::IPV6_RECVPKTINFO] {
        set_option(fd, libc::IPPROTO_IPV6, option, 1)
            .map_err(SocketError::at("ask for what comes beside adverts"))?;
    }
    bind_to_link(fd, cast)?;
    super::check_sums(fd)
}

fn bind4(socket: &OwnedFd, address: Ipv4Addr) -> Result<(), SocketError> {
    let address = SockaddrIn::from(SocketAddrV4::new(address, 0));
    bind(socket.as_raw_fd(), &address).map_err(SocketError::at("bind to the address"))
}

/// Addresses of a link make sense only together with it.
fn bind6(
    socket: &OwnedFd,
    address: Ipv6Addr,
    interface: Option<IfIndex>,
) -> Result<(), SocketError> {
    let of_link = address.is_unicast_link_local() || address.is_multicast();
    let scope = interface.filter(|_| of_link).map_or(0, |interface| interface.0);
    let address = SockaddrIn6::from(SocketAddrV6::new(address, 0, 0, scope));
    bind(socket.as_raw_fd(), &address).map_err(SocketError::at("bind to the address"))
}

fn bind_to_vrf(socket: BorrowedFd<'_>, vrf: Option<IfIndex>) -> Result<(), SocketError> {
    vrf.map_or(Ok(()), |vrf| {
        bind_to_interface(socket, vrf).map_err(SocketError::at("bind to the VRF"))
    })
}

fn bind_to_link(socket: BorrowedFd<'_>, cast: Cast) -> Result<(), SocketError> {
    let (Cast::Multicast { interface, .. } | Cast::Unicast { interface: Some(interface), .. }) =
        cast
    else {
        return Ok(());
    };
    bind_to_interface(socket, interface).map_err(SocketError::at("bind to the interface"))
}
