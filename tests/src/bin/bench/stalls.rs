//! How long the machine itself stood still: what nobody on it could have done anything about.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, gettid};

/// How often a processor is looked at.
const STEP: Duration = Duration::from_millis(1);
/// Above everything that is measured.
const PRIORITY: &str = "90";

/// So far back is looked for the reason of something.
const WINDOW: Duration = Duration::from_millis(200);

/// A time for which a processor ran nothing, not even what comes before everything else.
#[derive(Clone, Copy)]
struct Stall {
    processor: usize,
    begin: SystemTime,
    length: Duration,
}

/// All stalls of a time.
pub(crate) struct Watched {
    processors: usize,
    stalls: Vec<Stall>,
}

impl Watched {
    /// How long a processor stood still in all, in the last moments before `at`: the one that did so longest.
    pub(crate) fn stood_still(&self, at: SystemTime) -> Duration {
        let is_near =
            |stall: &&Stall| stall.begin <= at && stall.begin + stall.length + WINDOW >= at;
        let of = |processor| {
            let its = self.stalls.iter().filter(|stall| stall.processor == processor);
            its.filter(is_near).map(|stall| stall.length).sum()
        };
        (0..self.processors).map(of).max().unwrap_or_default()
    }

    /// The most that [`Watched::stood_still`] would say of any moment.
    pub(crate) fn worst(&self) -> Duration {
        let ends = self.stalls.iter().map(|stall| stall.begin + stall.length);
        ends.map(|end| self.stood_still(end)).max().unwrap_or_default()
    }
}

/// Watches all processors.
pub(crate) struct Stalls {
    over: Arc<AtomicBool>,
    watchers: Vec<JoinHandle<Vec<Stall>>>,
}

impl Stalls {
    /// Notes stalls that are longer than `least`.
    pub(crate) fn watch(least: Duration) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let watcher = |processor| {
            let over = Arc::clone(&over);
            thread::spawn(move || watch(processor, least, &over))
        };
        Self { watchers: (0..processors).map(watcher).collect(), over }
    }

    /// All that there were until now.
    pub(crate) fn end(self) -> Watched {
        self.over.store(true, Ordering::Relaxed);
        let processors = self.watchers.len();
        let stalls =
            self.watchers.into_iter().flat_map(|watcher| watcher.join().unwrap_or_default());
        Watched { processors, stalls: stalls.collect() }
    }
}

fn watch(processor: usize, least: Duration, over: &AtomicBool) -> Vec<Stall> {
    let mut set = CpuSet::new();
    let pinned = set.set(processor).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
    let mut command = Command::new("chrt");
    command.args(["--fifo", "--pid", PRIORITY, &gettid().to_string()]).stderr(Stdio::null());
    let first = command.status().is_ok_and(|status| status.success());
    if pinned.is_err() || !first {
        println!("processor {processor} is not watched in real time: its stalls may be ours");
    }
    let mut stalls = vec![];
    while !over.load(Ordering::Relaxed) {
        let (begin, begun) = (SystemTime::now(), Instant::now());
        thread::sleep(STEP);
        let length = begun.elapsed().saturating_sub(STEP);
        if length > least {
            stalls.push(Stall { processor, begin, length });
        }
    }
    stalls
}
