//! Virtual servers.

use std::net::{IpAddr, Ipv4Addr};

use ipvs_sys::Statistics;
use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};

use super::super::Engine;
use super::{
    high, low, method, micros, path, script, seconds, tunnel_checksum, tunnel_port, tunnel_type,
};
use crate::balance::{PoolId, ServerId};
use crate::config::service::{Granularity, Protocol, Service};
use crate::config::{Family, VirtualServer};

struct Row<'a> {
    engine: &'a Engine,
    id: PoolId,
    service: &'a VirtualServer,
}

/// `virtualServerTable`
pub(super) fn table(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(2, |row| {
            Some(Value::Integer(match row.service.service {
                Service::Mark(_) => 1,
                Service::Address(..) => 2,
                Service::Group(_) => 3,
            }))
        }),
        column(3, |row| match row.service.service {
            Service::Group(id) => row.engine.config.group(id).map(|group| Value::text(&group.name)),
            Service::Address(..) | Service::Mark(_) => None,
        }),
        column(4, |row| match row.service.service {
            Service::Mark(mark) => Some(Value::Gauge(mark)),
            Service::Address(..) | Service::Group(_) => None,
        }),
        column(5, |row| {
            Some(Value::Integer(if row.service.family == Some(Family::Inet6) { 2 } else { 1 }))
        }),
        column(6, |row| row.address().map(|(address, _)| Value::address(address))),
        column(7, |row| row.address().map(|(_, port)| Value::Gauge(port.into()))),
        column(8, |row| protocol(row.service)),
        column(9, |row| Some(Value::Integer(scheduler(row.service.scheduler.name())))),
        column(10, |row| method(row.service.forwarding)),
        column(11, |row| Some(Value::truth(row.is_alive()))),
        column(12, |row| row.service.handed_down.virtualhost.as_ref().map(Value::text)),
        column(13, |row| Some(Value::truth(row.service.persistence.is_some()))),
        column(14, |row| row.service.persistence.map(|time| Value::gauge(time.as_secs()))),
        column(15, |row| row.mask()),
        column(16, |row| seconds(Some(row.service.handed_down.delay_loop))),
        column(17, |row| Some(Value::truth(row.service.ha_suspend))),
        column(18, |row| Some(Value::truth(row.service.handed_down.alpha))),
        column(19, |row| Some(Value::truth(row.service.omega))),
        column(20, |row| Some(Value::gauge(row.service.real_servers.len()))),
        column(21, |row| Some(Value::gauge(row.engine.servers_up(row.id)))),
        column(22, |row| Some(Value::Gauge(row.service.quorum))),
        column(23, |row| Some(Value::truth(row.engine.balance.has_quorum(row.id)))),
        column(24, |row| script(row.service.quorum_up.as_deref())),
        column(25, |row| script(row.service.quorum_down.as_deref())),
        column(26, |row| Some(Value::Gauge(row.service.hysteresis))),
        column(27, |row| Some(Value::Gauge(low(row.figures().connections)))),
        column(28, |row| Some(Value::Counter32(low(row.figures().packets_in)))),
        column(29, |row| Some(Value::Counter32(low(row.figures().packets_out)))),
        column(30, |row| Some(Value::Counter64(row.figures().bytes_in))),
        column(31, |row| Some(Value::Counter64(row.figures().bytes_out))),
        column(32, |row| Some(Value::Gauge(low(row.figures().connection_rate)))),
        column(33, |row| Some(Value::Gauge(low(row.figures().packet_rate_in)))),
        column(34, |row| Some(Value::Gauge(low(row.figures().packet_rate_out)))),
        column(35, |row| Some(Value::Gauge(low(row.figures().byte_rate_in)))),
        column(36, |row| Some(Value::Gauge(low(row.figures().byte_rate_out)))),
        column(37, |row| Some(Value::truth(row.service.flags.one_packet))),
        column(38, |row| Some(Value::Counter64(row.figures().connections))),
        column(39, |row| Some(Value::Counter64(row.figures().packets_in))),
        column(40, |row| Some(Value::Counter64(row.figures().packets_out))),
        column(41, |row| Some(Value::Gauge(low(row.figures().connection_rate)))),
        column(42, |row| Some(Value::Gauge(high(row.figures().connection_rate)))),
        column(43, |row| Some(Value::Gauge(low(row.figures().packet_rate_in)))),
        column(44, |row| Some(Value::Gauge(high(row.figures().packet_rate_in)))),
        column(45, |row| Some(Value::Gauge(low(row.figures().packet_rate_out)))),
        column(46, |row| Some(Value::Gauge(high(row.figures().packet_rate_out)))),
        column(47, |row| Some(Value::Gauge(low(row.figures().byte_rate_in)))),
        column(48, |row| Some(Value::Gauge(high(row.figures().byte_rate_in)))),
        column(49, |row| Some(Value::Gauge(low(row.figures().byte_rate_out)))),
        column(50, |row| Some(Value::Gauge(high(row.figures().byte_rate_out)))),
        column(51, |row| row.prefix()),
        column(52, |_| Some(Value::truth(false))),
        column(53, |row| Some(Value::truth(row.service.flags.first))),
        column(54, |row| Some(Value::truth(row.service.flags.second))),
        column(55, |row| Some(Value::truth(row.service.flags.third))),
        column(56, |row| Some(Value::truth(!row.service.inhibit_on_failure))),
        column(57, |row| Some(Value::Gauge(row.service.handed_down.retry.unwrap_or(0)))),
        column(58, |row| seconds(row.service.handed_down.delay_before_retry)),
        column(59, |row| seconds(row.service.handed_down.warmup)),
        column(60, |row| Some(Value::integer(row.service.weight))),
        column(61, |row| Some(Value::truth(row.service.smtp_alert))),
        column(62, |row| Some(Value::truth(row.service.flags.first))),
        column(63, |row| Some(Value::truth(row.service.flags.second))),
        column(64, |row| micros(Some(row.service.handed_down.delay_loop))),
        column(65, |row| micros(row.service.handed_down.delay_before_retry)),
        column(66, |row| micros(row.service.handed_down.warmup)),
        column(67, |row| micros(Some(row.service.handed_down.timeout))),
        column(68, |row| tunnel_type(row.service.forwarding)),
        column(69, |row| tunnel_port(row.service.forwarding)),
        column(70, |row| tunnel_checksum(row.service.forwarding)),
        column(71, |row| row.service.snmp_name.as_ref().map(Value::text)),
        column(72, |row| path(row.service.quorum_up.as_deref())),
        column(73, |row| path(row.service.quorum_down.as_deref())),
        column(74, |row| Some(Value::Counter64(row.figures().connection_rate))),
        column(75, |row| Some(Value::Counter64(row.figures().packet_rate_in))),
        column(76, |row| Some(Value::Counter64(row.figures().packet_rate_out))),
        column(77, |row| Some(Value::Counter64(row.figures().byte_rate_in))),
        column(78, |row| Some(Value::Counter64(row.figures().byte_rate_out))),
    ];
    let rows = engine.balance.pools().filter_map(|id| {
        let service = engine.balance.virtual_server(id)?;
        Some(([u32::try_from(id.0 + 1).ok()?], Row { engine, id, service }))
    });
    find(columns, rows, ask)
}

