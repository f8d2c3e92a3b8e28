//! Settings of IPVS and of all checkers.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NetlinkBuffer;

/// What concerns IPVS as a whole, and defaults of the checkers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lvs {
    /// Time-outs of connections.
    pub timeouts: Timeouts,
    /// Whether the IPVS table is emptied at start.
    pub flush: bool,
    /// What is removed at stop besides the daemon's own.
    pub flush_on_stop: FlushOnStop,
    /// Synchronisation of connections between directors.
    pub sync_daemon: Option<SyncDaemon>,
    /// The socket for netlink requests.
    pub netlink_command: NetlinkBuffer,
    /// The socket for netlink events.
    pub netlink_monitor: NetlinkBuffer,
    /// Whether every failure of a check is logged.
    pub log_all_failures: bool,
    /// Whether the first state of a real server is notified.
    pub rs_init_notifies: bool,
}

/// Time-outs of IPVS connections; `None` is the kernel's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Established TCP.
    pub tcp: Option<Duration>,
    /// TCP after FIN.
    pub tcp_fin: Option<Duration>,
    /// UDP.
    pub udp: Option<Duration>,
}

/// What is removed from the IPVS table at stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlushOnStop {
    /// Each configured server by itself.
    #[default]
    Off,
    /// Everything.
    Everything,
    /// The configured virtual servers, and their real servers with them.
    VirtualServers,
}

/// The kernel's connection synchronisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDaemon {
    /// The interface.
    pub interface: String,
    /// The VRRP instance whose state decides between master and backup; without one both roles run.
    pub instance: Option<String>,
    /// Which group of directors; `None` is the number of the virtual router, or 0.
    pub id: Option<u8>,
    /// Longest packet.
    pub max_length: Option<u16>,
    /// UDP port.
    pub port: Option<u16>,
    /// Time to live.
    pub ttl: Option<u8>,
    /// Multicast group.
    pub group: Option<IpAddr>,
}
