//! The firewall in iptables: rules in chains of the machine, and sets that they look addresses up in.
//!
//! With sets the rules stay, and only entries change. Without them every address has rules of its own.

pub(crate) mod programs;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use runtime::netlink::NetlinkError;
use runtime::netlink::ipset::{Entry, SetChange, SetKind};
use runtime::netlink::nftables::Family;
use serde::{Deserialize, Serialize};

use super::{Desired, Extent};
use rules::Shape;

/// How often a change is tried that fails.
const TRIES: usize = 3;
/// A set that takes the place of another one.
const STAND_IN: &str = "keepalived~";

/// What the configuration says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Chain for what comes in.
    pub input: String,
    /// Chain for what goes out.
    pub output: Option<String>,
    /// The sets; `None` for rules of their own.
    pub sets: Option<SetNames>,
}

/// Names of the sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SetNames {
    /// IPv4 addresses.
    pub address: String,
    /// IPv6 addresses.
    pub address6: String,
    /// IPv6 addresses of a link, with their interface.
    pub address_interface6: String,
    /// VMACs that may not say IGMP.
    pub igmp: String,
    /// VMACs that may not say MLD.
    pub mld: String,
    /// Addresses that VMACs may not say they have.
    pub vmac_nd: String,
}

impl SetNames {
    fn of(&self, family: Family) -> Vec<&String> {
        match family {
            Family::Ip => vec![&self.igmp, &self.address],
            Family::Ip6 => {
                vec![&self.mld, &self.vmac_nd, &self.address6, &self.address_interface6]
            }
        }
    }
}

/// Why something could not be done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A program did not do it.
    Program {
        /// Its name.
        name: &'static str,
        /// What it said.
        text: String,
    },
    /// A set could not be changed.
    Set(NetlinkError),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Program { name, text } => write!(f, "{name}: {text}"),
            Failure::Set(error) => error.fmt(f),
        }
    }
}

/// What changes rules and sets.
pub(crate) trait Tools {
    /// The rules of the table `filter`, as `iptables-save` lists them.
    fn list(&mut self, family: Family) -> Result<String, Failure>;
    /// Changes the table `filter` as `iptables-restore` does, all or nothing.
    fn change(&mut self, family: Family, script: &str) -> Result<(), Failure>;
    /// Changes sets.
    fn change_sets(&mut self, changes: &[SetChange]) -> Vec<Result<(), NetlinkError>>;
}

/// What one IP version has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    /// Rules, each with its chain, that come before all others.
    head: Vec<String>,
    /// Rules that come after all others.
    tail: Vec<String>,
    sets: BTreeMap<String, (SetKind, BTreeSet<Entry>)>,
}

impl Content {
    fn set(&mut self, name: &str, kind: SetKind, entries: impl Iterator<Item = Entry>) {
        self.sets.insert(name.to_owned(), (kind, entries.collect()));
    }

    fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    fn rules(&self) -> impl Iterator<Item = &String> {
        self.head.iter().chain(&self.tail)
    }
}

/// Rules and sets as far as we know them.
#[derive(Debug)]
pub(crate) struct Iptables {
    settings: Settings,
    /// All that could be there after a process that was killed.
    named: Desired,
    families: [KnownFamily; 2],
}

#[derive(Debug)]
struct KnownFamily {
    family: Family,
    shape: Shape,
    /// Whether sets that nothing needs any more are to go.
    is_to_shrink: bool,
    /// `None` where it must be looked up: before the first change, and after one that has failed.
    content: Option<Content>,
    /// The last failure that was told.
    told: Option<String>,
}

impl Iptables {
    /// One of which nothing is known. `named` is all that the configuration may ever keep away: rules for it that are
    /// there are ours.
    pub(crate) fn new(settings: Settings, named: Desired) -> Self {
        let known = |family| KnownFamily {
            family,
            shape: Shape::default(),
            is_to_shrink: false,
            content: None,
            told: None,
        };
        Self { settings, named, families: [known(Family::Ip), known(Family::Ip6)] }
    }

    /// What it is made by.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Keeps away what is `desired`. Nothing is called when all is as it should be. Returns what could not be done; it
    /// is tried again whenever this is called, but told only when the reason is new.
    pub(crate) fn apply(
        &mut self,
        desired: &Desired,
        extent: Extent,
        tools: &mut impl Tools,
    ) -> Vec<Failure> {
        let mut failures = Vec::new();
        for known in &mut self.families {
            let shrinks = extent == Extent::All && known.is_to_shrink;
            let shape = Shape::of(known.family, desired, &self.settings);
            let shape = if shrinks { shape } else { known.shape.or(shape) };
            let target = rules::content(known.family, desired, &self.settings, shape);
            let named = Shape::of(known.family, &self.named, &self.settings);
            let named = rules::content(known.family, &self.named, &self.settings, named);
            match known.apply(&target, &named, &self.settings, extent, tools) {
                Ok(()) => {
                    known.told = None;
                    if known.content.is_some() {
                        known.shape = shape;
                    }
                    known.is_to_shrink &= !shrinks;
                }
                Err(failure) => {
                    let text = failure.to_string();
                    if known.told.as_ref() != Some(&text) {
                        known.told = Some(text);
                        failures.push(failure);
                    }
                }
            }
        }
        failures
    }

    /// Has sets and their rules go that nothing needs, as soon as exactly what is desired is kept away: they may have been
    /// for what a reload has taken out of the configuration.
    pub(crate) fn shrink(&mut self) {
        for known in &mut self.families {
            known.is_to_shrink = true;
        }
    }

