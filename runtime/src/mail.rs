//! Mail alerts: one SMTP conversation for each, in the background of the event loop.

mod dialogue;
mod message;

use std::collections::BTreeMap;
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
use dialogue::{Dialogue, Progress};

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
    /// Sender.
    pub from: String,
    /// Recipients; at least one.
    pub to: Vec<String>,
    /// How long connecting, and each step after it, may take.
    pub patience: Duration,
}

impl Envelope {
    /// The envelope that the settings describe, on a machine of this canonical name. `None` when no mail is sent.
    pub fn new(settings: &Mail, machine: &str) -> Option<Self> {
        let server = settings.server.filter(|_| !settings.to.is_empty())?;
        let user = || {
            let user =
                User::from_uid(getuid()).ok().flatten().map_or_else(String::new, |user| user.name);
            format!("{user}@{machine}")
        };
        Some(Self {
            server,
            helo: settings.helo.clone().unwrap_or_else(|| machine.to_owned()),
            from: settings.from.clone().unwrap_or_else(user),
            to: settings.to.clone(),
            patience: settings.connect_timeout,
        })
    }
}

/// All conversations of a process.
#[derive(Debug, Default)]
pub struct Mailer {
    conversations: BTreeMap<MailId, Conversation>,
    next: u32,
}

#[derive(Debug)]
struct Conversation {
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
    /// Starts to send a mail. `None` when the server cannot even be called, which has been logged then.
    pub fn submit(
        &mut self,
        envelope: &Envelope,
        subject: &str,
        body: &str,
        now: Instant,
    ) -> Option<MailId> {
        let server = envelope.server;
        let stream = match call(server) {
            Ok(stream) => stream,
            Err(failure) => {
                info!("SMTP connection ERROR to [{}]:{} - {failure}.", server.ip(), server.port());
                return None;
            }
        };
        let id = MailId(self.next);
        self.next = self.next.wrapping_add(1);
        let conversation = Conversation {
            server,
            stream,
            connected: false,
            dialogue: Dialogue::new(envelope, message::compose(envelope, subject, body)),
            unsent: Vec::new(),
            patience: envelope.patience,
            deadline: now + envelope.patience,
        };
        self.conversations.insert(id, conversation);
        Some(id)
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

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.conversations.len()
    }

    /// Whether none is under way.
    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty()
    }
}

impl Conversation {
    fn serve(&mut self, now: Instant) -> Standing {
        let (address, port) = (self.server.ip(), self.server.port());
        match self.step(now) {
            Ok(true) => {
                debug!("SMTP alert successfully sent.");
                Standing::Over
            }
            Ok(false) if now < self.deadline => Standing::Until(self.deadline),
            Ok(false) if self.connected => {
                info!("Timeout reading data to remote SMTP server [{address}]:{port}.");
                Standing::Over
            }
            Ok(false) => {
                info!("Timeout opening connection to remote SMTP server [{address}]:{port}.");
                Standing::Over
            }
            Err(reason) => {
                info!("{reason} SMTP server [{address}]:{port}.");
                Standing::Over
            }
        }
    }

    /// Whether the mail was taken.
    fn step(&mut self, now: Instant) -> Result<bool, String> {
        if !self.connected {
            match getsockopt(&self.stream, sockopt::SocketError) {
                Ok(0) => {}
                Ok(code) => return Err(connection_error(Errno::from_raw(code))),
                Err(errno) => return Err(connection_error(errno)),
            }
            match self.stream.peer_addr() {
                Ok(_) => self.connected = true,
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
                Err(error) => return Err(format!("SMTP connection ERROR ({error}) to")),
            }
            debug!("Remote SMTP server [{}]:{} connected.", self.server.ip(), self.server.port());
            self.deadline = now + self.patience;
        }
        self.write()?;
        let mut buffer = [0; 1024];
        loop {
            let length = match self.stream.read(&mut buffer) {
                Ok(0) => return Err("Connection closed by remote".to_owned()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("Error ({error}) reading data from remote")),
            };
            match self.dialogue.receive(buffer.get(..length).unwrap_or_default()) {
                Progress::Wait => {}
                Progress::Say(text) => {
                    self.deadline = now + self.patience;
                    self.unsent.extend_from_slice(&text);
                    self.write()?;
                }
                Progress::Taken => return Ok(true),
                Progress::Refused { command, code } => {
                    // Politeness, if there is room for it.
                    let _ = self.stream.write(b"QUIT\r\n");
                    return Err(format!(
                        "Error processing {command} cmd, SMTP status code = {code}, on"
                    ));
                }
            }
        }
    }

    fn write(&mut self) -> Result<(), String> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("Cannot send data ({error}) to remote")),
            }
        }
        Ok(())
    }
}

fn connection_error(errno: Errno) -> String {
    format!("SMTP connection ERROR ({}) to", errno.desc())
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
