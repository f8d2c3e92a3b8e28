//! The interfaces that we make: VMACs, and ipvlan interfaces.
//!
//! As with addresses there is one idea: what is wanted is compared with what is there, and the difference is asked for.
//! An interface that a killed process has left behind, one that somebody else has deleted or renamed, a parent that came
//! back, and shutdown are all the same to it. It takes rounds, since what is new must be seen before it can be set up:
//! [`OwnLinks::plan`] is asked until it wants nothing more.

mod leaving;
mod link;
mod name;
mod wanted;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use log::info;
use runtime::machine::{Address, IfIndex, Link};
use runtime::netlink::{LinkChange, LinkKind, NetlinkError, Request};

pub(crate) use wanted::{Key, LinkLocal, Wanted, wanted};

use self::leaving::Leaving;
use self::link::{Found, OwnLink, State};
use super::sysctl::{Knob, Setting};
use crate::interfaces::Interfaces;
use crate::packet::Family;

/// The interfaces that we make, as far as they are there.
#[derive(Debug, Default)]
pub(crate) struct OwnLinks {
    links: BTreeMap<Key, OwnLink>,
    leaving: Vec<Leaving>,
    /// Those that a process before us has made, until it is known which of them are wanted.
    inherited: Vec<(IfIndex, String)>,
}

/// Something to be asked of the kernel, and what it is for.
#[derive(Debug)]
pub(crate) struct Step {
    request: Request,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Create(Key),
    SetUp(Key),
    Gather(IfIndex),
    Remove(Vec<IfIndex>),
    /// It only makes the kernel talk.
    Notify,
}

impl Step {
    /// What is to be asked.
    pub(crate) fn request(&self) -> &Request {
        &self.request
    }
}

impl OwnLinks {
    /// What a process before us has made, by number and name: what of it is not wanted goes.
    pub(crate) fn inherited(links: Vec<(IfIndex, String)>) -> Self {
        Self { inherited: links, ..Self::default() }
    }

    /// From now on exactly these interfaces are wanted. Those that are there already keep their names, unless those are asked
    /// for elsewhere.
    pub(crate) fn want(&mut self, wanted: Vec<Wanted>, interfaces: &Interfaces) {
        let mut before = std::mem::take(&mut self.links);
        let given: HashMap<String, Key> =
            wanted.iter().filter_map(|one| Some((one.name.clone()?, one.key.clone()))).collect();
        let mut fresh = Vec::new();
        for (place, wanted) in wanted.into_iter().enumerate() {
            if let Some(link) = self.links.get_mut(&wanted.key) {
                link.share(wanted);
                continue;
            }
            let key = wanted.key.clone();
            let link = match before.remove(&key) {
                Some(link)
                    if link.may_keep_its_name(&wanted)
                        && given.get(&link.name).is_none_or(|of| *of == key) =>
                {
                    link.adjusted(wanted, place)
                }
                old => {
                    if let Some(link) = old {
                        info!("({}) Deleting old VMAC interface {}", wanted.user, link.name);
                        self.leave(link);
                    }
                    fresh.push(key.clone());
                    OwnLink::new(wanted, place)
                }
            };
            self.links.insert(key, link);
        }
        let mut dropped: Vec<OwnLink> = before.into_values().collect();
        dropped.sort_by_key(|link| link.place);
        for link in dropped {
            self.leave(link);
        }
        self.disown(interfaces);
        for key in fresh {
            self.name(&key, interfaces);
        }
    }

