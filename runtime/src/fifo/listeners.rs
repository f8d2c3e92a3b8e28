//! The FIFOs that hear of every state, and the programs that read them.

use std::hash::Hash;
use std::time::Duration;

use log::error;

use super::Fifo;
use crate::audience::Member;
use crate::global;
use crate::reactor::{Reactor, Readiness, Registration};

/// How long a reader has for the last lines when the process ends.
const LAST_LINES: Duration = Duration::from_millis(100);

/// The program that reads a FIFO, by the place of the FIFO among those that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reader(usize);

/// The FIFOs that are open.
#[derive(Debug, Default)]
pub(crate) struct Listeners(Vec<Listener>);

#[derive(Debug)]
struct Listener {
    settings: global::Fifo,
    fifo: Fifo,
    /// Of the end of its reader.
    registration: Option<Registration>,
}

impl Listeners {
    /// Opens the FIFOs that are `wanted`, with what goes before the word notify in messages about them. One that is open
    /// with the same settings stays as it is, so that its reader misses nothing.
    pub(crate) fn open<S, T>(
        &mut self,
        wanted: [(&Option<global::Fifo>, &'static str); 2],
        reactor: &mut Reactor<S, T>,
    ) where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash,
    {
        let mut before = std::mem::take(&mut self.0);
        for (settings, kind) in wanted {
            let Some(settings) = settings else { continue };
            let open = before.iter().position(|listener| listener.settings == *settings);
            let listener = match open {
                Some(place) => Some(before.remove(place)),
                None => Fifo::open(settings, kind).map(|fifo| Listener {
                    settings: settings.clone(),
                    fifo,
                    registration: None,
                }),
            };
            self.0.extend(listener);
        }
        // Nobody is waited for while the process has other things to do.
        before.into_iter().for_each(|listener| listener.close(reactor, Duration::ZERO));
        for (place, listener) in (0..).zip(&mut self.0) {
            listener.watch(place, reactor);
        }
    }

    /// Writes a line to all of them.
    pub(crate) fn write(&mut self, line: &str) {
        for listener in &mut self.0 {
            listener.fifo.write(line);
        }
    }

    /// Writes what waits for readers that were too slow.
    pub(crate) fn flush(&mut self) {
        for listener in &mut self.0 {
            listener.fifo.flush();
        }
    }

    /// The reader of a FIFO has ended.
    pub(crate) fn reader_ended<S, T>(&mut self, reader: Reader, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        if let Some(listener) = self.0.get_mut(reader.0) {
            listener.forget(reactor);
            listener.fifo.reader_ended();
        }
    }

    /// Closes all of them. Their readers may take in the last lines.
    pub(crate) fn close<S: Copy, T: Copy + Eq + Hash>(&mut self, reactor: &mut Reactor<S, T>) {
        let all = std::mem::take(&mut self.0);
        all.into_iter().for_each(|listener| listener.close(reactor, LAST_LINES));
    }
}

impl Listener {
    /// Has the reactor say when the reader ends. After a reload the place may be another.
    fn watch<S, T>(&mut self, place: usize, reactor: &mut Reactor<S, T>)
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash,
    {
        self.forget(reactor);
        let Some(reader) = self.fifo.reader() else { return };
        match reactor.register(reader, S::from(Member::Reader(Reader(place))), Readiness::Readable)
        {
            Ok(registration) => self.registration = Some(registration),
            Err(error) => error!("cannot watch the reader of {}: {error}", self.settings.path),
        }
    }

    fn forget<S: Copy, T: Copy + Eq + Hash>(&mut self, reactor: &mut Reactor<S, T>) {
        let (Some(registration), Some(reader)) = (self.registration.take(), self.fifo.reader())
        else {
            return;
        };
        if let Err(error) = reader.ending().and_then(|_| reactor.deregister(reader, registration)) {
            error!("cannot forget the reader of {}: {error}", self.settings.path);
        }
    }

    fn close<S, T>(mut self, reactor: &mut Reactor<S, T>, patience: Duration)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        self.forget(reactor);
        self.fifo.close(patience);
    }
}
