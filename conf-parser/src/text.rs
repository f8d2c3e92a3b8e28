//! Expanded text that still knows where each of its bytes was written.

use std::ops::Range;
use std::rc::Rc;

use crate::{FileId, Place};

/// A piece of a line. Expansions change it, and what they put in has the place of what they replaced.
///
/// Pieces share what they are pieces of, so that nothing is copied of a line that is left as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    whole: Rc<Whole>,
    /// Where it is in the whole.
    start: u32,
    end: u32,
    /// Where the line begins in the whole, if that is as it was written.
    line_start: u32,
    file: FileId,
    line: u32,
    /// Whether definitions are no longer put in, because that went wrong.
    is_settled: bool,
}

/// What a text is a piece of: a file, or a line that was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whole {
    string: String,
    /// Where the parts of a line that was made come from: in order, the first starts at 0. None where all is as it was
    /// written.
    runs: Vec<Run>,
}

/// Bytes with a common origin: all up to the start of the next run.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: usize,
    column: u32,
    /// How many columns all the bytes share; 0 for text as it was written, where each byte has a column of its own.
    shared: u32,
}

impl Whole {
    /// Text as it was written.
    pub(crate) fn written(string: String) -> Rc<Self> {
        Rc::new(Self { string, runs: Vec::new() })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.string
    }
}

impl Text {
    /// A line as it was written, which is a part of `whole`.
    pub(crate) fn written(whole: &Rc<Whole>, range: Range<usize>, file: FileId, line: u32) -> Self {
        let (start, end) = (narrow(range.start), narrow(range.end));
        let whole = Rc::clone(whole);
        Self { whole, start, end, line_start: start, file, line, is_settled: false }
    }

    /// Text that stands for what was written at `place`.
    pub(crate) fn standing_for(string: &str, place: Place) -> Self {
        let run = Run { start: 0, column: place.column, shared: place.length.max(1) };
        let whole = Whole { string: string.to_owned(), runs: vec![run] };
        Self::written(&Rc::new(whole), 0..string.len(), place.file, place.line)
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
        self.whole.string.get(wide(self.start)..wide(self.end)).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Where all of it stands.
    pub(crate) fn place(&self) -> Place {
        self.place_of(0..wide(self.end - self.start))
    }

    /// Where a part of it stands.
    pub(crate) fn place_of(&self, range: Range<usize>) -> Place {
        let (column, length) = self.extent(self.within(range));
        Place { file: self.file, line: self.line, column, length }
    }

    /// Drops all but a part.
    pub(crate) fn keep(&mut self, range: Range<usize>) {
        let kept = self.within(range);
        (self.start, self.end) = (narrow(kept.start), narrow(kept.end));
    }

    /// All from `start` on.
    pub(crate) fn tail(&self, start: usize) -> Self {
        let mut tail = self.clone();
        tail.keep(start..wide(self.end - self.start));
        tail
    }

    /// Puts `with` in the place of a part.
    pub(crate) fn replace(&mut self, range: Range<usize>, with: &str) {
        self.make_own();
        let range = self.within(range);
        let (column, length) = self.extent(range.clone());
        let replaced = Run { start: range.start, column, shared: length.max(1) };
        self.edit(range, with, Some(replaced));
    }

    /// Takes a part out.
    pub(crate) fn remove(&mut self, range: Range<usize>) {
        self.make_own();
        self.edit(self.within(range), "", None);
    }

    /// Makes it a line of its own, which can be changed.
    fn make_own(&mut self) {
        if self.whole.runs.is_empty() {
            let run = Run { start: 0, column: self.column_at(wide(self.start)), shared: 0 };
            let string = self.as_str().to_owned();
            self.whole = Rc::new(Whole { string, runs: vec![run] });
            (self.start, self.end) = (0, self.end - self.start);
        }
    }

    /// Puts `with`, of which the origin is `replaced`, in the place of a part of the whole.
    fn edit(&mut self, range: Range<usize>, with: &str, replaced: Option<Run>) {
        let after =
            Run { start: range.end, column: self.column_at(range.end), ..self.run_at(range.end) };
        let Whole { string, runs } = Rc::make_mut(&mut self.whole);
        let from = runs.partition_point(|run| run.start < range.start);
        let to = runs.partition_point(|run| run.start <= range.end);
        runs.splice(from..to, replaced.into_iter().chain([after]));
        let moved = from + usize::from(replaced.is_some());
        for run in runs.iter_mut().skip(moved) {
            run.start = run.start - range.len() + with.len();
        }
        self.end = narrow(wide(self.end) - range.len() + with.len());
        string.replace_range(range, with);
    }

    /// A part of it, as a part of the whole.
    fn within(&self, range: Range<usize>) -> Range<usize> {
        wide(self.start) + range.start..wide(self.start) + range.end
    }

    /// The run in which a byte of the whole lies.
    fn run_at(&self, offset: usize) -> Run {
        let written = Run { start: wide(self.line_start), column: 1, shared: 0 };
        self.whole.runs.iter().rev().find(|run| run.start <= offset).copied().unwrap_or(written)
    }

    fn column_at(&self, offset: usize) -> u32 {
        self.run_at(offset).column_at(offset)
    }

    /// The first column and the number of columns of a part of the whole.
    fn extent(&self, range: Range<usize>) -> (u32, u32) {
        let first = self.run_at(range.start);
        let column = first.column_at(range.start);
        if self.whole.runs.is_empty() {
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

fn wide(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
impl Text {
    /// A line as it would stand alone in a file.
    pub(crate) fn alone(string: &str) -> Self {
        Self::written(&Whole::written(string.to_owned()), 0..string.len(), FileId::default(), 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Line;

    fn words(text: Text) -> Vec<(String, u32, u32)> {
        Line::new(text)
            .words()
            .map(|word| (word.text.to_owned(), word.place.column, word.place.length))
            .collect()
    }

    #[test]
    fn words_know_their_columns() {
        let mut text = Text::alone("  state MASTER # x");
        text.keep(2..14);
        assert_eq!(words(text), [("state".to_owned(), 3, 5), ("MASTER".to_owned(), 9, 6)]);
    }

    #[test]
    fn replaced_text_stands_where_its_reference_stood() {
        let mut text = Text::alone("a x${N}y ${M} z");
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
        let mut text = Text::alone("k ${A} end");
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
        let mut text = Text::alone(r"a\#b c");
        text.remove(1..2);
        assert_eq!(words(text), [("a#b".to_owned(), 1, 4), ("c".to_owned(), 6, 1)]);
    }
}
