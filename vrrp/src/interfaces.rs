//! The machine's interfaces as they are now, and which source address each has for adverts.
//!
//! The engine feeds it with what the kernel tells and acts on the [`Change`]s that come out. It does no I/O, and what it
//! says depends on the kernel's truth alone: after a loss of messages it is compared with a fresh snapshot.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use runtime::machine::{Address, AddressKey, IfIndex, Link, Machine};
use runtime::netlink::Event;

use crate::packet::Family;

/// An address with its prefix length, wherever it is.
pub(crate) type Prefixed = (IpAddr, u8);

/// Something about an interface is new. What it is now, [`Interfaces`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// An interface is there, or is found under a new name.
    Appeared(IfIndex),
    /// No interface has this name any more.
    Vanished {
        /// Its number.
        index: IfIndex,
        /// The name.
        name: String,
    },
    /// It is up now.
    Up(IfIndex),
    /// It is down now.
    Down(IfIndex),
    /// Adverts of this family have another source address now, or none.
    Source(IfIndex, Family),
    /// It has another hardware address.
    Hardware(IfIndex),
    /// It has another largest packet.
    Mtu(IfIndex),
    /// It belongs to another bridge, bond or VRF.
    Master(IfIndex),
}

/// An interface with its addresses.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    link: Link,
    addresses: Vec<Address>,
    /// Addresses that adverts may come from; the first is used, the others are spares.
    sources4: Vec<AddressKey>,
    sources6: Vec<AddressKey>,
}

impl Interface {
    fn new(link: Link) -> Self {
        Self { link, addresses: Vec::new(), sources4: Vec::new(), sources6: Vec::new() }
    }

    /// The interface itself.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Its addresses, in the order in which they were seen.
    pub(crate) fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The address that adverts come from: the first IPv4 address that is no virtual one, or the first such IPv6
    /// address of the link.
    pub(crate) fn source(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.sources4.first().map(|key| key.local),
            Family::V6 => self.sources6.first().map(|key| key.local),
        }
    }

    /// The addresses that adverts may come from, those in use first.
    pub(crate) fn usable_sources(&self) -> impl Iterator<Item = IpAddr> {
        self.sources4.iter().chain(&self.sources6).map(|key| key.local)
    }

    fn sources(&mut self, family: Family) -> &mut Vec<AddressKey> {
        match family {
            Family::V4 => &mut self.sources4,
            Family::V6 => &mut self.sources6,
        }
    }

    /// Makes `key` a source or takes it out, and says so when that changes the one in use.
    fn set_source(&mut self, key: AddressKey, usable: bool, out: &mut Vec<Change>) {
        let family = Family::of(key.local);
        let before = self.source(family);
        let sources = self.sources(family);
        match (sources.iter().position(|&source| source == key), usable) {
            (None, true) => sources.push(key),
            // The last spare takes the place of the one in use, as users of the original know it.
            (Some(0), false) => drop(sources.swap_remove(0)),
            (Some(place), false) => drop(sources.remove(place)),
            (None, false) | (Some(_), true) => {}
        }
        if self.source(family) != before {
            out.push(Change::Source(self.link.index, family));
        }
    }
}

/// All interfaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interfaces {
    all: BTreeMap<IfIndex, Interface>,
    names: HashMap<String, IfIndex>,
    virtuals: HashSet<Prefixed>,
}

impl Interfaces {
    /// The interfaces of a snapshot. Adverts never come from one of `virtuals`, the addresses that move around.
    pub(crate) fn new(machine: &Machine, virtuals: HashSet<Prefixed>) -> Self {
        let mut interfaces = Self { virtuals, ..Self::default() };
        interfaces.resync(machine, &mut Vec::new());
        interfaces
    }

    /// The interface of this number.
    pub(crate) fn get(&self, index: IfIndex) -> Option<&Interface> {
        self.all.get(&index)
    }

    /// The interface of this name.
    pub(crate) fn by_name(&self, name: &str) -> Option<&Interface> {
        self.get(*self.names.get(name)?)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.all.values()
    }

    /// Whether the machine has this address, on any interface, and may use it.
    pub(crate) fn has(&self, local: IpAddr) -> bool {
        let mut addresses = self.all.values().flat_map(|interface| &interface.addresses);
        addresses.any(|address| address.local == local && !address.is_tentative())
    }

    /// Whether packets can pass. An interface that is not there is not up.
    pub(crate) fn is_up(&self, index: IfIndex) -> bool {
        self.get(index).is_some_and(|interface| interface.link.is_up())
    }

    /// The interface that a macvlan or ipvlan stands on; another one stands on itself.
    pub(crate) fn base(&self, index: IfIndex) -> IfIndex {
        let Some(Link { kind, parent, .. }) = self.get(index).map(Interface::link) else {
            return index;
        };
        match kind.as_str() {
            "macvlan" | "macvtap" | "ipvlan" => parent.unwrap_or(index),
            _ => index,
        }
    }

