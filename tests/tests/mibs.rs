//! The MIB files that are installed: who reads them sees everything that is shown, by the names of the original.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::{Scratch, target_directory};

/// The modules that there are, and what was walked of each.
const MODULES: [(&str, &[&str]); 3] = [
    ("KEEPALIVED-MIB", &["keepalived.walk", "checker.walk"]),
    ("VRRP-MIB", &["vrrp.walk"]),
    ("VRRPV3-MIB", &["vrrpv3.walk"]),
];

/// The names of objects by their numbers.
type Names = BTreeMap<Vec<u32>, String>;

fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn ours() -> PathBuf {
    tests().join("../packaging/mibs")
}

fn number(text: &str) -> Option<Vec<u32>> {
    text.trim_start_matches('.').split('.').map(|part| part.parse().ok()).collect()
}

/// What net-snmp reads in the file of `module` in `directory`, and what it complains of.
fn read(module: &str, directory: &Path) -> (Names, String) {
    let scratch = Scratch::new();
    let directories = format!("{}:{}", tests().join("snmp/base").display(), directory.display());
    let mut command = Command::new("snmptranslate");
    command.env("SNMPCONFPATH", scratch.path()).env("SNMP_PERSISTENT_DIR", scratch.path());
    command.args(["-M", &directories, "-m", module, "-Tz"]);
    let output = command.output().unwrap_or_else(|error| panic!("snmptranslate: {error}"));
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = names.lines().filter_map(|line| {
        let mut quoted = line.split('"').skip(1).step_by(2);
        let name = quoted.next()?.to_owned();
        Some((number(quoted.next()?)?, name))
    });
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaints = complaints.lines().filter(|line| !line.starts_with("Created directory: "));
    (names.collect(), complaints.map(|line| format!("{line}\n")).collect())
}

/// Whether `number` is that of an instance of an object, and not of a table or a branch.
fn is_named(number: &[u32], names: &Names) -> bool {
    let object = (1..number.len()).rev().map(|length| &number[..length]);
    let Some(object) = object.into_iter().find(|part| names.contains_key(*part)) else {
        return false;
    };
    let mut below = names.range(object.to_vec()..).skip(1);
    below.next().is_none_or(|(next, _)| !next.starts_with(object))
}

#[test]
fn all_that_is_shown_has_a_name() {
    for (module, walks) in MODULES {
        let (names, complaints) = read(module, &ours());
        assert_eq!(complaints, "", "{module}");
        for walk in walks {
            let text =
                fs::read_to_string(tests().join("snmp").join(walk)).expect("it was recorded");
            let shown = text.lines().filter_map(|line| number(line.split(" = ").next()?));
            let nameless: Vec<_> = shown.filter(|number| !is_named(number, &names)).collect();
            assert_eq!(nameless, [] as [Vec<u32>; 0], "{walk}");
        }
    }
}

#[test]
fn names_are_those_of_the_original() {
    let original = target_directory().join("peer/usr/share/snmp/mibs");
    for (module, _) in MODULES {
        let (theirs, _) = read(module, &original);
        let (ours, _) = read(module, &ours());
        assert!(theirs.len() > 50, "{module} is not in {}", original.display());
        let differ = theirs.iter().filter(|(number, name)| ours.get(*number) != Some(*name));
        assert_eq!(differ.collect::<Vec<_>>(), [], "{module}");
    }
}
