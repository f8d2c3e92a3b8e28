//! Starting children, hearing from them, and what happens when one ends.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use log::{debug, error, info};
use nix::unistd::Pid;
use runtime::child::{self, ParentEnd, Received, Setup, ToChild, ToParent};
use runtime::process::{self, Ending, Side};
use runtime::reactor::Readiness;
use runtime::signals::Signal;
use runtime::sys;

use super::{Flow, Outcome, Phase, RunningChild, Source, Supervisor, Timer};
use crate::child::{Born, Kind, log_settings};
use crate::crash_report;
use crate::pid_file::PidFile;
use crate::respawn::{self, Permanent, describe};

/// How long to wait before trying again to make a process.
const FORK_AGAIN: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Starts whatever the configuration asks for, after the startup script.
    pub(super) fn start_children(&mut self) -> Flow {
        self.phase = Phase::Running;
        let mut any = false;
        for kind in Kind::ALL {
            if self.is_wanted(kind) {
                any = true;
                self.start_child(kind)?;
            } else if let Some(file) = self.slot(kind).pid_file.take() {
                file.remove();
            }
        }
        if !any {
            info!("Warning - keepalived has no configuration to run");
        }
        self.start_monitor();
        self.complete_if_loaded()
    }

    /// Whether a child of this kind has something to do, and may.
    pub(super) fn is_wanted(&self, kind: Kind) -> bool {
        let children = self.options.children;
        kind.is_allowed(children) && (kind.is_needed(self.needs) || children.unconfigured)
    }

    /// Starts a child now, whatever its delay was. It returns twice, as a fork does.
    pub(super) fn start_child(&mut self, kind: Kind) -> Flow {
        self.reactor.disarm(Timer::Restart(kind));
        if self.phase != Phase::Running || self.slot(kind).running.is_some() {
            return ControlFlow::Continue(());
        }
        self.make_child(kind)
    }

    /// Makes the process of a child. It returns twice, as a fork does.
    pub(super) fn make_child(&mut self, kind: Kind) -> Flow {
        self.renew_pid_file(kind);
        match self.fork(kind) {
            Ok((Side::Child, _, setup)) => {
                let born = Born {
                    kind,
                    setup,
                    pid_file: self.slot(kind).pid_file.take(),
                    log: log_settings(kind, &self.options, &self.global),
                };
                ControlFlow::Break(Outcome::Child(Box::new(born)))
            }
            Ok((Side::Parent(pid), control, _)) => {
                info!("Starting {} child process, pid={pid}", kind.title());
                self.slot(kind).traces = false;
                self.adopt(kind, pid, control);
                ControlFlow::Continue(())
            }
            Err(error) => {
                info!("{} child process: fork error({error})", kind.title());
                self.reactor.arm(Timer::Restart(kind), Instant::now() + FORK_AGAIN);
                ControlFlow::Continue(())
            }
        }
    }

    fn fork(&mut self, kind: Kind) -> io::Result<(Side, ParentEnd, Setup)> {
        let config = self.config_of(kind).try_clone()?;
        let links = self.joints.of(kind)?;
        let (near, control) = child::channel()?;
        let note = self.slot(kind).pid_path.with_extension("settings");
        let setup = Setup { control, config, options: self.options.child, links, note };
        Ok((process::fork()?, near, setup))
    }

    fn config_of(&self, kind: Kind) -> &OwnedFd {
        match kind {
            Kind::Checker => &self.parts.checker,
            Kind::Vrrp => &self.parts.vrrp,
            Kind::Bfd => &self.parts.bfd,
        }
    }

    /// The child inherits the locked file. It may have been removed since it was locked, by the last child or by others.
    fn renew_pid_file(&mut self, kind: Kind) {
        let slot = self.slot(kind);
        let renewed = match slot.pid_file.take() {
            Some(file) => file.renewed(),
            None => PidFile::lock(&slot.pid_path),
        };
        match renewed {
            Ok(file) => slot.pid_file = Some(file),
            Err(refusal) => info!("{refusal}"),
        }
    }

    fn adopt(&mut self, kind: Kind, pid: Pid, control: ParentEnd) {
        match self.reactor.register(&control, Source::Control(kind), Readiness::Readable) {
            Ok(registration) => {
                let since = Instant::now();
                self.slot(kind).running = Some(RunningChild { pid, since, control, registration });
                self.await_load(kind);
            }
            // Without its channel it would never be heard of again. Its end brings the next attempt.
            Err(error) => error!("cannot watch the {} child process: {error}", kind.title()),
        }
    }

    pub(super) fn await_load(&mut self, kind: Kind) {
        if !self.awaited.contains(&kind) {
            self.awaited.push(kind);
        }
    }

    /// Starts those children that wait for the end of a delay.
    pub(super) fn start_waiting(&mut self, kinds: &[Kind]) -> Flow {
        for &kind in kinds {
            if self.reactor.armed(Timer::Restart(kind)).is_some() {
                self.start_child(kind)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Sends a signal to those children of `kinds` that run.
    pub(super) fn pass_on(&mut self, signal: Signal, kinds: &[Kind]) {
        for slot in &self.slots {
            if let Some(running) = slot.running.as_ref().filter(|_| kinds.contains(&slot.kind)) {
                // One that has just ended is noticed elsewhere.
                let _ = sys::signal::send(running.pid, signal.number());
            }
        }
    }

    /// Sends a running child its part of a new configuration.
    pub(super) fn send_configuration(&mut self, kind: Kind) {
        let Ok(config) = self.config_of(kind).try_clone() else { return };
        let Some(running) = &self.slot(kind).running else { return };
        match running.control.send(&ToChild::Configuration(config)) {
            Ok(()) => self.await_load(kind),
            // If it is dying, the next one starts with the new configuration.
            Err(error) => debug!("cannot reach the {} child process: {error}", kind.title()),
        }
    }

    pub(super) fn hear_child(&mut self, kind: Kind) -> Flow {
        loop {
            let Some(running) = &self.slot(kind).running else { return ControlFlow::Continue(()) };
            match running.control.receive() {
                Ok(Received::Message(ToParent::Loaded)) => {
                    self.awaited.retain(|&awaited| awaited != kind);
                    self.complete_if_loaded()?;
                }
                Ok(Received::Message(ToParent::Reload)) => self.request_reload()?,
                // Its end is told by a signal, with its status.
                Ok(Received::Nothing | Received::End) => return ControlFlow::Continue(()),
                Err(error) => {
                    error!("cannot hear the {} child process: {error}", kind.title());
                    return ControlFlow::Continue(());
                }
            }
        }
    }

    pub(super) fn child_ended(&mut self, kind: Kind, ending: Ending) -> Flow {
        let Some(running) = self.slot(kind).running.take() else {
            return ControlFlow::Continue(());
        };
        let RunningChild { pid, since, control, registration } = running;
        // The descriptor is closed either way.
        let _ = self.reactor.deregister(&control, registration);
        drop(control);
        self.slot(kind).traces = kind.changes_kernel() && respawn::leaves_traces(ending);
        if let Phase::Stopping { .. } = self.phase {
            if let Some(text) = describe(kind.ident(), ending) {
                info!("{text}");
            }
            return self.stopped_if_alone();
        }
        let process = format!("pid {pid}");
        if let Some(permanent) = Permanent::of(ending) {
            info!("{process} exited with permanent error {}. Terminating", permanent.name());
            self.notifier.failed(permanent.errno());
            return self.stop(permanent.status(), false);
        }
        if let Some(text) = describe(&process, ending) {
            info!("{text}");
        }
        if crash_report::deserves_one(ending) {
            crash_report::write();
        }
        if !self.options.respawn {
            error!("{} child process({pid}) died: Exiting", kind.title());
            return self.stop(0, true);
        }
        self.respawn(kind, pid, since)
    }

    fn respawn(&mut self, kind: Kind, pid: Pid, since: Instant) -> Flow {
        let title = kind.title();
        error!("{title} child process({pid}) died: Respawning");
        for line in crash_report::REQUEST {
            info!("  {line}");
        }
        let now = Instant::now();
        match self.slot(kind).backoff.after(now - since) {
            None => self.start_child(kind),
            Some(delay) => {
                let seconds = delay.as_secs();
                info!("Restart of {title} process delayed {seconds} seconds to limit respawn rate");
                if delay.is_zero() {
                    return self.start_child(kind);
                }
                self.reactor.arm(Timer::Restart(kind), now + delay);
                ControlFlow::Continue(())
            }
        }
    }
}
