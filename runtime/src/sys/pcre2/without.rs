//! What stands for PCRE2 in a program that is built without it.

use std::rc::Rc;

use super::{Found, GaveUp, NoPattern};

/// There is none.
#[derive(Debug)]
pub enum Pattern {}

/// There is none.
#[derive(Debug)]
pub enum Stack {}

/// Names of options mean nothing.
pub fn flag(_: &str) -> Option<u32> {
    None
}

impl Pattern {
    /// Always refuses.
    pub fn compile(_: &[u8], _: u32) -> Result<Self, NoPattern> {
        Err(NoPattern::Unavailable)
    }

    /// Nothing to be changed.
    pub fn use_stack(&mut self, _: &Rc<Stack>) {
        match *self {}
    }

    /// Nothing to look for.
    pub fn find(&mut self, _: &[u8], _: usize, _: bool) -> Result<Found, GaveUp> {
        match *self {}
    }

    /// Nothing to look at.
    pub fn look_behind(&self) -> usize {
        match *self {}
    }

    /// Nothing to read.
    pub fn is_utf(&self) -> bool {
        match *self {}
    }
}

impl Stack {
    /// There is no use for one.
    pub fn new(_: usize, _: usize) -> Option<Self> {
        None
    }
}
