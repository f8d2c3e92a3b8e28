//! The driver of checks over TCP, with TLS or without.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use openssl::ssl::Ssl;
use runtime::reactor::Readiness;

use super::failure::{
    Failure, Good, HttpFailure, Notice, Outcome, SmtpFailure, Unconnected, Verdict,
};
use super::http::{Exchange, Record};
use super::link::{self, Link, Moved};
use super::tools::Tools;
use super::{Kept, Progress, smtp};

/// So much is read before others have their turn.
const SHARE: usize = 1 << 20;

/// A page may take so many times the timeout, however regularly something of it comes, and its headers so many.
const PAGE_PHASES: u32 = 10;
const HEADER_PHASES: u32 = 4;
/// Connecting, three answers and two lines of ours.
const MAIL_PHASES: u32 = 6;

/// What is said over the connection.
#[derive(Debug)]
pub(super) enum Dialogue {
    Tcp,
    Http(Box<Exchange>),
    Smtp(smtp::Dialogue, SocketAddr),
}

impl Dialogue {
    pub(super) fn unconnected(&self, why: Unconnected) -> Failure {
        match self {
            Self::Tcp => Failure::Tcp(why),
            Self::Http(_) => Failure::Http(HttpFailure::Unconnected(why)),
            Self::Smtp(_, server) => Failure::Smtp(SmtpFailure::Unconnected(why), *server),
        }
    }

    /// The connection is there. What is to be sent is appended to `out`.
    fn connected(&mut self, out: &mut Vec<u8>) -> Option<Verdict> {
        match self {
            Self::Tcp => Some(Ok(Good::Answered)),
            Self::Http(exchange) => {
                exchange.request(out);
                None
            }
            Self::Smtp(..) => None,
        }
    }

    fn received(
        &mut self,
        bytes: &[u8],
        out: &mut Vec<u8>,
        notices: &mut Vec<Notice>,
    ) -> Option<Verdict> {
        match self {
            Self::Tcp => None,
            Self::Http(exchange) => {
                exchange.received(bytes, notices).err().map(|failure| Err(Failure::Http(failure)))
            }
            Self::Smtp(dialogue, server) => dialogue
                .received(bytes, out)
                .map(|verdict| verdict.map_err(|failure| Failure::Smtp(failure, *server))),
        }
    }

    /// The other side has closed. `clean` is that it has said so within TLS.
    fn ended(&mut self, clean: bool, notices: &mut Vec<Notice>) -> Verdict {
        match self {
            Self::Tcp => Ok(Good::Answered),
            Self::Http(exchange) => exchange.ended(clean, notices).map_err(Failure::Http),
            Self::Smtp(_, server) => Err(Failure::Smtp(SmtpFailure::Read, *server)),
        }
    }

    /// The connection broke. Over TLS it has only ended, like one that breaks off without a word.
    fn cut(&mut self, why: Option<openssl::ssl::Error>, notices: &mut Vec<Notice>) -> Verdict {
        match (self, why) {
            (Self::Http(exchange), Some(why)) => {
                link::complaints(&why, exchange, notices);
                exchange.ended(false, notices).map_err(Failure::Http)
            }
            (Self::Http(exchange), None) => Err(Failure::Http(exchange.broken())),
            (dialogue, _) => dialogue.ended(false, notices),
        }
    }

    /// How many times the timeout the whole may take, as far as it has come.
    fn phases(&self) -> u32 {
        match self {
            Self::Tcp => 1,
            Self::Http(exchange) if exchange.has_header() => PAGE_PHASES,
            Self::Http(_) => HEADER_PHASES,
            Self::Smtp(..) => MAIL_PHASES,
        }
    }

    /// Whether the deadline moves with what comes next. That of TLS counts from the first byte only.
    fn moves_deadline(&self) -> bool {
        match self {
            Self::Http(exchange) => exchange.tls().is_none() || exchange.unanswered(),
            Self::Tcp | Self::Smtp(..) => false,
        }
    }

    fn cost(&self) -> usize {
        match self {
            Self::Http(exchange) => exchange.cost(),
            Self::Tcp | Self::Smtp(..) => 1,
        }
    }

    fn is_compliant(&self) -> bool {
        matches!(self, Self::Http(exchange) if exchange.tls().is_some_and(|tls| tls.compliant))
    }

    fn not_sent(&self, timeout: bool) -> Failure {
        match self {
            Self::Tcp => Failure::Tcp(Unconnected::Refused),
            Self::Http(_) => Failure::Http(HttpFailure::Request),
            Self::Smtp(_, server) if timeout => Failure::Smtp(SmtpFailure::WriteTimeout, *server),
            Self::Smtp(_, server) => Failure::Smtp(SmtpFailure::Write, *server),
        }
    }

    fn silent(&self) -> Failure {
        match self {
            Self::Tcp => Failure::Tcp(Unconnected::Timeout),
            Self::Http(exchange) => Failure::Http(exchange.silent()),
            Self::Smtp(_, server) => Failure::Smtp(SmtpFailure::ReadTimeout, *server),
        }
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Handshake,
    Sending,
    Receiving,
}

/// An attempt over TCP.
pub(super) struct Stream {
    link: Link,
    dialogue: Dialogue,
    phase: Phase,
    /// What is to be sent, and how much of it has been.
    out: Vec<u8>,
    sent: usize,
    timeout: Duration,
    begun: Instant,
    deadline: Instant,
    notices: Vec<Notice>,
}

impl Stream {
    /// `None` if TLS cannot be spoken.
    pub(super) fn new(
        socket: OwnedFd,
        tls: Option<Ssl>,
        dialogue: Dialogue,
        timeout: Duration,
        now: Instant,
    ) -> Option<Self> {
        Some(Self {
            link: Link::new(TcpStream::from(socket), tls)?,
            dialogue,
            phase: Phase::Connecting,
            out: Vec::new(),
            sent: 0,
            timeout,
            begun: now,
            deadline: now + timeout,
            notices: Vec::new(),
        })
    }

