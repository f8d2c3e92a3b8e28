//! Diagnostics: gathered while parsing, shown for a terminal or for the log.

use std::path::PathBuf;

use crate::{Extent, FileId, Place};

/// How grave a diagnostic is. The order is that of 2.4.3: the greatest class of a run decides its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Worth a line in the log, and no fault of the configuration: not shown by a test, and without influence on its
    /// exit status.
    Notice,
    /// An oddity that a test shows too, without influence on its exit status.
    Harmless,
    /// A file is missing or unusable.
    FileNotFound,
    /// A network interface is missing.
    BadInterface,
    /// The configuration cannot be used.
    Fatal,
    /// The main pattern matched several files.
    MultipleFiles,
    /// No such keyword here.
    UnknownKeyword,
    /// A `{` where none belongs.
    UnexpectedBlock,
    /// A `{` is missing.
    MissingBlock,
    /// A `}` where none belongs.
    UnexpectedEnd,
    /// A `}` is missing.
    MissingEnd,
    /// A quote is not closed.
    UnmatchedQuote,
    /// A required argument is missing: the configuration cannot be used.
    MissingParameter,
    /// A number is malformed or out of range.
    InvalidNumber,
    /// Any other error.
    GeneralError,
    /// Works, but perhaps not as meant.
    Warning,
    /// An old spelling.
    Deprecated,
    /// Scripts or keys are not protected.
    Security,
}

/// Something to tell the user about the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub class: Class,
    /// What is wrong, in the words of 2.4.3 where it has some.
    pub message: String,
    /// Where; `None` when it concerns the whole configuration.
    pub place: Option<Place>,
    /// The way out.
    pub hint: Option<String>,
    /// A second place that explains the first, with a word on it, such as the opening of an unclosed block.
    pub related: Option<(Place, String)>,
}

/// The most diagnostics that are kept. Further ones only count.
pub const MAX_DIAGNOSTICS: usize = 10_000;

/// A file that was read: its name as messages show it, and where its lines can be had again.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) origin: Origin,
}

/// Where the lines of a [`Source`] can be had again.
#[derive(Debug)]
pub(crate) enum Origin {
    /// In this file.
    File(PathBuf),
    /// Here.
    Text(Box<str>),
}

/// What became of the files that had to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reading {
    #[default]
    Complete,
    IncludeFailed,
    MainFailed,
}

/// All that was found, and the files that it was found in.
#[derive(Debug, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    dropped: usize,
    worst: Option<Class>,
    missing_parameter: bool,
    reading: Reading,
    testing: bool,
    sources: Vec<Source>,
}

impl Diagnostics {
    /// For a test of the configuration (`-t`): numbers are strict, and [`Class::Notice`] is not shown. `default()` is
    /// for running it.
    pub fn for_test() -> Self {
        Self { testing: true, ..Self::default() }
    }

    /// Whether the configuration is only tested (`-t`).
    pub fn is_test(&self) -> bool {
        self.testing
    }

    /// Adds a diagnostic at `place`.
    pub fn report(&mut self, class: Class, place: Place, message: impl Into<String>) {
        self.push(Diagnostic {
            class,
            message: message.into(),
            place: Some(place),
            hint: None,
            related: None,
        });
    }

    /// Adds a diagnostic at `place` with a way out.
    pub fn report_with_hint(
        &mut self,
        class: Class,
        place: Place,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let hint = Some(hint.into());
        self.push(Diagnostic {
            class,
            message: message.into(),
            place: Some(place),
            hint,
            related: None,
        });
    }

    /// Adds a diagnostic about a whole block, at its end: that is where it was found, and the line that 2.4.3 names.
    pub fn report_block(&mut self, class: Class, block: Extent, message: impl Into<String>) {
        let begin = (block.begin, "of the block that begins here".to_owned());
        self.push(Diagnostic {
            class,
            message: message.into(),
            place: Some(block.end),
            hint: None,
            related: Some(begin).filter(|&(place, _)| place.line != block.end.line),
        });
    }

    /// Adds a diagnostic that was found once everything had been read. As in 2.4.3 the log names no line for it; a
    /// terminal shows `place`.
    pub fn report_later(&mut self, class: Class, place: Place, message: impl Into<String>) {
        self.push(Diagnostic {
            class,
            message: message.into(),
            place: None,
            hint: None,
            related: Some((place, "this block is meant".to_owned())),
        });
    }

    /// Adds a diagnostic that concerns the whole configuration.
    pub fn report_overall(&mut self, class: Class, message: impl Into<String>) {
        self.push(Diagnostic {
            class,
            message: message.into(),
            place: None,
            hint: None,
            related: None,
        });
    }

