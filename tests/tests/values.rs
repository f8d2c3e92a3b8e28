//! Each keyword with good and bad values in good surroundings: a test of the configuration ends with the status of 2.4.3.
//!
//! The surroundings stand in `conformance/values.txt`. What 2.4.3 said stands in `conformance/values-2.4.3.txt`, one line for
//! each keyword that it knows: the status for each of [`VALUES`], or `!` where it crashed.
//! `RECORD=1 KEEPALIVED=/path/to/2.4.3 cargo test --test values` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use conf_parser::{Diagnostics, Options, Schemas, parse_text};
use lab::{Binary, Daemon, Lan, Scratch, Script};
use runtime::machine::Machine;

/// What follows a keyword, or stands in its block of lines.
const VALUES: &[&str] = &[
    "",
    "abc",
    "0",
    "1",
    "2",
    "254",
    "300",
    "-1",
    "+1",
    "1.5",
    "1x",
    "65536",
    "4294967296",
    "\"1\"",
    "\"\"",
    "on",
    "maybe",
    "on off",
    "1 2 3 4 5 6",
    "10.9.0.2",
    "10.9.0.2/24",
    "10.9.0.256",
    "10.9.0.2 80",
    "224.0.0.9",
    "fd00::1",
    "eth0",
    "absent0",
    "eth0 weight 254",
    "root",
    "absent",
    "/usr/bin/true",
    "/usr/bin/true absent",
    "hex:0011",
    "default via 10.9.0.2",
    "from 10.9.0.0/24 table 10",
];

/// Keywords, and all or one of their values, whose status differs on purpose or for a reason of this test, and why.
const DIFFERENT: &[(&str, Option<&str>, &str)] = &[
    ("persistence_granularity", None, "a mask for IPv4 has four parts"),
    ("startup_script", None, "the parent checks it, which is not asked here"),
    ("shutdown_script", None, "the parent checks it, which is not asked here"),
    ("vrrp_cpu_affinity", None, "it depends on how many processors there are"),
    ("checker_cpu_affinity", None, "it depends on how many processors there are"),
    ("bfd_cpu_affinity", None, "it depends on how many processors there are"),
    ("regex", None, "this test may be built without the library"),
    ("name", Some("1.5"), "the first label of a name in the DNS may have one character"),
    ("misc_path", Some("\"\""), "nothing is no script"),
    ("script", Some("\"\""), "nothing is no script"),
    ("static_routes", Some("\"\""), "one entry that is wrong does not end the reading"),
    ("virtual_routes", Some("\"\""), "one entry that is wrong does not end the reading"),
    ("interfaces", Some("eth0"), "a message about a word does not end the reading"),
];

/// The tables of all parts as one.
static ROOT: Schemas = Schemas(&[
    &runtime::global::ROOT,
    &vrrp::config::ROOT,
    &check::config::ROOT,
    &bfd::config::ROOT,
]);

/// A keyword, and where it stands.
struct Subject<'a> {
    block: &'a str,
    keyword: &'a str,
    args: &'a str,
}

impl Subject<'_> {
    /// The configuration that has the keyword with `value`.
    fn with(&self, value: &str, surroundings: &Script) -> String {
        let Self { keyword, args, .. } = self;
        let line = match args.split_once("{ value") {
            Some((before, _)) => {
                let name = if before.is_empty() { "" } else { " n" };
                format!("{keyword}{name} {{\n{value}\n}}")
            }
            None => format!("{keyword} {value}"),
        };
        surroundings.config(self.block).replace('@', &line)
    }
}

/// All keywords of the list that have surroundings and are no blocks of further keywords.
fn subjects() -> Vec<Subject<'static>> {
    let rows = include_str!("../../doc/keywords.tsv").lines().filter_map(|line| {
        let mut columns = line.split('\t');
        let [block, keyword, args] = [columns.next()?, columns.next()?, columns.next()?];
        (!args.contains("{ block }")).then_some(Subject { block, keyword, args })
    });
    // A profile is ours only, and reading that directory's name makes it.
    rows.filter(|row| row.block != "bfd_profile" && row.keyword != "config_save_dir").collect()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The exit status that a test of the configuration ends with.
fn status(text: &str) -> i32 {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
    let mut global = runtime::global::load(&statements, &mut diagnostics);
    let bfd = bfd::config::load(&statements, &mut diagnostics);
    global.bfd_names.clone_from(&bfd.names);
    let machine = Machine::with_interfaces(&["eth0", "inner0", "lo"]);
    vrrp::config::load(&statements, &global, &machine, &bfd.names, &mut diagnostics);
    check::config::load(&statements, &global, &mut diagnostics);
    diagnostics.exit_status()
}

/// Has the binary under test judge everything, and writes down what it said.
fn record(surroundings: &Script) {
    let (lan, scratch, binary) = (Lan::new(1), Scratch::new(), Binary::under_test());
    let mut lines =
        String::from("# The exit status of 2.4.3 -t for each value, by block and keyword.\n");
    for subject in subjects() {
        let mut known = true;
        let judged: String = VALUES
            .iter()
            .map(|value| {
                let path = scratch.write("keepalived.conf", &subject.with(value, surroundings));
                let verdict = Daemon::check(&binary, lan.nodes()[0].namespace(), &path, &[]);
                let unknown = format!("Unknown keyword '{}'", subject.keyword);
                known &= !verdict.complaints.iter().any(|line| line.contains(&unknown));
                verdict.status.map_or("!".to_owned(), |status| status.to_string())
            })
            .collect();
        if known {
            writeln!(lines, "{} {} {judged}", subject.block, subject.keyword)
                .expect("a string takes everything");
        }
    }
    fs::write(file("values-2.4.3.txt"), lines).expect("the tree is ours");
}

#[test]
fn each_keyword_judges_values_as_2_4_3() {
    let surroundings = Script::parse(&read("values.txt"));
    if std::env::var_os("RECORD").is_some() {
        record(&surroundings);
    }
    let recorded = read("values-2.4.3.txt");
    let subjects = subjects();
    let mut compared = 0;
    let mut wrong = Vec::new();
    for line in recorded.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let &[block, keyword, statuses] = &words[..] else { panic!("values-2.4.3.txt: {line}") };
        let is_it = |subject: &&Subject| subject.block == block && subject.keyword == keyword;
        let Some(subject) = subjects.iter().find(is_it) else {
            panic!("{block} {keyword} is gone")
        };
        assert_eq!(statuses.len(), VALUES.len(), "{line}");
        let differs = |value: &str| {
            DIFFERENT.iter().any(|&(which, one, _)| {
                which == keyword && one.is_none_or(|different| different == value)
            })
        };
        for (&value, expected) in VALUES.iter().zip(statuses.chars()) {
            if expected == '!' || differs(value) {
                continue;
            }
            compared += 1;
            let found = status(&subject.with(value, &surroundings));
            if expected.to_string() != found.to_string() {
                wrong.push(format!("{block} {keyword} {value}: {found}, not {expected}"));
            }
        }
    }
    assert!(compared > 10_000, "only {compared}");
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
}
