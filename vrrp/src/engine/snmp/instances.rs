//! Virtual routers.

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};

use super::super::Engine;
use super::super::instance::Instance;
use super::{numbered, script, seconds};
use crate::config::auth::Auth;
use crate::config::instance::{Deleted, Transport};
use crate::fsm::{Preempt, State};
use crate::packet::Version;

/// Columns that can be changed.
pub(super) const BASE_PRIORITY: u32 = 7;
pub(super) const PREEMPT: u32 = 13;
pub(super) const ACCEPT: u32 = 27;

struct Row<'a> {
    engine: &'a Engine,
    instance: &'a Instance,
}

/// `vrrpInstanceTable`
pub(super) fn table(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(2, |row| Some(Value::text(row.instance.name()))),
        column(3, |row| Some(Value::Gauge(row.instance.config.vrid.0.into()))),
        column(4, |row| state(row.instance.router.state())),
        column(5, |row| initial_state(row.instance)),
        column(6, |row| state(row.instance.router.wants())),
        column(BASE_PRIORITY, |row| Some(Value::Integer(row.instance.config.priority.0.into()))),
        column(8, |row| Some(Value::Integer(row.instance.router.effective_priority().0.into()))),
        column(9, |row| Some(Value::truth(row.instance.holds))),
        column(10, |row| row.engine.adverts_on(row.instance).map(Value::text)),
        column(11, |row| Some(Value::truth(!row.instance.config.trackers.interfaces.is_empty()))),
        column(12, |row| interval(row.instance)),
        column(PREEMPT, |row| Some(Value::truth(row.instance.config.preempt != Preempt::Never))),
        column(14, |row| match row.instance.config.preempt {
            Preempt::After(delay) => seconds(delay),
            Preempt::Never | Preempt::AtOnce => Some(Value::Gauge(0)),
        }),
        column(15, |row| Some(Value::Integer(auth_type(&row.instance.config.auth)))),
        column(16, |row| Some(Value::truth(sync_interface(row).is_some()))),
        column(17, |row| sync_interface(row).map(Value::text)),
        column(18, |row| {
            let group = row.engine.config.group(row.instance.config.group?)?;
            Some(Value::text(&group.name))
        }),
        column(19, |row| seconds(row.instance.config.garp.delay)),
        column(20, |row| Some(Value::truth(row.instance.config.smtp_alert))),
        column(21, |row| Some(Value::truth(has_scripts(row.instance)))),
        column(22, |row| script(row.instance.config.notify.master.as_deref())),
        column(23, |row| script(row.instance.config.notify.backup.as_deref())),
        column(24, |row| script(row.instance.config.notify.fault.as_deref())),
        column(25, |row| script(row.instance.config.notify.stop.as_deref())),
        column(26, |row| script(row.instance.config.notify.any.as_deref())),
        column(ACCEPT, |row| {
            let config = &row.instance.config;
            let is_newer = config.version == Version::V3;
            Some(if is_newer { Value::truth(config.accept) } else { Value::Integer(0) })
        }),
        column(28, |row| Some(Value::truth(row.instance.config.promote_secondaries))),
        column(29, |row| Some(Value::truth(row.instance.config.shown.polls_link))),
        column(30, |row| Some(Value::Integer(row.instance.config.version.number().into()))),
        column(31, |row| script(row.instance.config.notify.lower_priority.as_deref())),
        column(32, |row| match &row.instance.config.notify.deleted {
            Deleted::Reported(deleted) => script(deleted.as_deref()),
            Deleted::AsFault => None,
        }),
        column(33, |row| {
            let deleted = &row.instance.config.notify.deleted;
            Some(Value::truth(*deleted != Deleted::AsFault))
        }),
        column(34, |row| match row.instance.config.transport {
            Transport::Multicast { group } => Some(Value::address_type(group)),
            Transport::Unicast(_) => None,
        }),
        column(35, |row| match row.instance.config.transport {
            Transport::Multicast { group } => Some(Value::address(group)),
            Transport::Unicast(_) => None,
        }),
        column(36, |row| Some(Value::truth(row.instance.config.v3_checksum_as_v2))),
    ];
    let rows = engine.instances.iter().map(|instance| Row { engine, instance });
    find(columns, numbered(rows), ask)
}

fn state(state: State) -> Option<Value> {
    Some(Value::Integer(state.number().into()))
}

/// The state that an instance is to start in. An owner always starts as master.
pub(super) fn initial_state(instance: &Instance) -> Option<Value> {
    let config = &instance.config;
    let is_master = config.wants_master || config.is_owner();
    state(if is_master { State::Master } else { State::Backup })
}

/// Seconds in version 2, centiseconds in version 3.
fn interval(instance: &Instance) -> Option<Value> {
    let interval = instance.config.advert_interval;
    match instance.config.version {
        Version::V2 => seconds(interval),
        Version::V3 => Some(Value::gauge(interval.as_millis() / 10)),
    }
}

/// The number of an authentication type in version 2.
pub(super) fn auth_type(auth: &Auth) -> i32 {
    match auth {
        Auth::None | Auth::Hmac(_) => 0,
        Auth::Pass(_) => 1,
        Auth::Ah(_) => 2,
    }
}

/// The interface of IPVS synchronisation, for the instance that it follows.
fn sync_interface<'a>(row: &Row<'a>) -> Option<&'a str> {
    let daemons = [&row.engine.global.lvs.sync_daemon, &row.engine.config.sync_daemon];
    let follows = |daemon: &&runtime::global::SyncDaemon| {
        daemon.instance.as_deref() == Some(row.instance.name())
    };
    daemons.into_iter().flatten().find(follows).map(|daemon| daemon.interface.as_str())
}

fn has_scripts(instance: &Instance) -> bool {
    let notify = &instance.config.notify;
    let deleted = match &notify.deleted {
        Deleted::Reported(script) => script,
        Deleted::AsFault => &None,
    };
    let scripts = [
        &notify.master,
        &notify.backup,
        &notify.fault,
        &notify.stop,
        &notify.any,
        &notify.lower_priority,
        deleted,
    ];
    scripts.iter().any(|script| script.is_some())
}
