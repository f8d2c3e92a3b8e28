//! What a tracked thing is worth to an instance.

use serde::{Deserialize, Serialize};

/// How a tracked thing counts: its weight, and whether good and bad are swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weighting {
    /// Added to the priority; 0 makes a bad thing a fault.
    pub weight: i32,
    /// Good counts as bad and the other way round.
    pub reverse: bool,
}

/// What a tracked thing does to an instance now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contribution {
    /// It forces the instance into FAULT.
    Fault,
    /// It changes the priority by this much, perhaps by nothing.
    Priority(i32),
}

/// From here down a tracked file is a fault.
const FILE_FAULT: i64 = -254;
/// A tracked file never adds more.
const FILE_MOST: i64 = 253;

impl Weighting {
    /// For interfaces, scripts, processes and BFD sessions.
    ///
    /// A positive weight counts while the thing is good, a negative one while it is bad; `reverse` turns its sign.
    pub fn contribution(self, good: bool) -> Contribution {
        let counts = if self.weight > 0 { good } else { !good };
        match self.weight {
            0 if good == self.reverse => Contribution::Fault,
            0 => Contribution::Priority(0),
            weight if counts => Contribution::Priority(if self.reverse { -weight } else { weight }),
            _ => Contribution::Priority(0),
        }
    }

    /// For files: the number in the file counts, times the weight.
    pub fn file_contribution(self, value: i64) -> Contribution {
        match self.file_status(value).clamp(FILE_FAULT, FILE_MOST) {
            FILE_FAULT => Contribution::Fault,
            status => Contribution::Priority(i32::try_from(status).unwrap_or(0)),
        }
    }

    /// What the number in a file is worth, before it is limited.
    pub fn file_status(self, value: i64) -> i64 {
        if self.weight == 0 {
            let bad = (value != 0) != self.reverse;
            return if bad { FILE_FAULT } else { 0 };
        }
        let sign = if self.reverse { -1 } else { 1 };
        value.saturating_mul(i64::from(self.weight)).saturating_mul(sign)
    }
}

#[cfg(test)]
mod tests {
    use super::Contribution::{Fault, Priority};
    use super::*;

    #[test]
    fn each_sign_and_direction_counts_as_documented() {
        for (weight, reverse, when_good, when_bad) in [
            (0, false, Priority(0), Fault),
            (0, true, Fault, Priority(0)),
            (10, false, Priority(10), Priority(0)),
            (10, true, Priority(-10), Priority(0)),
            (-10, false, Priority(0), Priority(-10)),
            (-10, true, Priority(0), Priority(10)),
        ] {
            let weighting = Weighting { weight, reverse };
            assert_eq!(weighting.contribution(true), when_good, "{weighting:?}");
            assert_eq!(weighting.contribution(false), when_bad, "{weighting:?}");
        }
    }

    #[test]
    fn the_number_in_a_file_is_weighed_and_limited() {
        for (value, weight, reverse, expected) in [
            (0, 0, false, Priority(0)),
            (1, 0, false, Fault),
            (0, 0, true, Fault),
            (1, 0, true, Priority(0)),
            (3, 2, false, Priority(6)),
            (3, 2, true, Priority(-6)),
            (-253, 1, false, Priority(-253)),
            (-254, 1, false, Fault),
            (254, 1, false, Priority(253)),
            (i64::MAX, -254, false, Fault),
        ] {
            assert_eq!(
                Weighting { weight, reverse }.file_contribution(value),
                expected,
                "{value} × {weight}"
            );
        }
    }
}
