//! `-t` on good and bad configurations: the exit status of 2.4.3, and complaints about the same lines.
//!
//! What 2.4.3 says stands in `conformance/2.4.3.txt`, one line for each configuration: name, exit status, and the lines
//! that it complains of. `RECORD=1 KEEPALIVED=/path/to/2.4.3 cargo test --test conformance` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use lab::{Binary, Daemon, Lan, Verdict};

/// Where we differ on purpose, and why.
const DELIBERATE: &[(&str, &str)] = &[
    ("bfd-without-name", "2.4.3 crashes"),
    ("lvs-group-extra-words", "what follows is read too"),
    ("vrrp-script-open-quote", "2.4.3 crashes"),
    ("global-script-users", "a good user is good, whoever stands before it"),
    ("later-keywords", "what came after the release is known"),
    ("lvs-group-without-end", "what follows is read by all"),
    ("lvs-group-without-name", "2.4.3 crashes"),
    ("namespace-twice", "a second one is ignored, whatever it says"),
    ("vrrp-garp-group-interface-and-interfaces", "what follows is read too"),
    ("vrrp-route-default-behind", "the gateway says which family is meant"),
    ("bfd-bad", "a session whose neighbour is wrong is read to its end"),
    ("missing-parameter", "what follows a missing parameter is read too"),
    ("vrrp-duplicate-name", "a block that is passed over is read too"),
    ("definition-multiple-lines", "a comment does not end a definition"),
    ("line-too-long", "what is left of the line is not read, and later lines have their numbers"),
    ("line-twice-too-long", "what is left of the line is not read"),
    ("missing-begin", "only the missing brace is complained of"),
    ("nul-bytes", "the line has its number"),
    ("nul-in-the-last-line", "the line is refused as any other would be"),
    ("no-newline-at-the-end", "the last line has its number"),
    ("only-line-without-newline", "the line has a number"),
];

/// Where the distribution's 2.2.7 differs from 2.4.3.
const OLDER: &[(&str, &str)] = &[
    ("booleans-wrong", "it does not check the word after vrrp_skip_check_adv_addr"),
    ("definition-multiple-lines", "a comment does not end a definition"),
    ("line-too-long", "it counts a refused line once"),
    ("lvs-no-real-server", "it names no line"),
    ("nul-bytes", "it counts a refused line once"),
    ("predefined", "it has no _ENV"),
    ("predefined-random-wrong", "it does not count the parameters"),
    ("vrrp-duplicate-addresses", "it does not look for duplicates"),
    ("vrrp-hmac", "it has no auth_hmac"),
    ("vrrp-sync-group-wrong", "it names fewer lines"),
    ("vrrp-unicast", "it accepts a peer twice"),
];

/// An exit status, and what was complained of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Judgement {
    /// `None` where a signal ended it.
    status: Option<i32>,
    /// File and line.
    places: BTreeSet<(String, usize)>,
    /// Whether there were complaints about the whole.
    overall: bool,
}

impl Judgement {
    fn new(verdict: &Verdict, file: &str) -> Self {
        let complaints = verdict.complaints.iter().map(|line| place(line, file));
        let (placed, overall): (Vec<_>, Vec<_>) = complaints.partition(Option::is_some);
        Self {
            status: verdict.status,
            places: placed.into_iter().flatten().collect(),
            overall: !overall.is_empty(),
        }
    }

    /// `5 keepalived.conf:3 other.conf:1 *`
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let status = words.next()?.parse().ok();
        let (overall, placed): (Vec<_>, Vec<_>) = words.partition(|word| *word == "*");
        let place = |word: &str| {
            let (file, line) = word.rsplit_once(':')?;
            Some((file.to_owned(), line.parse().ok()?))
        };
        let places = placed.into_iter().map(place).collect::<Option<_>>()?;
        Some(Self { status, places, overall: !overall.is_empty() })
    }

    /// Whether `self` says what `reference` says. What that complains of without a place may be given one.
    fn agrees_with(&self, reference: &Self) -> bool {
        let complains = self.overall || self.places != reference.places;
        self.status == reference.status
            && reference.places.is_subset(&self.places)
            && (reference.overall || self.places == reference.places)
            && (!reference.overall || complains)
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(formatter, "{status}")?,
            None => write!(formatter, "signal")?,
        }
        for (file, line) in &self.places {
            write!(formatter, " {file}:{line}")?;
        }
        if self.overall { write!(formatter, " *") } else { Ok(()) }
    }
}

