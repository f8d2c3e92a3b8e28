//! Settings of connections in a route entry: MTU, windows, times.

use conf_parser::{Limits, Word, parse_decimal};

use super::context::Context;
use super::entry::{Reported, Words, refuse, unsigned};
use super::route::{Lockable, Metrics};

/// The kernel's limits of a retransmission timer, in milliseconds (`TCP_RTO_MIN`, `TCP_RTO_MAX`).
const SHORTEST: u32 = 200;
const LONGEST: u32 = 120_000;

/// Reads the values of `keyword` if it is one of these settings; `false` when it is not.
pub(super) fn read_metric(
    keyword: Word<'_>,
    words: &mut Words<'_>,
    metrics: &mut Metrics,
    context: &mut Context<'_>,
) -> Result<bool, Reported> {
    let mut reader = Reader { words, metrics, context };
    match keyword.text {
        "mtu" => reader.metrics.mtu = Some(reader.lockable(Lockable::Mtu, "MTU")?),
        "advmss" => reader.metrics.advmss = Some(reader.lockable(Lockable::AdvMss, "advmss")?),
        "reordering" => {
            reader.metrics.reordering =
                Some(reader.lockable(Lockable::Reordering, "reordering value")?);
        }
        "cwnd" => reader.metrics.cwnd = Some(reader.lockable(Lockable::Cwnd, "cwnd value")?),
        "ssthresh" => {
            reader.metrics.ssthresh = Some(reader.lockable(Lockable::SsThresh, "ssthresh value")?);
        }
        "window" => reader.metrics.window = Some(reader.number(u32::MAX, "window value")?),
        "initcwnd" => reader.metrics.initcwnd = Some(reader.number(u32::MAX, "initcwnd value")?),
        "initrwnd" => reader.metrics.initrwnd = Some(reader.number(u32::MAX, "initrwnd value")?),
        "hoplimit" => {
            let limit = reader.number(255, "hoplimit")?;
            reader.metrics.hoplimit = u8::try_from(limit).ok();
        }
        "quickack" => {
            reader.metrics.quickack = Some(reader.number(1, "quickack value")? == 1);
        }
        "fastopen_no_cookie" => {
            let value = reader.number(1, "fastopen_no_cookie value")?;
            reader.metrics.fastopen_no_cookie = Some(value == 1);
        }
        "rtt" => reader.metrics.rtt = Some(reader.time(Lockable::Rtt, 8, "rtt", "rtt")?),
        "rttvar" => {
            reader.metrics.rttvar = Some(reader.time(Lockable::RttVar, 4, "rtt", "rttvar")?);
        }
        "rto_min" => {
            reader.metrics.rto_min =
                Some(reader.time(Lockable::RtoMin, 1, "rto", "rto_min value")?);
        }
        "congctl" => {
            reader.lock(Lockable::Congestion);
            let word = reader.words.required(reader.context.diagnostics)?;
            reader.metrics.congestion = Some(word.text.to_owned());
        }
        "features" => {
            let word = reader.words.required(reader.context.diagnostics)?;
            if word.text == "ecn" {
                reader.metrics.notify_congestion();
            } else {
                let text = format!("feature {} not supported", word.text);
                reader.context.report(word.place, text);
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

struct Reader<'r, 'a, 'm> {
    words: &'r mut Words<'a>,
    metrics: &'r mut Metrics,
    context: &'r mut Context<'m>,
}

impl Reader<'_, '_, '_> {
    /// Takes the word `lock`, after which the kernel leaves the value alone.
    fn lock(&mut self, setting: Lockable) {
        if self.words.take("lock") {
            self.metrics.lock(setting);
        }
    }

    fn number(&mut self, max: u32, what: &str) -> Result<u32, Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        let message = |text: &str| format!("Invalid {what} {text} specified for route");
        unsigned(word, u64::from(max), self.context.diagnostics, message)
    }

    fn lockable(&mut self, setting: Lockable, what: &str) -> Result<u32, Reported> {
        self.lock(setting);
        self.number(u32::MAX, what)
    }

    /// A time, in the kernel's unit of so many parts of a millisecond. Without a suffix it is in that unit already.
    fn time(
        &mut self,
        setting: Lockable,
        parts: u32,
        kind: &str,
        what: &str,
    ) -> Result<u32, Reported> {
        self.lock(setting);
        let word = self.words.required(self.context.diagnostics)?;
        let time = self.read_time(word, parts, kind).ok_or_else(|| {
            let suffix = if kind == "rto" { " specified" } else { "" };
            let text = format!("Invalid {what} {}{suffix} for route", word.text);
            refuse(self.context.diagnostics, word.place, text)
        })?;
        let (time, complaint) = clamp(time, parts);
        if let Some(complaint) = complaint {
            let text = format!("{kind} value {} {complaint}, resetting", word.text);
            self.context.report(word.place, text);
        }
        Ok(time)
    }

    fn read_time(&mut self, word: Word<'_>, parts: u32, kind: &str) -> Option<u64> {
        let (digits, unit) = split_unit(word.text)?;
        if digits.contains(['e', 'E']) {
            let text = format!("{kind} value exponential form {} no longer supported", word.text);
            self.context.report(word.place, text);
            return None;
        }
        let places = if unit == Unit::Second { 3 } else { 0 };
        let limits = Limits { min: 0, max: u64::from(LONGEST * parts), strict: true };
        let digits = Word { text: digits, place: word.place };
        let number = parse_decimal(digits, places, limits, self.context.diagnostics)?;
        Some(if unit == Unit::None { number } else { number.saturating_mul(u64::from(parts)) })
    }
}

/// What stands behind a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    None,
    Millisecond,
    Second,
}

