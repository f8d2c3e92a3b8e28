//! Child processes: making them, how they end, and how the scheduler treats them.

mod scheduling;

use std::fmt;
use std::io;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, getppid};

use crate::global::Processes;
use crate::sys::process as sys;

pub use crate::sys::process::{Side, pidfd_open, trim_memory};
pub use scheduling::{
    Promotion, RealTime, allow_core_dumps, allow_files, lift_real_time_limit, restore, schedule,
};

/// The longest name that the kernel keeps for a process.
pub const NAME_LIMIT: usize = 15;

/// How a process ended. As text it is what the log says behind the name of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this status. Real-time signals have no names: one that ends a process counts as 128 and its number, as shells
    /// have it.
    Exited(i32),
    /// By this signal.
    Signalled(Signal),
}

impl Ending {
    /// Reads a status as `waitpid` gives it; `None` when the process did not end, but only stopped.
    fn of_status(status: i32) -> Option<Self> {
        if libc::WIFEXITED(status) {
            return Some(Self::Exited(libc::WEXITSTATUS(status)));
        }
        if !libc::WIFSIGNALED(status) {
            return None;
        }
        let number = libc::WTERMSIG(status);
        Some(Signal::try_from(number).map_or(Self::Exited(128 + number), Self::Signalled))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Signalled(signal) => {
                let text = crate::sys::signal::describe(*signal);
                let suspicion = match signal {
                    Signal::SIGKILL => " - has rlimit_rttime been exceeded?",
                    _ => "",
                };
                write!(f, "exited due to signal {} ({text}){suspicion}", *signal as i32)
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

/// The name of a process that the configuration gives none.
const PROGRAM: &str = "keepalived";

/// Gives the calling process the name that its configuration says, and the mask for the files that it makes. The parent
/// has `name` in its [`Processes`], a child in its [`Child`](crate::global::Child).
pub fn take_on(processes: &Processes, name: Option<&str>) {
    // The name is for people; work goes on without.
    let _ = set_name(name.unwrap_or(PROGRAM));
    if let Some(mask) = processes.umask {
        umask(Mode::from_bits_truncate(mask));
    }
}

/// The next child of this process that has ended, if any.
pub fn reap() -> io::Result<Option<(Pid, Ending)>> {
    reap_from(None)
}

/// How `pid`, a child of this process, ended; `None` while it runs. It is an error when there is no such child, as when
/// [`reap`] has met it before.
pub(crate) fn reap_one(pid: Pid) -> io::Result<Option<Ending>> {
    Ok(reap_from(Some(pid))?.map(|(_, ending)| ending))
}

/// Waits until `pid`, a child of this process, has ended.
pub fn wait_for(pid: Pid) -> io::Result<Ending> {
    loop {
        let status = match sys::wait_for(pid) {
            Err(nix::errno::Errno::EINTR) => continue,
            result => result?,
        };
        if let Some(ending) = Ending::of_status(status) {
            return Ok(ending);
        }
    }
}

fn reap_from(pid: Option<Pid>) -> io::Result<Option<(Pid, Ending)>> {
    loop {
        match sys::wait(pid) {
            Ok(Some((pid, status))) => {
                if let Some(ending) = Ending::of_status(status) {
                    return Ok(Some((pid, ending)));
                }
            }
            Err(nix::errno::Errno::EINTR) => {}
            // Without `pid` this means that there are no children at all.
            Err(nix::errno::Errno::ECHILD) if pid.is_none() => return Ok(None),
            Ok(None) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::getpid;

    use super::*;

    /// How a process ends that does `work`.
    fn end_of(work: impl FnOnce() -> i32) -> Ending {
        match sys::fork().unwrap() {
            Side::Child => sys::exit_now(work()),
            Side::Parent(pid) => wait_for(pid).unwrap(),
        }
    }

    fn killed_by(number: i32) -> Ending {
        end_of(|| {
            crate::sys::signal::reset_dispositions();
            let _ = crate::sys::signal::send(getpid(), number);
            0
        })
    }

    #[test]
    fn endings_read_as_in_the_original() {
        assert_eq!(end_of(|| 3).to_string(), "exited with status 3");
        assert_eq!(killed_by(libc::SIGTERM).to_string(), "exited due to signal 15 (Terminated)");
        assert_eq!(
            killed_by(libc::SIGKILL).to_string(),
            "exited due to signal 9 (Killed) - has rlimit_rttime been exceeded?"
        );
    }

    #[test]
    fn a_real_time_signal_ends_a_process_like_any_other() {
        let (first, _) = crate::sys::signal::real_time_range();
        assert_eq!(killed_by(first), Ending::Exited(128 + first));
    }

    #[test]
    fn somebody_elses_process_cannot_be_waited_for() {
        assert!(reap_one(Pid::from_raw(1)).is_err());
    }

    #[test]
    fn a_name_is_cut_between_letters() {
        let name = || std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        set_name("keepalived_healthcheckers").unwrap();
        assert_eq!(name(), "keepalived_heal\n");
        set_name("wächter-äöüß-lang").unwrap();
        assert_eq!(name(), "wächter-äöü\n");
    }
}
