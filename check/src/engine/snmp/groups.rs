//! Groups of addresses and marks.

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};

use super::super::Engine;
use crate::config::Group;
use crate::config::group::Entry;

/// `virtualServerGroupTable`
pub(super) fn table(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Group>] = &[column(2, |group| Some(Value::text(&group.name)))];
    find(columns, (1..).map(|number| [number]).zip(&engine.config.groups), ask)
}

/// `virtualServerGroupMemberTable`: marks before addresses.
pub(super) fn members(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Entry>] = &[
        column(2, |entry| {
            Some(Value::Integer(match entry {
                Entry::Mark { .. } => 1,
                Entry::Range { first, last, .. } if first == last => 2,
                Entry::Range { .. } => 3,
            }))
        }),
        column(3, |entry| match entry {
            Entry::Mark { mark, .. } => Some(Value::Gauge(*mark)),
            Entry::Range { .. } => None,
        }),
        column(4, |entry| match entry {
            Entry::Range { first, .. } => Some(Value::address_type(*first)),
            Entry::Mark { .. } => None,
        }),
        column(5, |entry| match entry {
            Entry::Range { first, last, .. } if first == last => Some(Value::address(*first)),
            Entry::Range { .. } | Entry::Mark { .. } => None,
        }),
        column(6, |entry| match entry {
            Entry::Range { first, last, .. } if first != last => Some(Value::address(*first)),
            Entry::Range { .. } | Entry::Mark { .. } => None,
        }),
        column(7, |entry| match entry {
            Entry::Range { first, last, .. } if first != last => Some(Value::address(*last)),
            Entry::Range { .. } | Entry::Mark { .. } => None,
        }),
        column(8, |entry| match entry {
            Entry::Range { port, .. } => Some(Value::Gauge(port.unwrap_or(0).into())),
            Entry::Mark { .. } => None,
        }),
    ];
    let rows = (1..).zip(&engine.config.groups).flat_map(|(number, group)| {
        let marks = group.entries.iter().filter(|entry| entry.is_mark());
        let ordered = marks.chain(group.entries.iter().filter(|entry| !entry.is_mark()));
        (1..).zip(ordered).map(move |(place, entry)| ([number, place], entry))
    });
    find(columns, rows, ask)
}
