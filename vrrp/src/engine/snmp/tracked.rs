//! What instances and sync groups track, and how it counts for them.

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};

use super::super::Engine;
use super::{reverse, weight};
use crate::config::track::{Tracker, Trackers};
use crate::track::Weighting;

struct Row<'a> {
    name: &'a str,
    weighting: Weighting,
}

/// Who tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Instances.
    Instances,
    /// Sync groups.
    Groups,
}

/// `vrrpTrackedInterfaceTable` and `vrrpSyncTrackedInterfaceTable`. Interfaces have no index that cannot be read, and so
/// their columns begin with 1.
pub(super) fn interfaces(engine: &Engine, by: By, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(1, |row| Some(Value::text(row.name))),
        column(2, |row| weight(row.weighting)),
        column(3, |row| reverse(row.weighting)),
    ];
    find(columns, rows(engine, by, |all| &all.interfaces, |name| Some(name)), ask)
}

/// `vrrpTrackedScriptTable` and `vrrpSyncTrackedScriptTable`
pub(super) fn scripts(engine: &Engine, by: By, ask: Ask<'_>) -> Found {
    let name = |&id: &_| engine.config.script(id).map(|script| script.name.as_str());
    find_named(rows(engine, by, |all| &all.scripts, name), ask)
}

/// `vrrpTrackedFileTable` and `vrrpSyncTrackedFileTable`
pub(super) fn files(engine: &Engine, by: By, ask: Ask<'_>) -> Found {
    let name = |&id: &_| engine.config.file(id).map(|file| file.name.as_str());
    find_named(rows(engine, by, |all| &all.files, name), ask)
}

/// `vrrpTrackedBfdTable` and `vrrpSyncTrackedBfdTable`
pub(super) fn sessions(engine: &Engine, by: By, ask: Ask<'_>) -> Found {
    find_named(rows(engine, by, |all| &all.sessions, |&id| engine.config.session(id)), ask)
}

/// `vrrpTrackedProcessTable` and `vrrpSyncTrackedProcessTable`
pub(super) fn processes(engine: &Engine, by: By, ask: Ask<'_>) -> Found {
    let name = |&id: &_| engine.config.process(id).map(|process| process.name.as_str());
    find_named(rows(engine, by, |all| &all.processes, name), ask)
}

fn trackers(engine: &Engine, by: By) -> impl Iterator<Item = &Trackers> {
    let instances = engine.instances.iter().filter(move |_| by == By::Instances);
    let groups = engine.groups.iter().filter(move |_| by == By::Groups);
    let of_instances = instances.map(|instance| &*instance.config.trackers);
    of_instances.chain(groups.map(|running| &running.config.trackers))
}

fn find_named<'a>(rows: impl Iterator<Item = ([u32; 2], Row<'a>)>, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(2, |row| Some(Value::text(row.name))),
        column(3, |row| weight(row.weighting)),
        column(4, |row| reverse(row.weighting)),
    ];
    find(columns, rows, ask)
}

/// One row for each tracker of a kind: the position of whom it is for, and its own.
fn rows<'a, T: 'a>(
    engine: &'a Engine,
    by: By,
    kind: fn(&Trackers) -> &Vec<Tracker<T>>,
    name: impl Fn(&'a T) -> Option<&'a str> + Copy,
) -> impl Iterator<Item = ([u32; 2], Row<'a>)> {
    (1..).zip(trackers(engine, by)).flat_map(move |(owner, trackers)| {
        (1..).zip(kind(trackers)).filter_map(move |(number, tracker)| {
            let row = Row { name: name(&tracker.what)?, weighting: tracker.weighting };
            Some(([owner, number], row))
        })
    })
}
