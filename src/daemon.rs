//! From the command line to the supervisor, and from its end to the exit status.

use std::path::{Path, PathBuf};

use log::{debug, error, info};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{daemon, getpid};
use runtime::global::{Global, Processes};
use runtime::signals::{self, Signal};
use runtime::{logging, process, sys};

use crate::child::Kind;
use crate::command_line::Options;
use crate::config::{Purpose, main_file};
use crate::core_dump::{self, CorePattern};
use crate::links::Joints;
use crate::loader::{self, Order, Parts, Verdict};
use crate::log_target;
use crate::namespace::{self, RunDirectory};
use crate::pid_file::{self, DIRECTORY, PidFile};
use crate::reload_file;
use crate::supervisor::{Outcome, Start, Supervisor};
use crate::systemd::{Environment, Notifier, started_by_systemd};
use crate::{crash_report, version};

/// File creation mask: nobody but the owner, and no programs.
const MASK: Mode = Mode::from_bits_truncate(0o177);

/// The daemon's name in the log of the system.
const IDENT: &str = "Keepalived";

/// Exit status when the daemon cannot be set up.
const FAILED: i32 = 1;

/// What has to be undone at the end.
#[derive(Default)]
struct Traces {
    core_pattern: CorePattern,
    pid_file: Option<PidFile>,
    pid_directory: bool,
    run_directory: Option<RunDirectory>,
}

/// Runs the daemon; returns the exit status of the parent, of a child, or of the process that started them.
pub(crate) fn run(options: Options) -> i32 {
    let status = live(options);
    logging::finish();
    status
}

fn live(options: Options) -> i32 {
    let notifier = take_environment();
    restore_crashes();
    hold_early_signals();
    logging::direct(&log_target::settings(IDENT, None, &options, &Processes::default()));
    info!("Starting {}", version::BANNER);
    let mut traces = Traces { core_pattern: core_dump::prepare(&options), ..Traces::default() };
    introduce();
    match supervise(options, notifier, &mut traces) {
        Ok(Outcome::Child(born)) => {
            drop(traces);
            born.live()
        }
        Ok(Outcome::Exit(status)) => finish(traces, status),
        Err(End::AlreadyRunning) => {
            info!("daemon is already running");
            traces.clear();
            0
        }
        Err(End::Failed(status)) => finish(traces, status),
    }
}

/// Why there is nothing to supervise.
enum End {
    AlreadyRunning,
    Failed(i32),
}

/// Runs the parent until it has become something else. By itself, so that a child does not keep the parent's stack.
#[inline(never)]
fn supervise(options: Options, notifier: Notifier, traces: &mut Traces) -> Result<Outcome, End> {
    Ok(set_up(options, notifier, traces)?.run())
}

/// The service manager talks to this process alone: what it starts must not find its address.
fn take_environment() -> Notifier {
    let environment = Environment::read();
    for name in Environment::VARIABLES {
        sys::environment::remove(name);
    }
    if started_by_systemd() { Notifier::new(&environment) } else { Notifier::default() }
}

/// The language's own handlers would take a crash signal from outside for nothing the first time.
fn restore_crashes() {
    for number in [libc::SIGSEGV, libc::SIGBUS] {
        // Known signals have a default.
        let _ = sys::signal::set_disposition(number, sys::signal::Disposition::Default);
    }
}

/// Signals that ask for something. They are served once there is something to ask for.
const EARLY: [Signal; 5] =
    [Signal::Reload, Signal::Data, Signal::Statistics, Signal::ClearStatistics, Signal::Json];

fn hold_early_signals() {
    // Known signals can wait.
    let _ = signals::hold(&EARLY);
}

/// What is not asked for does nothing, to the parent and all children. What shows a bug, stops a process for somebody to
/// look at, or is served by the event loop keeps its effect.
fn ignore_other_signals() {
    const KEPT: [i32; 11] = [
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGABRT,
        libc::SIGTRAP,
        libc::SIGKILL,
        libc::SIGSTOP,
        libc::SIGCHLD,
        libc::SIGTERM,
        libc::SIGINT,
    ];
    let (_, last) = sys::signal::real_time_range();
    let waits = |&number: &i32| EARLY.iter().any(|signal| signal.number() == number);
    for number in (1..=last).filter(|number| !KEPT.contains(number) && !waits(number)) {
        // The C library keeps two real-time signals for itself.
        let _ = sys::signal::set_disposition(number, sys::signal::Disposition::Ignore);
    }
}

/// The first lines of the log.
fn introduce() {
    let system = version::running_on();
    let needed = version::kernel();
    if version::kernel_is_older() {
        info!("WARNING - keepalived was built for newer Linux {needed}, running on {system}");
    } else {
        info!("Running on {system} (built for Linux {needed})");
    }
    for line in crash_report::command_line(std::env::args_os()) {
        info!("{line}");
    }
    if let Some(name) = std::env::var_os("TMPDIR") {
        if Path::new(&name).is_absolute() && !Path::new(&name).is_dir() {
            info!("Environment TMPDIR={} not a directory", name.to_string_lossy());
        }
    }
}

