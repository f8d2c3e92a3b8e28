//! Runs of the scripts of MISC_CHECK.

use std::time::Instant;

use log::{debug, error, info};
use nix::sys::signal::Signal;
use runtime::process::Ending;
use runtime::reactor::Readiness;
use runtime::scripts::{self, Patience, Running, Step};

use super::live::{CheckId, Run, Work};
use super::{Engine, Source, Timer};
use crate::check::Ended;
use crate::config::checker::Kind;

impl Engine {
    /// Runs the script of a check.
    pub(super) fn run_script(&mut self, id: CheckId, now: Instant) {
        let Some(live) = self.checks.get_mut(id) else { return };
        let Some(subject) = live.subject(&self.config) else { return };
        let Kind::Misc(_, misc) = &subject.checker.kind else { return };
        let patience = Patience::new(now, misc.timeout);
        let started = scripts::start::<&str>(&misc.script, &[]).and_then(|running| {
            let registration =
                self.reactor.register(&running, Source::Run(id), Readiness::Readable)?;
            Ok(Work::Run(Box::new(Run { running, registration, patience })))
        });
        match started {
            Ok(run) => {
                live.check.begin_run(now);
                live.work = run;
                self.reactor.arm(Timer::Check(id), patience.deadline());
            }
            Err(failure) => {
                error!("cannot run script {}: {failure}", misc.script.program.to_string_lossy());
                self.pass_over(id, now);
            }
        }
    }

    /// The time of a run is up.
    pub(super) fn lose_patience(&mut self, id: CheckId, now: Instant) {
        let Some(live) = self.checks.get_mut(id) else { return };
        let Work::Run(run) = &mut live.work else { return };
        let Run { running, patience, .. } = &mut **run;
        if let Some(step) = patience.step(now) {
            let pid = running.pid();
            if step == Step::KillAgain {
                info!("Child (PID {pid}) failed to terminate after kill");
            }
            if let Err(failure) = running.signal(step.signal()) {
                debug!("script {pid}: {failure}");
            }
        }
        self.reactor.arm(Timer::Check(id), patience.deadline());
    }

    /// A run has ended.
    pub(super) fn run_ended(&mut self, id: CheckId, now: Instant) {
        let Some(live) = self.checks.get_mut(id) else { return };
        let Work::Run(run) = &live.work else { return };
        let Run { running, patience, .. } = &**run;
        let ended = match running.ending() {
            Ok(None) => return,
            Ok(Some(ending)) => ended(ending, running, patience),
            Err(failure) => {
                error!("script {} is lost: {failure}", running.pid());
                Ended::Exited(u8::MAX)
            }
        };
        self.reactor.disarm(Timer::Check(id));
        if let Work::Run(run) = std::mem::take(&mut live.work) {
            self.reactor.forget(run.registration);
        }
        let Some(subject) = live.subject(&self.config) else { return };
        let conclusion = live.check.ended(subject, ended, now);
        self.conclude(id, conclusion);
    }
}

/// What the end of a run comes to. One that we have signalled may end by itself all the same, and that counts.
fn ended(ending: Ending, running: &Running, patience: &Patience) -> Ended {
    match ending {
        Ending::Exited(status) => Ended::Exited(u8::try_from(status).unwrap_or(u8::MAX)),
        Ending::Signalled(signal) => {
            let ours = match signal {
                Signal::SIGTERM => patience.is_over(),
                Signal::SIGKILL => patience.is_killing(),
                _ => false,
            };
            if ours {
                // What it has started may not have heard, or not have cared.
                let _ = running.signal(Signal::SIGKILL);
                return Ended::TimedOut;
            }
            Ended::Signalled(signal as i32)
        }
    }
}
