//! Expanded text that still knows where each of its bytes was written.

use std::ops::Range;

use crate::statement::{Line, Span};
use crate::words::{OpenQuote, split_words};
use crate::{FileId, Place};

/// A piece of a line. Expansions change it, and what they put in has the place of what they replaced.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    string: String,
    file: FileId,
    line: u32,
    /// In order; the first starts at 0.
    first: Run,
    /// Further runs; nearly always none.
    more: Vec<Run>,
    /// Whether definitions are no longer put in, because that went wrong.
    is_settled: bool,
}

/// Bytes with a common origin: all up to the start of the next run.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: usize,
    column: u32,
    /// How many columns all the bytes share; 0 for text as it was written, where each byte has a column of its own.
    shared: u32,
}

impl Text {
    /// Text as it was written, from `column` on.
    pub(crate) fn written(string: &str, file: FileId, line: u32, column: usize) -> Self {
        let first = Run { start: 0, column: narrow(column), shared: 0 };
        Self { string: string.to_owned(), file, line, first, more: Vec::new(), is_settled: false }
    }

    /// Text that stands for what was written at `place`.
    pub(crate) fn standing_for(string: &str, place: Place) -> Self {
        let first = Run { start: 0, column: place.column, shared: place.length.max(1) };
        let Place { file, line, .. } = place;
        Self { string: string.to_owned(), file, line, first, more: Vec::new(), is_settled: false }
    }

    /// Whether definitions in it are left alone.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Leaves the definitions in it alone from now on.
    pub(crate) fn settle(&mut self) {
        self.is_settled = true;
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.string
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.string.is_empty()
    }

    /// Where all of it stands.
    pub(crate) fn place(&self) -> Place {
        self.place_of(0..self.string.len())
    }

    /// Where a part of it stands.
    pub(crate) fn place_of(&self, range: Range<usize>) -> Place {
        let (column, length) = self.extent(range);
        Place { file: self.file, line: self.line, column, length }
    }

    /// Drops all but a part.
    pub(crate) fn keep(&mut self, range: Range<usize>) {
        self.string.truncate(range.end);
        if range.start > 0 {
            *self = self.tail(range.start);
        }
    }

    /// A copy of all from `start` on.
    pub(crate) fn tail(&self, start: usize) -> Self {
        let mut first = self.run_at(start);
        first = Run { start: 0, column: first.column_at(start), ..first };
        let later = self.more.iter().filter(|run| run.start > start);
        Self {
            string: self.string.get(start..).unwrap_or_default().to_owned(),
            first,
            more: later.map(|run| Run { start: run.start - start, ..*run }).collect(),
            ..*self
        }
    }

    /// Puts `with` in the place of a part.
    pub(crate) fn replace(&mut self, range: Range<usize>, with: &str) {
        let (column, length) = self.extent(range.clone());
        let replaced = Run { start: range.start, column, shared: length.max(1) };
        let after = self.run_at(range.end);
        let after = Run { start: range.end, column: after.column_at(range.end), ..after };

        let from = self.more.partition_point(|run| run.start < range.start);
        let to = self.more.partition_point(|run| run.start <= range.end);
        if range.start == 0 {
            self.first = replaced;
            self.more.splice(..to, [after]);
        } else {
            self.more.splice(from..to, [replaced, after]);
        }
        let moved = self.more.partition_point(|run| run.start < range.end);
        for run in self.more.iter_mut().skip(moved) {
            run.start = run.start - range.len() + with.len();
        }
        self.string.replace_range(range, with);
    }

    /// Takes a part out.
    pub(crate) fn remove(&mut self, range: Range<usize>) {
        let rest = self.tail(range.end);
        self.string.truncate(range.start);
        self.append(rest);
    }

    fn append(&mut self, other: Text) {
        let offset = self.string.len();
        if offset == 0 {
            *self = other;
            return;
        }
        self.more.retain(|run| run.start < offset);
        let moved = |run: Run| Run { start: run.start + offset, ..run };
        self.more.extend(std::iter::once(other.first).chain(other.more).map(moved));
        self.string.push_str(&other.string);
    }

    /// Splits it into words. `Err` has the words before a `"` that is not closed.
    pub(crate) fn into_line(self) -> Result<Line, Line> {
        // Counting them first costs less than room that is given back.
        let mut count = 0;
        let _ = split_words(&self.string, |_, _| count += 1);
        let mut spans = Vec::with_capacity(count);
        let split = split_words(&self.string, |start, end| {
            let (column, length) = self.extent(start..end);
            spans.push(Span { start: narrow(start), end: narrow(end), column, length });
        });
        let line = Line::new(self.string.into(), spans, self.file, self.line);
        match split {
            Ok(()) => Ok(line),
            Err(OpenQuote) => Err(line),
        }
    }

    fn run_at(&self, offset: usize) -> Run {
        self.more.iter().rev().find(|run| run.start <= offset).copied().unwrap_or(self.first)
    }

    /// The first column and the number of columns of a part.
    fn extent(&self, range: Range<usize>) -> (u32, u32) {
        let first = self.run_at(range.start);
        let column = first.column_at(range.start);
        if first.shared == 0 && self.more.is_empty() {
            return (column, narrow(range.len()));
        }
        let last_byte = range.end.saturating_sub(1).max(range.start);
        let last = self.run_at(last_byte);
        let end = last.column_at(last_byte) + last.shared.max(1);
        (column, end.saturating_sub(column))
    }
}

impl Run {
    fn column_at(self, offset: usize) -> u32 {
        match self.shared {
            0 => self.column.saturating_add(narrow(offset.saturating_sub(self.start))),
            _ => self.column,
        }
    }
}

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: Text) -> Vec<(String, u32, u32)> {
        let line = text.into_line().unwrap();
        line.words()
            .map(|word| (word.text.to_owned(), word.place.column, word.place.length))
            .collect()
    }

    fn written(string: &str) -> Text {
        Text::written(string, FileId::default(), 1, 1)
    }

    #[test]
    fn words_know_their_columns() {
        let mut text = written("  state MASTER # x");
        text.keep(2..14);
        assert_eq!(words(text), [("state".to_owned(), 3, 5), ("MASTER".to_owned(), 9, 6)]);
    }

    #[test]
    fn replaced_text_stands_where_its_reference_stood() {
        let mut text = written("a x${N}y ${M} z");
        text.replace(3..7, "1 2");
        text.replace(8..12, "mm");
        assert_eq!(text.as_str(), "a x1 2y mm z");
        assert_eq!(
            words(text),
            [
                ("a".to_owned(), 1, 1),
                ("x1".to_owned(), 3, 5),
                ("2y".to_owned(), 4, 5),
                ("mm".to_owned(), 10, 4),
                ("z".to_owned(), 15, 1),
            ]
        );
    }

    #[test]
    fn replacing_within_a_replacement_keeps_the_outer_place() {
        let mut text = written("k ${A} end");
        text.replace(2..6, "<$B> t");
        text.replace(3..5, "long value");
        assert_eq!(text.as_str(), "k <long value> t end");
        let found = words(text.clone());
        assert!(found[1..4].iter().all(|&(_, column, length)| (column, length) == (3, 4)));
        assert_eq!(found[4], ("end".to_owned(), 8, 3));
        assert_eq!(words(text.tail(17)), [("end".to_owned(), 8, 3)]);
    }

    #[test]
    fn removing_leaves_the_other_columns_alone() {
        let mut text = written(r"a\#b c");
        text.remove(1..2);
        assert_eq!(words(text), [("a#b".to_owned(), 1, 4), ("c".to_owned(), 6, 1)]);
    }
}
