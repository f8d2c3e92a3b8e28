//! What the BFD child tells those who track its sessions, and the channel for it.
//!
//! Each tracker has a channel of its own: a pair of SOCK_SEQPACKET sockets that the parent makes once, so that it outlives
//! a restart of either child. A tracker that starts asks for the state of all sessions.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use log::debug;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::sys::descriptor::{receive_packet, send_packet};

/// The state of a session has changed, or is told again after a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdEvent {
    /// Name of the session.
    pub name: String,
    /// Whether it is up; everything else counts as down.
    pub up: bool,
    /// The other side.
    pub neighbor: IpAddr,
    /// Whether it is down because nothing was heard for the detection time. What the other side says of itself, and a
    /// session that was never up, are something else.
    pub silent: bool,
    /// When it was sent ([`now`]).
    pub sent: u64,
}

/// The time in microseconds of the monotonic clock, which is the same for all processes of the machine.
pub fn now() -> u64 {
    let clock = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    u64::try_from(clock.as_micros()).unwrap_or(u64::MAX)
}

impl BfdEvent {
    fn log(&self) {
        let Self { name, up, sent, .. } = self;
        let state = if *up { "Up" } else { "Down" };
        let took = now().saturating_sub(*sent);
        debug!(
            "Received BFD event: instance {name} is in state {state} (delivered in {took} usec)"
        );
    }
}

/// Who is told about sessions: the BFD child's ends of the channels.
#[derive(Debug, Default)]
pub struct Trackers {
    /// The channel to the VRRP child.
    pub vrrp: Option<OwnedFd>,
    /// The channel to the checker child.
    pub checker: Option<OwnedFd>,
}

/// Which of those there are. Nobody reads the channel of one that does not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// The VRRP child.
    pub vrrp: bool,
    /// The checker child.
    pub checker: bool,
}

/// A tracker's question for the state of all sessions.
const QUESTION: &[u8] = b"?";

/// Longer than any event: names have 31 bytes at most.
const PACKET_LIMIT: usize = 128;

/// Makes a channel whose ends do not block: the first for the BFD child, the second for the tracker.
pub fn channel() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?)
}

/// The BFD child's end. What finds no room waits, the latest state of each session.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedFd,
    waiting: BTreeMap<String, BfdEvent>,
}

impl Sender {
    /// Sends through `socket`, one end of a [`channel`].
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, waiting: BTreeMap::new() }
    }

    /// Sends `event`, or keeps it until [`Sender::flush`]; `false` when it waits.
    pub fn send(&mut self, event: BfdEvent) -> bool {
        self.waiting.insert(event.name.clone(), event);
        self.flush()
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Whether the tracker has asked for the state of all sessions since the last call.
    pub fn take_question(&self) -> io::Result<bool> {
        let mut asked = false;
        loop {
            match receive_packet(&self.socket, PACKET_LIMIT) {
                Ok((bytes, _)) if bytes.is_empty() => return Ok(asked),
                Ok((bytes, _)) => asked |= bytes == QUESTION,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(asked),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends what waits; `false` when some still does.
    pub fn flush(&mut self) -> bool {
        while let Some(entry) = self.waiting.first_entry() {
            let Ok(bytes) = postcard::to_allocvec(entry.get()) else { return false };
            match send_packet(&self.socket, &bytes, None) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // A tracker that is gone needs no news; one that comes back is told all states again.
                Ok(()) | Err(_) => {
                    entry.remove();
                }
            }
        }
        true
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The tracker's end.
#[derive(Debug)]
pub struct Receiver(OwnedFd);

impl Receiver {
    /// Receives from `socket`, one end of a [`channel`]. What was told to another process before is forgotten: it may not
    /// be true any more, and who wants to know the state of the sessions [asks](Self::ask).
    pub fn new(socket: OwnedFd) -> Self {
        while receive_packet(&socket, PACKET_LIMIT).is_ok_and(|(bytes, _)| !bytes.is_empty()) {}
        Self(socket)
    }

    /// Asks for the state of all sessions. The BFD child tells it unasked when it starts itself.
    pub fn ask(&self) -> io::Result<()> {
        send_packet(&self.0, QUESTION, None)
    }

    /// The next event, if there is one.
    pub fn receive(&self) -> io::Result<Option<BfdEvent>> {
        match receive_packet(&self.0, PACKET_LIMIT) {
            Ok((bytes, _)) if bytes.is_empty() => Ok(None),
            Ok((bytes, _)) => {
                let event: BfdEvent = postcard::from_bytes(&bytes).map_err(io::Error::other)?;
                event.log();
                Ok(Some(event))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, up: bool) -> BfdEvent {
        BfdEvent { name: name.to_owned(), up, neighbor: [10, 9, 0, 1].into(), silent: !up, sent: 7 }
    }

    #[test]
    fn a_full_channel_keeps_the_latest_state_of_each_session() {
        let (near, far) = channel().unwrap();
        let (mut sender, receiver) = (Sender::new(near), Receiver::new(far));
        let mut up = false;
        while sender.send(event("fill", up)) {
            up = !up;
        }
        assert!(!sender.send(event("a", true)));
        assert!(!sender.send(event("a", false)));
        let mut last = BTreeMap::new();
        loop {
            let all_sent = sender.flush();
            while let Some(event) = receiver.receive().unwrap() {
                last.insert(event.name, event.up);
            }
            if all_sent {
                break;
            }
        }
        assert_eq!(last.get("a"), Some(&false));
    }

    #[test]
    fn a_tracker_that_starts_hears_nothing_old() {
        let (near, far) = channel().unwrap();
        let again = far.try_clone().unwrap();
        let mut sender = Sender::new(near);
        for up in [true, false] {
            assert!(sender.send(event("old", up)));
        }
        drop(Receiver::new(far));
        let receiver = Receiver::new(again);
        assert_eq!(receiver.receive().unwrap(), None);
        receiver.ask().unwrap();
        assert!(sender.take_question().unwrap());
        assert!(sender.send(event("new", true)));
        assert_eq!(receiver.receive().unwrap().unwrap().name, "new");
    }

    #[test]
    fn a_tracker_can_ask() {
        let (near, far) = channel().unwrap();
        let (sender, receiver) = (Sender::new(near), Receiver::new(far));
        assert!(!sender.take_question().unwrap());
        receiver.ask().unwrap();
        receiver.ask().unwrap();
        assert!(sender.take_question().unwrap());
        assert!(!sender.take_question().unwrap());
    }
}
