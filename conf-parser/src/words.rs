//! Ordinary words: a logical line split at white space and double quotes.

use std::ops::Range;

/// Where the words of a text stand. A word ends at white space or a `"`; a `"` starts a word that runs to the next one,
/// with nothing special in between. What follows a `"` that is not closed is no word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranges<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Ranges<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// How far the next byte is that is wanted.
    fn distance(&self, wanted: impl Fn(u8) -> bool) -> Option<usize> {
        self.text.as_bytes().get(self.at..)?.iter().position(|&byte| wanted(byte))
    }
}

impl Iterator for Ranges<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        self.at += self.distance(|byte| !is_space(byte))?;
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            let start = self.at;
            let end = self.distance(|byte| byte == b'"').map(|length| start + length);
            self.at = end.map_or(self.text.len(), |end| end + 1);
            return Some(start..end?);
        }
        let start = self.at;
        let length = self.distance(|byte| is_space(byte) || byte == b'"');
        self.at = length.map_or(self.text.len(), |length| start + length);
        Some(start..self.at)
    }
}

/// Whether a `"` is not closed.
pub(crate) fn has_open_quote(text: &str) -> bool {
    text.bytes().filter(|&byte| byte == b'"').count() % 2 == 1
}

/// White space as `isspace` of the C locale has it.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
impl crate::Line {
    /// A line as it would stand alone in a file, without comments or expansions.
    pub(crate) fn from_raw(raw: &str) -> Self {
        Self::new(crate::text::Text::alone(raw))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Line;

    #[test]
    fn words_end_at_white_space_and_double_quotes() {
        for (text, expected) in [
            ("a  b\tc", &["a", "b", "c"][..]),
            (r#"foo"bar"baz"#, &["foo", "bar", "baz"]),
            (r#""" x"#, &["", "x"]),
            (r#""a b\" c"#, &["a b\\", "c"]),
            ("'a b'", &["'a", "b'"]),
            ("a\x0bb\x0cc\rd", &["a", "b", "c", "d"]),
            ("\u{e9}t\u{e9}", &["\u{e9}t\u{e9}"]),
            ("", &[]),
        ] {
            let line = Line::from_raw(text);
            assert_eq!(line.words().map(|word| word.text).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn an_open_quote_keeps_the_words_before_it() {
        let text = r#"a b "c d"#;
        assert!(has_open_quote(text));
        assert_eq!(Ranges::of(text).collect::<Vec<_>>(), [0..1, 2..3]);
    }
}
