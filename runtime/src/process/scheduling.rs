//! Priorities, processors, locked memory and limits of a process. What the process had before is remembered, so that
//! scripts run with it, and so that a reload takes back what the configuration does not ask for any more.

use std::fmt;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use log::{debug, info, warn};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::unistd::Pid;

use crate::global::{Child, Processes};
use crate::sys::process as sys;

/// The calling process, as the system's calls have it.
const SELF: Pid = Pid::from_raw(0);
/// Real-time limits start at this much for a process that is real-time.
const LEAST_REAL_TIME: Duration = Duration::from_micros(2);
/// The lowest priority of SCHED_RR.
const LEAST_PRIORITY: u8 = 1;
/// How long a process may compute where nobody has chosen a limit. The kernel counts ticks, and those of a processor that is
/// taken away from the machine meanwhile too: the limit of 10 ms is three of them, and not a sign of anything.
const RUNAWAY: Duration = Duration::from_secs(1);
/// So much of the stack is made present before memory is locked.
const STACK: usize = 32 * 1024;
const LIMITS: [Resource; 3] =
    [Resource::RLIMIT_NOFILE, Resource::RLIMIT_CORE, Resource::RLIMIT_RTTIME];

/// What a process had before it was changed.
struct Original {
    scheduling: Option<sys::Scheduling>,
    nice: i32,
    cpus: Option<CpuSet>,
    limits: [Option<(u64, u64)>; LIMITS.len()],
}

/// Read before the first change. A forked child goes on with what it inherits.
static ORIGINAL: OnceLock<Original> = OnceLock::new();

fn original() -> &'static Original {
    ORIGINAL.get_or_init(|| Original {
        scheduling: sys::Scheduling::current().ok(),
        nice: sys::nice().unwrap_or_default(),
        cpus: sched_getaffinity(SELF).ok(),
        limits: LIMITS.map(|limit| getrlimit(limit).ok()),
    })
}

/// Gives the calling process the priorities, limits and processors of its settings, and takes away those of earlier
/// settings. Whatever cannot be had is reported, one log line each, and left out.
pub fn schedule(settings: &Child) -> Vec<String> {
    let original = original();
    let mut failures = Vec::new();
    let mut attempt = |what: &dyn fmt::Display, result: io::Result<()>| {
        if let Err(error) = result {
            failures.push(format!("Unable to set {what} - {error}"));
        }
    };
    unschedule_to(original);
    match settings.realtime {
        Some(priority) => {
            attempt(&"realtime priority", set_real_time(priority, settings.realtime_limit));
        }
        None if settings.priority != 0 => {
            let what = format!("process priority to {}", settings.priority);
            attempt(&what, sys::set_nice(i32::from(settings.priority)));
        }
        None => {}
    }
    let locked = if settings.no_swap { lock_memory() } else { sys::unlock_memory() };
    attempt(&"memory locking", locked);
    if settings.cpus.is_empty() {
        set_cpus(original);
    } else {
        attempt(&"cpu affinity", set_affinity(&settings.cpus));
    }
    failures
}

/// Gives a new process, before it becomes a script, what the daemon started with: scheduling, processors and limits.
pub fn restore() {
    let Some(original) = ORIGINAL.get() else { return };
    unschedule_to(original);
    set_cpus(original);
    for (limit, &before) in LIMITS.into_iter().zip(&original.limits) {
        set_limit(limit, before);
    }
}

/// Lets a real-time process compute for as long as it takes until it is [scheduled](schedule) again: a large configuration
/// is no runaway.
pub fn lift_real_time_limit() {
    if setrlimit(Resource::RLIMIT_RTTIME, RLIM_INFINITY, RLIM_INFINITY).is_err() {
        // That takes a capability, and without real time there is no limit.
        unschedule_to(original());
    }
}

/// Allows at least `wanted` open files, as far as the system permits.
pub fn allow_files(wanted: u64) -> io::Result<()> {
    original();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= wanted {
        return Ok(());
    }
    let mut limit = (wanted, hard.max(wanted));
    if setrlimit(Resource::RLIMIT_NOFILE, limit.0, limit.1).is_err() {
        limit = (wanted.min(hard), hard);
        setrlimit(Resource::RLIMIT_NOFILE, limit.0, limit.1)?;
    }
    debug!("Set open file limit to {}:{}.", limit.0, limit.1);
    Ok(())
}

/// Lets the calling process, and those it forks, write core files of any size.
pub fn allow_core_dumps() -> io::Result<()> {
    original();
    Ok(setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY)?)
}

