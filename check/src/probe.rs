//! One attempt of a health check over the network.
//!
//! Each protocol is a state machine that knows bytes and verdicts; `stream` and `datagram` move the bytes over sockets
//! that do not block. The owner of a [`Probe`] watches its descriptor and its deadline:
//!
//! ```text
//! Probe::begin → Over(outcome)                     nothing to watch
//!              → Going(probe)                      register it for `readiness()`, once; arm a timer for `deadline()`
//! ready        → on_ready    → Waiting             the deadline may have moved
//!                            → Again               there is more to read: come back in the next turn
//!                            → Over(outcome)       forget its descriptor, `finish`
//! timer        → on_deadline → Some(outcome)       forget its descriptor, `finish`
//!                            → None                the deadline has moved: arm again
//! ```

mod datagram;
mod dns;
mod failure;
mod http;
mod link;
pub mod ping;
pub mod replay;
mod smtp;
mod socket;
mod stream;
mod tools;
mod udp;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use nix::errno::Errno;
use openssl::ssl::Ssl;
use runtime::reactor::Readiness;

use crate::config::checker::Smtp;
use crate::config::dns::Dns;
use crate::config::http::{Http, Url};
use crate::config::udp::Udp;
use crate::config::{Checker, Connection, checker::Kind};
use datagram::{Datagram, Query};
use failure::CheckWord;
pub use failure::{
    DnsFailure, Failure, Good, HttpFailure, LastTest, NotMade, Notice, Outcome, PingFailure,
    SmtpFailure, UdpFailure, Unconnected, Verdict,
};
pub(crate) use http::Record;
use socket::{Carries, Connected};
use stream::{Dialogue, Stream};
pub use tools::{Tools, ToolsError};