    /// Takes away all that is ours.
    pub(crate) fn remove(&mut self, tools: &mut impl Tools) -> Vec<Failure> {
        for known in &mut self.families {
            known.shape = Shape::default();
        }
        self.apply(&Desired::default(), Extent::All, tools)
    }
}

impl KnownFamily {
    fn apply(
        &mut self,
        target: &Content,
        named: &Content,
        settings: &Settings,
        extent: Extent,
        tools: &mut impl Tools,
    ) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            outcome = match self.content.take() {
                Some(mut content) => {
                    let outcome = self.adjust(&mut content, target, extent, tools);
                    if outcome.is_ok() {
                        self.content = Some(content);
                    }
                    outcome
                }
                // Whatever a killed process has left behind is gone soon enough.
                None if extent == Extent::Block && target.is_empty() => return Ok(()),
                None => self.make_anew(target, named, settings, tools).map(|()| {
                    self.content = Some(target.clone());
                }),
            };
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Takes what is there to `target`, or to both together.
    fn adjust(
        &self,
        content: &mut Content,
        target: &Content,
        extent: Extent,
        tools: &mut impl Tools,
    ) -> Result<(), Failure> {
        let mut changes = Vec::new();
        for (name, (kind, entries)) in &target.sets {
            if !content.sets.contains_key(name) {
                changes.push(SetChange::Create(name.clone(), *kind, self.family));
            }
            let there = content.sets.entry(name.clone()).or_insert((*kind, BTreeSet::new()));
            for entry in entries.difference(&there.1) {
                changes.push(SetChange::Add(name.clone(), entry.clone()));
            }
            there.1.extend(entries.iter().cloned());
        }
        change_sets(&changes, tools)?;
        let new = |there: &[String], wanted: &[String]| -> Vec<String> {
            wanted.iter().filter(|rule| !there.contains(rule)).cloned().collect()
        };
        let (head, tail) = (new(&content.head, &target.head), new(&content.tail, &target.tail));
        let mut surplus = Vec::new();
        if extent == Extent::All {
            surplus.extend(new(&target.head, &content.head));
            surplus.extend(new(&target.tail, &content.tail));
        }
        change_rules(self.family, &surplus, &head, &tail, tools)?;
        content.head.splice(0..0, head);
        content.tail.extend(tail);
        if extent == Extent::Block {
            return Ok(());
        }
        content.head.retain(|rule| !surplus.contains(rule));
        content.tail.retain(|rule| !surplus.contains(rule));
        let mut changes = Vec::new();
        for (name, (_, there)) in &mut content.sets {
            let Some((_, wanted)) = target.sets.get(name) else {
                changes.push(SetChange::Destroy(name.clone()));
                continue;
            };
            let gone = there.difference(wanted);
            changes.extend(gone.map(|entry| SetChange::Remove(name.clone(), entry.clone())));
            there.retain(|entry| wanted.contains(entry));
        }
        content.sets.retain(|name, _| target.sets.contains_key(name));
        change_sets(&changes, tools)
    }

    /// Makes everything as it should be whatever there is.
    fn make_anew(
        &self,
        target: &Content,
        named: &Content,
        settings: &Settings,
        tools: &mut impl Tools,
    ) -> Result<(), Failure> {
        let sets: Vec<&String> =
            settings.sets.iter().flat_map(|sets| sets.of(self.family)).collect();
        let listed = match tools.list(self.family) {
            Ok(listed) => listed,
            // Where nothing can be, nothing needs to be removed.
            Err(_) if target.is_empty() => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let ours = rules::ours(&listed, &sets, target.rules().chain(named.rules()));
        let mut changes = Vec::new();
        for (name, (kind, entries)) in &target.sets {
            let stand_in = STAND_IN.to_owned();
            changes.push(SetChange::Destroy(stand_in.clone()));
            changes.push(SetChange::Create(stand_in.clone(), *kind, self.family));
            let added = entries.iter().map(|entry| SetChange::Add(stand_in.clone(), entry.clone()));
            changes.extend(added);
            changes.push(SetChange::Create(name.clone(), *kind, self.family));
            changes.push(SetChange::Swap(stand_in.clone(), name.clone()));
            changes.push(SetChange::Destroy(stand_in));
        }
        change_sets(&changes, tools)?;
        change_rules(self.family, &ours, &target.head, &target.tail, tools)?;
        let unused = sets.into_iter().filter(|&name| !target.sets.contains_key(name));
        let unused: Vec<SetChange> = unused.cloned().map(SetChange::Destroy).collect();
        change_sets(&unused, tools)
    }
}

/// Changes sets; the first failure counts, as others follow from it.
fn change_sets(changes: &[SetChange], tools: &mut impl Tools) -> Result<(), Failure> {
    if changes.is_empty() {
        return Ok(());
    }
    let failure = tools.change_sets(changes).into_iter().find_map(Result::err);
    failure.map_or(Ok(()), |error| Err(Failure::Set(error)))
}

/// Removes rules, and puts others before and after all that there are.
fn change_rules(
    family: Family,
    gone: &[String],
    head: &[String],
    tail: &[String],
    tools: &mut impl Tools,
) -> Result<(), Failure> {
    if gone.is_empty() && head.is_empty() && tail.is_empty() {
        return Ok(());
    }
    let line = |verb: &'static str| move |rule: &String| format!("{verb} {rule}\n");
    let script: String = std::iter::once("*filter\n".to_owned())
        .chain(gone.iter().map(line("-D")))
        .chain(head.iter().rev().map(line("-I")))
        .chain(tail.iter().map(line("-A")))
        .chain(["COMMIT\n".to_owned()])
        .collect();
    tools.change(family, &script)
}

#[cfg(test)]
mod tests;
