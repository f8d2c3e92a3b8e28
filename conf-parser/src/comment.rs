//! Comments, quotes and backslashes of a whole line, before anything else is made of it.

use crate::text::Text;

/// What is left of a line without its comment and the blanks around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stripped {
    /// Where the text starts.
    pub(crate) start: usize,
    /// Where it ends, without a lone backslash at the end of the line.
    pub(crate) end: usize,
    /// Where a lone backslash stands that belongs to the text.
    pub(crate) backslash: Option<usize>,
    /// Whether a `"` is not closed.
    pub(crate) open_quote: bool,
}

/// Finds the text of a line. `#` and `!` start a comment outside of `"…"`, also within a word. A backslash protects the
/// next character, and stays.
pub(crate) fn strip(line: &str) -> Stripped {
    let bytes = line.as_bytes();
    let mut quoted = false;
    let mut backslash = None;
    let mut end = bytes.len();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => quoted = !quoted,
            b'#' | b'!' if !quoted => {
                end = at;
                break;
            }
            b'\\' if at + 1 == bytes.len() => {
                backslash = Some(at);
                end = at;
            }
            b'\\' => at += 1,
            _ => {}
        }
        at += 1;
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let kept = bytes.get(..end).unwrap_or_default();
    let end = end - kept.iter().rev().take_while(|byte| is_blank(byte)).count();
    let start = kept.iter().take_while(|byte| is_blank(byte)).count().min(end);
    Stripped { start, end, backslash, open_quote: quoted }
}

impl Stripped {
    /// Reduces `text`, which is what was stripped.
    pub(crate) fn apply(self, text: &mut Text) {
        match self.backslash {
            // A lone backslash moves up to the last word.
            Some(at) => {
                text.keep(self.start..at + 1);
                text.remove(self.end - self.start..at - self.start);
            }
            None => text.keep(self.start..self.end),
        }
    }
}

/// Lets `\#` and `\!` outside of `"…"` stand for the bare character.
pub(crate) fn unescape(text: &mut Text) {
    let mut quoted = false;
    let mut at = 0;
    while let Some(&byte) = text.as_str().as_bytes().get(at) {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' => match text.as_str().as_bytes().get(at + 1) {
                Some(b'#' | b'!') if !quoted => text.remove(at..at + 1),
                _ => at += 1,
            },
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(line: &str) -> String {
        let mut text = Text::alone(line);
        strip(line).apply(&mut text);
        unescape(&mut text);
        text.as_str().to_owned()
    }

    #[test]
    fn comments_end_a_line_outside_of_double_quotes() {
        for (line, expected) in [
            ("  a b  ", "a b"),
            ("a b#c", "a b"),
            ("a ! b", "a"),
            ("# x", ""),
            (r#"a "b # c" d # e"#, r#"a "b # c" d"#),
            ("'a # b'", "'a"),
            (r"a \# b \! c # d", "a # b ! c"),
            (r#"a "\# \!""#, r#"a "\# \!""#),
            (r#"a "b \" # c" d"#, r#"a "b \" # c" d"#),
            (r"a \\# b", r"a \\"),
            (r"a b \", r"a b\"),
            (r"\", r"\"),
            (r"   \", r"\"),
            ("", ""),
            (" \t", ""),
            ("\ra\x0b", "\ra\x0b"),
        ] {
            assert_eq!(stripped(line), expected, "{line}");
        }
    }

    #[test]
    fn open_quotes_are_noticed() {
        assert!(strip(r#"a "b"#).open_quote);
        assert!(!strip(r#"a "b""#).open_quote);
        assert!(strip(r#"a "b\""#).open_quote);
    }
}
