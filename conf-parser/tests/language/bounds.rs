//! Whatever a configuration says, it is read in bounded time and memory, and what went beyond is named.

use std::fs::{self, File};
use std::path::PathBuf;

use crate::tables::{Scratch, parse_bytes, parse_path};
use conf_parser::{Class, Diagnostics, MAX_DIAGNOSTICS};

fn last_message(diagnostics: &Diagnostics) -> &str {
    &diagnostics.items().last().unwrap().message
}

#[test]
fn reading_ends_at_a_bound() {
    let (statements, diagnostics) =
        parse_bytes(b"static_ipaddress {\n$M= \\\n a \\\n $M\n\n$M\n}\n");
    assert_eq!(statements.len(), 1);
    assert_eq!(diagnostics.worst(), Some(Class::MissingEnd));
    assert_eq!(diagnostics.items()[0].class, Class::Fatal);
    assert!(diagnostics.is_incomplete());
}

#[test]
fn a_flood_of_mistakes_is_cut_off() {
    let (_, diagnostics) = parse_bytes("x\n".repeat(50_000).as_bytes());
    assert_eq!(diagnostics.items().len(), MAX_DIAGNOSTICS);
    assert_eq!(diagnostics.dropped(), 40_000);
    assert!(diagnostics.render_terminal(false).ends_with("40000 more problems are not shown\n"));
}

#[test]
fn a_file_of_50_megabytes_is_refused_unread() {
    let scratch = Scratch::new("huge");
    let path = scratch.file("huge.conf", "");
    File::options().write(true).open(&path).unwrap().set_len(50_000_000).unwrap();
    let (statements, diagnostics) = parse_path(&path);
    assert!(statements.is_empty());
    assert_eq!(last_message(&diagnostics), "configuration is longer than 32 MiB");
    assert!(diagnostics.is_incomplete());
    assert_eq!(diagnostics.exit_status(), 4);
}

#[test]
fn deep_includes_end() {
    let scratch = Scratch::new("deep");
    for level in 0..100 {
        scratch.file(&format!("{level}.conf"), &format!("include {}.conf\n", level + 1));
    }
    let (_, diagnostics) = parse_path(&scratch.path("0.conf"));
    let found: Vec<_> = diagnostics.render_log().collect();
    assert_eq!(found, ["(63.conf: Line 1) includes are nested more than 64 deep"]);
}

#[test]
fn a_file_that_includes_itself_is_named() {
    let scratch = Scratch::new("self");
    let path = scratch.file("self.conf", "include self.conf\ninclude self.conf\nlast\n");
    let (_, diagnostics) = parse_path(&path);
    let found: Vec<_> = diagnostics.items().iter().map(|item| item.message.as_str()).collect();
    let itself = "Configuration file 'self.conf' includes itself - skipping";
    assert_eq!(found, [itself, itself, "Unknown keyword 'last'"]);
}

#[test]
fn unusable_main_files_say_why() {
    let scratch = Scratch::new("main");
    fs::create_dir(scratch.path("sub")).unwrap();
    let missing = scratch.path("missing.conf");
    for (path, message) in [
        (missing.clone(), format!("Config files missing '{}'.", missing.display())),
        (
            scratch.path("sub"),
            format!(
                "Configuration file '{}/' is a directory - skipping",
                scratch.path("sub").display()
            ),
        ),
        (
            scratch.path("*.conf"),
            format!("No config files matched '{}'.", scratch.path("*.conf").display()),
        ),
        (
            PathBuf::from("/dev/null"),
            "Configuration file '/dev/null' is not a regular non-executable file - skipping"
                .to_owned(),
        ),
    ] {
        let (_, diagnostics) = parse_path(&path);
        assert_eq!(diagnostics.items()[0].message, message);
        assert_eq!(diagnostics.exit_status(), 4);
        assert!(diagnostics.is_incomplete());
    }
}

#[test]
fn several_main_files_are_read_in_order() {
    let scratch = Scratch::new("several");
    scratch.file("b.conf", "in_b\n");
    scratch.file("a.conf", "in_a\n");
    let (_, diagnostics) = parse_path(&scratch.path("*.conf"));
    let shown = scratch.path("");
    let shown = shown.to_str().unwrap().trim_end_matches('/');
    let found: Vec<_> = diagnostics.render_log().collect();
    assert_eq!(
        found,
        [
            format!(
                "WARNING, multiple configuration file matches of {shown}/*.conf, \
                 starting with {shown}/a.conf"
            ),
            format!("({shown}/a.conf: Line 1) Unknown keyword 'in_a'"),
            format!("({shown}/b.conf: Line 1) Unknown keyword 'in_b'"),
        ]
    );
    assert_eq!(diagnostics.exit_status(), 5);
}
