//! Starting: from the configuration that the parent has handed over to running elections.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use log::{debug, info};
use runtime::agentx::Offering;
use runtime::audience::Audience;
use runtime::bfd_event::Receiver;
use runtime::child::Setup;
use runtime::dump::{Dumping, Dumps};
use runtime::event_loop::Lead;
use runtime::global::Global;
use runtime::handover;
use runtime::machine::{Address, AddressKey, IfIndex, Machine};
use runtime::netlink::{Client, Monitor};
use runtime::process::{self, Promotion};
use runtime::reactor::{Reactor, Readiness};
use runtime::sys::receive::RecvBatch;

use super::dbus::Service;
use super::duplicates::Duplicates;
use super::firewall::Firewall;
use super::grid::Grid;
use super::instance::Instance;
use super::links::Links;
use super::receive::BATCH;
use super::refusals::Chatter;
use super::snmp::Managed;
use super::sockets::Sockets;
use super::sync_daemon::Synchronisation;
use super::table::Table;
use super::tracking::Tracked;
use super::{DEFAULT_MTU, Engine, RunningGroup, Source, Timer};
use crate::announce::{Announcer, Frames, Pace, Pacing};
use crate::config::{self, Config, InstanceId, SyncGroup};
use crate::fsm::{Event, State};
use crate::group::{Group, Member};
use crate::interfaces::{Interfaces, Prefixed};
use crate::kernel::Ledger;
use crate::kernel::own_links::OwnLinks;
use crate::kernel::remains::{Note, Remains};
use crate::kernel::sysctl::Settings;
use crate::socket::Sender;

/// Descriptors besides those of the instances.
const SPARE_FILES: u64 = 96;

impl Engine {
    /// Opens what the process works with, and starts all elections.
    pub(super) fn new(setup: Setup) -> Result<Self, Box<dyn Error>> {
        let (global, mut config): (Global, Config) = handover::open(&setup.config)?;
        config.share();
        let lead = Lead::new(setup.control, &setup.options)?;
        let promotion = schedule(&global);
        // What changes between the snapshot and the first turn is heard.
        let monitor = Monitor::open(global.vrrp.netlink_monitor)?;
        debug!("Registering Kernel netlink reflector");
        let mut netlink = Client::open(global.vrrp.netlink_command)?;
        debug!("Registering Kernel netlink command channel");
        let machine = netlink.machine()?;
        let frames = Frames::open()?;
        debug!("Registering gratuitous ARP shared channel");
        let (note, mut left) = Note::open(setup.note.with_extension("remains"));
        let mut reactor = Reactor::new()?;
        let bfd_events = setup.links.bfd_events.map(Receiver::new);
        lead.attend(Source::Control, Source::Signals, &mut reactor)?;
        reactor.register(&monitor, Source::Monitor, Readiness::Readable)?;
        if let Some(events) = &bfd_events {
            reactor.register(events, Source::Sessions, Readiness::Readable)?;
        }
        let now = Instant::now();
        let mut engine = Self {
            options: setup.options,
            interfaces: Interfaces::new(&machine, virtual_addresses(&config)),
            links: Links::default(),
            ledger: Ledger::default(),
            firewall: Firewall::inherited(left.firewall.take()),
            table_watch: None,
            own_links: OwnLinks::inherited(std::mem::take(&mut left.links)),
            duplicates: Duplicates::default(),
            settings: Settings::inherit(setup.note),
            source_checks: None,
            note,
            settling: false,
            dirty: true,
            sockets: Sockets::default(),
            sender: Sender::new(),
            batch: RecvBatch::new(BATCH, 0),
            chatter: Chatter::default(),
            announcer: Announcer::new(Pacing::default()),
            frames,
            entered: Vec::new(),
            changed: Vec::new(),
            tracked: Tracked::default(),
            synchronisation: Synchronisation::default(),
            managed: Managed::default(),
            service: Service::default(),
            process_events: setup.links.process_events,
            bfd_events,
            instances: Table::default(),
            groups: Table::default(),
            started: now,
            grid: Grid::new(now),
            delayed_until: None,
            audience: Audience::default(),
            dumps: Dumps::default(),
            shown_routes: OnceCell::new(),
            actions: Vec::new(),
            lead,
            global,
            config,
            reactor,
            promotion,
            netlink,
            monitor,
        };
        engine.begin(&machine, &left, now)?;
        if engine.options.dump_configuration {
            engine.log_configuration();
        }
        engine.lead.report_loaded();
        engine.name_address_protocol();
        Ok(engine)
    }

