//! The connection to the master agent in an event loop. It never waits: what cannot be sent at once is sent later, and an
//! agent that is not there is called again later.

use std::hash::Hash;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use log::{error, info, warn};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr, connect,
    getsockopt, socket, sockopt,
};

use super::Objects;
use super::address::Address;
use super::oid::Oid;
use super::pdu::{HEADER, LONGEST, VarBind};
use super::session::{News, Session, Settings};
use crate::reactor::{Reactor, Readiness, Registration};

/// The first pause before a master agent is called again; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(10);
/// For so long requests are answered in one turn of the loop.
const TURN: Duration = Duration::from_millis(1);

/// A subagent: its session, and its connection while there is one.
#[derive(Debug)]
pub struct Agent {
    address: Address,
    session: Session,
    link: Link,
    pause: Duration,
    /// Whether the log says already that there is no master agent.
    complained: bool,
    /// A connection that is over, which the event loop still watches.
    discarded: Option<(Stream, Registration)>,
}

#[derive(Debug)]
enum Link {
    /// To be called then.
    Down(Instant),
    Up(Connection),
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    registration: Option<Registration>,
    /// Until when it may come about; `None` once it has.
    connecting: Option<Instant>,
    input: Vec<u8>,
}

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// Whether there is more to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Done,
    Again,
}

impl Agent {
    /// A subagent that calls the master agent in the first turn ([`Agent::serve`]).
    pub fn new(address: Address, settings: Settings, now: Instant) -> Self {
        info!("Starting SNMP subagent");
        Self {
            address,
            session: Session::new(settings),
            link: Link::Down(now),
            pause: FIRST_PAUSE,
            complained: false,
            discarded: None,
        }
    }

    /// Tells the master agent that something has happened, in the next turn. While there is none nobody is told.
    pub fn notify(&mut self, trap: &[u32], objects: Vec<(Oid, super::Value)>) {
        let objects = objects.into_iter().map(|(name, value)| VarBind { name, value });
        self.session.notify(trap, objects.collect());
    }

    /// Octets that wait to be sent.
    #[cfg(test)]
    pub(super) fn unsent(&mut self) -> usize {
        self.session.unsent().len()
    }

    /// Whether something waits to be sent.
    pub fn has_news(&self) -> bool {
        matches!(&self.link, Link::Up(connection) if connection.connecting.is_none())
            && self.session.has_unsent()
    }

    /// Does what there is to do: after the descriptor has got ready, after the timer, or after [`Agent::notify`].
    /// Returns whether it wants to be called in the next turn whatever happens. Call [`Agent::attend`] afterwards.
    pub fn serve(&mut self, objects: &mut impl Objects, now: Instant) -> bool {
        if let Link::Down(at) = self.link {
            if at > now {
                return false;
            }
            match call(&self.address) {
                Ok(stream) => {
                    let connecting = Some(now + PATIENCE);
                    let input = Vec::new();
                    let connection = Connection { stream, registration: None, connecting, input };
                    self.link = Link::Up(connection);
                }
                Err(error) => self.lose(&error, now),
            }
        }
        let Link::Up(connection) = &mut self.link else { return false };
        match connection.converse(&mut self.session, objects, now) {
            Ok((turn, news)) => {
                self.tell(&news);
                turn == Turn::Again
            }
            Err(error) => {
                self.lose(&error, now);
                false
            }
        }
    }

    fn tell(&mut self, news: &[News]) {
        for one in news {
            match one {
                News::Connected => {
                    info!("AgentX subagent connected");
                    (self.complained, self.pause) = (false, FIRST_PAUSE);
                }
                News::NotRegistered(branch, code) => {
                    let root = Oid::from(branch.root);
                    warn!("The SNMP master agent does not register {root}: error {code}");
                }
            }
        }
    }

