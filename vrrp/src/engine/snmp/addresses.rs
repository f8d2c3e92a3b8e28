//! Virtual and static addresses. Row 0 of the first index has the static ones.

use std::net::{IpAddr, Ipv4Addr};

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};

use super::super::Engine;
use super::super::instance::Instance;
use super::scope;
use crate::config::Address;

struct Row<'a> {
    engine: &'a Engine,
    address: &'a Address,
    owner: Option<&'a Instance>,
    advertised: bool,
}

/// `vrrpAddressTable`
pub(super) fn table(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Row<'_>>] = &[
        column(2, |row| Some(Value::address_type(row.address.address))),
        column(3, |row| Some(Value::address(row.address.address))),
        column(4, |row| {
            let broadcast = row.address.broadcast.unwrap_or(Ipv4Addr::UNSPECIFIED);
            row.address.address.is_ipv4().then(|| Value::address(IpAddr::V4(broadcast)))
        }),
        column(5, |row| Some(Value::Gauge(row.address.prefix_len.into()))),
        column(6, |row| scope(row.address.scope)),
        column(7, |row| {
            let place = row.engine.place(row.address, row.owner);
            Some(Value::integer(place.map_or(0, |place| place.interface.0)))
        }),
        column(8, |row| {
            Some(Value::text(match row.engine.place(row.address, row.owner) {
                Some(place) => row.engine.interface_name(place.interface),
                None => row.engine.wanted_interface(row.address, row.owner),
            }))
        }),
        column(9, |row| row.address.label.as_ref().map(Value::text)),
        column(10, |row| {
            let place = row.engine.place(row.address, row.owner);
            let is_set = place.is_some_and(|place| row.engine.ledger.holds(place.key()));
            Some(Value::truth(is_set))
        }),
        column(11, |row| Some(Value::truth(row.advertised))),
        column(12, |row| row.address.peer.map(Value::address)),
    ];
    find(columns, rows(engine), ask)
}

fn rows(engine: &Engine) -> impl Iterator<Item = ([u32; 2], Row<'_>)> {
    let row = move |address, owner, advertised| Row { engine, address, owner, advertised };
    let fixed = engine.config.static_addresses.iter().map(move |one| row(one, None, false));
    let owned = engine.instances.iter().map(move |instance| {
        let vips = instance.config.addresses.iter().map(move |one| row(one, Some(instance), true));
        let excluded = instance.config.excluded.iter();
        vips.chain(excluded.map(move |one| row(one, Some(instance), false)))
    });
    super::by_owner(fixed, owned)
}
