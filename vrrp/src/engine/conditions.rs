//! What the machine means to an instance: which faults it has, what tracking adds to its priority, and where its adverts
//! come from.
//!
//! Nothing here remembers events. What holds is computed from the machine as it is now, and compared with what the
//! election believes, so that no order of events can leave an instance in FAULT.

use std::net::IpAddr;
use std::rc::Rc;

use super::links::Links;
use super::own_links;
use super::tracking::Tracked;
use crate::config;
use crate::config::track::{Tracker, Trackers};
use crate::fsm::{Event, Fault, Router};
use crate::interfaces::Interfaces;
use crate::kernel::own_links::OwnLinks;
use crate::track::Contribution;

/// What holds for an instance now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    faults: Vec<Fault>,
    weight: i32,
}

impl Conditions {
    /// What holds for `config`, whose sync group has `group_trackers`. `source` is where its adverts come from.
    pub(super) fn of(
        config: &config::Instance,
        group_trackers: Option<&Trackers>,
        world: World<'_>,
        source: Option<IpAddr>,
    ) -> Self {
        let mut conditions = Self::default();
        if world.is_duplicate {
            conditions.fault(Fault::DuplicateVrid);
        }
        if config.defective {
            conditions.fault(Fault::Configuration);
        }
        let is_up = |name: &str| {
            world.interfaces.by_name(name).is_some_and(|interface| world.links.is_up(interface))
        };
        let needed: Vec<&str> =
            implicitly_tracked(config, world.interfaces, world.own_links).collect();
        for &name in needed.iter().filter(|name| !is_up(name)) {
            conditions.fault(Fault::InterfaceDown(Rc::from(name)));
        }
        // What is needed anyway has no weight.
        let weighed = joined(config, group_trackers, |trackers| &trackers.interfaces)
            .filter(|tracker| !needed.contains(&tracker.what.as_str()));
        for tracker in weighed {
            let name = tracker.what.as_str();
            let fault = || Fault::InterfaceDown(Rc::from(name));
            conditions.contribute(tracker.weighting.contribution(is_up(name)), fault);
        }
        for tracker in joined(config, group_trackers, |trackers| &trackers.scripts) {
            let Some(script) = world.tracked.scripts.get(tracker.what) else { continue };
            let name = || Rc::from(script.name());
            if let Some(good) = script.is_good() {
                let contribution = tracker.weighting.contribution(good);
                conditions.contribute(contribution, || Fault::Script(name()));
            } else if script.is_awaited() && tracker.weighting.weight == 0 {
                conditions.fault(Fault::Pending(name()));
            }
        }
        conditions.track_reports(config, group_trackers, world.tracked);
        if let Some(missing) = tracked_source(config).filter(|&own| !world.interfaces.has(own)) {
            conditions.fault(Fault::SourceMissing(missing));
        }
        if let (None, Some(interface)) = (source, &config.interface) {
            conditions.fault(Fault::NoSourceAddress(config.family, Rc::from(interface.as_str())));
        }
        conditions
    }

    /// Files, processes and BFD sessions.
    fn track_reports(
        &mut self,
        config: &config::Instance,
        group: Option<&Trackers>,
        tracked: &Tracked,
    ) {
        for tracker in joined(config, group, |trackers| &trackers.files) {
            let Some(file) = tracked.files.get(tracker.what) else { continue };
            let contribution = tracker.weighting.file_contribution(file.number());
            self.contribute(contribution, || Fault::File(Rc::from(file.name())));
        }
        for tracker in joined(config, group, |trackers| &trackers.processes) {
            let Some(process) = tracked.processes.get(tracker.what) else { continue };
            let contribution = tracker.weighting.contribution(process.has_quorum());
            self.contribute(contribution, || Fault::Process(Rc::from(process.name())));
        }
        for tracker in joined(config, group, |trackers| &trackers.sessions) {
            let Some(session) = tracked.sessions.get(tracker.what) else { continue };
            let contribution = tracker.weighting.contribution(session.is_up());
            self.contribute(contribution, || Fault::Bfd(Rc::from(session.name())));
        }
    }

    /// What takes `router` to these conditions. New faults come before old ones go, so that it does not recover in
    /// between.
    pub(super) fn events(&self, router: &Router) -> Vec<Event> {
        let believed: Vec<&Fault> = router.faults().iter().filter(|fault| is_ours(fault)).collect();
        let new = self.faults.iter().filter(|fault| !believed.contains(fault)).cloned();
        let gone = believed.iter().filter(|fault| !self.faults.contains(fault));
        let weight = (self.weight != router.weight()).then_some(Event::Weight(self.weight));
        new.map(Event::Fault)
            .chain(weight)
            .chain(gone.map(|&fault| Event::Cleared(fault.clone())))
            .collect()
    }

