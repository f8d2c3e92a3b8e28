//! Ordinary words: a logical line split at white space and double quotes.

/// A line split into words, and whether a quote was left open: what follows that quote is no word.
pub(crate) struct Split {
    pub(crate) words: Vec<(usize, usize)>,
    pub(crate) unmatched: bool,
}

/// Splits `text`: a word ends at white space or a `"`; a `"` starts a word that runs to the next one, with nothing special
/// in between.
pub(crate) fn split_words(text: &str) -> Split {
    let bytes = text.as_bytes();
    let mut words = Vec::with_capacity(4);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if is_space(byte) {
            at += 1;
            continue;
        }
        if byte == b'"' {
            let start = at + 1;
            let Some(length) = find(bytes, start, |byte| byte == b'"') else {
                return Split { words, unmatched: true };
            };
            words.push((start, start + length));
            at = start + length + 1;
        } else {
            let length = find(bytes, at, |byte| is_space(byte) || byte == b'"');
            let end = length.map_or(bytes.len(), |length| at + length);
            words.push((at, end));
            at = end;
        }
    }
    Split { words, unmatched: false }
}

fn find(bytes: &[u8], start: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    bytes.get(start..)?.iter().position(|&byte| wanted(byte))
}

/// White space as `isspace` of the C locale has it.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
impl crate::Line {
    /// A line as it would stand alone in a file, without comments or expansions.
    pub(crate) fn from_raw(raw: &str) -> Self {
        let text = crate::text::Text::written(raw, crate::FileId::default(), 1, 1);
        text.into_line().unwrap_or_else(|line| line)
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
        let split = split_words(r#"a b "c d"#);
        assert!(split.unmatched);
        assert_eq!(split.words, [(0, 1), (2, 3)]);
    }
}
