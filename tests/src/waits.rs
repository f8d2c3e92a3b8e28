//! How long a process was kept waiting by the machine, and not by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use crate::{Mark, PATIENCE, Process, Timeline};

/// How often the account is looked at.
const TICK: Duration = Duration::from_millis(10);

/// The account of a process, followed until it is dropped: how long it could have run, and had no processor.
#[derive(Debug)]
pub struct Waits {
    samples: Timeline<(SystemTime, Duration)>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Waits {
    /// Follows that of `process`.
    pub fn of(process: &Process) -> Self {
        let (samples, stop) = (Timeline::default(), Arc::new(AtomicBool::new(false)));
        let (record, stopped, file) = (samples.clone(), Arc::clone(&stop), process.account());
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let now = SystemTime::now();
                record.push((now, crate::process::wait_in(&file)));
                thread::sleep(TICK);
            }
        });
        Self { samples, stop, thread: Some(thread) }
    }

    /// How long it has waited from one moment to another, or some ticks around them.
    ///
    /// # Panics
    ///
    /// If the account ends before.
    #[track_caller]
    pub fn between(&self, from: SystemTime, to: SystemTime) -> Duration {
        let after = self
            .samples
            .wait(Mark::default(), PATIENCE, |&(at, waited)| (at > to).then_some(waited));
        let after = after.expect("the account is looked at all the time");
        let samples = self.samples.all();
        let before = samples.iter().take_while(|(at, _)| *at < from).last();
        after.saturating_sub(before.map_or(Duration::ZERO, |(_, waited)| *waited))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// One more that would always run than there are processors, and one that sleeps.
    #[test]
    fn who_wants_to_run_and_cannot_waits() {
        let start = |program: &str, arguments: &[&str]| -> Child {
            let mut command = Command::new(program);
            command.args(arguments).stdin(Stdio::null()).spawn().expect("it is installed")
        };
        let count = thread::available_parallelism().map_or(1, usize::from) + 1;
        let mut children: Vec<Child> =
            (0..count).map(|_| start("sh", &["-c", "while :; do :; done"])).collect();
        children.push(start("sleep", &["60"]));
        let waits: Vec<Waits> = children
            .iter()
            .map(|child| {
                let pid = i32::try_from(child.id()).expect("the kernel numbers processes as int");
                Waits::of(&Process::new(pid).expect("it is our child"))
            })
            .collect();
        let from = SystemTime::now();
        thread::sleep(Duration::from_millis(300));
        let to = SystemTime::now();
        let mut waited: Vec<Duration> = waits.iter().map(|waits| waits.between(from, to)).collect();
        for child in &mut children {
            child.kill().expect("it is ours");
            child.wait().expect("it is our child");
        }
        let slept = waited.pop().expect("it is the last one");
        let all: Duration = waited.iter().sum();
        assert!(all > Duration::from_millis(100) && all > slept, "{waited:?}, {slept:?}");
    }
}
