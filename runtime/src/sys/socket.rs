//! Raw sockets and their options.

use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::Result;
use nix::errno::Errno;

use crate::machine::IfIndex;

/// Opens a non-blocking raw socket of IPv6 or IPv4 for an IP protocol.
pub fn open_raw(ipv6: bool, protocol: u8) -> Result<OwnedFd> {
    let family = if ipv6 { libc::AF_INET6 } else { libc::AF_INET };
    open(family, libc::SOCK_RAW, libc::c_int::from(protocol))
}

/// Opens a non-blocking socket of the netlink connector.
pub(crate) fn open_connector() -> Result<OwnedFd> {
    open(libc::AF_NETLINK, libc::SOCK_DGRAM, libc::NETLINK_CONNECTOR)
}

fn open(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> Result<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: three integers go in, a descriptor or -1 comes out.
    let descriptor = unsafe { libc::socket(family, kind, protocol) };
    let descriptor = Errno::result(descriptor)?;
    // SAFETY: the kernel has just made it for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Ties a socket to an interface or VRF (Linux 5.1).
pub fn bind_to_interface(socket: BorrowedFd<'_>, interface: IfIndex) -> Result<()> {
    const SO_BINDTOIFINDEX: libc::c_int = 62;
    set(socket, libc::SOL_SOCKET, SO_BINDTOIFINDEX, &index(interface)?)
}

/// Sets an option whose value is a number.
pub fn set_option(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> Result<()> {
    set(socket, level, option, &value)
}

/// Joins an IPv4 group on an interface.
pub fn join_group4(socket: BorrowedFd<'_>, group: Ipv4Addr, interface: IfIndex) -> Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: u32::from_ne_bytes(group.octets()) },
        imr_address: libc::in_addr { s_addr: 0 },
        imr_ifindex: index(interface)?,
    };
    set(socket, libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, &request)
}

/// Joins an IPv6 group on an interface.
pub fn join_group6(socket: BorrowedFd<'_>, group: Ipv6Addr, interface: IfIndex) -> Result<()> {
    let request = libc::ipv6_mreq {
        ipv6mr_multiaddr: libc::in6_addr { s6_addr: group.octets() },
        ipv6mr_interface: interface.0,
    };
    set(socket, libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP, &request)
}

/// Makes the kernel drop whatever arrives, before it is queued.
pub fn receive_nothing(socket: BorrowedFd<'_>) -> Result<()> {
    attach_filter(socket, &[libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 }])
}

/// Has a program decide what is queued (`bpf(4)`). The kernel checks it.
pub fn attach_filter(socket: BorrowedFd<'_>, program: &[libc::sock_filter]) -> Result<()> {
    let mut program = program.to_vec();
    let len = libc::c_ushort::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    let request = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &request)
}

fn index(interface: IfIndex) -> Result<libc::c_int> {
    libc::c_int::try_from(interface.0).map_err(|_| Errno::ENODEV)
}

fn set<T>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> Result<()> {
    let length = libc::socklen_t::try_from(mem::size_of::<T>()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the kernel reads `length` octets from `value`, which is that long and lives through the call. The only
    // pointer inside any `T` used above is that of a filter, whose program lives as long as its request.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const *value).cast(), length)
    };
    Errno::result(result).map(drop)
}
