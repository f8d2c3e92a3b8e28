//! The end of the daemon: the children stop, then the shutdown script runs.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use log::info;
use nix::sys::signal::{Signal as Kill, kill};
use runtime::signals::Signal;

use super::{CHILD_WAIT, Flow, Phase, Supervisor, Timer};
use crate::child::Kind;

/// How long a child that was killed may take to be gone. One that hangs in the kernel must not keep the daemon.
const AFTER_KILL: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Begins to stop; the daemon ends with `status`. A second request changes nothing.
    pub(super) fn stop(&mut self, status: i32, with_script: bool) -> Flow {
        match self.phase {
            Phase::Preparing | Phase::Running => {}
            Phase::Stopping { .. } | Phase::Parting { .. } => return ControlFlow::Continue(()),
        }
        info!("Stopping");
        self.notifier.stopping();
        self.phase = Phase::Stopping { status, with_script, forced: false };
        self.abandon_reload();
        if let Some(script) = self.script.take() {
            script.terminate();
            self.reactor.disarm(Timer::Script);
        }
        for kind in Kind::ALL {
            self.reactor.disarm(Timer::Restart(kind));
        }
        self.pass_on(Signal::Stop, &Kind::ALL);
        let wait = self.global.processes.child_wait.unwrap_or(CHILD_WAIT);
        self.reactor.arm(Timer::Stop, Instant::now() + wait);
        self.stopped_if_alone()
    }

    /// Goes on to the end when no child is left.
    pub(super) fn stopped_if_alone(&mut self) -> Flow {
        let Phase::Stopping { status, with_script, .. } = self.phase else {
            return ControlFlow::Continue(());
        };
        if self.slots.iter().any(|slot| slot.running.is_some()) {
            return ControlFlow::Continue(());
        }
        self.leave(status, with_script)
    }

    fn leave(&mut self, status: i32, with_script: bool) -> Flow {
        self.reactor.disarm(Timer::Stop);
        for slot in &self.slots {
            if let Some(file) = &slot.pid_file {
                file.remove();
            }
        }
        if !with_script {
            self.global.scripts.shutdown = None;
        }
        self.run_shutdown_script(status)
    }

    /// The children have had their time.
    pub(super) fn stop_is_due(&mut self) -> Flow {
        let Phase::Stopping { status, with_script, forced } = self.phase else {
            return ControlFlow::Continue(());
        };
        if forced {
            return self.leave(status, with_script);
        }
        for slot in &self.slots {
            if let Some(running) = &slot.running {
                info!("{} process failed to die - forcing termination", slot.kind.short_name());
                // One that has just ended is noticed elsewhere.
                let _ = kill(running.pid, Kill::SIGKILL);
            }
        }
        self.phase = Phase::Stopping { status, with_script, forced: true };
        self.reactor.arm(Timer::Stop, Instant::now() + AFTER_KILL);
        ControlFlow::Continue(())
    }
}
