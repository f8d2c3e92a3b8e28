//! A connection to the kernel's IPVS family.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvfrom, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use crate::attribute::{Attribute, Attributes, Writer};
use crate::request::key_payload;
use crate::{Destination, Key, Request, Service, Statistics, Timeouts};

const CONTROL_FAMILY: u16 = 0x10;
const CONTROL_GET_FAMILY: u8 = 3;
const CONTROL_FAMILY_ID: u16 = 1;
const CONTROL_FAMILY_NAME: u16 = 2;
const GET_SERVICE: u8 = 4;
const GET_DESTINATION: u8 = 8;
const GET_CONFIG: u8 = 13;
const VERSION: u8 = 1;

const FLAG_REQUEST: u16 = 0x1;
const FLAG_ACK: u16 = 0x4;
const FLAG_DUMP: u16 = 0x300;
const MESSAGE_NONE: u16 = 1;
const MESSAGE_ERROR: u16 = 2;
const MESSAGE_DONE: u16 = 3;
const NETLINK_HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;

/// Requests that leave in one datagram: should all be refused, the answers must fit the socket's buffer.
const BATCH: usize = 64;
/// Longer than any datagram that the kernel makes up.
const DATAGRAM: usize = 1 << 16;
/// How long the kernel may take for an answer.
const PATIENCE: TimeVal = TimeVal::new(5, 0);

/// Why a conversation with the kernel failed.
#[derive(Debug)]
pub enum Error {
    /// The kernel has no IPVS: the module is missing or cannot be loaded.
    Missing,
    /// The kernel refused the request.
    Refused(Errno),
    /// The socket failed.
    Socket(io::Error),
    /// The answer makes no sense.
    Garbled,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "the kernel has no IPVS"),
            Self::Refused(errno) => write!(f, "{}", errno.desc()),
            Self::Socket(error) => write!(f, "{error}"),
            Self::Garbled => write!(f, "the kernel's answer makes no sense"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Self::Socket(errno.into())
    }
}

/// A socket of the IPVS family. It belongs to the network namespace in which it was opened.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    family: u16,
    sequence: u32,
    /// Room for what the kernel sends.
    room: Vec<u8>,
}

