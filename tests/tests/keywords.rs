//! What the documentation lists, against the tree: the keyword tables of all crates together, and the tests that are to
//! show what a keyword does, or where ours differs from the original.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use conf_parser::{Schema, list_keywords};

const LIST: &str = include_str!("../../doc/keywords.tsv");

/// The tables of the top level, of every crate that has one.
fn roots() -> [&'static dyn Schema; 4] {
    [&runtime::global::ROOT, &vrrp::config::ROOT, &check::config::ROOT, &bfd::config::ROOT]
}

#[test]
fn tables_and_list_agree() {
    let tables: String = roots().into_iter().map(list_keywords).collect();
    let tables: BTreeSet<&str> = tables.lines().collect();
    let list: BTreeSet<&str> = LIST.lines().collect();
    let missing: Vec<_> = list.difference(&tables).collect();
    let unlisted: Vec<_> = tables.difference(&list).collect();
    assert!(missing.is_empty(), "listed, but in no table: {missing:#?}");
    assert!(unlisted.is_empty(), "in a table, but not listed: {unlisted:#?}");
}

#[test]
fn no_keyword_is_declared_twice() {
    let tables: String = roots().into_iter().map(list_keywords).collect();
    let mut seen = BTreeSet::new();
    for line in tables.lines() {
        let mut columns = line.split('\t');
        let keyword = (columns.next(), columns.next());
        assert!(seen.insert(keyword), "{line}");
    }
}

/// The rows of a table with three columns.
fn rows(text: &'static str) -> Vec<[&'static str; 3]> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| {
        let mut columns = row.split(" | ").map(|column| column.trim_matches('`'));
        [(); 3].map(|()| columns.next().expect("a row has three columns"))
    })
    .collect()
}

const TESTED: &str = include_str!("../../doc/keyword-tests.md");

#[test]
fn every_keyword_is_tested() {
    let tested: BTreeSet<(&str, &str)> =
        rows(TESTED).into_iter().map(|[block, keyword, _]| (block, keyword)).collect();
    assert_eq!(tested.len(), rows(TESTED).len(), "a row stands there twice");
    let keyword = |line: &'static str| {
        let mut columns = line.split('\t');
        (columns.next().unwrap_or(""), columns.next().unwrap_or(""))
    };
    let all: BTreeSet<(&str, &str)> = LIST.lines().map(keyword).collect();
    let untested: Vec<_> = all.difference(&tested).collect();
    assert!(untested.is_empty(), "without a test: {untested:?}");
    let unknown: Vec<_> = tested.difference(&all).collect();
    assert!(unknown.is_empty(), "no keywords: {unknown:?}");
}

/// The sources that the documentation names, as far as they were read.
#[derive(Default)]
struct Sources(BTreeMap<String, String>);

impl Sources {
    /// Asserts that `test` is there: `links::name` is the test `name` in `tests/tests/links.rs`, or the story of that name;
    /// other files have their path from the root; what has no name in it is a file of a corpus.
    fn assert_there(&mut self, test: &str) {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
        let Some((place, name)) = test.split_once("::") else {
            let file = tree.join("..").join(test).with_extension("conf");
            return assert!(file.exists(), "no {test}");
        };
        let source = self.0.entry(place.to_owned()).or_insert_with(|| {
            let paths = [tree.join("tests").join(place), tree.join("..").join(place)];
            let read = |path: &PathBuf| fs::read_to_string(path.with_extension("rs")).ok();
            paths.iter().find_map(read).unwrap_or_else(|| panic!("{test}: no {place}"))
        });
        // Stories stand in a macro or a list, each on a line that begins with its name.
        let is_there = source.contains(&format!("fn {name}("))
            || source.lines().any(|line| {
                line.trim_start()
                    .trim_start_matches('"')
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '"']))
            });
        assert!(is_there, "no {test}");
    }
}

/// The tests that a column names.
fn named(column: &str) -> impl Iterator<Item = &str> {
    column.split('`').filter(|word| word.contains("::") || word.contains("/corpus/"))
}

#[test]
fn the_tests_of_keywords_are_there() {
    let (mut sources, mut found) = (Sources::default(), 0);
    for [_, _, tests] in rows(TESTED) {
        for test in named(tests) {
            sources.assert_there(test);
            found += 1;
        }
    }
    assert!(found > 200, "the table cannot be read: {found}");
}

const DIFFERENCES: &str = include_str!("../../doc/differences.md");

#[test]
fn each_difference_has_a_test_that_is_there() {
    let (mut sources, mut found) = (Sources::default(), 0);
    let rows = DIFFERENCES.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    for row in rows.filter(|row| !row.starts_with("area |")) {
        let (_, column) = row.rsplit_once(" | ").expect("a row has columns");
        let tests: Vec<&str> = named(column).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        tests.into_iter().for_each(|test| sources.assert_there(test));
        found += 1;
    }
    assert!(found > 200, "the table cannot be read: {found}");
}
