//! The election: one virtual router instance as a value (RFC 3768 §6.4, RFC 9568 §6.4).
//!
//! An event and the time go in, actions come out, and the next deadline is a property. Whether a received advert is
//! acceptable at all has been decided before ([`crate::packet::Expect`]).

mod action;
mod backup;
mod fault;
mod master;
mod timers;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use action::{Action, Cause, Note, Transition};
pub use fault::{Fault, Faults};

use crate::packet::{Priority, Version};

/// How many own adverts another address owner is given to give in.
const RIVAL_ADVERTS: u8 = 2;
/// A backup that is later than this part of an interval, and than what a busy machine makes of it, stood still, and may have
/// missed what was sent meanwhile.
const PUNCTUAL: u32 = 10;
const BUSY: Duration = Duration::from_millis(20);
/// How long an address owner takes to become master: at once, but through its timer like all others.
const AT_ONCE: Duration = Duration::from_micros(1);

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not started.
    Init,
    /// Listening.
    Backup,
    /// Holding the addresses and sending adverts.
    Master,
    /// Not taking part.
    Fault,
}

impl State {
    /// The number in data dumps, SNMP and D-Bus.
    pub fn number(self) -> u8 {
        match self {
            State::Init => 0,
            State::Backup => 1,
            State::Master => 2,
            State::Fault => 3,
        }
    }

    /// The name in logs and for scripts.
    pub fn name(self) -> &'static str {
        match self {
            State::Init => "INIT",
            State::Backup => "BACKUP",
            State::Master => "MASTER",
            State::Fault => "FAULT",
        }
    }
}

/// When a lower-priority master is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preempt {
    /// Never: whoever is master stays it.
    Never,
    /// As soon as our timer expires.
    AtOnce,
    /// As [`Preempt::AtOnce`], this long after its first advert.
    After(Duration),
}

/// What the configuration decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Protocol version.
    pub version: Version,
    /// Own advertisement interval.
    pub interval: Duration,
    /// So many missed adverts make a master dead.
    pub down_timer_adverts: u32,
    /// Configured priority.
    pub priority: Priority,
    /// When a lower-priority master is replaced.
    pub preempt: Preempt,
    /// An address owner that starts as MASTER instead of waiting.
    pub starts_as_master: bool,
    /// A MASTER does not answer a lower-priority advert.
    pub lower_prio_no_advert: bool,
    /// A MASTER answers a higher-priority advert before it gives in.
    pub higher_prio_send_advert: bool,
    /// Give up MASTER after having been stopped for long; the highest priority of the other routers.
    pub timer_expired_backup: Option<Priority>,
}

/// An accepted advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Who sent it.
    pub source: IpAddr,
    /// How its address compares with our own source address.
    pub order: Ordering,
    /// Its priority.
    pub priority: Priority,
    /// Its advertisement interval.
    pub interval: Duration,
}

/// What can happen to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Before the start: the addresses are in place, so it was master when its process was killed.
    Resume,
    /// The engine is ready.
    Start,
    /// An advert was accepted.
    Advert(Heard),
    /// The deadline is reached. `may_lead` is false while the other members of the sync group are not ready.
    Deadline {
        /// Whether it may become master.
        may_lead: bool,
    },
    /// Something failed.
    Fault(Fault),
    /// Something is all right again.
    Cleared(Fault),
    /// The sum of all weights that tracking contributes now.
    Weight(i32),
    /// An address, route or rule was taken away by somebody else.
    ObjectLost,
    /// Something faster than adverts has found that the router of this address is gone.
    MasterGone {
        /// The router.
        source: IpAddr,
        /// Whether there is no other backup to agree with, so that nothing need be waited for.
        only_backup: bool,
    },
    /// The sync group becomes master.
    FollowMaster,
    /// The sync group becomes backup.
    FollowBackup,
    /// Nothing is sent and no deadline falls before this time.
    Delay(Instant),
    /// A reload changed the settings.
    Reconfigure(Box<Settings>),
    /// The instance ends.
    Stop,
}

/// What will have made us master when the deadline is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expecting {
    Silence,
    MasterLeft(IpAddr),
    MasterGone(IpAddr),
    Preemption(IpAddr, Priority),
    Ownership,
    /// We were master ourselves a moment ago, and have left it to whoever is there.
    Return,
    /// We were not run when the silence was long enough, and cannot tell whether there was one.
    FirstWord,
}

/// What a master knows about another address owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rival {
    None,
    /// It is given so many more adverts of ours.
    Warned {
        adverts: u8,
        interval: Duration,
    },
    /// It should be silent by now; when this time comes, it is.
    Watched {
        until: Instant,
    },
}

