//! The block tree: statements, their words and their bodies.

use crate::{Extent, FileId, Place};

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
    words: Box<[Span]>,
    file: FileId,
    number: u32,
}

/// Where a word stands: in the expanded line, and in the line as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) column: u32,
    pub(crate) length: u32,
}

impl Line {
    pub(crate) fn new(raw: Box<str>, words: Vec<Span>, file: FileId, number: u32) -> Self {
        Self { raw, words: words.into(), file, number }
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
        let span = self.words.get(index)?;
        let range = usize::try_from(span.start).ok()?..usize::try_from(span.end).ok()?;
        Some(Word { text: self.raw.get(range)?, place: self.place_of(span) })
    }

    /// All words, in order.
    pub fn words(&self) -> impl Iterator<Item = Word<'_>> {
        (0..self.len()).filter_map(|index| self.word(index))
    }

    /// Where the line stands: the place of its first word.
    pub fn place(&self) -> Place {
        self.words.first().map(|span| self.place_of(span)).unwrap_or_default()
    }

    fn place_of(&self, span: &Span) -> Place {
        Place { file: self.file, line: self.number, column: span.column, length: span.length }
    }
}

/// A keyword with its arguments and what stands in its braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The keyword line; word 0 is the keyword.
    pub line: Line,
    /// What follows in braces.
    pub body: Body,
    /// Where it ends: the `}` of its block if it has one, otherwise the keyword.
    pub end: Place,
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

    /// Where its block stands.
    pub fn extent(&self) -> Extent {
        Extent { begin: self.place(), end: self.end }
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
    Block(Box<[Statement]>),
    /// Entries of a value block, one per line.
    Lines(Box<[Line]>),
}
