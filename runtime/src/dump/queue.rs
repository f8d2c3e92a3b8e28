//! What a process was asked to show, one after the other: whoever asks twice shall not find the first answer in the end.

use std::hash::Hash;
use std::io;

use log::{error, info};

use super::{Copy, Kept};
use crate::reactor::{Reactor, Readiness, Registration};

/// What was asked for, each a `W`, and the copy of this process that writes the first.
#[derive(Debug)]
pub struct Dumps<W> {
    writing: Option<(Copy, Registration)>,
    waiting: Vec<W>,
    /// Copies that keep the state of a moment: each has a file of its own, so none waits for another.
    keeping: Vec<(Copy, Registration)>,
    /// The number of the reload whose states are kept.
    reload: u32,
}

impl<W> Default for Dumps<W> {
    fn default() -> Self {
        Self { writing: None, waiting: Vec::new(), keeping: Vec::new(), reload: 0 }
    }
}

impl<W: std::marker::Copy + PartialEq> Dumps<W> {
    /// Asks for something. It is written as soon as what was asked for before is.
    pub fn ask(&mut self, wanted: W) {
        if !self.waiting.contains(&wanted) {
            self.waiting.push(wanted);
        }
    }

    /// What is to be written next, if nothing is being written. It then counts as begun.
    pub(crate) fn take_next(&mut self) -> Option<W> {
        if self.writing.is_some() || self.waiting.is_empty() {
            return None;
        }
        Some(self.waiting.remove(0))
    }

    /// A copy of this process writes what was next; `source` is what the loop hears of its end.
    pub fn begun<S: std::marker::Copy, T: std::marker::Copy + Eq + Hash>(
        &mut self,
        copy: io::Result<Copy>,
        source: S,
        reactor: &mut Reactor<S, T>,
    ) {
        self.writing = watched(copy, source, reactor);
    }

    /// The number of the reload that a state is kept for.
    pub fn number(&mut self, moment: Kept) -> u32 {
        if moment == Kept::Before {
            self.reload = self.reload.wrapping_add(1);
        }
        self.reload
    }

    /// A copy of this process keeps the state of this moment, whatever else is being written.
    pub fn keep<S: std::marker::Copy, T: std::marker::Copy + Eq + Hash>(
        &mut self,
        copy: io::Result<Copy>,
        source: S,
        reactor: &mut Reactor<S, T>,
    ) {
        self.keeping.extend(watched(copy, source, reactor));
    }

    /// Whether something is being written.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Copies that write may have ended.
    pub fn ended<S: std::marker::Copy, T: std::marker::Copy + Eq + Hash>(
        &mut self,
        reactor: &mut Reactor<S, T>,
    ) {
        self.writing = self.writing.take().and_then(|begun| still_writing(begun, reactor));
        let keeping = std::mem::take(&mut self.keeping).into_iter();
        self.keeping = keeping.filter_map(|begun| still_writing(begun, reactor)).collect();
    }
}

/// The copy, once the loop hears of its end.
fn watched<S: std::marker::Copy, T: std::marker::Copy + Eq + Hash>(
    copy: io::Result<Copy>,
    source: S,
    reactor: &mut Reactor<S, T>,
) -> Option<(Copy, Registration)> {
    let registered = copy.and_then(|copy| {
        let registration = reactor.register(&copy, source, Readiness::Readable)?;
        Ok((copy, registration))
    });
    registered.inspect_err(|failure| error!("cannot dump: {failure}")).ok()
}

/// The copy, unless it has ended.
fn still_writing<S: std::marker::Copy, T: std::marker::Copy + Eq + Hash>(
    (copy, registration): (Copy, Registration),
    reactor: &mut Reactor<S, T>,
) -> Option<(Copy, Registration)> {
    let Some(outcome) = copy.outcome() else { return Some((copy, registration)) };
    if let Err(failure) = outcome {
        info!("{failure}");
    }
    if let Err(failure) = reactor.deregister(&copy, registration) {
        error!("cannot forget a dump: {failure}");
    }
    None
}
