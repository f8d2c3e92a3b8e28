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
