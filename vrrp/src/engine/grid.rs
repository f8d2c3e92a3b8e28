//! When the adverts of masters leave: together, so that they cost few system calls, but not all of them at once.

use std::time::{Duration, Instant};

use crate::config::InstanceId;

/// The distance of two points of the grid.
const STEP: Duration = Duration::from_millis(1);
/// Faster adverts than this keep their own time.
const SLOWEST_FREE: Duration = Duration::from_millis(100);
/// So many instances, in the order of the configuration, share the points of a beat; the next ones have those one step
/// later. If a thousand that start together also sent together, each would wait for the others, every time for
/// another while, and they would overrun whoever hears them.
const COMPANY: u32 = 64;
/// After so many companies it begins anew, so that nobody waits for longer than so many steps.
const COMPANIES: u32 = 16;

/// Points of time that adverts leave at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    origin: Instant,
}

impl Grid {
    /// A grid with a point at `origin`.
    pub(super) fn new(origin: Instant) -> Self {
        Self { origin }
    }

    /// When the advert of a master leaves that is due `at`. As the election counts from when it was due, only one of
    /// all intervals is longer by the delay.
    pub(super) fn place(self, id: InstanceId, at: Instant, interval: Duration) -> Instant {
        if interval < SLOWEST_FREE {
            return at;
        }
        let since = at.saturating_duration_since(self.origin).as_nanos();
        let late = since.next_multiple_of(STEP.as_nanos()) - since;
        let company = (id.0 / COMPANY) % COMPANIES;
        at + Duration::from_nanos(u64::try_from(late).unwrap_or(0)) + STEP * company
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn those_of_a_company_leave_together_and_companies_one_after_the_other() {
        let origin = Instant::now();
        let grid = Grid::new(origin);
        let mut points = BTreeMap::<Duration, usize>::new();
        for id in 0..1000 {
            // They became master one after the other, within a millisecond.
            let at = origin + Duration::from_micros(5_001 + u64::from(id % 999));
            let point = grid.place(InstanceId(id), at, SECOND) - origin;
            *points.entry(point).or_default() += 1;
        }
        let expected = (6..22).map(|millis| (Duration::from_millis(millis), 64));
        let mut expected: BTreeMap<_, _> = expected.collect();
        expected.insert(Duration::from_millis(21), 1000 - 15 * 64);
        assert_eq!(points, expected);
    }

    #[test]
    fn a_few_instances_are_late_by_less_than_a_step() {
        let origin = Instant::now();
        let at = origin + Duration::from_micros(17_300);
        let point = Grid::new(origin).place(InstanceId(63), at, SECOND);
        assert_eq!(point - origin, Duration::from_millis(18));
        assert_eq!(Grid::new(at).place(InstanceId(0), at, SECOND), at);
    }

    #[test]
    fn fast_adverts_keep_their_own_time() {
        let origin = Instant::now();
        let at = origin + Duration::from_micros(17_300);
        assert_eq!(Grid::new(origin).place(InstanceId(500), at, Duration::from_millis(90)), at);
    }
}
