//! What the kernel tells about processes that begin, become another program, and end: the process events of the netlink
//! connector (`linux/cn_proc.h`).
//!
//! The kernel tells it only in the first network namespace and the first process namespace of the machine. The socket
//! belongs to the namespace in which it was opened, so the daemon opens it before it goes anywhere else, and hands it on.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, NetlinkAddr, bind, recvmsg, sendto, setsockopt, sockopt};

use crate::global::NetlinkBuffer;
use crate::sys;

/// The connector's number for process events, which is that of their multicast group too (`CN_IDX_PROC`).
const PROCESSES: u32 = 1;
/// `CN_VAL_PROC`.
const VALUE: u32 = 1;
/// `NLMSG_DONE`, the type of all messages of the connector.
const DONE: u16 = 3;
/// `PROC_CN_MCAST_LISTEN` and `PROC_CN_MCAST_IGNORE`.
const LISTEN: u32 = 1;
const IGNORE: u32 = 2;

/// Octets of a netlink header and of the connector's.
const HEADER: usize = 16;
const CONNECTOR_HEADER: usize = 20;
/// Octets of an event before what it is about.
const EVENT_HEADER: usize = 16;
/// Longer than any message.
const ROOM: usize = 512;

/// Something happened to a process. Threads are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// The kernel answered that it tells.
    Confirmed,
    /// A process has made another one.
    Forked {
        /// The one that did.
        parent: u32,
        /// The new one.
        child: u32,
    },
    /// A process has become another program.
    Executed(u32),
    /// A process goes by another name.
    Renamed(u32),
    /// A process has ended.
    Exited(u32),
    /// Some events were lost, since nobody took them in time.
    Lost,
    /// Some events are missing.
    Missing,
}

/// A socket that hears process events once it has been asked to.
#[derive(Debug)]
pub struct ProcessEvents {
    socket: OwnedFd,
    /// The number that the next message of each processor should have.
    expected: Vec<(u32, u32)>,
}

/// Opens a socket that hears nothing yet.
pub fn open() -> io::Result<OwnedFd> {
    let socket = sys::socket::open_connector()?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(socket)
}

impl ProcessEvents {
    /// Has the kernel tell through a socket that [`open`] has made.
    pub fn listen(socket: OwnedFd, buffer: NetlinkBuffer) -> io::Result<Self> {
        let events = Self { socket, expected: Vec::new() };
        events.set_buffer(buffer)?;
        events.set_membership(libc::NETLINK_ADD_MEMBERSHIP)?;
        events.ask(LISTEN)?;
        Ok(events)
    }

    /// Has the kernel keep so much for us.
    pub fn set_buffer(&self, buffer: NetlinkBuffer) -> io::Result<()> {
        let Some(size) = buffer.size.and_then(|size| usize::try_from(size).ok()) else {
            return Ok(());
        };
        if buffer.force && setsockopt(&self.socket, sockopt::RcvBufForce, &size).is_ok() {
            return Ok(());
        }
        Ok(setsockopt(&self.socket, sockopt::RcvBuf, &size)?)
    }

    /// Has the kernel tell no more. The socket can be listened to again later.
    pub fn ignore(self) -> io::Result<()> {
        self.ask(IGNORE)?;
        self.set_membership(libc::NETLINK_DROP_MEMBERSHIP)
    }

    /// The next event, if there is one.
    pub fn take(&mut self) -> io::Result<Option<ProcessEvent>> {
        let mut room = [0; ROOM];
        loop {
            let mut slices = [IoSliceMut::new(&mut room)];
            let flags = MsgFlags::empty();
            let received =
                recvmsg::<NetlinkAddr>(self.socket.as_raw_fd(), &mut slices, None, flags);
            let (length, from_kernel) = match received {
                Ok(message) => {
                    (message.bytes, message.address.is_some_and(|sender| sender.pid() == 0))
                }
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::ENOBUFS) => {
                    self.expected.clear();
                    return Ok(Some(ProcessEvent::Lost));
                }
                Err(errno) => return Err(errno.into()),
            };
            let Some(message) = room.get(..length).filter(|_| from_kernel) else { continue };
            if let Some(event) = self.understand(message) {
                return Ok(Some(event));
            }
        }
    }

    /// What a message says, or that some are missing before it.
    fn understand(&mut self, message: &[u8]) -> Option<ProcessEvent> {
        let message = Message::parse(message)?;
        // The answer to a request has a number of its own.
        if message.what == NONE {
            return Some(ProcessEvent::Confirmed);
        }
        let following = message.sequence.wrapping_add(1);
        match self.expected.iter_mut().find(|(processor, _)| *processor == message.processor) {
            Some((_, expected)) => {
                let complete = *expected == message.sequence;
                *expected = following;
                if !complete {
                    return Some(ProcessEvent::Missing);
                }
            }
            None => self.expected.push((message.processor, following)),
        }
        message.event()
    }

    fn ask(&self, operation: u32) -> io::Result<()> {
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.socket.as_raw_fd(), &request(operation), &kernel, MsgFlags::empty())?;
        Ok(())
    }

    fn set_membership(&self, option: libc::c_int) -> io::Result<()> {
        let group = libc::c_int::try_from(PROCESSES).unwrap_or_default();
        Ok(sys::socket::set_option(self.socket.as_fd(), libc::SOL_NETLINK, option, group)?)
    }
}

