//! A corpus of configurations: each `corpus/NAME.conf` becomes the tree and the messages of `NAME.expected`.
//!
//! `NAME.reference` holds what keepalived 2.4.3 says of the same file with `-t -i main`: the exit status, then each message
//! once. Ours must be the same. Files called `differs-…` have none: they are the cases where we know better, and their
//! first line says what 2.4.3 does.
//!
//! `UPDATE_EXPECTED=1` writes the expectations anew; `REFERENCE=/path/to/keepalived` asks that binary anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::tables::parse_path;
use conf_parser::{Body, Diagnostics, Line, Statement};

fn corpus() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|kind| kind == "conf")).collect();
    files.sort();
    assert!(files.len() > 20, "the corpus is missing");
    files
}

/// The messages as `file:line: message`, the main file by its bare name.
fn messages(path: &Path, diagnostics: &Diagnostics) -> Vec<String> {
    let name = path.file_name().unwrap().to_string_lossy();
    let prefix = format!("({}: Line ", path.display());
    diagnostics
        .render_log()
        .map(|line| plain(&line.replace(&prefix, &format!("({name}: Line ")), &name))
        .collect()
}

/// `(Line 3) text` and `(file: Line 3) text` as `file:3: text`.
fn plain(message: &str, main: &str) -> String {
    let parts = message.strip_prefix('(').and_then(|rest| {
        let (place, text) = rest.split_once(") ")?;
        let (file, line) = place.split_once(": Line ").unwrap_or((main, place));
        let line = line.strip_prefix("Line ").unwrap_or(line);
        line.parse::<u32>().ok().map(|line| format!("{file}:{line}: {text}"))
    });
    parts.unwrap_or_else(|| format!("-: {message}"))
}

fn print_line(indent: usize, mark: &str, line: &Line, out: &mut String) {
    let words: Vec<_> = line
        .words()
        .map(|word| match word.text {
            "" => "\"\"".to_owned(),
            text if text.contains(char::is_whitespace) => format!("\"{text}\""),
            text => text.to_owned(),
        })
        .collect();
    writeln!(out, "{:indent$}{mark}{}", "", words.join(" ")).unwrap();
}

fn print_tree(indent: usize, statements: &[Statement], out: &mut String) {
    for statement in statements {
        print_line(indent, "", &statement.line, out);
        match &statement.body {
            Body::None => {}
            Body::Block(inner) => print_tree(indent + 2, inner, out),
            Body::Lines(lines) => {
                for line in lines {
                    print_line(indent + 2, "- ", line, out);
                }
            }
        }
    }
}

#[test]
fn configurations_become_the_expected_trees_and_messages() {
    for path in corpus() {
        let (statements, diagnostics) = parse_path(&path);
        let mut found = String::new();
        print_tree(0, &statements, &mut found);
        for message in messages(&path, &diagnostics) {
            writeln!(found, "> {message}").unwrap();
        }
        let expected = path.with_extension("expected");
        if env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(expected).unwrap_or_default();
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[test]
fn the_original_says_the_same() {
    let mut wrong = String::new();
    for path in corpus() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("differs-") {
            continue;
        }
        let reference = path.with_extension("reference");
        if let Some(binary) = env::var_os("REFERENCE") {
            fs::write(&reference, ask(Path::new(&binary), &path)).unwrap();
        }
        let reference = fs::read_to_string(&reference).unwrap_or_default();
        let mut lines = reference.lines().map(str::to_owned);
        let (_, diagnostics) = parse_path(&path);
        let status = format!("exit status {}", diagnostics.exit_status());
        if lines.next() != Some(status) {
            writeln!(wrong, "{name}: exit status {}", diagnostics.exit_status()).unwrap();
        }
        let expected = once_per_quote(lines.collect());
        let found: BTreeSet<_> = messages(&path, &diagnostics).into_iter().collect();
        for message in expected.symmetric_difference(&found) {
            let mark = if found.contains(message) { '+' } else { '-' };
            writeln!(wrong, "{mark} {message}").unwrap();
        }
    }
    assert_eq!(wrong, "");
}

/// Without the second of the two messages that 2.4.3 has for the same open quote.
fn once_per_quote(messages: BTreeSet<String>) -> BTreeSet<String> {
    let doubled = |message: &String| {
        message.contains(": Unmatched quote: '")
            && messages.contains(&message.replace("Unmatched quote: '", "Unterminated quote '"))
    };
    messages.iter().filter(|message| !doubled(message)).cloned().collect()
}

/// What a binary says of a file. Its parent and its children each say it: once is enough.
fn ask(binary: &Path, path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy();
    let output = Command::new("unshare")
        .arg("--net")
        .arg(binary)
        .args(["--config-test", "--config-id", "main", "--use-file", &name])
        .current_dir(path.parent().unwrap())
        .output()
        .unwrap();
    let mut out = format!("exit status {}\n", output.status.code().unwrap_or(-1));
    let mut seen = BTreeSet::new();
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        let message = plain(line, &name);
        if seen.insert(message.clone()) {
            out.push_str(&message);
            out.push('\n');
        }
    }
    out
}
