//! Routes as plain values.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::IfIndex;

/// A range of addresses: all that agree in the first `len` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prefix {
    /// An address in it.
    pub address: IpAddr,
    /// How many of its bits count.
    pub len: u8,
}

impl Prefix {
    /// All addresses of a family.
    pub fn everywhere(ipv6: bool) -> Self {
        let address =
            if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        Self { address, len: 0 }
    }

    /// The same range, named by its first address.
    pub fn network(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let host_bits = 32u32.saturating_sub(self.len.into());
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv4Addr::from(u32::from(address) & mask).into()
            }
            IpAddr::V6(address) => {
                let host_bits = 128u32.saturating_sub(self.len.into());
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv6Addr::from(u128::from(address) & mask).into()
            }
        };
        Self { address, ..self }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len {
            0 => f.write_str("default"),
            len => write!(f, "{}/{len}", self.address),
        }
    }
}

/// A route, as it is or as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where it leads to.
    pub destination: Prefix,
    /// For which sources it is (IPv6).
    pub from: Option<Prefix>,
    /// The address that packets leave with.
    pub source: Option<IpAddr>,
    /// What kind it is (`RTN_*`).
    pub kind: u8,
    /// The table that it is in.
    pub table: u32,
    /// Who has made it (`RTPROT_*`).
    pub protocol: u8,
    /// How far it leads (`RT_SCOPE_*`).
    pub scope: u8,
    /// Type of service.
    pub tos: u8,
    /// The lower, the better. `None` is what the kernel makes of it.
    pub metric: Option<u32>,
    /// The next routers; several share the traffic.
    pub hops: Vec<Hop>,
    /// Settings of connections over this route.
    pub metrics: Metrics,
    /// Seconds until it goes (IPv6).
    pub expires: Option<u32>,
    /// Router preference (IPv6, RFC 4191).
    pub preference: Option<u8>,
    /// Whether the TTL is carried into an MPLS label.
    pub ttl_propagate: Option<bool>,
    /// How it is to be added. The kernel does not keep this.
    pub add: AddMode,
}

/// How a route is added beside others to the same destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddMode {
    /// Before them.
    #[default]
    Prepend,
    /// Behind them.
    Append,
    /// Only if there are none.
    Exclusive,
}

/// A next router, or an interface with nobody in between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The router. It may be of another family than the route.
    pub gateway: Option<IpAddr>,
    /// The interface.
    pub interface: Option<IfIndex>,
    /// Share of the traffic, 1 to 256.
    pub weight: u16,
    /// Whether the router is taken to be on the link.
    pub onlink: bool,
    /// Realms (IPv4).
    pub realms: Option<u32>,
    /// A tunnel header to be put on.
    pub encap: Option<Encap>,
}

impl Default for Hop {
    fn default() -> Self {
        Self { gateway: None, interface: None, weight: 1, onlink: false, realms: None, encap: None }
    }
}

/// Settings of connections over a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// The numbers (`RTAX_*`), each with its value. They are in order.
    pub numbers: Vec<(u16, u32)>,
    /// The algorithm of congestion control.
    pub congestion: Option<String>,
}

/// A tunnel header that a route puts on packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encap {
    /// IPv4.
    Ip(EncapIp),
    /// IPv6.
    Ip6(EncapIp),
    /// MPLS labels, outermost first.
    Mpls(Vec<u32>),
    /// An identifier locator address.
    Ila(u64),
}

/// An IPv4 or IPv6 tunnel header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncapIp {
    /// Tunnel id.
    pub id: Option<u64>,
    /// Destination.
    pub destination: Option<IpAddr>,
    /// Source.
    pub source: Option<IpAddr>,
    /// Type of service, or traffic class.
    pub tos: Option<u8>,
    /// TTL, or hop limit.
    pub ttl: Option<u8>,
    /// Flags, as they lie in memory.
    pub flags: Option<u16>,
}

impl Route {
    /// An ordinary route (`RTN_UNICAST`).
    pub const UNICAST: u8 = 1;
    /// To an address of this machine (`RTN_LOCAL`).
    pub const LOCAL: u8 = 2;
    /// Packets are dropped in silence (`RTN_BLACKHOLE`).
    pub const BLACKHOLE: u8 = 6;
    /// The search goes on in another table (`RTN_THROW`).
    pub const THROW: u8 = 9;
    /// The table where routes usually are (`RT_TABLE_MAIN`).
    pub const MAIN: u32 = 254;
    /// The metric of an IPv6 route that gives none.
    const IPV6_METRIC: u32 = 1024;

    /// A route in the main table, without any attribute.
    pub fn plain(destination: Prefix, hops: Vec<Hop>) -> Self {
        Self {
            destination,
            from: None,
            source: None,
            kind: Self::UNICAST,
            table: Self::MAIN,
            protocol: 0,
            scope: 0,
            tos: 0,
            metric: None,
            hops,
            metrics: Metrics::default(),
            expires: None,
            preference: None,
            ttl_propagate: None,
            add: AddMode::default(),
        }
    }

    /// Whether it is one of IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.destination.address.is_ipv6()
    }

    /// Whether packets go anywhere over it: it is none of those that only refuse.
    pub fn leads_somewhere(&self) -> bool {
        !(Self::BLACKHOLE..=Self::THROW).contains(&self.kind)
    }

    /// The metric that the kernel takes it to have.
    pub fn effective_metric(&self) -> u32 {
        match self.metric.unwrap_or(0) {
            0 if self.is_ipv6() => Self::IPV6_METRIC,
            metric => metric,
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.destination.fmt(f)?;
        for hop in &self.hops {
            if let Some(gateway) = hop.gateway {
                write!(f, " via {gateway}")?;
            }
            if let Some(interface) = hop.interface {
                write!(f, " over interface {interface}")?;
            }
        }
        match self.table {
            Self::MAIN => Ok(()),
            table => write!(f, " in table {table}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_no_host_bits() {
        let network = |text: &str, len| Prefix { address: text.parse().unwrap(), len }.network();
        assert_eq!(network("10.1.2.3", 24).to_string(), "10.1.2.0/24");
        assert_eq!(network("10.1.2.3", 32).to_string(), "10.1.2.3/32");
        assert_eq!(network("10.1.2.3", 0), Prefix::everywhere(false));
        assert_eq!(network("fd00::1:2", 112).to_string(), "fd00::1:0/112");
        assert_eq!(network("fd00::1:2", 0).to_string(), "default");
    }
}
