//! The block tree: statements, their words and their bodies.

use crate::Place;

/// One word of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// Its text, without quotes.
    pub text: &'a str,
    /// Where it stands.
    pub place: Place,
}

/// A logical line: a keyword line, or an entry of a value block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    raw: Box<str>,
    text: Box<str>,
    words: Box<[(u32, Place)]>,
}

impl Line {
    /// Makes a line from the text as written and its words.
    pub fn new<'a>(raw: &str, words: impl IntoIterator<Item = Word<'a>>) -> Self {
        let mut text = String::new();
        let mut ends = Vec::new();
        for word in words {
            text.push_str(word.text);
            ends.push((u32::try_from(text.len()).unwrap_or(u32::MAX), word.place));
        }
        Self { raw: raw.into(), text: text.into(), words: ends.into() }
    }

    /// The expanded line before it was split into words; script keywords split it by rules of their own.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there is no word at all.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The word at `index`, from 0.
    pub fn word(&self, index: usize) -> Option<Word<'_>> {
        let &(end, place) = self.words.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => self.words.get(before)?.0,
            None => 0,
        };
        let text = self.text.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)?;
        Some(Word { text, place })
    }

    /// All words, in order.
    pub fn words(&self) -> impl Iterator<Item = Word<'_>> {
        (0..self.len()).filter_map(|index| self.word(index))
    }

    /// Where the line stands: the place of its first word.
    pub fn place(&self) -> Place {
        self.words.first().map(|&(_, place)| place).unwrap_or_default()
    }
}

/// A keyword with its arguments and what stands in its braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The keyword line; word 0 is the keyword.
    pub line: Line,
    /// What follows in braces.
    pub body: Body,
}

impl Statement {
    /// The keyword.
    pub fn keyword(&self) -> &str {
        self.line.word(0).map_or("", |word| word.text)
    }

    /// Argument `index`, from 0.
    pub fn arg(&self, index: usize) -> Option<Word<'_>> {
        self.line.word(index.checked_add(1)?)
    }

    /// The arguments, in order.
    pub fn args(&self) -> impl Iterator<Item = Word<'_>> {
        self.line.words().skip(1)
    }

    /// Where the keyword stands.
    pub fn place(&self) -> Place {
        self.line.place()
    }

    /// The statements in a block of keywords; none for any other body.
    pub fn statements(&self) -> &[Statement] {
        match &self.body {
            Body::Block(statements) => statements,
            Body::None | Body::Lines(_) => &[],
        }
    }

    /// The entries of a value block; none for any other body.
    pub fn lines(&self) -> &[Line] {
        match &self.body {
            Body::Lines(lines) => lines,
            Body::None | Body::Block(_) => &[],
        }
    }
}

/// What stands in the braces of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// There are no braces.
    #[default]
    None,
    /// Keywords of a block.
    Block(Vec<Statement>),
    /// Entries of a value block, one per line.
    Lines(Vec<Line>),
}
