//! Sync groups and their members.

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};

use super::super::{Engine, RunningGroup};
use super::{numbered, script};

/// `vrrpSyncGroupTable`
pub(super) fn table(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&RunningGroup>] = &[
        column(2, |group| Some(Value::text(&group.config.name))),
        column(3, |group| Some(Value::Integer(group.group.state().number().into()))),
        column(4, |group| Some(Value::truth(group.config.smtp_alert))),
        column(5, |group| {
            let notify = &group.config.notify;
            let scripts =
                [&notify.master, &notify.backup, &notify.fault, &notify.stop, &notify.any];
            Some(Value::truth(scripts.iter().any(|script| script.is_some())))
        }),
        column(6, |group| script(group.config.notify.master.as_deref())),
        column(7, |group| script(group.config.notify.backup.as_deref())),
        column(8, |group| script(group.config.notify.fault.as_deref())),
        column(9, |group| script(group.config.notify.any.as_deref())),
        column(10, |group| Some(Value::truth(group.config.tracking_weight))),
        column(11, |group| script(group.config.notify.stop.as_deref())),
    ];
    find(columns, numbered(engine.groups.iter()), ask)
}

/// `vrrpSyncGroupMemberTable`
pub(super) fn members(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&str>] = &[column(2, |name| Some(Value::text(name)))];
    let rows = (1..).zip(engine.groups.iter()).flat_map(|(group, running)| {
        let members = (1..).zip(&running.config.members);
        members.filter_map(move |(number, &member)| {
            let instance = engine.instances.get(member)?;
            Some(([group, number], instance.name()))
        })
    });
    find(columns, rows, ask)
}
