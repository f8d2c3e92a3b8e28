//! The tables of nftables that mark packets for groups of virtual servers (`nftables_ipvs`): made anew in one
//! transaction where their maps change, and otherwise changed in their elements alone.

use std::collections::{BTreeMap, BTreeSet};

use log::{error, info};
use nix::errno::Errno;
use runtime::global::{Firewall, IpvsNamespace};
use runtime::ipvs::within;
use runtime::netlink::nftables::{
    Change, Element, Expression, Family, Hook, KeyType, Meta, Nftables, Payload, Register, Set,
    Table, TableMonitor, Verdict,
};
use runtime::netlink::{Drained, NetlinkError};

use super::marks::{Elements, MAPS};

const IN: &str = "in";
const V4_DESTINATION: Payload = Payload::Network { offset: 16, len: 4 };
const V6_DESTINATION: Payload = Payload::Network { offset: 24, len: 16 };
const DESTINATION_PORT: Payload = Payload::Transport { offset: 2, len: 2 };

type Maps = BTreeMap<&'static str, BTreeSet<Element>>;

/// What the configuration says about the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Settings {
    table: String,
    priority: i32,
    counters: bool,
}

/// The tables, as far as we know them.
#[derive(Debug, Default)]
pub(super) struct Tables {
    settings: Option<Settings>,
    socket: Option<(Nftables, TableMonitor)>,
    /// What is in the tables; `None` where that is not known for certain.
    known: BTreeMap<Family, Option<Maps>>,
    told: BTreeMap<Family, String>,
}

impl Tables {
    /// Uses nftables as configured, or not. Tables that are made by other settings are made anew.
    pub(super) fn configure(&mut self, firewall: &Firewall, namespace: Option<&IpvsNamespace>) {
        let settings = firewall.ipvs_nftables.as_ref().map(|tables| Settings {
            table: tables.table.clone(),
            priority: tables.priority,
            counters: firewall.counters,
        });
        if self.settings == settings {
            return;
        }
        let renames = |new: &Settings, old: &Settings| new.table != old.table;
        let is_elsewhere = match (&settings, &self.settings) {
            (Some(new), Some(old)) => renames(new, old),
            (None, Some(_)) => true,
            _ => false,
        };
        if is_elsewhere {
            self.remove(namespace);
        }
        self.settings = settings;
        // What a killed process has left behind must go too.
        self.known = [(Family::Ip, None), (Family::Ip6, None)].into();
    }

    /// Has the tables mark exactly this.
    pub(super) fn apply(&mut self, wanted: &Elements, namespace: Option<&IpvsNamespace>) {
        let Some(settings) = self.settings.clone() else { return };
        self.listen();
        for family in [Family::Ip, Family::Ip6] {
            let maps = wanted.get(&family).cloned().unwrap_or_default();
            let table = Table { family, name: settings.table.clone() };
            let known = self.known.get(&family).cloned().flatten();
            if known.as_ref() == Some(&maps) {
                continue;
            }
            let mut done = false;
            if let Some(known) = known.filter(|known| known.keys().eq(maps.keys())) {
                let changes = difference(&table, &known, &maps);
                done = self.commit(&table, &changes, namespace).is_ok();
                if !done {
                    info!(
                        "nftables table {table} has been changed by somebody else - making it again"
                    );
                }
            }
            if !done {
                done = match self.commit(&table, &anew(&table, &settings, &maps), namespace) {
                    Ok(()) => true,
                    // Where there cannot be a table there is none.
                    Err(_) if maps.is_empty() => true,
                    Err(failure) => {
                        self.tell(family, failure);
                        false
                    }
                };
            }
            if done {
                self.told.remove(&family);
            }
            self.known.insert(family, done.then_some(maps));
        }
    }

    /// Removes the tables, as far as we have made any.
    pub(super) fn remove(&mut self, namespace: Option<&IpvsNamespace>) {
        self.apply(&Elements::new(), namespace);
    }