    /// `left` is what a process before us may have left on `machine`.
    fn begin(
        &mut self,
        machine: &Machine,
        left: &Remains,
        now: Instant,
    ) -> Result<(), Box<dyn Error>> {
        self.delay_start(now);
        self.announce_synchronisation(false);
        let fresh = |config| {
            Instance::new(config, self.global.vrrp.multicast4, self.starts_as_master(config))
        };
        self.instances = self.config.instances.iter().map(fresh).collect();
        self.prepare(now)?;
        self.log_known_sources();
        self.track(true, now);
        for id in self.instances.keys() {
            self.meet_conditions(id, now);
        }
        self.follow_objects();
        self.adopt_leftovers(machine, left);
        self.resume(machine, now);
        self.groups = self.config.groups.iter().map(|config| self.fresh_group(config)).collect();
        self.start_elections(&HashMap::new(), now);
        self.note_remains();
        self.flush(now);
        Ok(())
    }

    /// Brings what follows from the configuration and the machine up to date: sockets, paces, what holds for each
    /// instance.
    pub(super) fn prepare(&mut self, now: Instant) -> Result<(), Box<dyn Error>> {
        self.allow_files();
        self.choose_firewall();
        self.make_links();
        self.watch_links(now);
        let fifo = (&self.global.scripts.vrrp_notify_fifo, "vrrp ");
        self.audience.invite(&self.global, fifo, &mut self.reactor);
        self.offer_objects(now);
        self.offer_service(now);
        self.batch.grow(usize::try_from(self.largest_mtu())?);
        self.announcer.set_pacing(pacing(&self.global, &self.config, &self.interfaces));
        for id in self.instances.keys() {
            let Some(instance) = self.instances.get_mut(id) else { continue };
            self.sender.open(instance.config.family)?;
            if let Some(until) = self.delayed_until {
                instance.router.on_event(Event::Delay(until), now, &mut self.actions);
            }
            if let Some(event) = self.connect(id) {
                self.drive(id, event, now);
            }
        }
        self.sockets.close_idle(&mut self.reactor);
        self.look_for_duplicates();
        for (group, config) in (0..).zip(&self.config.groups) {
            for (place, &member) in config.members.iter().enumerate() {
                if let Some(instance) = self.instances.get_mut(member) {
                    instance.group = Some((config::GroupId(group), place));
                }
            }
        }
        Ok(())
    }

    /// Whether an instance may start as master: an owner whose whole group wants to.
    pub(super) fn starts_as_master(&self, config: &config::Instance) -> bool {
        let wants = |config: &config::Instance| config.wants_master && config.is_owner();
        let group = config.group.and_then(|group| self.config.group(group));
        let members = group.into_iter().flat_map(|group| &group.members);
        wants(config) && members.filter_map(|&id| self.config.instance(id)).all(wants)
    }

    /// A group whose members have not started.
    fn fresh_group(&self, config: &SyncGroup) -> RunningGroup {
        let group = Group::new(&self.look_at(config));
        RunningGroup { group, config: config.clone(), mailed: None }
    }

    /// What a group sees of its members.
    pub(super) fn look_at(&self, config: &SyncGroup) -> Vec<Member> {
        let members = config.members.iter().filter_map(|&id| self.instances.get(id));
        members.map(|instance| Member::of(&instance.router)).collect()
    }

    /// Starts all elections but those that go on, `known`, each from a state. Who has a fault is told of before its group
    /// is, and everybody else after it. Where that is wanted, all states that are known already are told again.
    pub(super) fn start_elections(&mut self, known: &HashMap<InstanceId, State>, now: Instant) {
        for id in self.groups.keys() {
            let Some(running) = self.groups.get(id) else { continue };
            let mut steps = Vec::new();
            running.group.begin(&self.look_at(&running.config), &mut steps);
            self.perform_steps(id, steps, now);
        }
        let fresh = self.instances.keys().filter(|id| !known.contains_key(id));
        let (faulty, well): (Vec<InstanceId>, Vec<InstanceId>) =
            fresh.partition(|&id| self.instances.get(id).is_some_and(Instance::is_faulty));
        for id in faulty {
            self.drive(id, Event::Start, now);
        }
        let repeats = self.global.scripts.write_vrrp_states_on_reload;
        for id in self.groups.keys() {
            let Some(running) = self.groups.get(id) else { continue };
            let mut steps = Vec::new();
            running.group.announce(&mut steps);
            if repeats && running.group.is_told() {
                self.repeat_group_state(id);
            }
            self.perform_steps(id, steps, now);
        }
        for id in well {
            self.take(id, Event::Start, now);
        }
        if repeats {
            self.repeat_states(known);
        }
    }

