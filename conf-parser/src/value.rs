//! Numbers, switches and times, accepted and refused as 2.4.3 does.

use crate::words::is_space;
use crate::{Class, Diagnostics, Word};

/// The accepted range of a number.
#[derive(Clone, Copy, Debug)]
pub struct Limits<T> {
    /// Smallest accepted.
    pub min: T,
    /// Greatest accepted.
    pub max: T,
    /// Whether junk behind the number refuses it. A lenient number with junk is used with a warning, but for a test
    /// (`-t`), which refuses it too.
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

/// A signed decimal number of 32 bits within its limits; anything else is reported and `None`.
pub fn parse_int(
    word: Word<'_>,
    limits: Limits<i64>,
    diagnostics: &mut Diagnostics,
) -> Option<i64> {
    let text = word.text;
    let Limits { min, max, strict } = limits;
    let scanned = scan(text, 10);
    let value = scanned.signed();
    let fits = value.is_some_and(|value| (min..=max).contains(&value));
    let warn = warning(strict, diagnostics);
    let message = if scanned.junk {
        format!("{warn}invalid number '{text}'")
    } else if value.is_none_or(|value| i32::try_from(value).is_err()) {
        format!("{warn}number '{text}' outside integer range")
    } else if !fits {
        format!("number '{text}' outside range [{min}, {max}]")
    } else {
        return value;
    };
    diagnostics.report(Class::InvalidNumber, word.place, message);
    value.filter(|_| fits && !warn.is_empty())
}

/// An unsigned decimal number within its limits; anything else is reported and `None`.
pub fn parse_uint(
    word: Word<'_>,
    limits: Limits<u64>,
    diagnostics: &mut Diagnostics,
) -> Option<u64> {
    let text = word.text;
    let Limits { min, max, strict } = limits;
    let wide = u32::try_from(max).is_err();
    let scanned = scan(text, 10);
    let value = scanned.unsigned();
    let fits = (min..=max).contains(&value);
    let warn = warning(strict, diagnostics);
    let message = if scanned.negative {
        format!("{warn}negative number '{text}'")
    } else if scanned.junk {
        format!("{warn}invalid number '{text}'")
    } else if wide && scanned.magnitude.is_none() {
        format!("{warn}number '{text}' outside unsigned 64 bit range")
    } else if !wide && u32::try_from(value).is_err() {
        format!("{warn}number '{text}' outside unsigned integer range")
    } else if !fits {
        let warn = if wide { "" } else { warn };
        format!("{warn}number '{text}' outside range [{min}, {max}]")
    } else {
        return Some(value);
    };
    diagnostics.report(Class::InvalidNumber, word.place, message);
    (fits && !scanned.negative && !warn.is_empty()).then_some(value)
}

/// Seconds with up to six decimals, as microseconds; anything else is reported and `None`.
pub fn parse_micros(
    word: Word<'_>,
    limits: Limits<u64>,
    diagnostics: &mut Diagnostics,
) -> Option<u64> {
    parse_decimal(word, 6, limits, diagnostics)
}

/// A number with up to `places` decimals, times ten to the `places`; the limits are in the units of the result. More decimals
/// are rounded with a warning; anything else that is wrong is reported and `None`.
///
/// Junk behind the number refuses it even when lenient: 2.4.3 would take the digits of `5s` for microseconds.
pub fn parse_decimal(
    word: Word<'_>,
    places: u32,
    limits: Limits<u64>,
    diagnostics: &mut Diagnostics,
) -> Option<u64> {
    let text = word.text;
    let Limits { min, max, strict } = limits;
    let warn = warning(strict, diagnostics);
    let mut report = |message| diagnostics.report(Class::InvalidNumber, word.place, message);
    if text.starts_with('-') {
        report(format!("{warn}negative number '{text}'"));
        return None;
    }
    let width = usize::try_from(places).unwrap_or(usize::MAX);
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let kept = decimals.get(..width).unwrap_or(decimals);
    let rounded = decimals.as_bytes().get(width).is_some_and(|&digit| digit >= b'5');
    let zeros = "0".repeat(width.saturating_sub(kept.len()));
    let scanned = scan(&[whole, kept, &zeros].concat(), 10);
    let value = scanned.magnitude.and_then(|value| value.checked_add(u64::from(rounded)));
    if decimals.len() > width {
        report(format!("{warn}number '{text}' has too many decimal places"));
    }
    match value {
        _ if scanned.junk || scanned.negative => report(format!("invalid number '{text}'")),
        None => report(format!("{warn}number '{text}' outside unsigned decimal range")),
        Some(value) if (min..=max).contains(&value) => return Some(value),
        Some(_) => {
            let scale = 10_u64.saturating_pow(places);
            let show = |value: u64| format!("{}.{:0width$}", value / scale, value % scale);
            let (min, max) = (show(min), show(max));
            report(format!("{warn}number '{text}' outside range [{min}, {max}]"));
        }
    }
    None
}

/// What 2.4.3 starts a message about a lenient number with, used or not.
fn warning(strict: bool, diagnostics: &Diagnostics) -> &'static str {
    if strict || diagnostics.is_test() { "" } else { "WARNING - " }
}

