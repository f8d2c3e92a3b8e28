//! Virtual servers, as they leave the parser.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use runtime::global::Script;
use serde::{Deserialize, Serialize};

use super::checker::HandedDown;
use super::forwarding::Forwarding;
use super::{Family, GroupId, RealServer, SorryServer};

/// A service that real servers share the work of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualServer {
    /// What makes packets belong to it.
    pub service: Service,
    /// What logs and notifications call it.
    pub name: String,
    /// Its address family; `None` with a group of both families.
    pub family: Option<Family>,
    /// Its protocol; `None` for marks.
    pub protocol: Option<Protocol>,
    /// How IPVS chooses a real server.
    pub scheduler: Scheduler,
    /// Switches of IPVS.
    pub flags: Flags,
    /// Whether clients keep their real server, and for how long.
    pub persistence: Option<Duration>,
    /// Which clients count as one; `None` is each by itself.
    pub granularity: Option<Granularity>,
    /// What tells clients apart above the addresses, such as `sip`.
    pub persistence_engine: Option<String>,
    /// The weight of live real servers that makes a quorum; 0 where all weights are 0.
    pub quorum: u32,
    /// By how much the quorum must be missed, or exceeded, to be lost or gained.
    pub hysteresis: u32,
    /// Run when the quorum is gained.
    pub quorum_up: Option<Box<Script>>,
    /// Run when the quorum is lost.
    pub quorum_down: Option<Box<Script>>,
    /// Whether its end is notified.
    pub omega: bool,
    /// Whether checks run only while its address is on this machine.
    pub ha_suspend: bool,
    /// Whether e-mail is sent about its quorum.
    pub smtp_alert: bool,
    /// Its name in SNMP.
    pub snmp_name: Option<String>,
    /// What it hands down to the checks of its servers; the time between runs is what scripts may take by default.
    pub handed_down: HandedDown,
    /// How packets reach servers that say nothing themselves.
    pub forwarding: Forwarding,
    /// Whether servers that say nothing themselves stay with weight 0 when they fail.
    pub inhibit_on_failure: bool,
    /// The weight of servers that say nothing themselves.
    pub weight: u32,
    /// What serves while there is no quorum.
    pub sorry_server: Option<SorryServer>,
    /// The servers; not empty, and no address twice.
    pub real_servers: Box<[RealServer]>,
}

/// What makes packets belong to a virtual server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// Their destination; a port of `None` is any.
    Address(IpAddr, Option<u16>),
    /// The firewall has marked them. Never 0.
    Mark(u32),
    /// A group says so.
    Group(GroupId),
}

/// Protocols that IPVS balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// An address with protocol and port, as logs show it.
pub(crate) fn trio(address: IpAddr, protocol: Option<Protocol>, port: Option<u16>) -> String {
    let port = port.unwrap_or(0);
    match protocol {
        Some(protocol) => format!("[{address}]:{protocol}:{port}"),
        None => format!("[{address}]:none:{port}"),
    }
}

/// How IPVS chooses a real server; the kernel knows it by this name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduler(String);

impl Scheduler {
    const NAMES: [&str; 14] = [
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "mh", "fo", "ovf", "sed", "nq",
        "twos",
    ];

    /// The scheduler of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.contains(&name).then(|| Self(name.to_owned()))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Self("wlc".to_owned())
    }
}

/// Switches of a service in IPVS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags {
    /// The scheduler's first: fallback for `sh` and `mh`.
    pub first: bool,
    /// The scheduler's second: port for `sh` and `mh`.
    pub second: bool,
    /// The scheduler's third.
    pub third: bool,
    /// Every packet is scheduled by itself.
    pub one_packet: bool,
}

/// Which clients count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Granularity {
    /// Those that are equal under this mask.
    Mask(Ipv4Addr),
    /// Those whose first bits are equal.
    Prefix(u8),
}
