//! The keyword tables of all crates together, against the list in the documentation.

use std::collections::BTreeSet;

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

const TO_COME: &str = include_str!("../../doc/engine-to-come.md");

/// The rows of a table: block, keyword, and what will act.
fn to_come() -> Vec<[&'static str; 3]> {
    let rows = TO_COME.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| {
        let mut columns = row.split(" | ").map(|column| column.trim_matches('`'));
        [(); 3].map(|()| columns.next().expect("a row has three columns"))
    })
    .collect()
}

#[test]
fn what_is_to_come_is_in_the_list_once() {
    let mut seen = BTreeSet::new();
    for [block, keyword, _] in to_come() {
        let in_block = |line: &str| {
            let mut columns = line.split('\t');
            let (path, name) = (columns.next().unwrap_or(""), columns.next().unwrap_or(""));
            let below = path.strip_prefix(block).is_some_and(|rest| rest.starts_with('/'));
            (path == block && (keyword == "*" || keyword == name)) || (below && keyword == "*")
        };
        let found: Vec<&str> = LIST.lines().filter(|line| in_block(line)).collect();
        assert!(!found.is_empty(), "{block} {keyword} is no keyword");
        for line in found {
            assert!(seen.insert(line), "{line} is named twice");
        }
    }
    assert!(!seen.is_empty(), "the table cannot be read");
}