/// An integer at the start of a text, as `strtol` of C reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Whether a `-` stands before it, or alone.
    pub(crate) negative: bool,
    /// Its digits; 0 without any, `None` for more than 64 bits hold.
    pub(crate) magnitude: Option<u64>,
    /// Whether anything follows it. Text that is no number is junk as a whole; empty text is 0.
    pub(crate) junk: bool,
}

impl Scanned {
    /// The value, where 64 bits hold it.
    pub(crate) fn signed(self) -> Option<i64> {
        let magnitude = i128::from(self.magnitude?);
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    /// The value as C has it: too much is the greatest, and a negative number wraps around.
    fn unsigned(self) -> u64 {
        match self.magnitude {
            None => u64::MAX,
            Some(magnitude) if self.negative => magnitude.wrapping_neg(),
            Some(magnitude) => magnitude,
        }
    }
}

/// A number as C writes it: decimal, hexadecimal after `0x`, octal after `0`; nothing else may stand there.
pub fn c_number(text: &str) -> Option<u64> {
    let scanned = scan(text, 0);
    let is_number = !text.is_empty() && !scanned.negative && !scanned.junk;
    scanned.magnitude.filter(|_| is_number)
}

/// Reads an integer in base 10, or in base 0: that of its prefix.
pub(crate) fn scan(text: &str, base: u32) -> Scanned {
    let bytes = text.as_bytes();
    let blank = bytes.iter().take_while(|byte| is_space(**byte)).count();
    let unsigned = bytes.get(blank..).unwrap_or_default();
    let (negative, digits) = match unsigned {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..]
            if base == 0 && rest.first().is_some_and(u8::is_ascii_hexdigit) =>
        {
            (16, rest)
        }
        [b'0', ..] if base == 0 => (8, digits),
        _ if base == 0 => (10, digits),
        _ => (base, digits),
    };
    let values = digits.iter().map_while(|&byte| char::from(byte).to_digit(base));
    let (magnitude, count) = values.fold((Some(0_u64), 0), |(value, count), digit| {
        let next =
            value.and_then(|value| value.checked_mul(base.into())?.checked_add(digit.into()));
        (next, count + 1)
    });
    let junk = if count == 0 { !bytes.is_empty() } else { count < digits.len() };
    Scanned { negative, magnitude, junk }
}

