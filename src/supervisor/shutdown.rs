//! The end of the daemon: the children stop, then the shutdown script runs.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use log::info;
use nix::sys::signal::{Signal as Kill, kill};
use runtime::signals::Signal;

use super::{CHILD_WAIT, Flow, Phase, Pressure, Slot, Supervisor, Timer};
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
        self.phase = Phase::Stopping { status, with_script, pressure: Pressure::Told };
        self.abandon_reload();
        if let Some(script) = self.script.take() {
            script.terminate();
            self.reactor.disarm(Timer::Script);
        }
        for kind in Kind::ALL {
            self.reactor.disarm(Timer::Restart(kind));
        }
        self.tell_to_stop(&Kind::ALL);
        self.stopped_if_alone()
    }

    fn tell_to_stop(&mut self, kinds: &[Kind]) {
        self.pass_on(Signal::Stop, kinds);
        let wait = self.global.processes.child_wait.unwrap_or(CHILD_WAIT);
        self.reactor.arm(Timer::Stop, Instant::now() + wait);
    }

    /// Goes on to the end when no child is left.
    pub(super) fn stopped_if_alone(&mut self) -> Flow {
        let Phase::Stopping { status, with_script, pressure } = self.phase else {
            return ControlFlow::Continue(());
        };
        let runs = |slots: &[Slot]| slots.iter().any(|slot| slot.running.is_some());
        if runs(&self.slots) {
            return ControlFlow::Continue(());
        }
        if pressure == Pressure::Told {
            self.phase = Phase::Stopping { status, with_script, pressure: Pressure::Followed };
            self.follow_the_killed()?;
            if runs(&self.slots) {
                return ControlFlow::Continue(());
            }
        }
        self.leave(status, with_script)
    }

    /// A child that was killed and has not come back has left its addresses, or the table of IPVS. Another one takes them
    /// over, as it always would, and removes them.
    fn follow_the_killed(&mut self) -> Flow {
        for kind in Kind::ALL {
            if self.slot(kind).traces {
                info!(
                    "Starting another {} child process to remove what the last one left",
                    kind.title()
                );
                self.make_child(kind)?;
                self.tell_to_stop(&[kind]);
            }
        }
        ControlFlow::Continue(())
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
        let Phase::Stopping { status, with_script, pressure } = self.phase else {
            return ControlFlow::Continue(());
        };
        if pressure == Pressure::Forced {
            return self.leave(status, with_script);
        }
        for slot in &self.slots {
            if let Some(running) = &slot.running {
                info!("{} process failed to die - forcing termination", slot.kind.short_name());
                // One that has just ended is noticed elsewhere.
                let _ = kill(running.pid, Kill::SIGKILL);
            }
        }
        self.phase = Phase::Stopping { status, with_script, pressure: Pressure::Forced };
        self.reactor.arm(Timer::Stop, Instant::now() + AFTER_KILL);
        ControlFlow::Continue(())
    }
}
