//! VRRP-MIB (RFC 2787): the instances of version 2.

use std::net::{IpAddr, Ipv4Addr};

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, Mib, Part, column, scalars, table as find};

use super::super::Engine;
use super::super::instance::Instance;
use super::instances::auth_type;
use crate::fsm::{Preempt, State};
use crate::packet::{Family, Version};
use crate::stats::Stats;

pub(super) static MIB: Mib<Engine> = Mib {
    root: &[1, 3, 6, 1, 2, 1, 68],
    parts: &[
        Part { prefix: &[1], find: node },
        Part { prefix: &[1, 3, 1], find: operations },
        Part { prefix: &[1, 4, 1], find: addresses },
        Part { prefix: &[2], find: errors },
        Part { prefix: &[2, 4, 1], find: statistics },
    ],
};

/// An instance, as both MIBs of RFCs see it.
pub(super) struct Row<'a> {
    pub(super) engine: &'a Engine,
    pub(super) instance: &'a Instance,
}

impl Row<'_> {
    /// The address of the interface that the instance is on.
    pub(super) fn primary(&self) -> IpAddr {
        let family = self.instance.config.family;
        let index = self.engine.interface_of(self.instance);
        let base =
            index.and_then(|index| self.engine.interfaces.get(self.engine.interfaces.base(index)));
        base.and_then(|interface| interface.source(family)).unwrap_or(unspecified(family))
    }

    /// The address of the master: ours while it is we.
    pub(super) fn master(&self) -> IpAddr {
        let router = &self.instance.router;
        match router.state() {
            State::Master => self.primary(),
            _ => router.master().unwrap_or(unspecified(self.instance.config.family)),
        }
    }

    pub(super) fn mac(&self) -> Option<Value> {
        self.instance.config.interface.as_ref()?;
        let index = self.engine.interface_of(self.instance);
        let interface = index.and_then(|index| self.engine.interfaces.get(index));
        let mac = interface.map(|interface| interface.link().mac.clone());
        Some(Value::Octets(mac.unwrap_or_default()))
    }

    pub(super) fn state(&self) -> Value {
        Value::Integer(match self.instance.router.state() {
            State::Init | State::Fault => 1,
            State::Backup => 2,
            State::Master => 3,
        })
    }
}

fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// The number of the interface that instances are told apart by: what an own interface stands on.
pub(super) fn interface_number(engine: &Engine, instance: &Instance) -> u32 {
    engine.interface_of(instance).map_or(0, |index| engine.interfaces.base(index).0)
}

/// Whether the MIB has room for an instance.
pub(super) fn is_suitable(instance: &Instance) -> bool {
    let config = &instance.config;
    config.version == Version::V2 && config.family == Family::V4 && !config.addresses.is_empty()
}

/// The index of an instance.
pub(super) fn index(engine: &Engine, instance: &Instance) -> [u32; 2] {
    [interface_number(engine, instance), instance.config.vrid.0.into()]
}

fn rows(engine: &Engine) -> Vec<([u32; 2], Row<'_>)> {
    let suitable = engine.instances.iter().filter(|instance| is_suitable(instance));
    let mut rows: Vec<_> =
        suitable.map(|instance| (index(engine, instance), Row { engine, instance })).collect();
    rows.sort_by_key(|(index, _)| *index);
    rows
}

fn node(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Engine>] = &[
        column(1, |_| Some(Value::Integer(2))),
        column(2, |engine| Some(Value::truth(engine.global.snmp.traps))),
    ];
    scalars(columns, engine, ask)
}

/// `vrrpOperTable`
fn operations(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(2, Row::mac),
        column(3, |row| Some(row.state())),
        column(4, |_| Some(Value::Integer(1))),
        column(5, |row| Some(Value::Integer(row.instance.config.priority.0.into()))),
        column(6, |row| Some(Value::integer(row.instance.config.addresses.len()))),
        column(7, |row| ipv4(row.master())),
        column(8, |row| ipv4(row.primary())),
        column(9, |row| Some(Value::Integer(auth_type(&row.instance.config.auth) + 1))),
        column(11, |row| Some(Value::integer(row.instance.config.advert_interval.as_secs()))),
        column(12, |row| Some(Value::truth(row.instance.config.preempt != Preempt::Never))),
        column(13, |row| {
            let since = row.instance.told_snmp.since;
            Some(Value::TimeTicks(since.map_or(0, |since| row.engine.ticks(since))))
        }),
        column(14, |_| Some(Value::Integer(1))),
        column(15, |_| Some(Value::Integer(1))),
    ];
    find(columns, rows(engine), ask)
}

fn ipv4(address: IpAddr) -> Option<Value> {
    match address {
        IpAddr::V4(address) => Some(Value::ip_address(address)),
        IpAddr::V6(_) => None,
    }
}

/// `vrrpAssoIpAddrTable`
fn addresses(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<()>] = &[column(2, |()| Some(Value::Integer(1)))];
    let mut all: Vec<([u32; 6], ())> = rows(engine)
        .into_iter()
        .flat_map(|(index, row)| {
            let addresses = row.instance.config.addresses.iter();
            addresses.filter_map(move |address| match address.address {
                IpAddr::V4(address) => {
                    let ([interface, vrid], [a, b, c, d]) =
                        (index, address.octets().map(u32::from));
                    Some(([interface, vrid, a, b, c, d], ()))
                }
                IpAddr::V6(_) => None,
            })
        })
        .collect();
    all.sort();
    find(columns, all, ask)
}

/// What cannot be counted for one instance alone.
fn errors(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&Engine>] = &[
        column(1, |engine| Some(counter(sum(engine, |stats| stats.chk_err)))),
        column(2, |engine| Some(counter(sum(engine, |stats| stats.vers_err)))),
        column(3, |_| Some(Value::Counter32(0))),
    ];
    scalars(columns, engine, ask)
}

/// A counter of all instances.
pub(super) fn sum(engine: &Engine, counter: fn(&Stats) -> u64) -> u64 {
    engine.instances.iter().map(|instance| counter(&instance.stats)).sum()
}

/// The low bits of a counter: it wraps around, as it must (RFC 2578 §7.1.6).
fn counter(count: u64) -> Value {
    Value::Counter32(u32::try_from(count & u64::from(u32::MAX)).unwrap_or(u32::MAX))
}

/// `vrrpRouterStatsTable`
fn statistics(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(1, |row| Some(counter(row.instance.stats.become_master.into()))),
        column(2, |row| Some(counter(row.instance.stats.advert_rcvd))),
        column(3, |row| Some(counter(row.instance.stats.advert_interval_err))),
        column(4, |row| Some(counter(row.instance.stats.auth_failure))),
        column(5, |row| Some(counter(row.instance.stats.ip_ttl_err))),
        column(6, |row| Some(counter(row.instance.stats.pri_zero_rcvd))),
        column(7, |row| Some(counter(row.instance.stats.pri_zero_sent))),
        column(8, |row| Some(counter(row.instance.stats.invalid_type_rcvd))),
        column(9, |row| Some(counter(row.instance.stats.addr_list_err))),
        column(10, |row| Some(counter(row.instance.stats.invalid_authtype))),
        column(11, |row| Some(counter(row.instance.stats.authtype_mismatch))),
        column(12, |row| Some(counter(row.instance.stats.packet_len_err))),
    ];
    find(columns, rows(engine), ask)
}
