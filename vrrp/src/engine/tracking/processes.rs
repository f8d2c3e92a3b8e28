//! Tracked processes: counted by what the kernel tells of them, or by looking at all of them where it does not.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use log::{debug, error, info, warn};
use runtime::global::NetlinkBuffer;
use runtime::process_events::{ProcessEvent, ProcessEvents};
use runtime::process_list::{self, Called};
use runtime::reactor::{Readiness, Registration};

use super::super::table::Table;
use super::super::{Engine, Source, Timer};
use crate::config::track::{ProcessId, TrackProcess};
use crate::track::process::{Census, Pattern};

/// How long the kernel may take to confirm that it tells.
const CONFIRMATION: Duration = Duration::from_millis(100);
/// How often all processes are looked at where the kernel does not tell.
const LOOK: Duration = Duration::from_secs(1);
/// How long it must be quiet after a loss before all processes are looked at.
const QUIET: Duration = Duration::from_secs(1);

/// The processes, and how they are known.
#[derive(Debug, Default)]
pub(in super::super) struct TrackedProcesses {
    all: Table<ProcessId, TrackedProcess>,
    events: Option<(ProcessEvents, Registration)>,
    confirmed: bool,
    /// Whether events were lost for want of room since all processes were looked at.
    overrun: bool,
    /// The receive buffer that losses have led to.
    buffer: Option<u32>,
}

/// Tracked processes of one kind.
#[derive(Debug)]
pub(in super::super) struct TrackedProcess {
    config: TrackProcess,
    census: Census,
}

impl TrackedProcess {
    /// What is called by its name.
    pub(in super::super) fn name(&self) -> &str {
        &self.config.name
    }

    /// What was configured.
    pub(in super::super) fn config(&self) -> &TrackProcess {
        &self.config
    }

    /// How many there are.
    pub(in super::super) fn census(&self) -> &Census {
        &self.census
    }

    /// Whether there are as many as there should be.
    pub(in super::super) fn has_quorum(&self) -> bool {
        self.census.holds()
    }
}

impl TrackedProcesses {
    /// All of them.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (ProcessId, &TrackedProcess)> {
        self.all.keys().zip(self.all.iter())
    }

    pub(in super::super) fn get(&self, id: ProcessId) -> Option<&TrackedProcess> {
        self.all.get(id)
    }
}

impl Engine {
    /// Counts the processes that the configuration wants tracked.
    pub(super) fn track_processes(&mut self, now: Instant) {
        for id in self.tracked.processes.all.keys() {
            self.reactor.disarm(Timer::Quorum(id));
        }
        let before: Vec<TrackedProcess> =
            std::mem::take(&mut self.tracked.processes.all).into_iter().collect();
        if self.config.processes.is_empty() {
            self.ignore_processes();
            return;
        }
        // Heard first, so that nothing that happens while they are counted is missed.
        self.listen_to_processes(now);
        let counts = look_for(self.config.processes.iter().map(|process| &process.pattern));
        let processes = self.config.processes.iter().zip(counts).map(|(config, found)| {
            let same = before.iter().find(|process| process.config.pattern == config.pattern);
            let census = match same {
                Some(known) => {
                    let mut census = known.census.clone();
                    census.set_quorum(config.quorum);
                    census.counted(found, now);
                    census
                }
                None => Census::new(config.quorum, found),
            };
            TrackedProcess { config: config.clone(), census }
        });
        self.tracked.processes.all = processes.collect();
    }

    fn listen_to_processes(&mut self, now: Instant) {
        let buffer = self.global.vrrp.process_monitor;
        if let Some((events, _)) = &self.tracked.processes.events {
            if let Err(error) = events.set_buffer(buffer) {
                info!("cannot set the buffer for process events: {error}");
            }
            return;
        }
        let Some(socket) = self.process_events.as_ref().and_then(|socket| socket.try_clone().ok())
        else {
            self.do_without_events(now);
            return;
        };
        let listening = ProcessEvents::listen(socket, buffer).and_then(|events| {
            let registration =
                self.reactor.register(&events, Source::Processes, Readiness::Readable)?;
            Ok((events, registration))
        });
        match listening {
            Ok(listening) => {
                self.tracked.processes.events = Some(listening);
                self.reactor.arm(Timer::Processes, now + CONFIRMATION);
            }
            Err(error) => {
                debug!("process events: {error}");
                self.do_without_events(now);
            }
        }
    }

    /// The kernel does not tell, or not to us: in a container, or another network namespace than the first.
    fn do_without_events(&mut self, now: Instant) {
        warn!(
            "WARNING - the kernel does not support proc events - looking for processes every second"
        );
        self.reactor.arm(Timer::Processes, now + LOOK);
    }

    fn ignore_processes(&mut self) {
        self.reactor.disarm(Timer::Processes);
        self.tracked.processes.confirmed = false;
        let Some((events, registration)) = self.tracked.processes.events.take() else { return };
        let ignored = self.reactor.deregister(&events, registration).and_then(|()| events.ignore());
        if let Err(error) = ignored {
            info!("cannot stop hearing process events: {error}");
        }
    }

