//! The addresses of the ledger.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use nix::errno::Errno;
use runtime::machine::{Address, AddressFlags, AddressKey, IfIndex, Machine};
use runtime::netlink::{NetlinkError, Request};

use crate::config;

/// All addresses that are ours, whether they are there or not.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    entries: BTreeMap<AddressKey, Entry>,
    /// Counts the entries, so that they know their order.
    serial: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    /// As it was asked for, or found.
    address: Address,
    presence: Presence,
    wanted: bool,
    /// So many disappearances that we know of are still to be told by the kernel.
    echoes: u32,
    serial: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Present,
    /// Somebody else has taken it away, and nobody has been told yet.
    Lost,
    Absent,
    /// Somebody else has taken it away, and is left to have it so.
    GivenUp,
    /// The kernel did not take it.
    Refused(Option<Errno>),
}

impl Addresses {
    /// What to ask for so that exactly `desired` is there.
    pub(super) fn plan(&mut self, desired: &[Address]) -> Vec<Request> {
        let mut wanted: HashMap<AddressKey, &Address> = HashMap::with_capacity(desired.len());
        let mut missing = Vec::new();
        for address in desired {
            if wanted.insert(address.key(), address).is_none() && !self.is_as(address) {
                missing.push(address);
            }
        }
        for (key, entry) in &mut self.entries {
            entry.wanted = wanted.contains_key(key);
        }
        // What is neither there nor wanted is no business of ours.
        self.entries.retain(|_, entry| entry.wanted || entry.is_present() || entry.echoes > 0);

        let replaced: HashSet<AddressKey> = missing.iter().map(|address| address.key()).collect();
        let in_the_way: HashSet<(IfIndex, IpAddr)> = missing
            .iter()
            .filter(|address| address.local.is_ipv6())
            .map(|address| (address.interface, address.local))
            .collect();
        // The last one comes first: removing the primary address of a subnet takes the others along.
        let mut surplus: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|(key, entry)| entry.is_present() && (!entry.wanted || replaced.contains(*key)))
            .map(|(_, entry)| entry)
            .collect();
        surplus.sort_by_key(|entry| std::cmp::Reverse(entry.serial));
        // Add before delete, so that an address that moves is always somewhere. What is in the way of an addition goes
        // before it: the same address with other options, in IPv6 with another prefix length, and in IPv4 one that may
        // be the primary address of the new one's subnet.
        let subnets: HashSet<_> = missing.iter().filter_map(|address| subnet(address)).collect();
        let (before, after): (Vec<&Entry>, Vec<&Entry>) = surplus.iter().partition(|entry| {
            let Address { interface, local, .. } = entry.address;
            entry.wanted
                || in_the_way.contains(&(interface, local))
                || subnet(&entry.address).is_some_and(|subnet| subnets.contains(&subnet))
        });
        let remove = |entry: &&Entry| Request::RemoveAddress(entry.address.clone());
        let mut requests: Vec<Request> = before.iter().map(remove).collect();
        requests.extend(missing.iter().map(|&address| Request::AddAddress(address.clone())));
        requests.extend(after.iter().map(remove));
        requests.extend(self.swept_away(&surplus, &replaced));
        requests
    }

    /// The wanted addresses that the kernel may remove together with a primary one. It says that they exist if it has
    /// not done so.
    fn swept_away<'a>(
        &'a self,
        removed: &[&Entry],
        added: &'a HashSet<AddressKey>,
    ) -> impl Iterator<Item = Request> + 'a {
        let subnets: HashSet<_> =
            removed.iter().filter_map(|entry| subnet(&entry.address)).collect();
        let kept = self.entries.values().filter(|entry| entry.wanted && entry.is_present());
        let mut kept: Vec<&Entry> = kept
            .filter(|entry| subnet(&entry.address).is_some_and(|found| subnets.contains(&found)))
            .filter(|entry| !added.contains(&entry.address.key()))
            .collect();
        kept.sort_by_key(|entry| entry.serial);
        kept.into_iter().map(|entry| Request::AddAddress(entry.address.clone()))
    }

    /// The outcome of an addition. Returns what is worth telling.
    pub(super) fn added(
        &mut self,
        address: Address,
        outcome: Result<(), NetlinkError>,
    ) -> Option<NetlinkError> {
        self.serial += 1;
        let fresh = Entry {
            address: address.clone(),
            presence: Presence::Absent,
            wanted: true,
            echoes: 0,
            serial: self.serial,
        };
        let entry = self.entries.entry(address.key()).or_insert(fresh);
        entry.address = address;
        let Err(error) = outcome else {
            // It was thought to be there, and was not.
            entry.echoes += u32::from(entry.is_present());
            entry.presence = Presence::Present;
            return None;
        };
        match &error {
            NetlinkError::Refused { errno: Errno::EEXIST, .. } => {
                entry.presence = Presence::Present;
                None
            }
            // It may be there, and then it must go with the others.
            NetlinkError::Unanswered { .. } => {
                entry.presence = Presence::Present;
                Some(error)
            }
            NetlinkError::Refused { .. } | NetlinkError::Socket { .. } => {
                let refused = Presence::Refused(error.errno());
                let told = entry.presence == refused;
                entry.presence = refused;
                (!told).then_some(error)
            }
        }
    }

    /// The outcome of a removal. Returns what is worth telling.
    pub(super) fn removed(
        &mut self,
        address: &Address,
        outcome: Result<(), NetlinkError>,
    ) -> Option<NetlinkError> {
        let entry = self.entries.get_mut(&address.key())?;
        match outcome {
            // It, its interface, or IPv6 on its interface is gone already: whoever took it, the kernel will tell of it.
            Ok(())
            | Err(NetlinkError::Refused {
                errno: Errno::EADDRNOTAVAIL | Errno::ENODEV | Errno::ENXIO,
                ..
            }) => {
                entry.presence = Presence::Absent;
                entry.echoes += 1;
                None
            }
            Err(error) => Some(error),
        }
    }

    /// The kernel says that an address is there.
    pub(super) fn appeared(&mut self, key: AddressKey) {
        if let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.wanted) {
            entry.presence = Presence::Present;
        }
    }

    /// The kernel says that an address is gone.
    pub(super) fn vanished(&mut self, key: AddressKey) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        if entry.echoes > 0 {
            entry.echoes -= 1;
        } else if entry.is_present() {
            entry.take_away();
        }
        self.forget_if_done(key);
    }

    /// An interface is gone, and with it all that was on it. Nobody took it away from us: the interface is missed.
    pub(super) fn interface_gone(&mut self, index: IfIndex) {
        self.entries.retain(|key, _| key.interface != index);
    }

    pub(super) fn take_lost(&mut self) -> Vec<Address> {
        let lost = self.entries.values_mut().filter(|entry| entry.presence == Presence::Lost);
        lost.map(|entry| {
            entry.presence = Presence::Absent;
            entry.address.clone()
        })
        .collect()
    }

    pub(super) fn give_up(&mut self, key: AddressKey) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.presence = Presence::GivenUp;
        }
    }

    pub(super) fn resync(&mut self, machine: &Machine) {
        let there: HashSet<AddressKey> = machine.addresses.iter().map(Address::key).collect();
        for (key, entry) in &mut self.entries {
            entry.echoes = 0;
            match (there.contains(key), entry.is_present()) {
                (true, false) if entry.wanted => entry.presence = Presence::Present,
                (false, true) => entry.take_away(),
                (true, _) | (false, false) => {}
            }
        }
        self.entries.retain(|_, entry| entry.wanted || entry.is_present());
    }

    pub(super) fn adopt(&mut self, machine: &Machine, named: &[Address]) {
        let there: HashMap<AddressKey, &Address> =
            machine.addresses.iter().map(|address| (address.key(), address)).collect();
        for key in named.iter().map(Address::key) {
            let Some(&found) = there.get(&key) else { continue };
            let mut address = found.clone();
            // The kernel's label for addresses without one.
            let name = machine.by_index(key.interface).map(|link| link.name.as_str());
            if address.label.as_deref() == name {
                address.label = None;
            }
            self.serial += 1;
            let serial = self.serial;
            self.entries.entry(key).or_insert(Entry {
                address,
                presence: Presence::Present,
                wanted: false,
                echoes: 0,
                serial,
            });
        }
    }

    pub(super) fn holds(&self, key: AddressKey) -> bool {
        self.entries.get(&key).is_some_and(|entry| entry.wanted && entry.is_present())
    }

    /// Whether nothing is to do for `wanted` to be there in every respect.
    fn is_as(&self, wanted: &Address) -> bool {
        let entry = self.entries.get(&wanted.key());
        entry.is_some_and(|entry| match entry.presence {
            Presence::Present => is_same(&entry.address, wanted),
            Presence::GivenUp => true,
            Presence::Lost | Presence::Absent | Presence::Refused(_) => false,
        })
    }

    fn forget_if_done(&mut self, key: AddressKey) {
        let done = |entry: &Entry| !entry.wanted && !entry.is_present() && entry.echoes == 0;
        if self.entries.get(&key).is_some_and(done) {
            self.entries.remove(&key);
        }
    }
}

