//! Settings of connections in a route entry: MTU, windows, times.

use conf_parser::{Class, Word};

use super::context::Context;
use super::entry::{Reported, Words, refuse, unsigned};
use super::route::Metrics;

/// Numbers of the kernel (`RTAX_*`), for the set of locked ones.
#[derive(Clone, Copy)]
enum Axis {
    Mtu = 2,
    Rtt = 4,
    RttVar = 5,
    SsThresh = 6,
    Cwnd = 7,
    AdvMss = 8,
    Reordering = 9,
    RtoMin = 13,
    CongCtl = 16,
}

/// Explicit congestion notification (`RTAX_FEATURE_ECN`).
const ECN: u32 = 1;
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
        "mtu" => reader.metrics.mtu = Some(reader.lockable(Axis::Mtu, "MTU")?),
        "advmss" => reader.metrics.advmss = Some(reader.lockable(Axis::AdvMss, "advmss")?),
        "reordering" => {
            reader.metrics.reordering =
                Some(reader.lockable(Axis::Reordering, "reordering value")?);
        }
        "cwnd" => reader.metrics.cwnd = Some(reader.lockable(Axis::Cwnd, "cwnd value")?),
        "ssthresh" => {
            reader.metrics.ssthresh = Some(reader.lockable(Axis::SsThresh, "ssthresh value")?);
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
        "rtt" => reader.metrics.rtt = Some(reader.time(Axis::Rtt, 8, "rtt", "rtt")?),
        "rttvar" => {
            reader.metrics.rttvar = Some(reader.time(Axis::RttVar, 4, "rtt", "rttvar")?);
        }
        "rto_min" => {
            reader.metrics.rto_min = Some(reader.time(Axis::RtoMin, 1, "rto", "rto_min value")?);
        }
        "congctl" => {
            reader.lock(Axis::CongCtl);
            let word = reader.words.required(reader.context.diagnostics)?;
            reader.metrics.congestion = Some(word.text.to_owned());
        }
        "features" => {
            let word = reader.words.required(reader.context.diagnostics)?;
            if word.text == "ecn" {
                reader.metrics.features |= ECN;
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
    fn lock(&mut self, axis: Axis) {
        if self.words.take("lock") {
            self.metrics.locked |= 1 << u32::from(axis as u8);
        }
    }

    fn number(&mut self, max: u32, what: &str) -> Result<u32, Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        let message = |text: &str| format!("Invalid {what} {text} specified for route");
        unsigned(word, u64::from(max), self.context.diagnostics, message)
    }

    fn lockable(&mut self, axis: Axis, what: &str) -> Result<u32, Reported> {
        self.lock(axis);
        self.number(u32::MAX, what)
    }

    /// A time, in the kernel's unit of so many parts of a millisecond. Without a suffix it is in that unit already.
    fn time(&mut self, axis: Axis, parts: u32, kind: &str, what: &str) -> Result<u32, Reported> {
        self.lock(axis);
        let word = self.words.required(self.context.diagnostics)?;
        let (found, complaint) = match parse_time(word.text, parts) {
            Ok(time) => match clamp(time, parts) {
                (time, None) => return Ok(time),
                (time, Some(complaint)) => (Some(time), complaint),
            },
            Err(Malformed::Exponent) => (None, Complaint::Exponent),
            Err(Malformed::Number) => {
                let text = format!("invalid number '{}'", word.text);
                self.context.diagnostics.report(Class::InvalidNumber, word.place, text);
                (None, Complaint::None)
            }
        };
        let text = word.text;
        let message = match complaint {
            Complaint::TooLong => {
                format!("{kind} value {text} exceeds maximum {}s, resetting", LONGEST / 1000)
            }
            Complaint::TooShort => {
                format!("{kind} value {text} below minimum {SHORTEST}ms, resetting")
            }
            Complaint::Exponent => {
                format!("{kind} value exponential form {text} no longer supported")
            }
            Complaint::None => String::new(),
        };
        if !message.is_empty() {
            self.context.report(word.place, message);
        }
        found.ok_or_else(|| {
            let suffix = if kind == "rto" { " specified" } else { "" };
            let text = format!("Invalid {what} {text}{suffix} for route");
            refuse(self.context.diagnostics, word.place, text)
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Complaint {
    None,
    TooLong,
    TooShort,
    Exponent,
}

#[derive(Debug, PartialEq, Eq)]
enum Malformed {
    Number,
    Exponent,
}

/// A time in the kernel's unit.
fn parse_time(text: &str, parts: u32) -> Result<u64, Malformed> {
    let text = text.trim_start();
    let lower = text.to_ascii_lowercase();
    let (digits, scale) = match lower.find('s') {
        None => (lower.as_str(), None),
        Some(end) => {
            if !matches!(&lower[end..], "s" | "sec" | "secs") {
                return Err(Malformed::Number);
            }
            let digits = &lower[..end];
            match digits.strip_suffix('m') {
                Some(digits) => (digits, Some(1)),
                None => (digits, Some(1000)),
            }
        }
    };
    if digits.contains('e') {
        return Err(Malformed::Exponent);
    }
    match scale {
        None => digits.parse().map_err(|_| Malformed::Number),
        Some(scale) => decimal(digits, scale)
            .and_then(|millis| millis.checked_mul(u64::from(parts)))
            .ok_or(Malformed::Number),
    }
}

/// A decimal number times `scale`, which is 1 or 1000; it has no more decimals than that makes whole.
fn decimal(digits: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let places = if scale == 1000 { 3 } else { 0 };
    if fraction.len() > places || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction = format!("{fraction:0<places$}");
    let fraction = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(fraction)
}

fn clamp(time: u64, parts: u32) -> (u32, Option<Complaint>) {
    let (shortest, longest) = (SHORTEST * parts, LONGEST * parts);
    match u32::try_from(time) {
        Ok(time) if time < shortest => (shortest, Some(Complaint::TooShort)),
        Ok(time) if time <= longest => (time, None),
        _ => (longest, Some(Complaint::TooLong)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_and_without_a_unit() {
        for (text, parts, time) in [
            ("1s", 8, Ok(8000)),
            ("1.5sec", 8, Ok(12_000)),
            ("0.25secs", 4, Ok(1000)),
            ("300ms", 1, Ok(300)),
            ("300MS", 8, Ok(2400)),
            ("2000", 8, Ok(2000)),
            ("1.5", 8, Err(Malformed::Number)),
            ("1.2345s", 1, Err(Malformed::Number)),
            ("s", 1, Err(Malformed::Number)),
            ("ms", 1, Err(Malformed::Number)),
            ("1sx", 1, Err(Malformed::Number)),
            ("1.e3", 1, Err(Malformed::Exponent)),
        ] {
            assert_eq!(parse_time(text, parts), time, "{text}");
        }
    }

    #[test]
    fn times_are_kept_within_what_the_kernel_uses() {
        assert_eq!(clamp(1, 1), (200, Some(Complaint::TooShort)));
        assert_eq!(clamp(1600, 8), (1600, None));
        assert_eq!(clamp(120_000, 1), (120_000, None));
        assert_eq!(clamp(120_001, 1), (120_000, Some(Complaint::TooLong)));
        assert_eq!(clamp(u64::MAX, 8), (960_000, Some(Complaint::TooLong)));
    }
}
