//! Scripts that are told what has happened: started together at the end of a turn, and taken leave of when they end.
//! Nobody asks how.

use std::collections::BTreeMap;
use std::hash::Hash;

use log::error;
use nix::sys::signal::Signal;

use super::{Running, start};
use crate::audience::Member;
use crate::global::Script;
use crate::reactor::{Reactor, Readiness, Registration};

/// A script that was started. Later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NotifierId(u64);

/// The scripts of a process that wait to be started, and those that run.
#[derive(Debug, Default)]
pub(crate) struct Notifiers {
    waiting: Vec<(Script, Vec<String>)>,
    running: BTreeMap<NotifierId, (Running, Registration)>,
    next: NotifierId,
}

impl Notifiers {
    /// Has `script` started with `arguments` behind its own, by the next [`Notifiers::start`].
    pub(crate) fn add(&mut self, script: Script, arguments: Vec<String>) {
        self.waiting.push((script, arguments));
    }

    /// Starts those that wait.
    pub(crate) fn start<S, T>(&mut self, reactor: &mut Reactor<S, T>)
    where
        S: Copy + From<Member>,
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
    pub(crate) fn adopt<S, T>(&mut self, running: Running, reactor: &mut Reactor<S, T>)
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash,
    {
        let id = self.next;
        match reactor.register(&running, S::from(Member::Script(id)), Readiness::Readable) {
            Ok(registration) => {
                self.next = NotifierId(id.0.wrapping_add(1));
                self.running.insert(id, (running, registration));
            }
            Err(error) => error!("cannot watch script {}: {error}", running.pid()),
        }
    }

    /// A script may have ended.
    pub(crate) fn ended<S, T>(&mut self, id: NotifierId, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        let Some((running, _)) = self.running.get(&id) else { return };
        match running.ending() {
            Ok(None) => return,
            Ok(Some(_)) => {}
            Err(error) => error!("cannot take leave of script {}: {error}", running.pid()),
        }
        let Some((running, registration)) = self.running.remove(&id) else { return };
        if let Err(error) = reactor.deregister(&running, registration) {
            error!("cannot forget script {}: {error}", running.pid());
        }
    }

    /// Any script may have ended.
    pub(crate) fn some_ended<S, T>(&mut self, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        let all: Vec<NotifierId> = self.running.keys().copied().collect();
        all.into_iter().for_each(|id| self.ended(id, reactor));
    }

    /// The number that the next script will have.
    pub(crate) fn next(&self) -> NotifierId {
        self.next
    }

    /// How many run of those with the number `first` or a later one.
    pub(crate) fn running_since(&self, first: NotifierId) -> usize {
        self.running.range(first..).count()
    }

    /// Sends a signal to those with the number `first` or a later one.
    pub(crate) fn signal_since(&self, first: NotifierId, signal: Signal) {
        for (running, _) in self.running.range(first..).map(|(_, one)| one) {
            // It may have ended just now.
            let _ = running.signal(signal);
        }
    }
}
