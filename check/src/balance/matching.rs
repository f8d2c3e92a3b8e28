//! What in a new configuration is what in the old one.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};

use crate::config::checker::Kind;
use crate::config::http::{Http, Url};
use crate::config::{Checker, Config, Family, Protocol, RealServer, Service, VirtualServer};

/// What makes a virtual server the same in two configurations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum PoolKey<'a> {
    Address(IpAddr, Option<u16>, Option<Protocol>),
    Mark(u32, Option<Family>),
    /// The name of the group and the number among its virtual servers.
    Group(&'a str),
}

fn pool_key(server: &VirtualServer) -> PoolKey<'_> {
    match server.service {
        Service::Address(address, port) => PoolKey::Address(address, port, server.protocol),
        Service::Mark(mark) => PoolKey::Mark(mark, server.family),
        Service::Group(_) => PoolKey::Group(&server.name),
    }
}

/// For each virtual server of `old` the position of what it is in `new`.
pub(super) fn pools(old: &Config, new: &Config) -> Vec<Option<usize>> {
    pairs(old.virtual_servers.iter().map(pool_key), new.virtual_servers.iter().map(pool_key))
}

/// For each real server of `old` the position of what it is in `new`.
pub(super) fn servers(old: &[RealServer], new: &[RealServer]) -> Vec<Option<usize>> {
    let address = |server: &RealServer| -> SocketAddr { server.address };
    pairs(old.iter().map(address), new.iter().map(address))
}

/// For each check of `new` the position of the one in `old` whose state it takes over.
pub(super) fn checks(old: &[Checker], new: &[Checker]) -> Vec<Option<usize>> {
    let before = |checker: &Checker| old.iter().position(|old| continues(&old.kind, &checker.kind));
    new.iter().map(before).collect()
}

/// Pairs what is equal, each at most once.
fn pairs<K: Eq + Hash>(
    old: impl Iterator<Item = K>,
    new: impl DoubleEndedIterator<Item = K> + ExactSizeIterator,
) -> Vec<Option<usize>> {
    let mut places: HashMap<K, Vec<usize>> = HashMap::new();
    for (place, key) in new.enumerate().rev() {
        places.entry(key).or_default().push(place);
    }
    old.map(|key| places.get_mut(&key).and_then(Vec::pop)).collect()
}

/// Whether a check goes on as another one: it looks at the same thing in the same way. How often does not matter.
fn continues(old: &Kind, new: &Kind) -> bool {
    match (old, new) {
        (Kind::Tcp(old, _), Kind::Tcp(new, _))
        | (Kind::Udp(old, _, _), Kind::Udp(new, _, _))
        | (Kind::Ping(old, _), Kind::Ping(new, _)) => old == new,
        (Kind::Http(old, _, http), Kind::Http(new, _, new_http)) => {
            old == new && fetches_the_same(http, new_http)
        }
        (Kind::Smtp(old, _, smtp), Kind::Smtp(new, _, new_smtp)) => old == new && smtp == new_smtp,
        (Kind::Dns(old, _, dns), Kind::Dns(new, _, new_dns)) => old == new && dns == new_dns,
        (Kind::Misc(_, old), Kind::Misc(_, new)) => {
            old.script == new.script && old.dynamic == new.dynamic
        }
        (Kind::File(old), Kind::File(new)) => old == new,
        (Kind::Bfd(old), Kind::Bfd(new)) => old == new,
        _ => false,
    }
}

fn fetches_the_same(old: &Http, new: &Http) -> bool {
    let same = |(old, new): (&Url, &Url)| {
        old.path == new.path
            && old.digest == new.digest
            && old.status == new.status
            && old.virtualhost == new.virtualhost
            && old.regex == new.regex
    };
    old.tls == new.tls
        && old.virtualhost == new.virtualhost
        && old.sni_name == new.sni_name
        && old.urls.len() == new.urls.len()
        && old.urls.iter().zip(&new.urls).all(same)
}
