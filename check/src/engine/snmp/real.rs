//! Real servers. A sorry server comes first among those of its virtual server, and has no state of its own.

use std::net::SocketAddr;

use ipvs_sys::Statistics;
use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};

use super::super::Engine;
use super::{
    WEIGHT, high, low, method, micros, path, script, seconds, tunnel_checksum, tunnel_port,
    tunnel_type,
};
use crate::balance::{PoolId, ServerId};
use crate::config::RealServer;
use crate::config::checker::HandedDown;
use crate::config::forwarding::Forwarding;

struct Row<'a> {
    engine: &'a Engine,
    pool: PoolId,
    address: SocketAddr,
    forwarding: Forwarding,
    /// `None` for the sorry server.
    id: Option<ServerId>,
    server: Option<&'a RealServer>,
}

/// `realServerTable`
pub(super) fn table(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(2, |row| Some(Value::Integer(if row.server.is_some() { 1 } else { 2 }))),
        column(3, |row| Some(Value::address_type(row.address.ip()))),
        column(4, |row| Some(Value::address(row.address.ip()))),
        column(5, |row| Some(Value::Gauge(row.address.port().into()))),
        column(6, |row| row.id.map(|id| Value::truth(row.engine.balance.is_alive(id)))),
        column(WEIGHT, |row| row.id.map(|id| Value::integer(row.engine.balance.weight(id).max(0)))),
        column(8, |row| {
            row.server.map(|one| one.upper_threshold).filter(|&most| most != 0).map(Value::Gauge)
        }),
        column(9, |row| {
            row.server.map(|one| one.lower_threshold).filter(|&few| few != 0).map(Value::Gauge)
        }),
        column(10, |row| row.server.map(|one| Value::truth(!one.inhibit_on_failure))),
        column(11, |row| script(row.server?.notify_up.as_deref())),
        column(12, |row| script(row.server?.notify_down.as_deref())),
        column(13, |row| row.id.map(|id| Value::gauge(row.engine.balance.failed_checks(id)))),
        column(14, |row| Some(Value::Gauge(low(row.figures().connections)))),
        column(15, |row| Some(Value::Gauge(row.figures().active))),
        column(16, |row| Some(Value::Gauge(row.figures().inactive))),
        column(17, |row| Some(Value::Gauge(row.figures().persistent))),
        column(18, |row| Some(Value::Counter32(low(row.figures().packets_in)))),
        column(19, |row| Some(Value::Counter32(low(row.figures().packets_out)))),
        column(20, |row| Some(Value::Counter64(row.figures().bytes_in))),
        column(21, |row| Some(Value::Counter64(row.figures().bytes_out))),
        column(22, |row| Some(Value::Gauge(low(row.figures().connection_rate)))),
        column(23, |row| Some(Value::Gauge(low(row.figures().packet_rate_in)))),
        column(24, |row| Some(Value::Gauge(low(row.figures().packet_rate_out)))),
        column(25, |row| Some(Value::Gauge(low(row.figures().byte_rate_in)))),
        column(26, |row| Some(Value::Gauge(low(row.figures().byte_rate_out)))),
        column(27, |row| Some(Value::Counter64(row.figures().connections))),
        column(28, |row| Some(Value::Counter64(row.figures().packets_in))),
        column(29, |row| Some(Value::Counter64(row.figures().packets_out))),
        column(30, |row| Some(Value::Gauge(low(row.figures().connection_rate)))),
        column(31, |row| Some(Value::Gauge(high(row.figures().connection_rate)))),
        column(32, |row| Some(Value::Gauge(low(row.figures().packet_rate_in)))),
        column(33, |row| Some(Value::Gauge(high(row.figures().packet_rate_in)))),
        column(34, |row| Some(Value::Gauge(low(row.figures().packet_rate_out)))),
        column(35, |row| Some(Value::Gauge(high(row.figures().packet_rate_out)))),
        column(36, |row| Some(Value::Gauge(low(row.figures().byte_rate_in)))),
        column(37, |row| Some(Value::Gauge(high(row.figures().byte_rate_in)))),
        column(38, |row| Some(Value::Gauge(low(row.figures().byte_rate_out)))),
        column(39, |row| Some(Value::Gauge(high(row.figures().byte_rate_out)))),
        column(40, |row| method(row.forwarding)),
        column(41, |row| row.host().map(Value::text)),
        column(42, |row| Some(Value::truth(row.handed().is_some_and(|all| all.alpha)))),
        column(43, |row| Some(Value::Gauge(row.handed().and_then(|all| all.retry).unwrap_or(0)))),
        column(44, |row| seconds(row.handed().and_then(|all| all.delay_before_retry))),
        column(45, |row| seconds(row.handed().and_then(|all| all.warmup))),
        column(46, |row| seconds(row.handed().map(|all| all.delay_loop))),
        column(47, |row| Some(Value::truth(row.server.is_some_and(|one| one.smtp_alert)))),
        column(48, |row| micros(row.handed().and_then(|all| all.delay_before_retry))),
        column(49, |row| micros(row.handed().and_then(|all| all.warmup))),
        column(50, |row| micros(row.handed().map(|all| all.delay_loop))),
        column(51, |row| micros(row.handed().map(|all| all.timeout))),
        column(52, |row| tunnel_type(row.forwarding)),
        column(53, |row| tunnel_port(row.forwarding)),
        column(54, |row| tunnel_checksum(row.forwarding)),
        column(55, |row| row.server?.snmp_name.as_ref().map(Value::text)),
        column(56, |row| path(row.server?.notify_up.as_deref())),
        column(57, |row| path(row.server?.notify_down.as_deref())),
        column(58, |row| Some(Value::Counter64(row.figures().connection_rate))),
        column(59, |row| Some(Value::Counter64(row.figures().packet_rate_in))),
        column(60, |row| Some(Value::Counter64(row.figures().packet_rate_out))),
        column(61, |row| Some(Value::Counter64(row.figures().byte_rate_in))),
        column(62, |row| Some(Value::Counter64(row.figures().byte_rate_out))),
        column(63, |row| row.idle_checks().map(Value::gauge)),
    ];
    let rows = engine.balance.pools().flat_map(|pool| {
        let number = u32::try_from(pool.0 + 1).unwrap_or(u32::MAX);
        (1..).zip(of_pool(engine, pool)).map(move |(place, row)| ([number, place], row))
    });
    find(columns, rows, ask)
}