/// As much of the beginning of `text` as fits into `most` bytes.
pub fn fitting(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    /// The value and the messages of a normal run and of a test.
    fn both<T: Copy + PartialEq + std::fmt::Debug>(
        text: &str,
        parse: impl Fn(Word<'_>, &mut Diagnostics) -> Option<T>,
    ) -> [(Option<T>, String); 2] {
        [Diagnostics::default(), Diagnostics::for_test()].map(|mut diagnostics| {
            let value = parse(Word { text, place: Place::default() }, &mut diagnostics);
            let messages: Vec<_> = diagnostics.render_log().collect();
            (value, messages.join("; "))
        })
    }

    fn uint(text: &str, max: u64, strict: bool) -> [(Option<u64>, String); 2] {
        both(text, |word, found| parse_uint(word, Limits { min: 1, max, strict }, found))
    }

    #[test]
    fn good_numbers_say_nothing() {
        for (text, value) in [("5", 5), ("+5", 5), ("  5", 5), ("007", 7), ("255", 255)] {
            for (found, messages) in uint(text, 255, true) {
                assert_eq!((found, &*messages), (Some(value), ""), "{text}");
            }
        }
        let empty = both("", |word, found| {
            parse_uint(word, Limits { min: 0, max: 9, strict: true }, found)
        });
        assert_eq!(empty[1], (Some(0), String::new()));
    }

    #[test]
    fn a_lenient_number_is_used_outside_a_test() {
        for (text, value) in [("3x", 3), ("5.5", 5), ("7 8", 7)] {
            let [run, test] = uint(text, 255, false);
            assert_eq!(run, (Some(value), format!("WARNING - invalid number '{text}'")));
            assert_eq!(test, (None, format!("invalid number '{text}'")));
            let strict = (None, format!("invalid number '{text}'"));
            assert_eq!(uint(text, 255, true), [strict.clone(), strict]);
        }
    }

    #[test]
    fn limits_refuse_and_never_clamp() {
        let [run, test] = uint("256", 255, false);
        assert_eq!(run, (None, "WARNING - number '256' outside range [1, 255]".to_owned()));
        assert_eq!(test, (None, "number '256' outside range [1, 255]".to_owned()));
        let [run, _] = uint("4294967296", 255, false);
        assert_eq!(
            run,
            (None, "WARNING - number '4294967296' outside unsigned integer range".to_owned())
        );
        let [run, _] = uint("0", u64::MAX, false);
        assert_eq!(run, (None, format!("number '0' outside range [1, {}]", u64::MAX)));
        let [run, _] = uint("18446744073709551616", u64::MAX - 1, false);
        let text = "WARNING - number '18446744073709551616' outside unsigned 64 bit range";
        assert_eq!(run, (None, text.to_owned()));
    }

    #[test]
    fn unsigned_numbers_are_not_negative() {
        let [run, test] = uint(" -3", 255, false);
        assert_eq!(run, (None, "WARNING - negative number ' -3'".to_owned()));
        assert_eq!(test, (None, "negative number ' -3'".to_owned()));
    }

    #[test]
    fn signed_numbers() {
        let int = |text, strict| {
            both(text, |word, found| parse_int(word, Limits { min: -20, max: 19, strict }, found))
        };
        assert_eq!(int("-20", true)[1], (Some(-20), String::new()));
        assert_eq!(int("-5x", false)[0], (Some(-5), "WARNING - invalid number '-5x'".to_owned()));
        assert_eq!(int("-21", false)[0], (None, "number '-21' outside range [-20, 19]".to_owned()));
        assert_eq!(
            int("2147483648", false)[0],
            (None, "WARNING - number '2147483648' outside integer range".to_owned())
        );
        assert_eq!(int("x", false)[0], (Some(0), "WARNING - invalid number 'x'".to_owned()));
    }

    #[test]
    fn numbers_of_c() {
        for (text, value) in [
            ("0", Some(0)),
            ("42", Some(42)),
            ("0x1F", Some(31)),
            ("010", Some(8)),
            (" +7", Some(7)),
            ("", None),
            ("0x", None),
            ("09", None),
            ("-1", None),
            ("++1", None),
            ("1 ", None),
            ("main", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(c_number(text), value, "{text:?}");
        }
    }

    #[test]
    fn times_are_seconds_with_six_decimals() {
        let time = |text| {
            let limits = Limits { min: 1000, max: 30_000_000, strict: false };
            both(text, |word, found| parse_micros(word, limits, found))
        };
        for (text, value) in
            [("1", 1_000_000), ("0.5", 500_000), (".25", 250_000), ("2.", 2_000_000)]
        {
            assert_eq!(time(text)[1], (Some(value), String::new()), "{text}");
        }
        let [run, test] = time("1.0000005");
        assert_eq!(run.0, Some(1_000_001));
        assert_eq!(run.1, "WARNING - number '1.0000005' has too many decimal places");
        assert_eq!(test.0, Some(1_000_001));
        for text in ["5s", "1.2.3", "one", "1e3"] {
            assert_eq!(time(text)[0], (None, format!("invalid number '{text}'")));
        }
        for (text, complaint) in [
            ("-1", "negative number '-1'"),
            ("31", "number '31' outside range [0.001000, 30.000000]"),
            (
                "99999999999999999999",
                "number '99999999999999999999' outside unsigned decimal range",
            ),
        ] {
            let [run, test] = time(text);
            assert_eq!(run, (None, format!("WARNING - {complaint}")));
            assert_eq!(test, (None, complaint.to_owned()));
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        assert_eq!(fitting("name", 4), "name");
        assert_eq!(fitting("name", 3), "nam");
        assert_eq!(fitting("naïve", 3), "na");
        assert_eq!(fitting("ï", 1), "");
        assert_eq!(fitting("", 0), "");
    }
}
