//! The parent at work: starts the children that the configuration needs, watches them, passes signals on, and brings them
//! to their end.

mod children;
mod reload;
mod report;
mod scripts;
mod shutdown;

use std::convert::Infallible;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use log::error;
use nix::unistd::Pid;
use runtime::child::ParentEnd;
use runtime::global::Global;
use runtime::process::{self, Ending};
use runtime::reactor::{Reactor, Readiness, Registration};
use runtime::signals::{Signal, Signals};

use crate::child::{Born, Kind};
use crate::command_line::Options;
use crate::config::Needs;
use crate::links::Joints;
use crate::loader::{Loading, Parts};
use crate::pid_file::PidFile;
use crate::reload_timer::Monitor;
use crate::respawn::Backoff;
use crate::systemd::Notifier;

use scripts::DaemonScript;

/// How the supervisor's work ends.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The daemon ends, with this status.
    Exit(i32),
    /// This process is a new child: all that belonged to the parent goes, and the child lives.
    Child(Box<Born>),
}

/// Whether to go on. A fork breaks out of all that its caller was doing, in the child.
type Flow = ControlFlow<Outcome>;

/// What the loop hears from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Signals,
    Control(Kind),
    Loader,
    ReloadTime,
}

/// What the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Timer {
    /// A child may start again.
    Restart(Kind),
    /// The children have had their time to stop.
    Stop,
    /// The startup or shutdown script is late.
    Script,
    /// The loader is late.
    Loader,
    /// It is time to reload, or to look at the clock again.
    ReloadTime,
    /// systemd wants to hear from us.
    Watchdog,
}

/// What the daemon is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The startup script runs.
    Preparing,
    /// The children run.
    Running,
    /// The children have been told to stop.
    Stopping { status: i32, with_script: bool, pressure: Pressure },
    /// The shutdown script runs.
    Parting { status: i32 },
}

/// What has been done to bring the children to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pressure {
    /// They were told to stop.
    Told,
    /// Others have been started for what killed ones left behind, and told to stop.
    Followed,
    /// They were killed.
    Forced,
}

/// A place for a child.
#[derive(Debug)]
struct Slot {
    kind: Kind,
    running: Option<RunningChild>,
    /// What ran here was killed, and nobody has taken care of what it left in the kernel.
    traces: bool,
    backoff: Backoff,
    pid_path: PathBuf,
    pid_file: Option<PidFile>,
}

#[derive(Debug)]
struct RunningChild {
    pid: Pid,
    since: Instant,
    control: ParentEnd,
    registration: Registration,
}

/// What the supervisor starts with.
#[derive(Debug)]
pub(crate) struct Start {
    /// The command line.
    pub(crate) options: Options,
    /// Where the daemon was started.
    pub(crate) directory: PathBuf,
    /// The settings of the daemon.
    pub(crate) global: Global,
    /// Which children the configuration asks for.
    pub(crate) needs: Needs,
    /// The configuration of each.
    pub(crate) parts: Parts,
    /// The parent's pid file, of which the supervisor only needs the name.
    pub(crate) pid_path: PathBuf,
    /// The pid files of the children that may run, with their paths.
    pub(crate) pid_files: [(PathBuf, Option<PidFile>); 3],
    /// systemd.
    pub(crate) notifier: Notifier,
    /// What joins the children.
    pub(crate) joints: Joints,
}

/// The parent at work.
pub(crate) struct Supervisor {
    options: Options,
    directory: PathBuf,
    global: Global,
    needs: Needs,
    parts: Parts,
    pid_path: PathBuf,
    notifier: Notifier,
    joints: Joints,
    reactor: Reactor<Source, Timer>,
    signals: Signals,
    slots: [Slot; 3],
    phase: Phase,
    /// Children that have not yet said that their configuration is in force.
    awaited: Vec<Kind>,
    /// Whether a start or reload is under way, whose completion the world waits for.
    completing: bool,
    /// Whether the start is complete.
    started: bool,
    /// Whether a reload was asked for while another, or the start, was not complete.
    reload_queued: bool,
    loading: Option<(Loading, Registration)>,
    /// How often the configuration has been loaded.
    loads: u32,
    script: Option<DaemonScript>,
    monitor: Option<(Monitor, Registration)>,
}

impl Supervisor {
    /// Makes the event loop. From here on signals are served.
    pub(crate) fn new(start: Start) -> io::Result<Self> {
        let Start {
            options,
            directory,
            global,
            needs,
            parts,
            pid_path,
            pid_files,
            notifier,
            joints,
        } = start;
        let ignored: &[Signal] =
            if options.child.ignore_interrupt { &[Signal::Interrupt] } else { &[] };
        let signals = Signals::new(ignored)?;
        let mut reactor = Reactor::new()?;
        reactor.register(&signals, Source::Signals, Readiness::Readable)?;
        let [checker, vrrp, bfd] = pid_files;
        let slot = |kind, (pid_path, pid_file)| Slot {
            kind,
            running: None,
            traces: false,
            backoff: Backoff::default(),
            pid_path,
            pid_file,
        };
        Ok(Self {
            slots: [slot(Kind::Checker, checker), slot(Kind::Vrrp, vrrp), slot(Kind::Bfd, bfd)],
            options,
            directory,
            global,
            needs,
            parts,
            pid_path,
            notifier,
            joints,
            reactor,
            signals,
            phase: Phase::Preparing,
            awaited: Vec::new(),
            completing: true,
            started: false,
            reload_queued: false,
            loading: None,
            loads: 1,
            script: None,
            monitor: None,
        })
    }

