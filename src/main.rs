//! The parent process.
fn main() {}
