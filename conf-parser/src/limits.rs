//! Bounds on what a configuration may ask for, so that none takes unbounded time or memory.

use crate::text::Text;
use crate::{Class, Diagnostics, Place};

/// The most bytes of text that are read from files, or made by expansions, for one configuration.
pub const MAX_TEXT: usize = 32 << 20;

/// The most lines that are looked at, those counted that expansions make and those left out that are blank.
pub const MAX_LINES: usize = 1_000_000;

/// The most definitions that are put in, over all lines.
pub const MAX_REPLACEMENTS: usize = 2_000_000;

/// The most bytes of a line as it is written, as in 2.4.3.
pub const MAX_LINE: usize = 1022;

/// The most bytes of a line in which definitions were put, as in 2.4.3.
pub(crate) const MAX_EXPANDED: usize = 1023;

/// The most files that are read, repeated ones counted again.
pub const MAX_FILES: usize = 65_536;

/// How deep includes may nest, and how deep sequences and definitions of several lines may.
pub const MAX_NESTING: usize = 64;

/// What is left of the bounds.
#[derive(Debug)]
pub(crate) struct Budget {
    text: usize,
    lines: usize,
    replacements: usize,
    files: usize,
    spent: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            text: MAX_TEXT,
            lines: MAX_LINES,
            replacements: MAX_REPLACEMENTS,
            files: MAX_FILES,
            spent: false,
        }
    }
}

/// A bound was reached, which has been reported: reading ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent;

impl Budget {
    /// Whether a bound was reached.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent
    }

    /// How many bytes may still be read.
    pub(crate) fn text_left(&self) -> usize {
        self.text
    }

    /// Takes a file of `length` bytes into account.
    pub(crate) fn file(
        &mut self,
        length: usize,
        place: Option<Place>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Spent> {
        let Some(files) = self.files.checked_sub(1) else {
            let message = format!("more than {MAX_FILES} files are included");
            return self.exhaust(message, place, diagnostics);
        };
        self.files = files;
        self.text(length, place, diagnostics)
    }

    /// Takes a line of `length` bytes into account that an expansion made.
    pub(crate) fn text(
        &mut self,
        length: usize,
        place: Option<Place>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Spent> {
        let Some(text) = self.text.checked_sub(length) else {
            let message = format!("configuration is longer than {} MiB", MAX_TEXT >> 20);
            return self.exhaust(message, place, diagnostics);
        };
        self.text = text;
        Ok(())
    }

    /// Takes a line into account.
    pub(crate) fn line(&mut self, line: &Text, diagnostics: &mut Diagnostics) -> Result<(), Spent> {
        let Some(lines) = self.lines.checked_sub(1) else {
            let message = format!("configuration expands to more than {MAX_LINES} lines");
            return self.exhaust(message, Some(line.place()), diagnostics);
        };
        self.lines = lines;
        Ok(())
    }

    /// Takes a definition into account that is put in.
    pub(crate) fn replacement(
        &mut self,
        place: Place,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Spent> {
        let Some(replacements) = self.replacements.checked_sub(1) else {
            let message = format!("more than {MAX_REPLACEMENTS} definitions are expanded");
            return self.exhaust(message, Some(place), diagnostics);
        };
        self.replacements = replacements;
        Ok(())
    }

    /// Gives up on lines that make each other without end.
    pub(crate) fn nesting(
        &mut self,
        place: Place,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Spent> {
        let message = format!("sequences and definitions are nested more than {MAX_NESTING} deep");
        self.exhaust(message, Some(place), diagnostics)
    }

    fn exhaust(
        &mut self,
        message: String,
        place: Option<Place>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Spent> {
        if !self.spent {
            self.spent = true;
            diagnostics.main_failed();
            match place {
                Some(place) => diagnostics.report(Class::Fatal, place, message),
                None => diagnostics.report_overall(Class::Fatal, message),
            }
        }
        Err(Spent)
    }
}

#[cfg(test)]
impl Budget {
    /// How many lines and replacements [`Self::small`] has.
    pub(crate) const SMALL: usize = 200;

    /// Little of everything, for tests that use it up.
    pub(crate) fn small() -> Self {
        Self { lines: Self::SMALL, replacements: Self::SMALL, text: 100_000, ..Self::default() }
    }
}
