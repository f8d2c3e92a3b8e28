//! Where a word stands: file, line and column.

/// A file that was read, as an index into the list that [`Diagnostics`](crate::Diagnostics) keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub(crate) u32);

/// The place of a word or line. Lines and columns count from 1; columns and lengths are in bytes of the line as it was
/// written. Text that came out of an expansion has the place of what was expanded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// The line, from 1.
    pub line: u32,
    /// The first column, from 1.
    pub column: u32,
    /// The length in bytes; 0 where only the line is known.
    pub length: u32,
}

/// Where a block stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Its keyword.
    pub begin: Place,
    /// Its `}`.
    pub end: Place,
}

/// A value that remembers where it was written, for checks that come after parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Spanned<T> {
    /// Ties `value` to `place`.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}
