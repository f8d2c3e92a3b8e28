//! What a child process is given, and the channel between it and the parent.
//!
//! The channel is a pair of SOCK_SEQPACKET sockets. Its end is news as well: a child whose parent is gone leaves.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use crate::bfd_event::Trackers;
use crate::options::Options;
use crate::sys::descriptor::{receive_packet, send_packet};

/// Exit status of a child whose event loop has failed: it is started again.
pub const LOOP_FAILED: i32 = 70;

/// What a child starts with.
#[derive(Debug)]
pub struct Setup {
    /// Its end of the channel.
    pub control: ChildEnd,
    /// Its configuration, for [`crate::handover::open`].
    pub config: OwnedFd,
    /// Options of the command line.
    pub options: Options,
    /// What it hears from, and whom it tells.
    pub links: Links,
    /// Where it may leave a note for the process that comes after it, should it be killed.
    pub note: PathBuf,
}

/// What a child hears from besides the parent, and whom it tells. Each child is given those that are for it.
#[derive(Debug, Default)]
pub struct Links {
    /// A socket of [`crate::process_events`], where the kernel has them.
    pub process_events: Option<OwnedFd>,
    /// The end of a channel of [`crate::bfd_event`] for one who tracks sessions.
    pub bfd_events: Option<OwnedFd>,
    /// Those ends for the one who tells.
    pub bfd_trackers: Trackers,
}

/// Parent to child.
#[derive(Debug)]
pub enum ToChild {
    /// The configuration changed; for [`crate::handover::open`].
    Configuration(OwnedFd),
}

/// Child to parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToParent {
    /// The configuration is in force.
    Loaded,
    /// Somebody has asked for the configuration to be read again.
    Reload,
}

const CONFIGURATION: u8 = b'C';
const LOADED: u8 = b'L';
const RELOAD: u8 = b'R';
const PACKET_LIMIT: usize = 16;

/// The parent's end.
#[derive(Debug)]
pub struct ParentEnd(OwnedFd);

/// The child's end.
#[derive(Debug)]
pub struct ChildEnd(OwnedFd);

/// Makes a channel. Neither end blocks.
pub fn channel() -> io::Result<(ParentEnd, ChildEnd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (parent, child) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    Ok((ParentEnd(parent), ChildEnd(child)))
}

/// What came over the channel.
#[derive(Debug)]
pub enum Received<M> {
    /// A message.
    Message(M),
    /// Nothing more for now.
    Nothing,
    /// The other side is gone.
    End,
}

impl ParentEnd {
    /// Tells the child something.
    pub fn send(&self, message: &ToChild) -> io::Result<()> {
        match message {
            ToChild::Configuration(memory) => send_packet(&self.0, &[CONFIGURATION], Some(memory)),
        }
    }

    /// What the child said.
    pub fn receive(&self) -> io::Result<Received<ToParent>> {
        receive(&self.0, |bytes, _| match bytes {
            [LOADED] => Some(ToParent::Loaded),
            [RELOAD] => Some(ToParent::Reload),
            _ => None,
        })
    }
}

impl ChildEnd {
    /// Tells the parent something.
    pub fn send(&self, message: ToParent) -> io::Result<()> {
        match message {
            ToParent::Loaded => send_packet(&self.0, &[LOADED], None),
            ToParent::Reload => send_packet(&self.0, &[RELOAD], None),
        }
    }

    /// What the parent said.
    pub fn receive(&self) -> io::Result<Received<ToChild>> {
        receive(&self.0, |bytes, memory| {
            memory.filter(|_| bytes == [CONFIGURATION]).map(ToChild::Configuration)
        })
    }
}

fn receive<M>(
    socket: &OwnedFd,
    decode: impl Fn(&[u8], Option<OwnedFd>) -> Option<M>,
) -> io::Result<Received<M>> {
    loop {
        match receive_packet(socket, PACKET_LIMIT) {
            Ok((bytes, _)) if bytes.is_empty() => return Ok(Received::End),
            Ok((bytes, descriptor)) => {
                if let Some(message) = decode(&bytes, descriptor) {
                    return Ok(Received::Message(message));
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(Received::Nothing),
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::ConnectionReset => return Ok(Received::End),
                _ => return Err(error),
            },
        }
    }
}

impl AsFd for ParentEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for ChildEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handover;

    #[test]
    fn a_configuration_and_its_answer_cross_the_channel() {
        let (parent, child) = channel().unwrap();
        assert!(matches!(child.receive().unwrap(), Received::Nothing));
        parent.send(&ToChild::Configuration(handover::seal(&42_u32).unwrap())).unwrap();
        let Received::Message(ToChild::Configuration(memory)) = child.receive().unwrap() else {
            panic!()
        };
        assert_eq!(handover::open::<u32>(&memory).unwrap(), 42);
        child.send(ToParent::Loaded).unwrap();
        assert!(matches!(parent.receive().unwrap(), Received::Message(ToParent::Loaded)));
        child.send(ToParent::Reload).unwrap();
        assert!(matches!(parent.receive().unwrap(), Received::Message(ToParent::Reload)));
    }

    #[test]
    fn the_end_of_one_side_is_seen_by_the_other() {
        let (parent, child) = channel().unwrap();
        drop(parent);
        assert!(matches!(child.receive().unwrap(), Received::End));
    }
}
