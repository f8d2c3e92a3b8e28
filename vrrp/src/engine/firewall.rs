//! Keeping traffic away from virtual addresses and interfaces: which firewall is used, and when it is changed.
//!
//! What is to be kept away is before it is there, and is until it is gone.

use std::net::{IpAddr, Ipv6Addr};

use log::info;
use nix::sys::utsname::uname;
use runtime::global::{self, Ipsets};
use runtime::netlink::nftables::{self, Nftables, TableMonitor};
use runtime::netlink::{Drained, NetlinkError};
use runtime::reactor::{Readiness, Registration};

use super::instance::Instance;
use super::{Engine, Source};
use crate::config;
use crate::kernel::firewall::iptables::programs::{Programs, Variant};
use crate::kernel::firewall::iptables::{self, Iptables, SetNames};
use crate::kernel::firewall::{Blocked, Desired, Extent, Link, Trace, Vmac, nftables as tables};
use crate::packet::Family;

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
    /// iptables.
    Iptables {
        /// What we know of it.
        rules: Box<Iptables>,
        /// What changes it.
        programs: Programs,
    },
}

impl Firewall {
    /// nftables, of which nothing is known.
    fn nftables(settings: tables::Settings) -> Self {
        let client = match Nftables::open() {
            Ok(client) => Some(client),
            Err(error) => {
                log_failure(&error);
                None
            }
        };
        Self::Nftables { tables: Box::new(tables::Nftables::new(settings)), client }
    }

    /// That of a process before us, of which nothing more is known.
    pub(super) fn inherited(trace: Option<Trace>) -> Self {
        match trace {
            None => Self::Unused,
            Some(Trace::Nftables(settings)) => Self::nftables(settings),
            Some(Trace::Iptables(settings, named)) => {
                let programs = Programs::open(settings.sets.is_some());
                Self::Iptables { rules: Box::new(Iptables::new(*settings, named)), programs }
            }
        }
    }

    /// What is to be known of it, should this process be killed, where it may keep `named` away.
    fn trace(&self, named: Desired) -> Option<Trace> {
        match self {
            Self::Unused => None,
            _ if named.is_empty() => None,
            Self::Nftables { tables, .. } => Some(Trace::Nftables(tables.settings().clone())),
            Self::Iptables { rules, .. } => {
                Some(Trace::Iptables(Box::new(rules.settings().clone()), named))
            }
        }
    }

    fn apply(&mut self, desired: &Desired, extent: Extent) {
        match self {
            Self::Nftables { tables, client: Some(client) } => {
                let commit = |changes: &[_], what: &str| client.commit(changes, what);
                tables.apply(desired, extent, commit).iter().for_each(log_failure);
            }
            Self::Iptables { rules, programs } => {
                for failure in rules.apply(desired, extent, programs) {
                    info!("{failure} - VIPs may be unprotected");
                }
            }
            Self::Unused | Self::Nftables { client: None, .. } => {}
        }
    }

    /// Takes all of it away.
    fn remove(&mut self) {
        match self {
            Self::Nftables { tables, client: Some(client) } => {
                let commit = |changes: &[_], what: &str| client.commit(changes, what);
                tables.remove(commit).iter().for_each(log_failure);
            }
            Self::Iptables { rules, programs } => {
                rules.remove(programs).iter().for_each(|failure| info!("{failure}"));
            }
            Self::Unused | Self::Nftables { client: None, .. } => {}
        }
        *self = Self::Unused;
    }

    /// Whether `other` puts its things where this one does.
    fn is_in_place_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nftables { tables, .. }, Self::Nftables { tables: other, .. }) => {
                tables.settings().table == other.settings().table
            }
            _ => false,
        }
    }
}

/// Hears of tables that somebody removes.
#[derive(Debug)]
pub(super) struct TableWatch {
    monitor: TableMonitor,
    registration: Registration,
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
        self.settle_firewall();
        let configured = &self.global.firewall;
        if let Some(nftables) = &configured.nftables {
            let settings = tables::Settings {
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
            if !same || self.table_watch.is_none() {
                self.watch_tables();
            }
            if let Firewall::Nftables { tables, .. } = &mut self.firewall {
                tables.shrink();
            }
        } else if let Some(chains) = configured.iptables.clone() {
            self.use_iptables(&chains);
        } else {
            self.firewall.remove();
        }
    }

    /// Decides what the configuration leaves open.
    fn settle_firewall(&mut self) {
        let needed = self.config.instances.iter().any(|instance| needs_firewall(instance));
        let configured = &mut self.global.firewall;
        if configured.nftables.is_some() {
            return;
        }
        if configured.iptables.is_some() {
            match Variant::of_machine() {
                Variant::Legacy => return,
                Variant::Missing => info!(
                    "Using nftables since no iptables command found - please update configuration"
                ),
                Variant::Nftables => info!(
                    "Not using iptables since iptables uses nf_tables - please update configuration"
                ),
            }
            configured.iptables = None;
            configured.ipsets = Ipsets::Off;
        } else if needed {
            info!(
                "use_vmac or no_accept/strict specified, but no firewall configured - using nftables"
            );
        } else {
            return;
        }
        configured.nftables = Some(configured.fallback.clone());
    }

