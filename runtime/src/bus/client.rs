//! The connection to the bus in an event loop.

use std::fs;
use std::hash::Hash;
use std::io;
use std::time::Instant;

use log::{info, warn};
use nix::unistd::geteuid;

use super::address::{BadAddress, system_bus};
use super::session::{News, Session, Ticket};
use super::value::Value;
use super::{Failure, Objects};
use crate::line::Line;
use crate::reactor::Reactor;

/// Where the name of the machine is.
const MACHINE: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// A name on the bus of the machine: a session on a line.
#[derive(Debug)]
pub struct Client {
    line: Line<Session>,
    /// Whether the log says already that we are not on the bus.
    complained: bool,
}

/// What came of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Nothing that matters to anybody else.
    AsUsual,
    /// The name has become ours: who listens does not know anything about us yet.
    Appeared,
}

impl Client {
    /// A client of the machine's bus that will be called `name` there, and calls the bus in the first turn
    /// ([`Client::serve`]).
    pub fn new(name: String, now: Instant) -> Result<Self, BadAddress> {
        let target = system_bus()?;
        let machine = MACHINE.iter().find_map(|path| fs::read_to_string(path).ok());
        let machine = machine.map(|id| id.trim().to_owned());
        let session = Session::new(name, geteuid().as_raw(), machine);
        Ok(Self { line: Line::new(session, target, now), complained: false })
    }

    /// Whether somebody may listen.
    pub fn is_named(&self) -> bool {
        self.line.talk.is_named()
    }

    /// Tells whoever listens that something has happened to the object at `path`, in the next turn. Without a bus nobody is
    /// told.
    pub fn signal(&mut self, path: &str, interface: &str, member: &str, values: &[Value]) {
        self.line.talk.signal(path, interface, member, values);
    }

    /// Answers a call, in the next turn. Whoever called over another connection has gone with it.
    pub fn answer(&mut self, ticket: &Ticket, outcome: &Result<Vec<Value>, Failure>) {
        self.line.talk.answer(ticket, outcome);
    }

    /// Whether something waits to be sent.
    pub fn has_news(&self) -> bool {
        self.line.has_news()
    }

    /// Does what there is to do: after the descriptor has got ready, after the timer, or when there is something to send.
    /// Call [`Client::attend`] afterwards.
    pub fn serve(&mut self, objects: &mut impl Objects, now: Instant) -> Served {
        let was_named = self.line.talk.is_named();
        let mut news = Vec::new();
        let served = self.line.serve(objects, now, &mut news);
        for one in &news {
            self.tell(*one);
        }
        let has_appeared = news.contains(&News::Named);
        if let Err(error) = served {
            self.complain(&error, was_named || has_appeared);
        }
        if has_appeared && self.line.talk.is_named() { Served::Appeared } else { Served::AsUsual }
    }

    fn tell(&mut self, news: News) {
        let name = self.line.talk.name();
        match news {
            News::Connected => info!("Acquired DBus bus {name}"),
            News::Named => {
                info!("Acquired the name {name} on the session bus");
                self.complained = false;
                self.line.proven();
            }
            News::Unnamed => {
                info!("Lost the name {name} on the session bus");
                self.line.proven();
            }
        }
    }

    fn complain(&mut self, why: &io::Error, was_named: bool) {
        if was_named || !self.complained {
            info!("Lost the name {} on the session bus", self.line.talk.name());
            warn!("D-Bus ({}): {why}", self.line.target());
        }
        self.complained = true;
    }

    /// Has the event loop watch the connection as `source` and wait for the deadline as `timer`.
    pub fn attend<S, T>(&mut self, source: S, timer: T, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        self.line.attend(source, timer, reactor);
    }

    /// Leaves the bus: what was to be said is said if it can be said at once.
    pub fn close<S, T>(self, timer: T, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        self.line.close(timer, reactor);
    }
}
