//! The kernel is a list of what it was asked for; what it makes of it is seen in the lab.

use nix::errno::Errno;
use runtime::machine::IfIndex;

use super::*;

fn settings() -> Settings {
    Settings { table: "t".to_owned(), priority: -1, ifindex: false, counters: false }
}

fn table(family: Family) -> Table {
    Table { family, name: "t".to_owned() }
}

fn blocking(addresses: &[&str]) -> Desired {
    let blocked = addresses.iter().map(|text| Blocked::Anywhere(text.parse().unwrap()));
    Desired { blocked: blocked.collect(), ..Desired::default() }
}

fn elements(addresses: &[[u8; 4]]) -> Vec<Element> {
    addresses
        .iter()
        .map(|octets| Element { key: octets.to_vec(), end: None, value: None })
        .collect()
}

/// What the tables ask for.
fn asked(tables: &mut Nftables, desired: &Desired, extent: Extent) -> Vec<Change> {
    let mut changes = Vec::new();
    let failures = tables.apply(desired, extent, |asked, _| {
        changes.extend_from_slice(asked);
        Ok(())
    });
    assert_eq!(failures, []);
    changes
}

fn refused(errno: Errno) -> NetlinkError {
    NetlinkError::Refused { attempted: "it".to_owned(), errno, text: None }
}

#[test]
fn what_a_killed_process_left_behind_is_replaced_or_removed() {
    let mut tables = Nftables::new(settings());
    let desired = blocking(&["10.0.0.1"]);
    let changes = asked(&mut tables, &desired, Extent::Block);
    let [v4, v6] = [Family::Ip, Family::Ip6].map(table);
    let again = [
        Change::AddTable(v4.clone()),
        Change::RemoveTable(v4.clone()),
        Change::AddTable(v4.clone()),
    ];
    assert_eq!(changes[..3], again);
    assert!(changes.contains(&Change::AddElements(v4, "vips", elements(&[[10, 0, 0, 1]]))));
    let changes = asked(&mut tables, &desired, Extent::All);
    assert_eq!(changes, [Change::AddTable(v6.clone()), Change::RemoveTable(v6)]);
    assert_eq!(asked(&mut tables, &desired, Extent::All), []);
}

#[test]
fn sets_change_and_rules_stay() {
    let mut tables = Nftables::new(settings());
    asked(&mut tables, &blocking(&["10.0.0.1", "10.0.0.2"]), Extent::All);
    let next = blocking(&["10.0.0.2", "10.0.0.3"]);
    let vips = |kind: fn(Table, &'static str, Vec<Element>) -> Change, address| {
        kind(table(Family::Ip), "vips", elements(&[address]))
    };
    let added = vips(Change::AddElements, [10, 0, 0, 3]);
    assert_eq!(asked(&mut tables, &next, Extent::Block), [added], "the old one is still kept away");
    let removed = vips(Change::RemoveElements, [10, 0, 0, 1]);
    assert_eq!(asked(&mut tables, &next, Extent::All), [removed]);
    let all_gone = asked(&mut tables, &Desired::default(), Extent::All);
    assert!(matches!(&all_gone[..], [Change::RemoveElements(_, "vips", two)] if two.len() == 2));
}

#[test]
fn a_new_kind_of_rule_takes_the_elements_along() {
    let mut tables = Nftables::new(settings());
    let mut desired = blocking(&["fd00::1"]);
    asked(&mut tables, &desired, Extent::All);
    let link = Link { index: IfIndex(7), name: "eth0".to_owned(), may_vanish: true };
    desired.blocked.insert(Blocked::OnLink("fe80::1".parse().unwrap(), link));
    let changes = asked(&mut tables, &desired, Extent::Block);
    let filled = |set| {
        changes
            .iter()
            .any(|change| matches!(change, Change::AddElements(_, name, _) if *name == set))
    };
    assert!(filled("vips") && filled("vips_link_local_name"));
    let [.., last] = &changes[..] else { panic!("no changes") };
    assert!(matches!(last, Change::AddRule { chain, .. } if chain == "out_link_local"));
}

#[test]
fn rules_that_match_nothing_go_with_a_reload() {
    let mut tables = Nftables::new(settings());
    let (v4, both) = (blocking(&["10.0.0.1"]), blocking(&["10.0.0.1", "fd00::1"]));
    asked(&mut tables, &both, Extent::All);
    let emptied = asked(&mut tables, &v4, Extent::All);
    assert!(matches!(&emptied[..], [Change::RemoveElements(..)]), "{emptied:?}");
    tables.shrink();
    assert_eq!(asked(&mut tables, &v4, Extent::Block), [], "only what is to be kept away counts");
    let [add, remove] = [Change::AddTable, Change::RemoveTable].map(|by| by(table(Family::Ip6)));
    assert_eq!(
        asked(&mut tables, &v4, Extent::All),
        [add, remove],
        "the other one has all it needs"
    );
    assert_eq!(asked(&mut tables, &v4, Extent::All), []);
}