    /// The VRF that an interface belongs to.
    pub(crate) fn vrf(&self, index: IfIndex) -> Option<&Interface> {
        let master = self.get(index)?.link.master?;
        self.get(master).filter(|interface| interface.link.is_vrf())
    }

    /// Takes in what the kernel has told, and appends what is new to `out`. [`Event::Overrun`] asks for
    /// [`Interfaces::resync`] and changes nothing here.
    pub(crate) fn on_event(&mut self, event: &Event, out: &mut Vec<Change>) {
        match event {
            Event::LinkChanged(link) => self.link_changed(link, out),
            Event::LinkGone { index, .. } => self.link_gone(*index, out),
            Event::AddressAdded(address) => self.address_added(address, out),
            Event::AddressRemoved(address) => self.address_removed(address.key(), out),
            Event::RouteAdded(_)
            | Event::RouteRemoved(_)
            | Event::RuleAdded(_)
            | Event::RuleRemoved(_)
            | Event::Overrun => {}
        }
    }

    /// Takes in a fresh snapshot, and appends what is new to `out`.
    pub(crate) fn resync(&mut self, machine: &Machine, out: &mut Vec<Change>) {
        let gone = self.all.keys().copied().filter(|&index| machine.by_index(index).is_none());
        for index in gone.collect::<Vec<_>>() {
            self.link_gone(index, out);
        }
        for link in &machine.links {
            self.link_changed(link, out);
        }
        let there: HashSet<AddressKey> = machine.addresses.iter().map(Address::key).collect();
        let known = self.all.values().flat_map(|interface| &interface.addresses);
        let gone = known.map(Address::key).filter(|key| !there.contains(key));
        for key in gone.collect::<Vec<_>>() {
            self.address_removed(key, out);
        }
        for address in &machine.addresses {
            self.address_added(address, out);
        }
    }

    /// A reload gave other virtual addresses.
    pub(crate) fn set_virtuals(&mut self, virtuals: HashSet<Prefixed>, out: &mut Vec<Change>) {
        self.virtuals = virtuals;
        for interface in self.all.values_mut() {
            for address in interface.addresses.clone() {
                let usable = may_be_source(&address, &self.virtuals);
                interface.set_source(address.key(), usable, out);
            }
        }
    }

    fn link_changed(&mut self, link: &Link, out: &mut Vec<Change>) {
        let index = link.index;
        let Some(known) = self.all.get_mut(&index) else {
            self.names.insert(link.name.clone(), index);
            self.all.insert(index, Interface::new(link.clone()));
            out.push(Change::Appeared(index));
            return;
        };
        let before = std::mem::replace(&mut known.link, link.clone());
        if before.name != link.name {
            forget_name(&mut self.names, &before.name, index);
            self.names.insert(link.name.clone(), index);
            out.push(Change::Vanished { index, name: before.name.clone() });
            out.push(Change::Appeared(index));
        }
        if before.is_up() != link.is_up() {
            out.push(if link.is_up() { Change::Up(index) } else { Change::Down(index) });
        }
        if (&before.mac, &before.broadcast) != (&link.mac, &link.broadcast) {
            out.push(Change::Hardware(index));
        }
        if before.mtu != link.mtu {
            out.push(Change::Mtu(index));
        }
        if before.master != link.master {
            out.push(Change::Master(index));
        }
    }

    fn link_gone(&mut self, index: IfIndex, out: &mut Vec<Change>) {
        if let Some(gone) = self.all.remove(&index) {
            forget_name(&mut self.names, &gone.link.name, index);
            out.push(Change::Vanished { index, name: gone.link.name });
        }
    }

    fn address_added(&mut self, address: &Address, out: &mut Vec<Change>) {
        let Some(interface) = self.all.get_mut(&address.interface) else { return };
        let key = address.key();
        match interface.addresses.iter_mut().find(|known| known.key() == key) {
            Some(known) => known.clone_from(address),
            None => interface.addresses.push(address.clone()),
        }
        interface.set_source(key, may_be_source(address, &self.virtuals), out);
    }

    fn address_removed(&mut self, key: AddressKey, out: &mut Vec<Change>) {
        let Some(interface) = self.all.get_mut(&key.interface) else { return };
        interface.addresses.retain(|known| known.key() != key);
        interface.set_source(key, false, out);
    }
}

/// Another interface may have taken the name already.
fn forget_name(names: &mut HashMap<String, IfIndex>, name: &str, index: IfIndex) {
    if names.get(name) == Some(&index) {
        names.remove(name);
    }
}

fn may_be_source(address: &Address, virtuals: &HashSet<Prefixed>) -> bool {
    let family_allows = match address.local {
        IpAddr::V4(_) => true,
        IpAddr::V6(local) => local.is_unicast_link_local(),
    };
    family_allows
        && !address.is_tentative()
        && !virtuals.contains(&(address.local, address.prefix_len))
}

#[cfg(test)]
mod tests;
