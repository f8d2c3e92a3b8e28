//! Stopping: taking everything away, and telling those who want to know.

use std::time::{Duration, Instant};

use log::error;
use nix::sys::signal::Signal;
use runtime::scripts::NotifierId;

use super::{Engine, Source, Timer};

/// How long scripts have that are told about the end, and the mails that are not sent yet.
const GRACE: Duration = Duration::from_secs(1);

impl Engine {
    /// Ends all checks and removes what is ours.
    pub(super) fn stop(&mut self) {
        let now = Instant::now();
        self.forget_addresses();
        self.flush(now);
        // Those that were told something else before may run on until the process is gone; not so the runs of checks.
        let before = self.notifiers.next();
        self.end_work();
        if !self.options.keep_ipvs {
            self.balance.stop();
            self.tell();
        }
        self.close_table();
        self.flush(now);
        self.stop_subagent();
        self.await_told(before, now + GRACE);
        self.listeners.close(&mut self.reactor);
        self.ping_range.put_back();
    }

    /// Waits until the scripts from `first` on have ended and all mails are sent, and kills those scripts that have not at
    /// `deadline`.
    fn await_told(&mut self, first: NotifierId, deadline: Instant) {
        self.reactor.arm(Timer::Grace, deadline);
        let mut ready = Vec::new();
        while (self.notifiers.running_since(first) > 0 || !self.mails.is_idle())
            && Instant::now() < deadline
        {
            if let Err(failure) = self.reactor.wait(&mut ready) {
                error!("cannot wait for scripts and mails: {failure}");
                break;
            }
            for source in ready.drain(..) {
                match source {
                    Source::Script(id) => self.notifiers.ended(id, &mut self.reactor),
                    Source::Mail(id) => self.mails.serve(id, &mut self.reactor, Instant::now()),
                    _ => {}
                }
            }
            let now = Instant::now();
            while let Some(timer) = self.reactor.expired(now) {
                if let Timer::Mail(id) = timer {
                    self.mails.serve(id, &mut self.reactor, now);
                }
            }
            self.mails.flush(&mut self.reactor, now);
        }
        let late = self.notifiers.running_since(first);
        if late > 0 {
            error!("backstop thread invoked: shutdown timer not running, child count {late}");
            self.notifiers.signal_since(first, Signal::SIGKILL);
        }
    }
}