impl Entry {
    fn is_present(&self) -> bool {
        self.presence == Presence::Present
    }

    /// Somebody else has removed it.
    fn take_away(&mut self) {
        self.presence = if self.wanted { Presence::Lost } else { Presence::Absent };
    }
}

/// Whether two addresses with the same key were asked for in the same way. What the kernel adds of its own does not
/// count, nor does the mark, which old kernels do not keep.
fn is_same(one: &Address, other: &Address) -> bool {
    let options = AddressFlags::HOME
        .with(AddressFlags::MANAGE_TEMPORARY)
        .with(AddressFlags::NO_PREFIX_ROUTE)
        .with(AddressFlags::AUTOJOIN);
    let flags = |address: &Address| address.flags.common(options);
    let ipv4 = one.local.is_ipv4();
    one.peer == other.peer
        && one.broadcast == other.broadcast
        && one.label == other.label
        && flags(one) == flags(other)
        && (!ipv4 || one.scope == other.scope)
        // A finite lifetime runs down.
        && one.preferred.is_some() == other.preferred.is_some()
}

/// The IPv4 subnet that an address is in, in the kernel's sense.
fn subnet(address: &Address) -> Option<(IfIndex, u32, u8)> {
    let network = match address.peer.unwrap_or(address.local) {
        IpAddr::V4(network) => network,
        IpAddr::V6(_) => return None,
    };
    let host_bits = 32u32.checked_sub(u32::from(address.prefix_len))?;
    let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
    Some((address.interface, u32::from(network) & mask, address.prefix_len))
}

/// A configured address as it is to be put on `interface`.
pub(super) fn on_interface(
    configured: &config::Address,
    interface: IfIndex,
    protocol: u8,
) -> Address {
    Address {
        interface,
        local: configured.address,
        prefix_len: configured.prefix_len,
        peer: configured.peer,
        broadcast: configured.broadcast,
        scope: configured.scope,
        label: configured.label.clone(),
        flags: configured.flags,
        preferred: configured.preferred_lifetime.filter(|_| configured.address.is_ipv6()),
        protocol,
    }
}
