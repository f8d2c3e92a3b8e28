//! Reloading: the new configuration is loaded beside the running one, and takes its place only if it can.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use log::{debug, info};
use runtime::process::{self, Ending};
use runtime::reactor::Readiness;

use super::{Flow, Phase, Source, Supervisor, Timer};
use crate::child::Kind;
use crate::config::Purpose;
use crate::daemon::announce_configuration;
use crate::loader::{Error, Loaded, Loading, Order, Verdict};
use crate::reload_file;
use crate::reload_timer::Monitor;

/// How long a load may take.
const LIMIT: Duration = Duration::from_secs(60);

impl Supervisor {
    /// Somebody wants the configuration to be read again. One request waits while another, or the start, is at work.
    pub(super) fn request_reload(&mut self) -> Flow {
        match self.phase {
            Phase::Running => {}
            Phase::Preparing => {
                self.queue_reload();
                return ControlFlow::Continue(());
            }
            Phase::Stopping { .. } | Phase::Parting { .. } => return ControlFlow::Continue(()),
        }
        if self.loading.is_some() || self.is_loading_in_children() {
            self.queue_reload();
            return ControlFlow::Continue(());
        }
        self.start_loading()
    }

    /// Whether a child is at work on its configuration. One that has died over it does not hold up the next.
    fn is_loading_in_children(&self) -> bool {
        self.slots.iter().any(|slot| slot.running.is_some() && self.awaited.contains(&slot.kind))
    }

    fn queue_reload(&mut self) {
        debug!("Reload already in progress, request queued");
        self.reload_queued = true;
    }

    fn start_loading(&mut self) -> Flow {
        let check = self.global.files.reload_check_config.clone().map(PathBuf::from);
        match &check {
            Some(_) => debug!("validate conf before Reload"),
            None => info!("Reloading ..."),
        }
        self.notifier.reloading();
        announce_configuration(&self.options);
        reload_file::create(&self.global.files, &self.pid_path);
        let order = Order {
            options: &self.options,
            directory: &self.directory,
            purpose: Purpose::Reload(&self.global),
            check,
            count: self.loads,
        };
        let started = Loading::start(&order).and_then(|loading| {
            let registration =
                self.reactor.register(&loading, Source::Loader, Readiness::Readable)?;
            Ok((loading, registration))
        });
        match started {
            Ok(loading) => {
                self.loads = self.loads.wrapping_add(1);
                self.reactor.arm(Timer::Loader, Instant::now() + LIMIT);
                self.loading = Some(loading);
                ControlFlow::Continue(())
            }
            Err(error) => {
                reload_file::remove(&self.global.files, &self.pid_path);
                self.refuse(&[Error::from(error).to_string()])
            }
        }
    }

    pub(super) fn loader_is_late(&mut self) {
        if let Some((loading, _)) = &self.loading {
            info!("Loading the configuration timed out");
            loading.kill();
        }
    }

    /// Ends a load that nobody waits for any more.
    pub(super) fn abandon_reload(&mut self) {
        self.stop_monitor();
        self.reload_queued = false;
        if let Some(loading) = self.take_loading() {
            loading.kill();
        }
    }

    /// The configuration is there before the loader has given back all that it took.
    pub(super) fn hear_loader(&mut self) -> Flow {
        let is_complete = self.loading.as_mut().is_some_and(|(loading, _)| loading.receive());
        if !is_complete {
            return ControlFlow::Continue(());
        }
        match self.take_loading().and_then(Loading::finish) {
            Some(loaded) => self.conclude(loaded),
            None => ControlFlow::Continue(()),
        }
    }

    /// What is missing by now does not come any more.
    pub(super) fn loader_ended(&mut self, ending: Ending) -> Flow {
        let Some(loading) = self.take_loading() else { return ControlFlow::Continue(()) };
        self.conclude(loading.finish().unwrap_or(Err(Error::Died(ending))))
    }

    fn take_loading(&mut self) -> Option<Loading> {
        let (loading, registration) = self.loading.take()?;
        self.reactor.disarm(Timer::Loader);
        // The descriptor is closed either way.
        let _ = self.reactor.deregister(&loading, registration);
        reload_file::remove(&self.global.files, &self.pid_path);
        Some(loading)
    }

    fn conclude(&mut self, loaded: Result<Loaded, Error>) -> Flow {
        match loaded {
            Ok(loaded) => self.judge(loaded),
            Err(error) => self.refuse(&[error.to_string()]),
        }
    }

