//! Tracked scripts: run again and again, one run of each at a time.

use std::time::Instant;

use log::{debug, error, info};
use runtime::process::Ending;
use runtime::reactor::{Reactor, Readiness, Registration};
use runtime::scripts::{self, Patience, Running};

use super::super::table::Table;
use super::super::{Engine, Source, Timer};
use crate::config::track::{Script, ScriptId};
use crate::track::script::{Outcome, Score, Verdict};

/// A tracked script.
#[derive(Debug)]
pub(in super::super) struct TrackedScript {
    config: Script,
    score: Score,
    /// Whether those who depend on it wait for its first result. Not after a reload: what works goes on.
    awaited: bool,
    /// When it runs next.
    due: Instant,
    run: Option<Run>,
}

/// A run that has not ended.
#[derive(Debug)]
struct Run {
    running: Running,
    registration: Registration,
    patience: Patience,
}

impl TrackedScript {
    /// A script that runs for the first time at `due`.
    fn new(config: &Script, awaited: bool, due: Instant) -> Self {
        let score = Score::new(config.rise, config.fall, config.init_fail);
        Self { config: config.clone(), score, awaited, due, run: None }
    }

    /// What is called by its name.
    pub(in super::super) fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether it is good; `None` while it does not count.
    pub(in super::super) fn is_good(&self) -> Option<bool> {
        match self.score.verdict() {
            Verdict::Good => Some(true),
            Verdict::Bad => Some(false),
            Verdict::Unknown => None,
        }
    }

    /// Whether those who depend on it must wait.
    pub(in super::super) fn is_awaited(&self) -> bool {
        self.awaited && self.score.verdict() == Verdict::Unknown
    }

    /// What was configured.
    pub(in super::super) fn config(&self) -> &Script {
        &self.config
    }

    /// How good it is.
    pub(in super::super) fn score(&self) -> &Score {
        &self.score
    }

    /// What it is doing, in the words of data dumps.
    pub(in super::super) fn activity(&self) -> &'static str {
        match &self.run {
            None => "idle",
            Some(run) if run.patience.is_killing() => "forcing termination",
            Some(run) if run.patience.is_over() => "requested termination",
            Some(_) => "running",
        }
    }

    /// The same script under a changed configuration: its result stays.
    fn carried_over(mut self, config: &Script) -> Self {
        self.score = self.score.carried_over(config.rise, config.fall);
        match self.is_good() {
            Some(true) => info!("VRRP_Script({}) considered successful on reload", config.name),
            Some(false) => info!("VRRP_Script({}) considered unsuccessful on reload", config.name),
            None => {}
        }
        self.awaited = false;
        self.config = config.clone();
        self
    }

    /// The end of the current run, if it has come.
    fn take_outcome(&mut self, reactor: &mut Reactor<Source, Timer>) -> Option<Outcome> {
        let run = self.run.take()?;
        let ending = match run.running.ending() {
            Ok(Some(ending)) => ending,
            Ok(None) => {
                self.run = Some(run);
                return None;
            }
            Err(error) => {
                error!("Script {} child (PID {}) lost: {error}", self.name(), run.running.pid());
                Ending::Exited(-1)
            }
        };
        if let Err(error) = reactor.deregister(&run.running, run.registration) {
            error!("cannot forget script {}: {error}", self.config.name);
        }
        Some(match ending {
            Ending::Signalled(_) if run.patience.is_over() => Outcome::TimedOut,
            Ending::Signalled(signal) => Outcome::Signalled(signal as i32),
            Ending::Exited(status) => Outcome::Exited(u8::try_from(status).unwrap_or(u8::MAX)),
        })
    }
}

impl Engine {
    /// Makes the table of tracked scripts that the configuration wants. `fresh` is true when the process starts.
    pub(in super::super) fn track_scripts(&mut self, fresh: bool, now: Instant) {
        for id in self.tracked.scripts.keys() {
            self.reactor.disarm(Timer::Script(id));
            self.reactor.disarm(Timer::Patience(id));
        }
        let mut before: Vec<TrackedScript> =
            std::mem::take(&mut self.tracked.scripts).into_iter().collect();
        let mut scripts = Vec::new();
        for config in &self.config.scripts {
            let same = before.iter().position(|one| one.config.script == config.script);
            scripts.push(match same {
                Some(place) => before.remove(place).carried_over(config),
                None => TrackedScript::new(config, fresh, now),
            });
        }
        self.tracked.scripts = scripts.into_iter().collect();
        for dropped in before {
            self.abandon(dropped);
        }
        for id in self.tracked.scripts.keys() {
            self.rename_run(id);
            if let Some(script) = self.tracked.scripts.get(id) {
                self.reactor.arm(Timer::Script(id), script.due);
            }
        }
    }

