//! Signals as a source of the event loop.
//!
//! They are blocked and read from a signalfd. It delivers what was sent to the process that reads it, whatever was
//! inherited over a fork, and no handler ever runs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::SigSet;
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::sys;
use crate::sys::process::Side;

/// What a process of the daemon is asked to do by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Read the configuration again (HUP).
    Reload,
    /// Stop (TERM).
    Stop,
    /// Stop, from the keyboard (INT).
    Interrupt,
    /// Write the running data (USR1).
    Data,
    /// Write the statistics (USR2).
    Statistics,
    /// Write the statistics, then set them to zero.
    ClearStatistics,
    /// Write the running data as JSON.
    Json,
    /// A child of this process ended (CHLD).
    Child,
    /// The real-time process used more CPU time than it may (XCPU).
    CpuTime,
}

impl Signal {
    const ALL: [Self; 9] = [
        Self::Reload,
        Self::Stop,
        Self::Interrupt,
        Self::Data,
        Self::Statistics,
        Self::ClearStatistics,
        Self::Json,
        Self::Child,
        Self::CpuTime,
    ];

    /// Its number here; those of real-time signals are the C library's.
    pub fn number(self) -> i32 {
        let (first_real_time, last_real_time) = sys::signal::real_time_range();
        match self {
            Self::Reload => libc::SIGHUP,
            Self::Stop => libc::SIGTERM,
            Self::Interrupt => libc::SIGINT,
            Self::Data => libc::SIGUSR1,
            Self::Statistics => libc::SIGUSR2,
            Self::ClearStatistics => last_real_time - 1,
            Self::Json => first_real_time + 2,
            Self::Child => libc::SIGCHLD,
            Self::CpuTime => libc::SIGXCPU,
        }
    }

    /// The signal that `--signum` calls `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "STOP" => Some(Self::Stop),
            "RELOAD" => Some(Self::Reload),
            "DATA" => Some(Self::Data),
            "STATS" => Some(Self::Statistics),
            "STATS_CLEAR" => Some(Self::ClearStatistics),
            "JSON" => Some(Self::Json),
            _ => None,
        }
    }
}

/// The signals of this process. Made once in each process; a child makes its own after the fork.
#[derive(Debug)]
pub struct Signals {
    descriptor: SignalFd,
}

impl Signals {
    /// Blocks the signals of [`Signal`] and reads them from now on. Those in `ignored` do nothing at all.
    pub fn new(ignored: &[Signal]) -> io::Result<Self> {
        let wanted: Vec<i32> = Signal::ALL
            .iter()
            .filter(|signal| !ignored.contains(signal))
            .map(|signal| signal.number())
            .collect();
        for &number in &wanted {
            sys::signal::set_disposition(number, sys::signal::Disposition::Default)?;
        }
        for signal in ignored {
            sys::signal::set_disposition(signal.number(), sys::signal::Disposition::Ignore)?;
        }
        sys::signal::set_disposition(libc::SIGPIPE, sys::signal::Disposition::Ignore)?;
        let set = sys::signal::signal_set(&wanted);
        set.thread_set_mask()?;
        let descriptor =
            SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { descriptor })
    }

    /// The next signal that came, if any.
    pub fn take(&mut self) -> io::Result<Option<Signal>> {
        while let Some(info) = self.descriptor.read_signal()? {
            let number = i32::try_from(info.ssi_signo).unwrap_or_default();
            let found = Signal::ALL.into_iter().find(|signal| signal.number() == number);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Has signals wait that come before [`Signals::new`], which then reads them.
pub fn hold(signals: &[Signal]) -> io::Result<()> {
    let numbers: Vec<i32> = signals.iter().map(|signal| signal.number()).collect();
    sys::signal::signal_set(&numbers).thread_block()?;
    // What is ignored, as under nohup, would not wait.
    for number in numbers {
        sys::signal::set_disposition(number, sys::signal::Disposition::Default)?;
    }
    Ok(())
}

/// Runs `action` with every signal blocked. Only the process that returns here as it was gets its mask back: after a fork
/// the child stays blocked until it makes its own [`Signals`].
pub(crate) fn blocked_across_fork(action: impl FnOnce() -> io::Result<Side>) -> io::Result<Side> {
    let before = SigSet::thread_get_mask()?;
    SigSet::all().thread_block()?;
    let side = action();
    if !matches!(side, Ok(Side::Child)) {
        before.thread_set_mask()?;
    }
    side
}

#[cfg(test)]
mod tests {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::getpid;

    use super::*;
    use crate::sys::process::fork;

    /// In a process of its own, since signal masks would disturb other tests.
    fn in_a_process(test: impl FnOnce() -> bool) {
        match fork().unwrap() {
            Side::Child => std::process::exit(if test() { 0 } else { 1 }),
            Side::Parent(pid) => {
                assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 0))
            }
        }
    }

    #[test]
    fn each_signal_is_read_once() {
        in_a_process(|| {
            let mut signals = Signals::new(&[Signal::Interrupt]).unwrap();
            for signal in [Signal::Reload, Signal::Json, Signal::ClearStatistics, Signal::Interrupt]
            {
                sys::signal::send(getpid(), signal.number()).unwrap();
            }
            let mut seen = vec![];
            while let Some(signal) = signals.take().unwrap() {
                seen.push(signal);
            }
            seen.sort_by_key(|signal| signal.number());
            seen == [Signal::Reload, Signal::Json, Signal::ClearStatistics]
        });
    }

    #[test]
    fn a_signal_that_comes_early_is_read_later() {
        in_a_process(|| {
            hold(&[Signal::Reload]).unwrap();
            sys::signal::send(getpid(), Signal::Reload.number()).unwrap();
            Signals::new(&[]).unwrap().take().unwrap() == Some(Signal::Reload)
        });
    }

    #[test]
    fn a_signal_to_the_child_does_not_reach_the_parent() {
        in_a_process(|| {
            let mut parent = Signals::new(&[]).unwrap();
            match fork().unwrap() {
                Side::Child => {
                    let mut child = Signals::new(&[]).unwrap();
                    sys::signal::send(getpid(), Signal::Data.number()).unwrap();
                    let seen = child.take().unwrap();
                    std::process::exit(if seen == Some(Signal::Data) { 0 } else { 1 });
                }
                Side::Parent(pid) => {
                    let ended = waitpid(pid, None).unwrap() == WaitStatus::Exited(pid, 0);
                    ended && !matches!(parent.take().unwrap(), Some(Signal::Data))
                }
            }
        });
    }
}
