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

/// `vrrpTrackedInterfaceTable`
pub(super) fn interfaces(engine: &Engine, ask: Ask<'_>) -> Found {
    find_interface(instances(engine), ask)
}

/// `vrrpSyncTrackedInterfaceTable`
pub(super) fn interfaces_of_groups(engine: &Engine, ask: Ask<'_>) -> Found {
    find_interface(groups(engine), ask)
}

/// `vrrpTrackedScriptTable`
pub(super) fn scripts(engine: &Engine, ask: Ask<'_>) -> Found {
    find_script(engine, instances(engine), ask)
}

/// `vrrpSyncTrackedScriptTable`
pub(super) fn scripts_of_groups(engine: &Engine, ask: Ask<'_>) -> Found {
    find_script(engine, groups(engine), ask)
}

/// `vrrpTrackedFileTable`
pub(super) fn files(engine: &Engine, ask: Ask<'_>) -> Found {
    find_file(engine, instances(engine), ask)
}

/// `vrrpSyncTrackedFileTable`
pub(super) fn files_of_groups(engine: &Engine, ask: Ask<'_>) -> Found {
    find_file(engine, groups(engine), ask)
}

/// `vrrpTrackedBfdTable`
pub(super) fn sessions(engine: &Engine, ask: Ask<'_>) -> Found {
    find_session(engine, instances(engine), ask)
}

/// `vrrpSyncTrackedBfdTable`
pub(super) fn sessions_of_groups(engine: &Engine, ask: Ask<'_>) -> Found {
    find_session(engine, groups(engine), ask)
}

/// `vrrpTrackedProcessTable`
pub(super) fn processes(engine: &Engine, ask: Ask<'_>) -> Found {
    find_process(engine, instances(engine), ask)
}

/// `vrrpSyncTrackedProcessTable`
pub(super) fn processes_of_groups(engine: &Engine, ask: Ask<'_>) -> Found {
    find_process(engine, groups(engine), ask)
}

fn instances(engine: &Engine) -> impl Iterator<Item = &Trackers> {
    engine.instances.iter().map(|instance| &*instance.config.trackers)
}

fn groups(engine: &Engine) -> impl Iterator<Item = &Trackers> {
    engine.groups.iter().map(|running| &running.config.trackers)
}

/// Interfaces have no index that cannot be read, and so their columns begin with 1.
fn find_interface<'a>(all: impl Iterator<Item = &'a Trackers>, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(1, |row| Some(Value::text(row.name))),
        column(2, |row| weight(row.weighting)),
        column(3, |row| reverse(row.weighting)),
    ];
    find(columns, rows(all, |all| &all.interfaces, |name| Some(name)), ask)
}

fn find_script<'a>(
    engine: &'a Engine,
    all: impl Iterator<Item = &'a Trackers>,
    ask: Ask<'_>,
) -> Found {
    let name = |&id: &_| engine.config.script(id).map(|script| script.name.as_str());
    find_named(rows(all, |all| &all.scripts, name), ask)
}

fn find_file<'a>(
    engine: &'a Engine,
    all: impl Iterator<Item = &'a Trackers>,
    ask: Ask<'_>,
) -> Found {
    let name = |&id: &_| engine.config.file(id).map(|file| file.name.as_str());
    find_named(rows(all, |all| &all.files, name), ask)
}

fn find_session<'a>(
    engine: &'a Engine,
    all: impl Iterator<Item = &'a Trackers>,
    ask: Ask<'_>,
) -> Found {
    find_named(rows(all, |all| &all.sessions, |&id| engine.config.session(id)), ask)
}

fn find_process<'a>(
    engine: &'a Engine,
    all: impl Iterator<Item = &'a Trackers>,
    ask: Ask<'_>,
) -> Found {
    let name = |&id: &_| engine.config.process(id).map(|process| process.name.as_str());
    find_named(rows(all, |all| &all.processes, name), ask)
}

fn find_named<'a>(rows: impl Iterator<Item = (Vec<u32>, Row<'a>)>, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(2, |row| Some(Value::text(row.name))),
        column(3, |row| weight(row.weighting)),
        column(4, |row| reverse(row.weighting)),
    ];
    find(columns, rows, ask)
}

/// One row for each tracker of a kind: the position of whom it is for, and its own.
fn rows<'a, T: 'a>(
    all: impl Iterator<Item = &'a Trackers>,
    kind: fn(&Trackers) -> &Vec<Tracker<T>>,
    name: impl Fn(&'a T) -> Option<&'a str> + Copy,
) -> impl Iterator<Item = (Vec<u32>, Row<'a>)> {
    (1..).zip(all).flat_map(move |(owner, trackers)| {
        (1..).zip(kind(trackers)).filter_map(move |(number, tracker)| {
            let row = Row { name: name(&tracker.what)?, weighting: tracker.weighting };
            Some((vec![owner, number], row))
        })
    })
}
