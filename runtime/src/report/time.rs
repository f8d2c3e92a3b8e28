//! Times in dumps.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::logging::Clock;

/// A point in time. As text it is the seconds since 1970 with microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub SystemTime);

impl Moment {
    /// The year after the microseconds: `1795538631.379283 (Tue Nov 24 16:43:51.379283 2026)`.
    pub fn dated(self) -> String {
        let clock = Clock::of(self.0);
        format!("{self} ({} {})", self.clocked(clock), clock.year())
    }

    /// The year before the microseconds: `1795538654.585373 (Tue Nov 24 16:44:14 2026.585373)`.
    pub fn dated_before_fraction(self) -> String {
        format!("{self} ({}.{:06})", Clock::of(self.0).full(), self.since_1970().subsec_micros())
    }

    /// Without a year: `1795538637.818380 (Tue Nov 24 16:43:57.818380)`.
    pub fn without_year(self) -> String {
        format!("{self} ({})", self.clocked(Clock::of(self.0)))
    }

    fn clocked(self, clock: Clock) -> String {
        let micros = self.since_1970().subsec_micros();
        format!("{} {}.{micros:06}", clock.weekday(), clock.short())
    }

    fn since_1970(self) -> Duration {
        self.0.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.since_1970();
        write!(f, "{}.{:06}", since.as_secs(), since.subsec_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text` with every digit of a time that depends on the machine's zone replaced.
    fn shape(text: &str) -> String {
        let (number, date) = text.split_once(' ').unwrap();
        let masked = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
        let letters = |c: char| if c.is_ascii_alphabetic() { 'a' } else { c };
        format!("{number} {}", masked.map(letters).collect::<String>())
    }

    #[test]
    fn the_three_shapes_of_the_original() {
        let moment = Moment(UNIX_EPOCH + Duration::from_micros(1_795_538_631_079_283));
        assert_eq!(moment.to_string(), "1795538631.079283");
        assert_eq!(shape(&moment.dated()), "1795538631.079283 (aaa aaa 00 00:00:00.000000 0000)");
        assert!(moment.dated().contains(".079283 2026)"), "{}", moment.dated());
        let before = moment.dated_before_fraction();
        assert_eq!(shape(&before), "1795538631.079283 (aaa aaa 00 00:00:00 0000.000000)");
        assert!(before.ends_with(" 2026.079283)"), "{before}");
        let short = moment.without_year();
        assert_eq!(shape(&short), "1795538631.079283 (aaa aaa 00 00:00:00.000000)");
    }
}
