//! When checks make their attempts, and what follows from how those end.

use std::time::{Duration, Instant};

use log::{info, log};
use runtime::process;
use runtime::sys::random::random;

use super::live::{CheckId, Work};
use super::{Engine, Timer};
use crate::check::Conclusion;
use crate::config::checker::Kind;

/// Before the first attempts.
const BOOTSTRAP: Duration = Duration::from_secs(1);

impl Engine {
    /// Has all checks make their first attempts, not all at once.
    pub(super) fn activate(&mut self, now: Instant) {
        for id in self.checks.ids() {
            let Some(live) = self.checks.get_mut(id) else { continue };
            let Some(subject) = live.subject(&self.config) else { continue };
            let Some(timing) = subject.checker.kind.timing() else { continue };
            if !live.enabled || !live.check.has_run() {
                let what = if live.enabled { "Activating" } else { "Deactivating" };
                info!(
                    "{what} healthchecker for service {} for VS {}",
                    subject.name(),
                    subject.service.name
                );
            }
            let first = now + BOOTSTRAP + at_random(timing.warmup);
            self.reactor.arm(Timer::Check(id), first);
        }
        info!("Activating BFD healthchecker");
        // From now on nothing grows, and loading has left behind what the old configuration and the table's took.
        process::trim_memory();
    }

    /// What a check waits for is due: its next attempt, or the end of the one under way, or of a phase of it.
    pub(super) fn due(&mut self, id: CheckId, now: Instant) {
        match self.checks.get(id).map(|live| &live.work) {
            Some(Work::Nothing) => self.attempt(id, now),
            Some(Work::Attempt(..)) => self.attempt_late(id, now),
            Some(Work::Run(..)) => self.lose_patience(id, now),
            None => {}
        }
    }

    fn attempt(&mut self, id: CheckId, now: Instant) {
        let Some(live) = self.checks.get(id) else { return };
        let Some(subject) = live.subject(&self.config) else { return };
        match subject.checker.kind {
            _ if !live.enabled => self.pass_over(id, now),
            Kind::Misc(..) => self.run_script(id, now),
            _ => self.connect(id, now),
        }
    }

    /// No attempt is made this time.
    pub(super) fn pass_over(&mut self, id: CheckId, now: Instant) {
        let Some(live) = self.checks.get_mut(id) else { return };
        let Some(subject) = live.subject(&self.config) else { return };
        let next = live.check.pass_over(subject, now);
        self.reactor.arm(Timer::Check(id), next);
    }

    /// Does what the end of an attempt comes to.
    pub(super) fn conclude(&mut self, id: CheckId, conclusion: Conclusion) {
        let Some(live) = self.checks.get(id) else { return };
        let (server, place) = (live.server, live.place);
        if let Some(next) = conclusion.next {
            self.reactor.arm(Timer::Check(id), next);
        }
        conclusion.notices.iter().for_each(|(level, line)| log!(*level, "{line}"));
        if let Some(contribution) = conclusion.contribution {
            self.balance.set_contribution(server, place, contribution);
            self.tell();
        }
        conclusion.lines.iter().for_each(|line| info!("{line}"));
        let Some(verdict) = conclusion.report else { return };
        if let Some(contribution) = conclusion.quiet_contribution {
            self.balance.replace_contribution(server, place, contribution);
        }
        let turned = self.balance.report(server, place, verdict.up, verdict.first);
        self.tell();
        if let Some(body) = conclusion.mail {
            self.mail_result(server, turned, body);
        }
    }
}

/// A time of at most `longest`.
fn at_random(longest: Duration) -> Duration {
    // Nothing is lost where the kernel has none to give: all begin at once then.
    let share = random().unwrap_or(0);
    longest.mul_f64(f64::from(share) / f64::from(u32::MAX))
}
