//! The machine is a list of rules and a list of sets, which does as `iptables-restore` and the kernel do.

use nix::errno::Errno;
use runtime::machine::IfIndex;

use super::*;
use crate::kernel::firewall::{Blocked, Link, Vmac};

#[derive(Debug, Default)]
struct Fake {
    /// Rules of both families, with their chains.
    rules: BTreeMap<Family, Vec<String>>,
    sets: BTreeMap<String, BTreeSet<Entry>>,
    /// How many programs were run.
    runs: usize,
    /// How many of the next ones fail.
    failing: usize,
}

fn failure(text: &str) -> Failure {
    Failure::Program { name: "iptables-restore", text: text.to_owned() }
}

impl Tools for Fake {
    fn list(&mut self, family: Family) -> Result<String, Failure> {
        let rules = self.rules.get(&family).into_iter().flatten();
        Ok(rules.map(|rule| format!("-A {rule}\n")).collect())
    }

    fn change(&mut self, family: Family, script: &str) -> Result<(), Failure> {
        self.runs += 1;
        if self.failing > 0 {
            self.failing -= 1;
            return Err(failure("Another app is currently holding the xtables lock."));
        }
        let mut rules = self.rules.get(&family).cloned().unwrap_or_default();
        for line in script.lines() {
            match line.split_at_checked(3) {
                Some(("-I ", rule)) => rules.insert(0, rule.to_owned()),
                Some(("-A ", rule)) => rules.push(rule.to_owned()),
                Some(("-D ", rule)) => {
                    let place = rules.iter().position(|there| there == rule);
                    rules.remove(place.ok_or_else(|| failure("Bad rule"))?);
                }
                _ => assert!(["*filter", "COMMIT"].contains(&line), "{line}"),
            }
        }
        self.rules.insert(family, rules);
        Ok(())
    }

    fn change_sets(&mut self, changes: &[SetChange]) -> Vec<Result<(), NetlinkError>> {
        changes.iter().map(|change| self.change_set(change)).collect()
    }
}

impl Fake {
    fn change_set(&mut self, change: &SetChange) -> Result<(), NetlinkError> {
        let refused =
            |errno| NetlinkError::Refused { attempted: change.to_string(), errno, text: None };
        let missing = || refused(Errno::ENOENT);
        match change {
            SetChange::Create(name, ..) => drop(self.sets.entry(name.clone()).or_default()),
            SetChange::Destroy(name) => {
                let used = |rule: &String| rule.contains(&format!("--match-set {name} "));
                if self.rules.values().flatten().any(used) {
                    return Err(refused(Errno::EBUSY));
                }
                self.sets.remove(name);
            }
            SetChange::Swap(one, other) => {
                let first = self.sets.remove(one).ok_or_else(missing)?;
                let second = self.sets.insert(other.clone(), first).ok_or_else(missing)?;
                self.sets.insert(one.clone(), second);
            }
            SetChange::Add(name, entry) => {
                self.sets.get_mut(name).ok_or_else(missing)?.insert(entry.clone());
            }
            SetChange::Remove(name, entry) => {
                self.sets.get_mut(name).ok_or_else(missing)?.remove(entry);
            }
        }
        Ok(())
    }

    fn rules(&self, family: Family) -> Vec<&str> {
        self.rules.get(&family).into_iter().flatten().map(String::as_str).collect()
    }

    fn entries(&self, set: &str) -> Vec<String> {
        self.sets.get(set).into_iter().flatten().map(Entry::to_string).collect()
    }
}

fn settings(sets: bool) -> Settings {
    let name = |suffix| format!("s{suffix}");
    let sets = sets.then(|| SetNames {
        address: name(""),
        address6: name("6"),
        address_interface6: name("_if6"),
        igmp: name("_igmp"),
        mld: name("_mld"),
        vmac_nd: name("_nd"),
    });
    Settings { input: "INPUT".to_owned(), output: Some("OUTPUT".to_owned()), sets }
}

fn blocking(addresses: &[&str]) -> Desired {
    let blocked = addresses.iter().map(|text| Blocked::Anywhere(text.parse().unwrap()));
    Desired { blocked: blocked.collect(), ..Desired::default() }
}

fn fresh(sets: bool, named: &Desired) -> Iptables {
    Iptables::new(settings(sets), named.clone())
}

