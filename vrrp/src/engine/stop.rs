//! Stopping: handing over, taking everything away, saying so.

use std::time::{Duration, Instant};

use log::error;
use nix::sys::signal::Signal;
use runtime::scripts::NotifierId;

use super::notify::News;
use super::{Engine, Source, Timer};
use crate::fsm::Event;

/// How long scripts have that are told about the end, and the mails that are not sent yet.
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
            self.config.static_routes.clear();
            self.config.static_rules.clear();
            self.dirty = true;
        }
        self.flush(now);
        // Those that were told something else before may run on until the process is gone.
        let before = self.notifiers.next();
        for id in self.instances.keys() {
            self.tell(id, News::Stopped);
        }
        for id in self.groups.keys() {
            self.tell_group(id, News::Stopped);
        }
        self.flush(now);
        self.stop_subagent();
        self.stop_service();
        // Groups are left while their interfaces are there to say so.
        self.sockets.leave_all();
        self.sockets.close_idle(&mut self.reactor);
        self.await_told(before, now + GRACE);
        if !self.options.keep_vrrp {
            self.remove_links();
            self.restore_settings();
        }
        self.remove_firewall();
        self.stop_synchronisation();
        self.listeners.close(&mut self.reactor);
    }

    /// Waits until the scripts from `first` on have ended and all mails are sent, and kills those scripts that
    /// have not at `deadline`.
    fn await_told(&mut self, first: NotifierId, deadline: Instant) {
        self.reactor.arm(Timer::Grace, deadline);
        let mut ready = Vec::new();
        while (self.notifiers.running_since(first) > 0 || !self.mails.is_idle())
            && Instant::now() < deadline
        {
            if let Err(error) = self.reactor.wait(&mut ready) {
                error!("cannot wait for scripts and mails: {error}");
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
        self.notifiers.signal_since(first, Signal::SIGKILL);
    }
}
