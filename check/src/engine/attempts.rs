//! Attempts over the network: one connection each, watched until it is clear how it ends.

use std::time::Instant;

use log::{Level, error, info, log, log_enabled};

use super::live::{CheckId, Work};
use super::{Engine, Source, Timer};
use crate::probe::{Begun, Job, NotMade, Outcome, Probe, Progress};

impl Engine {
    /// Begins an attempt.
    pub(super) fn connect(&mut self, id: CheckId, now: Instant) {
        let Some(live) = self.checks.get_mut(id) else { return };
        let Some(subject) = live.subject(&self.config) else { return };
        let Some((job, connection)) = Job::of(subject.checker, live.check.url()) else { return };
        match Probe::begin(job, connection, &mut self.tools, &mut live.kept, now) {
            Ok(Begun::Going(probe)) => self.watch(id, probe, now),
            Ok(Begun::Over(outcome)) => self.attempted(id, &outcome, now),
            Err(not_made) => self.put_off(id, &not_made, now),
        }
    }

    fn watch(&mut self, id: CheckId, probe: Probe, now: Instant) {
        let Some(live) = self.checks.get_mut(id) else { return };
        match self.reactor.register(&probe, Source::Probe(id), probe.readiness()) {
            Ok(registration) => {
                self.reactor.arm(Timer::Check(id), probe.deadline());
                live.work = Work::Attempt(Box::new(probe), registration);
            }
            Err(failure) => {
                error!("cannot watch a connection: {failure}");
                self.pass_over(id, now);
            }
        }
    }

    /// Something has happened on the connection of an attempt.
    pub(super) fn advance(&mut self, id: CheckId, now: Instant) {
        let Some(live) = self.checks.get_mut(id) else { return };
        let Work::Attempt(probe, _) = &mut live.work else { return };
        match probe.on_ready(&mut self.tools, now) {
            Progress::Waiting => self.reactor.arm(Timer::Check(id), probe.deadline()),
            Progress::Again => {
                self.reactor.arm(Timer::Check(id), probe.deadline());
                self.reactor.again(Source::Probe(id));
            }
            Progress::Over(outcome) => self.end_attempt(id, &outcome, now),
        }
    }

    /// The time of an attempt may be up, or that of a phase of it.
    pub(super) fn attempt_late(&mut self, id: CheckId, now: Instant) {
        let Some(live) = self.checks.get_mut(id) else { return };
        let Work::Attempt(probe, _) = &mut live.work else { return };
        match probe.on_deadline(now) {
            Some(outcome) => self.end_attempt(id, &outcome, now),
            None => self.reactor.arm(Timer::Check(id), probe.deadline()),
        }
    }

    fn end_attempt(&mut self, id: CheckId, outcome: &Outcome, now: Instant) {
        self.reactor.disarm(Timer::Check(id));
        let Some(live) = self.checks.get_mut(id) else { return };
        let Work::Attempt(probe, registration) = std::mem::take(&mut live.work) else { return };
        if !probe.keeps_descriptor(outcome) {
            self.reactor.forget(registration);
        } else if let Err(failure) = self.reactor.deregister(&probe, registration) {
            error!("cannot forget a socket: {failure}");
        }
        probe.finish(outcome, &mut live.kept);
        self.attempted(id, outcome, now);
    }

    fn attempted(&mut self, id: CheckId, outcome: &Outcome, now: Instant) {
        let Some(live) = self.checks.get_mut(id) else { return };
        let Some(subject) = live.subject(&self.config) else { return };
        let conclusion = live.check.conclude(subject, outcome, log_enabled!(Level::Debug), now);
        self.conclude(id, conclusion);
    }

    /// An attempt could not even be made: that says nothing about the server.
    fn put_off(&mut self, id: CheckId, not_made: &NotMade, now: Instant) {
        let Some(subject) = self.checks.get(id).and_then(|live| live.subject(&self.config)) else {
            return;
        };
        let (name, service) = (subject.name(), &subject.service.name);
        let details = log_enabled!(Level::Debug);
        let notices = not_made.notices.iter();
        for (level, line) in notices.filter_map(|one| one.line(&name, service, details)) {
            log!(level, "{line}");
        }
        info!("{}", not_made.line(&name));
        self.pass_over(id, now);
    }
}
