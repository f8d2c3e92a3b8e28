//! Diagnostics: gathered while parsing, shown for a terminal or for the log.

use crate::{FileId, Place};

/// How grave a diagnostic is. The order is that of 2.4.3: the greatest class of a run decides its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Worth a line in the log, and no fault of the configuration: not shown by a test, and without influence on its
    /// exit status.
    Notice,
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

/// All that was found, and the files that it was found in.
#[derive(Debug, Default)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    files: Vec<String>,
}

impl Diagnostics {
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

    /// Adds a diagnostic.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// What was found, in order.
    pub fn items(&self) -> &[Diagnostic] {
        &self.items
    }

    /// The greatest class found; `None` when all is well.
    pub fn worst(&self) -> Option<Class> {
        self.items.iter().map(|item| item.class).filter(|&class| class != Class::Notice).max()
    }

    /// Notes that `name` is read, and returns its number.
    pub fn add_file(&mut self, name: &str) -> FileId {
        self.files.push(name.to_owned());
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }
}
