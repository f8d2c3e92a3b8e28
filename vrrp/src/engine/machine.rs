//! What the kernel tells about interfaces and addresses, and what follows for the instances.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use log::{debug, error, info};
use runtime::machine::IfIndex;
use runtime::netlink::{Drained, Event as MachineEvent};

use super::conditions::{self, Conditions, World};
use super::instance::Instance;
use super::{Engine, Source, Timer};
use crate::config::InstanceId;
use crate::config::track::Trackers;
use crate::interfaces::Change;
use crate::packet::Family;

/// What the kernel has told.
#[derive(Debug, Default)]
pub(super) struct Told {
    events: Vec<MachineEvent>,
    /// What is new about interfaces.
    changes: Vec<Change>,
}

impl Told {
    /// Appends what was told later.
    pub(super) fn extend(&mut self, later: Told) {
        self.events.extend(later.events);
        self.changes.extend(later.changes);
    }
}

impl Engine {
    /// Takes in what the kernel has told, and does what follows from it.
    pub(super) fn hear_machine(&mut self, now: Instant) {
        let told = self.take_in();
        self.follow(&told, now);
        if told.changes.is_empty() {
            return;
        }
        // Whoever has lost an interface of ours is told before it is made again.
        let told = self.tend_links();
        self.follow(&told, now);
        self.note_remains();
    }

    /// Takes in what the kernel has told, without doing anything about it.
    pub(super) fn take_in(&mut self) -> Told {
        let mut events = Vec::new();
        match self.monitor.drain(&mut events) {
            Ok(Drained::Empty) => {}
            Ok(Drained::More) => self.reactor.again(Source::Monitor),
            Err(error) => error!("{error}"),
        }
        let mut changes = Vec::new();
        for event in &events {
            if self.options.monitor_addresses {
                self.log_address(event);
            }
            let known = changes.len();
            self.interfaces.on_event(event, &mut changes);
            self.log_sources(event, changes.get(known..).unwrap_or_default());
            self.ledger.on_event(event);
            if let MachineEvent::LinkGone { index, .. } = event {
                self.settings.forget_interface(*index);
            }
        }
        if events.contains(&MachineEvent::Overrun) {
            info!("Netlink: receive buffer overrun - reading everything again");
            match self.netlink.machine() {
                Ok(machine) => {
                    self.interfaces.resync(&machine, &mut changes);
                    self.ledger.resync(&machine);
                }
                Err(error) => error!("{error}"),
            }
            self.resync_objects();
        }
        Told { events, changes }
    }

    fn follow(&mut self, told: &Told, now: Instant) {
        for change in &told.changes {
            if matches!(change, Change::Appeared(_) | Change::Vanished { .. }) {
                self.look_for_duplicates();
            }
            self.machine_changed(change, now);
        }
        self.check_sources(&told.events, now);
        self.meet_losses(now);
        self.dirty |= !told.events.is_empty() && self.ledger.is_unsettled();
    }

    /// Has those look again whose source address may have come or gone.
    fn check_sources(&mut self, events: &[MachineEvent], now: Instant) {
        let concerned = |source: IpAddr| {
            events.iter().any(|event| match event {
                MachineEvent::AddressAdded(address) | MachineEvent::AddressRemoved(address) => {
                    address.local == source
                }
                MachineEvent::LinkGone { .. } | MachineEvent::Overrun => true,
                _ => false,
            })
        };
        let instances = self.instances.keys().filter(|&id| {
            let instance = self.instances.get(id);
            instance
                .and_then(|instance| conditions::tracked_source(&instance.config))
                .is_some_and(concerned)
        });
        for id in instances.collect::<Vec<InstanceId>>() {
            self.meet_conditions(id, now);
        }
    }

    /// Shows which addresses adverts come from, once they are known.
    pub(super) fn log_known_sources(&self) {
        let named = self.instances.iter().filter_map(|one| one.config.interface.as_deref());
        let names: BTreeSet<&str> = named.chain(self.own_links.names()).collect();
        for interface in names.iter().filter_map(|name| self.interfaces.by_name(name)) {
            let families = [Family::V4, Family::V6].into_iter();
            for source in families.filter_map(|family| interface.source(family)) {
                debug!("Assigned address {source} for interface {}", interface.link().name);
            }
        }
    }

    /// Shows where adverts come from from now on, or came from.
    fn log_sources(&self, event: &MachineEvent, changes: &[Change]) {
        for change in changes {
            let Change::Source(index, family) = change else { continue };
            let name = self.interface_name(*index);
            if !self.matters(&name) {
                continue;
            }
            let source = self.interfaces.get(*index).and_then(|one| one.source(*family));
            match (source, event) {
                (Some(source), _) => debug!("Assigned address {source} for interface {name}"),
                (None, MachineEvent::AddressRemoved(address)) => {
                    debug!("Deassigned address {} from interface {name}", address.local);
                }
                (None, _) => {}
            }
        }
    }

