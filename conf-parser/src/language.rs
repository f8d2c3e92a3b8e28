//! From files to the block tree.

use std::path::PathBuf;

use crate::expand::Expander;
use crate::include::Checks;
use crate::limits::Budget;
use crate::source::Sources;
use crate::tree::Builder;
use crate::{Diagnostics, Schema, Statement};

/// What the language depends on besides the text.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The main file, or a glob pattern of main files (`-f`). A relative one is looked up in the current directory.
    pub main: PathBuf,
    /// What `@id` lines are compared with (`-i`).
    pub config_id: String,
    /// Whether every problem with an include is an error (`-e`).
    pub check_all_includes: bool,
}

impl Options {
    fn sources(&self) -> Sources {
        Sources::new(if self.check_all_includes { Checks::ALL } else { Checks::default() })
    }
}

/// Reads and expands the configuration into the statements of the top level, as far as they can be understood.
///
/// Whatever is wrong is in `diagnostics`; see [`Diagnostics::is_incomplete`] for what must keep a daemon from starting.
/// Time and memory are bounded whatever the files say: see [`MAX_TEXT`](crate::MAX_TEXT) and its neighbours.
pub fn parse(
    options: &Options,
    root: &'static dyn Schema,
    diagnostics: &mut Diagnostics,
) -> Vec<Statement> {
    let mut sources = options.sources();
    let mut budget = Budget::default();
    sources.open_main(&options.main, &mut budget, diagnostics);
    if diagnostics.is_incomplete() {
        return Vec::new();
    }
    Builder::new(Expander::new(options, sources, budget), root, diagnostics).build()
}

/// Does as [`parse`] with `text` in the place of the main file, which messages call by the name in `options`. Any bytes
/// will do. No file is read: includes find none.
pub fn parse_text(
    text: &[u8],
    options: &Options,
    root: &'static dyn Schema,
    diagnostics: &mut Diagnostics,
) -> Vec<Statement> {
    let mut sources = options.sources();
    let mut budget = Budget::default();
    let name = options.main.to_string_lossy();
    sources.open_text(&name, text, &mut budget, diagnostics);
    Builder::new(Expander::new(options, sources, budget), root, diagnostics).build()
}