fn set_up(
    mut options: Options,
    notifier: Notifier,
    traces: &mut Traces,
) -> Result<Supervisor, End> {
    // A reload finds the same file, even if another one comes to be where it would be looked for first.
    options.configuration = Some(main_file(&options));
    announce_configuration(&options);
    // Without a working directory only absolute names mean anything.
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let order = Order {
        options: &options,
        directory: &directory,
        purpose: Purpose::Start,
        check: None,
        count: 0,
    };
    let loaded = loader::load(&order).map_err(|error| {
        error!("{error}");
        End::Failed(FAILED)
    })?;
    loaded.report.log();
    if let Verdict::Unusable(status) = loaded.report.verdict {
        return Err(End::Failed(status));
    }
    let global = loaded.report.global;
    name_process(&options, &global);
    let joints = Joints::new().map_err(|error| {
        error!("Unable to join the child processes: {error}");
        End::Failed(FAILED)
    })?;
    prepare_directories(&global.processes, traces)?;
    let pid_path = options
        .pid_files
        .parent
        .clone()
        .unwrap_or_else(|| pid_file::default_path("keepalived", &global.processes));
    reload_file::remove(&global.files, &pid_path);
    let (mut pid_file, pid_files) = lock_pid_files(&options, &global.processes, &pid_path)?;
    if !options.foreground {
        if let Err(error) = daemon(false, false) {
            error!("Unable to become a daemon: {error}");
            return Err(End::Failed(FAILED));
        }
    }
    if let Err(error) = pid_file.write(getpid()) {
        error!("Unable to write pid file {}: {error}", pid_path.display());
        return Err(End::Failed(FAILED));
    }
    traces.pid_file = Some(pid_file);
    if global.processes.max_auto_priority == 0 {
        info!(
            "NOTICE: setting config option max_auto_priority should result in better keepalived performance"
        );
    }
    ignore_other_signals();
    // What somebody else leaves behind comes to us, and its end is noticed.
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
        debug!("Unable to become a subreaper: {error}");
    }
    let parts: Parts = loaded.parts;
    let needs = loaded.report.needs;
    let start =
        Start { options, directory, global, needs, parts, pid_path, pid_files, notifier, joints };
    Supervisor::new(start).map_err(|error| {
        error!("Unable to make the event loop: {error}");
        End::Failed(FAILED)
    })
}

/// Says which file, or pattern of files, is about to be read.
pub(crate) fn announce_configuration(options: &Options) {
    info!("Configuration file {}", main_file(options).display());
}

/// Name and log of the process, once it is known what it is for.
fn name_process(options: &Options, global: &Global) {
    let processes = &global.processes;
    process::take_on(processes, processes.name.as_deref());
    if processes.network_namespace.is_some() || processes.instance.is_some() {
        let settings = log_target::settings(IDENT, None, options, processes);
        info!("Changing syslog ident to {}", settings.ident);
        logging::direct(&settings);
    }
}

/// Enters the network namespace, and makes the directory for pid files.
fn prepare_directories(processes: &Processes, traces: &mut Traces) -> Result<(), End> {
    if processes.use_pid_dir {
        match pid_file::make_directory(Path::new(DIRECTORY)) {
            Ok(()) => traces.pid_directory = true,
            Err(error) => info!("Unable to create directory {DIRECTORY}: {error}"),
        }
    }
    if let Some(name) = &processes.network_namespace {
        if let Err(refusal) = namespace::enter_network(name) {
            info!("{refusal}");
            error!("Unable to set network namespace {name} - exiting");
            return Err(End::Failed(FAILED));
        }
        traces.run_directory = Some(RunDirectory::new(name));
    }
    Ok(())
}

type ChildPidFiles = [(PathBuf, Option<PidFile>); 3];

/// Locks the pid files of all that may run. A child of an earlier daemon that lives on holds its own.
fn lock_pid_files(
    options: &Options,
    processes: &Processes,
    parent: &Path,
) -> Result<(PidFile, ChildPidFiles), End> {
    let lock = |path: &Path| {
        PidFile::lock(path).map_err(|refusal| {
            info!("{refusal}");
            End::AlreadyRunning
        })
    };
    let file = lock(parent)?;
    let of_child = |kind: Kind| {
        let path = kind.pid_option(&options.pid_files).cloned();
        let path = path.unwrap_or_else(|| pid_file::default_path(kind.pid_stem(), processes));
        let locked = if kind.is_allowed(options.children) { Some(lock(&path)?) } else { None };
        Ok::<_, End>((path, locked))
    };
    let [checker, vrrp, bfd] = Kind::ALL.map(of_child);
    Ok((file, [checker?, vrrp?, bfd?]))
}

fn finish(mut traces: Traces, status: i32) -> i32 {
    if let Some(file) = traces.pid_file.take() {
        file.remove();
    }
    report_usage();
    info!("Stopped {}", version::BANNER);
    traces.clear();
    status
}

impl Traces {
    fn clear(self) {
        if let Some(directory) = self.run_directory {
            directory.remove();
        }
        if self.pid_directory {
            // Another daemon may have files there.
            let _ = std::fs::remove_dir(DIRECTORY);
        }
        self.core_pattern.restore();
    }
}

fn report_usage() {
    let usage = (getrusage(UsageWho::RUSAGE_SELF), getrusage(UsageWho::RUSAGE_CHILDREN));
    if let (Ok(own), Ok(children)) = usage {
        let seconds =
            |time: nix::sys::time::TimeVal| format!("{}.{:06}", time.tv_sec(), time.tv_usec());
        debug!(
            "CPU usage (self/children) user: {}/{} system: {}/{}",
            seconds(own.user_time()),
            seconds(children.user_time()),
            seconds(own.system_time()),
            seconds(children.system_time())
        );
    }
}

/// Sets the file creation mask that holds until the configuration says otherwise.
pub(crate) fn set_mask(options: &Options) {
    umask(options.umask.map_or(MASK, Mode::from_bits_truncate));
}