/// Where `complaint` points: `(file: Line n) …`, or `(Line n) …` for the only file.
fn place(complaint: &str, file: &str) -> Option<(String, usize)> {
    let (inside, _) = complaint.strip_prefix('(')?.split_once(") ")?;
    let (path, line) = match inside.rsplit_once("Line ")? {
        ("", line) => (file, line),
        (path, line) => (path.strip_suffix(": ")?, line),
    };
    let name = Path::new(path).file_name()?.to_str()?;
    Some((name.to_owned(), line.parse().ok()?))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// Lets `binary` judge every configuration.
fn judge(binary: &Binary) -> BTreeMap<String, Judgement> {
    let lan = Lan::new(1);
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let configurations =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "conf"));
    let mut judgements = BTreeMap::new();
    for path in configurations {
        let file = path.file_name().and_then(|name| name.to_str()).expect("our names are plain");
        let verdict = Daemon::check(binary, lan.nodes()[0].namespace(), &path, &["-i", "main"]);
        let name = file.trim_end_matches(".conf").to_owned();
        judgements.insert(name, Judgement::new(&verdict, file));
    }
    judgements
}

fn reference() -> BTreeMap<String, Judgement> {
    let text = fs::read_to_string(folder().join("2.4.3.txt")).expect("it was recorded");
    let entry = |line: &str| {
        let (name, judgement) = line.split_once(' ')?;
        Some((name.to_owned(), Judgement::parse(judgement)?))
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| entry(line).unwrap_or_else(|| panic!("2.4.3.txt: {line}"))).collect()
}

/// What differs from the reference and is not in `known`; and what is in `known` without need.
fn differences(judgements: &BTreeMap<String, Judgement>, known: &[(&str, &str)]) -> Vec<String> {
    let reference = reference();
    let mut found = Vec::new();
    for (name, judgement) in judgements {
        let Some(wanted) = reference.get(name) else {
            found.push(format!("{name} is not recorded"));
            continue;
        };
        let is_known = known.iter().any(|(known, _)| known == name);
        match (judgement.agrees_with(wanted), is_known) {
            (false, false) => {
                found.push(format!("{name}\n    2.4.3: {wanted}\n    this:  {judgement}"))
            }
            (true, true) => found.push(format!("{name} is listed as a difference, but is none")),
            _ => {}
        }
    }
    found
}

#[test]
fn the_binary_under_test_judges_as_2_4_3() {
    let judgements = judge(&Binary::under_test());
    if std::env::var_os("RECORD").is_some() {
        let head = "# What keepalived 2.4.3 -t says: name, exit status, lines complained of, * for complaints without one.\n";
        let lines: String =
            judgements.iter().map(|(name, judgement)| format!("{name} {judgement}\n")).collect();
        fs::write(folder().join("2.4.3.txt"), format!("{head}{lines}")).unwrap();
    }
    assert!(judgements.len() >= 100, "only {} configurations", judgements.len());
    let found = differences(&judgements, DELIBERATE);
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_peer_judges_as_recorded() {
    let peer = Binary::peer();
    let known = if peer.version().starts_with("2.2.") { OLDER } else { &[] };
    let found = differences(&judge(&peer), known);
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn places_are_read_from_complaints() {
    let at = |file: &str, line| Some((file.to_owned(), line));
    assert_eq!(place("(Line 12) Unknown keyword 'x'", "a.conf"), at("a.conf", 12));
    assert_eq!(place("(/etc/keepalived/b.conf: Line 3) (web) no", "a.conf"), at("b.conf", 3));
    assert_eq!(place("(web) the virtual router id must be set", "a.conf"), None);
    assert_eq!(place("There are 1 missing '}'s or extra '{'s", "a.conf"), None);
}
