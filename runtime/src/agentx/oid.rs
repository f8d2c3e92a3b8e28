//! Object identifiers.

use std::fmt;

/// The name of an object, or the beginning of names. At most [`Oid::MAX`] numbers are sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(pub Vec<u32>);

impl Oid {
    /// The most numbers that an object identifier has (RFC 2741 §5.1).
    pub const MAX: usize = 128;

    /// `base` with `rest` after it.
    pub fn join(base: &[u32], rest: &[u32]) -> Self {
        Self([base, rest].concat())
    }
}

impl From<&[u32]> for Oid {
    fn from(numbers: &[u32]) -> Self {
        Self(numbers.to_vec())
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|number| write!(f, ".{number}"))
    }
}