    fn judge(&mut self, loaded: Loaded) -> Flow {
        loaded.report.log();
        let checked = self.global.files.reload_check_config.as_deref();
        match (loaded.report.verdict, checked) {
            (Verdict::Refused, Some(log)) => {
                let text = format!("New config failed validation, see {log} for details");
                self.refuse(&[text])
            }
            (Verdict::Unusable(_) | Verdict::Refused, _) => self.refuse(&[KEPT.to_owned()]),
            (Verdict::Usable, checked) => {
                if checked.is_some() {
                    info!("Reloading ...");
                }
                let fixed = self.global.changed_fixed(&loaded.report.global);
                if fixed.is_empty() {
                    self.apply(loaded)
                } else {
                    self.refuse(&fixed.iter().map(ToString::to_string).collect::<Vec<_>>())
                }
            }
        }
    }

    /// Nothing changes.
    fn refuse(&mut self, reasons: &[String]) -> Flow {
        for reason in reasons {
            info!("{reason}");
        }
        self.restart_monitor();
        let reason = reasons.last().map(String::as_str).unwrap_or_default();
        self.notifier.ready(&format!("Reload refused: {reason}"));
        self.go_on_with_queue()
    }

    fn apply(&mut self, loaded: Loaded) -> Flow {
        let Loaded { report, parts } = loaded;
        let processes = &report.global.processes;
        process::take_on(processes, processes.name.as_deref());
        self.global = report.global;
        self.needs = report.needs;
        self.parts = parts;
        self.restart_monitor();
        self.completing = true;
        for kind in Kind::ALL {
            if self.slot(kind).running.is_some() {
                self.send_configuration(kind);
            } else if self.is_wanted(kind) {
                self.start_child(kind)?;
            } else {
                self.reactor.disarm(Timer::Restart(kind));
                self.awaited.retain(|&awaited| awaited != kind);
            }
        }
        self.complete_if_loaded()
    }

    /// Tells the world when all children work with their configuration.
    pub(super) fn complete_if_loaded(&mut self) -> Flow {
        let in_time = self.phase == Phase::Running && self.loading.is_none();
        if !in_time || !self.awaited.is_empty() {
            return ControlFlow::Continue(());
        }
        // A child that was started again has nothing to complete.
        if std::mem::take(&mut self.completing) {
            info!("{} complete", if self.started { "Reload" } else { "Startup" });
            self.started = true;
            self.notifier.ready(&self.status());
        }
        self.go_on_with_queue()
    }

    /// What systemd shows.
    fn status(&self) -> String {
        let running = self.slots.iter().filter(|slot| slot.running.is_some());
        let titles: Vec<&str> = running.map(|slot| slot.kind.title()).collect();
        if titles.is_empty() {
            return "Running, with nothing configured".to_owned();
        }
        format!("Running: {}", titles.join(", "))
    }

    fn go_on_with_queue(&mut self) -> Flow {
        if std::mem::take(&mut self.reload_queued) {
            debug!("Processing queued reload");
            return self.request_reload();
        }
        ControlFlow::Continue(())
    }

    pub(super) fn start_monitor(&mut self) {
        let Some(path) = &self.global.files.reload_time_file else { return };
        let Some(monitor) = Monitor::start(path) else { return };
        match self.reactor.register(&monitor, Source::ReloadTime, Readiness::Readable) {
            Ok(registration) => {
                self.monitor = Some((monitor, registration));
                self.arm_reload_time();
            }
            Err(error) => info!("Unable to monitor {path}: {error}"),
        }
    }

    fn stop_monitor(&mut self) {
        self.reactor.disarm(Timer::ReloadTime);
        if let Some((monitor, registration)) = self.monitor.take() {
            // The descriptor is closed either way.
            let _ = self.reactor.deregister(&monitor, registration);
        }
    }

    fn restart_monitor(&mut self) {
        self.stop_monitor();
        self.start_monitor();
    }

    /// The file, or its directory, has changed.
    pub(super) fn watch_reload_time(&mut self) {
        let Some((monitor, _)) = &mut self.monitor else { return };
        if monitor.changed() {
            self.arm_reload_time();
        } else {
            self.stop_monitor();
        }
    }

    fn arm_reload_time(&mut self) {
        let delay = self.monitor.as_ref().and_then(|(monitor, _)| monitor.delay());
        match delay {
            Some(delay) => self.reactor.arm(Timer::ReloadTime, Instant::now() + delay),
            None => self.reactor.disarm(Timer::ReloadTime),
        }
    }

    pub(super) fn reload_time_is_due(&mut self) -> Flow {
        let repeat = self.global.files.reload_repeat;
        let Some((monitor, _)) = &mut self.monitor else { return ControlFlow::Continue(()) };
        if monitor.delay() != Some(Duration::ZERO) {
            self.arm_reload_time();
            return ControlFlow::Continue(());
        }
        monitor.fire(repeat);
        self.stop_monitor();
        self.request_reload()
    }
}

/// What follows from a file that cannot be used.
const KEPT: &str = "The new configuration cannot be used - keeping the old one";
