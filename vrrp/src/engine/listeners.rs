//! The FIFOs that hear of every state, and the programs that read them.

use std::time::Duration;

use log::error;
use runtime::fifo::Fifo;
use runtime::global::{self, Global};
use runtime::reactor::{Reactor, Readiness, Registration};

use super::{Source, Timer};

/// How long a reader has for the last lines when the process ends.
const LAST_LINES: Duration = Duration::from_millis(100);

/// The FIFOs that are open.
#[derive(Debug, Default)]
pub(super) struct Listeners(Vec<Listener>);

#[derive(Debug)]
struct Listener {
    settings: global::Fifo,
    fifo: Fifo,
    /// Of the end of its reader.
    registration: Option<Registration>,
}

impl Listeners {
    /// Opens the FIFOs of `global`. One that is open with the same settings stays as it is, so that its reader misses
    /// nothing.
    pub(super) fn open(&mut self, global: &Global, reactor: &mut Reactor<Source, Timer>) {
        let scripts = &global.scripts;
        let wanted = [(&scripts.notify_fifo, ""), (&scripts.vrrp_notify_fifo, "vrrp ")];
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
        // Nobody is waited for while adverts are due.
        before.into_iter().for_each(|listener| listener.close(reactor, Duration::ZERO));
        for (place, listener) in (0..).zip(&mut self.0) {
            listener.watch(place, reactor);
        }
    }

    /// Writes a line to all of them.
    pub(super) fn write(&mut self, line: &str) {
        for listener in &mut self.0 {
            listener.fifo.write(line);
        }
    }

    /// Writes what waits for readers that were too slow.
    pub(super) fn flush(&mut self) {
        for listener in &mut self.0 {
            listener.fifo.flush();
        }
    }

    /// The reader of the FIFO at `place` has ended.
    pub(super) fn reader_ended(&mut self, place: usize, reactor: &mut Reactor<Source, Timer>) {
        if let Some(listener) = self.0.get_mut(place) {
            listener.forget(reactor);
            listener.fifo.reader_ended();
        }
    }

    /// Closes all of them. Their readers may take in the last lines.
    pub(super) fn close(&mut self, reactor: &mut Reactor<Source, Timer>) {
        let all = std::mem::take(&mut self.0);
        all.into_iter().for_each(|listener| listener.close(reactor, LAST_LINES));
    }
}

impl Listener {
    /// Has the reactor say when the reader ends. After a reload the place may be another.
    fn watch(&mut self, place: usize, reactor: &mut Reactor<Source, Timer>) {
        self.forget(reactor);
        let Some(reader) = self.fifo.reader() else { return };
        match reactor.register(reader, Source::Reader(place), Readiness::Readable) {
            Ok(registration) => self.registration = Some(registration),
            Err(error) => error!("cannot watch the reader of {}: {error}", self.settings.path),
        }
    }

    fn forget(&mut self, reactor: &mut Reactor<Source, Timer>) {
        let (Some(registration), Some(reader)) = (self.registration.take(), self.fifo.reader())
        else {
            return;
        };
        if let Err(error) = reader.ending().and_then(|_| reactor.deregister(reader, registration)) {
            error!("cannot forget the reader of {}: {error}", self.settings.path);
        }
    }

    fn close(mut self, reactor: &mut Reactor<Source, Timer>, patience: Duration) {
        self.forget(reactor);
        self.fifo.close(patience);
    }
}