/// A virtual router instance.
#[derive(Clone, Debug)]
pub struct Router {
    settings: Settings,
    state: State,
    /// The state that it would have without its sync group.
    wants: State,
    weight: i32,
    effective: Priority,
    /// The interval of the master that we listen to.
    master_interval: Duration,
    master: Option<IpAddr>,
    /// That of the last advert that was obeyed.
    master_priority: Option<Priority>,
    faults: Faults,
    deadline: Option<Instant>,
    /// Since when no advert was accepted, for the log.
    silent_since: Option<Instant>,
    last_sent: Option<Instant>,
    /// So many adverts were sent in answer to others since the last one on time.
    answers: u8,
    preempt_at: Option<Instant>,
    delayed_until: Option<Instant>,
    /// The addresses of a master are in place, though it is not sure yet whether we are still master.
    resuming: bool,
    expecting: Expecting,
    rival: Rival,
}

impl Router {
    /// An instance that has not started.
    pub fn new(settings: Settings) -> Self {
        let wants = if settings.starts_as_master { State::Master } else { State::Backup };
        Self {
            state: State::Init,
            wants,
            weight: 0,
            effective: settings.priority,
            master_interval: settings.interval,
            master: None,
            master_priority: None,
            faults: Faults::default(),
            deadline: None,
            silent_since: None,
            last_sent: None,
            answers: 0,
            preempt_at: None,
            delayed_until: None,
            resuming: false,
            expecting: Expecting::Silence,
            rival: Rival::None,
            settings,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Where it would stand without its sync group.
    pub fn wants(&self) -> State {
        self.wants
    }

    /// The priority that it advertises.
    pub fn effective_priority(&self) -> Priority {
        self.effective
    }

    /// The sum of weights that it was told last.
    pub fn weight(&self) -> i32 {
        self.weight
    }

    /// Who was master when it last heard of one, whether it listened to that one or not.
    pub fn master(&self) -> Option<IpAddr> {
        self.master
    }

    /// The priority of the master that it last listened to.
    pub fn master_priority(&self) -> Option<Priority> {
        self.master_priority
    }

    /// The interval of the master that it last listened to.
    pub fn master_interval(&self) -> Duration {
        self.master_interval
    }

    /// When the last advert was sent.
    pub fn last_sent(&self) -> Option<Instant> {
        self.last_sent
    }

    /// How many more adverts of ours another address owner is given to give in, and how often it sends its own.
    pub fn rival_adverts(&self) -> Option<(u8, Duration)> {
        match self.rival {
            Rival::Warned { adverts, interval } => Some((adverts, interval)),
            Rival::None | Rival::Watched { .. } => None,
        }
    }

    /// Why it is in FAULT.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// How long it waits for an advert.
    pub fn master_down(&self) -> Duration {
        let Settings { version, down_timer_adverts, .. } = self.settings;
        timers::master_down(version, self.master_interval, down_timer_adverts, self.effective)
    }

    /// How long it waits after the master has left.
    pub fn skew(&self) -> Duration {
        timers::skew(self.settings.version, self.master_interval, self.effective)
    }

    /// When [`Event::Deadline`] is due. It is read after every event, so that no timer is forgotten.
    pub fn deadline(&self) -> Option<Instant> {
        match self.rival {
            Rival::Watched { until } => self.deadline.map(|deadline| deadline.min(until)),
            Rival::None | Rival::Warned { .. } => self.deadline,
        }
    }

    /// Takes `event` in at `now` and appends what is to be done to `out`.
    pub fn on_event(&mut self, event: Event, now: Instant, out: &mut Vec<Action>) {
        match (self.state, event) {
            (State::Init, Event::Resume) => self.resume(),
            (State::Init, Event::Start) => self.start(now, out),
            (State::Init, Event::Fault(fault)) => self.note_fault(fault),
            (State::Init, Event::Cleared(fault)) => self.faults.remove(&fault),

            (State::Backup, Event::Advert(heard)) => self.backup_heard(heard, now, out),
            (State::Backup, Event::Deadline { may_lead }) => self.backup_due(may_lead, now, out),
            (State::Backup, Event::FollowMaster) => self.become_master(Cause::Group, now, out),
            (State::Backup, Event::MasterGone { source, only_backup }) => {
                self.master_gone(source, only_backup, now);
            }
            (State::Backup, Event::Fault(fault)) => self.backup_fails(fault, out),

            (State::Master, Event::Advert(heard)) => self.master_heard(heard, now, out),
            (State::Master, Event::Deadline { .. }) => self.master_due(now, out),
            (State::Master, Event::FollowBackup) => self.leave_master(Cause::Group, now, out),
            (State::Master, Event::Fault(fault)) => self.master_fails(fault, out),
            (State::Master, Event::ObjectLost) => self.lose_object(now, out),

            (State::Fault, Event::Fault(fault)) => self.note_fault(fault),
            (State::Fault, Event::Cleared(fault)) => self.fault_cleared(&fault, now, out),

            (_, Event::Weight(weight)) => self.weigh(weight, out),
            (_, Event::Delay(until)) => self.delay(until),
            (_, Event::Reconfigure(settings)) => self.reconfigure(*settings, now),
            (_, Event::Stop) => self.stop(out),

            // A faulty or unborn router hears nothing and has no deadline, and a group moves only those that can move.
            (State::Init | State::Fault, Event::Advert(_) | Event::Deadline { .. }) => {}
            (State::Init | State::Fault | State::Master, Event::FollowMaster) => {}
            (State::Init | State::Fault | State::Backup, Event::FollowBackup) => {}
            (State::Init | State::Fault | State::Master, Event::MasterGone { .. }) => {}
            // Whoever does not hold the addresses cannot lose them.
            (State::Init | State::Fault | State::Backup, Event::ObjectLost) => {}
            // A router starts once, and one without faults has none to clear.
            (State::Backup | State::Master | State::Fault, Event::Start | Event::Resume) => {}
            (State::Backup | State::Master, Event::Cleared(_)) => {}
        }
    }

    /// An owner need not ask whether somebody else has taken over.
    fn resume(&mut self) {
        if self.faults.is_empty() && !self.settings.starts_as_master {
            self.resuming = true;
            self.wants = State::Master;
        }
    }

    fn start(&mut self, now: Instant, out: &mut Vec<Action>) {
        if !self.faults.is_empty() {
            self.give_up_resuming();
            out.push(Action::Release { forced: true });
            if self.faults.any_told() {
                out.push(self.entering(State::Fault, Cause::Start));
                out.push(Action::Notify(State::Fault));
            }
            self.state = State::Fault;
            return;
        }
        if self.wants != State::Master {
            self.start_as_backup(now, out);
            return;
        }
        // Both take the way of a backup whose master is dead, and never say that they were a backup. A master that was
        // killed listens for an interval and as much more as an advert may be late: if somebody has taken over, it is
        // heard by then, and the other backups are patient for longer.
        self.state = State::Backup;
        if self.resuming {
            out.push(Action::Note(Note::Resuming));
            self.expecting = Expecting::Return;
            self.arm(now, self.settings.interval + self.settings.interval / 4);
        } else {
            self.expecting = Expecting::Ownership;
            self.arm(now, AT_ONCE);
        }
    }

    fn start_as_backup(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.give_up_resuming();
        out.push(Action::Release { forced: true });
        out.push(Action::Entering(Transition {
            from: State::Init,
            to: State::Backup,
            cause: Cause::Start,
        }));
        self.state = State::Backup;
        self.wants = State::Backup;
        self.listen(now);
        out.push(Action::Notify(State::Backup));
    }

    /// Whether it was about to be the master again that it was.
    fn give_up_resuming(&mut self) -> bool {
        let resuming = std::mem::take(&mut self.resuming);
        if resuming && !self.settings.starts_as_master && self.wants == State::Master {
            self.wants = State::Backup;
        }
        resuming
    }

    fn fault_cleared(&mut self, fault: &Fault, now: Instant, out: &mut Vec<Action>) {
        self.faults.remove(fault);
        if !self.faults.is_empty() {
            return;
        }
        self.master_interval = self.settings.interval;
        // An owner that only waited for a script starts as it would have.
        if self.wants == State::Master {
            self.expecting = Expecting::Ownership;
            self.state = State::Backup;
            self.arm(now, AT_ONCE);
            return;
        }
        out.push(self.entering(State::Backup, Cause::Recovered));
        self.enter_backup(now);
        out.push(Action::Notify(State::Backup));
        if !self.is_delayed(now) {
            out.push(Action::AnnounceSource);
        }
    }

    fn weigh(&mut self, weight: i32, out: &mut Vec<Action>) {
        self.weight = weight;
        let before = self.effective;
        let effective = self.weighted();
        if effective == before {
            return;
        }
        out.push(Action::Note(Note::PriorityChanged(before, effective)));
        self.set_effective(effective);
        out.push(Action::PriorityChanged);
    }

    /// Configured priority with what tracking contributes. Nothing changes that of an address owner but another one.
    fn weighted(&self) -> Priority {
        if self.settings.priority == Priority::OWNER {
            return if self.effective == Priority::CONTESTED_OWNER {
                self.effective
            } else {
                Priority::OWNER
            };
        }
        let total = i32::from(self.settings.priority.0).saturating_add(self.weight);
        Priority(u8::try_from(total.clamp(1, 254)).unwrap_or(Priority::DEFAULT.0))
    }

    /// Moves the deadline of a backup by what the change makes of the master down time.
    fn set_effective(&mut self, effective: Priority) {
        let before = self.master_down();
        self.effective = effective;
        self.shift(before);
    }

    fn shift(&mut self, before: Duration) {
        if self.state != State::Backup {
            return;
        }
        let after = self.master_down();
        self.deadline = self.deadline.map(|deadline| {
            let shifted = deadline + after.saturating_sub(before);
            shifted.checked_sub(before.saturating_sub(after)).unwrap_or(shifted)
        });
    }

    fn delay(&mut self, until: Instant) {
        let before = self.delayed_until.replace(until);
        let Some(before) = before else { return };
        self.deadline = self.deadline.map(|deadline| {
            let shifted = deadline + until.saturating_duration_since(before);
            shifted.checked_sub(before.saturating_duration_since(until)).unwrap_or(shifted)
        });
    }

    /// A reload keeps the state. A master says at once what has changed; a backup waits on, by the new rules.
    fn reconfigure(&mut self, settings: Settings, now: Instant) {
        let before = self.master_down();
        let learnt = self.settings.version == Version::V3
            && settings.version == Version::V3
            && self.state == State::Backup
            && self.master_interval != self.settings.interval;
        if !learnt {
            self.master_interval = settings.interval;
        }
        if self.state == State::Init && settings.starts_as_master != self.settings.starts_as_master
        {
            self.wants = if settings.starts_as_master { State::Master } else { State::Backup };
        }
        self.settings = settings;
        self.rival = Rival::None;
        self.effective = self.weighted();
        self.shift(before);
        if !matches!(self.settings.preempt, Preempt::After(_)) {
            self.preempt_at = None;
        }
        if self.state == State::Master {
            self.deadline = Some(now);
        }
    }

    fn stop(&mut self, out: &mut Vec<Action>) {
        if self.state == State::Master {
            out.push(Action::Resign);
            out.push(Action::Release { forced: false });
        } else if self.give_up_resuming() {
            out.push(Action::Release { forced: true });
        }
        self.state = State::Init;
        self.deadline = None;
        self.rival = Rival::None;
    }

    fn entering(&self, to: State, cause: Cause) -> Action {
        Action::Entering(Transition { from: self.state, to, cause })
    }

    fn enter_backup(&mut self, now: Instant) {
        self.state = State::Backup;
        self.wants = State::Backup;
        self.preempt_at = None;
        self.rival = Rival::None;
        self.listen(now);
    }

    fn enter_fault(&mut self) {
        self.state = State::Fault;
        self.deadline = None;
        self.rival = Rival::None;
    }

    fn note_fault(&mut self, fault: Fault) {
        if !fault.is_pending() {
            self.wants = State::Fault;
        }
        self.faults.insert(fault);
    }

    /// Waits a master down time from now.
    fn listen(&mut self, now: Instant) {
        self.silent_since = Some(now);
        self.expecting = Expecting::Silence;
        self.arm(now, self.master_down());
    }

    fn arm(&mut self, now: Instant, after: Duration) {
        let base = self.delayed_until.map_or(now, |until| until.max(now));
        self.deadline = Some(base + after);
    }

    fn is_delayed(&self, now: Instant) -> bool {
        self.delayed_until.is_some_and(|until| until > now)
    }

    /// Only a transmission restarts the timer of a master: nobody can silence it by sending.
    fn advertise(&mut self, now: Instant, out: &mut Vec<Action>) {
        out.push(Action::Advertise(self.effective));
        self.last_sent = Some(now);
        self.deadline = Some(now + self.settings.interval);
    }

    fn set_master(&mut self, master: IpAddr, out: &mut Vec<Action>) {
        let before = self.master.replace(master);
        if before != Some(master) {
            out.push(Action::Note(Note::MasterIs { before, now: master }));
        }
    }

    /// Version 3 waits by the interval of its master (RFC 9568 §6.4.2). Zero is no interval.
    fn learn_interval(&mut self, interval: Duration, out: &mut Vec<Action>) {
        let unchanged = interval == self.master_interval || interval.is_zero();
        if self.settings.version == Version::V2 || unchanged {
            return;
        }
        let (before, now) = (self.master_interval, interval);
        out.push(Action::Note(Note::IntervalLearnt { before, now }));
        self.master_interval = interval;
    }
}
