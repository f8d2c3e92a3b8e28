//! Rules between sync groups and their members' trackers, and between intervals and interface delays.

use std::collections::HashMap;
use std::time::Duration;

use conf_parser::Place;

use super::context::Context;
use super::track::{Tracker, Trackers};
use super::{Config, Instance, InstanceId};
use crate::packet::Priority;

/// Weights of a group go where a member owns its addresses, and what is tracked twice is reported.
pub(super) fn check_groups(config: &mut Config, places: &[Place], context: &mut Context<'_>) {
    let mut groups = std::mem::take(&mut config.groups);
    for group in &mut groups {
        let members: Vec<(InstanceId, &Instance)> =
            group.members.iter().filter_map(|&id| Some((id, config.instance(id)?))).collect();
        let place_of = |id: InstanceId| {
            let index = usize::try_from(id.0).ok();
            index.and_then(|index| places.get(index)).copied().unwrap_or_default()
        };
        if members.iter().any(|(_, instance)| instance.is_owner()) {
            let place = members.first().map(|&(id, _)| place_of(id)).unwrap_or_default();
            let mut clearing = Clearing { group: &group.name, place, config, context };
            clearing.all(&mut group.trackers);
        }
        for (id, instance) in members {
            let mut twice = Twice { instance, place: place_of(id), config, context };
            twice.report(&group.trackers);
        }
    }
    config.groups = groups;
}

struct Clearing<'c, 'm> {
    group: &'c str,
    place: Place,
    config: &'c Config,
    context: &'c mut Context<'m>,
}

impl Clearing<'_, '_> {
    fn all(&mut self, trackers: &mut Trackers) {
        let config = self.config;
        let script = |id: super::track::ScriptId| config.script(id).map(|it| it.name.clone());
        let file = |id: super::track::FileId| config.file(id).map(|it| it.name.clone());
        let process = |id: super::track::ProcessId| config.process(id).map(|it| it.name.clone());
        let session = |id: super::track::SessionId| config.session(id).map(str::to_owned);
        self.clear("script", "clearing weight", &mut trackers.scripts, script);
        self.clear("file", "setting weight 0", &mut trackers.files, file);
        self.clear("process", "setting weight 0", &mut trackers.processes, process);
        self.clear("bfd", "setting weight 0", &mut trackers.sessions, session);
        self.clear("interface", "clearing weight", &mut trackers.interfaces, Some);
    }

    fn clear<T: Clone>(
        &mut self,
        kind: &str,
        done: &str,
        trackers: &mut [Tracker<T>],
        name: impl Fn(T) -> Option<String>,
    ) {
        for tracker in trackers.iter_mut().filter(|tracker| tracker.weighting.weight != 0) {
            let text = format!(
                "({}) Cannot have weighted track {kind} '{}' with member having priority {} - {done}",
                self.group,
                name(tracker.what.clone()).unwrap_or_default(),
                Priority::OWNER.0
            );
            self.context.report_later(self.place, text);
            tracker.weighting.weight = 0;
        }
    }
}

/// Reports what an instance and its group both track.
struct Twice<'c, 'm> {
    instance: &'c Instance,
    place: Place,
    config: &'c Config,
    context: &'c mut Context<'m>,
}

impl Twice<'_, '_> {
    fn report(&mut self, group: &Trackers) {
        let own = &self.instance.trackers;
        let primary = self.instance.interface.as_ref().filter(|_| self.instance.track_primary);
        for tracker in &group.interfaces {
            let tracked = own.interfaces.iter().any(|own| own.what == tracker.what);
            if tracked || primary == Some(&tracker.what) {
                let text = format!(
                    "({}) track_interface {} is configured on VRRP instance and sync group. Remove vrrp instance or sync group config",
                    self.instance.name, tracker.what
                );
                self.context.report_later(self.place, text);
            }
        }
        let config = self.config;
        let name = |id| config.script(id).map_or("", |script| script.name.as_str());
        self.note("track_script", &own.scripts, &group.scripts, name);
        let name = |id| config.file(id).map_or("", |file| file.name.as_str());
        self.note("track_file", &own.files, &group.files, name);
        let name = |id| config.process(id).map_or("", |process| process.name.as_str());
        self.note("track_process", &own.processes, &group.processes, name);
        let name = |id| config.session(id).unwrap_or("");
        self.note("track_bfd", &own.sessions, &group.sessions, name);
    }

    fn note<'n, T: Copy + PartialEq>(
        &mut self,
        kind: &str,
        own: &[Tracker<T>],
        group: &[Tracker<T>],
        name: impl Fn(T) -> &'n str,
    ) {
        for tracker in
            group.iter().filter(|of_group| own.iter().any(|own| own.what == of_group.what))
        {
            let text = format!(
                "({}) {kind} {} is configured on VRRP instance and sync group. Remove vrrp instance config",
                self.instance.name,
                name(tracker.what)
            );
            self.context.note(self.place, text);
        }
    }
}

/// An interface must be seen to be down before the other routers take over: its delay stays below the time that they
/// wait, less one interval.
pub(super) fn limit_delays(config: &mut Config, context: &mut Context<'_>) {
    if config.delays.is_empty() {
        return;
    }
    let mut limits: HashMap<&str, (Duration, &Instance)> = HashMap::new();
    for instance in &config.instances {
        let Some(interface) = &instance.interface else { continue };
        let limit = longest_link_delay(instance.down_timer_adverts, instance.advert_interval);
        let known = limits.entry(context.base_of(interface)).or_insert((limit, instance));
        if limit < known.0 {
            *known = (limit, instance);
        }
    }
    for delay in &mut config.delays {
        let Some(&(limit, instance)) = limits.get(delay.interface.as_str()) else { continue };
        let in_vain = limit.is_zero() && !delay.up.is_zero();
        if delay.down <= limit && !in_vain {
            continue;
        }
        let text = if limit.is_zero() {
            format!(
                "{}: cannot use debounce timers with down_timer_adverts = 1 - resetting",
                instance.name
            )
        } else {
            format!(
                "{}: interface {} debounce timer(s) not less that {} * advert_int - resetting",
                instance.name,
                delay.interface,
                instance.down_timer_adverts - 1
            )
        };
        context.note(Place::default(), text);
        if delay.up == delay.down || limit.is_zero() {
            delay.up = limit;
        }
        delay.down = limit;
    }
}

/// How long a change of an interface may be held back when other routers wait for `adverts` intervals.
pub fn longest_link_delay(adverts: u8, interval: Duration) -> Duration {
    match adverts {
        0 | 1 => Duration::ZERO,
        adverts => interval * u32::from(adverts - 1) - interval / 256,
    }
}