    fn use_iptables(&mut self, chains: &global::Iptables) {
        let names = set_names(&self.global);
        let programs = Programs::open(names.is_some());
        let settings = iptables::Settings {
            input: chains.input.clone(),
            output: chains.output.clone(),
            sets: names.filter(|_| programs.has_sets()),
        };
        let same = matches!(&self.firewall,
            Firewall::Iptables { rules, .. } if *rules.settings() == settings);
        if !same {
            // There is no telling the rules of both apart where they are for the same.
            if matches!(self.firewall, Firewall::Iptables { .. }) {
                self.firewall.remove();
            }
            let named = self.kept_away(|_| true);
            let rules = Box::new(Iptables::new(settings, named));
            self.replace_firewall(Firewall::Iptables { rules, programs });
        }
        if let Firewall::Iptables { rules, .. } = &mut self.firewall {
            rules.shrink();
        }
    }

    /// The new one takes over before the old one goes, unless it takes the place of that.
    fn replace_firewall(&mut self, new: Firewall) {
        let mut old = std::mem::replace(&mut self.firewall, new);
        self.block();
        if !self.firewall.is_in_place_of(&old) {
            old.remove();
        }
        self.dirty = true;
    }

    /// Hears of it from now on when somebody removes our tables.
    fn watch_tables(&mut self) {
        if let Some(TableWatch { monitor, registration }) = self.table_watch.take() {
            if let Err(error) = self.reactor.deregister(&monitor, registration) {
                info!("cannot hear of changes of nftables no longer: {error}");
            }
        }
        let Firewall::Nftables { client: Some(client), .. } = &self.firewall else { return };
        let opened = TableMonitor::open(client).map_err(|error| error.to_string());
        let watched = opened.and_then(|monitor| {
            let registered = self.reactor.register(&monitor, Source::Tables, Readiness::Readable);
            let registration = registered.map_err(|error| error.to_string())?;
            Ok(TableWatch { monitor, registration })
        });
        match watched {
            Ok(watch) => self.table_watch = Some(watch),
            Err(error) => info!("{error}"),
        }
    }

    /// Has tables that somebody has removed be made again: whoever reloads the firewall of a machine flushes it first.
    pub(super) fn hear_tables(&mut self) {
        let Some(watch) = &mut self.table_watch else { return };
        let mut removed = Vec::new();
        match watch.monitor.drain(&mut removed) {
            Ok(Drained::Empty) => {}
            Ok(Drained::More) => self.reactor.again(Source::Tables),
            Err(error) => info!("{error}"),
        }
        let Firewall::Nftables { tables, .. } = &mut self.firewall else { return };
        for table in removed {
            if tables.lost(table.family, &table.name) {
                info!("nftables table {table} was removed by somebody else - making it again");
                self.dirty = true;
            }
        }
    }

    /// Has all that is to be kept away be kept away.
    pub(super) fn block(&mut self) {
        if !matches!(self.firewall, Firewall::Unused) {
            let desired = self.kept_away(|instance| instance.holds);
            self.firewall.apply(&desired, Extent::Block);
        }
    }

    /// Has nothing else be kept away.
    pub(super) fn unblock(&mut self) {
        if !matches!(self.firewall, Firewall::Unused) {
            let desired = self.kept_away(|instance| instance.holds);
            self.firewall.apply(&desired, Extent::All);
        }
    }

    /// What is to be known of the firewall, should this process be killed.
    pub(super) fn firewall_trace(&self) -> Option<Trace> {
        self.firewall.trace(self.kept_away(|_| true))
    }

    /// Takes everything away that we have put into the firewall.
    pub(super) fn remove_firewall(&mut self) {
        self.firewall.remove();
    }

    /// What is to be kept away for the VMACs, and for the instances that `holds` says it for.
    fn kept_away(&self, holds: impl Fn(&Instance) -> bool) -> Desired {
        let closed = self.instances.iter().filter(|one| holds(one) && one.config.refuses());
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
        let may_vanish = !owner.config.track_primary && (at_home || !address.tracked);
        let name = self.interface_name(index);
        Some(Blocked::OnLink(local, Link { index, name, may_vanish }))
    }

    fn vmacs(&self) -> impl Iterator<Item = Vmac> {
        let silent = self.global.vrrp.disable_local_igmp;
        self.own_links.vmacs().filter_map(move |(wanted, index, name)| {
            let parent = self.interfaces.by_name(wanted.key.parent())?;
            let ipv4 = wanted.speaks(Family::V4) && !silent;
            let ipv6 = match wanted.family {
                Family::V4 => wanted.both_families && !silent,
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

/// The names of the sets for iptables; `None` where there are to be none.
fn set_names(global: &global::Global) -> Option<SetNames> {
    match &global.firewall.ipsets {
        Ipsets::Off => None,
        Ipsets::Default => {
            let processes = &global.processes;
            let apart = processes.network_namespace.is_some() && !processes.namespace_with_ipsets;
            if apart && !sets_know_namespaces() {
                info!(
                    "Not using ipsets with network namespace since not supported with kernel version < 3.13"
                );
                return None;
            }
            let name = |suffix| format!("keepalived{suffix}");
            Some(SetNames {
                address: name(""),
                address6: name("6"),
                address_interface6: name("_if6"),
                igmp: name("_igmp"),
                mld: name("_mld"),
                vmac_nd: name("_nd"),
            })
        }
        Ipsets::Named { address, address6, address_interface6, igmp, mld, vmac_nd } => {
            Some(SetNames {
                address: address.clone(),
                address6: address6.clone(),
                address_interface6: address_interface6.clone(),
                igmp: igmp.clone(),
                mld: mld.clone(),
                vmac_nd: vmac_nd.clone(),
            })
        }
    }
}

/// Whether each network namespace has sets of its own (Linux 3.13).
fn sets_know_namespaces() -> bool {
    let release = uname().map(|name| name.release().to_string_lossy().into_owned());
    let release = release.unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(3), Some(13))
}
