//! The connection to the bus in an event loop.

use std::fs;
use std::hash::Hash;
use std::io;
use std::time::Instant;

use log::{info, warn};
use nix::unistd::geteuid;

use super::address::{BadAddress, system_bus};
use super::session::{Loss, News, Session, Ticket};
use super::value::Value;
use super::{Failure, Objects};
use crate::line::{Line, Talk};
use crate::reactor::Reactor;

/// Where the name of the machine is.
const MACHINE: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/// A name on the bus of the machine: its session, and its connection while there is one.
#[derive(Debug)]
pub struct Client {
    session: Session,
    line: Line,
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
        let line = Line::new(system_bus()?, now);
        let machine = MACHINE.iter().find_map(|path| fs::read_to_string(path).ok());
        let machine = machine.map(|id| id.trim().to_owned());
        let session = Session::new(name, geteuid().as_raw(), machine);
        Ok(Self { session, line, complained: false })
    }

    /// Whether somebody may listen.
    pub fn is_named(&self) -> bool {
        self.session.is_named()
    }

    /// Tells whoever listens that something has happened to the object at `path`, in the next turn. Without a bus nobody is
    /// told.
    pub fn signal(&mut self, path: &str, interface: &str, member: &str, values: &[Value]) {
        self.session.signal(path, interface, member, values);
    }

    /// Answers a call, in the next turn. Whoever called over another connection has gone with it.
    pub fn answer(&mut self, ticket: &Ticket, outcome: &Result<Vec<Value>, Failure>) {
        self.session.answer(ticket, outcome);
    }

    /// Whether something waits to be sent.
    pub fn has_news(&self) -> bool {
        self.line.is_up() && self.session.has_unsent()
    }

    /// Does what there is to do: after the descriptor has got ready, after the timer, or when there is something to send.
    /// Call [`Client::attend`] afterwards.
    pub fn serve(&mut self, objects: &mut impl Objects, now: Instant) -> Served {
        let was_named = self.session.is_named();
        let mut news = Vec::new();
        let mut dialogue = Dialogue { session: &mut self.session, objects, news: &mut news };
        let served = self.line.serve(&mut dialogue, now);
        for one in &news {
            self.tell(*one);
        }
        let has_appeared = news.contains(&News::Named);
        if let Err(error) = served {
            self.complain(&error, was_named || has_appeared);
        }
        if has_appeared && self.session.is_named() { Served::Appeared } else { Served::AsUsual }
    }

    fn tell(&mut self, news: News) {
        let name = self.session.name();
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
            info!("Lost the name {} on the session bus", self.session.name());
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
        self.line.attend(self.session.deadline(), source, timer, reactor);
    }

    /// Leaves the bus: what was to be said is said if it can be said at once.
    pub fn close<S, T>(mut self, timer: T, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        self.line.close(self.session.unsent(), timer, reactor);
    }
}

/// A session while it is served.
struct Dialogue<'a, O> {
    session: &'a mut Session,
    objects: &'a mut O,
    news: &'a mut Vec<News>,
}

impl<O: Objects> Talk for Dialogue<'_, O> {
    fn begin(&mut self, now: Instant) {
        self.session.begin(now);
    }

    fn end(&mut self) {
        self.session.end();
    }

    fn due(&mut self, now: Instant) -> io::Result<()> {
        self.session.due(now).map_err(lost)
    }

    fn receive(&mut self, data: &[u8], now: Instant) -> io::Result<usize> {
        self.session.receive(data, self.objects, now, self.news).map_err(lost)
    }

    fn unsent(&mut self) -> &mut Vec<u8> {
        self.session.unsent()
    }

    fn is_full(&self) -> bool {
        self.session.is_full()
    }
}

fn lost(loss: Loss) -> io::Error {
    io::Error::other(loss.to_string())
}
