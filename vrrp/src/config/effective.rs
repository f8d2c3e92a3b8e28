//! All that an instance depends on: its own trackers, those of its sync group, and what it tracks without saying so.

use std::collections::HashMap;

use super::track::{Tracker, Trackers};
use super::{Config, Instance, InstanceId, SyncGroup, TrackGroupId};
use crate::track::Weighting;

/// Down is a fault.
const FAULT: Weighting = Weighting { weight: 0, reverse: false };

impl Config {
    /// For each instance, in order, all that it depends on: its trackers with those of its sync group, its interface, and
    /// the interfaces of its addresses, routes and rules and of the static objects that it shares a track group with.
    ///
    /// What is tracked twice counts once: what comes later decides, unless it is a fault reason already.
    pub fn effective_trackers(&self) -> Vec<Trackers> {
        let by_static = self.interfaces_of_static_objects();
        let ids = (0..).map(InstanceId);
        let instances = self.instances.iter().zip(ids);
        instances
            .map(|(instance, id)| {
                let mut all = Trackers::clone(&instance.trackers);
                for interface in instance.needed_interfaces() {
                    add(&mut all.interfaces, interface.to_owned(), FAULT);
                }
                for interface in by_static.get(&id).into_iter().flatten() {
                    add(&mut all.interfaces, (*interface).to_owned(), FAULT);
                }
                if let Some(group) = instance.group.and_then(|group| self.group(group)) {
                    add_group(&mut all, group);
                }
                all
            })
            .collect()
    }

    fn interfaces_of_static_objects(&self) -> HashMap<InstanceId, Vec<&str>> {
        let addresses =
            self.static_addresses.iter().map(|address| (address.track_group, &address.interface));
        let routes = self.static_routes.iter().map(|route| (route.track_group, &route.interface));
        let rules = self.static_rules.iter().map(|rule| (rule.track_group, &rule.wanted.input));
        let mut found: HashMap<InstanceId, Vec<&str>> = HashMap::new();
        for (group, interface) in addresses.chain(routes).chain(rules) {
            let (Some(group), Some(interface)) = (group, interface) else { continue };
            for &member in self.members(group) {
                found.entry(member).or_default().push(interface);
            }
        }
        found
    }

    fn members(&self, group: TrackGroupId) -> &[InstanceId] {
        let index = usize::try_from(group.0).ok();
        let group = index.and_then(|index| self.track_groups.get(index));
        group.map_or(&[], |group| &group.members)
    }
}

impl Instance {
    /// The interfaces that must be up for the instance to do its work.
    fn needed_interfaces(&self) -> impl Iterator<Item = &str> {
        let own = self.interface.as_deref().filter(|_| self.track_primary);
        let addresses = self
            .all_addresses()
            .filter(|address| address.tracked && !address.use_vmac)
            .filter_map(|address| address.interface.as_deref());
        let routes = self.routes.iter().filter(|route| route.tracked);
        let routes = routes.filter_map(|route| route.interface.as_deref());
        let rules = self.rules.iter().filter(|rule| rule.tracked);
        let rules =
            rules.flat_map(|rule| [rule.wanted.input.as_deref(), rule.wanted.output.as_deref()]);
        own.into_iter().chain(addresses).chain(routes).chain(rules.flatten())
    }
}

fn add_group(all: &mut Trackers, group: &SyncGroup) {
    let Trackers { interfaces, scripts, files, processes, sessions } = &group.trackers;
    for tracker in interfaces {
        add(&mut all.interfaces, tracker.what.clone(), tracker.weighting);
    }
    for tracker in scripts {
        add(&mut all.scripts, tracker.what, tracker.weighting);
    }
    for tracker in files {
        add(&mut all.files, tracker.what, tracker.weighting);
    }
    for tracker in processes {
        add(&mut all.processes, tracker.what, tracker.weighting);
    }
    for tracker in sessions {
        add(&mut all.sessions, tracker.what, tracker.weighting);
    }
}

fn add<T: PartialEq>(trackers: &mut Vec<Tracker<T>>, what: T, weighting: Weighting) {
    match trackers.iter_mut().find(|tracker| tracker.what == what) {
        None => trackers.push(Tracker { what, weighting }),
        Some(known) if known.weighting.weight != 0 => known.weighting = weighting,
        Some(_) => {}
    }
}