/// The number of a time, and its unit. `None` where neither unit stands behind a number.
fn split_unit(text: &str) -> Option<(&str, Unit)> {
    let text = text.trim_start();
    let Some(end) = text.find(['s', 'S']) else { return Some((text, Unit::None)) };
    let (digits, suffix) = text.split_at(end);
    if !["s", "sec", "secs"].iter().any(|unit| suffix.eq_ignore_ascii_case(unit)) {
        return None;
    }
    let (digits, unit) = match digits.strip_suffix(['m', 'M']) {
        Some(digits) => (digits, Unit::Millisecond),
        None => (digits, Unit::Second),
    };
    (!digits.is_empty()).then_some((digits, unit))
}

fn clamp(time: u64, parts: u32) -> (u32, Option<String>) {
    let (shortest, longest) = (SHORTEST * parts, LONGEST * parts);
    match u32::try_from(time) {
        Ok(time) if time < shortest => (shortest, Some(format!("below minimum {SHORTEST}ms"))),
        Ok(time) if time <= longest => (time, None),
        _ => (longest, Some(format!("exceeds maximum {}s", LONGEST / 1000))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_and_without_a_unit() {
        for (text, split) in [
            ("1.5sec", Some(("1.5", Unit::Second))),
            ("0.25Secs", Some(("0.25", Unit::Second))),
            (" 300MS", Some(("300", Unit::Millisecond))),
            ("2000", Some(("2000", Unit::None))),
            ("s", None),
            ("ms", None),
            ("1sx", None),
        ] {
            assert_eq!(split_unit(text), split, "{text}");
        }
    }

    #[test]
    fn times_are_kept_within_what_the_kernel_uses() {
        let clamped = |time, parts| {
            let (time, complaint) = clamp(time, parts);
            (time, complaint.is_some())
        };
        assert_eq!(clamped(1, 1), (200, true));
        assert_eq!(clamped(1600, 8), (1600, false));
        assert_eq!(clamped(120_000, 1), (120_000, false));
        assert_eq!(clamped(120_001, 1), (120_000, true));
        assert_eq!(clamped(u64::MAX, 8), (960_000, true));
    }
}
