//! Reloading: from one configuration to another by their difference.
//!
//! Whatever is in both goes on: its state, its counters, its sockets, its addresses. A master says at once what is new
//! about it, and a backup waits on.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Instant;

use log::{error, info};
use runtime::global::Global;
use runtime::handover;

use super::instance::{self, Instance};
use super::notify::{self, News};
use super::start::{schedule, start_delay, virtual_addresses};
use super::table::Table;
use super::{Engine, RunningGroup, Timer, identity};
use crate::config::instance::Deleted;
use crate::config::{self, Config, GroupId, InstanceId};
use crate::fsm::{Event, Fault, State};
use crate::group::Group;
use crate::packet::Priority;

impl Engine {
    /// Goes on with the configuration that the parent has sent.
    pub(super) fn reload(&mut self, memory: &OwnedFd, now: Instant) {
        info!("Reloading");
        match handover::open::<(Global, Config)>(memory) {
            Ok((global, mut config)) => {
                config.share();
                self.apply(global, config, now);
            }
            Err(error) => {
                error!("cannot read the new configuration, going on with the old one: {error}")
            }
        }
        self.lead.report_loaded();
    }

    /// There is nothing new, but the masters speak at once as after any reload.
    pub(super) fn repeat_configuration(&mut self, now: Instant) {
        info!("Reloading");
        self.announce_synchronisation(true);
        for id in self.instances.keys() {
            self.reconfigure(id, now);
        }
        self.signal_reload();
    }

    fn apply(&mut self, global: Global, config: Config, now: Instant) {
        let old: Vec<Rc<config::Instance>> =
            self.instances.iter().map(|one| Rc::clone(&one.config)).collect();
        let found = identity::matches(&old, &config.instances);
        self.log_dropped(&found, &config);
        self.leave_behind(&found, now);
        // The interfaces by which they take their leave may go.
        self.send_adverts();
        let states: HashMap<String, State> = self
            .groups
            .iter()
            .map(|running| (running.config.name.clone(), running.group.state()))
            .collect();
        if global.processes != self.global.processes {
            self.promotion = schedule(&global);
        }
        self.adjust_delay(&global, now);
        self.global = global;
        self.config = config;
        self.hand_over_synchronisation();
        self.announce_synchronisation(true);
        self.follow_objects();
        let renamed = self.replace_instances(&found);
        self.duplicates.renumber(&found);
        // What follows from it is looked at for all instances below.
        self.interfaces.set_virtuals(virtual_addresses(&self.config), &mut Vec::new());
        if let Err(error) = self.prepare(now) {
            error!("cannot use all of the new configuration: {error}");
        }
        for id in renamed {
            self.signal_name(id);
        }
        self.signal_reload();
        let steady = self.go_on(&found, &states, now);
        self.note_remains();
        if steady {
            // Nobody takes over, and so nobody waits for adverts: the addresses come first, as in the original.
            self.reconcile();
        }
    }

    /// Takes leave of the instances that are not in the new configuration, and of what hangs on the numbers of the
    /// others.
    fn leave_behind(&mut self, found: &[Option<usize>], now: Instant) {
        let kept: HashSet<usize> = found.iter().flatten().copied().collect();
        for (position, id) in self.instances.keys().enumerate() {
            if !kept.contains(&position) {
                self.remove(id, now);
            }
            if found.get(position) != Some(&Some(position)) {
                self.announcer.leave(id);
            }
            self.reactor.disarm(Timer::Deadline(id));
        }
        self.sockets.leave_all();
    }

    fn remove(&mut self, id: InstanceId, now: Instant) {
        let Some(instance) = self.instances.get(id) else { return };
        let already_faulty = instance.router.state() == State::Fault
            && instance.config.notify.deleted == Deleted::AsFault;
        self.drive(id, Event::Stop, now);
        if !already_faulty {
            self.tell(id, News::Deleted);
        }
        self.log_lost_object(id);
    }

    /// Returns those that go on under another name.
    fn replace_instances(&mut self, found: &[Option<usize>]) -> Vec<InstanceId> {
        let group4 = self.global.vrrp.multicast4;
        let mut old: Vec<Option<Instance>> =
            std::mem::take(&mut self.instances).into_iter().map(Some).collect();
        let mut renamed = Vec::new();
        let instances = self.config.instances.iter().zip(found).map(|(config, place)| {
            let before = place.and_then(|place| old.get_mut(place)?.take());
            renamed.push(before.as_ref().is_some_and(|before| before.name() != config.name));
            match before {
                Some(mut instance) => {
                    instance.reconfigure(config.clone(), group4);
                    instance
                }
                None => Instance::new(config, group4, self.starts_as_master(config)),
            }
        });
        self.instances = instances.collect();
        self.instances
            .keys()
            .zip(renamed)
            .filter_map(|(id, renamed)| renamed.then_some(id))
            .collect()
    }

