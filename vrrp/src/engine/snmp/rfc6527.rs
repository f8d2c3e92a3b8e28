//! VRRPv3-MIB (RFC 6527): all instances with addresses, those of version 2 too.

use std::net::IpAddr;

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, Mib, Part, column, scalars, table as find};

use super::super::Engine;
use super::super::instance::Instance;
use super::rfc2787::{Row, interface_number, sum};
use super::ticks;
use crate::fsm::Preempt;
use crate::packet::Family;

pub(super) static MIB: Mib<Engine> = Mib {
    root: &[1, 3, 6, 1, 2, 1, 207],
    parts: &[
        Part { prefix: &[1, 1, 1, 1], find: operations },
        Part { prefix: &[1, 1, 2, 1], find: addresses },
        Part { prefix: &[1, 2], find: errors },
        Part { prefix: &[1, 2, 5, 1], find: statistics },
    ],
};

/// The index of an instance.
pub(super) fn index(engine: &Engine, instance: &Instance) -> [u32; 3] {
    let family = match instance.config.family {
        Family::V4 => 1,
        Family::V6 => 2,
    };
    [interface_number(engine, instance), instance.config.vrid.0.into(), family]
}

fn rows(engine: &Engine) -> Vec<([u32; 3], Row<'_>)> {
    let instances = engine.instances.iter().filter(|one| !one.config.addresses.is_empty());
    let mut rows: Vec<_> =
        instances.map(|instance| (index(engine, instance), Row { engine, instance })).collect();
    rows.sort_by_key(|(index, _)| *index);
    rows
}

/// `vrrpv3OperationsTable`
fn operations(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(3, |row| Some(Value::address(row.master()))),
        column(4, |row| Some(Value::address(row.primary()))),
        column(5, Row::mac),
        column(6, |row| Some(row.state())),
        column(7, |row| Some(Value::Gauge(row.instance.config.priority.0.into()))),
        column(8, |row| Some(Value::integer(row.instance.config.addresses.len()))),
        column(9, |row| Some(Value::integer(row.instance.config.advert_interval.as_millis() / 10))),
        column(10, |row| Some(Value::truth(row.instance.config.preempt != Preempt::Never))),
        column(11, |row| Some(Value::truth(row.instance.config.accept))),
        column(12, |row| {
            let since = row.instance.told_snmp.since;
            Some(Value::TimeTicks(since.map_or(0, |since| ticks(since.elapsed()))))
        }),
        column(13, |_| Some(Value::Integer(1))),
    ];
    find(columns, rows(engine), ask)
}

/// `vrrpv3AssociatedIpAddrTable`
fn addresses(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<()>] = &[column(2, |()| Some(Value::Integer(1)))];
    let mut all: Vec<(Vec<u32>, ())> = rows(engine)
        .into_iter()
        .flat_map(|(index, row)| {
            let addresses = row.instance.config.addresses.iter();
            addresses.map(move |address| {
                let octets = match address.address {
                    IpAddr::V4(address) => address.octets().to_vec(),
                    IpAddr::V6(address) => address.octets().to_vec(),
                };
                (index.into_iter().chain(octets.into_iter().map(u32::from)).collect(), ())
            })
        })
        .collect();
    all.sort();
    find(columns, all, ask)
}

/// What cannot be counted for one instance alone.
fn errors(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Engine>] = &[
        column(1, |engine| Some(Value::Counter64(sum(engine, |stats| stats.chk_err)))),
        column(2, |engine| Some(Value::Counter64(sum(engine, |stats| stats.vers_err)))),
        column(3, |_| Some(Value::Counter64(0))),
        column(4, |_| Some(Value::TimeTicks(0))),
    ];
    scalars(columns, engine, ask)
}

/// `vrrpv3StatisticsTable`
fn statistics(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(1, |row| Some(Value::Counter32(row.instance.stats.become_master))),
        column(2, |row| Some(Value::Integer(row.instance.told_snmp.reason))),
        column(3, |row| Some(Value::Counter64(row.instance.stats.advert_rcvd))),
        column(4, |row| Some(Value::Counter64(row.instance.stats.advert_interval_err))),
        column(5, |row| Some(Value::Counter64(row.instance.stats.ip_ttl_err))),
        column(6, |row| Some(Value::Integer(row.instance.told_snmp.error))),
        column(7, |row| Some(Value::Counter64(row.instance.stats.pri_zero_rcvd))),
        column(8, |row| Some(Value::Counter64(row.instance.stats.pri_zero_sent))),
        column(9, |row| Some(Value::Counter64(row.instance.stats.invalid_type_rcvd))),
        column(10, |row| Some(Value::Counter64(row.instance.stats.addr_list_err))),
        column(11, |row| Some(Value::Counter64(row.instance.stats.packet_len_err))),
        column(12, |_| Some(Value::TimeTicks(0))),
        column(13, |row| {
            let hundredths = row.instance.config.advert_interval.as_millis() / 10;
            Some(Value::gauge(hundredths * 10))
        }),
    ];
    find(columns, rows(engine), ask)
}
