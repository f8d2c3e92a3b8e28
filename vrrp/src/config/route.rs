//! Virtual and static routes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::TrackGroupId;
use crate::packet::Family;

/// A prefix of addresses; length 0 is "default".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// How many of its bits count.
    pub len: u8,
}

/// A route (`virtual_routes`, `static_routes`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its family.
    pub family: Family,
    /// Where it leads to; `None` is everywhere.
    pub destination: Option<Prefix>,
    /// For which sources (IPv6).
    pub from: Option<Prefix>,
    /// The address that packets leave with.
    pub source: Option<IpAddr>,
    /// Kind (`RTN_*`).
    pub kind: u8,
    /// Table.
    pub table: u32,
    /// Who is said to have made it (`RTPROT_*`).
    pub protocol: u8,
    /// Scope (`RT_SCOPE_*`); `None` is what the kind and the gateway make of it.
    pub scope: Option<u8>,
    /// Type of service.
    pub tos: u8,
    /// Metric.
    pub metric: Option<u32>,
    /// The next router; of another family only where the kernel knows `RTA_VIA`.
    pub gateway: Option<IpAddr>,
    /// The interface.
    pub interface: Option<String>,
    /// Whether the gateway is taken to be on the link.
    pub onlink: bool,
    /// Settings of connections over this route.
    pub metrics: Metrics,
    /// Realms (`RTA_FLOW`).
    pub realms: Option<u32>,
    /// Seconds until it goes (IPv6).
    pub expires: Option<u32>,
    /// Router preference (IPv6, RFC 4191).
    pub preference: Option<u8>,
    /// Whether the TTL is carried into an MPLS label.
    pub ttl_propagate: Option<bool>,
    /// A tunnel header to be put on.
    pub encap: Option<Encap>,
    /// Several next routers.
    pub next_hops: Vec<NextHop>,
    /// How it is added.
    pub add: AddMode,
    /// Whether the loss of the route, or of its interface, matters.
    pub tracked: bool,
    /// Who shares the fate of a static route.
    pub track_group: Option<TrackGroupId>,
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
    Add,
}

/// Settings of connections over a route (`RTAX_*`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// `RTAX_MTU`.
    pub mtu: Option<u32>,
    /// `RTAX_WINDOW`.
    pub window: Option<u32>,
    /// `RTAX_RTT`, in eighths of a millisecond.
    pub rtt: Option<u32>,
    /// `RTAX_RTTVAR`, in quarters of a millisecond.
    pub rttvar: Option<u32>,
    /// `RTAX_SSTHRESH`.
    pub ssthresh: Option<u32>,
    /// `RTAX_CWND`.
    pub cwnd: Option<u32>,
    /// `RTAX_ADVMSS`.
    pub advmss: Option<u32>,
    /// `RTAX_REORDERING`.
    pub reordering: Option<u32>,
    /// `RTAX_HOPLIMIT`.
    pub hoplimit: Option<u8>,
    /// `RTAX_INITCWND`.
    pub initcwnd: Option<u32>,
    /// `RTAX_FEATURES`.
    pub features: u32,
    /// `RTAX_RTO_MIN`, in milliseconds.
    pub rto_min: Option<u32>,
    /// `RTAX_INITRWND`.
    pub initrwnd: Option<u32>,
    /// `RTAX_QUICKACK`.
    pub quickack: Option<bool>,
    /// `RTAX_CC_ALGO`.
    pub congestion: Option<String>,
    /// `RTAX_FASTOPEN_NO_COOKIE`.
    pub fastopen_no_cookie: Option<bool>,
    /// Which of these the kernel must not change, one bit per `RTAX_*` number (`RTAX_LOCK`).
    pub locked: u32,
}

/// One of several next routers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHop {
    /// The router.
    pub gateway: Option<IpAddr>,
    /// The interface.
    pub interface: Option<String>,
    /// Share of the traffic, 1 to 256.
    pub weight: u16,
    /// Whether the configuration says so.
    pub weight_given: bool,
    /// Whether the router is taken to be on the link.
    pub onlink: bool,
    /// Realms.
    pub realms: Option<u32>,
    /// A tunnel header to be put on.
    pub encap: Option<Encap>,
}

/// A tunnel header that a route puts on packets (`LWTUNNEL_*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encap {
    /// IPv4 or IPv6.
    Ip(EncapIp),
    /// One or two MPLS labels.
    Mpls(Vec<u32>),
    /// An identifier locator address.
    Ila(u64),
}

/// An IPv4 or IPv6 tunnel header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncapIp {
    /// Its family.
    pub family: Family,
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
    /// Flags.
    pub flags: Option<u16>,
}
