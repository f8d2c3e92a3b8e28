//! The startup and the shutdown script.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use log::{debug, info};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use runtime::global::Script;
use runtime::process::Ending;
use runtime::scripts::{self, Patience, Running, Step};

use super::{Flow, Outcome, Phase, Supervisor, Timer};

/// How long a script may take, where the configuration does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The one script of the parent that runs.
#[derive(Debug)]
pub(super) struct DaemonScript {
    kind: &'static str,
    running: Running,
    patience: Patience,
    /// How often it has been found alive after it was killed.
    survived: u32,
}

impl DaemonScript {
    fn start(kind: &'static str, script: &Script, limit: Option<Duration>) -> Option<Self> {
        let name = script.argv.first().map(|name| name.to_string_lossy()).unwrap_or_default();
        debug!("Running {kind} script {name}");
        match scripts::start::<&str>(script, &[]) {
            Ok(running) => {
                let patience = Patience::new(Instant::now(), limit.unwrap_or(TIMEOUT));
                Some(Self { kind, running, patience, survived: 0 })
            }
            Err(error) => {
                info!("Call of {kind} script {name} failed: {error}");
                None
            }
        }
    }

    /// Its process number.
    pub(super) fn pid(&self) -> Pid {
        self.running.pid()
    }

    /// Asks it, and what it has started, to end.
    pub(super) fn terminate(&self) {
        // It may just have ended.
        let _ = self.running.signal(Signal::SIGTERM);
    }
}

impl Supervisor {
    /// Runs the startup script, if there is one, then starts the children.
    pub(super) fn begin(&mut self) -> Flow {
        let settings = &self.global.scripts;
        let script = settings
            .startup
            .as_ref()
            .and_then(|script| DaemonScript::start("startup", script, settings.startup_timeout));
        self.run_script(script, |supervisor| supervisor.start_children())
    }

    /// Runs the shutdown script, if there is one, then ends the daemon.
    pub(super) fn run_shutdown_script(&mut self, status: i32) -> Flow {
        self.phase = Phase::Parting { status };
        let settings = &self.global.scripts;
        let script = settings
            .shutdown
            .as_ref()
            .and_then(|script| DaemonScript::start("shutdown", script, settings.shutdown_timeout));
        self.run_script(script, |_| ControlFlow::Break(Outcome::Exit(status)))
    }

    fn run_script(
        &mut self,
        script: Option<DaemonScript>,
        otherwise: impl FnOnce(&mut Self) -> Flow,
    ) -> Flow {
        match script {
            Some(script) => {
                self.reactor.arm(Timer::Script, script.patience.deadline());
                self.script = Some(script);
                ControlFlow::Continue(())
            }
            None => otherwise(self),
        }
    }

    pub(super) fn script_ended(&mut self, ending: Ending) -> Flow {
        let Some(script) = self.script.take() else { return ControlFlow::Continue(()) };
        self.reactor.disarm(Timer::Script);
        let kind = script.kind;
        match ending {
            Ending::Exited(0) => debug!("{kind} script script succeeded"),
            Ending::Exited(status) => info!("{kind} script script failed, status {status}"),
            Ending::Signalled(signal) if script.patience.is_over() => {
                // What it has started may have taken the request to end less seriously.
                let _ = script.running.signal(Signal::SIGKILL);
                debug!("{kind} script ended by signal {signal}");
            }
            Ending::Signalled(signal) => info!("{kind} script ended by signal {signal}"),
        }
        self.after_script()
    }

    /// Whatever came of the script, the daemon goes on.
    fn after_script(&mut self) -> Flow {
        match self.phase {
            Phase::Preparing => self.start_children(),
            Phase::Parting { status } => ControlFlow::Break(Outcome::Exit(status)),
            Phase::Running | Phase::Stopping { .. } => ControlFlow::Continue(()),
        }
    }

    pub(super) fn script_is_late(&mut self) -> Flow {
        let Some(script) = &mut self.script else { return ControlFlow::Continue(()) };
        let kind = script.kind;
        match script.patience.step(Instant::now()) {
            None => {}
            Some(Step::KillAgain) if script.survived > 0 => {
                self.script = None;
                return self.after_script();
            }
            Some(step) => {
                match step {
                    Step::Terminate => info!("{kind} script timed out"),
                    Step::Kill => {}
                    Step::KillAgain => {
                        let pid = script.pid();
                        info!("{kind} script (PID {pid}) failed to terminate after kill");
                        script.survived += 1;
                    }
                }
                // One that has just ended is noticed elsewhere.
                let _ = script.running.signal(step.signal());
            }
        }
        self.reactor.arm(Timer::Script, script.patience.deadline());
        ControlFlow::Continue(())
    }
}
