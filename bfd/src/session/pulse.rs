//! When periodic packets leave.

use std::time::{Duration, Instant};

/// Moments at which sessions send. Those of one pulse that send equally often send at the same moments, so that one
/// wake-up serves them all.
///
/// RFC 5880 §6.8.7 has each interval shortened by a random 0 to 25 %, by 10 to 25 % with a multiplier of 1, so that
/// systems do not fall into step. Here it is by 0, 10 or 20 %, or by 10, 15 or 20 %: what is random is the distance
/// between two moments, and pulses of other systems, or of other seeds, know nothing of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulse {
    start: Instant,
    seed: u32,
}

/// Intervals are divided into so many parts.
const PARTS: u32 = 20;
/// A packet leaves no earlier after the one before.
const EARLIEST: u32 = 15;

/// How the moments for an interval lie, in parts of it: one in each `period`, `spread` parts late or not at all. So two are
/// at least `period - spread` and at most `period + spread` apart.
struct Lay {
    period: u64,
    spread: u64,
}

impl Lay {
    fn of(multiplier: u8) -> Self {
        if multiplier == 1 {
            Self { period: 17, spread: 1 }
        } else {
            Self { period: 18, spread: 2 }
        }
    }

    /// The longest distance.
    fn latest(&self) -> u32 {
        u32::try_from(self.period + self.spread).unwrap_or(PARTS)
    }
}

impl Pulse {
    /// Moments from `start` on. Pulses of consecutive seeds take turns.
    pub(crate) fn new(start: Instant, seed: u32) -> Self {
        Self { start, seed }
    }

    /// When the packet after the one that was sent at `sent` leaves, at an `interval` of the session. Where no moment is
    /// within the bounds, the interval is as long as it may be, which brings the next one nearer to a moment.
    pub(super) fn next(self, sent: Instant, interval: Duration, multiplier: u8) -> Instant {
        let lay = Lay::of(multiplier);
        let part = nanos(interval / PARTS).max(1);
        let earliest =
            nanos((sent + interval / PARTS * EARLIEST).saturating_duration_since(self.start));
        let latest = sent + interval / PARTS * lay.latest();
        // A phase is shorter than a period, and so is what comes late.
        let first = (earliest / (part * lay.period)).saturating_sub(2);
        let moment =
            (first..).map(|number| self.moment(number, &lay) * part).find(|&at| at >= earliest);
        moment.map_or(latest, |at| (self.start + Duration::from_nanos(at)).min(latest))
    }

    /// The moment of this `number`, in parts of the interval since the start.
    fn moment(self, number: u64, lay: &Lay) -> u64 {
        let phase = u64::from(self.seed) * 2 % lay.period;
        let is_late = mix(u64::from(self.seed) ^ mix(number)) & 1;
        number * lay.period + phase + is_late * lay.spread
    }
}

/// A weak generator is enough: the finisher of MurmurHash3.
fn mix(number: u64) -> u64 {
    let mixed = (number ^ number >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ mixed >> 33
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// When the packets leave that follow one sent at `first`.
    fn train(pulse: Pulse, first: Instant, interval: Duration, multiplier: u8) -> Vec<Instant> {
        let next = |sent: &Instant| Some(pulse.next(*sent, interval, multiplier));
        std::iter::successors(Some(first), next).take(200).collect()
    }

    proptest! {
        /// However late a packet leaves, the next one keeps its distance to it.
        #[test]
        fn intervals_are_shortened_as_the_protocol_asks(
            seed in any::<u32>(),
            micros in 1_000_u64..5_000_000,
            sent in 0_u64..5_000_000,
            multiplier in 1_u8..4,
            late in proptest::collection::vec(0_u32..100, 50),
        ) {
            let start = Instant::now();
            let interval = Duration::from_micros(micros);
            let longest = if multiplier == 1 { interval * 9 / 10 } else { interval };
            let mut sent = start + Duration::from_micros(sent);
            for percent in late {
                let next = Pulse::new(start, seed).next(sent, interval, multiplier);
                prop_assert!(next >= sent + interval * 3 / 4 - Duration::from_nanos(20), "{:?}", next - sent);
                prop_assert!(next <= sent + longest, "{:?}", next - sent);
                sent = next + interval * percent / 1000;
            }
        }
    }

    #[test]
    fn sessions_of_a_pulse_meet_and_stay_together() {
        let start = Instant::now();
        let interval = Duration::from_millis(50);
        for multiplier in [1, 3] {
            let trains = [3, 31].map(|late| {
                let first = start + Duration::from_millis(late);
                train(Pulse::new(start, 7), first, interval, multiplier)
            });
            // They have met within a few seconds, and 200 intervals are more than six.
            let settled = trains.map(|train| -> Vec<Instant> {
                let range = start + Duration::from_secs(3)..start + Duration::from_secs(6);
                train.into_iter().filter(|at| range.contains(at)).collect()
            });
            assert!(settled[0].len() > 50);
            assert_eq!(settled[0], settled[1]);
        }
    }

    #[test]
    fn distances_are_random_and_those_of_other_seeds_are_others() {
        let start = Instant::now();
        let interval = Duration::from_millis(20);
        let gaps = |seed: u32, multiplier: u8| -> Vec<u128> {
            let train = train(Pulse::new(start, seed), start, interval, multiplier);
            train.windows(2).skip(20).map(|pair| (pair[1] - pair[0]).as_millis()).collect()
        };
        let kinds: BTreeSet<u128> = gaps(1, 3).into_iter().collect();
        assert_eq!(kinds, BTreeSet::from([16, 18, 20]));
        assert_eq!(gaps(1, 1).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([16, 17, 18]));
        assert_ne!(gaps(1, 3), gaps(2, 3));
    }

    #[test]
    fn pulses_take_turns() {
        let start = Instant::now();
        let interval = Duration::from_millis(10);
        let moments: BTreeSet<Duration> = (0..9)
            .map(|seed| Pulse::new(start, seed).moment(0, &Lay { period: 18, spread: 0 }))
            .map(|parts| interval / PARTS * u32::try_from(parts).unwrap())
            .collect();
        assert_eq!(moments.len(), 9, "{moments:?}");
    }
}
