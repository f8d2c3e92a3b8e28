//! What is announced when, for all instances.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use runtime::machine::IfIndex;

use super::Target;
use super::pacer::{Pacer, Pacing};
use super::schedule::{Burst, Schedule};
use crate::config::instance::Garp;
use crate::packet::Family;

/// The announcements of all masters, as a value without I/O. Instances are told apart by `K`.
///
/// Whatever is due at once, or has become due, comes out of [`Announcer::due`]; the engine asks for it in every turn.
#[derive(Clone, Debug)]
pub(crate) struct Announcer<K> {
    schedules: BTreeMap<K, Box<Schedule>>,
    /// No schedule has anything to give before this.
    next: Option<Instant>,
    pacer: Pacer<K>,
    ready: Vec<(K, Target)>,
    /// What was begun to be announced, and not told yet.
    begun: Vec<(K, Target)>,
}

impl<K: Copy + Ord> Announcer<K> {
    /// Nothing to announce.
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self {
            schedules: BTreeMap::new(),
            next: None,
            pacer: Pacer::new(pacing),
            ready: Vec::new(),
            begun: Vec::new(),
        }
    }

    /// A reload gave other paces, or an interface is there under another number.
    pub(crate) fn set_pacing(&mut self, pacing: Pacing) {
        self.pacer.set_pacing(pacing);
    }

    /// `instance` has become master and holds `targets`. `extra` are what its `garp_extra_if` announces elsewhere.
    pub(crate) fn enter(
        &mut self,
        instance: K,
        garp: &Rc<Garp>,
        targets: Vec<Target>,
        extra: Vec<Target>,
        now: Instant,
    ) {
        let schedule = Schedule::new(Rc::clone(garp), targets, extra, now);
        self.begun.extend(told(instance, schedule.first()));
        burst(&mut self.pacer, &mut self.ready, instance, schedule.first(), now);
        self.next = earlier(self.next, schedule.deadline());
        self.schedules.insert(instance, Box::new(schedule));
    }

    /// A reload changed a master, or its interfaces have changed. New addresses are announced together with the old.
    pub(crate) fn replace(
        &mut self,
        instance: K,
        garp: &Rc<Garp>,
        targets: Vec<Target>,
        extra: Vec<Target>,
        now: Instant,
    ) {
        self.forget(instance);
        let Some(schedule) = self.schedules.get_mut(&instance) else {
            self.enter(instance, garp, targets, extra, now);
            return;
        };
        if schedule.replace(Rc::clone(garp), targets, extra, now) {
            self.begun.extend(told(instance, schedule.first()));
            burst(&mut self.pacer, &mut self.ready, instance, schedule.first(), now);
        }
        self.next = earlier(self.next, schedule.deadline());
    }

    /// A master has heard an advert of lower priority: whoever sent it may have announced the addresses as its own.
    pub(crate) fn contradict(&mut self, instance: K, now: Instant) {
        if let Some(schedule) = self.schedules.get_mut(&instance) {
            let answer = schedule.contradict(now);
            self.begun.extend(told(instance, answer));
            burst(&mut self.pacer, &mut self.ready, instance, answer, now);
            self.next = earlier(self.next, schedule.deadline());
        }
    }

    /// Announces one address once, whether `instance` is master or not.
    pub(crate) fn once(&mut self, instance: K, target: Target, now: Instant) {
        self.pacer.announce(instance, target, 1, now, &mut self.ready);
    }

    /// `instance` is no longer master. What still waits is not sent: it would be a lie.
    pub(crate) fn leave(&mut self, instance: K) {
        self.schedules.remove(&instance);
        if self.schedules.is_empty() {
            self.next = None;
        }
        self.forget(instance);
    }

    /// Before when nothing is announced on `interface`, if that is known.
    pub(crate) fn free_at(&self, interface: IfIndex, family: Family) -> Option<Instant> {
        self.pacer.free_at(interface, family)
    }

    /// When [`Announcer::due`] is to be called at the latest. Where somebody has ceased to be master, it may then have
    /// nothing to give.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        earlier(self.next, self.pacer.deadline())
    }

    /// What is to be sent by `now`, in order.
    pub(crate) fn due(&mut self, now: Instant) -> impl Iterator<Item = Target> + use<K> {
        // Whoever waits has waited longer than what becomes due only now.
        self.pacer.due(now, &mut self.ready);
        if self.next.is_some_and(|next| next <= now) {
            self.serve_schedules(now);
        }
        // The start of many masters fills it; nothing of that size is kept for the quiet time afterwards.
        std::mem::take(&mut self.ready).into_iter().map(|(_, target)| target)
    }

    /// What was begun to be announced since this was asked last: each address of each burst.
    pub(crate) fn take_begun(&mut self) -> Vec<(K, Target)> {
        std::mem::take(&mut self.begun)
    }

    fn serve_schedules(&mut self, now: Instant) {
        self.next = None;
        for (&instance, schedule) in &mut self.schedules {
            while let Some(due) = schedule.due(now) {
                self.begun.extend(told(instance, due));
                burst(&mut self.pacer, &mut self.ready, instance, due, now);
            }
            self.next = earlier(self.next, schedule.deadline());
        }
    }

    fn forget(&mut self, instance: K) {
        self.pacer.cancel(instance);
        self.ready.retain(|&(owner, _)| owner != instance);
        self.begun.retain(|&(owner, _)| owner != instance);
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// What a burst announces, once.
fn told<K: Copy>(instance: K, burst: Burst<'_>) -> impl Iterator<Item = (K, Target)> {
    let targets = if burst.rounds > 0 { burst.targets } else { &[] };
    targets.iter().map(move |&target| (instance, target))
}

/// Round by round, so that every address is announced once before any is announced again.
fn burst<K: Copy + Eq>(
    pacer: &mut Pacer<K>,
    out: &mut Vec<(K, Target)>,
    instance: K,
    burst: Burst<'_>,
    now: Instant,
) {
    for _ in 0..burst.rounds {
        for &target in burst.targets {
            pacer.announce(instance, target, burst.rounds, now, out);
        }
    }
}

#[cfg(test)]
mod tests;