impl Row<'_> {
    fn figures(&self) -> Statistics {
        self.engine.figures_of_pool(self.id)
    }

    fn address(&self) -> Option<(IpAddr, u16)> {
        match self.service.service {
            Service::Address(address, port) => Some((address, port.unwrap_or(0))),
            Service::Mark(_) | Service::Group(_) => None,
        }
    }

    /// Whether the kernel is to have it.
    fn is_alive(&self) -> bool {
        let table = self.engine.table.as_ref();
        table.is_some_and(|table| table.services_of(self.id).next().is_some())
    }

    /// Which clients count as one, for IPv4. Each by itself, where nothing is configured.
    fn mask(&self) -> Option<Value> {
        let is_v6 = matches!(self.service.service, Service::Address(IpAddr::V6(_), _));
        let mask = match self.service.granularity {
            Some(Granularity::Mask(mask)) => mask,
            Some(Granularity::Prefix(_)) | None => Ipv4Addr::BROADCAST,
        };
        (!is_v6).then(|| Value::address(mask.into()))
    }

    /// Which clients count as one, for IPv6.
    fn prefix(&self) -> Option<Value> {
        let is_v4 = matches!(self.service.service, Service::Address(IpAddr::V4(_), _));
        let len = match self.service.granularity {
            Some(Granularity::Prefix(len)) => len.into(),
            Some(Granularity::Mask(_)) | None => u32::MAX,
        };
        (!is_v4).then_some(Value::Gauge(len))
    }
}

impl Engine {
    /// How many real servers of a virtual server should take traffic.
    pub(super) fn servers_up(&self, pool: PoolId) -> usize {
        let servers = self.balance.virtual_server(pool).map_or(0, |one| one.real_servers.len());
        (0..servers).filter(|&place| self.balance.is_alive(ServerId { pool, place })).count()
    }
}

/// The protocol, where it is not all that carries a mark.
fn protocol(service: &VirtualServer) -> Option<Value> {
    let is_mark = matches!(service.service, Service::Mark(_));
    let number = match service.protocol {
        Some(Protocol::Tcp) => 1,
        Some(Protocol::Udp) => 2,
        Some(Protocol::Sctp) => 3,
        None => 4,
    };
    (!is_mark).then_some(Value::Integer(number))
}

fn scheduler(name: &str) -> i32 {
    const NAMES: [&str; 14] = [
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh",
        "twos",
    ];
    let known = (1..).zip(NAMES).find(|(_, known)| *known == name);
    known.map_or(99, |(number, _)| number)
}
