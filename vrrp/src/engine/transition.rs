//! Doing what an election wants done.

use std::time::{Instant, SystemTime};

use log::{debug, info};

use super::Engine;
use super::instance::Instance;
use super::notify::{self, Launch, News};
use super::refusals::Noise;
use crate::config::{self, GroupId, InstanceId};
use crate::fsm::{Action, Cause, Event, Fault, Note, State, Transition};
use crate::group::{Member, Step};
use crate::packet::Priority;

impl Engine {
    /// Gives an instance an event, does what it wants, and then what its sync group makes of it.
    pub(super) fn take(&mut self, id: InstanceId, event: Event, now: Instant) {
        let Some(instance) = self.instances.get(id) else { return };
        let before = Member::of(&instance.router);
        let lost = event == Event::ObjectLost && before.state == State::Master;
        self.drive(id, event, now);
        let Some(instance) = self.instances.get(id) else { return };
        // An advert changes nothing as a rule, and a group may be large.
        let Some((group, place)) =
            instance.group.filter(|_| Member::of(&instance.router) != before)
        else {
            return;
        };
        let members: Vec<Member> = self.members(group).collect();
        let Some(running) = self.groups.get(group) else { return };
        let mut steps = Vec::new();
        if lost {
            running.group.after_loss(&members, place, &mut steps);
        } else {
            running.group.after(&members, place, before.state, &mut steps);
        }
        self.perform_steps(group, steps, now);
    }

    /// Gives an instance an event without asking its group.
    pub(super) fn drive(&mut self, id: InstanceId, event: Event, now: Instant) {
        let mut actions = std::mem::take(&mut self.actions);
        if let Some(instance) = self.instances.get_mut(id) {
            instance.router.on_event(event, now, &mut actions);
        }
        for action in actions.drain(..) {
            self.perform(id, action, now);
        }
        self.actions = actions;
        self.rearm(id);
    }

    /// Does what a group wants.
    pub(super) fn perform_steps(&mut self, group: GroupId, steps: Vec<Step>, now: Instant) {
        for step in steps {
            let Some(running) = self.groups.get_mut(group) else { return };
            match step {
                Step::Say(state) => info!(
                    "VRRP_Group({}) Syncing instances to {} state",
                    running.config.name,
                    state.name()
                ),
                Step::Blame(place) => {
                    let member = running.config.members.get(place);
                    let member = member.and_then(|&id| self.instances.get(id));
                    let (group, name) = (&running.config.name, member.map_or("", Instance::name));
                    info!("VRRP_Group({group}): Syncing {name} to FAULT state");
                }
                Step::Drive(place, event) => {
                    if let Some(&id) = running.config.members.get(place) {
                        self.drive(id, event, now);
                    }
                }
                Step::Settle(state) => {
                    running.group.settle(state);
                    self.tell_group(group, News::Entered(state));
                }
                Step::SettleSilently(state) => running.group.settle(state),
            }
        }
    }

    /// What a group sees of its members.
    pub(super) fn members(&self, group: GroupId) -> impl Iterator<Item = Member> {
        let members = self.groups.get(group).map_or(&[][..], |running| &running.config.members);
        let instances = members.iter().filter_map(|&id| self.instances.get(id));
        instances.map(|instance| Member::of(&instance.router))
    }

