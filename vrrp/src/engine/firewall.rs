//! Keeping traffic away from virtual addresses and interfaces: which firewall is used, and when it is changed.
//!
//! What is to be kept away is before it is there, and is until it is gone.

use std::net::{IpAddr, Ipv6Addr};

use log::info;
use runtime::global;
use runtime::netlink::NetlinkError;
use runtime::netlink::nftables::{self, Nftables};

use super::Engine;
use super::instance::Instance;
use crate::config;
use crate::kernel::firewall::nftables::{Extent, Settings};
use crate::kernel::firewall::{Blocked, Desired, Link, Vmac, nftables as tables};
use crate::packet::Family;

/// The table where the configuration names none.
const DEFAULT_TABLE: &str = "keepalived";
/// Just before the filters of the machine.
const DEFAULT_PRIORITY: i32 = -1;

/// The firewall that is used.
#[derive(Debug, Default)]
pub(super) enum Firewall {
    /// None: nothing needs one.
    #[default]
    Unused,
    /// nftables.
    Nftables {
        /// What we know of it.
        tables: Box<tables::Nftables>,
        /// `None` where the kernel cannot be asked.
        client: Option<Nftables>,
    },
}

impl Firewall {
    /// One of which nothing is known.
    fn nftables(settings: Settings) -> Self {
        let client = match Nftables::open() {
            Ok(client) => Some(client),
            Err(error) => {
                log_failure(&error);
                None
            }
        };
        Self::Nftables { tables: Box::new(tables::Nftables::new(settings)), client }
    }

    fn apply(&mut self, desired: &Desired, extent: Extent) {
        if let Self::Nftables { tables, client: Some(client) } = self {
            let commit = |changes: &[_], what: &str| client.commit(changes, what);
            tables.apply(desired, extent, commit).iter().for_each(log_failure);
        }
    }

    /// Takes all of it away.
    fn remove(&mut self) {
        if let Self::Nftables { tables, client: Some(client) } = self {
            let commit = |changes: &[_], what: &str| client.commit(changes, what);
            tables.remove(commit).iter().for_each(log_failure);
        }
        *self = Self::Unused;
    }
}

fn log_failure(error: &NetlinkError) {
    if nftables::is_unsupported(error) {
        info!("{error} - the kernel does not support what is needed of nftables, going on without");
    } else {
        info!("{error}");
    }
}

impl Engine {
    /// Goes on with the firewall that the configuration wants.
    pub(super) fn choose_firewall(&mut self) {
        let needed = self.config.instances.iter().any(needs_firewall);
        let configured = &mut self.global.firewall;
        if needed && configured.nftables.is_none() && configured.iptables.is_none() {
            info!(
                "use_vmac or no_accept/strict specified, but no firewall configured - using nftables"
            );
            configured.nftables = Some(global::Nftables {
                table: DEFAULT_TABLE.to_owned(),
                priority: DEFAULT_PRIORITY,
                ifindex: false,
            });
        }
        let Some(nftables) = &configured.nftables else {
            self.firewall.remove();
            return;
        };
        let settings = Settings {
            table: nftables.table.clone(),
            priority: nftables.priority,
            ifindex: nftables.ifindex,
            counters: configured.counters,
        };
        let same = matches!(&self.firewall,
            Firewall::Nftables { tables, .. } if *tables.settings() == settings);
        if !same {
            self.replace_firewall(Firewall::nftables(settings));
        }
    }

    /// The new one takes over before the old one goes, unless it takes the place of that.
    fn replace_firewall(&mut self, new: Firewall) {
        let mut old = std::mem::replace(&mut self.firewall, new);
        let place = |firewall: &Firewall| match firewall {
            Firewall::Nftables { tables, .. } => Some(tables.settings().table.clone()),
            Firewall::Unused => None,
        };
        self.block();
        if place(&old).is_some_and(|table| Some(table) != place(&self.firewall)) {
            old.remove();
        }
        self.dirty = true;
    }

    /// Has all that is to be kept away be kept away.
    pub(super) fn block(&mut self) {
        if !matches!(self.firewall, Firewall::Unused) {
            let desired = self.kept_away();
            self.firewall.apply(&desired, Extent::Block);
        }
    }

    /// Has nothing else be kept away.
    pub(super) fn unblock(&mut self) {
        if !matches!(self.firewall, Firewall::Unused) {
            let desired = self.kept_away();
            self.firewall.apply(&desired, Extent::All);
        }
    }

    /// Takes everything away that we have put into the firewall.
    pub(super) fn remove_firewall(&mut self) {
        self.firewall.remove();
    }

    fn kept_away(&self) -> Desired {
        let closed = self.instances.iter().filter(|one| one.holds && !one.config.accept);
        let blocked = closed.flat_map(|instance| {
            let addresses = instance.config.all_addresses();
            addresses.filter_map(|address| self.blocked(address, instance))
        });
        Desired { blocked: blocked.collect(), vmacs: self.vmacs().collect() }
    }

    fn blocked(&self, address: &config::Address, owner: &Instance) -> Option<Blocked> {
        let IpAddr::V6(local) = address.address else {
            return Some(Blocked::Anywhere(address.address));
        };
        if !local.is_unicast_link_local() {
            return Some(Blocked::Anywhere(address.address));
        }
        let index = self.place(address, Some(owner))?.interface;
        let at_home = owner.interface == Some(index);
        let may_vanish = !address.tracked || (at_home && !owner.config.track_primary);
        let name = self.interface_name(index);
        Some(Blocked::OnLink(local, Link { index, name, may_vanish }))
    }

    fn vmacs(&self) -> impl Iterator<Item = Vmac> {
        let silent = self.global.vrrp.disable_local_igmp;
        self.own_links.vmacs().filter_map(move |(wanted, index, name)| {
            let parent = self.interfaces.by_name(wanted.key.parent())?;
            let ipv4 = wanted.family == Family::V4 && !silent;
            let ipv6 = match wanted.family {
                Family::V4 => wanted.ipv6 && !silent,
                Family::V6 => true,
            };
            let own = self.own_links.link_local(&wanted.key, &self.interfaces);
            let address = own.or_else(|| parent.source(Family::V6));
            Some(Vmac {
                index,
                name: name.to_owned(),
                parent: parent.link().index,
                link_local: address.and_then(link_local),
                ipv4,
                ipv6,
            })
        })
    }
}

fn link_local(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) if address.is_unicast_link_local() => Some(address),
        _ => None,
    }
}

/// Whether an instance has something that is to be kept from something.
fn needs_firewall(config: &config::Instance) -> bool {
    !config.accept || config.has_vmac()
}
