//! When the addresses of one instance are announced.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Target;
use crate::config::instance::Garp;

/// Announcements that are due together: so many of each address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Burst<'a> {
    pub(super) targets: &'a [Target],
    pub(super) rounds: u32,
}

/// The timetable of a master.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    settings: Rc<Garp>,
    targets: Box<[Target]>,
    extra: Box<[Target]>,
    second: Option<Instant>,
    refresh: Option<Instant>,
    contradiction: Option<Instant>,
    contradicted: Option<Instant>,
    elsewhere: Option<Instant>,
}

/// Contradictions that follow each other faster than this are one: a flood of adverts is not answered by another.
const CONTRADICTION_GAP: Duration = Duration::from_millis(100);

/// A point of the timetable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Second,
    Refresh,
    Contradiction,
    Elsewhere,
}

impl Schedule {
    /// The timetable of an instance that becomes master at `now`. `extra` are the addresses, one an interface, that
    /// are announced on other interfaces from time to time.
    pub(super) fn new(
        settings: Rc<Garp>,
        targets: Vec<Target>,
        extra: Vec<Target>,
        now: Instant,
    ) -> Self {
        let mut schedule = Self {
            settings,
            targets: targets.into(),
            extra: extra.into(),
            second: None,
            refresh: None,
            contradiction: None,
            contradicted: None,
            elsewhere: None,
        };
        schedule.arm_second(now);
        schedule.arm_periods(now);
        schedule
    }

    /// The burst of a new master.
    pub(super) fn first(&self) -> Burst<'_> {
        Burst { targets: &self.targets, rounds: self.settings.repeat }
    }

    /// A reload gave other settings or addresses. Whether there is to be a burst now.
    pub(super) fn replace(
        &mut self,
        settings: Rc<Garp>,
        targets: Vec<Target>,
        extra: Vec<Target>,
        now: Instant,
    ) -> bool {
        let added = targets.iter().any(|target| !self.targets.contains(target));
        let periods = |garp: &Garp| (garp.refresh, garp.extra.map(|extra| extra.interval));
        let changed = periods(&settings) != periods(&self.settings);
        self.settings = settings;
        self.targets = targets.into();
        self.extra = extra.into();
        if added {
            self.arm_second(now);
        }
        if changed {
            self.arm_periods(now);
        }
        added || !self.settings.refresh.is_zero()
    }

    /// A router of lower priority claimed the addresses for a while: the burst against it.
    pub(super) fn contradict(&mut self, now: Instant) -> Burst<'_> {
        let Garp { lower_prio_delay, lower_prio_repeat, .. } = *self.settings;
        let again = self.contradicted.map(|last| last + CONTRADICTION_GAP);
        if let Some(again) = again.filter(|&again| again > now && lower_prio_repeat > 0) {
            let sooner = self.contradiction.is_some_and(|at| at < again);
            self.contradiction = if sooner { self.contradiction } else { Some(again) };
            return Burst { targets: &self.targets, rounds: 0 };
        }
        self.contradicted = Some(now);
        if lower_prio_repeat > 0 {
            self.contradiction = after(now, lower_prio_delay);
        }
        Burst { targets: &self.targets, rounds: lower_prio_repeat }
    }

    /// When [`Schedule::due`] has something to give.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.points().into_iter().filter_map(|(at, _)| at).min()
    }

    /// What is due by `now`, one burst at a time.
    pub(super) fn due(&mut self, now: Instant) -> Option<Burst<'_>> {
        let points = self.points().into_iter();
        let due = points.filter_map(|(at, point)| Some((at?, point))).min_by_key(|&(at, _)| at);
        let (at, point) = due.filter(|&(at, _)| at <= now)?;
        let targets = &self.targets;
        let burst = match point {
            Due::Second => {
                self.second = None;
                Burst { targets, rounds: self.settings.repeat }
            }
            Due::Refresh => {
                self.refresh = again(at, self.settings.refresh, now);
                Burst { targets, rounds: self.settings.refresh_repeat }
            }
            Due::Contradiction => {
                self.contradiction = None;
                Burst { targets, rounds: self.settings.lower_prio_repeat }
            }
            Due::Elsewhere => {
                self.elsewhere = again(at, self.extra_interval(), now);
                Burst { targets: &self.extra, rounds: 1 }
            }
        };
        Some(burst)
    }

    fn points(&self) -> [(Option<Instant>, Due); 4] {
        [
            (self.second, Due::Second),
            (self.refresh, Due::Refresh),
            (self.contradiction, Due::Contradiction),
            (self.elsewhere, Due::Elsewhere),
        ]
    }

    fn arm_second(&mut self, now: Instant) {
        self.second = after(now, self.settings.delay);
    }

    /// The periods begin where the second burst ends.
    fn arm_periods(&mut self, now: Instant) {
        let start = now + self.settings.delay;
        self.refresh = after(start, self.settings.refresh);
        let elsewhere = after(start, self.extra_interval());
        self.elsewhere = elsewhere.filter(|_| !self.extra.is_empty());
    }

    fn extra_interval(&self) -> Duration {
        self.settings.extra.map_or(Duration::ZERO, |extra| extra.interval)
    }
}

/// Zero is never.
fn after(now: Instant, delay: Duration) -> Option<Instant> {
    (!delay.is_zero()).then(|| now + delay)
}

/// The next point of a period. After a pause of the machine, what was missed is not made up for.
fn again(at: Instant, period: Duration, now: Instant) -> Option<Instant> {
    let next = at + period;
    after(if next > now { at } else { now }, period)
}
