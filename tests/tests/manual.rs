//! The manual page of the configuration: its lists of keywords are those of the tables. `RECORD=1` writes them anew.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use conf_parser::{Args, Entry, Schema};

/// Between these lines stands what the tables say.
const BEGIN: &str = ".\\\" Keywords: written by the test `manual`.\n";
const END: &str = ".\\\" End of the keywords.\n";

#[test]
fn the_manual_lists_the_keywords_of_the_tables() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../doc/keepalived.conf.5");
    let page = fs::read_to_string(&path).expect("the page is in the tree");
    let (before, rest) = page.split_once(BEGIN).expect("the list begins somewhere");
    let (_, after) = rest.split_once(END).expect("the list ends somewhere");
    let wanted = format!("{before}{BEGIN}{}{END}{after}", keywords());
    if std::env::var_os("RECORD").is_some() {
        fs::write(&path, wanted).expect("the page can be written");
        return;
    }
    let difference = page.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert!(page == wanted, "RECORD=1 writes the page anew: {difference:?}");
}

/// A block that has been listed: its path and its keywords.
struct Listed {
    path: String,
    names: Vec<&'static str>,
}

fn keywords() -> String {
    let parts: [(&str, &dyn Schema); 4] = [
        ("SETTINGS OF THE DAEMON", &runtime::global::ROOT),
        ("VRRP", &vrrp::config::ROOT),
        ("VIRTUAL SERVERS AND HEALTH CHECKS", &check::config::ROOT),
        ("BFD", &bfd::config::ROOT),
    ];
    let (mut out, mut listed) = (String::new(), Vec::new());
    for (title, root) in parts {
        let _ = writeln!(out, ".SH {title}");
        let entries = root.entries();
        entries.iter().for_each(|entry| item(entry, &mut out));
        entries.iter().for_each(|entry| block("", entry, &mut listed, &mut out));
    }
    out
}

/// The list of what stands in the braces of `entry`, if keywords do, and in those of its own.
fn block(outer: &str, entry: &Entry, listed: &mut Vec<Listed>, out: &mut String) {
    let Args::Block(_, schema) = entry.args else { return };
    let path = format!("{outer}{}", entry.name);
    let entries = schema.entries();
    let names: Vec<_> = entries.iter().map(|entry| entry.name).collect();
    let _ = writeln!(out, ".SS {}", escape(&path));
    if let Some(same) = listed.iter().find(|block| block.names == names) {
        let _ = writeln!(out, "The keywords of\n.BR \"{}\" .", escape(&same.path));
        return;
    }
    entries.iter().for_each(|entry| item(entry, out));
    let inner = format!("{path} / ");
    listed.push(Listed { path, names });
    entries.iter().for_each(|entry| block(&inner, entry, listed, out));
}

/// A keyword with its arguments, and what it does.
fn item(entry: &Entry, out: &mut String) {
    let (arguments, range) = arguments(&entry.args);
    let space = if arguments.is_empty() { "" } else { " " };
    let _ = writeln!(out, ".TP\n\\fB{}\\fR{space}{arguments}", escape(entry.name));
    let mut help = entry.help.chars();
    let first = help.next().expect("every keyword has its line of help").to_uppercase();
    let _ = writeln!(out, "{}.{range}", escape(&format!("{first}{}", help.as_str())));
}

/// What follows a keyword, and the limits of a number.
fn arguments(args: &Args) -> (String, String) {
    let named = |name: &str| format!("\\fI{}\\fR", escape(name));
    let lines = |name: &str, entry: &str| {
        let space = if name.is_empty() { "" } else { " " };
        let entry = if entry.is_empty() { String::new() } else { named(entry) + " " };
        format!(
            "{}{space}{{ {entry}... }}",
            if name.is_empty() { String::new() } else { named(name) }
        )
    };
    match *args {
        Args::Flag => Default::default(),
        Args::Bool => ("[\\fBon\\fR|\\fBoff\\fR]".to_owned(), String::new()),
        Args::Int { min, max, .. } => (named("NUMBER"), range(min, max)),
        Args::Uint { unit, min, max, .. } => (named(unit), range(min, max)),
        Args::Timer { min, max } => (named("SECONDS"), range(seconds(min), seconds(max))),
        Args::Word(text) | Args::Words(text) | Args::Script(text) => (named(text), String::new()),
        Args::Block(head, _) => (lines(head, ""), String::new()),
        Args::Lines(entry) | Args::WordList(entry) => (lines("", entry), String::new()),
        Args::NamedLines(name, entry) => (lines(name, entry), String::new()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "they are shown, not reckoned with")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Limits, where they are narrower than those of the type of number.
fn range<T: ToString>(min: T, max: T) -> String {
    let (min, max) = (min.to_string(), max.to_string());
    // More than all seconds of a century is no limit.
    let is_open = max.split('.').next().is_some_and(|whole| whole.len() > 9);
    let text = match (min.trim_start_matches('-') == "0" || min.len() > 9, is_open) {
        (true, true) => String::new(),
        (true, false) => format!(" At most {max}."),
        (false, true) => format!(" At least {min}."),
        (false, false) => format!(" From {min} to {max}."),
    };
    escape(&text)
}

/// As troff shows it as it is.
fn escape(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
