//! Child processes: making them, how they end, and how the scheduler treats them.

use std::fmt;
use std::io;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getppid};

use crate::global::Child;
use crate::sys::process as sys;

pub use crate::sys::process::{Side, pidfd_open, trim_memory};

/// The longest name that the kernel keeps for a process.
pub const NAME_LIMIT: usize = 15;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Signalled(Signal),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Signalled(signal) => {
                write!(f, "exited due to signal {} ({signal})", *signal as i32)
            }
        }
    }
}

/// Forks. All signals are blocked in the child, until it makes its own [`crate::signals::Signals`], and it is told to stop
/// when its parent ends. A child whose parent is gone already ends at once.
pub fn fork() -> io::Result<Side> {
    let parent = nix::unistd::getpid();
    crate::signals::blocked_across_fork(|| {
        let side = sys::fork()?;
        if let Side::Child = side {
            let tied = prctl::set_pdeathsig(Signal::SIGTERM);
            if tied.is_err() || getppid() != parent {
                // It must not return: whoever called would take it for the parent.
                std::process::exit(1);
            }
        }
        Ok(side)
    })
}

/// The name that `ps` and `pgrep` show; longer ones are cut.
pub fn set_name(name: &str) -> io::Result<()> {
    let end = name
        .char_indices()
        .map(|(at, c)| at + c.len_utf8())
        .take_while(|&end| end <= NAME_LIMIT)
        .last();
    let name = name.get(..end.unwrap_or(0)).unwrap_or_default();
    let name = std::ffi::CString::new(name).map_err(io::Error::other)?;
    Ok(prctl::set_name(&name)?)
}

/// The next child of this process that has ended, if any.
pub fn reap() -> io::Result<Option<(Pid, Ending)>> {
    reap_from(None)
}

/// How `pid`, a child of this process, ended; `None` while it runs.
pub fn reap_one(pid: Pid) -> io::Result<Option<Ending>> {
    Ok(reap_from(Some(pid))?.map(|(_, ending)| ending))
}

/// Waits until `pid`, a child of this process, has ended.
pub fn wait_for(pid: Pid) -> io::Result<Ending> {
    loop {
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, status)) => return Ok(Ending::Exited(status)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(Ending::Signalled(signal)),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn reap_from(pid: Option<Pid>) -> io::Result<Option<(Pid, Ending)>> {
    loop {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) => return Ok(Some((pid, Ending::Exited(status)))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                return Ok(Some((pid, Ending::Signalled(signal))));
            }
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return Ok(None),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Real-time limits start at this much for a process that is real-time.
const LEAST_REAL_TIME: Duration = Duration::from_micros(2);

/// Gives the calling process the priorities, limits and processors of its settings. Whatever cannot be had is reported and
/// left out.
pub fn schedule(settings: &Child) -> Vec<String> {
    let mut failures = Vec::new();
    let mut attempt = |what: &str, result: io::Result<()>| {
        if let Err(error) = result {
            failures.push(format!("Unable to set {what}: {error}"));
        }
    };
    if let Some(priority) = settings.realtime {
        attempt("real-time priority", sys::set_real_time(i32::from(priority)));
        attempt("real-time limit", limit_real_time(settings.realtime_limit));
    }
    if settings.priority != 0 {
        attempt("process priority", sys::set_nice(i32::from(settings.priority)));
    }
    if settings.no_swap {
        attempt("memory locking", sys::lock_memory());
    }
    if !settings.cpus.is_empty() {
        attempt("cpu affinity", set_affinity(&settings.cpus));
    }
    failures
}

/// So long without a blocking call is too long: the hard limit, and at half of it a warning by SIGXCPU.
fn limit_real_time(limit: Option<Duration>) -> io::Result<()> {
    let Some(limit) = limit else { return Ok(()) };
    let hard = u64::try_from(limit.max(LEAST_REAL_TIME).as_micros()).unwrap_or(u64::MAX);
    Ok(setrlimit(Resource::RLIMIT_RTTIME, hard / 2, hard)?)
}

fn set_affinity(cpus: &[u16]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(usize::from(cpu))?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Takes the calling process back to normal scheduling, as for a reload or a script.
pub fn unschedule() -> io::Result<()> {
    sys::set_time_sharing()
}

/// Allows at least `wanted` open files, if the hard limit permits.
pub fn allow_files(wanted: u64) -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= wanted {
        return Ok(());
    }
    Ok(setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard)?)
}
