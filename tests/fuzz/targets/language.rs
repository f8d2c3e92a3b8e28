//! Configurations: the language, and what every subsystem makes of the statements.

#![no_main]

use conf_parser::{Diagnostics, Options, Schemas, parse_text};
use libfuzzer_sys::fuzz_target;
use runtime::machine::Machine;

/// All keywords of the top level, as the daemon joins them.
static ROOT: Schemas = Schemas(&[
    &runtime::global::ROOT,
    &vrrp::config::ROOT,
    &check::config::ROOT,
    &bfd::config::ROOT,
]);

fuzz_target!(|data: &[u8]| {
    // What is in the files of this machine is not part of the input.
    if data.windows(7).any(|window| window == b"include") {
        return;
    }
    let options = Options {
        main: "keepalived.conf".into(),
        config_id: "main".to_owned(),
        check_all_includes: false,
    };
    let mut diagnostics = Diagnostics::for_test();
    let statements = parse_text(data, &options, &ROOT, &mut diagnostics);
    let global = runtime::global::load(&statements, &mut diagnostics);
    let machine = Machine::with_interfaces(&["eth0", "inner0"]);
    let bfd = bfd::config::load(&statements, &mut diagnostics);
    let _ = vrrp::config::load(&statements, &global, &machine, &[], &mut diagnostics);
    let _ = check::config::load(&statements, &global, &mut diagnostics);
    drop(bfd);
    let _ = diagnostics.render_log().count();
    let _ = diagnostics.exit_status();
});
