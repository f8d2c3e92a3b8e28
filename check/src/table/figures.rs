//! What the kernel counts of services and servers, read at most once in a while.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipvs_sys::{Client, Error, Key, Statistics};
use log::debug;
use runtime::global::IpvsNamespace;

use super::{Table, open};
use crate::balance::PoolId;

/// Counters, as they were read last.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    client: Option<Client>,
    services: Option<(Instant, HashMap<Key, Statistics>)>,
    servers: HashMap<Key, (Instant, HashMap<SocketAddr, Statistics>)>,
}

impl Figures {
    /// What was counted of a virtual server: the sum of its services. Older figures than `age` are read again.
    pub(crate) fn of_pool(&mut self, table: &Table, pool: PoolId, age: Duration) -> Statistics {
        let now = Instant::now();
        if self.services.as_ref().is_none_or(|(read, _)| now.duration_since(*read) >= age) {
            let read = self.ask(table.namespace.as_ref(), Client::services).unwrap_or_default();
            let by_key = read.into_iter().map(|(service, figures)| (service.key, figures));
            self.services = Some((now, by_key.collect()));
        }
        let Some((_, known)) = &self.services else { return Statistics::default() };
        table
            .services_of(pool)
            .filter_map(|key| known.get(&key).copied())
            .fold(Statistics::default(), sum)
    }

    /// What was counted of a server of a virtual server, in all its services.
    pub(crate) fn of_server(
        &mut self,
        table: &Table,
        pool: PoolId,
        server: SocketAddr,
        age: Duration,
    ) -> Statistics {
        let now = Instant::now();
        let mut total = Statistics::default();
        for key in table.services_of(pool) {
            if self.servers.get(&key).is_none_or(|(read, _)| now.duration_since(*read) >= age) {
                let read = self.ask(table.namespace.as_ref(), |client| client.destinations(key));
                let by_address = read.unwrap_or_default().into_iter().map(|(server, figures)| {
                    (SocketAddr::new(server.address, server.port), figures)
                });
                self.servers.insert(key, (now, by_address.collect()));
            }
            let Some((_, known)) = self.servers.get(&key) else { continue };
            // Without a port of its own a server has that of the service.
            let port = match key {
                Key::Address { port, .. } if server.port() == 0 => port,
                _ => server.port(),
            };
            if let Some(figures) = known.get(&SocketAddr::new(server.ip(), port)) {
                total = sum(total, *figures);
            }
        }
        total
    }

    /// Forgets what was read: the services are others.
    pub(crate) fn forget(&mut self) {
        *self = Self { client: self.client.take(), ..Self::default() };
    }

    fn ask<T>(
        &mut self,
        namespace: Option<&IpvsNamespace>,
        question: impl FnOnce(&mut Client) -> Result<T, Error>,
    ) -> Option<T> {
        let opened = match self.client.take() {
            Some(client) => Ok(client),
            None => open(namespace),
        };
        let outcome = opened.and_then(|mut client| {
            let answer = question(&mut client)?;
            self.client = Some(client);
            Ok(answer)
        });
        outcome.map_err(|failure| debug!("IPVS: cannot read counters: {failure}")).ok()
    }
}

fn sum(one: Statistics, two: Statistics) -> Statistics {
    Statistics {
        connections: one.connections.wrapping_add(two.connections),
        packets_in: one.packets_in.wrapping_add(two.packets_in),
        packets_out: one.packets_out.wrapping_add(two.packets_out),
        bytes_in: one.bytes_in.wrapping_add(two.bytes_in),
        bytes_out: one.bytes_out.wrapping_add(two.bytes_out),
        connection_rate: one.connection_rate.saturating_add(two.connection_rate),
        packet_rate_in: one.packet_rate_in.saturating_add(two.packet_rate_in),
        packet_rate_out: one.packet_rate_out.saturating_add(two.packet_rate_out),
        byte_rate_in: one.byte_rate_in.saturating_add(two.byte_rate_in),
        byte_rate_out: one.byte_rate_out.saturating_add(two.byte_rate_out),
        active: one.active.saturating_add(two.active),
        inactive: one.inactive.saturating_add(two.inactive),
        persistent: one.persistent.saturating_add(two.persistent),
    }
}
