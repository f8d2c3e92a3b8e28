//! Keyword tables and files to test the language with, and short ways to use them.

use std::fs;
use std::path::{Path, PathBuf};

use conf_parser::{Args, Diagnostics, Options, Statement, Table, keyword, parse, parse_text};

static GLOBAL: Table<()> = Table(&[
    keyword("router_id", Args::Word("STRING"), "", |(), _, _, _| {}),
    keyword("notification_email", Args::WordList("EMAIL"), "", |(), _, _, _| {}),
    keyword("include_check", Args::Words("[TYPE...]"), "", |(), _, _, _| {}),
    keyword("random_seed", Args::Word("SEED"), "", |(), _, _, _| {}),
]);
static SCRIPT: Table<()> =
    Table(&[keyword("script", Args::Script("COMMAND"), "", |(), _, _, _| {})]);
static GROUP: Table<()> =
    Table(&[keyword("group", Args::WordList("INSTANCE"), "", |(), _, _, _| {})]);

/// The keywords that the tests use.
pub(crate) static ROOT: Table<()> = Table(&[
    keyword("global_defs", Args::Block("", &GLOBAL), "", |(), _, _, _| {}),
    keyword("vrrp_script", Args::Block("NAME", &SCRIPT), "", |(), _, _, _| {}),
    keyword("vrrp_sync_group", Args::Block("NAME", &GROUP), "", |(), _, _, _| {}),
    keyword("static_ipaddress", Args::Lines("ADDRESS"), "", |(), _, _, _| {}),
    keyword("virtual_server_group", Args::NamedLines("NAME", "ADDRESS"), "", |(), _, _, _| {}),
]);

/// Parses a file as a test of the configuration does; `@main` lines count.
pub(crate) fn parse_path(path: &Path) -> (Vec<Statement>, Diagnostics) {
    let options =
        Options { main: path.into(), config_id: "main".into(), check_all_includes: false };
    let mut diagnostics = Diagnostics::for_test();
    let statements = parse(&options, &ROOT, &mut diagnostics);
    (statements, diagnostics)
}

/// Parses text as a test of the configuration does; `@main` lines count.
pub(crate) fn parse_bytes(text: &[u8]) -> (Vec<Statement>, Diagnostics) {
    let options =
        Options { main: "test.conf".into(), config_id: "main".into(), check_all_includes: false };
    let mut diagnostics = Diagnostics::for_test();
    let statements = parse_text(text, &options, &ROOT, &mut diagnostics);
    (statements, diagnostics)
}

/// A directory of files that goes away with the test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
