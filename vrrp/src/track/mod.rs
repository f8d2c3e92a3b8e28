//! What instances track besides their interface, as values: the verdict of a script, the number in a file, the count of
//! processes, and what each is worth to the priority.

pub(crate) mod process;
pub(crate) mod script;
mod weight;

pub(crate) use weight::{Contribution, Weighting};
