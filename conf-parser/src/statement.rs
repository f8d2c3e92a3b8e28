//! The block tree: statements, their words and their bodies.

use std::ops::Range;

use crate::text::Text;
use crate::words::Ranges;
use crate::{Extent, Place};

/// One word of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// Its text, without quotes.
    pub text: &'a str,
    /// Where it stands.
    pub place: Place,
}

/// A logical line: a keyword line, or an entry of a value block.
#[derive(Clone, Debug)]
pub struct Line(Text);

impl Line {
    pub(crate) fn new(text: Text) -> Self {
        Self(text)
    }

    /// The expanded line before it was split into words; script keywords split it by rules of their own.
    pub fn raw(&self) -> &str {
        self.0.as_str()
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        Ranges::of(self.raw()).count()
    }

    /// Whether there is no word at all.
    pub fn is_empty(&self) -> bool {
        Ranges::of(self.raw()).next().is_none()
    }

    /// The word at `index`, from 0.
    pub fn word(&self, index: usize) -> Option<Word<'_>> {
        let range = Ranges::of(self.raw()).nth(index)?;
        self.word_in(range)
    }

    fn first(&self) -> &str {
        let range = Ranges::of(self.raw()).next();
        range.and_then(|range| self.raw().get(range)).unwrap_or_default()
    }

    fn word_in(&self, range: Range<usize>) -> Option<Word<'_>> {
        Some(Word { text: self.raw().get(range.clone())?, place: self.0.place_of(range) })
    }

    /// All words, in order. They are looked for as they are asked for.
    pub fn words(&self) -> Words<'_> {
        Words { line: self, ranges: Ranges::of(self.raw()) }
    }

    /// Where the line stands: the place of its first word.
    pub fn place(&self) -> Place {
        self.word(0).map(|word| word.place).unwrap_or_default()
    }
}

/// The words of a [`Line`].
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    line: &'a Line,
    ranges: Ranges<'a>,
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let range = self.ranges.next()?;
        self.line.word_in(range)
    }
}

/// A keyword with its arguments and what stands in its braces.
#[derive(Clone, Debug)]
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
        self.line.first()
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
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// There are no braces.
    #[default]
    None,
    /// Keywords of a block.
    Block(Box<[Statement]>),
    /// Entries of a value block, one per line.
    Lines(Box<[Line]>),
}
