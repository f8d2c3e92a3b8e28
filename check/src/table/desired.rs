//! What IPVS should have for a virtual server: its services, and the servers of each.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use ipvs_sys::{Destination, Key, Persistence, Service, Tunnel, TunnelChecksum, TunnelKind};

use super::marks::Marks;
use crate::balance::{Balance, PoolId, ServerId};
use crate::config::forwarding::Checksum;
use crate::config::group::Entry;
use crate::config::service::Granularity;
use crate::config::{self, Family, Forwarding, Protocol, VirtualServer};

/// More addresses than that are not balanced by one line of a group: it takes hours, and the memory of the machine.
const MOST_ADDRESSES: u128 = 1 << 20;

/// A service that IPVS should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) service: Rc<Service>,
    /// Its servers; shared by all services of a group for which they are the same.
    pub(super) destinations: Rc<[Destination]>,
}

/// The services of a virtual server, those of addresses first. What has ended has none.
pub(super) fn services(balance: &Balance, id: PoolId, marks: &mut Marks) -> Vec<Wanted> {
    let Some(server) = balance.virtual_server(id).filter(|_| !balance.is_stopped()) else {
        return Vec::new();
    };
    let members = Members { balance, id, server };
    let mut wanted = Gathering { members, by_port: HashMap::new(), services: Vec::new() };
    match server.service {
        config::Service::Address(address, port) => wanted.address(address, port.unwrap_or(0)),
        config::Service::Mark(mark) => wanted.mark(mark, server.family),
        config::Service::Group(group) => {
            let Some(group) = balance.config().group(group) else { return Vec::new() };
            if let Some(mark) = marks.mark(group, server.protocol) {
                let both = server.family.is_none();
                if both || server.family == Some(Family::Inet) {
                    wanted.mark(mark, Some(Family::Inet));
                }
                if both || server.family == Some(Family::Inet6) {
                    wanted.mark(mark, Some(Family::Inet6));
                }
            } else {
                for entry in &group.entries {
                    if let Entry::Range { first, last, port } = *entry {
                        addresses(first, last)
                            .for_each(|address| wanted.address(address, port.unwrap_or(0)));
                    }
                }
                for entry in &group.entries {
                    if let Entry::Mark { mark, family } = *entry {
                        wanted.mark(mark, family.or(server.family));
                    }
                }
            }
        }
    }
    wanted.services
}

/// Whether a line of a group is about too many addresses.
pub(super) fn is_too_wide(entry: &Entry) -> bool {
    match *entry {
        Entry::Range { first, last, .. } => width(first, last) > MOST_ADDRESSES,
        Entry::Mark { .. } => false,
    }
}

fn width(first: IpAddr, last: IpAddr) -> u128 {
    number(last).saturating_sub(number(first)).saturating_add(1)
}

/// An address as a number.
pub(super) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// All addresses of a range, over the borders of its last octet too; none of one that is too wide.
fn addresses(first: IpAddr, last: IpAddr) -> impl Iterator<Item = IpAddr> {
    let is_ipv4 = first.is_ipv4();
    let count = Some(width(first, last)).filter(|&width| width <= MOST_ADDRESSES).unwrap_or(0);
    let first = number(first);
    (0..count).map(move |offset| {
        let address = first + offset;
        match u32::try_from(address) {
            Ok(address) if is_ipv4 => Ipv4Addr::from_bits(address).into(),
            _ => Ipv6Addr::from_bits(address).into(),
        }
    })
}

struct Gathering<'a> {
    members: Members<'a>,
    /// The servers by the port of the service; `None` is a mark.
    by_port: HashMap<Option<u16>, Rc<[Destination]>>,
    services: Vec<Wanted>,
}

impl Gathering<'_> {
    fn address(&mut self, address: IpAddr, port: u16) {
        let protocol = match self.members.server.protocol {
            Some(Protocol::Tcp) => ipvs_sys::Protocol::Tcp,
            Some(Protocol::Sctp) => ipvs_sys::Protocol::Sctp,
            Some(Protocol::Udp) | None => ipvs_sys::Protocol::Udp,
        };
        self.add(Key::Address { protocol, address, port }, Some(port));
    }

    fn mark(&mut self, mark: u32, family: Option<Family>) {
        self.add(Key::Mark { mark, ipv6: family == Some(Family::Inet6) }, None);
    }

    fn add(&mut self, key: Key, port: Option<u16>) {
        let members = &self.members;
        let destinations =
            self.by_port.entry(port).or_insert_with(|| members.destinations(port).into());
        let destinations = Rc::clone(destinations);
        let service = Rc::new(service(key, members.server));
        self.services.push(Wanted { service, destinations });
    }
}