/// What is to be attempted.
#[derive(Clone, Copy, Debug)]
pub enum Job<'a> {
    /// A TCP connection.
    Tcp,
    /// A page.
    Http {
        /// The check.
        http: &'a Http,
        /// The page.
        page: &'a Url,
        /// Its number among those of the check.
        number: usize,
    },
    /// A mail server.
    Smtp(&'a Smtp),
    /// A name server.
    Dns(&'a Dns),
    /// A server of datagrams.
    Udp(&'a Udp),
    /// An echo request.
    Ping,
}

impl<'a> Job<'a> {
    /// That of a check, and where it connects. `url` is the page whose turn it is; the first has it after the last. `None`
    /// for checks that send nothing.
    pub fn of(checker: &'a Checker, url: usize) -> Option<(Self, &'a Connection)> {
        match &checker.kind {
            Kind::Tcp(connection, _) => Some((Self::Tcp, connection)),
            Kind::Http(connection, _, http) => {
                Some((Self::page(http, url).or_else(|| Self::page(http, 0))?, connection))
            }
            Kind::Smtp(connection, _, smtp) => Some((Self::Smtp(smtp), connection)),
            Kind::Dns(connection, _, dns) => Some((Self::Dns(dns), connection)),
            Kind::Udp(connection, _, udp) => Some((Self::Udp(udp), connection)),
            Kind::Ping(connection, _) => Some((Self::Ping, connection)),
            Kind::Misc(..) | Kind::File(_) | Kind::Bfd(_) => None,
        }
    }

    /// A page of a check, if it has so many.
    pub fn page(http: &'a Http, number: usize) -> Option<Self> {
        Some(Self::Http { http, page: http.urls.get(number)?, number })
    }

    fn word(self, connection: &Connection) -> CheckWord {
        match self {
            Self::Tcp => CheckWord::Tcp,
            Self::Http { .. } => CheckWord::Web,
            Self::Smtp(_) => CheckWord::Smtp,
            Self::Dns(_) => CheckWord::Dns,
            Self::Udp(_) => CheckWord::Udp,
            Self::Ping => CheckWord::Ping { ipv6: connection.to.is_ipv6() },
        }
    }
}

/// What a check keeps from one attempt to the next.
#[derive(Debug, Default)]
pub struct Kept {
    /// The socket of echo requests, whose port is their identifier.
    ping: Option<ping::Kept>,
    /// Why the last attempt could not be made, so that it is logged once.
    errno: Option<Errno>,
    /// What has been said about each page.
    pages: Vec<http::Said>,
}

impl Kept {
    /// The number of the last echo request; 0 before the first.
    pub fn sequence(&self) -> u16 {
        self.ping.as_ref().map_or(0, ping::Kept::sequence)
    }
}

/// An attempt that has begun.
#[derive(Debug)]
pub enum Begun {
    /// It takes time.
    Going(Probe),
    /// It is over already.
    Over(Outcome),
}

impl Begun {
    fn failed(failure: Failure) -> Self {
        Self::Over(Outcome { verdict: Err(failure), notices: Vec::new() })
    }
}

/// What comes of looking after an attempt.
#[derive(Debug)]
pub enum Progress {
    /// It waits for its descriptor, or its deadline.
    Waiting,
    /// It has had its share for this turn, and there is more to read.
    Again,
    /// It is over.
    Over(Outcome),
}

/// An attempt that is under way.
#[derive(Debug)]
pub struct Probe(Transport);

#[derive(Debug)]
enum Transport {
    Stream(Stream),
    Datagram(Datagram),
}

impl Probe {
    /// Begins an attempt. The error is that it could not even be made.
    pub fn begin(
        job: Job<'_>,
        connection: &Connection,
        tools: &mut Tools,
        kept: &mut Kept,
        now: Instant,
    ) -> Result<Begun, NotMade> {
        let check = job.word(connection);
        match job {
            Job::Tcp => Self::stream(Dialogue::Tcp, check, connection, None, kept, now),
            Job::Smtp(smtp) => {
                let dialogue = Dialogue::Smtp(smtp::Dialogue::new(&smtp.helo), connection.to);
                Self::stream(dialogue, check, connection, None, kept, now)
            }
            Job::Http { http, page, number } => {
                let exchange = http::Exchange::new(http, page, connection.to, tools);
                let exchange = exchange.recall(number, kept);
                Self::page(exchange, connection, tools, kept, now)
            }
            Job::Dns(dns) => {
                let query = dns::Query::new(dns, tools.random());
                Self::datagram(Query::Dns(query), check, connection, kept, now)
            }
            Job::Udp(udp) => {
                let exchange = udp::Exchange::new(udp);
                Self::datagram(Query::Udp(exchange), check, connection, kept, now)
            }
            Job::Ping => ping::begin(connection, check, kept, now),
        }
    }

    /// Begins to fetch a page, to be recorded.
    pub(crate) fn fetch(
        http: &Http,
        page: &Url,
        record: Record,
        connection: &Connection,
        tools: &Tools,
        now: Instant,
    ) -> Result<Begun, NotMade> {
        let mut kept = Kept::default();
        let exchange = http::Exchange::new(http, page, connection.to, tools).record(record);
        Self::page(exchange, connection, tools, &mut kept, now)
    }

    fn page(
        exchange: http::Exchange,
        connection: &Connection,
        tools: &Tools,
        kept: &mut Kept,
        now: Instant,
    ) -> Result<Begun, NotMade> {
        let tls = match exchange.tls().map(|tls| tools.tls(tls)) {
            Some(None) => return Ok(Begun::failed(Failure::Http(HttpFailure::Handshake))),
            Some(tls) => tls,
            None => None,
        };
        let dialogue = Dialogue::Http(Box::new(exchange));
        Self::stream(dialogue, CheckWord::Web, connection, tls, kept, now)
    }

    fn stream(
        dialogue: Dialogue,
        check: CheckWord,
        connection: &Connection,
        tls: Option<Ssl>,
        kept: &mut Kept,
        now: Instant,
    ) -> Result<Begun, NotMade> {
        let socket = socket::open(Carries::Stream, connection, check)?;
        let not_made = |notice| NotMade { notices: vec![notice], check, socket: false };
        socket::prepare(&socket, check, connection).map_err(not_made)?;
        match socket::begin(&socket, connection.to) {
            Ok(Connected::No(_)) => {
                Ok(Begun::failed(dialogue.unconnected(Unconnected::Unreachable)))
            }
            // What comes next waits for room to write, which there is at once.
            Ok(Connected::Yes | Connected::InProgress) => {
                Ok(match Stream::new(socket, tls, dialogue, connection.timeout, now) {
                    Some(stream) => Begun::Going(Self(Transport::Stream(stream))),
                    None => Begun::failed(Failure::Http(HttpFailure::Handshake)),
                })
            }
            Err(errno) => Err(kept.refused("socket connect", errno, check)),
        }
    }

    fn datagram(
        query: Query,
        check: CheckWord,
        connection: &Connection,
        kept: &mut Kept,
        now: Instant,
    ) -> Result<Begun, NotMade> {
        let socket = socket::open(Carries::Datagrams, connection, check)?;
        let begun = Datagram::begin(socket, query, check, connection, kept, now)?;
        Ok(match begun {
            Ok(datagram) => Begun::Going(Self(Transport::Datagram(datagram))),
            Err(outcome) => Begun::Over(outcome),
        })
    }

    /// What to be told about the descriptor. It stays the same: registering once is enough.
    pub fn readiness(&self) -> Readiness {
        match &self.0 {
            Transport::Stream(stream) => stream.readiness(),
            Transport::Datagram(_) => Readiness::Readable,
        }
    }

    /// Whether it waits for a connection, or for room to write.
    pub(crate) fn is_sending(&self) -> bool {
        match &self.0 {
            Transport::Stream(stream) => stream.is_sending(),
            Transport::Datagram(_) => false,
        }
    }

    /// What has been recorded of a page, if it is.
    pub(crate) fn recorded(&mut self) -> Option<&mut Record> {
        match &mut self.0 {
            Transport::Stream(stream) => stream.recorded(),
            Transport::Datagram(_) => None,
        }
    }

    /// When it has taken too long. Later after each step of a stream.
    pub fn deadline(&self) -> Instant {
        match &self.0 {
            Transport::Stream(stream) => stream.deadline(),
            Transport::Datagram(datagram) => datagram.deadline(),
        }
    }

    /// The descriptor is ready.
    pub fn on_ready(&mut self, tools: &mut Tools, now: Instant) -> Progress {
        match &mut self.0 {
            Transport::Stream(stream) => stream.on_ready(tools, now),
            Transport::Datagram(datagram) => datagram.on_ready(tools.buffer()),
        }
    }

    /// A timer has expired. `None` if the deadline is still to come.
    pub fn on_deadline(&mut self, now: Instant) -> Option<Outcome> {
        if now < self.deadline() {
            return None;
        }
        Some(match &mut self.0 {
            Transport::Stream(stream) => stream.on_deadline(),
            Transport::Datagram(datagram) => datagram.on_deadline(),
        })
    }

    /// Whether its descriptor stays open after it has [ended](Self::finish) so.
    pub fn keeps_descriptor(&self, outcome: &Outcome) -> bool {
        match &self.0 {
            Transport::Stream(_) => false,
            Transport::Datagram(datagram) => outcome.verdict.is_ok() && datagram.is_echo(),
        }
    }

    /// Ends it. What can be used again is kept, after an attempt that went well.
    pub fn finish(self, outcome: &Outcome, kept: &mut Kept) {
        match self.0 {
            Transport::Stream(stream) => stream.finish(kept),
            Transport::Datagram(datagram) if outcome.verdict.is_ok() => datagram.finish(kept),
            Transport::Datagram(_) => {}
        }
    }
}

impl Kept {
    /// An attempt that could not be made since `call` failed: the reason is logged once.
    fn refused(&mut self, call: &str, errno: Errno, check: CheckWord) -> NotMade {
        NotMade {
            notices: self.new_reason(call, errno).into_iter().collect(),
            check,
            socket: false,
        }
    }

    fn new_reason(&mut self, call: &str, errno: Errno) -> Option<Notice> {
        let new = self.errno.replace(errno) != Some(errno);
        let (number, text) = (errno as i32, errno.desc());
        new.then(|| Notice::Detail(format!("{call} error {number} - {text}")))
    }
}

impl AsFd for Probe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Transport::Stream(stream) => stream.as_fd(),
            Transport::Datagram(datagram) => datagram.as_fd(),
        }
    }
}

#[cfg(test)]
mod tests;