    /// The kernel tells of processes.
    pub(in super::super) fn hear_processes(&mut self, now: Instant) {
        loop {
            let Some((events, _)) = &mut self.tracked.processes.events else { return };
            match events.take() {
                Ok(Some(event)) => self.process_event(event, now),
                Ok(None) => return,
                Err(error) => {
                    error!("process events: {error}");
                    return;
                }
            }
        }
    }

    fn process_event(&mut self, event: ProcessEvent, now: Instant) {
        match event {
            ProcessEvent::Confirmed => {
                if !std::mem::replace(&mut self.tracked.processes.confirmed, true) {
                    debug!("proc_events has confirmed it is configured");
                    self.reactor.disarm(Timer::Processes);
                }
            }
            ProcessEvent::Forked { parent, child } => {
                self.judge(now, |process| process.census.forked(parent, child, now));
            }
            ProcessEvent::Exited(number) => {
                self.judge(now, |process| process.census.exited(number, now));
            }
            ProcessEvent::Executed(number) => {
                let called = process_list::called(number).unwrap_or_default();
                self.judge(now, |process| process.look_at(number, &called, now));
            }
            ProcessEvent::Renamed(number) => {
                let called = process_list::called(number).unwrap_or_default();
                self.judge(now, |process| {
                    matches!(process.config.pattern, Pattern::Name(_))
                        && process.look_at(number, &called, now)
                });
            }
            ProcessEvent::Lost => {
                self.tracked.processes.overrun = true;
                self.reactor.arm(Timer::Processes, now + QUIET);
            }
            ProcessEvent::Missing => self.reactor.arm(Timer::Processes, now + QUIET),
        }
    }

    /// Time to look at all processes: events were lost, or there are none.
    pub(in super::super) fn count_processes(&mut self, now: Instant) {
        let processes = &mut self.tracked.processes;
        let overrun = std::mem::take(&mut processes.overrun);
        match (&processes.events, processes.confirmed) {
            (Some(_), true) if overrun => self.enlarge_buffer(),
            (Some(_), true) => {}
            (Some(_), false) => {
                let without = std::mem::take(&mut self.tracked.processes.events);
                if let Some((events, registration)) = without {
                    // It is given up either way.
                    let _ = self.reactor.deregister(&events, registration);
                }
                self.do_without_events(now);
            }
            (None, _) => self.reactor.arm(Timer::Processes, now + LOOK),
        }
        let patterns = self.config.processes.iter().map(|process| &process.pattern);
        let mut counts = look_for(patterns).into_iter();
        self.judge(now, |process| {
            counts.next().is_some_and(|found| process.census.counted(found, now))
        });
    }

    /// Twice as much room for the next burst.
    fn enlarge_buffer(&mut self) {
        let NetlinkBuffer { size, force } = self.global.vrrp.process_monitor;
        let processes = &mut self.tracked.processes;
        let size = processes.buffer.or(size).unwrap_or(DEFAULT_BUFFER).saturating_mul(2);
        let Some((events, _)) = &processes.events else { return };
        match events.set_buffer(NetlinkBuffer { size: Some(size), force }) {
            Ok(()) => {
                info!(
                    "Setting global_def process_monitor_rcv_bufs to {size} - recommend updating configuration file"
                );
                processes.buffer = Some(size);
            }
            Err(error) => info!("cannot set the buffer for process events: {error}"),
        }
    }

    /// A gain or loss has lasted long enough.
    pub(in super::super) fn quorum_due(&mut self, id: ProcessId, now: Instant) {
        let mut place = self.tracked.processes.all.keys();
        self.judge(now, |process| place.next() == Some(id) && process.census.expired(now));
    }

    /// Does to all tracked processes what may change whether they have their quorum, and what follows from it.
    fn judge(&mut self, now: Instant, mut change: impl FnMut(&mut TrackedProcess) -> bool) {
        let all: Vec<ProcessId> = self.tracked.processes.all.keys().collect();
        for id in all {
            let Some(process) = self.tracked.processes.all.get_mut(id) else { return };
            let changed = change(process);
            match process.census.deadline() {
                Some(deadline) => self.reactor.arm(Timer::Quorum(id), deadline),
                None => self.reactor.disarm(Timer::Quorum(id)),
            }
            if changed {
                let what = if process.has_quorum() { "gained" } else { "lost" };
                info!("Quorum {what} for tracked process {}", process.name());
                self.meet_dependants(|trackers| &trackers.processes, id, now);
            }
        }
    }
}

/// What the kernel keeps where nothing else is asked for.
const DEFAULT_BUFFER: u32 = 212_992;

impl TrackedProcess {
    fn look_at(&mut self, number: u32, called: &Called, now: Instant) -> bool {
        let is_meant = self.config.pattern.matches(&called.name, &called.command_line);
        self.census.seen(number, is_meant, now)
    }
}

/// The processes of the machine that each of `patterns` means.
fn look_for<'a>(patterns: impl Iterator<Item = &'a Pattern>) -> Vec<HashSet<u32>> {
    let mut found: Vec<(&Pattern, HashSet<u32>)> =
        patterns.map(|pattern| (pattern, HashSet::new())).collect();
    for number in process_list::all() {
        let Some(called) = process_list::called(number) else { continue };
        for (pattern, numbers) in &mut found {
            if pattern.matches(&called.name, &called.command_line) {
                numbers.insert(number);
            }
        }
    }
    found.into_iter().map(|(_, numbers)| numbers).collect()
}
