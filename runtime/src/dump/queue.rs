//! What a process was asked to show, one after the other: whoever asks twice shall not find the first answer in the end.

use std::hash::Hash;
use std::io;

use log::{error, info};

use super::Copy;
use crate::reactor::{Reactor, Readiness, Registration};

/// What was asked for, each a `W`, and the copy of this process that writes the first.
#[derive(Debug)]
pub struct Dumps<W> {
    writing: Option<(Copy, Registration)>,
    waiting: Vec<W>,
}

impl<W> Default for Dumps<W> {
    fn default() -> Self {
        Self { writing: None, waiting: Vec::new() }
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
    pub fn take_next(&mut self) -> Option<W> {
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
        let registered = copy.and_then(|copy| {
            let registration = reactor.register(&copy, source, Readiness::Readable)?;
            Ok((copy, registration))
        });
        match registered {
            Ok(writing) => self.writing = Some(writing),
            Err(failure) => error!("cannot dump: {failure}"),
        }
    }

    /// Whether something is being written.
    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// The copy that writes may have ended.
    pub fn ended<S: std::marker::Copy, T: std::marker::Copy + Eq + Hash>(
        &mut self,
        reactor: &mut Reactor<S, T>,
    ) {
        let Some((copy, registration)) = self.writing.take() else { return };
        let Some(outcome) = copy.outcome() else {
            self.writing = Some((copy, registration));
            return;
        };
        if let Err(failure) = outcome {
            info!("{failure}");
        }
        if let Err(failure) = reactor.deregister(&copy, registration) {
            error!("cannot forget a dump: {failure}");
        }
    }
}