#[track_caller]
fn apply(iptables: &mut Iptables, desired: &Desired, extent: Extent, fake: &mut Fake) {
    let failures = iptables.apply(desired, extent, fake);
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn with_sets_only_entries_change() {
    let mut fake = Fake::default();
    let mut iptables = fresh(true, &Desired::default());
    apply(&mut iptables, &blocking(&["10.0.0.1"]), Extent::All, &mut fake);
    let rules =
        ["INPUT -m set --match-set s dst -j DROP", "OUTPUT -m set --match-set s src -j DROP"];
    assert_eq!((fake.rules(Family::Ip), fake.runs), (rules.to_vec(), 1));
    apply(&mut iptables, &blocking(&["10.0.0.2"]), Extent::Block, &mut fake);
    assert_eq!(fake.entries("s"), ["10.0.0.1", "10.0.0.2"]);
    apply(&mut iptables, &blocking(&["10.0.0.2"]), Extent::All, &mut fake);
    assert_eq!(fake.entries("s"), ["10.0.0.2"]);
    apply(&mut iptables, &Desired::default(), Extent::All, &mut fake);
    assert_eq!((fake.entries("s"), fake.runs), (vec![], 1));
    assert!(iptables.remove(&mut fake).is_empty());
    assert_eq!((fake.rules(Family::Ip), fake.sets.len()), (vec![], 0));
}

#[test]
fn after_a_reload_sets_that_nothing_needs_go() {
    let mut fake = Fake::default();
    let mut iptables = fresh(true, &Desired::default());
    apply(&mut iptables, &blocking(&["10.0.0.1"]), Extent::All, &mut fake);
    iptables.shrink();
    apply(&mut iptables, &Desired::default(), Extent::Block, &mut fake);
    assert_eq!(fake.entries("s"), ["10.0.0.1"]);
    fake.failing = TRIES;
    assert_eq!(iptables.apply(&Desired::default(), Extent::All, &mut fake).len(), 1);
    apply(&mut iptables, &Desired::default(), Extent::All, &mut fake);
    assert_eq!((fake.rules(Family::Ip), fake.sets.len()), (vec![], 0));
}

#[test]
fn neighbour_discovery_passes() {
    let mut fake = Fake::default();
    let link = Link { index: IfIndex(7), name: "eth0".to_owned(), may_vanish: false };
    let mut desired = blocking(&["fd00::1"]);
    desired.blocked.insert(Blocked::OnLink("fe80::1".parse().unwrap(), link));
    apply(&mut fresh(true, &desired), &desired, Extent::All, &mut fake);
    assert_eq!(
        fake.rules(Family::Ip6)[..6],
        [
            "INPUT -p ipv6-icmp -m set --match-set s_if6 dst,src -m icmp6 --icmpv6-type 135 -j ACCEPT",
            "INPUT -p ipv6-icmp -m set --match-set s_if6 dst,src -m icmp6 --icmpv6-type 136 -j ACCEPT",
            "INPUT -m set --match-set s_if6 dst,src -j DROP",
            "INPUT -p ipv6-icmp -m set --match-set s6 dst -m icmp6 --icmpv6-type 135 -j ACCEPT",
            "INPUT -p ipv6-icmp -m set --match-set s6 dst -m icmp6 --icmpv6-type 136 -j ACCEPT",
            "INPUT -m set --match-set s6 dst -j DROP",
        ]
    );
    assert_eq!(fake.entries("s_if6"), ["fe80::1/128,eth0"]);
    let mut fake = Fake::default();
    apply(&mut fresh(false, &desired), &desired, Extent::All, &mut fake);
    assert_eq!(
        fake.rules(Family::Ip6)[9..],
        [
            "OUTPUT -s fe80::1/128 -o eth0 -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT",
            "OUTPUT -s fe80::1/128 -o eth0 -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT",
            "OUTPUT -s fe80::1/128 -o eth0 -j DROP",
        ]
    );
}

fn vmac() -> Desired {
    let vmac = Vmac {
        index: IfIndex(9),
        name: "vrrp.51".to_owned(),
        parent: IfIndex(2),
        link_local: Some("fe80::9".parse().unwrap()),
        ipv4: true,
        ipv6: true,
    };
    Desired { vmacs: [vmac].into(), ..Desired::default() }
}

#[test]
fn rules_for_vmacs_come_before_all_others() {
    let mut fake = Fake::default();
    fake.rules.insert(Family::Ip, vec!["OUTPUT -j ACCEPT".to_owned()]);
    let mut iptables = fresh(true, &Desired::default());
    apply(&mut iptables, &blocking(&["10.0.0.1"]), Extent::All, &mut fake);
    apply(&mut iptables, &vmac(), Extent::Block, &mut fake);
    assert_eq!(
        fake.rules(Family::Ip),
        [
            "OUTPUT -p igmp -m set --match-set s_igmp dst,dst -j DROP",
            "OUTPUT -j ACCEPT",
            "INPUT -m set --match-set s dst -j DROP",
            "OUTPUT -m set --match-set s src -j DROP",
        ]
    );
    assert_eq!(fake.entries("s_igmp"), ["0.0.0.0/0,vrrp.51"]);
    assert_eq!(fake.entries("s_nd"), ["fe80::9/128,vrrp.51"]);
    let mut fake = Fake::default();
    apply(&mut fresh(false, &vmac()), &vmac(), Extent::Block, &mut fake);
    assert_eq!(
        fake.rules(Family::Ip6),
        [
            "OUTPUT -s fe80::9/128 -o vrrp.51 -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j DROP",
            "OUTPUT -o vrrp.51 -p ipv6-icmp -m icmp6 --icmpv6-type 131 -j DROP",
            "OUTPUT -o vrrp.51 -p ipv6-icmp -m icmp6 --icmpv6-type 143 -j DROP",
        ]
    );
}

#[test]
fn without_a_chain_for_output_there_are_no_such_rules() {
    let settings = Settings { output: None, ..settings(true) };
    let mut fake = Fake::default();
    let mut desired = blocking(&["10.0.0.1"]);
    desired.vmacs = vmac().vmacs;
    let mut iptables = Iptables::new(settings, Desired::default());
    apply(&mut iptables, &desired, Extent::All, &mut fake);
    assert_eq!(fake.rules(Family::Ip), ["INPUT -m set --match-set s dst -j DROP"]);
}

#[test]
fn what_a_killed_process_has_left_behind_goes_and_the_rest_stays() {
    let foreign = ["INPUT -s 192.0.2.1/32 -j DROP", "INPUT -d 10.0.0.9/32 -j DROP"];
    let named = blocking(&["10.0.0.1", "10.0.0.2"]);
    for sets in [true, false] {
        let mut fake = Fake::default();
        apply(&mut fresh(sets, &named), &named, Extent::All, &mut fake);
        let rules = fake.rules.get_mut(&Family::Ip).unwrap();
        rules.splice(1..1, foreign.map(str::to_owned));
        let mut successor = fresh(sets, &named);
        apply(&mut successor, &blocking(&["10.0.0.2"]), Extent::Block, &mut fake);
        if sets {
            assert_eq!(fake.entries("s"), ["10.0.0.2"]);
            assert!(!fake.sets.contains_key(STAND_IN));
        }
        assert_eq!(fake.rules(Family::Ip).len(), 4, "{:?}", fake.rules(Family::Ip));
        assert!(successor.remove(&mut fake).is_empty());
        assert_eq!(fake.rules(Family::Ip), foreign);
        assert!(fake.sets.is_empty());
    }
}

#[test]
fn rules_that_somebody_flushed_come_back_with_the_next_change() {
    let mut fake = Fake::default();
    let mut iptables = fresh(false, &Desired::default());
    apply(&mut iptables, &blocking(&["10.0.0.1", "10.0.0.2"]), Extent::All, &mut fake);
    fake.rules.clear();
    apply(&mut iptables, &blocking(&["10.0.0.2"]), Extent::All, &mut fake);
    assert_eq!(
        fake.rules(Family::Ip),
        ["INPUT -d 10.0.0.2/32 -j DROP", "OUTPUT -s 10.0.0.2/32 -j DROP"]
    );
}

#[test]
fn what_fails_is_tried_again_and_told_once() {
    let desired = blocking(&["10.0.0.1"]);
    let mut fake = Fake { failing: TRIES - 1, ..Fake::default() };
    apply(&mut fresh(false, &desired), &desired, Extent::Block, &mut fake);
    let mut fake = Fake { failing: 2 * TRIES, ..Fake::default() };
    let mut iptables = fresh(false, &desired);
    let told = iptables.apply(&desired, Extent::Block, &mut fake);
    let text: Vec<String> = told.iter().map(Failure::to_string).collect();
    assert_eq!(text, ["iptables-restore: Another app is currently holding the xtables lock."]);
    assert!(iptables.apply(&desired, Extent::Block, &mut fake).is_empty());
    apply(&mut iptables, &desired, Extent::Block, &mut fake);
    assert_eq!(fake.rules(Family::Ip).len(), 2);
}
