//! Keeping announcements apart, for networks that drop bursts of them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use runtime::machine::IfIndex;

use super::Target;
use crate::packet::Family;

/// What a turn may be late before the announcements that it missed are not made up for.
const SLACK: Duration = Duration::from_millis(20);

/// The least time from one announcement to the next; zero is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// For gratuitous ARP.
    pub garp: Duration,
    /// For neighbour advertisements.
    pub gna: Duration,
}

impl Pace {
    fn of(self, family: Family) -> Duration {
        match family {
            Family::V4 => self.garp,
            Family::V6 => self.gna,
        }
    }
}

/// Which interfaces are paced how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pacing {
    /// Every interface by itself.
    pub default: Pace,
    /// Interfaces that share one pace, each as the number of its group and the group's pace. Where that is zero, the
    /// default applies.
    pub groups: HashMap<IfIndex, (u32, Pace)>,
}

/// Who shares a pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    Interface(IfIndex, Family),
    Group(u32, Family),
}

/// Announcements of instances `K` that wait for their turn.
#[derive(Clone, Debug)]
pub(super) struct Pacer<K> {
    pacing: Pacing,
    lanes: BTreeMap<Lane, Queue<K>>,
}

#[derive(Clone, Debug)]
struct Queue<K> {
    interval: Duration,
    /// Before this, nothing is sent.
    free_at: Instant,
    waiting: VecDeque<Waiting<K>>,
}

#[derive(Clone, Debug)]
struct Waiting<K> {
    owner: K,
    target: Target,
    rounds: u32,
}

impl<K: Copy + Eq> Pacer<K> {
    pub(super) fn new(pacing: Pacing) -> Self {
        Self { pacing, lanes: BTreeMap::new() }
    }

    /// A reload gave other paces. What waits goes on at the old one.
    pub(super) fn set_pacing(&mut self, pacing: Pacing) {
        self.pacing = pacing;
    }

    /// Announces `target` once: into `out` if its time has come, otherwise later. It waits for at most `most` rounds,
    /// however often it is asked for.
    pub(super) fn announce(
        &mut self,
        owner: K,
        target: Target,
        most: u32,
        now: Instant,
        out: &mut Vec<(K, Target)>,
    ) {
        let (lane, interval) = self.lane(target);
        if interval.is_zero() {
            out.push((owner, target));
            return;
        }
        let queue = self.lanes.entry(lane).or_insert_with(|| Queue {
            interval,
            free_at: now,
            waiting: VecDeque::new(),
        });
        queue.interval = interval;
        if queue.waiting.is_empty() && queue.free_at <= now {
            queue.free_at = now + interval;
            out.push((owner, target));
            return;
        }
        let known =
            queue.waiting.iter_mut().find(|known| known.owner == owner && known.target == target);
        match known {
            Some(known) => known.rounds = known.rounds.max(1).saturating_add(1).min(most.max(1)),
            None => queue.waiting.push_back(Waiting { owner, target, rounds: 1 }),
        }
    }

    /// Forgets what waits for `owner`.
    pub(super) fn cancel(&mut self, owner: K) {
        for queue in self.lanes.values_mut() {
            queue.waiting.retain(|waiting| waiting.owner != owner);
        }
    }

    /// When [`Pacer::due`] has something to give.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let busy = self.lanes.values().filter(|queue| !queue.waiting.is_empty());
        busy.map(|queue| queue.free_at).min()
    }

    /// Moves to `out` whose turn it is by `now`.
    pub(super) fn due(&mut self, now: Instant, out: &mut Vec<(K, Target)>) {
        self.lanes.retain(|_, queue| {
            queue.serve(now, out);
            !queue.waiting.is_empty() || queue.free_at > now
        });
    }

    /// Before when nothing is announced on `interface`, if that is known.
    pub(super) fn free_at(&self, interface: IfIndex, family: Family) -> Option<Instant> {
        let (lane, _) = self.lane_of(interface, family);
        self.lanes.get(&lane).map(|queue| queue.free_at)
    }

    fn lane(&self, target: Target) -> (Lane, Duration) {
        self.lane_of(target.paced_by, Family::of(target.address))
    }

    fn lane_of(&self, interface: IfIndex, family: Family) -> (Lane, Duration) {
        let group = self.pacing.groups.get(&interface);
        match group.map(|&(number, pace)| (number, pace.of(family))) {
            Some((number, interval)) if !interval.is_zero() => {
                (Lane::Group(number, family), interval)
            }
            _ => (Lane::Interface(interface, family), self.pacing.default.of(family)),
        }
    }
}

impl<K: Copy> Queue<K> {
    /// One after the other, each with what it waits for next going to the end.
    fn serve(&mut self, now: Instant, out: &mut Vec<(K, Target)>) {
        while self.free_at <= now {
            let Some(mut first) = self.waiting.pop_front() else { return };
            out.push((first.owner, first.target));
            first.rounds -= 1;
            if first.rounds > 0 {
                self.waiting.push_back(first);
            }
            // A short pace is finer than the clock that wakes us; a long pause is not made up for.
            let late = now.saturating_duration_since(self.free_at);
            self.free_at = if late > SLACK { now } else { self.free_at } + self.interval;
        }
    }
}