impl Client {
    /// Opens the family; the look-up makes the kernel load `ip_vs`.
    pub fn open() -> Result<Self, Error> {
        let protocol = SockProtocol::NetlinkGeneric;
        let socket =
            socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &PATIENCE)?;
        let room = vec![0; DATAGRAM];
        let mut client = Self { socket, family: CONTROL_FAMILY, sequence: 0, room };
        client.family = client.resolve()?;
        Ok(client)
    }

    /// Sends all requests and returns how each ended, in order. The kernel works them off in order and tells only of
    /// those that it refuses; so, with the answer to the end of a batch, the others are done.
    pub fn execute(&mut self, requests: &[Request]) -> Result<Vec<Result<(), Errno>>, Error> {
        let mut results = Vec::with_capacity(requests.len());
        for batch in requests.chunks(BATCH) {
            let first = self.sequence.wrapping_add(1);
            let mut datagram = Vec::new();
            for request in batch {
                self.frame(&mut datagram, request.command(), FLAG_REQUEST, &request.payload());
            }
            self.frame_end(&mut datagram);
            self.send(&datagram)?;
            let mut outcomes = vec![Ok(()); batch.len()];
            let mut ended = false;
            while !ended {
                for message in messages(self.receive()?) {
                    let Some(code) = message.error_code() else { continue };
                    let place = usize::try_from(message.sequence.wrapping_sub(first)).ok();
                    ended |= place == Some(batch.len());
                    if let Some(outcome) = place.and_then(|place| outcomes.get_mut(place)) {
                        *outcome = result(code);
                    }
                }
            }
            results.extend(outcomes);
        }
        Ok(results)
    }

    /// All services, with their counters.
    pub fn services(&mut self) -> Result<Vec<(Service, Statistics)>, Error> {
        let (service, stats, stats64) = (1, 10, 12);
        let found = self.dump(GET_SERVICE, &[])?;
        let read = |payload: &[u8]| {
            let attributes = Attributes(payload).find(service)?.attributes();
            let statistics = Statistics::read(attributes.find(stats64), attributes.find(stats));
            Some((Service::read(attributes)?, statistics))
        };
        found.iter().map(|payload| read(payload).ok_or(Error::Garbled)).collect()
    }

    /// The servers of a service, with their counters.
    pub fn destinations(&mut self, key: Key) -> Result<Vec<(Destination, Statistics)>, Error> {
        let destination = 2;
        let family = match key {
            Key::Address { address, .. } if address.is_ipv6() => crate::attribute::FAMILY_INET6,
            Key::Mark { ipv6: true, .. } => crate::attribute::FAMILY_INET6,
            Key::Address { .. } | Key::Mark { .. } => crate::attribute::FAMILY_INET,
        };
        let found = self.dump(GET_DESTINATION, &key_payload(key))?;
        let read = |payload: &[u8]| {
            Destination::read(family, Attributes(payload).find(destination)?.attributes())
        };
        found.iter().map(|payload| read(payload).ok_or(Error::Garbled)).collect()
    }

    /// The time-outs of connections.
    pub fn timeouts(&mut self) -> Result<Timeouts, Error> {
        let found = self.ask(GET_CONFIG, FLAG_REQUEST | FLAG_ACK, &[])?;
        let attributes = Attributes(found.first().ok_or(Error::Garbled)?);
        let value = |kind| attributes.find(kind).and_then(Attribute::u32).ok_or(Error::Garbled);
        Ok(Timeouts { tcp: value(4)?, tcp_fin: value(5)?, udp: value(6)? })
    }

    fn resolve(&mut self) -> Result<u16, Error> {
        let mut writer = Writer::default();
        writer.text(CONTROL_FAMILY_NAME, "IPVS");
        match self.ask(CONTROL_GET_FAMILY, FLAG_REQUEST | FLAG_ACK, &writer.into_bytes()) {
            Ok(found) => {
                let attributes = Attributes(found.first().ok_or(Error::Garbled)?);
                attributes.find(CONTROL_FAMILY_ID).and_then(Attribute::u16).ok_or(Error::Garbled)
            }
            Err(Error::Refused(Errno::ENOENT)) => Err(Error::Missing),
            Err(error) => Err(error),
        }
    }

    fn dump(&mut self, command: u8, payload: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        self.ask(command, FLAG_REQUEST | FLAG_ACK | FLAG_DUMP, payload)
    }

    /// Sends one request and gathers the attributes of its answers until the kernel says that it is done.
    fn ask(&mut self, command: u8, flags: u16, payload: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let mut datagram = Vec::new();
        self.frame(&mut datagram, command, flags, payload);
        self.send(&datagram)?;
        let mut found = Vec::new();
        loop {
            let sequence = self.sequence;
            let received = self.receive()?;
            for message in messages(received).filter(|message| message.sequence == sequence) {
                match message.error_code() {
                    Some(0) => return Ok(found),
                    Some(code) => {
                        return Err(Error::Refused(Errno::from_raw(code.saturating_neg())));
                    }
                    None => found.push(
                        message.payload.get(GENERIC_HEADER..).ok_or(Error::Garbled)?.to_vec(),
                    ),
                }
            }
        }
    }

    /// Appends a request with the next sequence number.
    fn frame(&mut self, datagram: &mut Vec<u8>, command: u8, flags: u16, payload: &[u8]) {
        let length = GENERIC_HEADER + payload.len();
        self.frame_header(datagram, self.family, flags, length);
        datagram.extend_from_slice(&[command, VERSION, 0, 0]);
        datagram.extend_from_slice(payload);
        datagram.resize(datagram.len().next_multiple_of(4), 0);
    }

    /// Appends a message that asks for nothing but an answer.
    fn frame_end(&mut self, datagram: &mut Vec<u8>) {
        self.frame_header(datagram, MESSAGE_NONE, FLAG_REQUEST | FLAG_ACK, 0);
    }

    fn frame_header(&mut self, datagram: &mut Vec<u8>, kind: u16, flags: u16, length: usize) {
        self.sequence = self.sequence.wrapping_add(1);
        let length = NETLINK_HEADER + length;
        datagram.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
        datagram.extend_from_slice(&kind.to_ne_bytes());
        datagram.extend_from_slice(&flags.to_ne_bytes());
        datagram.extend_from_slice(&self.sequence.to_ne_bytes());
        datagram.extend_from_slice(&[0; 4]);
    }

    fn send(&self, datagram: &[u8]) -> Result<(), Error> {
        sendto(self.socket.as_raw_fd(), datagram, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        Ok(())
    }

    /// The next datagram of the kernel; anybody else's is dropped.
    fn receive(&mut self) -> Result<&[u8], Error> {
        loop {
            let (length, sender) =
                recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut self.room)?;
            if sender.is_some_and(|sender| sender.pid() == 0) {
                return self.room.get(..length).ok_or(Error::Garbled);
            }
        }
    }
}

/// A message of a datagram.
struct Message<'a> {
    kind: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl Message<'_> {
    /// The code of an error, acknowledgement or end of a dump: 0, or a negated error number.
    fn error_code(&self) -> Option<i32> {
        match self.kind {
            MESSAGE_ERROR => Some(
                self.payload
                    .first_chunk()
                    .map_or(-(Errno::EPROTO as i32), |code| i32::from_ne_bytes(*code)),
            ),
            MESSAGE_DONE => {
                Some(self.payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code)))
            }
            _ => None,
        }
    }
}

fn result(code: i32) -> Result<(), Errno> {
    if code == 0 { Ok(()) } else { Err(Errno::from_raw(code.saturating_neg())) }
}

/// The messages of a datagram, as far as their lengths are true.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let (&[l0, l1, l2, l3, k0, k1, _, _, s0, s1, s2, s3, ..], _) =
            datagram.split_first_chunk::<NETLINK_HEADER>()?;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        let payload = datagram.get(NETLINK_HEADER..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([k0, k1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            payload,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_family_is_looked_up_first() {
        // This kernel need not have it, but knows what it is asked.
        match Client::open() {
            Ok(client) => assert_ne!(client.family, CONTROL_FAMILY),
            Err(error) => assert!(matches!(error, Error::Missing), "{error:?}"),
        }
    }

    proptest! {
        #[test]
        fn any_datagram_gives_messages_or_nothing(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            for message in messages(&data) {
                let attributes = Attributes(message.payload);
                let _ = (message.error_code(), Service::read(attributes), Destination::read(2, attributes));
            }
        }
    }
}
