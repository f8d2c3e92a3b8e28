//! `ha_suspend`: checks run only while an address of their virtual server is on this machine.

use std::collections::HashSet;
use std::error::Error;
use std::net::IpAddr;

use log::{debug, error, info};
use runtime::global::NetlinkBuffer;
use runtime::machine::{Address, IfIndex};
use runtime::netlink::{Client, Drained, Event, Monitor};
use runtime::reactor::{Readiness, Registration};

use super::live::CheckId;
use super::{Engine, Source};
use crate::balance::PoolId;
use crate::config::group::Entry;
use crate::config::{Config, Service, VirtualServer};

/// The addresses of this machine, as far as somebody wants to know.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    sockets: Option<Sockets>,
    present: HashSet<(IfIndex, IpAddr)>,
}

/// Where addresses are learnt from.
#[derive(Debug)]
struct Sockets {
    /// Tells of changes.
    monitor: Monitor,
    registration: Registration,
    /// Is asked for all of them.
    client: Client,
    /// The buffers that both were to have.
    buffers: [NetlinkBuffer; 2],
}

impl Addresses {
    /// Whether a virtual server may be checked.
    fn allow(&self, config: &Config, service: &VirtualServer) -> bool {
        !service.ha_suspend || self.present.iter().any(|&(_, one)| has(config, service, one))
    }
}

/// Whether an address is one of those of a virtual server. In 2.4.3 those of groups never are.
fn has(config: &Config, service: &VirtualServer, address: IpAddr) -> bool {
    match service.service {
        Service::Address(own, _) => own == address,
        Service::Mark(_) => false,
        Service::Group(id) => {
            let entries = config.group(id).into_iter().flat_map(|group| &group.entries);
            entries.into_iter().any(|entry| match *entry {
                Entry::Range { first, last, .. } => {
                    first.is_ipv4() == address.is_ipv4() && (first..=last).contains(&address)
                }
                Entry::Mark { .. } => false,
            })
        }
    }
}

impl Engine {
    /// Hears of addresses from now on, or no longer, and lets those checks run that may.
    pub(super) fn watch_addresses(&mut self) {
        let suspends = self.config.virtual_servers.iter().any(|service| service.ha_suspend);
        let buffers = [self.global.lvs.netlink_monitor, self.global.lvs.netlink_command];
        let sockets = self.addresses.sockets.as_ref();
        let was_watching = sockets.is_some();
        let is_wanted = suspends || self.options.monitor_addresses;
        let fits = sockets.is_some_and(|sockets| sockets.buffers == buffers);
        if !(is_wanted && fits) {
            self.forget_addresses();
        }
        if is_wanted && !fits {
            if let Err(failure) = self.open_sockets(buffers) {
                error!("cannot hear of addresses: {failure}");
            }
        }
        self.read_addresses();
        if !was_watching {
            self.show_addresses();
        }
        self.suspend_or_resume(false);
    }

    /// Hears of addresses no longer.
    pub(super) fn forget_addresses(&mut self) {
        if let Some(Sockets { registration, .. }) = self.addresses.sockets.take() {
            self.reactor.forget(registration);
        }
        self.addresses.present.clear();
    }

    fn open_sockets(&mut self, buffers: [NetlinkBuffer; 2]) -> Result<(), Box<dyn Error>> {
        let [for_changes, for_all] = buffers;
        let monitor = Monitor::open(for_changes)?;
        debug!("Registering Kernel netlink reflector");
        let client = Client::open(for_all)?;
        debug!("Registering Kernel netlink command channel");
        let registration = self.reactor.register(&monitor, Source::Monitor, Readiness::Readable)?;
        self.addresses.sockets = Some(Sockets { monitor, registration, client, buffers });
        Ok(())
    }

    /// Reads all addresses afresh.
    fn read_addresses(&mut self) {
        let Some(sockets) = &mut self.addresses.sockets else { return };
        match sockets.client.machine() {
            Ok(machine) => {
                let all = machine.addresses.iter().map(key);
                self.addresses.present = all.collect();
            }
            Err(failure) => error!("cannot read addresses: {failure}"),
        }
    }

    /// Logs those addresses that matter, as if they had just come.
    fn show_addresses(&self) {
        let mut present: Vec<_> = self.addresses.present.iter().copied().collect();
        present.sort();
        for (_, address) in present {
            self.log_change(address, "added");
        }
    }

    /// The kernel tells of addresses.
    pub(super) fn hear_addresses(&mut self) {
        let Some(sockets) = &mut self.addresses.sockets else { return };
        let mut events = Vec::new();
        match sockets.monitor.drain(&mut events) {
            Ok(Drained::Empty) => {}
            Ok(Drained::More) => self.reactor.again(Source::Monitor),
            Err(failure) => error!("{failure}"),
        }
        for event in events {
            let present = &mut self.addresses.present;
            let (address, what, is_news) = match event {
                Event::AddressAdded(address) => {
                    (address.local, "added", present.insert(key(&address)))
                }
                Event::AddressRemoved(address) => {
                    (address.local, "removed", present.remove(&key(&address)))
                }
                Event::Overrun => {
                    info!("some changes of addresses were missed: reading all of them");
                    self.read_addresses();
                    self.suspend_or_resume(true);
                    continue;
                }
                // Addresses go with their interface, and the kernel says so.
                _ => continue,
            };
            if is_news {
                self.address_changed(address, what);
            }
        }
    }

    fn address_changed(&mut self, address: IpAddr, what: &str) {
        if self.log_change(address, what) {
            self.suspend_or_resume(true);
        }
    }

    /// Logs a change that somebody wants to know of. Returns whether it matters to a virtual server.
    fn log_change(&self, address: IpAddr, what: &str) -> bool {
        let mut services = self.config.virtual_servers.iter();
        let concerned =
            services.any(|service| service.ha_suspend && has(&self.config, service, address));
        if self.options.monitor_addresses {
            info!("Netlink reflector reports IP {address} {what}");
        } else if concerned {
            debug!("Netlink reflector reports IP {address} {what}");
        }
        concerned
    }

    /// Lets checks run, or not, by the addresses that there are. `running`: whether they were let before.
    fn suspend_or_resume(&mut self, running: bool) {
        for (pool, service) in self.config.virtual_servers.iter().enumerate() {
            if !service.ha_suspend {
                continue;
            }
            let allowed = self.addresses.allow(&self.config, service);
            let ids: Vec<CheckId> = self.checks.of_pool(PoolId(pool)).collect();
            for id in ids {
                let Some(live) = self.checks.get_mut(id) else { continue };
                let Some(subject) = live.subject(&self.config) else { continue };
                if std::mem::replace(&mut live.enabled, allowed) == allowed || !running {
                    continue;
                }
                let what = if allowed { "Activating" } else { "Suspending" };
                let (name, service) = (subject.name(), &service.name);
                info!("{what} healthchecker for service {name} for VS {service}");
            }
        }
    }
}

fn key(address: &Address) -> (IfIndex, IpAddr) {
    (address.interface, address.local)
}
