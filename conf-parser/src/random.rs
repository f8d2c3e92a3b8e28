//! Numbers for `${_RANDOM}`: spread well enough, and repeatable from a seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// A generator (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Repeats the numbers of `seed`.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Differs from run to run.
    pub(crate) fn from_clock() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(now.as_secs().rotate_left(32) ^ u64::from(now.subsec_nanos()))
    }

    /// A number from `min` to `max`, both included.
    pub(crate) fn between(&mut self, min: u64, max: u64) -> u64 {
        let next = self.next();
        match max.saturating_sub(min).checked_add(1) {
            Some(span) => min + next % span,
            None => next,
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers() {
        let numbers = |seed| {
            let mut random = Random::seeded(seed);
            [(); 8].map(|()| random.between(0, u64::MAX))
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }

    #[test]
    fn both_ends_are_reached() {
        let mut random = Random::seeded(1);
        let drawn: Vec<_> = (0..100).map(|_| random.between(5, 7)).collect();
        assert!((5..=7).all(|wanted| drawn.contains(&wanted)));
        assert!(drawn.iter().all(|value| (5..=7).contains(value)));
        assert_eq!(random.between(9, 9), 9);
    }
}