    /// Whether there is nothing to do, ever.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty() && self.leaving.is_empty() && self.inherited.is_empty()
    }

    /// What could not be done before is tried again.
    pub(crate) fn retry(&mut self) {
        for link in self.links.values_mut().filter(|link| link.state == State::Refused) {
            link.state = State::Absent;
        }
        for link in &mut self.leaving {
            link.asked = false;
        }
    }

    /// The number of an interface, while it is there.
    pub(crate) fn index(&self, key: &Key) -> Option<IfIndex> {
        self.links.get(key)?.index()
    }

    /// The name of an interface, whether it is there or not.
    pub(crate) fn name_of(&self, key: &Key) -> Option<&str> {
        Some(self.links.get(key)?.name.as_str())
    }

    /// The VMACs that are there: what they are for, their numbers and names.
    pub(crate) fn vmacs(&self) -> impl Iterator<Item = (&Wanted, IfIndex, &str)> {
        let vmacs = self
            .links
            .values()
            .filter(|link| matches!(link.wanted.kind, LinkKind::PrivateMacvlan { .. }));
        vmacs.filter_map(|link| Some((&link.wanted, link.index()?, link.name.as_str())))
    }

    /// The names of all of them, whether they are there or not.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.links.values().map(|link| link.name.as_str())
    }

    /// Those that are there, by number and name.
    pub(crate) fn made(&self) -> impl Iterator<Item = (IfIndex, &str)> {
        self.links.values().filter_map(|link| Some((link.index()?, link.name.as_str())))
    }

    /// Whether an interface is one of ours.
    pub(crate) fn is_ours(&self, index: IfIndex) -> bool {
        self.links.values().any(|link| link.index() == Some(index))
    }

    /// What is to be asked of the kernel next; nothing where all is as it should be, or cannot be.
    pub(crate) fn plan(&mut self, interfaces: &Interfaces) -> Vec<Step> {
        self.look(interfaces);
        let removals = self.removals(interfaces);
        if !removals.is_empty() {
            // A name or an address that they have may be wanted.
            return removals;
        }
        let mut steps = Vec::new();
        let mut taken: HashSet<IfIndex> = self.links.values().filter_map(OwnLink::index).collect();
        let mut links: Vec<&mut OwnLink> = self.links.values_mut().collect();
        links.sort_by_key(|link| link.place);
        for link in links {
            let Some(parent) = interfaces.by_name(link.wanted.key.parent()) else { continue };
            if link.state == State::Absent {
                match link.find(parent, interfaces, &taken) {
                    Found::Ours(index) => {
                        taken.insert(index);
                        link.state = State::Made(index);
                    }
                    Found::InTheWay(leaving) => self.leaving.push(leaving),
                    Found::Nothing => steps.extend(link.create(parent.link(), interfaces)),
                }
            }
            match link.state {
                State::Made(index) => steps.extend(link.set_up(index, parent, interfaces)),
                State::Ready(index) => steps.extend(link.follow_vrf(index, parent, interfaces)),
                State::Absent | State::Unseen | State::Refused => {}
            }
        }
        if self.leaving.iter().any(|link| !link.asked) {
            steps.splice(0..0, self.removals(interfaces));
        }
        steps
    }

    /// How what was planned has ended.
    pub(crate) fn done(&mut self, steps: Vec<Step>, outcomes: Vec<Result<(), NetlinkError>>) {
        for (Step { request, task }, outcome) in steps.into_iter().zip(outcomes) {
            match task {
                Task::Create(key) => {
                    if let Some(link) = self.links.get_mut(&key) {
                        link.created(outcome);
                    }
                }
                Task::SetUp(key) => {
                    if let Some(link) = self.links.get_mut(&key) {
                        link.was_set_up(&request, outcome);
                    }
                }
                Task::Gather(index) => self.gathered(index, &outcome),
                Task::Remove(indexes) => self.removed_together(&indexes, outcome),
                Task::Notify => {}
            }
        }
    }

    /// The settings that the interfaces and those below them need. Those of the former go with them, those of the latter
    /// are to be put back when nobody needs them any more.
    pub(crate) fn settings(&self, interfaces: &Interfaces) -> BTreeMap<Setting, i32> {
        let mut settings = BTreeMap::new();
        for link in self.links.values() {
            let Some(index) = link.index() else { continue };
            let mut set = |index, knob, value| {
                settings.insert(Setting::Interface(index, knob), value);
            };
            set(index, Knob::DisableIpv6, i32::from(!link.wanted.speaks(Family::V6)));
            if !matches!(link.wanted.key, Key::Vmac { .. }) {
                continue;
            }
            set(index, Knob::ArpIgnore, 1);
            if link.wanted.family == Family::V6 {
                continue;
            }
            // Adverts of other routers come from addresses of this link, which another interface has.
            set(index, Knob::AcceptLocal, 1);
            set(index, Knob::RpFilter, 0);
            set(index, Knob::PromoteSecondaries, 1);
        }
        settings.extend(self.settings_below(interfaces));
        settings
    }

    /// The settings of the interfaces below VMACs for IPv4, for as long as those are there: they must not answer for the
    /// addresses of the virtual router, nor VMACs for theirs.
    fn settings_below(&self, interfaces: &Interfaces) -> BTreeMap<Setting, i32> {
        let present = self.links.values().filter(|link| link.is_ipv4_vmac());
        let present = present.filter_map(OwnLink::index);
        let leaving = self.leaving.iter().filter(|link| link.ipv4_vmac).map(|link| link.index);
        present
            .chain(leaving)
            .map(|index| (index, interfaces.base(index)))
            .filter(|(index, base)| index != base)
            .flat_map(|(_, base)| [Knob::ArpIgnore, Knob::ArpFilter].map(|knob| (base, knob)))
            .map(|(base, knob)| (Setting::Interface(base, knob), 1))
            .collect()
    }

    /// The addresses that the interfaces have for themselves.
    pub(crate) fn addresses(&self, interfaces: &Interfaces) -> Vec<Address> {
        let there = self.links.values().filter_map(|link| Some((link, link.index()?)));
        there.flat_map(|(link, index)| link.addresses(index, interfaces)).collect()
    }

    /// The address of the link that a VMAC sends adverts over IPv6 from.
    pub(crate) fn link_local(&self, key: &Key, interfaces: &Interfaces) -> Option<IpAddr> {
        let link = self.links.get(key)?;
        link.index()?;
        link.link_local(interfaces)
    }

    /// Compares what is known with what is there: what is gone, renamed or on another interface than it should be is
    /// missing, what was made is seen.
    fn look(&mut self, interfaces: &Interfaces) {
        let mut strayed = Vec::new();
        for link in self.links.values_mut() {
            if let Some(index) = link.index() {
                match interfaces.get(index).map(|found| found.link().name.as_str()) {
                    Some(name) if name == link.name && link.is_in_place(index, interfaces) => {}
                    Some(name) => {
                        // It is still ours, and nobody else needs it.
                        strayed.push(link.leaving(index, name));
                        link.state = State::Absent;
                    }
                    None => link.state = State::Absent,
                }
            }
            if link.state == State::Unseen {
                if let Some(found) = interfaces.by_name(&link.name) {
                    link.state = State::Made(found.link().index);
                }
            }
        }
        self.leaving.extend(strayed);
        self.leaving.retain(|link| interfaces.get(link.index).is_some());
    }

    fn leave(&mut self, link: OwnLink) {
        if let Some(index) = link.index() {
            self.leaving.push(link.leaving(index, &link.name));
        }
    }

    /// Gives an interface the configured name, or one that nothing else has.
    fn name(&mut self, key: &Key, interfaces: &Interfaces) {
        let Some(link) = self.links.get(key) else { return };
        let Wanted { name, prefix, vrid, family, .. } = &link.wanted;
        // What is to go is gone by then.
        let goes = |index| self.leaving.iter().any(|link| link.index == index);
        let is_taken = |name: &str| {
            interfaces.by_name(name).is_some_and(|one| !goes(one.link().index))
                || self
                    .links
                    .values()
                    .any(|one| one.name == name || one.wanted.name.as_deref() == Some(name))
        };
        let name = name.clone().unwrap_or_else(|| name::free(prefix, *vrid, *family, is_taken));
        if let Some(link) = self.links.get_mut(key) {
            link.name = name;
        }
    }
}

/// Has the kernel tell about an interface. That a bridge has become promiscuous for its sake it would not say otherwise.
fn notify(base: &Link) -> Step {
    let request = Request::ChangeLink(base.index, LinkChange::Group(base.group));
    Step { request, task: Task::Notify }
}

#[cfg(test)]
mod tests;
