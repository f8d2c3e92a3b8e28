//! PING_CHECK: an echo request is answered (RFC 792, RFC 4443), without privileges.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::datagram::{Datagram, Query};
use super::failure::{CheckWord, Failure, Good, NotMade, Notice, Outcome, PingFailure, Verdict};
use super::socket::{self, Carries};
use super::{Begun, Probe, Transport};
use crate::config::Connection;

/// Bytes of an echo message before its data.
const HEADER: usize = 8;
/// Bytes of data.
const DATA: usize = 128;
/// What they repeat.
const TEXT: &[u8] = b"keepalived check - ";

/// What is kept between attempts: the kernel gives each socket an identifier, and answers are told apart by number.
#[derive(Debug)]
pub(super) struct Kept {
    socket: OwnedFd,
    sequence: u16,
}

impl Kept {
    pub(super) fn sequence(&self) -> u16 {
        self.sequence
    }
}

/// One request.
#[derive(Debug)]
pub(super) struct Echo {
    message: [u8; HEADER + DATA],
    sequence: u16,
    ipv6: bool,
}

/// Begins an attempt with the socket of the last one, or with a new one.
pub(super) fn begin(
    connection: &Connection,
    check: CheckWord,
    kept: &mut super::Kept,
    now: Instant,
) -> Result<Begun, NotMade> {
    let mut notices = Vec::new();
    let Kept { socket, sequence } = match kept.ping.take() {
        Some(before) => {
            drain(&before.socket, &mut notices);
            before
        }
        None => open(connection, check)?,
    };
    let sequence = sequence.wrapping_add(1);
    let echo = Echo::new(sequence, connection.to.is_ipv6());
    Ok(match Datagram::ask(socket, Query::Ping(echo), connection, kept, now) {
        Ok(mut datagram) => {
            datagram.say_first(notices);
            Begun::Going(Probe(Transport::Datagram(datagram)))
        }
        Err(outcome) => {
            notices.extend(outcome.notices);
            Begun::Over(Outcome { notices, ..outcome })
        }
    })
}

fn open(connection: &Connection, check: CheckWord) -> Result<Kept, NotMade> {
    let not_made = |notice| NotMade { notices: vec![notice], check, socket: false };
    let socket = socket::open(Carries::Echoes, connection, check)?;
    socket::make_room(&socket).map_err(|errno| {
        let (number, text) = (errno as i32, errno.desc());
        let descriptor = socket.as_raw_fd();
        let text =
            format!("setsockopt SO_RCVBUF for socket {descriptor} failed ({number}) - {text}");
        not_made(Notice::info(text))
    })?;
    socket::prepare(&socket, check, connection).map_err(not_made)?;
    Ok(Kept { socket, sequence: 0 })
}

/// Throws away what has come since the last attempt was over.
fn drain(socket: &OwnedFd, notices: &mut Vec<Notice>) {
    let mut buffer = [0; HEADER];
    let unexpected = (0..super::datagram::SHARE)
        .take_while(|_| recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT).is_ok())
        .count();
    if unexpected > 0 {
        notices.push(Notice::info("unexpected ping check receive packet"));
    }
}

impl Echo {
    pub(super) fn new(sequence: u16, ipv6: bool) -> Self {
        let mut message = [0; HEADER + DATA];
        let (header, data) = message.split_at_mut(HEADER);
        // The kernel fills in the identifier and the checksum.
        let [high, low] = sequence.to_be_bytes();
        header.copy_from_slice(&[request(ipv6), 0, 0, 0, 0, 0, high, low]);
        for (place, byte) in data.iter_mut().zip(TEXT.iter().cycle()) {
            *place = *byte;
        }
        Self { message, sequence, ipv6 }
    }

    pub(super) fn request(&self) -> &[u8] {
        &self.message
    }

    /// Keeps the socket for the next request.
    pub(super) fn keep(&self, socket: OwnedFd) -> Kept {
        Kept { socket, sequence: self.sequence }
    }

    pub(super) fn received(&self, message: &[u8], notices: &mut Vec<Notice>) -> Verdict {
        let version = self.version();
        let Some(&[kind, _, _, _, _, _, high, low]) = message.first_chunk::<HEADER>() else {
            let length = message.len();
            let text = format!("Error, got short {version} packet, {length} bytes");
            notices.push(Notice::info(text));
            return Err(Failure::Ping(PingFailure::Reply));
        };
        let sequence = u16::from_be_bytes([high, low]);
        let text = if kind != reply(self.ipv6) {
            format!("Got {version} packet with type 0x{kind:x}")
        } else if sequence != self.sequence {
            format!("Ping reply expected seq no {}, received {sequence}", self.sequence)
        } else {
            return Ok(Good::Answered);
        };
        notices.push(Notice::info(text));
        Err(Failure::Ping(PingFailure::Reply))
    }

    pub(super) fn refused(&self, notices: &mut Vec<Notice>) -> Failure {
        notices.push(Notice::info(format!("recv {} packet error", self.version())));
        Failure::Ping(PingFailure::Reply)
    }

    pub(super) fn not_sent(&self, errno: Option<Errno>, notices: &mut Vec<Notice>) -> Failure {
        notices.push(Notice::info(match errno {
            Some(errno) if self.ipv6 => {
                format!("send ICMPv6 packet fail - errno {}", errno as i32)
            }
            _ => "send ICMP packet fail".to_owned(),
        }));
        Failure::Ping(PingFailure::Send)
    }

    fn version(&self) -> &'static str {
        if self.ipv6 { "ICMPv6" } else { "ICMP" }
    }
}

/// The type of an echo request.
fn request(ipv6: bool) -> u8 {
    if ipv6 { 128 } else { 8 }
}

/// The type of the answer.
fn reply(ipv6: bool) -> u8 {
    if ipv6 { 129 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_the_usual_text() {
        let echo = Echo::new(0x0102, false);
        assert_eq!(echo.request().len(), 136);
        assert_eq!(&echo.request()[..8], [8, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(&echo.request()[8..35], b"keepalived check - keepaliv");
        assert_eq!(Echo::new(1, true).request()[0], 128);
    }

    #[test]
    fn only_its_own_reply_is_good() {
        let echo = Echo::new(7, false);
        for (message, said) in [
            (&[0, 0, 0, 0, 0, 0, 0, 7, 1][..], None),
            (&[0, 0, 0, 0, 0, 0, 0, 6], Some("Ping reply expected seq no 7, received 6")),
            (&[11, 0, 0, 0, 0, 0, 0, 7], Some("Got ICMP packet with type 0xb")),
            (&[0, 0, 0], Some("Error, got short ICMP packet, 3 bytes")),
        ] {
            let mut notices = vec![];
            let verdict = echo.received(message, &mut notices);
            assert_eq!(verdict.is_ok(), said.is_none());
            assert_eq!(notices, said.map(Notice::info).into_iter().collect::<Vec<_>>());
        }
    }
}
