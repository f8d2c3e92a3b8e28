//! Groups: of interfaces that share a pace, and of instances that change state together.

use std::collections::HashSet;
use std::time::{Duration, UNIX_EPOCH};

use runtime::report::{Moment, Report, yes_no};

use super::super::Engine;
use super::super::instance::Instance;
use super::Clocks;
use crate::announce::Pace;
use crate::fsm::Fault;
use crate::packet::Family;

/// Interfaces that share a pace.
struct Paced<'a> {
    interfaces: Vec<&'a str>,
    garp: Option<Duration>,
    gna: Option<Duration>,
}

impl Engine {
    /// The paces of announcements: those of groups, then those of single interfaces.
    pub(super) fn report_paces(&self, clocks: Clocks, out: &mut Report) {
        let groups = self.paces();
        if groups.is_empty() {
            return;
        }
        out.heading("Gratuitous ARP delays");
        for Paced { interfaces, garp, gna } in &groups {
            out.heading("GARP delay group");
            let next = |family| self.next_announcement(interfaces, family, clocks);
            if let Some(interval) = garp {
                out.field("GARP interval", fraction(*interval));
                out.line(format_args!("GARP next time {}", next(Family::V4).without_year()));
            }
            if let Some(interval) = gna {
                out.field("GNA interval", fraction(*interval));
                out.line(format_args!("GNA next time {}", next(Family::V6).without_year()));
            }
            out.line_if(garp.is_none() && gna.is_none(), "No configuration");
            out.line("Interfaces");
            // One blank more, and no step.
            interfaces.iter().for_each(|name| out.line(format_args!(" {name}")));
        }
    }

    /// The pace of an interface, where it has one.
    pub(super) fn pace_of(&self, name: &str) -> Option<Pace> {
        let groups = self.paces();
        let found = groups.iter().find(|group| group.interfaces.contains(&name))?;
        let (garp, gna) = (found.garp.unwrap_or_default(), found.gna.unwrap_or_default());
        Some(Pace { garp, gna })
    }

    fn paces(&self) -> Vec<Paced<'_>> {
        let configured = self.config.garp_groups.iter().map(|group| Paced {
            interfaces: group.interfaces.iter().map(String::as_str).collect(),
            garp: group.garp_interval,
            gna: group.gna_interval,
        });
        let mut groups: Vec<Paced<'_>> = configured.collect();
        let defaults = &self.global.vrrp.garp;
        let set = |interval: Duration| Some(interval).filter(|interval| !interval.is_zero());
        let (garp, gna) = (set(defaults.garp_interval), set(defaults.gna_interval));
        let mut known: HashSet<&str> =
            groups.iter().flat_map(|group| group.interfaces.iter().copied()).collect();
        for instance in self.instances.iter() {
            let families: Vec<Family> = std::iter::once(instance.config.family)
                .chain(instance.config.excluded.iter().map(|address| address.family()))
                .collect();
            let paced = families.contains(&Family::V4) && garp.is_some()
                || families.contains(&Family::V6) && gna.is_some();
            for name in announced_on(instance).filter(|_| paced) {
                if known.insert(name) {
                    groups.push(Paced { interfaces: vec![name], garp, gna });
                }
            }
        }
        groups
    }

    fn next_announcement(&self, interfaces: &[&str], family: Family, clocks: Clocks) -> Moment {
        let indexes = interfaces.iter().filter_map(|name| self.interfaces.by_name(name));
        let free = indexes.filter_map(|it| self.announcer.free_at(it.link().index, family)).max();
        free.map_or(Moment(UNIX_EPOCH), |at| clocks.moment(at))
    }

    /// The sync groups.
    pub(super) fn report_groups(&self, out: &mut Report) {
        if self.groups.iter().next().is_none() {
            return;
        }
        out.heading("VRRP Sync groups");
        for running in self.groups.iter() {
            let config = &running.config;
            let members: Vec<&Instance> =
                config.members.iter().filter_map(|&id| self.instances.get(id)).collect();
            let state = running.group.state().name();
            out.field("VRRP Sync Group", format_args!("{}, {state}", config.name));
            out.inside(|out| {
                let count = |is: fn(&Fault) -> bool| {
                    let faulty = |member: &&&Instance| member.router.faults().iter().any(is);
                    members.iter().filter(faulty).count()
                };
                let faulty = count(|fault| !fault.is_pending() && *fault != Fault::Group);
                let waiting = count(|fault| matches!(fault, Fault::Pending(_)));
                out.line(format_args!("Num member fault {faulty}, num member init {waiting}"));
                out.list("VRRP member instances :", members.iter().map(|member| member.name()));
                out.line_if(config.tracking_weight, "sync group tracking weight set");
                out.field("Using smtp notification", yes_no(config.smtp_alert));
                let changes = config.notify_priority_changes.map(yes_no);
                out.field_if_any("Notify priority changes", changes);
                self.report_trackers(&config.trackers, "Tracked process :", out);
                let notify = &config.notify;
                for (kind, script) in [
                    ("Backup", &notify.backup),
                    ("Master", &notify.master),
                    ("Fault", &notify.fault),
                    ("Stop", &notify.stop),
                    ("Generic", &notify.any),
                ] {
                    super::instance::report_script(kind, script.as_deref(), out);
                }
            });
        }
    }
}

/// The interfaces that an instance announces addresses on.
fn announced_on(instance: &Instance) -> impl Iterator<Item = &str> {
    let addresses = instance.config.all_addresses();
    let of_addresses = addresses.filter_map(|address| address.interface.as_deref());
    instance.config.interface.as_deref().into_iter().chain(of_addresses)
}

/// Seconds with six decimals.
fn fraction(time: Duration) -> String {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}