fn of_pool(engine: &Engine, pool: PoolId) -> impl Iterator<Item = Row<'_>> {
    let service = engine.balance.virtual_server(pool);
    let sorry = service.and_then(|service| service.sorry_server.as_ref());
    let sorry = sorry.map(|sorry| {
        let (address, forwarding) = (sorry.address, sorry.forwarding);
        Row { engine, pool, address, forwarding, id: None, server: None }
    });
    let servers = service.map_or(&[][..], |service| &service.real_servers).iter().enumerate();
    let servers = servers.map(move |(place, server)| {
        let (address, forwarding) = (server.address, server.forwarding);
        let id = Some(ServerId { pool, place });
        Row { engine, pool, address, forwarding, id, server: Some(server) }
    });
    sorry.into_iter().chain(servers)
}

impl Row<'_> {
    fn figures(&self) -> Statistics {
        self.engine.figures_of_server(self.pool, self.address)
    }

    fn handed(&self) -> Option<&HandedDown> {
        let service = self.engine.balance.virtual_server(self.pool)?;
        Some(self.server?.handed_down(service))
    }

    /// The host that its checks ask for, if it is not that of its virtual server.
    fn host(&self) -> Option<&String> {
        let inherited =
            self.engine.balance.virtual_server(self.pool)?.handed_down.virtualhost.as_ref();
        self.handed()?.virtualhost.as_ref().filter(|&own| Some(own) != inherited)
    }

    /// How many checks have not come to a result yet.
    fn idle_checks(&self) -> Option<usize> {
        let (id, server) = (self.id?, self.server?);
        let states =
            (0..server.checkers.len()).filter_map(|place| self.engine.balance.check(id, place));
        Some(states.filter(|state| !state.has_run).count())
    }
}
