//! Mail alerts: one SMTP conversation for each, in the background of the event loop.
//!
//! Alerts about one thing are delivered one after the other, so that the last one to arrive tells how it is; alerts about
//! different things do not wait for each other, up to a number of conversations at once.

mod dialogue;
mod message;
mod outbox;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use log::{debug, info};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, connect, getsockopt, socket, sockopt,
};
use nix::unistd::{User, getuid};

use crate::global::Mail;
use dialogue::{Dialogue, Note, Progress};

pub(crate) use outbox::Outbox;

/// So many conversations are under way at once.
const CONVERSATIONS: usize = 32;
/// So many alerts wait for their conversation; more are dropped.
const WAITING: usize = 4096;

/// A conversation under way. The event loop watches its [`Mailer::descriptor`] for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailId(u32);

/// Where mails go, and in whose name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The mail server.
    pub server: SocketAddr,
    /// What to say in HELO.
    pub helo: String,
    /// The name of this machine in subjects.
    pub router: String,
    /// Sender.
    pub from: String,
    /// Recipients; at least one.
    pub to: Vec<String>,
    /// How long connecting, and each step after it, may take.
    pub patience: Duration,
}

impl Envelope {
    /// The envelope that the settings describe. `None` when no mail is sent.
    pub fn new(settings: &Mail) -> Option<Self> {
        let server = settings.server.filter(|_| !settings.to.is_empty())?;
        let machine = settings.machine.as_deref().unwrap_or("localhost");
        let user = || {
            let user =
                User::from_uid(getuid()).ok().flatten().map_or_else(String::new, |user| user.name);
            format!("{user}@{machine}")
        };
        Some(Self {
            server,
            helo: settings.helo.clone().unwrap_or_else(|| machine.to_owned()),
            router: settings.router_id.clone().unwrap_or_else(|| machine.to_owned()),
            from: settings.from.clone().unwrap_or_else(user),
            to: settings.to.clone(),
            patience: settings.connect_timeout,
        })
    }
}

/// Something that people are told by mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What it is about, such as `VRRP Instance web`.
    pub about: String,
    /// What happened to it.
    pub event: &'static str,
    /// The same in the body of the mail.
    pub body: String,
}

impl Alert {
    fn subject(&self, envelope: &Envelope) -> String {
        format!("[{}] {} - {}", envelope.router, self.about, self.event)
    }
}

/// All conversations of a process, and the alerts that wait for one.
#[derive(Debug, Default)]
pub struct Mailer {
    conversations: BTreeMap<MailId, Conversation>,
    next: u32,
    waiting: VecDeque<Letter>,
    /// Alerts that there was no room for, until it is told.
    dropped: usize,
}

/// An alert in its envelope.
#[derive(Debug)]
struct Letter {
    about: String,
    server: SocketAddr,
    patience: Duration,
    dialogue: Dialogue,
}

#[derive(Debug)]
struct Conversation {
    about: String,
    server: SocketAddr,
    stream: TcpStream,
    connected: bool,
    dialogue: Dialogue,
    unsent: Vec<u8>,
    patience: Duration,
    deadline: Instant,
}

/// Whether a conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Until then it must have made a step.
    Until(Instant),
    /// It is over; the result has been logged. The descriptor is still open until [`Mailer::forget`].
    Over,
}

impl Mailer {
    /// Has an alert sent, as of now, when its turn comes ([`Mailer::start`]).
    pub fn post(&mut self, envelope: &Envelope, alert: Alert) {
        if self.waiting.len() >= WAITING {
            self.dropped += 1;
            return;
        }
        let message = message::compose(envelope, &alert.subject(envelope), &alert.body);
        self.waiting.push_back(Letter {
            about: alert.about,
            server: envelope.server,
            patience: envelope.patience,
            dialogue: Dialogue::new(envelope, message),
        });
    }

    /// Begins the next conversation that may begin; call it until it gives none.
    pub fn start(&mut self, now: Instant) -> Option<MailId> {
        while self.conversations.len() < CONVERSATIONS {
            let talked_about = |letter: &Letter| {
                self.conversations.values().any(|conversation| conversation.about == letter.about)
            };
            let place = self.waiting.iter().position(|letter| !talked_about(letter))?;
            let letter = self.waiting.remove(place)?;
            if self.dropped > 0 {
                info!("SMTP: too many alerts at once, {} not sent", self.dropped);
                self.dropped = 0;
            }
            let server = letter.server;
            match call(server) {
                Ok(stream) => return Some(self.begin(letter, stream, now)),
                Err(_) => info!("SMTP connection ERROR to [{}]:{}.", server.ip(), server.port()),
            }
        }
        None
    }

