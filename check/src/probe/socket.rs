//! Sockets of attempts, as the connection keywords ask for them.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use log::Level;
use nix::errno::Errno;
use nix::sys::socket::sockopt::{BindToDevice, Ipv4RecvErr, Ipv6RecvErr, Mark, RcvBuf};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, connect, setsockopt,
    socket,
};

use super::failure::{CheckWord, NotMade, Notice};
use crate::config::Connection;

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carries {
    Stream,
    Datagrams,
    Echoes,
}

/// How far a connection has come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connected {
    Yes,
    InProgress,
    /// It fails, and that says something about the server.
    No(Errno),
}

/// So much can wait to be read where echo replies come in, as in 2.4.3.
const ECHO_BUFFER: usize = 128 << 10;

/// A socket that does not block.
pub(super) fn open(
    carries: Carries,
    connection: &Connection,
    check: CheckWord,
) -> Result<OwnedFd, NotMade> {
    let (family, ipv6) = match connection.to {
        SocketAddr::V4(_) => (AddressFamily::Inet, false),
        SocketAddr::V6(_) => (AddressFamily::Inet6, true),
    };
    let (kind, protocol) = match carries {
        Carries::Stream => (SockType::Stream, SockProtocol::Tcp),
        Carries::Datagrams => (SockType::Datagram, SockProtocol::Udp),
        Carries::Echoes if ipv6 => (SockType::Datagram, SockProtocol::IcmpV6),
        Carries::Echoes => (SockType::Datagram, SockProtocol::Icmp),
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(family, kind, flags, protocol).map_err(|_| NotMade {
        notices: Vec::new(),
        check,
        socket: true,
    })
}

/// Mark, interface and source address. The error is the line about what could not be set.
pub(super) fn prepare(
    socket: &OwnedFd,
    check: CheckWord,
    connection: &Connection,
) -> Result<(), Notice> {
    let Some(way) = &connection.way else { return Ok(()) };
    let mark = way.mark;
    if mark != 0 {
        setsockopt(socket, Mark, &mark).map_err(|errno| {
            let text = format!("Error setting fwmark {mark} to socket: {}", errno.desc());
            Notice::Line(Level::Error, text)
        })?;
    }
    if let Some(interface) = &way.interface {
        setsockopt(socket, BindToDevice, &OsString::from(interface)).map_err(|errno| {
            Notice::info(format!("Checker can't bind to device {interface}: {}", errno.desc()))
        })?;
    }
    if let Some(from) = way.from {
        // The port of an echo socket is the identifier of its requests.
        bind(socket.as_raw_fd(), &SockaddrStorage::from(from)).map_err(|errno| {
            let text = errno.desc();
            Notice::info(match check {
                CheckWord::Udp | CheckWord::Ping { .. } => {
                    format!("bind failed. errno: {}, error: {text}", errno as i32)
                }
                _ => format!("Checker bind failed: {text}"),
            })
        })?;
    }
    Ok(())
}

/// Has the kernel report what routers say about datagrams, and not only that nobody listens.
pub(super) fn report_errors(socket: &OwnedFd, ipv6: bool) -> nix::Result<()> {
    if ipv6 {
        setsockopt(socket, Ipv6RecvErr, &true)
    } else {
        setsockopt(socket, Ipv4RecvErr, &true)
    }
}

/// Makes room for echo replies.
pub(super) fn make_room(socket: &OwnedFd) -> nix::Result<()> {
    setsockopt(socket, RcvBuf, &ECHO_BUFFER)
}

/// Connects. An error says nothing about the server.
pub(super) fn begin(socket: &OwnedFd, to: SocketAddr) -> Result<Connected, Errno> {
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(to)) {
        Ok(()) => Ok(Connected::Yes),
        Err(Errno::EINPROGRESS) => Ok(Connected::InProgress),
        Err(
            errno @ (Errno::ENETUNREACH
            | Errno::EHOSTUNREACH
            | Errno::ECONNREFUSED
            | Errno::EHOSTDOWN
            | Errno::ENETDOWN
            | Errno::ECONNRESET
            | Errno::ECONNABORTED
            | Errno::ETIMEDOUT),
        ) => Ok(Connected::No(errno)),
        Err(errno) => Err(errno),
    }
}