    /// Instances whose addresses are all in place, with our mark, were master when a process before us was killed. The
    /// addresses stay until it is clear whether somebody else has taken over.
    fn resume(&mut self, machine: &Machine, now: Instant) {
        let protocol = self.address_protocol();
        let ours = machine.addresses.iter().filter(|address| address.protocol == protocol);
        let ours: HashSet<AddressKey> = ours.map(Address::key).collect();
        let resumed: Vec<InstanceId> = self
            .instances
            .keys()
            .filter(|&id| self.instances.get(id).is_some_and(|one| self.was_master(one, &ours)))
            .collect();
        for id in resumed {
            self.drive(id, Event::Resume, now);
            if let Some(instance) = self.instances.get_mut(id) {
                instance.holds = instance.router.wants() == State::Master;
            }
        }
    }

    fn was_master(&self, instance: &Instance, ours: &HashSet<AddressKey>) -> bool {
        let mut placed = instance
            .config
            .all_addresses()
            .map(|address| self.place(address, Some(instance)))
            .peekable();
        placed.peek().is_some()
            && placed.all(|address| address.is_some_and(|address| ours.contains(&address.key())))
    }

    /// Waits where the configuration wants to: for some time, or until the machine has been up for some time.
    fn delay_start(&mut self, now: Instant) {
        let delay = start_delay(&self.global);
        if delay.is_zero() {
            return;
        }
        info!("Delaying startup for {} seconds", delay.as_secs_f64());
        self.set_delay(now + delay);
    }

    pub(super) fn set_delay(&mut self, until: Instant) {
        self.delayed_until = Some(until);
        self.reactor.arm(Timer::Delayed, until);
    }

    fn allow_files(&self) {
        let instances = u64::try_from(self.config.instances.len()).unwrap_or(u64::MAX);
        if let Err(error) = process::allow_files(instances.saturating_mul(2) + SPARE_FILES) {
            info!("Unable to set the limit of open files: {error}");
        }
    }

    fn largest_mtu(&self) -> u32 {
        let used = self.instances.iter().filter_map(|instance| instance.config.interface.as_ref());
        let known = used.filter_map(|name| self.interfaces.by_name(name));
        known.map(|interface| interface.link().mtu).max().unwrap_or(0).max(DEFAULT_MTU)
    }
}

/// Gives the process its name, its priorities and its processors.
pub(super) fn schedule(global: &Global) -> Promotion {
    process::take_on(&global.processes, global.processes.vrrp.name.as_deref());
    for failure in process::schedule(&global.processes.vrrp) {
        info!("{failure}");
    }
    Promotion::new(&global.processes, &global.processes.vrrp)
}

/// How long instances wait from now.
pub(super) fn start_delay(global: &Global) -> Duration {
    let boot = global.vrrp.delay_after_boot;
    let after_boot = if boot.is_zero() { boot } else { boot.saturating_sub(uptime()) };
    global.vrrp.startup_delay.max(after_boot)
}

fn uptime() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

/// The addresses that adverts never come from.
pub(super) fn virtual_addresses(config: &Config) -> HashSet<Prefixed> {
    let addresses = config.instances.iter().flat_map(|instance| instance.all_addresses());
    let addresses = addresses.chain(&config.static_addresses);
    addresses.map(|address| (address.address, address.prefix_len)).collect()
}

fn pacing(global: &Global, config: &Config, interfaces: &Interfaces) -> Pacing {
    let garp = &global.vrrp.garp;
    let groups = (0..).zip(&config.garp_groups).flat_map(|(number, group)| {
        let pace = Pace {
            garp: group.garp_interval.unwrap_or_default(),
            gna: group.gna_interval.unwrap_or_default(),
        };
        let members = group.interfaces.iter().filter_map(|name| interfaces.by_name(name));
        members.map(move |interface| (interface.link().index, (number, pace)))
    });
    Pacing {
        default: Pace { garp: garp.garp_interval, gna: garp.gna_interval },
        groups: groups.collect::<HashMap<IfIndex, (u32, Pace)>>(),
    }
}
