//! The part of the ledger that is the same for routes and rules.

use std::collections::HashMap;
use std::hash::Hash;

use nix::errno::Errno;
use runtime::netlink::{NetlinkError, Request};

/// A route or a rule.
pub(super) trait Object: Clone + PartialEq {
    /// Which objects the kernel takes for the same one.
    type Key: Eq + Hash;

    /// What tells it from others.
    fn key(&self) -> Self::Key;

    /// Whether what the kernel shows is this one, or part of it.
    fn is_shown_as(&self, shown: &Self) -> bool;

    /// Whether what the kernel shows of it has all that is wanted.
    fn is_complete(&self, shown: &Self) -> bool;

    /// Whether the kernel may hold a part of it.
    fn has_parts(&self) -> bool;

    /// Whether it cannot be added while `other` is there.
    fn is_barred_by(&self, other: &Self) -> bool;

    /// What adds it.
    fn add(&self) -> Request;

    /// What removes it.
    fn remove(&self) -> Request;
}

/// All objects of one kind that are ours, whether they are there or not.
#[derive(Clone, Debug)]
pub(super) struct Objects<T: Object> {
    entries: HashMap<T::Key, Entry<T>>,
    /// Counts the entries, so that they know their order.
    serial: u64,
}

impl<T: Object> Default for Objects<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), serial: 0 }
    }
}

#[derive(Clone, Debug)]
struct Entry<T> {
    /// As it was asked for.
    object: T,
    presence: Presence,
    wanted: bool,
    /// As the kernel has shown it when somebody took it away.
    last_seen: Option<Box<T>>,
    /// Why the kernel did not do what it was asked for, which has been told.
    refusal: Option<Errno>,
    serial: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Present,
    /// It is there, but not in every respect as it should be.
    Stale,
    /// The kernel may have removed it without a word.
    Doubtful,
    /// Somebody else has taken it away, and nobody has been told yet.
    Lost,
    Absent,
    /// Somebody else has taken it away, and is left to have it so.
    GivenUp,
}

/// What is to be asked for, in this order, with the addresses somewhere in between.
#[derive(Debug)]
pub(super) struct Plan<T> {
    /// What must go because it is in the way of what is to be added.
    pub(super) before: Vec<T>,
    /// What is missing.
    pub(super) add: Vec<T>,
    /// What is not wanted any more.
    pub(super) surplus: Vec<T>,
}

impl<T: Object> Objects<T> {
    /// What to ask for so that exactly `desired` is there.
    pub(super) fn plan(&mut self, desired: &[T]) -> Plan<T> {
        for entry in self.entries.values_mut() {
            entry.wanted = false;
        }
        let mut plan = Plan { before: Vec::new(), add: Vec::new(), surplus: Vec::new() };
        for object in desired {
            let fresh = Entry {
                object: object.clone(),
                presence: Presence::Absent,
                wanted: false,
                last_seen: None,
                refusal: None,
                serial: self.serial,
            };
            let entry = self.entries.entry(object.key()).or_insert(fresh);
            if std::mem::replace(&mut entry.wanted, true) || entry.is_as(object) {
                continue;
            }
            if entry.is_in_the_way_of(object) {
                plan.before.push(entry.object.clone());
            }
            plan.add.push(object.clone());
        }
        // What is neither there nor wanted is no business of ours.
        self.entries.retain(|_, entry| entry.wanted || entry.may_be_there());
        let mut surplus: Vec<&Entry<T>> =
            self.entries.values().filter(|entry| !entry.wanted).collect();
        surplus.sort_by_key(|entry| std::cmp::Reverse(entry.serial));
        for entry in surplus {
            let bars = plan.add.iter().any(|object| object.is_barred_by(&entry.object));
            let queue = if bars { &mut plan.before } else { &mut plan.surplus };
            queue.push(entry.object.clone());
        }
        plan
    }

    /// The outcome of an addition. Returns what is worth telling.
    pub(super) fn added(
        &mut self,
        object: T,
        outcome: Result<(), NetlinkError>,
    ) -> Option<NetlinkError> {
        self.serial += 1;
        let entry = self.entries.get_mut(&object.key())?;
        entry.serial = self.serial;
        entry.object = object;
        entry.last_seen = None;
        match &outcome {
            Ok(()) | Err(NetlinkError::Refused { errno: Errno::EEXIST, .. }) => {
                entry.presence = Presence::Present;
                entry.refusal = None;
                return None;
            }
            // It may be there, and then it must go with the others.
            Err(NetlinkError::Unanswered { .. }) => entry.presence = Presence::Doubtful,
            Err(_) if entry.presence == Presence::Absent => {}
            // The kernel may refuse it for other reasons than that it is there.
            Err(_) => entry.presence = Presence::Doubtful,
        }
        entry.tell(outcome)
    }

    /// The outcome of a removal. Returns what is worth telling.
    pub(super) fn removed(
        &mut self,
        object: &T,
        outcome: Result<(), NetlinkError>,
    ) -> Option<NetlinkError> {
        let entry = self.entries.get_mut(&object.key())?;
        match &outcome {
            Ok(()) => entry.presence = Presence::Absent,
            // It, or its interface, is gone already.
            Err(NetlinkError::Refused {
                errno: Errno::ESRCH | Errno::ENOENT | Errno::ENODEV | Errno::EADDRNOTAVAIL,
                ..
            }) => entry.presence = Presence::Absent,
            Err(_) => return entry.tell(outcome),
        }
        if !entry.wanted {
            self.entries.remove(&object.key());
        }
        None
    }