    fn contribute(&mut self, contribution: Contribution, fault: impl FnOnce() -> Fault) {
        match contribution {
            Contribution::Fault => self.fault(fault()),
            Contribution::Priority(weight) => self.weight = self.weight.saturating_add(weight),
        }
    }

    fn fault(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

/// What there is to depend on.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) interfaces: &'a Interfaces,
    pub(super) links: &'a Links,
    pub(super) own_links: &'a OwnLinks,
    /// Whether another instance is the same virtual router on the same wire.
    pub(super) is_duplicate: bool,
    pub(super) tracked: &'a Tracked,
}

/// The trackers of an instance and of its group. Where both name the same, the group's weight counts, unless the
/// instance makes it a fault.
pub(super) fn joined<'a, T: PartialEq + 'a>(
    config: &'a config::Instance,
    group: Option<&'a Trackers>,
    kind: fn(&Trackers) -> &Vec<Tracker<T>>,
) -> impl Iterator<Item = &'a Tracker<T>> {
    let own = kind(&config.trackers);
    let shared = group.map_or(&[][..], |trackers| kind(trackers));
    let kept = own.iter().filter(move |tracker| {
        tracker.weighting.weight == 0 || shared.iter().all(|other| other.what != tracker.what)
    });
    let added = shared.iter().filter(move |tracker| {
        own.iter().all(|other| other.what != tracker.what || other.weighting.weight != 0)
    });
    kept.chain(added)
}

/// The faults that are computed here; the others are told to the election by those who know.
fn is_ours(fault: &Fault) -> bool {
    match fault {
        Fault::InterfaceDown(_)
        | Fault::NoSourceAddress(..)
        | Fault::SourceMissing(_)
        | Fault::Configuration
        | Fault::DuplicateVrid
        | Fault::Script(_)
        | Fault::File(_)
        | Fault::Process(_)
        | Fault::Bfd(_)
        | Fault::Pending(_) => true,
        Fault::SourceNotConfigured | Fault::Group | Fault::GroupPending => false,
    }
}

/// The address that the machine must have, besides those of the interfaces (`track_src_ip`).
pub(super) fn tracked_source(config: &config::Instance) -> Option<IpAddr> {
    config.source.filter(|_| config.track_source)
}

/// The interfaces that `config` needs to be up without having said so.
fn implicitly_tracked<'a>(
    config: &'a config::Instance,
    interfaces: &'a Interfaces,
    links: &'a OwnLinks,
) -> impl Iterator<Item = &'a str> {
    let own = config.interface.as_deref();
    // An interface that stands on another one, as VMACs do, needs that too.
    let base = own.and_then(|name| base_name(name, interfaces));
    // What is on a VMAC of its own needs that one.
    let of_addresses = config
        .all_addresses()
        .filter(|address| address.tracked && !address.use_vmac)
        .filter_map(|address| address.interface.as_deref())
        .filter(move |&name| Some(name) != own);
    let routes = config.routes.iter().filter(|route| route.tracked);
    let of_routes = routes.filter_map(|route| route.interface.as_deref());
    let rules = config.rules.iter().filter(|rule| rule.tracked);
    let of_rules = rules
        .flat_map(|rule| [rule.wanted.input.as_deref(), rule.wanted.output.as_deref()])
        .flatten();
    own.into_iter()
        .chain(base)
        .chain(own_links::of_adverts(config, links))
        .filter(|_| config.track_primary)
        .chain(of_addresses)
        .chain(own_links::of_addresses(config, links))
        .chain(of_routes)
        .chain(of_rules)
        .chain(config.shared_interfaces.iter().map(String::as_str))
}

/// Whether a change of the interface called `name` can matter to `config`.
pub(super) fn concerns(
    config: &config::Instance,
    group_trackers: Option<&Trackers>,
    interfaces: &Interfaces,
    links: &OwnLinks,
    name: &str,
) -> bool {
    let own = config.interface.as_deref();
    own == Some(name)
        || own.and_then(|own| base_name(own, interfaces)) == Some(name)
        || own_links::of_adverts(config, links) == Some(name)
        || implicitly_tracked(config, interfaces, links).any(|tracked| tracked == name)
        || tracks(&config.trackers, name)
        || group_trackers.is_some_and(|trackers| tracks(trackers, name))
}

fn tracks(trackers: &Trackers, name: &str) -> bool {
    trackers.interfaces.iter().any(|tracker| tracker.what == name)
}

/// What an interface stands on, as a macvlan does.
fn base_name<'a>(name: &str, interfaces: &'a Interfaces) -> Option<&'a str> {
    let index = interfaces.by_name(name)?.link().index;
    let base = interfaces.base(index);
    (base != index).then(|| interfaces.get(base).map(|base| base.link().name.as_str())).flatten()
}