#[test]
fn interfaces_that_may_vanish_go_by_name_unless_told_otherwise() {
    let on = |may_vanish, ifindex| {
        let link = Link { index: IfIndex(7), name: "eth0".to_owned(), may_vanish };
        let blocked = Blocked::OnLink("fe80::1".parse().unwrap(), link);
        let desired = Desired { blocked: [blocked].into(), ..Desired::default() };
        let (_, elements) = wanted(Family::Ip6, &desired, &Settings { ifindex, ..settings() });
        elements
            .into_iter()
            .map(|(set, elements)| (set, elements.first().unwrap().key.len()))
            .next()
    };
    assert_eq!(on(true, false), Some(("vips_link_local_name", 32)));
    assert_eq!(on(true, true), Some(("vips_link_local", 20)));
    assert_eq!(on(false, false), Some(("vips_link_local", 20)));
}

#[test]
fn what_somebody_flushed_is_made_again() {
    let mut tables = Nftables::new(settings());
    asked(&mut tables, &blocking(&["10.0.0.1"]), Extent::All);
    let mut attempts = 0;
    let failures = tables.apply(&blocking(&["10.0.0.1", "10.0.0.2"]), Extent::All, |changes, _| {
        attempts += 1;
        match changes {
            [Change::AddElements(..)] => Err(refused(Errno::ENOENT)),
            _ => Ok(()),
        }
    });
    assert_eq!((failures, attempts), (vec![], 2));
    assert!(tables.lost(Family::Ip, "t"));
    assert!(!tables.lost(Family::Ip, "t"), "it is known already");
    assert!(!tables.lost(Family::Ip6, "t") && !tables.lost(Family::Ip, "other"));
    let changes = asked(&mut tables, &blocking(&["10.0.0.1", "10.0.0.2"]), Extent::All);
    assert!(changes.contains(&Change::AddTable(table(Family::Ip))));
}

#[test]
fn a_kernel_without_nftables_is_told_of_once() {
    let mut tables = Nftables::new(settings());
    let desired = blocking(&["10.0.0.1"]);
    let mut apply = |desired: &Desired| {
        tables.apply(desired, Extent::All, |_, _| Err(refused(Errno::EOPNOTSUPP)))
    };
    assert_eq!(apply(&desired), [refused(Errno::EOPNOTSUPP)]);
    assert_eq!(apply(&desired), []);
    assert_eq!(apply(&Desired::default()), [], "what cannot be there need not be removed");
}

#[test]
fn vmacs_are_in_the_tables_of_their_families() {
    let vmac = Vmac {
        index: IfIndex(9),
        name: "vrrp.51".to_owned(),
        parent: IfIndex(2),
        link_local: Some("fe80::1".parse().unwrap()),
        ipv4: true,
        ipv6: false,
    };
    let desired = |vmac: &Vmac| Desired { vmacs: [vmac.clone()].into(), ..Desired::default() };
    let (shape, sets) = wanted(Family::Ip, &desired(&vmac), &settings());
    assert!(shape.vmacs && !shape.addresses);
    let value = sets["vmac_map"].first().unwrap().value.as_deref();
    assert_eq!(value, Some(&2u32.to_ne_bytes()[..]));
    assert!(wanted(Family::Ip6, &desired(&vmac), &settings()).0.is_empty());
    let both = Vmac { ipv6: true, ..vmac };
    let (_, sets) = wanted(Family::Ip6, &desired(&both), &settings());
    let names: Vec<&str> = sets.keys().copied().collect();
    assert_eq!(names, ["parent_link_local", "vmac_map", "vmac_set"]);
}

#[test]
fn at_the_end_nothing_is_left() {
    let mut tables = Nftables::new(settings());
    asked(&mut tables, &blocking(&["10.0.0.1"]), Extent::All);
    let mut changes = Vec::new();
    let failures = tables.remove(|asked, _| {
        changes.extend_from_slice(asked);
        Ok(())
    });
    assert_eq!(failures, []);
    let v4 = table(Family::Ip);
    assert_eq!(changes, [Change::AddTable(v4.clone()), Change::RemoveTable(v4)]);
}