    /// The kernel says that one was removed, and not by us. Where that was to be expected, nobody has taken it away.
    pub(super) fn vanished(&mut self, shown: &T) {
        let mut known = self.entries.values_mut().filter(|entry| entry.may_be_there());
        let Some(entry) = known.find(|entry| entry.object.is_shown_as(shown)) else { return };
        entry.presence = match entry.presence {
            Presence::Present | Presence::Stale if entry.wanted => Presence::Lost,
            Presence::Present | Presence::Stale => Presence::Doubtful,
            known => known,
        };
        entry.last_seen = Some(Box::new(shown.clone()));
    }

    /// What the kernel has shown of one that somebody has taken away.
    pub(super) fn last_seen(&self, object: &T) -> Option<&T> {
        self.entries.get(&object.key())?.last_seen.as_deref()
    }

    /// Something has happened after which the kernel may have removed, or does not hold any more, those that `concerns`
    /// says it for.
    pub(super) fn doubt(&mut self, concerns: impl Fn(&T) -> Option<Doubt>) {
        let believed = |entry: &&mut Entry<T>| {
            matches!(entry.presence, Presence::Present | Presence::Stale | Presence::Doubtful)
        };
        for entry in self.entries.values_mut().filter(believed) {
            match concerns(&entry.object) {
                Some(Doubt::MayBeGone) => entry.presence = Presence::Doubtful,
                Some(Doubt::Changed) => entry.presence = Presence::Stale,
                None => {}
            }
        }
    }

    /// What somebody else has taken away since the last call, although it was wanted.
    pub(super) fn take_lost(&mut self) -> Vec<T> {
        let lost = self.entries.values_mut().filter(|entry| entry.presence == Presence::Lost);
        let mut lost: Vec<&mut Entry<T>> = lost.collect();
        lost.sort_by_key(|entry| entry.serial);
        let take = |entry: &mut Entry<T>| {
            entry.presence = Presence::Doubtful;
            entry.object.clone()
        };
        lost.into_iter().map(take).collect()
    }

    /// Leaves it to whoever has taken it away, until it is not wanted any more.
    pub(super) fn give_up(&mut self, object: &T) {
        if let Some(entry) = self.entries.get_mut(&object.key()) {
            entry.presence = Presence::GivenUp;
        }
    }

    /// Takes in all that the kernel holds of those that `covered` says it for.
    pub(super) fn resync(&mut self, there: &[T], covered: impl Fn(&T) -> bool) {
        let known = self.entries.values_mut().filter(|entry| entry.may_be_there());
        for entry in known.filter(|entry| covered(&entry.object)) {
            let object = &entry.object;
            entry.presence = match there.iter().find(|&shown| object.is_shown_as(shown)) {
                Some(shown) if object.is_complete(shown) => Presence::Present,
                Some(_) => Presence::Stale,
                None if entry.presence == Presence::GivenUp => Presence::GivenUp,
                None if entry.wanted => Presence::Lost,
                None => Presence::Doubtful,
            };
        }
    }

    /// Takes for ours what a process before us has left behind: those `named` that are there.
    pub(super) fn adopt(&mut self, there: &[T], named: &[T]) {
        for object in named {
            let Some(shown) = there.iter().find(|&shown| object.is_shown_as(shown)) else {
                continue;
            };
            let complete = object.is_complete(shown);
            self.serial += 1;
            let entry = Entry {
                object: object.clone(),
                presence: if complete { Presence::Present } else { Presence::Stale },
                wanted: false,
                last_seen: None,
                refusal: None,
                serial: self.serial,
            };
            self.entries.entry(object.key()).or_insert(entry);
        }
    }

    /// Whether there is anything of ours.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether asking again may change something.
    pub(super) fn is_unsettled(&self) -> bool {
        let settled = |entry: &Entry<T>| {
            matches!(entry.presence, Presence::Present | Presence::GivenUp) && entry.wanted
        };
        !self.entries.values().all(settled)
    }

    /// Whether it is there because we want it.
    pub(super) fn holds(&self, object: &T) -> bool {
        let entry = self.entries.get(&object.key());
        entry.is_some_and(|entry| entry.wanted && entry.presence == Presence::Present)
    }
}

/// What may have become of an object without a word of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It may be gone. It may also be there again: what is told now has happened some time ago.
    MayBeGone,
    /// It is there, but something of it is gone.
    Changed,
}

impl<T: Object> Entry<T> {
    fn may_be_there(&self) -> bool {
        // What the kernel tells may be older than what we did last: only its answers to us are certain.
        self.presence != Presence::Absent
    }

    /// Whether nothing is to do for `wanted` to be there.
    fn is_as(&self, wanted: &T) -> bool {
        match self.presence {
            Presence::Present => self.object == *wanted,
            Presence::GivenUp => true,
            Presence::Stale | Presence::Doubtful | Presence::Lost | Presence::Absent => false,
        }
    }

    /// Whether it must be removed for `wanted` to be added as it should be.
    fn is_in_the_way_of(&self, wanted: &T) -> bool {
        self.may_be_there()
            && (self.presence == Presence::Stale
                || self.object != *wanted
                || self.object.has_parts())
    }

    fn tell(&mut self, outcome: Result<(), NetlinkError>) -> Option<NetlinkError> {
        let error = outcome.err()?;
        let told = self.refusal.is_some() && self.refusal == error.errno();
        self.refusal = error.errno();
        (!told).then_some(error)
    }
}
