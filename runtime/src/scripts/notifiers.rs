//! Scripts that are told what has happened: started together at the end of a turn, and taken leave of when they end.
//! Nobody asks how.

use std::collections::BTreeMap;
use std::hash::Hash;

use log::error;
use nix::sys::signal::Signal;

use super::{Running, start};
use crate::global::Script;
use crate::reactor::{Reactor, Readiness, Registration};

/// A script that was started. Later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NotifierId(u64);

/// The scripts of a process that wait to be started, and those that run.
#[derive(Debug, Default)]
pub struct Notifiers {
    waiting: Vec<(Script, Vec<String>)>,
    running: BTreeMap<NotifierId, (Running, Registration)>,
    next: NotifierId,
}

impl Notifiers {
    /// Has `script` started with `arguments` behind its own, by the next [`Notifiers::start`].
    pub fn add(&mut self, script: Script, arguments: Vec<String>) {
        self.waiting.push((script, arguments));
    }

    /// Starts those that wait.
    pub fn start<S, T>(&mut self, reactor: &mut Reactor<S, T>)
    where
        S: Copy + From<NotifierId>,
        T: Copy + Eq + Hash,
    {
        for (script, arguments) in std::mem::take(&mut self.waiting) {
            match start(&script, &arguments) {
                Ok(running) => self.adopt(running, reactor),
                Err(error) => {
                    error!("cannot start script {}: {error}", script.program.to_string_lossy());
                }
            }
        }
    }

    /// Watches a script that somebody else has started and does not care about any more.
    pub fn adopt<S, T>(&mut self, running: Running, reactor: &mut Reactor<S, T>)
    where
        S: Copy + From<NotifierId>,
        T: Copy + Eq + Hash,
    {
        let id = self.next;
        match reactor.register(&running, S::from(id), Readiness::Readable) {
            Ok(registration) => {
                self.next = NotifierId(id.0.wrapping_add(1));
                self.running.insert(id, (running, registration));
            }
            Err(error) => error!("cannot watch script {}: {error}", running.pid()),
        }
    }

    /// A script has ended.
    pub fn ended<S, T>(&mut self, id: NotifierId, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        let Some((running, registration)) = self.running.remove(&id) else { return };
        if let Err(error) = running.ending() {
            error!("cannot take leave of script {}: {error}", running.pid());
        }
        if let Err(error) = reactor.deregister(&running, registration) {
            error!("cannot forget script {}: {error}", running.pid());
        }
    }

    /// The number that the next script will have.
    pub fn next(&self) -> NotifierId {
        self.next
    }

    /// How many run of those with the number `first` or a later one.
    pub fn running_since(&self, first: NotifierId) -> usize {
        self.running.range(first..).count()
    }

    /// Sends a signal to those with the number `first` or a later one.
    pub fn signal_since(&self, first: NotifierId, signal: Signal) {
        for (running, _) in self.running.range(first..).map(|(_, one)| one) {
            // It may have ended just now.
            let _ = running.signal(signal);
        }
    }
}
