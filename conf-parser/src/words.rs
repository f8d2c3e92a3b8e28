//! Ordinary words: a logical line split at white space and double quotes.

/// A `"` is not closed: what follows it is no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenQuote;

/// Tells `word` where each word of `text` starts and ends. A word ends at white space or a `"`; a `"` starts a word that
/// runs to the next one, with nothing special in between.
pub(crate) fn split_words(text: &str, mut word: impl FnMut(usize, usize)) -> Result<(), OpenQuote> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if is_space(byte) {
            at += 1;
            continue;
        }
        if byte == b'"' {
            let start = at + 1;
            let length = find(bytes, start, |byte| byte == b'"').ok_or(OpenQuote)?;
            word(start, start + length);
            at = start + length + 1;
        } else {
            let length = find(bytes, at, |byte| is_space(byte) || byte == b'"');
            let end = length.map_or(bytes.len(), |length| at + length);
            word(at, end);
            at = end;
        }
    }
    Ok(())
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
        let mut words = Vec::new();
        let split = split_words(r#"a b "c d"#, |start, end| words.push((start, end)));
        assert_eq!(split, Err(OpenQuote));
        assert_eq!(words, [(0, 1), (2, 3)]);
    }
}