    fn perform(&mut self, id: InstanceId, action: Action, now: Instant) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        match action {
            Action::Advertise(priority) => self.advertise(id, priority),
            Action::Resign => {
                instance.stats.pri_zero_sent += 1;
                debug!("({}) sent 0 priority", instance.name());
                self.advertise(id, Priority::STOP);
            }
            Action::Entering(transition) => self.entering(id, &transition, now),
            Action::Acquire => self.acquire(id),
            Action::Release { forced } => self.release(id, forced),
            Action::Notify(state) => {
                self.tell(id, News::Entered(state));
                if state == State::Master {
                    self.trap_new_master(id);
                }
            }
            Action::AnnounceSource => self.announce_source(id, now),
            Action::Reannounce => self.reannounce(id, now),
            Action::LowerPriorityHeard => {
                if instance.chatter.allows(Noise::LowerPriority, now) {
                    self.tell(id, News::LowerPriority);
                }
            }
            Action::PriorityChanged => {
                if !self.settling {
                    let state = instance.router.state();
                    self.tell_priority(id, state);
                }
            }
            Action::ForgetRefusals => {
                instance.refusals.forget();
                if instance.router.state() == State::Master {
                    instance.counters.ah.restart_if_exhausted();
                }
            }
            Action::Note(note) => {
                if instance.chatter.allows_note(&note, now) {
                    log_note(instance.name(), &note);
                }
            }
        }
    }

    fn entering(&mut self, id: InstanceId, transition: &Transition, now: Instant) {
        let Some(instance) = self.instances.get(id) else { return };
        let name = instance.name();
        match (transition.from, transition.to) {
            (State::Init, State::Fault) => {
                let faults: Vec<Fault> = instance.router.faults().iter().cloned().collect();
                faults.iter().for_each(|fault| self.log_fault(id, fault));
                let Some(instance) = self.instances.get(id) else { return };
                info!("({}) entering FAULT state", instance.name());
            }
            (State::Init, to) => info!("({name}) Entering {} STATE (init)", to.name()),
            (_, to) => {
                log_cause(name, &transition.cause);
                info!("({name}) Entering {} STATE", to.name());
            }
        }
        let Some(instance) = self.instances.get_mut(id) else { return };
        if transition.to == State::Master {
            instance.stats.become_master += 1;
        }
        if transition.from == State::Master {
            instance.stats.release_master += 1;
        }
        instance.last_transition = SystemTime::now();
        instance.told_snmp.enter(transition, now);
    }

    /// Says what was wrong at the start, in the words that each kind of fault has.
    fn log_fault(&self, id: InstanceId, fault: &Fault) {
        let Some(instance) = self.instances.get(id) else { return };
        let name = instance.name();
        match fault {
            Fault::Pending(_) | Fault::Group | Fault::GroupPending => {}
            Fault::InterfaceDown(_) => info!("({name}): entering FAULT state ({fault})"),
            Fault::File(file) => {
                let status = self.file_status(id, file).unwrap_or_default();
                info!("({name}): entering FAULT state (tracked file {file} has status {status})");
            }
            Fault::Script(script) => info!("({name}): entering FAULT state due to script {script}"),
            fault => info!("({name}) entering FAULT state ({fault})"),
        }
    }

    /// Puts what belongs to a master in place, at the end of the turn, when the advert is on its way.
    fn acquire(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.holds = true;
        log_setting(&instance.config);
        self.entered.push(id);
        self.dirty = true;
    }

    /// Takes away what belongs to a master.
    fn release(&mut self, id: InstanceId, forced: bool) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if forced || instance.holds {
            log_removing(&instance.config);
        }
        instance.holds = false;
        self.entered.retain(|&entered| entered != id);
        self.announcer.leave(id);
        self.dirty = true;
    }

    /// Somebody else answered for our addresses for a while. The other members of the group are in the same position:
    /// their rivals have given in without a word.
    fn reannounce(&mut self, id: InstanceId, now: Instant) {
        let Some(instance) = self.instances.get(id) else { return };
        match instance.group.and_then(|(group, _)| self.groups.get(group)) {
            None => self.announcer.contradict(id, now),
            Some(running) => {
                for &member in &running.config.members {
                    self.announcer.contradict(member, now);
                }
            }
        }
    }

    /// Tells scripts and listeners about an instance.
    pub(super) fn tell(&mut self, id: InstanceId, news: News) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let group = instance.group.and_then(|(group, _)| self.groups.get(group));
        let told_by_group = group
            .is_some_and(|running| news == News::Entered(running.group.state()) && instance.told);
        if told_by_group {
            return;
        }
        instance.told |= matches!(news, News::Entered(_));
        let priority = instance.router.effective_priority();
        let config = &instance.config;
        let launches = notify::for_instance(&config.notify, &config.name, priority, news);
        for (script, arguments) in launches.into_iter().map(Launch::into_owned) {
            self.audience.run(script, arguments);
        }
        let word = notify::word(news, &config.notify);
        self.audience.write(&notify::instance_line(&config.name, word, priority));
        self.signal_state(id, news);
        self.mail_instance(id, news);
        self.trap_instance(id, news);
    }

    /// Tells listeners that the priority of an instance in `state` has changed, where they want to know.
    pub(super) fn tell_priority(&mut self, id: InstanceId, state: State) {
        let Some(instance) = self.instances.get(id) else { return };
        if !instance.config.notify_priority_changes {
            return;
        }
        let word = if state == State::Master { "MASTER_PRIORITY" } else { "BACKUP_PRIORITY" };
        let priority = instance.router.effective_priority();
        self.audience.write(&notify::instance_line(instance.name(), word, priority));
    }

    /// Tells scripts and listeners about a sync group.
    pub(super) fn tell_group(&mut self, group: GroupId, news: News) {
        let Some(running) = self.groups.get(group) else { return };
        let config = &running.config;
        let launches = notify::for_group(&config.notify, &config.name, news);
        for (script, arguments) in launches.into_iter().map(Launch::into_owned) {
            self.audience.run(script, arguments);
        }
        self.audience.write(&notify::group_line(&config.name, news.word()));
        self.mail_group(group, news);
        self.trap_group(group, news);
    }
}

/// Says what is put in place, for those who want to know.
fn log_setting(config: &config::Instance) {
    log_kinds(&config.name, "setting", &[firewall(config)]);
    log_kinds(&config.name, "setting", &kinds(config));
}

/// Says what is taken away: routes and rules before what they need.
fn log_removing(config: &config::Instance) {
    let [addresses, excluded, routes, rules] = kinds(config);
    log_kinds(&config.name, "removing", &[rules, routes, addresses, excluded, firewall(config)]);
}

fn log_kinds(name: &str, verb: &str, kinds: &[(bool, &str)]) {
    for (_, what) in kinds.iter().filter(|(any, _)| *any) {
        debug!("({name}) {verb} {what}");
    }
}

/// What an instance has to put in place, and whether it has any.
fn kinds(config: &config::Instance) -> [(bool, &'static str); 4] {
    [
        (!config.addresses.is_empty(), "VIPs."),
        (!config.excluded.is_empty(), "E-VIPs."),
        (!config.routes.is_empty(), "Virtual Routes"),
        (!config.rules.is_empty(), "Virtual Rules"),
    ]
}

/// Whether traffic is kept away from an instance.
fn firewall(config: &config::Instance) -> (bool, &'static str) {
    (config.refuses(), "firewall drop rule")
}

fn log_note(name: &str, note: &Note) {
    if note.is_detail() {
        debug!("({name}) {note}");
    } else {
        info!("({name}) {note}");
    }
}

/// Says why a state is entered where no other line does.
fn log_cause(name: &str, cause: &Cause) {
    match cause {
        Cause::Start
        | Cause::Group
        | Cause::Fault(Fault::Group)
        | Cause::Outranked(..)
        | Cause::Recovered => {}
        Cause::Overslept(late) => info!(
            "({name}) VRRP thread timer expired {}.{:06} seconds ago",
            late.as_secs(),
            late.subsec_micros()
        ),
        cause => info!("({name}) {cause}"),
    }
}
