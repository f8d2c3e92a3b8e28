//! Numbers, switches and times.

use crate::{Class, Diagnostics, Word};

/// The accepted range of a number.
#[derive(Clone, Copy, Debug)]
pub struct Limits<T> {
    /// Smallest accepted.
    pub min: T,
    /// Greatest accepted.
    pub max: T,
    /// Whether junk behind the number refuses it.
    pub strict: bool,
}

/// `on`, `true`, `yes`, `off`, `false`, `no`; anything else is `None`.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        _ => None,
    }
}

/// A signed decimal number within its limits; anything else is reported and `None`.
pub fn parse_int(
    word: Word<'_>,
    limits: Limits<i64>,
    diagnostics: &mut Diagnostics,
) -> Option<i64> {
    let found = word.text.parse().ok().filter(|value| (limits.min..=limits.max).contains(value));
    if found.is_none() {
        diagnostics.report(
            Class::InvalidNumber,
            word.place,
            format!("invalid number '{}'", word.text),
        );
    }
    found
}

/// An unsigned decimal number within its limits; anything else is reported and `None`.
pub fn parse_uint(
    word: Word<'_>,
    limits: Limits<u64>,
    diagnostics: &mut Diagnostics,
) -> Option<u64> {
    let found = word.text.parse().ok().filter(|value| (limits.min..=limits.max).contains(value));
    if found.is_none() {
        diagnostics.report(
            Class::InvalidNumber,
            word.place,
            format!("invalid number '{}'", word.text),
        );
    }
    found
}

/// Seconds with up to six decimals, as microseconds; anything else is reported and `None`.
pub fn parse_micros(
    word: Word<'_>,
    limits: Limits<u64>,
    diagnostics: &mut Diagnostics,
) -> Option<u64> {
    let (whole, fraction) = word.text.split_once('.').unwrap_or((word.text, ""));
    let padded = format!("{fraction:0<6}");
    let micros = (padded.len() == 6)
        .then_some(padded)
        .and_then(|padded| Some((whole.parse::<u64>().ok()?, padded.parse::<u64>().ok()?)))
        .and_then(|(whole, fraction)| whole.checked_mul(1_000_000)?.checked_add(fraction));
    let found = micros.filter(|value| (limits.min..=limits.max).contains(value));
    if found.is_none() {
        diagnostics.report(
            Class::InvalidNumber,
            word.place,
            format!("invalid number '{}'", word.text),
        );
    }
    found
}
