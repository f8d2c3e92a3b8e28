//! The synchronisation and the time-outs of IPVS, as they are configured.

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, scalars};
use runtime::global::{Global, SyncDaemon};

use super::super::Engine;

/// What the kernel does where nothing is configured.
const PORT: u16 = 8848;

/// `lvsSyncDaemon`
pub(super) fn sync_daemon(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Option<&SyncDaemon>>] = &[
        column(1, |daemon| Some(Value::truth(daemon.is_some()))),
        column(2, |daemon| Some(Value::text(&daemon.as_ref()?.interface))),
        column(3, |daemon| daemon.as_ref()?.instance.as_ref().map(Value::text)),
        column(4, |daemon| Some(Value::Integer(daemon.as_ref()?.id.unwrap_or(0).into()))),
        column(5, |daemon| Some(Value::Integer(daemon.as_ref()?.max_length.unwrap_or(0).into()))),
        column(6, |daemon| Some(Value::Integer(daemon.as_ref()?.port.unwrap_or(PORT).into()))),
        column(7, |daemon| Some(Value::Integer(daemon.as_ref()?.ttl.unwrap_or(1).into()))),
        column(8, |daemon| daemon.as_ref()?.group.map(Value::address_type)),
        column(9, |daemon| daemon.as_ref()?.group.map(Value::address)),
    ];
    scalars(columns, engine.global.lvs.sync_daemon.as_ref(), ask)
}

/// `lvsTimeouts`
pub(super) fn timeouts(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Global>] = &[
        column(1, |global| global.lvs.timeouts.tcp.map(|time| Value::integer(time.as_secs()))),
        column(2, |global| global.lvs.timeouts.tcp_fin.map(|time| Value::integer(time.as_secs()))),
        column(3, |global| global.lvs.timeouts.udp.map(|time| Value::integer(time.as_secs()))),
    ];
    scalars(columns, &engine.global, ask)
}
