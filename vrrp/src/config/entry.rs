//! Reading an entry of a value block, word by word.

use conf_parser::{Class, Diagnostics, Limits, Line, Place, Word, parse_uint};

/// An entry, or a part of it, cannot be used. Why has been reported.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reported;

/// The words of an entry, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    line: &'a Line,
    rest: conf_parser::Words<'a>,
    taken: usize,
}

impl<'a> Words<'a> {
    /// All words of `line`.
    pub(super) fn new(line: &'a Line) -> Self {
        Self { line, rest: line.words(), taken: 0 }
    }

    /// The next word, which stays where it is.
    pub(super) fn peek(&self) -> Option<Word<'a>> {
        let mut rest = self.rest;
        rest.next()
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Option<Word<'a>> {
        let word = self.rest.next()?;
        self.taken += 1;
        Some(word)
    }

    /// Whether the next word is `text`, which is then passed.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.text == text);
        if found {
            self.next();
        }
        found
    }

    /// The next word, without which the configuration cannot be used.
    pub(super) fn required(&mut self, diagnostics: &mut Diagnostics) -> Result<Word<'a>, Reported> {
        if let Some(word) = self.next() {
            return Ok(word);
        }
        let word = |index: usize| self.line.word(index).map_or("", |word| word.text);
        let text = format!(
            "*** Configuration line starting `{}` is missing a parameter after keyword `{}` at word position {}",
            word(0),
            word(self.taken.saturating_sub(1)),
            self.taken + 1
        );
        diagnostics.report(Class::MissingParameter, self.line.place(), text);
        Err(Reported)
    }

    /// Where the entry stands.
    pub(super) fn place(&self) -> Place {
        self.line.place()
    }
}

/// Reports why something cannot be used.
pub(super) fn refuse(
    diagnostics: &mut Diagnostics,
    place: Place,
    message: impl Into<String>,
) -> Reported {
    diagnostics.report(Class::GeneralError, place, message);
    Reported
}

/// An unsigned number up to `max`, without anything behind it. When it is none, what is wrong with it is reported, and
/// then `message`.
pub(super) fn unsigned<T: TryFrom<u64>>(
    word: Word<'_>,
    max: u64,
    diagnostics: &mut Diagnostics,
    message: impl FnOnce(&str) -> String,
) -> Result<T, Reported> {
    parse_uint(word, Limits { min: 0, max, strict: true }, diagnostics)
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| refuse(diagnostics, word.place, message(word.text)))
}
