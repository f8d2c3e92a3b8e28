//! Processes that are not our children: awaited by descriptor, measured in `/proc`.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Pid;
use rustix::process::{
    PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, pidfd_getfd, pidfd_open, prlimit,
};

/// The limit that processes may raise theirs to.
const DESCRIPTORS: u64 = 1 << 16;

/// A running process, held by a descriptor, so that it cannot be mistaken for a later one of the same number.
#[derive(Debug)]
pub struct Process {
    pid: i32,
    descriptor: OwnedFd,
}

impl Process {
    /// `None` if there is no process `pid`.
    pub fn new(pid: i32) -> Option<Self> {
        let descriptor =
            pidfd_open(rustix::process::Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        Some(Self { pid, descriptor })
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends `signal`, if it still lives.
    pub fn signal(&self, signal: Signal) {
        if self.lives() {
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Whether it has not ended. One that waits to be reaped has.
    pub fn lives(&self) -> bool {
        !self.wait(Duration::ZERO)
    }

    /// Waits for its end; `false` if that takes longer than `within`.
    pub fn wait(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut waited = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waited, timeout) {
                Ok(0) if left.is_zero() => return false,
                Ok(0) | Err(_) => {}
                Ok(_) => return true,
            }
        }
    }

    /// Its children, in the order of their start.
    pub fn children(&self) -> Vec<Process> {
        let path = format!("/proc/{pid}/task/{pid}/children", pid = self.pid);
        let list = fs::read_to_string(path).unwrap_or_default();
        list.split_whitespace().filter_map(|pid| Self::new(pid.parse().ok()?)).collect()
    }

    /// Copies of its descriptors, as far as they can be had.
    pub fn descriptors(&self) -> Vec<OwnedFd> {
        let names = fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten();
        let numbers = names.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let copy = |number| pidfd_getfd(&self.descriptor, number, PidfdGetfdFlags::empty()).ok();
        numbers.filter_map(copy).collect()
    }

    /// The receive buffers of its sockets, in bytes as the kernel counts: twice what was asked for.
    pub fn receive_buffers(&self) -> Vec<usize> {
        let sockets = self.descriptors();
        sockets.iter().filter_map(|socket| getsockopt(socket, sockopt::RcvBuf).ok()).collect()
    }

    /// Lets it have only so many descriptors from now on. Returns how many it could have before.
    pub fn limit_descriptors(&self, most: u64) -> u64 {
        let pid = rustix::process::Pid::from_raw(self.pid);
        let limit = Rlimit { current: Some(most), maximum: Some(most.max(DESCRIPTORS)) };
        let before = prlimit(pid, Resource::Nofile, limit);
        let before = before.unwrap_or_else(|error| panic!("process {}: {error}", self.pid));
        before.current.unwrap_or(DESCRIPTORS)
    }

    /// What it is called in the process table.
    pub fn name(&self) -> String {
        fs::read_to_string(format!("/proc/{}/comm", self.pid)).unwrap_or_default().trim().to_owned()
    }

    /// Its share of memory (PSS), in kB.
    pub fn memory(&self) -> u64 {
        let rollup =
            fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// The memory that it shares with no other, in kB.
    pub fn own_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("it is told")
    }

    /// The processor time that it has used, by the scheduler's own account.
    pub fn processor_time(&self) -> Duration {
        time_in(&self.account())
    }

    /// Where the scheduler's account of it is.
    pub(crate) fn account(&self) -> String {
        format!("/proc/{}/schedstat", self.pid)
    }
}

/// The processor time in an account of the scheduler.
pub(crate) fn time_in(file: &str) -> Duration {
    word_in(file, 0)
}

/// The time in an account of the scheduler for which there was no processor.
pub(crate) fn wait_in(file: &str) -> Duration {
    word_in(file, 1)
}

fn word_in(file: &str, place: usize) -> Duration {
    let account = fs::read_to_string(file).unwrap_or_default();
    let word = account.split_whitespace().nth(place).and_then(|word| word.parse().ok());
    Duration::from_nanos(word.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_end_of_a_process_is_seen_once_it_came() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep is installed");
        let process = Process::new(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(process.lives());
        assert!(!process.wait(Duration::from_millis(1)));
        process.signal(Signal::SIGKILL);
        assert!(process.wait(crate::PATIENCE));
        assert!(!process.lives());
        child.wait().unwrap();
        assert!(Process::new(process.pid()).is_none());
    }
}
