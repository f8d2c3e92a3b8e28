//! Named timers, ordered by their deadlines.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Entries that do not count any more are cleared out when they are half as many as there are timers, and so many more.
const SLACK: usize = 64;

/// So long before the first timer nothing is due.
const PAST: Duration = Duration::from_secs(60);

/// Named timers. A timer that is moved to later, as a backup does with each advert, costs no queue operation: its old
/// entry stays, and is put back with the new deadline when it comes up.
///
/// Timers with the same deadline expire in the order in which they were put into the queue. So those that are armed
/// together again and again keep their order, and with it their distances.
#[derive(Debug)]
pub(super) struct Timers<T> {
    /// What times are counted from here, in nanoseconds: there can be many, and an [`Instant`] is twice as large.
    start: Instant,
    queue: BinaryHeap<Reverse<Entry<T>>>,
    armed: HashMap<T, Armed>,
    /// Counts the entries.
    serial: u64,
}

#[derive(Clone, Copy, Debug)]
struct Armed {
    /// When it expires; [`NEVER`] while it is disarmed and its entry has not come up yet.
    deadline: u64,
    /// The entry that counts.
    queued: u64,
}

const NEVER: u64 = u64::MAX;

/// An entry of the queue, ordered by its time, and then by its age.
#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    at: u64,
    serial: u64,
    timer: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        // A deadline may have come before there was anything to wait for it.
        let now = Instant::now();
        let start = now.checked_sub(PAST).unwrap_or(now);
        Self { start, queue: BinaryHeap::new(), armed: HashMap::new(), serial: 0 }
    }
}

impl<T: Copy + Eq + Hash> Timers<T> {
    pub(super) fn arm(&mut self, timer: T, at: Instant) {
        let at = at.saturating_duration_since(self.start).as_nanos();
        let at = u64::try_from(at).unwrap_or(NEVER);
        let earlier = Armed { deadline: at, queued: at };
        match self.armed.get_mut(&timer) {
            Some(armed) if armed.queued <= at => {
                armed.deadline = at;
                return;
            }
            Some(armed) => *armed = earlier,
            None => {
                self.armed.insert(timer, earlier);
            }
        }
        self.push(at, timer);
        if self.queue.len() > self.armed.len() + self.armed.len() / 2 + SLACK {
            let armed = &self.armed;
            self.queue.retain(|Reverse(Entry { at, timer, .. })| {
                armed.get(timer).is_some_and(|armed| armed.queued == *at)
            });
        }
    }

    fn push(&mut self, at: u64, timer: T) {
        let serial = self.serial;
        self.serial += 1;
        self.queue.push(Reverse(Entry { at, serial, timer }));
    }

    pub(super) fn disarm(&mut self, timer: T) {
        if let Some(armed) = self.armed.get_mut(&timer) {
            armed.deadline = NEVER;
        }
    }

    pub(super) fn armed(&self, timer: T) -> Option<Instant> {
        let armed = self.armed.get(&timer).filter(|armed| armed.deadline != NEVER)?;
        Some(self.instant(armed.deadline))
    }

    fn instant(&self, at: u64) -> Instant {
        self.start + Duration::from_nanos(at)
    }

    /// The deadline of the timer that expires first.
    pub(super) fn next(&mut self) -> Option<Instant> {
        self.settle();
        self.queue.peek().map(|Reverse(entry)| self.instant(entry.at))
    }

    /// Takes the first timer out if it is due.
    pub(super) fn expired(&mut self, now: Instant) -> Option<T> {
        self.next().filter(|&at| at <= now)?;
        let Reverse(entry) = self.queue.pop()?;
        self.armed.remove(&entry.timer);
        Some(entry.timer)
    }

    /// Makes the first entry one whose time is its timer's deadline.
    fn settle(&mut self) {
        while let Some(&Reverse(Entry { at, timer, .. })) = self.queue.peek() {
            let Some(armed) = self.armed.get_mut(&timer).filter(|armed| armed.queued == at) else {
                self.queue.pop(); // it was moved to earlier meanwhile
                continue;
            };
            match armed.deadline {
                NEVER => {
                    self.armed.remove(&timer);
                    self.queue.pop();
                }
                deadline if deadline == at => return,
                deadline => {
                    armed.queued = deadline;
                    self.queue.pop();
                    self.push(deadline, timer);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a plain map, whatever is armed, moved and disarmed in whatever order.
        #[test]
        fn timers_expire_when_they_should(steps in proptest::collection::vec((0u8..4, 0u8..6, 0u64..50), 1..200)) {
            let start = Instant::now();
            let (mut now, mut timers, mut model) = (start, Timers::default(), BTreeMap::new());
            for (kind, timer, millis) in steps {
                match kind {
                    0 | 1 => {
                        let at = now + Duration::from_millis(millis);
                        timers.arm(timer, at);
                        model.insert(timer, at);
                    }
                    2 => {
                        timers.disarm(timer);
                        model.remove(&timer);
                    }
                    _ => now += Duration::from_millis(millis),
                }
                prop_assert_eq!(timers.armed(timer), model.get(&timer).copied());
                prop_assert_eq!(timers.next(), model.values().min().copied());
                let mut before = start;
                while let Some(timer) = timers.expired(now) {
                    let at = model.remove(&timer).expect("it was armed");
                    prop_assert!(at <= now && at >= before);
                    before = at;
                }
                prop_assert!(model.values().all(|&at| at > now));
            }
        }
    }

    #[test]
    fn moving_to_later_leaves_one_entry() {
        let mut timers = Timers::default();
        let start = Instant::now();
        for millis in 0..1000 {
            timers.arm((), start + Duration::from_millis(millis));
        }
        assert_eq!(timers.queue.len(), 1);
        assert_eq!(timers.next(), Some(start + Duration::from_millis(999)));
    }

    #[test]
    fn entries_that_were_moved_to_earlier_do_not_pile_up() {
        let mut timers = Timers::default();
        let mut now = Instant::now();
        for _ in 0..10_000 {
            timers.arm(1, now + Duration::from_secs(86_400));
            timers.arm(1, now + Duration::from_secs(1));
            now += Duration::from_secs(1);
            assert_eq!(timers.expired(now), Some(1));
        }
        assert!(timers.queue.len() <= SLACK + 2, "{}", timers.queue.len());
    }

    #[test]
    fn timers_of_one_moment_keep_their_order() {
        let mut now = Instant::now();
        let mut timers = Timers::default();
        for timer in 0..100 {
            timers.arm(timer, now);
        }
        for _ in 0..10 {
            for timer in 0..100 {
                assert_eq!(timers.expired(now), Some(timer));
                timers.arm(timer, now + Duration::from_millis(100));
            }
            now += Duration::from_millis(100);
        }
    }
}