    /// A run that goes on over a reload is now known by another number.
    fn rename_run(&mut self, id: ScriptId) {
        let Some(script) = self.tracked.scripts.get_mut(id) else { return };
        let Some(run) = script.run.take() else { return };
        let Run { running, registration, patience } = run;
        let renamed = self.reactor.deregister(&running, registration).and_then(|()| {
            self.reactor.register(&running, Source::Tracked(id), Readiness::Readable)
        });
        match renamed {
            Ok(registration) => {
                self.reactor.arm(Timer::Patience(id), patience.deadline());
                script.run = Some(Run { running, registration, patience });
            }
            Err(error) => error!("cannot watch script {}: {error}", script.config.name),
        }
    }

    /// A script that nobody tracks any more is ended, and its process taken leave of like that of a notification.
    fn abandon(&mut self, script: TrackedScript) {
        let Some(Run { running, registration, .. }) = script.run else { return };
        // It may have ended just now.
        let _ = running.signal(nix::sys::signal::Signal::SIGTERM);
        if let Err(error) = self.reactor.deregister(&running, registration) {
            error!("cannot forget script {}: {error}", script.config.name);
        }
        self.audience.adopt(running, &mut self.reactor);
    }

    /// Runs a script, unless it still runs. The next run is due an interval after this one, however long it takes.
    pub(in super::super) fn run_script(&mut self, id: ScriptId, now: Instant) {
        let Some(script) = self.tracked.scripts.get_mut(id) else { return };
        let config = &script.config;
        script.due = now + config.interval;
        self.reactor.arm(Timer::Script(id), script.due);
        if let Some(run) = &script.run {
            let how = if run.patience.is_over() { "being timed out" } else { "already running" };
            info!("Track script {} is {how}, expect idle - skipping run", config.name);
            return;
        }
        let patience = Patience::new(now, config.timeout.unwrap_or(config.interval));
        let started = scripts::start::<&str>(&config.script, &[]).and_then(|running| {
            let registration =
                self.reactor.register(&running, Source::Tracked(id), Readiness::Readable)?;
            Ok(Run { running, registration, patience })
        });
        match started {
            Ok(run) => {
                self.reactor.arm(Timer::Patience(id), patience.deadline());
                script.run = Some(run);
            }
            Err(error) => error!("cannot run script {}: {error}", config.name),
        }
    }

    /// The time of a run is up.
    pub(in super::super) fn lose_patience(&mut self, id: ScriptId, now: Instant) {
        let Some(script) = self.tracked.scripts.get_mut(id) else { return };
        let Some(run) = &mut script.run else { return };
        let Some(step) = run.patience.step(now) else { return };
        if step == scripts::Step::KillAgain {
            let pid = run.running.pid();
            info!("Script {} child (PID {pid}) failed to terminate after kill", script.config.name);
        }
        if let Err(error) = run.running.signal(step.signal()) {
            debug!("Script {}: {error}", script.config.name);
        }
        self.reactor.arm(Timer::Patience(id), run.patience.deadline());
    }

    /// A run has ended.
    pub(in super::super) fn run_ended(&mut self, id: ScriptId, now: Instant) {
        let Some(script) = self.tracked.scripts.get_mut(id) else { return };
        let Some(outcome) = script.take_outcome(&mut self.reactor) else { return };
        self.reactor.disarm(Timer::Patience(id));
        if let Some(status) = script.score.status_changed(outcome) {
            info!("Script `{}` now returning {status}", script.name());
        }
        let Some(verdict) = script.score.count(outcome) else { return };
        log_verdict(script.name(), verdict, outcome);
        self.meet_dependants(|trackers| &trackers.scripts, id, now);
    }

    /// Asks all runs to end, when the process does.
    pub(in super::super) fn end_runs(&mut self) {
        for script in std::mem::take(&mut self.tracked.scripts) {
            self.abandon(script);
        }
    }
}

fn log_verdict(name: &str, verdict: Verdict, outcome: Outcome) {
    match (verdict, outcome) {
        (Verdict::Good, _) => info!("VRRP_Script({name}) succeeded"),
        (_, Outcome::Exited(status)) => {
            info!("VRRP_Script({name}) failed (exited with status {status})");
        }
        (_, Outcome::Signalled(signal)) => {
            info!("VRRP_Script({name}) failed (due to signal {signal})");
        }
        (_, Outcome::TimedOut) => info!("VRRP_Script({name}) timed_out"),
    }
}

/// The tracked scripts by their numbers.
pub(in super::super) type TrackedScripts = Table<ScriptId, TrackedScript>;