    fn lose(&mut self, why: &io::Error, now: Instant) {
        if !self.complained {
            let address = &self.address;
            warn!("Warning: Failed to connect to the agentx master agent ({address}): {why}");
            self.complained = true;
        }
        self.session.end();
        self.discard();
        self.link = Link::Down(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn discard(&mut self) {
        let link = std::mem::replace(&mut self.link, Link::Down(Instant::now()));
        if let Link::Up(Connection { stream, registration: Some(registration), .. }) = link {
            self.discarded = Some((stream, registration));
        }
    }

    /// Has the event loop watch the connection as `source` and wait for the deadline as `timer`.
    pub fn attend<S, T>(&mut self, source: S, timer: T, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        if let Some((stream, registration)) = self.discarded.take() {
            if let Err(error) = reactor.deregister(&stream, registration) {
                error!("cannot forget the connection to the SNMP master agent: {error}");
            }
        }
        let deadline = match &mut self.link {
            Link::Down(at) => Some(*at),
            Link::Up(connection) => {
                if connection.registration.is_none() {
                    match reactor.register(&connection.stream, source, Readiness::Both) {
                        Ok(registration) => connection.registration = Some(registration),
                        Err(error) => {
                            error!("cannot watch the connection to the SNMP master agent: {error}");
                        }
                    }
                }
                connection.connecting.or(self.session.deadline())
            }
        };
        match deadline {
            Some(at) => reactor.arm(timer, at),
            None => reactor.disarm(timer),
        }
    }

    /// Takes leave: what was to be said is said if it can be said at once.
    pub fn close<S, T>(mut self, source: S, timer: T, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        self.session.close();
        if let Link::Up(connection) = &mut self.link {
            // Whether it hears it makes no difference any more.
            let _ = connection.stream.send(self.session.unsent());
        }
        self.discard();
        self.attend(source, timer, reactor);
        reactor.disarm(timer);
    }
}

impl Connection {
    fn converse(
        &mut self,
        session: &mut Session,
        objects: &mut impl Objects,
        now: Instant,
    ) -> io::Result<(Turn, Vec<News>)> {
        let mut news = Vec::new();
        if let Some(until) = self.connecting {
            if !self.stream.is_connected()? {
                return if now < until {
                    Ok((Turn::Done, news))
                } else {
                    Err(ErrorKind::TimedOut.into())
                };
            }
            self.connecting = None;
            session.begin(now);
        }
        session.due(now).map_err(|loss| io::Error::other(loss.to_string()))?;
        self.stream.send(session.unsent())?;
        let mut turn = Turn::Done;
        let end = Instant::now() + TURN;
        while !session.is_full() {
            let taken = session
                .receive(&self.input, objects, now, &mut news)
                .map_err(|loss| io::Error::other(loss.to_string()))?;
            self.input.drain(..taken);
            if taken == 0 && !self.fill()? {
                break;
            }
            if Instant::now() >= end {
                turn = Turn::Again;
                break;
            }
        }
        self.stream.send(session.unsent())?;
        Ok((turn, news))
    }

    /// Reads some octets. Whether there were any.
    fn fill(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        // The decoder takes whatever is longer.
        debug_assert!(self.input.len() < HEADER + LONGEST);
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed by the master agent")),
            Ok(length) => {
                self.input.extend_from_slice(buffer.get(..length).unwrap_or_default());
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }
}

impl Stream {
    fn is_connected(&self) -> io::Result<bool> {
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

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }

    /// Sends as much as can be sent at once, and takes it out.
    fn send(&mut self, unsent: &mut Vec<u8>) -> io::Result<()> {
        while !unsent.is_empty() {
            let written = match self {
                Self::Unix(stream) => stream.write(unsent),
                Self::Tcp(stream) => stream.write(unsent),
            };
            match written {
                Ok(length) => drop(unsent.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
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

/// Begins to connect, and does not wait.
fn call(address: &Address) -> io::Result<Stream> {
    match address {
        Address::Unix(path) => {
            let to = UnixAddr::new(path)?;
            begin(AddressFamily::Unix, &to).map(|socket| Stream::Unix(socket.into()))
        }
        Address::Tcp(address) => {
            let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
            let to = SockaddrStorage::from(*address);
            begin(family, &to).map(|socket| Stream::Tcp(socket.into()))
        }
    }
}

fn begin(family: AddressFamily, to: &dyn SockaddrLike) -> io::Result<std::os::fd::OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), to) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
        Err(errno) => Err(errno.into()),
    }
}
