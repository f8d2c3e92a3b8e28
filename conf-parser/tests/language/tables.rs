//! Keyword tables to test the language with, and short ways to use them.

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
pub(crate) fn parse_path(path: &std::path::Path) -> (Vec<Statement>, Diagnostics) {
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
