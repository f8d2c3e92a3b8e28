//! Stopping: handing over, taking everything away, saying so.

use std::time::{Duration, Instant};

use log::error;
use nix::sys::signal::Signal;

use super::notify::News;
use super::{Engine, Source, Timer};
use crate::fsm::Event;

/// How long scripts have that are told about the end.
const GRACE: Duration = Duration::from_secs(1);

impl Engine {
    /// Ends all elections and removes what is ours. Scripts are told when that has happened.
    pub(super) fn stop(&mut self) {
        let now = Instant::now();
        self.end_runs();
        if !self.options.keep_vrrp {
            for id in self.instances.keys() {
                self.drive(id, Event::Stop, now);
            }
            self.config.static_addresses.clear();
            self.dirty = true;
        }
        self.flush(now);
        // Those that were told something else before may run on until the process is gone.
        let before = self.next_script;
        for id in self.instances.keys() {
            self.tell(id, News::Stopped);
        }
        for id in self.groups.keys() {
            self.tell_group(id, News::Stopped);
        }
        self.flush(now);
        self.await_scripts(before, now + GRACE);
        self.listeners.close(&mut self.reactor);
    }

    /// Waits until the scripts from number `first` on have ended, and kills those that have not at `deadline`.
    fn await_scripts(&mut self, first: u32, deadline: Instant) {
        self.reactor.arm(Timer::Grace, deadline);
        let mut ready = Vec::new();
        while self.scripts.keys().any(|&number| number >= first) && Instant::now() < deadline {
            if let Err(error) = self.reactor.wait(&mut ready) {
                error!("cannot wait for scripts: {error}");
                break;
            }
            for source in ready.drain(..) {
                if let Source::Script(number) = source {
                    self.script_ended(number);
                }
            }
            while self.reactor.expired(Instant::now()).is_some() {}
        }
        let late = self.scripts.iter().filter(|&(&number, _)| number >= first);
        for (_, (running, _)) in late {
            // It may have ended just now.
            let _ = running.signal(Signal::SIGKILL);
        }
    }
}
