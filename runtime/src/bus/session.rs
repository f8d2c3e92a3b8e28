//! A session on the bus, without I/O: octets and the time go in, octets and a deadline come out.

use std::fmt;
use std::time::{Duration, Instant};

use super::message::{Decoded, Garbled, Kind, Message, decode};
use super::value::Value;
use super::{Failure, Objects, standard};
use crate::line::{Talk, TalkOf};

/// How long the bus may take to let us in.
const PATIENCE: Duration = Duration::from_secs(10);
/// While so many octets wait for the bus, no calls are read.
const UNSENT: usize = 256 * 1024;
/// A bus for which so many octets wait does not read.
const STUCK: usize = 4 * 1024 * 1024;
/// No line of the bus is longer before we are let in.
const LONGEST_LINE: usize = 1024;

const BUS: &str = "org.freedesktop.DBus";
/// `RequestName` answers that the name is ours now (D-Bus specification, "Message Bus Messages").
const PRIMARY_OWNER: u32 = 1;
/// Somebody else has it, and we get it after him.
const IN_QUEUE: u32 = 2;
/// It was ours before.
const ALREADY_OWNER: u32 = 4;

/// What it takes to answer a call later. It is good for one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    caller: String,
    serial: u32,
    /// Whether the caller wants to hear anything.
    is_awaited: bool,
    connection: u64,
}

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// The bus does not know who we are, or does not want to talk to us.
    Rejected(String),
    /// It does not give us the name, for the reason that it tells.
    NoName(String),
    /// It does not answer.
    Silent,
    /// It does not read.
    Stuck,
    /// It sends what cannot be understood.
    Garbled,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(text) => write!(f, "the bus does not let us in: {text}"),
            Self::NoName(text) => write!(f, "the bus does not give us the name: {text}"),
            Self::Silent => f.write_str("no answer"),
            Self::Stuck => f.write_str("the bus does not read"),
            Self::Garbled => f.write_str("what the bus says cannot be understood"),
        }
    }
}

impl From<Garbled> for Loss {
    fn from(_: Garbled) -> Self {
        Self::Garbled
    }
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The bus has let us in.
    Connected,
    /// The name is ours.
    Named,
    /// The name is not ours, or no longer.
    Unnamed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not connected.
    Idle,
    /// The bus has been told who we are.
    Authenticating,
    /// The bus has been greeted with that message.
    Greeting(u32),
    /// The bus has been asked for the name with that message.
    Asking(u32),
    /// Somebody else has the name.
    Queued,
    /// The name is ours.
    Named,
}

#[derive(Debug)]
pub(super) struct Session {
    /// The name that others call us by.
    name: String,
    /// The user that we are.
    user: u32,
    /// What the machine is called.
    machine: Option<String>,
    phase: Phase,
    serial: u32,
    /// Counts the connections.
    connection: u64,
    deadline: Option<Instant>,
    unsent: Vec<u8>,
    /// So many octets that follow are not for us.
    skipped: usize,
}

impl Talk for Session {
    type Loss = Loss;
    type News = News;

    fn begin(&mut self, now: Instant) {
        self.phase = Phase::Authenticating;
        self.deadline = Some(now + PATIENCE);
        // The kernel tells the bus who we are; it wants to hear the same from us, in hexadecimal digits of its digits.
        let user: String =
            self.user.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        self.unsent.extend_from_slice(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes());
    }

    fn end(&mut self) {
        self.phase = Phase::Idle;
        self.serial = 0;
        self.connection += 1;
        self.deadline = None;
        self.unsent = Vec::new();
        self.skipped = 0;
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    fn due(&mut self, now: Instant) -> Result<(), Loss> {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Loss::Silent);
        }
        if self.unsent.len() > STUCK { Err(Loss::Stuck) } else { Ok(()) }
    }

    fn unsent(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    fn is_full(&self) -> bool {
        self.unsent.len() > UNSENT
    }
}

impl<O: Objects> TalkOf<O> for Session {
    fn receive(
        &mut self,
        data: &[u8],
        objects: &mut O,
        now: Instant,
        news: &mut Vec<News>,
    ) -> Result<usize, Loss> {
        if self.phase == Phase::Authenticating {
            return self.let_in(data);
        }
        if self.skipped > 0 {
            let taken = self.skipped.min(data.len());
            self.skipped -= taken;
            return Ok(taken);
        }
        match decode(data)? {
            Decoded::Part => Ok(0),
            Decoded::Other(length) => {
                let taken = length.min(data.len());
                self.skipped = length - taken;
                Ok(taken)
            }
            Decoded::Whole(message, length) => {
                self.hear(&message, objects, now, news)?;
                Ok(length)
            }
        }
    }
}