/// How a process runs that takes precedence over normal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealTime {
    /// Its priority, 1 to 99.
    pub priority: u8,
    /// How long it may compute without a blocking call.
    pub limit: Option<Duration>,
}

/// Raises the real-time priority of a process whose timers are served late, step by step. The default does nothing.
#[derive(Debug, Default)]
pub struct Promotion {
    late: Duration,
    ceiling: u8,
    limit: Option<Duration>,
    priority: Option<u8>,
}

impl Promotion {
    /// For a process that has just been [scheduled](schedule) by `child`.
    pub fn new(processes: &Processes, child: &Child) -> Self {
        Self {
            late: processes.min_auto_priority_delay,
            ceiling: u8::try_from(processes.max_auto_priority).unwrap_or(0),
            limit: child.realtime_limit,
            priority: child.realtime,
        }
    }

    /// Takes note that the first timer of this turn was `overdue` ([`crate::reactor::Reactor::overdue`]).
    pub fn note(&mut self, overdue: Duration) {
        if self.late.is_zero() || overdue <= self.late {
            return;
        }
        info!(
            "A thread timer expired {}.{:06} seconds ago",
            overdue.as_secs(),
            overdue.subsec_micros()
        );
        let Some(next) = self.next() else { return };
        match set_real_time(next, self.limit) {
            Ok(()) => {
                self.priority = Some(next);
                info!("Set realtime priority {next}");
            }
            Err(error) => {
                warn!("child process: cannot raise priority ({error})");
                self.ceiling = 0;
            }
        }
    }

    /// How the process runs now, where that is not as a normal one.
    pub fn real_time(&self) -> Option<RealTime> {
        self.priority.map(|priority| RealTime { priority, limit: self.limit })
    }

    /// The priority of the next step, unless the top is reached.
    fn next(&self) -> Option<u8> {
        let next = self.priority.map_or(LEAST_PRIORITY, |priority| priority.saturating_add(1));
        (next <= self.ceiling).then_some(next)
    }
}

/// So long without a blocking call is too long: the hard limit, and at half of it a warning by SIGXCPU.
fn set_real_time(priority: u8, limit: Option<Duration>) -> io::Result<()> {
    original();
    sys::Scheduling::real_time(priority).set()?;
    let Some(limit) = limit.map(|limit| limit.max(LEAST_REAL_TIME)) else { return Ok(()) };
    let is_default = Child::default().realtime_limit == Some(limit);
    let hard = if is_default { RUNAWAY } else { limit };
    let [soft, hard] =
        [limit / 2, hard].map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    // The kernel has counted since the last blocking call, and a shorter one would not block.
    std::thread::sleep(Duration::from_micros(100));
    Ok(setrlimit(Resource::RLIMIT_RTTIME, soft, hard)?)
}

fn set_affinity(cpus: &[u16]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(usize::from(cpu))?;
    }
    Ok(sched_setaffinity(SELF, &set)?)
}

/// With the stack that the process will need in it, so that no page of it has to be found later.
fn lock_memory() -> io::Result<()> {
    sys::lock_memory()?;
    std::hint::black_box([0_u8; STACK]);
    Ok(())
}

/// What was never changed is left alone: not everybody may set it, not even to what it is. Failures leave more than the
/// process should have, and nothing can be done about them.
fn unschedule_to(original: &Original) {
    if let Some(before) = original.scheduling {
        if sys::Scheduling::current().is_ok_and(|scheduling| scheduling != before) {
            let _ = before.set();
        }
    }
    let [.., real_time] = original.limits;
    set_limit(Resource::RLIMIT_RTTIME, real_time);
    if sys::nice().is_ok_and(|nice| nice != original.nice) {
        let _ = sys::set_nice(original.nice);
    }
}

fn set_cpus(original: &Original) {
    let Some(before) = &original.cpus else { return };
    if sched_getaffinity(SELF).is_ok_and(|cpus| cpus != *before) {
        let _ = sched_setaffinity(SELF, before);
    }
}