    /// Shows an address that came or went, whoever did it (`-a`).
    fn log_address(&self, event: &MachineEvent) {
        let (address, verb) = match event {
            MachineEvent::AddressAdded(address) => (address, "added to"),
            MachineEvent::AddressRemoved(address) => (address, "removed from"),
            MachineEvent::LinkChanged(_)
            | MachineEvent::LinkGone { .. }
            | MachineEvent::RouteAdded(_)
            | MachineEvent::RouteRemoved(_)
            | MachineEvent::RuleAdded(_)
            | MachineEvent::RuleRemoved(_)
            | MachineEvent::Overrun => {
                return;
            }
        };
        let on = self.interface_name(address.interface);
        info!("Netlink reflector reports IP {} {verb} {on}", address.local);
    }

    fn machine_changed(&mut self, change: &Change, now: Instant) {
        let index = match change {
            Change::Vanished { index, name } => {
                self.links.forget(*index);
                self.reactor.disarm(Timer::Link(*index));
                if self.matters(name) {
                    info!("Interface {name} deleted");
                }
                self.look_again(name, now);
                return;
            }
            Change::Up(index) => {
                self.link_told(*index, now);
                self.announce_on(*index);
                return;
            }
            Change::Down(index) => {
                self.link_told(*index, now);
                return;
            }
            Change::Appeared(index) => {
                self.log_appearance(*index);
                self.note_links_up();
                self.announce_on(*index);
                *index
            }
            Change::Source(index, _) | Change::Mtu(index) | Change::Master(index) => *index,
            Change::Hardware(_) => return,
        };
        let Some(interface) = self.interfaces.get(index) else { return };
        let name = interface.link().name.clone();
        self.look_again(&name, now);
    }

    /// The addresses of masters that are put on an interface only now are announced then.
    fn announce_on(&mut self, index: IfIndex) {
        let has = |instance: &Instance| {
            let mut placed = instance.config.all_addresses();
            placed
                .any(|one| self.place(one, Some(instance)).is_some_and(|at| at.interface == index))
        };
        let masters = self
            .instances
            .keys()
            .filter(|&id| self.instances.get(id).is_some_and(|one| one.holds && has(one)));
        self.changed.extend(masters.collect::<Vec<InstanceId>>());
    }

    /// Brings all instances that an interface matters to in line with what it is now.
    pub(super) fn look_again(&mut self, name: &str, now: Instant) {
        let concerned: Vec<InstanceId> =
            self.instances.keys().filter(|&id| self.concerns(id, name)).collect();
        for id in concerned {
            if let Some(event) = self.connect(id) {
                self.take(id, event, now);
            }
            self.meet_conditions(id, now);
        }
        self.sockets.close_idle(&mut self.reactor);
        self.dirty = true;
    }

    fn matters(&self, name: &str) -> bool {
        self.instances.keys().any(|id| self.concerns(id, name))
    }

    fn concerns(&self, id: InstanceId, name: &str) -> bool {
        let Some(instance) = self.instances.get(id) else { return false };
        let trackers = self.group_trackers(instance);
        conditions::concerns(&instance.config, trackers, &self.interfaces, &self.own_links, name)
    }

    /// Tells the election of an instance what holds now.
    pub(super) fn meet_conditions(&mut self, id: InstanceId, now: Instant) {
        let Some(instance) = self.instances.get(id) else { return };
        let world = World {
            interfaces: &self.interfaces,
            links: &self.links,
            own_links: &self.own_links,
            is_duplicate: self.duplicates.contains(id),
            tracked: &self.tracked,
        };
        let trackers = self.group_trackers(instance);
        let conditions = Conditions::of(&instance.config, trackers, world, instance.source);
        for event in conditions.events(&instance.router) {
            self.take(id, event, now);
        }
    }

    /// What the sync group of an instance tracks for all its members.
    pub(super) fn group_trackers(&self, instance: &Instance) -> Option<&Trackers> {
        Some(&self.config.group(instance.config.group?)?.trackers)
    }

    pub(super) fn log_link(&self, index: IfIndex) {
        let name = self.interface_name(index);
        if self.matters(&name) {
            let state = if self.interfaces.is_up(index) { "up" } else { "down" };
            info!("Netlink reports {name} {state}");
        }
    }

    fn log_appearance(&self, index: IfIndex) {
        let name = self.interface_name(index);
        if self.matters(&name) {
            info!("Interface {name} added");
        }
    }

    /// The name of an interface, or its number where it is gone.
    pub(super) fn interface_name(&self, index: IfIndex) -> String {
        let interface = self.interfaces.get(index);
        interface.map_or_else(|| index.to_string(), |interface| interface.link().name.clone())
    }
}
