//! Sockets that connect, read and write without waiting.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, connect,
    getsockopt, socket, sockopt,
};

/// Where a program listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A socket in the file system.
    Path(PathBuf),
    /// A socket of this network namespace that has a name and no file.
    Abstract(Vec<u8>),
    /// TCP.
    Tcp(SocketAddr),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Abstract(name) => write!(f, "@{}", String::from_utf8_lossy(name)),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl Target {
    /// Begins to connect.
    pub(super) fn call(&self) -> io::Result<Stream> {
        match self {
            Self::Path(path) => {
                let to = UnixAddr::new(path)?;
                begin(AddressFamily::Unix, &to).map(|socket| Stream::Unix(socket.into()))
            }
            Self::Abstract(name) => {
                let to = UnixAddr::new_abstract(name)?;
                begin(AddressFamily::Unix, &to).map(|socket| Stream::Unix(socket.into()))
            }
            Self::Tcp(address) => {
                let family =
                    if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
                let to = SockaddrStorage::from(*address);
                begin(family, &to).map(|socket| Stream::Tcp(socket.into()))
            }
        }
    }
}

fn begin(family: AddressFamily, to: &dyn SockaddrLike) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), to) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
        Err(errno) => Err(errno.into()),
    }
}

#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        let (error, peer) = match self {
            Self::Unix(stream) => {
                (getsockopt(stream, sockopt::SocketError)?, stream.peer_addr().map(drop))
            }
            Self::Tcp(stream) => {
                (getsockopt(stream, sockopt::SocketError)?, stream.peer_addr().map(drop))
            }
        };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        match peer {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Appends some octets to `input`. Whether there were any.
    pub(super) fn receive(&mut self, input: &mut Vec<u8>) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        let read = match self {
            Self::Unix(stream) => stream.read(&mut buffer),
            Self::Tcp(stream) => stream.read(&mut buffer),
        };
        match read {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the other side")),
            Ok(length) => {
                input.extend_from_slice(buffer.get(..length).unwrap_or_default());
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Sends as much as can be sent at once, and takes it out.
    pub(super) fn send(&mut self, unsent: &mut Vec<u8>) -> io::Result<()> {
        let mut sent = 0;
        let outcome = loop {
            let rest = unsent.get(sent..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            let written = match self {
                Self::Unix(stream) => stream.write(rest),
                Self::Tcp(stream) => stream.write(rest),
            };
            match written {
                Ok(length) => sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        unsent.drain(..sent);
        outcome
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}
