//! Which files are read, from where, and whether their problems are errors.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use conf_parser::{Diagnostics, Options, parse};

use crate::tables::{ROOT, Scratch, parse_path};

fn messages(path: &Path) -> Vec<String> {
    let prefix = format!("({}: ", path.display());
    parse_path(path).1.render_log().map(|line| line.replace(&prefix, "(main: ")).collect()
}

#[test]
fn only_regular_files_that_nobody_may_execute_are_read() {
    let scratch = Scratch::new("kinds");
    let program = scratch.file("program.conf", "program\n");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o645)).unwrap();
    scratch.file("real", "real\n");
    symlink("real", scratch.path("link.conf")).unwrap();
    symlink("nowhere", scratch.path("dangling.conf")).unwrap();
    fs::create_dir(scratch.path("sub.conf")).unwrap();
    let main = scratch.file("main", "include *.conf\n");
    assert_eq!(
        messages(&main),
        [
            "(main: Line 1) Configuration file 'dangling.conf' is not a regular non-executable \
             file - skipping",
            "(link.conf: Line 1) Unknown keyword 'real'",
            "(main: Line 1) Configuration file 'program.conf' is not a regular non-executable \
             file - skipping",
            "(main: Line 1) Configuration file 'sub.conf/' is a directory - skipping",
        ]
    );
}

#[test]
fn names_are_relative_to_the_file_that_says_them() {
    let scratch = Scratch::new("relative");
    fs::create_dir_all(scratch.path("a/b")).unwrap();
    scratch.file("a/b/leaf.conf", "leaf${_PWD}\n");
    scratch.file("a/one.conf", "include b/leaf.conf\none${_PWD}\n");
    scratch.file("a/two.conf", "include b/leaf.conf\n");
    let main = scratch.file("main", "include a/*.conf\ninclude a/b/leaf.conf\nmain${_PWD}\n");
    let here = fs::canonicalize(scratch.path("")).unwrap();
    let here = here.display();
    assert_eq!(
        messages(&main),
        [
            format!("(b/leaf.conf: Line 1) Unknown keyword 'leaf{here}/a/b'"),
            format!("(a/one.conf: Line 2) Unknown keyword 'one{here}/a'"),
            format!("(b/leaf.conf: Line 1) Unknown keyword 'leaf{here}/a/b'"),
            format!("(a/b/leaf.conf: Line 1) Unknown keyword 'leaf{here}/a/b'"),
            format!("(main: Line 3) Unknown keyword 'main{here}'"),
        ]
    );
}

#[test]
fn an_included_file_cannot_change_include_check_for_its_includer() {
    let scratch = Scratch::new("check");
    scratch.file("inner.conf", "global_defs {\n include_check\n}\ninclude missing-1\n");
    let main = scratch.file("main", "include inner.conf\ninclude missing-2\n");
    let (_, diagnostics) = parse_path(&main);
    let classes: Vec<_> = diagnostics.items().iter().map(|item| item.class).collect();
    assert_eq!(classes, [conf_parser::Class::FileNotFound, conf_parser::Class::Harmless]);
    assert_eq!(diagnostics.exit_status(), 6);
}

#[test]
fn every_problem_may_be_an_error_from_the_outset() {
    let scratch = Scratch::new("all");
    let main = scratch.file("main", "include missing\n");
    let status = |check_all_includes| {
        let options =
            Options { main: PathBuf::from(&main), config_id: String::new(), check_all_includes };
        let mut diagnostics = Diagnostics::for_test();
        parse(&options, &ROOT, &mut diagnostics);
        diagnostics.exit_status()
    };
    assert_eq!([status(false), status(true)], [0, 6]);
}

#[test]
fn a_pattern_of_braces_keeps_its_order() {
    let scratch = Scratch::new("braces");
    for name in ["a1", "a2", "b1", ".hidden"] {
        scratch.file(name, &format!("in_{name}\n"));
    }
    let main = scratch.file("main", "include {b,a}*\ninclude .h*\ninclude a[^1]\n");
    let found: Vec<_> =
        messages(&main).iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    assert_eq!(found, ["'in_b1'", "'in_a1'", "'in_a2'", "'in_.hidden'", "'in_a2'"]);
}

#[test]
fn a_pattern_with_too_many_alternatives_is_refused() {
    let scratch = Scratch::new("alternatives");
    let main = scratch.file("main", &format!("include {}\n", "{a,b}".repeat(60)));
    let found = messages(&main);
    assert!(found[0].ends_with("goes through too many names, skipping."), "{found:?}");
}
