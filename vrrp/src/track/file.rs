//! The number in a tracked file.

/// So much of a file is looked at.
pub const READ_LIMIT: usize = 127;
/// Numbers beyond are not taken; the number before stays.
const LIMIT: i128 = 1 << 31;

/// A number that is out of range, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange(pub i128);

/// The number at the start of `content` as C reads it: blanks, a sign, then decimal, `0x` hexadecimal or `0` octal
/// digits. Whatever follows is ignored, and where there is no number it is 0.
pub fn number(content: &[u8]) -> Result<i64, OutOfRange> {
    let content = content.get(..READ_LIMIT).unwrap_or(content);
    let rest = content.trim_ascii_start();
    let (negative, rest) = match rest.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, rest),
    };
    let (radix, digits) = match rest {
        [b'0', b'x' | b'X', digits @ ..] if digits.first().is_some_and(u8::is_ascii_hexdigit) => {
            (16, digits)
        }
        [b'0', digits @ ..] => (8, digits),
        digits => (10, digits),
    };
    let values = digits.iter().map_while(|&byte| char::from(byte).to_digit(radix));
    let sum = values.fold(0_i128, |sum, digit| {
        sum.saturating_mul(i128::from(radix))
            .saturating_add(i128::from(digit))
            .min(i128::from(i64::MAX))
    });
    let value = if negative { -sum } else { sum };
    let inside = (-LIMIT..=LIMIT).contains(&value);
    i64::try_from(value).ok().filter(|_| inside).ok_or(OutOfRange(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (content, value) in [
            ("", 0),
            ("nothing", 0),
            ("0\n", 0),
            ("42", 42),
            ("  -7 and more", -7),
            ("+5", 5),
            ("010", 8),
            ("089", 0),
            ("0x1F", 31),
            ("0xg", 0),
            ("-2147483648", -2_147_483_648),
        ] {
            assert_eq!(number(content.as_bytes()), Ok(value), "{content:?}");
        }
        assert_eq!(number(b"2147483649"), Err(OutOfRange(2_147_483_649)));
        assert!(number(&[b'9'; 500]).is_err());
    }
}