    /// Says whether all that go on are what they were, and nobody else is master.
    fn go_on(
        &mut self,
        found: &[Option<usize>],
        states: &HashMap<String, State>,
        now: Instant,
    ) -> bool {
        let old: Vec<InstanceId> = self.places(found, true);
        let before: HashMap<InstanceId, (State, Priority)> = old
            .iter()
            .filter_map(|&id| Some((id, &self.instances.get(id)?.router)))
            .map(|(id, router)| (id, (router.state(), router.effective_priority())))
            .collect();
        self.settling = true;
        for &id in &old {
            self.reconfigure(id, now);
            if self.instances.get(id).is_some_and(|instance| instance.holds) {
                self.changed.push(id);
            }
        }
        // A group is what its members are once it is known what holds for them.
        self.groups = Table::default();
        self.track(false, now);
        for id in self.instances.keys() {
            self.meet_conditions(id, now);
        }
        self.settling = false;
        for id in self.instances.keys() {
            self.tell_new_priority(id, before.get(&id).copied());
        }
        self.groups = self
            .config
            .groups
            .iter()
            .map(|config| RunningGroup {
                group: Group::resume(&self.look_at(config), states.get(&config.name).copied()),
                config: config.clone(),
                mailed: None,
            })
            .collect();
        self.forget_groups(now);
        let known: HashMap<InstanceId, State> =
            before.into_iter().map(|(id, (state, _))| (id, state)).collect();
        self.start_elections(&known, now);
        self.dirty = true;
        let states = self.instances.iter().map(|instance| instance.router.state());
        self.instances.keys().zip(states).all(|(id, state)| match known.get(&id) {
            Some(&before) => state == before,
            None => state != State::Master,
        })
    }

    /// Tells listeners once what a reload has made of a priority, as of the state that they know.
    fn tell_new_priority(&mut self, id: InstanceId, before: Option<(State, Priority)>) {
        let Some(instance) = self.instances.get(id) else { return };
        let (state, priority) = before.unwrap_or((State::Init, instance.config.priority));
        if priority != instance.router.effective_priority() {
            let known = !matches!(state, State::Init | State::Fault);
            let state = if known { state } else { instance.router.state() };
            self.tell_priority(id, state);
        }
    }

    /// Those that have left their group are in no trouble for its other members' sake any more.
    fn forget_groups(&mut self, now: Instant) {
        for id in self.instances.keys() {
            let Some(instance) = self.instances.get(id).filter(|one| one.group.is_none()) else {
                continue;
            };
            let faults = instance.router.faults().iter();
            let shared: Vec<Fault> = faults
                .filter(|fault| matches!(fault, Fault::Group | Fault::GroupPending))
                .cloned()
                .collect();
            for fault in shared {
                self.take(id, Event::Cleared(fault), now);
            }
        }
    }

    /// Writes the states of instances that go on as they were to the FIFOs again.
    pub(super) fn repeat_states(&mut self, known: &HashMap<InstanceId, State>) {
        let unchanged = self.instances.keys().zip(self.instances.iter());
        let unchanged = unchanged.filter(|(id, one)| known.get(id) == Some(&one.router.state()));
        for (_, instance) in unchanged {
            let word = instance.router.state().name();
            let priority = instance.router.effective_priority();
            self.audience.write(&notify::instance_line(instance.name(), word, priority));
        }
    }

    /// Writes the state of a group to the FIFOs again.
    pub(super) fn repeat_group_state(&mut self, group: GroupId) {
        let Some(running) = self.groups.get(group) else { return };
        let word = running.group.state().name();
        self.audience.write(&notify::group_line(&running.config.name, word));
    }

    /// The instances that go on, or those that are new.
    fn places(&self, found: &[Option<usize>], known: bool) -> Vec<InstanceId> {
        let places = self.instances.keys().zip(found);
        places.filter(|(_, place)| place.is_some() == known).map(|(id, _)| id).collect()
    }

    /// Gives the election of an instance its settings again.
    fn reconfigure(&mut self, id: InstanceId, now: Instant) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        // What it becomes next is told, even if its group is that already.
        instance.told = false;
        let config = Rc::clone(&instance.config);
        let settings = instance::settings(&config, self.starts_as_master(&config));
        self.drive(id, Event::Reconfigure(Box::new(settings)), now);
    }

    /// A start-up delay that runs is made as long as the new one.
    fn adjust_delay(&mut self, global: &Global, now: Instant) {
        if self.delayed_until.is_none_or(|until| until <= now) {
            return;
        }
        let until = self.started + start_delay(global);
        if until <= now {
            info!("Reduced delayed start passed");
        } else {
            info!("Delaying startup for a further {} seconds", (until - now).as_secs_f64());
        }
        self.set_delay(until.max(now));
    }
}