fn service(key: Key, server: &VirtualServer) -> Service {
    let persistence = server.persistence.map(|timeout| {
        let granularity = match (server.granularity, ipvs_sys::Granularity::single(key)) {
            (Some(Granularity::Mask(mask)), ipvs_sys::Granularity::Mask(_)) => {
                ipvs_sys::Granularity::Mask(mask)
            }
            (Some(Granularity::Prefix(length)), ipvs_sys::Granularity::Prefix(_)) => {
                ipvs_sys::Granularity::Prefix(length)
            }
            (_, single) => single,
        };
        Persistence { timeout: u32::try_from(timeout.as_secs()).unwrap_or(u32::MAX), granularity }
    });
    let flags = server.flags;
    Service {
        key,
        scheduler: server.scheduler.name().to_owned(),
        flags: ipvs_sys::Flags {
            one_packet: flags.one_packet,
            scheduler: [flags.first, flags.second, flags.third],
        },
        persistence,
        engine: server.persistence_engine.clone(),
    }
}

/// The servers of a virtual server.
struct Members<'a> {
    balance: &'a Balance,
    id: PoolId,
    server: &'a VirtualServer,
}

impl Members<'_> {
    /// As servers of a service with this port, or of a mark.
    fn destinations(&self, port: Option<u16>) -> Vec<Destination> {
        let mut found: Vec<Destination> = Vec::with_capacity(self.server.real_servers.len());
        for (place, server) in self.server.real_servers.iter().enumerate() {
            let Some(weight) = self.balance.share(ServerId { pool: self.id, place }) else {
                continue;
            };
            found.push(Destination {
                address: server.address.ip(),
                port: own_port(server.forwarding, server.address.port(), port),
                forwarding: forwarding(server.forwarding),
                weight,
                upper_threshold: server.upper_threshold,
                lower_threshold: server.lower_threshold,
            });
        }
        if let (Some(sorry), Some(weight)) =
            (&self.server.sorry_server, self.balance.sorry_share(self.id))
        {
            found.push(Destination {
                address: sorry.address.ip(),
                port: own_port(sorry.forwarding, sorry.address.port(), port),
                forwarding: forwarding(sorry.forwarding),
                weight,
                upper_threshold: 0,
                lower_threshold: 0,
            });
        }
        unique(found)
    }
}

/// For IPVS two servers with one address and port are one. The one that takes traffic counts.
pub(super) fn unique(found: Vec<Destination>) -> Vec<Destination> {
    let mut places: HashMap<(IpAddr, u16), usize> = HashMap::with_capacity(found.len());
    let mut kept: Vec<Destination> = Vec::with_capacity(found.len());
    for server in found {
        match places.get(&(server.address, server.port)).and_then(|&place| kept.get_mut(place)) {
            Some(twin) if twin.weight < server.weight => *twin = server,
            Some(_) => {}
            None => {
                places.insert((server.address, server.port), kept.len());
                kept.push(server);
            }
        }
    }
    kept
}

/// Only where addresses are translated a server has a port of its own.
fn own_port(method: Forwarding, own: u16, service: Option<u16>) -> u16 {
    match (method, own, service) {
        (Forwarding::Nat, 1.., _) | (Forwarding::Nat, 0, None) => own,
        (_, _, service) => service.unwrap_or(0),
    }
}

fn forwarding(method: Forwarding) -> ipvs_sys::Forwarding {
    match method {
        Forwarding::Nat => ipvs_sys::Forwarding::Masquerade,
        Forwarding::Direct => ipvs_sys::Forwarding::Route,
        Forwarding::Tunnel(tunnel) => ipvs_sys::Forwarding::Tunnel(Tunnel {
            kind: match tunnel.kind {
                config::forwarding::TunnelKind::Ipip => TunnelKind::Ipip,
                config::forwarding::TunnelKind::Gue(port) => TunnelKind::Gue(port),
                config::forwarding::TunnelKind::Gre => TunnelKind::Gre,
            },
            checksum: match tunnel.checksum {
                Checksum::None => TunnelChecksum::None,
                Checksum::Full => TunnelChecksum::Full,
                Checksum::Remote => TunnelChecksum::Remote,
            },
        }),
    }
}

#[cfg(test)]
mod tests;