fn set_limit(limit: Resource, before: Option<(u64, u64)>) {
    let Some(before) = before else { return };
    if getrlimit(limit).is_ok_and(|now| now != before) {
        let _ = setrlimit(limit, before.0, before.1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use nix::sys::signal::{SigSet, Signal};
    use nix::unistd::getuid;

    use super::*;
    use crate::process::{Ending, Side, wait_for};

    /// In a process of its own, since it changes what all threads share.
    fn in_a_process(test: impl FnOnce() -> bool) {
        match sys::fork().unwrap() {
            Side::Child => sys::exit_now(if test() { 0 } else { 1 }),
            Side::Parent(pid) => assert_eq!(wait_for(pid).unwrap(), Ending::Exited(0)),
        }
    }

    #[derive(PartialEq)]
    struct State {
        scheduling: sys::Scheduling,
        nice: i32,
        cpus: CpuSet,
        limits: [(u64, u64); LIMITS.len()],
    }

    fn state() -> State {
        State {
            scheduling: sys::Scheduling::current().unwrap(),
            nice: sys::nice().unwrap(),
            cpus: sched_getaffinity(SELF).unwrap(),
            limits: LIMITS.map(|limit| getrlimit(limit).unwrap()),
        }
    }

    #[test]
    fn what_a_reload_no_longer_asks_for_is_taken_back() {
        in_a_process(|| {
            let before = state();
            let cpu = (0..).find(|&cpu| before.cpus.is_set(cpu).unwrap()).unwrap();
            let cpus = vec![u16::try_from(cpu).unwrap()];
            let nicer = Child {
                priority: i8::try_from(before.nice).unwrap() + 5,
                cpus,
                ..Child::default()
            };
            let failures = schedule(&nicer);
            let now = state();
            let only = (0..CpuSet::count()).all(|other| now.cpus.is_set(other) == Ok(other == cpu));
            let taken = failures.is_empty() && now.nice == before.nice + 5 && only;
            // Only root may go back to a lower nice value.
            taken
                && schedule(&Child::default()).is_empty()
                && (state() == before || !getuid().is_root())
        });
    }

    #[test]
    fn a_real_time_process_is_limited_and_becomes_a_normal_one_again() {
        in_a_process(|| {
            let before = state();
            let limit = Some(Duration::from_millis(8));
            let failures =
                schedule(&Child { realtime: Some(3), realtime_limit: limit, ..Child::default() });
            if !failures.is_empty() {
                // Not everybody may be real-time, nor in every container.
                return failures.len() == 1 && state() == before;
            }
            let limited = getrlimit(Resource::RLIMIT_RTTIME) == Ok((4_000, 8_000));
            let ended = schedule(&Child::default()).is_empty();
            // Taking a limit back takes a capability of its own.
            let (soft, hard) = before.limits[2];
            let refused = setrlimit(Resource::RLIMIT_RTTIME, soft, hard).is_err();
            limited && ended && (state() == before || refused)
        });
    }

    /// Computes for so long, without a blocking call.
    fn compute(time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {}
    }

    #[test]
    fn a_real_time_process_is_not_killed_by_a_default_nor_for_a_reload() {
        const LONG: Duration = Duration::from_millis(80);
        in_a_process(|| {
            let warned = SigSet::from(Signal::SIGXCPU);
            warned.thread_block().unwrap();
            if !schedule(&Child { realtime: Some(3), ..Child::default() }).is_empty() {
                // Not everybody may be real-time.
                return true;
            }
            let limited = getrlimit(Resource::RLIMIT_RTTIME) == Ok((5_000, 1_000_000));
            compute(LONG);
            let chosen = Some(Duration::from_millis(40));
            let child = Child { realtime: Some(3), realtime_limit: chosen, ..Child::default() };
            schedule(&child);
            lift_real_time_limit();
            compute(LONG);
            let failures = schedule(&child);
            compute(Duration::from_millis(10));
            let again = getrlimit(Resource::RLIMIT_RTTIME) == Ok((20_000, 40_000));
            limited && again && failures.is_empty()
        });
    }

    #[test]
    fn a_script_gets_the_limits_of_before() {
        in_a_process(|| {
            let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
            setrlimit(Resource::RLIMIT_NOFILE, soft - 1, hard).unwrap();
            let before = state();
            allow_files(soft).unwrap();
            let raised = getrlimit(Resource::RLIMIT_NOFILE).unwrap().0 == soft;
            restore();
            raised && state() == before
        });
    }

    #[test]
    fn priority_rises_with_lateness_up_to_its_ceiling() {
        let processes = Processes { max_auto_priority: 2, ..Processes::default() };
        let mut promotion = Promotion::new(&processes, &Child::default());
        assert_eq!(promotion.next(), Some(1));
        promotion.priority = Some(1);
        assert_eq!(promotion.next(), Some(2));
        promotion.priority = Some(2);
        assert_eq!(promotion.next(), None);
        let off = Promotion::new(&Processes::default(), &Child::default());
        assert_eq!(off.next(), None);
    }
}
