//! The firewall in nftables: a table for each IP version, made anew in one transaction where its rules change, and
//! otherwise changed in its sets alone.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use log::info;
use nix::errno::Errno;
use runtime::netlink::NetlinkError;
use runtime::netlink::nftables::{Change, Element, Family, Table, interface_name};
use serde::{Deserialize, Serialize};

use super::{Blocked, Desired, Extent, Link, Vmac};

/// What the configuration says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Name of the tables.
    pub table: String,
    /// Priority of the base chains.
    pub priority: i32,
    /// Whether interfaces are matched by number only.
    pub ifindex: bool,
    /// Whether rules count.
    pub counters: bool,
}

/// Which rules a table has. They stay when there is nothing more to match, until a reload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape {
    /// Those that keep traffic from addresses.
    addresses: bool,
    /// Those for IPv6 addresses of a link, by the number of its interface.
    links_by_index: bool,
    /// Those for IPv6 addresses of a link, by the name of its interface.
    links_by_name: bool,
    /// Those for VMACs.
    vmacs: bool,
}

impl Shape {
    fn or(self, other: Self) -> Self {
        Self {
            addresses: self.addresses || other.addresses,
            links_by_index: self.links_by_index || other.links_by_index,
            links_by_name: self.links_by_name || other.links_by_name,
            vmacs: self.vmacs || other.vmacs,
        }
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

type Elements = BTreeMap<&'static str, BTreeSet<Element>>;

/// The tables as far as we know them.
#[derive(Debug)]
pub(crate) struct Nftables {
    settings: Settings,
    tables: [KnownTable; 2],
}

#[derive(Debug)]
struct KnownTable {
    table: Table,
    /// Whether what follows is what there is. It is not before the first transaction, as another process may have left
    /// something behind, and not after a transaction has failed.
    is_certain: bool,
    shape: Shape,
    elements: Elements,
    /// Whether rules that match nothing are to go.
    is_to_shrink: bool,
    /// The last failure that was told.
    told: Option<Option<Errno>>,
}

impl Nftables {
    /// Tables of which nothing is known.
    pub(crate) fn new(settings: Settings) -> Self {
        let known = |family| KnownTable {
            table: Table { family, name: settings.table.clone() },
            is_certain: false,
            shape: Shape::default(),
            elements: Elements::new(),
            is_to_shrink: false,
            told: None,
        };
        let tables = [known(Family::Ip), known(Family::Ip6)];
        Self { settings, tables }
    }

    /// What they are made by.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Has the kernel keep away what is `desired`. `commit` makes a transaction; it is not called when all is as it
    /// should be. Returns what could not be done; it is tried again whenever this is called, but told only when the
    /// reason is new.
    pub(crate) fn apply(
        &mut self,
        desired: &Desired,
        extent: Extent,
        mut commit: impl FnMut(&[Change], &str) -> Result<(), NetlinkError>,
    ) -> Vec<NetlinkError> {
        let settings = &self.settings;
        let failures = self.tables.iter_mut().filter_map(|table| {
            let (shape, elements) = wanted(table.table.family, desired, settings);
            table.apply(settings, shape, elements, extent, &mut commit)
        });
        failures.collect()
    }

    /// Has rules go that match nothing, as soon as exactly what is desired is kept away: they may have been for what a
    /// reload has taken out of the configuration.
    pub(crate) fn shrink(&mut self) {
        for table in &mut self.tables {
            table.is_to_shrink = true;
        }
    }

    /// Removes the tables.
    pub(crate) fn remove(
        &mut self,
        mut commit: impl FnMut(&[Change], &str) -> Result<(), NetlinkError>,
    ) -> Vec<NetlinkError> {
        for table in &mut self.tables {
            // Somebody may have changed something in the meantime; whatever there is goes.
            table.is_certain &= table.shape.is_empty();
            table.shape = Shape::default();
            table.elements.clear();
        }
        self.apply(&Desired::default(), Extent::All, &mut commit)
    }

    /// Somebody else has removed a table. Says whether there should be one, and it is to be made again.
    pub(crate) fn lost(&mut self, family: Family, name: &str) -> bool {
        let mut tables = self.tables.iter_mut();
        let found = tables.find(|known| known.table.family == family && known.table.name == name);
        let Some(known) = found.filter(|known| known.is_certain && !known.shape.is_empty()) else {
            return false;
        };
        known.is_certain = false;
        true
    }
}

impl KnownTable {
    fn apply(
        &mut self,
        settings: &Settings,
        shape: Shape,
        mut elements: Elements,
        extent: Extent,
        commit: &mut impl FnMut(&[Change], &str) -> Result<(), NetlinkError>,
    ) -> Option<NetlinkError> {
        let shrinks = extent == Extent::All && std::mem::take(&mut self.is_to_shrink);
        let shape = if self.is_certain && !shrinks { shape.or(self.shape) } else { shape };
        if extent == Extent::Block {
            if !self.is_certain && shape.is_empty() {
                return None;
            }
            for (set, there) in &self.elements {
                elements.entry(*set).or_default().extend(there.iter().cloned());
            }
        }
        let attempted = format!("change nftables table {}", self.table);
        let mut outcome = Ok(());
        if self.is_certain && shape == self.shape {
            let changes = self.difference(&elements);
            if !changes.is_empty() {
                outcome = commit(&changes, &attempted);
                self.is_certain = outcome.is_ok();
            }
        } else {
            self.is_certain = false;
        }
        if !self.is_certain {
            if let Err(error) = outcome {
                // Somebody has taken away what we know, and may have done so before.
                info!("{error} - making it again");
            }
            outcome = commit(&self.anew(settings, shape, &elements), &attempted);
            self.is_certain = outcome.is_ok();
        }
        match outcome {
            Ok(()) => {
                self.shape = shape;
                self.elements = elements;
                self.told = None;
                None
            }
            // Where there cannot be one there is none.
            Err(_) if shape.is_empty() => {
                self.is_certain = true;
                None
            }
            Err(error) => {
                let reason = Some(error.errno());
                let is_new = self.told != reason;
                self.told = reason;
                is_new.then_some(error)
            }
        }
    }

    /// What takes the sets from what is there to `elements`.
    fn difference(&self, elements: &Elements) -> Vec<Change> {
        let empty = BTreeSet::new();
        let sets: BTreeSet<&'static str> =
            self.elements.keys().chain(elements.keys()).copied().collect();
        let mut changes = Vec::new();
        for set in sets {
            let before = self.elements.get(set).unwrap_or(&empty);
            let after = elements.get(set).unwrap_or(&empty);
            let gone: Vec<Element> = before.difference(after).cloned().collect();
            let new: Vec<Element> = after.difference(before).cloned().collect();
            if !gone.is_empty() {
                changes.push(Change::RemoveElements(self.table.clone(), set, gone));
            }
            if !new.is_empty() {
                changes.push(Change::AddElements(self.table.clone(), set, new));
            }
        }
        changes
    }

    /// Replaces the table, or removes it where it is to have no rules.
    fn anew(&self, settings: &Settings, shape: Shape, elements: &Elements) -> Vec<Change> {
        let table = &self.table;
        let mut changes = vec![Change::AddTable(table.clone()), Change::RemoveTable(table.clone())];
        if !shape.is_empty() {
            changes.push(Change::AddTable(table.clone()));
            changes.extend(rules::rules(table, settings, shape, elements));
        }
        changes
    }
}

/// What a table should be like.
fn wanted(family: Family, desired: &Desired, settings: &Settings) -> (Shape, Elements) {
    let (mut shape, mut elements) = (Shape::default(), Elements::new());
    let mut put = |set, key: Vec<u8>, value: Option<Vec<u8>>| {
        elements.entry(set).or_default().insert(Element { key, end: None, value });
    };
    for blocked in &desired.blocked {
        match (family, blocked) {
            (Family::Ip, Blocked::Anywhere(std::net::IpAddr::V4(address))) => {
                put(rules::VIPS, address.octets().into(), None);
            }
            (Family::Ip6, Blocked::Anywhere(std::net::IpAddr::V6(address))) => {
                put(rules::VIPS, address.octets().into(), None);
            }
            (Family::Ip6, Blocked::OnLink(address, link)) => {
                let by_name = link.may_vanish && !settings.ifindex;
                let set = if by_name { rules::VIPS_BY_NAME } else { rules::VIPS_BY_INDEX };
                shape.links_by_name |= by_name;
                shape.links_by_index |= !by_name;
                put(set, [&address.octets()[..], &on(link, by_name)].concat(), None);
            }
            _ => continue,
        }
        shape.addresses = true;
    }
    for vmac in &desired.vmacs {
        let Vmac { index, parent, name, .. } = vmac;
        let concerned = match family {
            Family::Ip => vmac.ipv4,
            Family::Ip6 => vmac.ipv6,
        };
        if !concerned {
            continue;
        }
        shape.vmacs = true;
        let number = index.0.to_ne_bytes().to_vec();
        put(rules::VMAC_MAP, number.clone(), Some(parent.0.to_ne_bytes().into()));
        if family == Family::Ip6 {
            put(rules::VMAC_SET, number.clone(), None);
            if let Some(link_local) = vmac.link_local {
                let on = if settings.ifindex { number } else { interface_name(name).into() };
                put(rules::PARENT_LINK_LOCAL, [&link_local.octets()[..], &on].concat(), None);
            }
        }
    }
    (shape, elements)
}

fn on(link: &Link, by_name: bool) -> Vec<u8> {
    if by_name { interface_name(&link.name).into() } else { link.index.0.to_ne_bytes().into() }
}

#[cfg(test)]
mod tests;