    pub(super) fn readiness(&self) -> Readiness {
        match self.dialogue {
            Dialogue::Tcp => Readiness::Writable,
            Dialogue::Http(_) | Dialogue::Smtp(..) => Readiness::Both,
        }
    }

    pub(super) fn is_sending(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Sending)
    }

    pub(super) fn recorded(&mut self) -> Option<&mut Record> {
        match &mut self.dialogue {
            Dialogue::Http(exchange) => exchange.recorded(),
            Dialogue::Tcp | Dialogue::Smtp(..) => None,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn on_ready(&mut self, tools: &mut Tools, now: Instant) -> Progress {
        let mut share = SHARE;
        loop {
            let step = match self.phase {
                Phase::Connecting => self.connect(now),
                Phase::Handshake => self.shake_hands(now),
                Phase::Sending => self.send(now),
                Phase::Receiving if share == 0 => return Progress::Again,
                Phase::Receiving => self.receive(tools.buffer(), &mut share, now),
            };
            match step {
                Step::On => {}
                Step::Wait => return Progress::Waiting,
                Step::Over(verdict) => return Progress::Over(self.conclude(verdict)),
            }
        }
    }

    pub(super) fn on_deadline(&mut self) -> Outcome {
        let failure = match self.phase {
            Phase::Connecting | Phase::Handshake => self.dialogue.unconnected(Unconnected::Timeout),
            Phase::Sending => self.dialogue.not_sent(true),
            Phase::Receiving => self.dialogue.silent(),
        };
        self.conclude(Err(failure))
    }

    pub(super) fn finish(self, kept: &mut Kept) {
        if let Dialogue::Http(exchange) = self.dialogue {
            exchange.finish(kept);
        }
    }

    fn conclude(&mut self, verdict: Verdict) -> Outcome {
        if self.phase == Phase::Receiving && self.dialogue.is_compliant() {
            self.link.say_end();
        }
        Outcome { verdict, notices: std::mem::take(&mut self.notices) }
    }

    fn connect(&mut self, now: Instant) -> Step {
        match self.link.socket().take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return self.unconnected(&error),
        }
        self.enter(Phase::Handshake, now)
    }

    fn unconnected(&self, error: &io::Error) -> Step {
        let why = match error.kind() {
            ErrorKind::TimedOut => Unconnected::Timeout,
            _ => Unconnected::Refused,
        };
        Step::Over(Err(self.dialogue.unconnected(why)))
    }

    fn shake_hands(&mut self, now: Instant) -> Step {
        match self.link.shake_hands() {
            Moved::Wait => return Step::Wait,
            Moved::Bytes(_) => {}
            Moved::Closed | Moved::Cut(_) => {
                return Step::Over(Err(Failure::Http(HttpFailure::Handshake)));
            }
        }
        match self.dialogue.connected(&mut self.out) {
            Some(verdict) => Step::Over(verdict),
            None => self.answer(now),
        }
    }

    /// Says what there is to say, or listens.
    fn answer(&mut self, now: Instant) -> Step {
        self.sent = 0;
        self.enter(if self.out.is_empty() { Phase::Receiving } else { Phase::Sending }, now)
    }

    fn enter(&mut self, phase: Phase, now: Instant) -> Step {
        self.phase = phase;
        self.extend(now);
        Step::On
    }

    /// Gives what comes next its time, within that of the whole.
    fn extend(&mut self, now: Instant) {
        let whole = self.begun + self.timeout * self.dialogue.phases();
        self.deadline = whole.min(now + self.timeout);
    }

    fn send(&mut self, now: Instant) -> Step {
        match self.link.write(self.out.get(self.sent..).unwrap_or_default()) {
            Moved::Bytes(length) => self.sent += length,
            Moved::Wait => return Step::Wait,
            Moved::Closed | Moved::Cut(_) => {
                return Step::Over(Err(self.dialogue.not_sent(false)));
            }
        }
        if self.sent < self.out.len() {
            return Step::On;
        }
        self.out.clear();
        self.answer(now)
    }

    fn receive(&mut self, buffer: &mut [u8], share: &mut usize, now: Instant) -> Step {
        let length = match self.link.read(buffer) {
            Moved::Bytes(length) => length,
            Moved::Wait => return Step::Wait,
            Moved::Closed => return Step::Over(self.dialogue.ended(true, &mut self.notices)),
            Moved::Cut(why) => return Step::Over(self.dialogue.cut(why, &mut self.notices)),
        };
        *share = share.saturating_sub(length * self.dialogue.cost());
        let moves = self.dialogue.moves_deadline();
        let bytes = buffer.get(..length).unwrap_or_default();
        if let Some(verdict) = self.dialogue.received(bytes, &mut self.out, &mut self.notices) {
            return Step::Over(verdict);
        }
        if !self.out.is_empty() {
            return self.answer(now);
        }
        if moves {
            self.extend(now);
        }
        Step::On
    }
}

/// What comes of one step.
enum Step {
    On,
    Wait,
    Over(Verdict),
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.link.socket().as_fd()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("phase", &self.phase).finish_non_exhaustive()
    }
}