    /// Hears which tables somebody else has removed.
    fn listen(&mut self) {
        let Some((_, monitor)) = &mut self.socket else { return };
        let Some(settings) = &self.settings else { return };
        let mut heard = Vec::new();
        let outcome = monitor.drain(&mut heard);
        let is_certain = matches!(outcome, Ok(Drained::Empty));
        for (family, known) in &mut self.known {
            let mut removed = heard.iter();
            let is_removed =
                removed.any(|table| table.family == *family && table.name == settings.table);
            if is_removed || !is_certain {
                *known = known.take().filter(Maps::is_empty);
            }
        }
    }

    fn tell(&mut self, family: Family, failure: NetlinkError) {
        let text = failure.to_string();
        if self.told.get(&family) != Some(&text) {
            error!("{text}");
            self.told.insert(family, text);
        }
    }

    fn commit(
        &mut self,
        table: &Table,
        changes: &[Change],
        namespace: Option<&IpvsNamespace>,
    ) -> Result<(), NetlinkError> {
        let attempted = format!("change nftables table {table}");
        let open = || {
            let socket = Nftables::open()?;
            let monitor = TableMonitor::open(&socket)?;
            Ok((socket, monitor))
        };
        let (mut socket, monitor) = match self.socket.take() {
            Some(both) => both,
            None => within(namespace, open).map_err(|error| NetlinkError::Socket {
                attempted: attempted.clone(),
                errno: error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw),
            })??,
        };
        let outcome = socket.commit(changes, &attempted);
        self.socket = Some((socket, monitor));
        outcome
    }
}

/// What takes the maps of a table from what is there to what is wanted.
fn difference(table: &Table, known: &Maps, wanted: &Maps) -> Vec<Change> {
    let mut changes = Vec::new();
    let none = BTreeSet::new();
    for (map, after) in wanted {
        let before = known.get(map).unwrap_or(&none);
        let gone: Vec<Element> = before.difference(after).cloned().collect();
        let new: Vec<Element> = after.difference(before).cloned().collect();
        if !gone.is_empty() {
            changes.push(Change::RemoveElements(table.clone(), map, gone));
        }
        if !new.is_empty() {
            changes.push(Change::AddElements(table.clone(), map, new));
        }
    }
    changes
}

/// Replaces a table, or removes it where it is to have no maps.
fn anew(table: &Table, settings: &Settings, maps: &Maps) -> Vec<Change> {
    let mut changes = vec![Change::AddTable(table.clone()), Change::RemoveTable(table.clone())];
    if maps.is_empty() {
        return changes;
    }
    changes.push(Change::AddTable(table.clone()));
    changes.push(Change::AddChain {
        table: table.clone(),
        name: IN.to_owned(),
        hook: Some((Hook::Input, settings.priority)),
    });
    let key = match table.family {
        Family::Ip => KeyType::Ipv4AndPort,
        Family::Ip6 => KeyType::Ipv6AndPort,
    };
    let numbered = (1..).zip(MAPS);
    for (id, (map, protocol)) in numbered {
        let Some(elements) = maps.get(map) else { continue };
        let set = Set {
            id,
            value: Some(KeyType::Mark),
            is_ranged: true,
            counts: settings.counters,
            ..Set::of(map, key)
        };
        changes.push(Change::AddSet(table.clone(), set));
        changes.push(Change::AddElements(table.clone(), map, elements.iter().cloned().collect()));
        let rule = rule(table.family, map, protocol, settings.counters);
        changes.push(Change::AddRule { table: table.clone(), chain: IN.to_owned(), rule });
    }
    changes
}

/// Marks packets of a protocol by its map.
fn rule(family: Family, map: &str, protocol: u8, counters: bool) -> Vec<Expression> {
    let (destination, behind) = match family {
        Family::Ip => (V4_DESTINATION, Register::SecondWord),
        Family::Ip6 => (V6_DESTINATION, Register::Second),
    };
    let mut rule = vec![
        Expression::Meta(Meta::Layer4, Register::First),
        Expression::Equal(Register::First, vec![protocol]),
        Expression::Payload(destination, Register::First),
        Expression::Payload(DESTINATION_PORT, behind),
        Expression::MappedBy(Register::First, map.to_owned()),
        Expression::SetMark(Register::First),
    ];
    if counters {
        rule.push(Expression::Counter);
    }
    rule.push(Expression::Verdict(Verdict::Return));
    rule
}

#[cfg(test)]
mod tests;
