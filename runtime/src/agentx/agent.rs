//! The connection to the master agent in an event loop.

use std::hash::Hash;
use std::io;
use std::time::Instant;

use log::{info, warn};

use super::Objects;
use super::address::Address;
use super::oid::Oid;
use super::pdu::VarBind;
use super::session::{News, Session, Settings};
use crate::line::{Line, Target};
use crate::reactor::Reactor;

/// A subagent: its session on a line.
#[derive(Debug)]
pub struct Agent {
    address: Address,
    line: Line<Session>,
    /// Whether the log says already that there is no master agent.
    complained: bool,
}

impl Agent {
    /// A subagent that calls the master agent in the first turn ([`Agent::serve`]).
    pub fn new(address: Address, settings: Settings, now: Instant) -> Self {
        info!("Starting SNMP subagent");
        let target = match &address {
            Address::Unix(path) => Target::Path(path.clone()),
            Address::Tcp(address) => Target::Tcp(*address),
        };
        let line = Line::new(Session::new(settings), target, now);
        Self { address, line, complained: false }
    }

    /// Tells the master agent that something has happened, in the next turn. While there is none nobody is told.
    pub fn notify(&mut self, trap: &[u32], objects: Vec<(Oid, super::Value)>) {
        let objects = objects.into_iter().map(|(name, value)| VarBind { name, value });
        self.line.talk.notify(trap, objects.collect());
    }

    /// Octets that wait to be sent.
    #[cfg(test)]
    pub(super) fn unsent(&mut self) -> usize {
        crate::line::Talk::unsent(&mut self.line.talk).len()
    }

    /// Until when nothing is read.
    #[cfg(test)]
    pub(super) fn rest(&self) -> Option<Instant> {
        self.line.rest()
    }

    /// Whether something waits to be sent.
    pub fn has_news(&self) -> bool {
        self.line.has_news()
    }

    /// Does what there is to do: after the descriptor has got ready, after the timer, or after [`Agent::notify`]. Call
    /// [`Agent::attend`] afterwards.
    pub fn serve(&mut self, objects: &mut impl Objects, now: Instant) {
        let mut news = Vec::new();
        let served = self.line.serve(objects, now, &mut news);
        self.tell(&news);
        if let Err(error) = served {
            self.complain(&error);
        }
    }

    fn tell(&mut self, news: &[News]) {
        for one in news {
            match one {
                News::Connected => {
                    info!("AgentX subagent connected");
                    self.complained = false;
                    self.line.proven();
                }
                News::NotRegistered(branch, code) => {
                    let root = Oid::from(branch.root);
                    warn!("The SNMP master agent does not register {root}: error {code}");
                }
            }
        }
    }

    fn complain(&mut self, why: &io::Error) {
        if !self.complained {
            let address = &self.address;
            warn!("Warning: Failed to connect to the agentx master agent ({address}): {why}");
            self.complained = true;
        }
    }

    /// Has the event loop watch the connection as `source` and wait for the deadline as `timer`.
    pub fn attend<S, T>(&mut self, source: S, timer: T, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        self.line.attend(source, timer, reactor);
    }

    /// Takes leave: what was to be said is said if it can be said at once.
    pub fn close<S, T>(mut self, timer: T, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        self.line.talk.close();
        self.line.close(timer, reactor);
    }
}
