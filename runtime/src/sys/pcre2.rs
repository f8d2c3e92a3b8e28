//! Regular expressions of PCRE2, whose meaning only itself has. Every match is limited in time and memory.

use std::fmt;

#[cfg(feature = "regex")]
mod library;
#[cfg(feature = "regex")]
pub use library::{Pattern, Stack, flag};

#[cfg(not(feature = "regex"))]
mod without;
#[cfg(not(feature = "regex"))]
pub use without::{Pattern, Stack, flag};

/// Why there is no pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPattern {
    /// It is not well formed.
    Invalid {
        /// Where, in bytes.
        offset: usize,
        /// Why, in the words of the library.
        text: String,
    },
    /// This program was built without the library.
    Unavailable,
}

/// What comes of looking for a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It matches from this place on.
    At(usize),
    /// What begins at this place may become a match if more follows.
    Partly(usize),
    /// Nowhere.
    No,
}

/// The library has given up, with its number for the reason: most often a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GaveUp(pub i32);

impl fmt::Display for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unknown regex error {}", self.0)
    }
}