impl AsFd for ProcessEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A message to the connector: the netlink header, the connector's header, the operation.
fn request(operation: u32) -> Vec<u8> {
    let length = HEADER + CONNECTOR_HEADER + size_of::<u32>();
    let mut message = Vec::with_capacity(length);
    message.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
    message.extend(DONE.to_ne_bytes());
    // No flags; sequence number and sender are the kernel's business.
    message.extend([0; 10]);
    message.extend(PROCESSES.to_ne_bytes());
    message.extend(VALUE.to_ne_bytes());
    // Sequence number and acknowledgement.
    message.extend([0; 8]);
    message.extend(4_u16.to_ne_bytes());
    message.extend(0_u16.to_ne_bytes());
    message.extend(operation.to_ne_bytes());
    message
}

/// Kinds of events (`PROC_EVENT_*`).
const NONE: u32 = 0;
const FORK: u32 = 1;
const EXEC: u32 = 2;
const COMM: u32 = 0x200;
const EXIT: u32 = 0x8000_0000;

/// A message of the connector.
struct Message<'a> {
    sequence: u32,
    what: u32,
    processor: u32,
    about: &'a [u8],
}

impl<'a> Message<'a> {
    fn parse(message: &'a [u8]) -> Option<Self> {
        let connector = message.get(HEADER..)?;
        if (word(connector, 0)?, word(connector, 1)?) != (PROCESSES, VALUE) {
            return None;
        }
        let event = connector.get(CONNECTOR_HEADER..)?;
        Some(Self {
            sequence: word(connector, 2)?,
            what: word(event, 0)?,
            processor: word(event, 1)?,
            about: event.get(EVENT_HEADER..)?,
        })
    }

    /// What happened to a process; `None` for threads and for what we do not care about.
    fn event(&self) -> Option<ProcessEvent> {
        let at = |place| word(self.about, place);
        let (thread, process) = (at(0)?, at(1)?);
        match self.what {
            FORK => {
                let (thread, child) = (at(2)?, at(3)?);
                (thread == child).then_some(ProcessEvent::Forked { parent: process, child })
            }
            EXEC => Some(ProcessEvent::Executed(process)),
            COMM if thread == process => Some(ProcessEvent::Renamed(process)),
            EXIT if thread == process => Some(ProcessEvent::Exited(process)),
            _ => None,
        }
    }
}

/// The 32-bit number at `place`.
fn word(bytes: &[u8], place: usize) -> Option<u32> {
    let bytes = bytes.get(place * 4..place * 4 + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::poll::{PollFd, PollFlags, poll};

    use super::*;

    fn message(sequence: u32, what: u32, processor: u32, about: [u32; 4]) -> Vec<u8> {
        let mut message = vec![0; HEADER];
        let header = [PROCESSES, VALUE, sequence, 0, 40, what, processor, 0, 0];
        for word in header.into_iter().chain(about) {
            message.extend(word.to_ne_bytes());
        }
        message
    }

    fn events() -> ProcessEvents {
        ProcessEvents { socket: open().unwrap(), expected: Vec::new() }
    }

    #[test]
    fn processes_are_told_from_threads() {
        let mut events = events();
        for (sequence, what, about, expected) in [
            (1, FORK, [7, 7, 9, 9], Some(ProcessEvent::Forked { parent: 7, child: 9 })),
            (2, FORK, [8, 7, 9, 9], Some(ProcessEvent::Forked { parent: 7, child: 9 })),
            (3, FORK, [7, 7, 9, 7], None),
            (4, EXEC, [9, 9, 0, 0], Some(ProcessEvent::Executed(9))),
            (5, COMM, [9, 9, 0, 0], Some(ProcessEvent::Renamed(9))),
            (6, COMM, [10, 9, 0, 0], None),
            (7, EXIT, [10, 9, 0, 0], None),
            (8, EXIT, [9, 9, 0, 0], Some(ProcessEvent::Exited(9))),
            (9, 0x40, [9, 9, 0, 0], None),
        ] {
            assert_eq!(
                events.understand(&message(sequence, what, 0, about)),
                expected,
                "{sequence}"
            );
        }
    }

    #[test]
    fn a_gap_in_the_numbers_of_a_processor_is_noticed() {
        let mut events = events();
        let mut hear = |sequence, processor| {
            events.understand(&message(sequence, EXIT, processor, [9, 9, 0, 0]))
        };
        assert_eq!(hear(5, 0), Some(ProcessEvent::Exited(9)));
        assert_eq!(hear(70, 1), Some(ProcessEvent::Exited(9)), "each processor counts for itself");
        assert_eq!(hear(6, 0), Some(ProcessEvent::Exited(9)));
        assert_eq!(hear(8, 0), Some(ProcessEvent::Missing));
        assert_eq!(hear(9, 0), Some(ProcessEvent::Exited(9)));
    }

    #[test]
    fn short_and_foreign_messages_say_nothing() {
        let whole = message(1, EXIT, 0, [9, 9, 0, 0]);
        for length in 0..HEADER + CONNECTOR_HEADER + EVENT_HEADER {
            assert_eq!(events().understand(&whole[..length]), None, "{length}");
        }
        let mut foreign = whole;
        foreign[HEADER] = 2;
        assert_eq!(events().understand(&foreign), None);
    }

    /// Needs the first namespaces of the machine; elsewhere the kernel refuses.
    #[test]
    fn the_kernel_tells_of_a_child() {
        let Ok(mut events) = ProcessEvents::listen(open().unwrap(), NetlinkBuffer::default())
        else {
            return;
        };
        let child = Command::new("true").spawn().unwrap();
        let number = child.id();
        child.wait_with_output().unwrap();
        let mut heard = Vec::new();
        while !heard.contains(&ProcessEvent::Exited(number)) {
            match events.take().unwrap() {
                Some(event) => heard.push(event),
                None => {
                    let mut polled = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
                    assert_eq!(poll(&mut polled, 5000_u16), Ok(1), "{heard:?}");
                }
            }
        }
        assert!(heard.contains(&ProcessEvent::Executed(number)));
    }
}
