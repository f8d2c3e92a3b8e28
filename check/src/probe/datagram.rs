//! The driver of checks by single datagrams.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;

use super::failure::{
    CheckWord, DnsFailure, Failure, NotMade, Notice, Outcome, PingFailure, UdpFailure, Verdict,
};
use super::socket::{self, Connected};
use super::{Kept, Progress, dns, ping, udp};
use crate::config::Connection;

/// So many datagrams are read before others have their turn.
pub(super) const SHARE: usize = 256;

/// What is sent, and what must come back.
#[derive(Debug)]
pub(super) enum Query {
    Dns(dns::Query),
    Udp(udp::Exchange),
    Ping(ping::Echo),
}

impl Query {
    fn question(&self) -> &[u8] {
        match self {
            Self::Dns(query) => query.question(),
            Self::Udp(exchange) => exchange.payload(),
            Self::Ping(echo) => echo.request(),
        }
    }

    /// `None`: that was not for us.
    fn received(&self, datagram: &[u8], notices: &mut Vec<Notice>) -> Option<Verdict> {
        match self {
            Self::Dns(query) => query.received(datagram),
            Self::Udp(exchange) => Some(exchange.received(datagram)),
            Self::Ping(echo) => Some(echo.received(datagram, notices)),
        }
    }

    fn silent(&self) -> Verdict {
        match self {
            Self::Dns(_) => Err(Failure::Dns(DnsFailure::Timeout)),
            Self::Udp(exchange) => exchange.silent(),
            Self::Ping(_) => Err(Failure::Ping(PingFailure::Timeout)),
        }
    }

    fn refused(&self, errno: Errno, notices: &mut Vec<Notice>) -> Failure {
        match self {
            Self::Dns(_) => Failure::Dns(DnsFailure::Read(errno)),
            Self::Udp(_) => Failure::Udp(UdpFailure::Connection),
            Self::Ping(echo) => echo.refused(notices),
        }
    }

    /// Nothing can be sent: `errno`, or a datagram was cut.
    fn not_sent(&self, errno: Option<Errno>, notices: &mut Vec<Notice>) -> Failure {
        match self {
            Self::Dns(_) if errno.is_none() => Failure::Dns(DnsFailure::ShortWrite),
            Self::Dns(_) => Failure::Dns(DnsFailure::Write),
            Self::Udp(_) => Failure::Udp(UdpFailure::Connection),
            Self::Ping(echo) => echo.not_sent(errno, notices),
        }
    }
}

/// An attempt by a datagram.
#[derive(Debug)]
pub(super) struct Datagram {
    socket: UdpSocket,
    query: Query,
    deadline: Instant,
    notices: Vec<Notice>,
}

impl Datagram {
    /// Connects `socket` and sends the question. The inner error is an attempt that is over.
    pub(super) fn begin(
        socket: OwnedFd,
        query: Query,
        check: CheckWord,
        connection: &Connection,
        kept: &mut Kept,
        now: Instant,
    ) -> Result<Result<Self, Outcome>, NotMade> {
        let udp = matches!(query, Query::Udp(_));
        let over = |failure, notices| Ok(Err(Outcome { verdict: Err(failure), notices }));
        if udp {
            // Without it only refusals would be noticed: the check still works.
            let _ = socket::report_errors(&socket, connection.to.is_ipv6());
        }
        match socket::prepare(&socket, check, connection) {
            Ok(()) => {}
            Err(notice) if udp => {
                return over(Failure::Udp(UdpFailure::Connection), vec![notice]);
            }
            Err(notice) => return Err(NotMade { notices: vec![notice], check, socket: false }),
        }
        match socket::begin(&socket, connection.to) {
            Ok(Connected::Yes | Connected::InProgress) => {}
            Ok(Connected::No(errno)) | Err(errno) if udp => {
                let notices = kept.new_reason("UDP connect", errno).into_iter().collect();
                return over(Failure::Udp(UdpFailure::Connection), notices);
            }
            Ok(Connected::No(_)) => {
                return over(Failure::Dns(DnsFailure::Unreachable(connection.to)), Vec::new());
            }
            Err(errno) => return Err(kept.refused("socket connect", errno, check)),
        }
        Ok(Self::ask(socket, query, connection, kept, now))
    }

    /// Sends the question.
    pub(super) fn ask(
        socket: OwnedFd,
        query: Query,
        connection: &Connection,
        kept: &mut Kept,
        now: Instant,
    ) -> Result<Self, Outcome> {
        let socket = UdpSocket::from(socket);
        let mut notices = Vec::new();
        let question = query.question();
        // The socket of echo requests is used for long, and is to follow the routes and addresses of its time.
        let sent = match &query {
            Query::Ping(_) => socket.send_to(question, connection.to),
            Query::Dns(_) | Query::Udp(_) => socket.send(question),
        };
        let errno = match sent {
            Ok(length) if length == question.len() => {
                return Ok(Self { socket, query, deadline: now + connection.timeout, notices });
            }
            Ok(_) => None,
            Err(error) => error.raw_os_error().map(Errno::from_raw),
        };
        if let (Query::Udp(_), Some(errno)) = (&query, errno) {
            notices.extend(kept.new_reason("UDP send", errno));
        }
        let failure = query.not_sent(errno, &mut notices);
        Err(Outcome { verdict: Err(failure), notices })
    }

    /// Puts `notices` before all others.
    pub(super) fn say_first(&mut self, mut notices: Vec<Notice>) {
        notices.append(&mut self.notices);
        self.notices = notices;
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn on_ready(&mut self, buffer: &mut [u8]) -> Progress {
        for _ in 0..SHARE {
            let verdict = match self.socket.recv(buffer) {
                Ok(length) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    match self.query.received(datagram, &mut self.notices) {
                        Some(verdict) => verdict,
                        None => continue,
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waiting,
                Err(error) => {
                    let errno = error.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
                    Err(self.query.refused(errno, &mut self.notices))
                }
            };
            return Progress::Over(self.conclude(verdict));
        }
        Progress::Again
    }

    pub(super) fn on_deadline(&mut self) -> Outcome {
        self.conclude(self.query.silent())
    }

    pub(super) fn is_echo(&self) -> bool {
        matches!(self.query, Query::Ping(_))
    }

    /// Keeps the socket of echo requests.
    pub(super) fn finish(self, kept: &mut Kept) {
        if let Query::Ping(echo) = self.query {
            kept.ping = Some(echo.keep(self.socket.into()));
        }
    }

    fn conclude(&mut self, verdict: Verdict) -> Outcome {
        Outcome { verdict, notices: std::mem::take(&mut self.notices) }
    }
}

impl AsFd for Datagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
