//! The configuration language as its users see it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bounds;
mod corpus;
mod files;
mod lines;
mod properties;
mod tables;
