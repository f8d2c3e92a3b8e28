//! Virtual and static routes.

use std::net::IpAddr;

use runtime::machine::route::{AddMode, Encap, Prefix};
use serde::{Deserialize, Serialize};

use super::TrackGroupId;
use crate::packet::Family;

/// A route (`virtual_routes`, `static_routes`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its family.
    pub family: Family,
    /// Where it leads to; `None` is everywhere, and so is a length of 0.
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

/// The settings that may be locked, by their numbers in the kernel (`RTAX_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockable {
    /// `RTAX_MTU`.
    Mtu = 2,
    /// `RTAX_RTT`.
    Rtt = 4,
    /// `RTAX_RTTVAR`.
    RttVar = 5,
    /// `RTAX_SSTHRESH`.
    SsThresh = 6,
    /// `RTAX_CWND`.
    Cwnd = 7,
    /// `RTAX_ADVMSS`.
    AdvMss = 8,
    /// `RTAX_REORDERING`.
    Reordering = 9,
    /// `RTAX_RTO_MIN`.
    RtoMin = 13,
    /// `RTAX_CC_ALGO`.
    Congestion = 16,
}

/// Explicit congestion notification (`RTAX_FEATURE_ECN`).
const ECN: u32 = 1;

impl Metrics {
    /// The kernel must not change `setting`.
    pub fn lock(&mut self, setting: Lockable) {
        self.locked |= 1 << u32::from(setting as u8);
    }

    /// Whether the kernel must not change `setting`.
    pub fn is_locked(&self, setting: Lockable) -> bool {
        self.locked & (1 << u32::from(setting as u8)) != 0
    }

    /// Congestion is to be notified explicitly.
    pub fn notify_congestion(&mut self) {
        self.features |= ECN;
    }

    /// Whether congestion is notified explicitly.
    pub fn notifies_congestion(&self) -> bool {
        self.features & ECN != 0
    }
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