    /// Works until the daemon ends, or until this process has become a child.
    pub(crate) fn run(mut self) -> Outcome {
        match self.serve() {
            ControlFlow::Break(outcome) => outcome,
            ControlFlow::Continue(never) => match never {},
        }
    }

    fn serve(&mut self) -> ControlFlow<Outcome, Infallible> {
        self.feed_watchdog();
        self.begin()?;
        let mut ready = Vec::new();
        loop {
            if let Err(error) = self.reactor.wait(&mut ready) {
                // Nothing would be heard of the children any more. They see that their parent is gone.
                error!("event loop of the parent: {error}");
                return ControlFlow::Break(Outcome::Exit(FAILED));
            }
            for source in ready.drain(..) {
                self.ready(source)?;
            }
            while let Some(timer) = self.reactor.expired(Instant::now()) {
                self.expired(timer)?;
            }
        }
    }

    fn ready(&mut self, source: Source) -> Flow {
        match source {
            Source::Signals => self.hear_signals(),
            Source::Control(kind) => self.hear_child(kind),
            Source::Loader => self.hear_loader(),
            Source::ReloadTime => {
                self.watch_reload_time();
                ControlFlow::Continue(())
            }
        }
    }

    fn expired(&mut self, timer: Timer) -> Flow {
        match timer {
            Timer::Restart(kind) => self.start_child(kind),
            Timer::Stop => self.stop_is_due(),
            Timer::Script => self.script_is_late(),
            Timer::Loader => {
                self.loader_is_late();
                ControlFlow::Continue(())
            }
            Timer::ReloadTime => self.reload_time_is_due(),
            Timer::Watchdog => {
                self.feed_watchdog();
                ControlFlow::Continue(())
            }
        }
    }

    fn hear_signals(&mut self) -> Flow {
        loop {
            match self.signals.take() {
                Ok(Some(signal)) => self.signalled(signal)?,
                Ok(None) => return ControlFlow::Continue(()),
                Err(error) => {
                    error!("cannot read signals: {error}");
                    return ControlFlow::Continue(());
                }
            }
        }
    }

    fn signalled(&mut self, signal: Signal) -> Flow {
        match signal {
            Signal::Stop | Signal::Interrupt => self.stop(0, true),
            Signal::Reload => self.request_reload(),
            Signal::Data => {
                self.report_state();
                self.pass_on(signal, &Kind::ALL);
                // As in the original, which has VRRP wait for its time.
                self.start_waiting(&[Kind::Checker, Kind::Bfd])
            }
            Signal::Statistics | Signal::ClearStatistics | Signal::Json => {
                self.pass_on(signal, &[Kind::Vrrp]);
                ControlFlow::Continue(())
            }
            Signal::Child => self.reap(),
            Signal::CpuTime => ControlFlow::Continue(()),
        }
    }

    /// Takes note of all that have ended. One notice may stand for several, and some are not ours: this process is given
    /// what other processes of the daemon leave behind, and in a container all that anybody does.
    fn reap(&mut self) -> Flow {
        loop {
            match process::reap() {
                Ok(Some((pid, ending))) => self.ended(pid, ending)?,
                Ok(None) => return ControlFlow::Continue(()),
                Err(error) => {
                    error!("cannot wait for children: {error}");
                    return ControlFlow::Continue(());
                }
            }
        }
    }

    fn ended(&mut self, pid: Pid, ending: Ending) -> Flow {
        let of_child =
            |slot: &&Slot| slot.running.as_ref().is_some_and(|running| running.pid == pid);
        if let Some(kind) = self.slots.iter().find(of_child).map(|slot| slot.kind) {
            return self.child_ended(kind, ending);
        }
        if self.script.as_ref().is_some_and(|script| script.pid() == pid) {
            return self.script_ended(ending);
        }
        if self.loading.as_ref().is_some_and(|(loading, _)| loading.pid() == pid) {
            return self.loader_ended(ending);
        }
        ControlFlow::Continue(())
    }

    fn feed_watchdog(&mut self) {
        if let Some(interval) = self.notifier.watchdog_interval() {
            self.notifier.alive();
            self.reactor.arm(Timer::Watchdog, Instant::now() + interval);
        }
    }

    fn slot(&mut self, kind: Kind) -> &mut Slot {
        let [checker, vrrp, bfd] = &mut self.slots;
        match kind {
            Kind::Checker => checker,
            Kind::Vrrp => vrrp,
            Kind::Bfd => bfd,
        }
    }
}

/// Exit status when the parent cannot work.
const FAILED: i32 = 1;
/// How long the children may take to stop, where the configuration does not say.
const CHILD_WAIT: Duration = Duration::from_secs(5);
