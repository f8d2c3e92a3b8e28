//! What the machine means to an instance: which faults it has, what tracking adds to its priority, and where its adverts
//! come from.
//!
//! Nothing here remembers events. What holds is computed from the machine as it is now, and compared with what the
//! election believes, so that no order of events can leave an instance in FAULT.

use std::net::IpAddr;
use std::rc::Rc;

use runtime::machine::Link;

use crate::config;
use crate::config::track::Trackers;
use crate::fsm::{Event, Fault, Router};
use crate::interfaces::{Interface, Interfaces};
use crate::track::Contribution;

/// What holds for an instance now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    faults: Vec<Fault>,
    weight: i32,
}

impl Conditions {
    /// What holds for `config`, whose sync group has `group_trackers`, on this machine. `source` is where its adverts come
    /// from.
    pub(super) fn of(
        config: &config::Instance,
        group_trackers: Option<&Trackers>,
        interfaces: &Interfaces,
        source: Option<IpAddr>,
    ) -> Self {
        let mut conditions = Self::default();
        if config.defective {
            conditions.fault(Fault::Configuration);
        }
        let is_up =
            |name: &str| interfaces.by_name(name).map(Interface::link).is_some_and(Link::is_up);
        for name in implicitly_tracked(config) {
            if !is_up(name) {
                conditions.fault(Fault::InterfaceDown(Rc::from(name)));
            }
        }
        let own = config.trackers.interfaces.iter();
        let of_group = group_trackers.into_iter().flat_map(|trackers| &trackers.interfaces);
        for tracker in own.chain(of_group) {
            let name = tracker.what.as_str();
            let fault = || Fault::InterfaceDown(Rc::from(name));
            conditions.contribute(tracker.weighting.contribution(is_up(name)), fault);
        }
        if let (None, Some(interface)) = (source, &config.interface) {
            conditions.fault(Fault::NoSourceAddress(config.family, Rc::from(interface.as_str())));
        }
        conditions
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

/// The faults that are computed here; the others are told to the election by those who know.
fn is_ours(fault: &Fault) -> bool {
    match fault {
        Fault::InterfaceDown(_) | Fault::NoSourceAddress(..) | Fault::Configuration => true,
        Fault::SourceNotConfigured
        | Fault::DuplicateVrid
        | Fault::Script(_)
        | Fault::File(_)
        | Fault::Process(_)
        | Fault::Bfd(_)
        | Fault::Pending(_)
        | Fault::Group
        | Fault::GroupPending => false,
    }
}

/// The interfaces that `config` needs to be up without having said so.
fn implicitly_tracked(config: &config::Instance) -> impl Iterator<Item = &str> {
    let own = config.interface.as_deref();
    let of_addresses = config
        .all_addresses()
        .filter(|address| address.tracked)
        .filter_map(|address| address.interface.as_deref())
        .filter(move |&name| Some(name) != own);
    own.filter(|_| config.track_primary).into_iter().chain(of_addresses)
}

/// Whether a change of the interface called `name` can matter to `config`.
pub(super) fn concerns(
    config: &config::Instance,
    group_trackers: Option<&Trackers>,
    name: &str,
) -> bool {
    config.interface.as_deref() == Some(name)
        || implicitly_tracked(config).any(|tracked| tracked == name)
        || tracks(&config.trackers, name)
        || group_trackers.is_some_and(|trackers| tracks(trackers, name))
}

fn tracks(trackers: &Trackers, name: &str) -> bool {
    trackers.interfaces.iter().any(|tracker| tracker.what == name)
}
