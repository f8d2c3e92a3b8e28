//! Times as people read them, in log lines and dumps.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::sys::time::{LocalTime, local_time};

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time on the machine's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    local: LocalTime,
    nanoseconds: u32,
}

impl Clock {
    pub(crate) fn now() -> Self {
        Self::of(SystemTime::now())
    }

    pub(crate) fn of(time: SystemTime) -> Self {
        let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX);
        Self {
            local: local_time(seconds).unwrap_or_default(),
            nanoseconds: since_1970.subsec_nanos(),
        }
    }

    /// As syslog has it: `Nov  4 16:38:17` (RFC 3164 §4.1.2).
    pub(crate) fn short(&self) -> String {
        let LocalTime { day, hour, minute, second, .. } = self.local;
        format!("{} {day:2} {hour:02}:{minute:02}:{second:02}", self.month())
    }

    /// As C prints a time: `Tue Nov 24 16:01:05 2026`.
    pub(crate) fn full(&self) -> String {
        format!("{} {} {}", self.weekday(), self.short(), self.local.year)
    }

    /// The same with nanoseconds: `Tue Nov 24 16:57:29.140938120 2026`.
    pub(crate) fn full_nanoseconds(&self) -> String {
        format!("{} {}.{:09} {}", self.weekday(), self.short(), self.nanoseconds, self.local.year)
    }

    pub(crate) fn year(&self) -> i32 {
        self.local.year
    }

    pub(crate) fn weekday(&self) -> &'static str {
        WEEKDAYS.get(self.local.weekday).copied().unwrap_or_default()
    }

    fn month(&self) -> &'static str {
        MONTHS.get(self.local.month).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_look_as_c_prints_them() {
        let local = LocalTime {
            year: 2026,
            month: 10,
            day: 4,
            weekday: 3,
            hour: 6,
            minute: 1,
            second: 5,
            offset: 0,
        };
        let clock = Clock { local, nanoseconds: 140_938_120 };
        assert_eq!(clock.short(), "Nov  4 06:01:05");
        assert_eq!(clock.full(), "Wed Nov  4 06:01:05 2026");
        assert_eq!(clock.full_nanoseconds(), "Wed Nov  4 06:01:05.140938120 2026");
    }
}
