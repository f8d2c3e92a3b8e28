//! The settings of the whole daemon as SNMP shows them: branch 1 of KEEPALIVED-MIB.

use std::net::{IpAddr, Ipv4Addr};

use super::{FlushOnStop, Global};
use crate::agentx::mib::{Ask, Column, Found, Mib, Part, column, scalars, table};
use crate::agentx::{Branch, Value};
use crate::mail::Envelope;
use crate::options::BANNER;

/// `1.3.6.1.4.1.9586.100.5.1`
pub const ROOT: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 1];
/// How a process offers it.
pub const BRANCH: Branch = Branch {
    root: ROOT,
    priority: Branch::PRIORITY,
    capabilities: Some((ROOT, "The MIB module for Keepalived")),
};
/// The name of this router, as notifications have it.
pub const ROUTER_ID: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 1, 2, 0];

/// A process that has these settings.
pub trait Configured {
    /// The settings.
    fn global(&self) -> &Global;
}

/// What a process offers of its settings.
pub const fn mib<C: Configured>() -> Mib<C> {
    Mib {
        root: ROOT,
        parts: const {
            &[
                Part { prefix: &[], find: |state: &C, ask| names(state.global(), ask) },
                Part { prefix: &[3], find: |state: &C, ask| mail(state.global(), ask) },
                Part { prefix: &[3, 5, 1], find: |state: &C, ask| emails(state.global(), ask) },
                Part { prefix: &[3], find: |state: &C, ask| alerts(state.global(), ask) },
                Part { prefix: &[], find: |state: &C, ask| switches(state.global(), ask) },
            ]
        },
    }
}

/// The name of this router, for notifications.
pub fn router_id(global: &Global) -> Value {
    Value::text(name(global).unwrap_or_default())
}

fn name(global: &Global) -> Option<&str> {
    global.mail.router_id.as_deref().or(global.mail.machine.as_deref())
}

fn names(global: &Global, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Global>] = &[
        column(1, |_| Some(Value::text(BANNER))),
        column(2, |global| name(global).map(Value::text)),
    ];
    scalars(columns, global, ask)
}

fn mail(global: &Global, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Global>] = &[
        column(1, |global| Some(Value::address_type(server(global)))),
        column(2, |global| Some(Value::address(server(global)))),
        column(3, |global| Some(Value::gauge(global.mail.connect_timeout.as_secs()))),
        column(4, |global| {
            let usual = || Envelope::new(&global.mail).map(|envelope| envelope.from);
            global.mail.from.clone().or_else(usual).map(Value::text)
        }),
    ];
    scalars(columns, global, ask)
}

fn alerts(global: &Global, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Global>] = &[
        column(6, |global| {
            Some(Value::Gauge(global.mail.server.map_or(0, |server| server.port().into())))
        }),
        column(7, |global| Some(Value::truth(!global.mail.no_faults))),
        column(8, |global| Some(choice(global.mail.alert))),
        column(9, |global| Some(choice(global.mail.alert_vrrp))),
        column(10, |global| Some(choice(global.mail.alert_checker))),
    ];
    scalars(columns, global, ask)
}

fn switches(global: &Global, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Global>] = &[
        column(4, |global| Some(Value::truth(global.snmp.traps))),
        column(5, |global| {
            Some(Value::Integer(if global.vrrp.linkbeat_use_polling { 2 } else { 1 }))
        }),
        column(6, |global| Some(Value::truth(global.lvs.flush))),
        // Counters of IPVS are always of 64 bits.
        column(7, |_| Some(Value::truth(true))),
        column(8, |global| {
            Some(Value::text(global.processes.network_namespace.as_deref().unwrap_or_default()))
        }),
        column(9, |global| Some(Value::truth(global.dbus.enabled))),
        column(10, |global| Some(Value::truth(global.vrrp.dynamic_interfaces))),
        column(11, |global| {
            Some(Value::Integer(match global.lvs.flush_on_stop {
                FlushOnStop::Everything => 1,
                FlushOnStop::Off => 2,
                FlushOnStop::VirtualServers => 3,
            }))
        }),
        column(12, |global| Some(Value::truth(global.vrrp.v3_checksum_as_v2))),
    ];
    scalars(columns, global, ask)
}

fn emails(global: &Global, ask: Ask<'_>) -> Found {
    let columns: &[Column<&String>] = &[column(2, |address| Some(Value::text(address)))];
    table(columns, (1..).map(|number| [number]).zip(&global.mail.to), ask)
}

fn server(global: &Global) -> IpAddr {
    global.mail.server.map_or(Ipv4Addr::UNSPECIFIED.into(), |server| server.ip())
}

fn choice(setting: Option<bool>) -> Value {
    Value::Integer(match setting {
        Some(true) => 1,
        Some(false) => 2,
        None => 3,
    })
}