    fn begin(&mut self, letter: Letter, stream: TcpStream, now: Instant) -> MailId {
        let id = MailId(self.next);
        self.next = self.next.wrapping_add(1);
        let conversation = Conversation {
            about: letter.about,
            server: letter.server,
            stream,
            connected: false,
            dialogue: letter.dialogue,
            unsent: Vec::new(),
            patience: letter.patience,
            deadline: now + letter.patience,
        };
        self.conversations.insert(id, conversation);
        id
    }

    /// What the event loop watches.
    pub fn descriptor(&self, id: MailId) -> Option<BorrowedFd<'_>> {
        self.conversations.get(&id).map(|conversation| conversation.stream.as_fd())
    }

    /// The descriptor is ready, or the deadline may have come.
    pub fn serve(&mut self, id: MailId, now: Instant) -> Standing {
        let Some(conversation) = self.conversations.get_mut(&id) else { return Standing::Over };
        conversation.serve(now)
    }

    /// Drops a conversation that is over.
    pub fn forget(&mut self, id: MailId) {
        self.conversations.remove(&id);
    }

    /// Whether all has been said.
    pub fn is_idle(&self) -> bool {
        self.conversations.is_empty() && self.waiting.is_empty()
    }
}

/// Why a conversation ends before its time.
enum Failure {
    /// The server cannot be called.
    Connection,
    /// It has hung up.
    Closed,
    /// Reading failed.
    Read,
    /// Writing failed.
    Write,
}

impl Conversation {
    fn serve(&mut self, now: Instant) -> Standing {
        let host = format!("SMTP server [{}]:{}", self.server.ip(), self.server.port());
        match self.step(&host, now) {
            Ok(true) => return Standing::Over,
            Ok(false) if now < self.deadline => {}
            Ok(false) if !self.connected => {
                info!("Timeout opening connection to remote {host}.");
                return Standing::Over;
            }
            Ok(false) => {
                info!("Timeout reading data to remote {host}.");
                let Some(farewell) = self.dialogue.give_up() else { return Standing::Over };
                self.unsent.extend_from_slice(&farewell);
                self.deadline = now + self.patience;
                if self.write().is_err() {
                    return Standing::Over;
                }
            }
            Err(failure) => {
                match failure {
                    Failure::Connection => {
                        info!("SMTP connection ERROR to {}.", &host["SMTP server ".len()..]);
                    }
                    Failure::Closed => info!("Remote {host} has closed the connection."),
                    Failure::Read => info!("Error reading data from remote {host}."),
                    Failure::Write => info!("Cannot send data to remote {host}."),
                }
                return Standing::Over;
            }
        }
        Standing::Until(self.deadline)
    }

    /// Whether all has been said.
    fn step(&mut self, host: &str, now: Instant) -> Result<bool, Failure> {
        if !self.connected {
            if getsockopt(&self.stream, sockopt::SocketError) != Ok(0) {
                return Err(Failure::Connection);
            }
            match self.stream.peer_addr() {
                Ok(_) => self.connected = true,
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
                Err(_) => return Err(Failure::Connection),
            }
            debug!("Remote {host} connected.");
            self.deadline = now + self.patience;
        }
        self.write()?;
        let mut buffer = [0; 1024];
        loop {
            let length = match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Failure::Closed),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err(Failure::Read),
            };
            let (text, note) = match self.dialogue.receive(buffer.get(..length).unwrap_or_default())
            {
                Progress::Wait => continue,
                Progress::Over => return Ok(true),
                Progress::Say(text, note) => (text, note),
            };
            match note {
                None => {}
                Some(Note::Delivered) => debug!("SMTP alert successfully sent."),
                Some(Note::Refused { command, code }) => {
                    info!("Error processing {command} cmd on {host}. SMTP status code = {code}");
                }
            }
            self.deadline = now + self.patience;
            self.unsent.extend_from_slice(&text);
            self.write()?;
        }
    }

    fn write(&mut self) -> Result<(), Failure> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Failure::Write),
            }
        }
        Ok(())
    }
}

/// Begins to connect, and does not wait.
fn call(server: SocketAddr) -> io::Result<TcpStream> {
    let family = if server.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = socket(family, SockType::Stream, flags, None)?;
    match connect(stream.as_raw_fd(), &SockaddrStorage::from(server)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(stream)),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests;
