//! From files to the block tree.

use std::path::PathBuf;

use crate::{Diagnostics, Schema, Statement};

/// What the language depends on besides the text.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The main file, or a glob pattern of main files (`-f`).
    pub main: PathBuf,
    /// What `@id` lines are compared with (`-i`).
    pub config_id: String,
    /// Whether every problem with an include is an error (`-e`).
    pub check_all_includes: bool,
}

/// Reads and expands the configuration into the statements of the top level, as far as they can be understood.
pub fn parse(
    _options: &Options,
    _root: &'static dyn Schema,
    _diagnostics: &mut Diagnostics,
) -> Vec<Statement> {
    Vec::new()
}
