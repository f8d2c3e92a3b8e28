//! The sockets that are open for adverts, and who listens on them. All instances with the same [`Key`] share one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use log::error;
use runtime::reactor::{Reactor, Readiness, Registration};
use runtime::sys::receive::RecvBatch;

use super::{Source, Timer};
use crate::config::InstanceId;
use crate::packet::Vrid;
use crate::socket::{Key, Receiver, SocketError};

/// An open socket. A number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SocketId(u32);

/// The sockets that are open.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    open: BTreeMap<SocketId, Open>,
    by_key: HashMap<Key, SocketId>,
    next: u32,
}

#[derive(Debug)]
struct Open {
    receiver: Receiver,
    /// What was asked for as its receive buffer.
    buffer: Option<u32>,
    registration: Registration,
    listeners: BTreeSet<(Vrid, InstanceId)>,
}

/// Why a socket could not be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    Socket(SocketError),
    Reactor(std::io::Error),
}

impl OpenError {
    /// Whether the source address is missing on this machine.
    pub(super) fn is_missing_address(&self) -> bool {
        matches!(self, OpenError::Socket(error) if error.is_missing_address())
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Socket(error) => error.fmt(f),
            OpenError::Reactor(error) => write!(f, "cannot wait for adverts: {error}"),
        }
    }
}

impl Sockets {
    /// Has `instance` listen on the socket for `key`. If that is not open yet, it is opened with a receive buffer of
    /// `buffer` octets.
    pub(super) fn join(
        &mut self,
        key: Key,
        buffer: Option<u32>,
        (vrid, instance): (Vrid, InstanceId),
        reactor: &mut Reactor<Source, Timer>,
    ) -> Result<SocketId, OpenError> {
        let id = match self.by_key.get(&key) {
            Some(&id) => id,
            None => self.open(key, buffer, reactor)?,
        };
        if let Some(open) = self.open.get_mut(&id) {
            open.listeners.insert((vrid, instance));
        }
        Ok(id)
    }

    fn open(
        &mut self,
        key: Key,
        buffer: Option<u32>,
        reactor: &mut Reactor<Source, Timer>,
    ) -> Result<SocketId, OpenError> {
        let id = SocketId(self.next);
        let receiver = Receiver::open(key, buffer).map_err(OpenError::Socket)?;
        let registration = reactor
            .register(&receiver, Source::Socket(id), Readiness::Readable)
            .map_err(OpenError::Reactor)?;
        self.next += 1;
        self.by_key.insert(key, id);
        self.open.insert(id, Open { receiver, buffer, registration, listeners: BTreeSet::new() });
        Ok(id)
    }

    /// Has `instance` listen no more. A socket that nobody listens on is closed by [`Sockets::close_idle`].
    pub(super) fn leave(&mut self, socket: SocketId, instance: InstanceId) {
        let Some(open) = self.open.get_mut(&socket) else { return };
        open.listeners.retain(|&(_, listener)| listener != instance);
    }

    /// Has nobody listen any more, while all sockets stay open.
    pub(super) fn leave_all(&mut self) {
        for open in self.open.values_mut() {
            open.listeners.clear();
        }
    }

    /// Closes the sockets that nobody listens on.
    pub(super) fn close_idle(&mut self, reactor: &mut Reactor<Source, Timer>) {
        let idle = self.open.iter().filter(|(_, open)| open.listeners.is_empty());
        let idle: Vec<SocketId> = idle.map(|(&id, _)| id).collect();
        for id in idle {
            let Some(Open { receiver, registration, .. }) = self.open.remove(&id) else { continue };
            self.by_key.remove(&receiver.key());
            if let Err(error) = reactor.deregister(&receiver, registration) {
                error!("cannot close a socket for adverts: {error}");
            }
        }
    }

    /// Whether the socket for `key` is open.
    pub(super) fn is_open(&self, key: Key) -> bool {
        self.by_key.contains_key(&key)
    }

    /// What a socket listens to.
    pub(super) fn key(&self, socket: SocketId) -> Option<Key> {
        self.open.get(&socket).map(|open| open.receiver.key())
    }

    /// The number of its descriptor.
    pub(super) fn descriptor(&self, socket: SocketId) -> Option<RawFd> {
        self.open.get(&socket).map(|open| open.receiver.as_fd().as_raw_fd())
    }

    /// What was asked for as its receive buffer.
    pub(super) fn buffer(&self, socket: SocketId) -> Option<u32> {
        self.open.get(&socket)?.buffer
    }

    /// The instances that listen for `vrid` on a socket.
    pub(super) fn listeners(
        &self,
        socket: SocketId,
        vrid: Vrid,
    ) -> impl Iterator<Item = InstanceId> + Clone {
        let all = (vrid, InstanceId(0))..=(vrid, InstanceId(u32::MAX));
        let listeners = self.open.get(&socket).map(|open| open.listeners.range(all));
        listeners.into_iter().flatten().map(|&(_, instance)| instance)
    }

    /// Receives into `batch` what a socket has: how many datagrams.
    pub(super) fn receive(
        &self,
        socket: SocketId,
        batch: &mut RecvBatch,
    ) -> Result<usize, SocketError> {
        self.open.get(&socket).map_or(Ok(0), |open| open.receiver.receive(batch))
    }
}
