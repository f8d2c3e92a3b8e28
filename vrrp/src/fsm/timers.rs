//! The intervals of RFC 3768 §6.1 and RFC 9568 §6.1, in the integer arithmetic of the original: microseconds, cut.

use std::time::Duration;

use crate::packet::{Priority, Version};

/// Skew time: the higher the priority, the sooner a router takes over. Version 2 takes its fraction of one second,
/// version 3 of the master's interval, which counts in hundredths.
pub(super) fn skew(version: Version, master_interval: Duration, priority: Priority) -> Duration {
    let steps = 256 - u64::from(priority.0);
    let micros = match version {
        Version::V2 => steps * 1_000_000 / 256,
        // A hundredth is 10,000 µs; 10,000/256 is 625/16.
        Version::V3 => steps * (whole_micros(master_interval) / 10_000) * 625 / 16,
    };
    Duration::from_micros(micros)
}

/// How long a backup waits for an advert.
pub(super) fn master_down(
    version: Version,
    master_interval: Duration,
    adverts: u32,
    priority: Priority,
) -> Duration {
    master_interval * adverts + skew(version, master_interval, priority)
}

/// An interval of adverts is at most 255 s.
fn whole_micros(interval: Duration) -> u64 {
    u64::try_from(interval.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const QUARTER: Duration = Duration::from_millis(250);

    #[test]
    fn intervals_measured_on_the_original() {
        let hundred = Priority(100);
        assert_eq!(skew(Version::V2, SECOND, hundred), Duration::from_micros(609_375));
        assert_eq!(master_down(Version::V2, SECOND, 3, hundred), Duration::from_micros(3_609_375));
        assert_eq!(skew(Version::V3, QUARTER, hundred), Duration::from_micros(152_343));
        assert_eq!(master_down(Version::V3, QUARTER, 3, hundred), Duration::from_micros(902_343));
    }

    #[test]
    fn an_owner_is_the_fastest() {
        assert_eq!(skew(Version::V2, SECOND, Priority::OWNER), Duration::from_micros(3_906));
        assert_eq!(skew(Version::V3, QUARTER, Priority::OWNER), Duration::from_micros(976));
    }

    #[test]
    fn version_2_skews_by_a_second_whatever_the_interval() {
        let slow = Duration::from_secs(255);
        assert_eq!(skew(Version::V2, slow, Priority(1)), Duration::from_micros(996_093));
        assert_eq!(
            skew(Version::V3, Duration::from_millis(40_950), Priority(1)),
            Duration::from_micros(40_790_039)
        );
    }
}