impl Session {
    pub(super) fn new(name: String, user: u32, machine: Option<String>) -> Self {
        Self {
            name,
            user,
            machine,
            phase: Phase::Idle,
            serial: 0,
            connection: 0,
            deadline: None,
            unsent: Vec::new(),
            skipped: 0,
        }
    }

    /// The name that others call us by.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the name is ours.
    pub(super) fn is_named(&self) -> bool {
        self.phase == Phase::Named
    }

    /// Tells whoever listens, while the name is ours.
    pub(super) fn signal(&mut self, path: &str, interface: &str, member: &str, values: &[Value]) {
        if self.is_named() {
            self.send(&Message::signal(path, interface, member, values));
        }
    }

    /// Answers a call of this connection.
    pub(super) fn answer(&mut self, ticket: &Ticket, outcome: &Result<Vec<Value>, Failure>) {
        let is_here = ticket.connection == self.connection && self.phase != Phase::Idle;
        if ticket.is_awaited && is_here {
            self.send(&Message::answer(&ticket.caller, ticket.serial, outcome));
        }
    }

    fn let_in(&mut self, data: &[u8]) -> Result<usize, Loss> {
        let Some(end) = data.windows(2).position(|two| two == b"\r\n") else {
            return if data.len() > LONGEST_LINE { Err(Loss::Garbled) } else { Ok(0) };
        };
        let line = String::from_utf8_lossy(data.get(..end).unwrap_or_default());
        if !line.starts_with("OK ") {
            return Err(Loss::Rejected(line.chars().take(100).collect()));
        }
        self.unsent.extend_from_slice(b"BEGIN\r\n");
        let greeting = self.send(&Message::call_bus("Hello", &[]));
        self.phase = Phase::Greeting(greeting);
        Ok(end + 2)
    }

    fn hear(
        &mut self,
        message: &Message,
        objects: &mut impl Objects,
        now: Instant,
        news: &mut Vec<News>,
    ) -> Result<(), Loss> {
        match message.kind {
            Kind::Call => self.called(message, objects),
            Kind::Signal if message.sender == BUS => self.told(message, news),
            Kind::Signal => {}
            Kind::Return | Kind::Error => self.answered(message, now, news)?,
        }
        Ok(())
    }

    fn called(&mut self, call: &Message, objects: &mut impl Objects) {
        let ticket = Ticket {
            caller: call.sender.clone(),
            serial: call.serial,
            is_awaited: call.wants_reply,
            connection: self.connection,
        };
        let machine = self.machine.clone();
        let outcome = standard::answer(call, ticket.clone(), machine.as_deref(), objects);
        if let Some(outcome) = outcome {
            self.answer(&ticket, &outcome);
        }
    }

    /// The bus tells of our name.
    fn told(&mut self, signal: &Message, news: &mut Vec<News>) {
        if signal.texts() != Some([self.name.as_str()]) {
            return;
        }
        match (signal.member.as_str(), self.phase) {
            ("NameAcquired", Phase::Queued) => {
                self.phase = Phase::Named;
                news.push(News::Named);
            }
            ("NameLost", Phase::Named) => {
                self.phase = Phase::Queued;
                news.push(News::Unnamed);
            }
            _ => {}
        }
    }

    fn answered(
        &mut self,
        answer: &Message,
        now: Instant,
        news: &mut Vec<News>,
    ) -> Result<(), Loss> {
        let is_error = answer.kind == Kind::Error;
        let reason = || answer.texts().map_or(answer.error.as_str(), |[text]| text).to_owned();
        match self.phase {
            Phase::Greeting(serial) if serial == answer.answers => {
                if is_error {
                    return Err(Loss::Rejected(reason()));
                }
                news.push(News::Connected);
                let arguments = [Value::text(&self.name), Value::Number(0)];
                let asking = self.send(&Message::call_bus("RequestName", &arguments));
                self.phase = Phase::Asking(asking);
                self.deadline = Some(now + PATIENCE);
            }
            Phase::Asking(serial) if serial == answer.answers => {
                self.deadline = None;
                match answer.number() {
                    Some(PRIMARY_OWNER | ALREADY_OWNER) => {
                        self.phase = Phase::Named;
                        news.push(News::Named);
                    }
                    Some(IN_QUEUE) => {
                        self.phase = Phase::Queued;
                        news.push(News::Unnamed);
                    }
                    _ => return Err(Loss::NoName(reason())),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn send(&mut self, message: &Message) -> u32 {
        // 0 is no number of a message.
        self.serial = self.serial.wrapping_add(1).max(1);
        message.encode(self.serial, &mut self.unsent);
        self.serial
    }
}