    /// Adds a diagnostic. From [`MAX_DIAGNOSTICS`] on it counts for [`Self::worst`] and is not kept.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let class = diagnostic.class;
        if class > Class::Harmless {
            self.worst = self.worst.max(Some(class));
        }
        self.missing_parameter |= class == Class::MissingParameter;
        if self.items.len() < MAX_DIAGNOSTICS {
            self.items.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// What was found, in order.
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// How many more were found than are kept.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// What is to be shown: everything in a normal run, all but [`Class::Notice`] in a test.
    pub fn shown(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter().filter(|item| !(self.testing && item.class == Class::Notice))
    }

    /// The greatest class found; `None` when all is well.
    pub fn worst(&self) -> Option<Class> {
        self.worst
    }

    /// Whether a file that had to be read could not be: the main file, or an include that must exist. A daemon does not
    /// start then (exit status 6).
    pub fn is_incomplete(&self) -> bool {
        self.reading != Reading::Complete
    }

    /// Whether an argument is missing that the configuration cannot be used without. A daemon does not start then (exit
    /// status 2).
    pub fn is_missing_parameter(&self) -> bool {
        self.missing_parameter
    }

    /// The exit status of a test (`-t`): 0 when all is well; 6 for an include that must exist, or when
    /// [`Class::Security`] is the greatest class; 2 for a missing parameter; 4 for missing files and interfaces; 5 for
    /// anything else.
    pub fn exit_status(&self) -> i32 {
        if self.reading == Reading::IncludeFailed {
            return 6;
        }
        if self.missing_parameter {
            return 2;
        }
        match self.worst {
            None => 0,
            Some(Class::FileNotFound | Class::BadInterface | Class::Fatal) => 4,
            Some(Class::Security) => 6,
            Some(_) => 5,
        }
    }

    pub(crate) fn add_source(&mut self, source: Source) -> FileId {
        self.sources.push(source);
        FileId(u32::try_from(self.sources.len() - 1).unwrap_or(u32::MAX))
    }

    /// The names of the files that were read, in order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let read = |source: &&Source| matches!(source.origin, Origin::File(_));
        self.sources.iter().filter(read).map(|source| source.name.as_str())
    }

    pub(crate) fn source(&self, file: FileId) -> Option<&Source> {
        self.sources.get(usize::try_from(file.0).ok()?)
    }

    pub(crate) fn source_count(&self) -> usize {
        self.sources.len()
    }

    pub(crate) fn include_failed(&mut self) {
        if self.reading == Reading::Complete {
            self.reading = Reading::IncludeFailed;
        }
    }

    pub(crate) fn main_failed(&mut self) {
        self.reading = Reading::MainFailed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(classes: &[Class]) -> i32 {
        let mut diagnostics = Diagnostics::for_test();
        for &class in classes {
            diagnostics.report_overall(class, "");
        }
        diagnostics.exit_status()
    }

    #[test]
    fn exit_status_of_each_class() {
        for (class, expected) in [
            (Class::Notice, 0),
            (Class::Harmless, 0),
            (Class::FileNotFound, 4),
            (Class::BadInterface, 4),
            (Class::Fatal, 4),
            (Class::MultipleFiles, 5),
            (Class::UnknownKeyword, 5),
            (Class::UnexpectedBlock, 5),
            (Class::MissingBlock, 5),
            (Class::UnexpectedEnd, 5),
            (Class::MissingEnd, 5),
            (Class::UnmatchedQuote, 5),
            (Class::MissingParameter, 2),
            (Class::InvalidNumber, 5),
            (Class::GeneralError, 5),
            (Class::Warning, 5),
            (Class::Deprecated, 5),
            (Class::Security, 6),
        ] {
            assert_eq!(status(&[class]), expected, "{class:?}");
        }
        assert_eq!(status(&[]), 0);
    }

    #[test]
    fn the_greatest_class_decides() {
        assert_eq!(status(&[Class::Fatal, Class::Warning]), 5);
        assert_eq!(status(&[Class::Security, Class::Fatal]), 6);
        assert_eq!(status(&[Class::Security, Class::MissingParameter]), 2);
    }

    #[test]
    fn an_include_that_must_exist_ends_a_test_at_once() {
        let mut diagnostics = Diagnostics::for_test();
        diagnostics.report_overall(Class::MissingParameter, "");
        diagnostics.include_failed();
        assert_eq!(diagnostics.exit_status(), 6);
        assert!(diagnostics.is_incomplete());
    }

    #[test]
    fn a_flood_is_counted_and_not_kept() {
        let mut diagnostics = Diagnostics::default();
        for _ in 0..MAX_DIAGNOSTICS {
            diagnostics.report_overall(Class::UnknownKeyword, "");
        }
        diagnostics.report_overall(Class::Security, "");
        assert_eq!(diagnostics.items().len(), MAX_DIAGNOSTICS);
        assert_eq!(diagnostics.dropped(), 1);
        assert_eq!(diagnostics.worst(), Some(Class::Security));
    }
}
