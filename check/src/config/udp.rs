//! UDP_CHECK.

use conf_parser::{Args, Class, Diagnostics, Joined, Keyword, Statement, Value, keyword};
use serde::{Deserialize, Serialize};

use super::checker::Draft;

/// What is sent, and what must come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Udp {
    /// What to send; `None` is the usual text.
    pub payload: Option<Vec<u8>>,
    /// What must come back; `None` is content with silence.
    pub reply: Option<Reply>,
}

/// What a good reply looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What it starts with; empty is anything.
    pub pattern: Vec<Pattern>,
    /// Its smallest length.
    pub min_length: u16,
    /// Its greatest length.
    pub max_length: u16,
}

/// One byte of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// Its value where the mask is set.
    pub value: u8,
    /// The bits that count.
    pub mask: u8,
}

/// What the keywords fill.
#[derive(Debug, Default)]
pub(super) struct UdpDraft {
    payload: Option<Vec<u8>>,
    reply: Option<Vec<Pattern>>,
    min_length: u16,
    max_length: Option<u16>,
}

pub(super) static UDP_CHECK: Joined<Draft<UdpDraft>> =
    Joined(&[Draft::<UdpDraft>::CONNECTION, Draft::<UdpDraft>::TIMING, KEYWORDS]);

const KEYWORDS: &[Keyword<Draft<UdpDraft>>] = &[
    keyword("payload", Args::Words("HEX_STRING"), "what to send", payload),
    keyword(
        "require_reply",
        Args::Words("[HEX_STRING with x wildcards]"),
        "what must come back",
        require_reply,
    ),
    keyword(
        "min_reply_length",
        LENGTH,
        "smallest length of a reply",
        |draft: &mut Draft<UdpDraft>, value, _, _| draft.special.min_length = value.u16(),
    )
    .invalid("UDP_CHECK min length {} not valid - must be between 0 & 65535"),
    keyword(
        "max_reply_length",
        LENGTH,
        "greatest length of a reply",
        |draft: &mut Draft<UdpDraft>, value, _, _| draft.special.max_length = Some(value.u16()),
    )
    .invalid("UDP_CHECK max length {} not valid - must be between 0 & 65535"),
];

const LENGTH: Args = Args::Uint { unit: "UINT", min: 0, max: 65535, strict: true };
const DEFAULT_MAX_LENGTH: u16 = 255;

fn payload(
    draft: &mut Draft<UdpDraft>,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let text = if statement.arg(0).is_none() {
        "UDP_CHECK payload requires a payload"
    } else if let Some(bytes) = hex(&joined(statement), false) {
        draft.special.payload = Some(bytes.into_iter().map(|byte| byte.value).collect());
        return;
    } else {
        "Invalid hex string for UDP_CHECK payload"
    };
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

fn require_reply(
    draft: &mut Draft<UdpDraft>,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let pattern = match statement.arg(0) {
        None => Some(Vec::new()),
        Some(_) => hex(&joined(statement), true),
    };
    if pattern.is_none() {
        let text = "Invalid hex string for UDP_CHECK reply";
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    draft.special.reply = Some(pattern.unwrap_or_default());
}

fn joined(statement: &Statement) -> String {
    statement.args().map(|word| word.text).collect::<Vec<_>>().join(" ")
}

/// Pairs of hexadecimal digits; a digit before a blank or the end is a byte by itself. With `wildcards` an `x` stands for
/// any digit. `None` where there is anything else, or nothing.
fn hex(text: &str, wildcards: bool) -> Option<Vec<Pattern>> {
    let nibble = |digit: u8| match char::from(digit).to_digit(16) {
        Some(value) => u8::try_from(value).ok().map(|value| Pattern { value, mask: 0xf }),
        None if wildcards && digit.eq_ignore_ascii_case(&b'x') => {
            Some(Pattern { value: 0, mask: 0 })
        }
        None => None,
    };
    let mut bytes = Vec::new();
    for run in text.split([' ', '\t']).filter(|run| !run.is_empty()) {
        for pair in run.as_bytes().chunks(2) {
            bytes.push(match *pair {
                [high, low] => {
                    let (high, low) = (nibble(high)?, nibble(low)?);
                    Pattern { value: high.value << 4 | low.value, mask: high.mask << 4 | low.mask }
                }
                [single] => {
                    let low = nibble(single)?;
                    Pattern { value: low.value, mask: 0xf0 | low.mask }
                }
                _ => return None,
            });
        }
    }
    (!bytes.is_empty()).then_some(bytes)
}

impl UdpDraft {
    pub(super) fn finish(self, statement: &Statement, diagnostics: &mut Diagnostics) -> Udp {
        let min_length = self.min_length;
        let max_length = self.max_length.unwrap_or(DEFAULT_MAX_LENGTH);
        if min_length > max_length {
            let text = format!(
                "UDP_CHECK min_reply length {min_length} > max_reply_length {max_length} - will always fail"
            );
            diagnostics.report_block(Class::GeneralError, statement.extent(), text);
        }
        let reply = self.reply.map(|pattern| Reply { pattern, min_length, max_length });
        Udp { payload: self.payload, reply }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Option<Vec<u8>> {
        hex(text, false).map(|bytes| bytes.into_iter().map(|byte| byte.value).collect())
    }

    // What 2.4.3 was seen to send.
    #[test]
    fn a_digit_before_a_blank_is_a_byte() {
        assert_eq!(values("0aB c dd"), Some(vec![0x0a, 0x0b, 0x0c, 0xdd]));
        assert_eq!(values(""), None);
        assert_eq!(values("0g"), None);
        assert_eq!(values("0x"), None);
    }

    #[test]
    fn an_x_ignores_four_bits() {
        let pattern = hex("1x X2 x", true).expect("well formed");
        let masks: Vec<_> = pattern.iter().map(|byte| (byte.value, byte.mask)).collect();
        assert_eq!(masks, [(0x10, 0xf0), (0x02, 0x0f), (0x00, 0xf0)]);
    }
}
