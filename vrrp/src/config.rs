//! The VRRP part of the configuration: typed, complete and in range.
//!
//! The parent makes a [`Config`] from the statements of the configuration file; the VRRP child is given it and parses
//! nothing.

pub mod address;
pub mod auth;
pub mod instance;
pub mod route;
pub mod rule;
pub mod sync_group;
pub mod track;

use std::time::Duration;

use runtime::global::{SyncDaemon, TrackFile};
use serde::{Deserialize, Serialize};

pub use address::Address;
pub use instance::Instance;
pub use route::Route;
pub use rule::Rule;
pub use sync_group::SyncGroup;
pub use track::{Script, TrackProcess};

/// Everything that the VRRP child is to do, besides the settings of the whole daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The virtual routers, in the order of the file.
    pub instances: Vec<Instance>,
    /// Sync groups. All of them have members.
    pub groups: Vec<SyncGroup>,
    /// Scripts that somebody tracks.
    pub scripts: Vec<Script>,
    /// Files that somebody tracks.
    pub files: Vec<TrackFile>,
    /// Processes that somebody tracks.
    pub processes: Vec<TrackProcess>,
    /// The names of the BFD sessions that somebody tracks.
    pub sessions: Vec<String>,
    /// Addresses that are there while the daemon runs. All name their interface.
    pub static_addresses: Vec<Address>,
    /// Routes that are there while the daemon runs.
    pub static_routes: Vec<Route>,
    /// Policy rules that are there while the daemon runs.
    pub static_rules: Vec<Rule>,
    /// Who shares the fate of static addresses, routes and rules.
    pub track_groups: Vec<TrackGroup>,
    /// Pacing of announcements on some interfaces.
    pub garp_groups: Vec<GarpGroup>,
    /// Interfaces whose link is polled.
    pub linkbeat: Vec<Linkbeat>,
    /// Interfaces whose changes are looked at later.
    pub delays: Vec<LinkDelay>,
    /// The IPVS synchronisation that an instance asks for in the old way.
    pub sync_daemon: Option<SyncDaemon>,
    /// Whether the configuration asks for the VRRP child, even if nothing usable is left of what it says.
    pub wanted: bool,
}

/// An instance, as its position in [`Config::instances`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceId(pub u32);

/// A sync group, as its position in [`Config::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub u32);

/// A track group, as its position in [`Config::track_groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrackGroupId(pub u32);

/// Instances that go to FAULT while the interface of a static address, route or rule is down (`track_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackGroup {
    /// Its name.
    pub name: String,
    /// The instances.
    pub members: Vec<InstanceId>,
}

/// Pacing of announcements that several interfaces share (`garp_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpGroup {
    /// The interfaces. None is in two groups.
    pub interfaces: Vec<String>,
    /// Gap between gratuitous ARP messages; `None` leaves the daemon's.
    pub garp_interval: Option<Duration>,
    /// Gap between neighbour advertisements; `None` leaves the daemon's.
    pub gna_interval: Option<Duration>,
}

/// An interface whose link is polled instead of waiting for the kernel's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linkbeat {
    /// The interface.
    pub interface: String,
    /// How it is asked; `None` tries all ways.
    pub method: Option<LinkbeatMethod>,
}

/// How an interface is asked for its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkbeatMethod {
    /// The registers of the transceiver.
    Mii,
    /// `ethtool`'s link query.
    Ethtool,
    /// The interface's flags.
    Ioctl,
}

/// How long a change of an interface must last before it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkDelay {
    /// The interface.
    pub interface: String,
    /// Before it counts as down.
    pub down: Duration,
    /// Before it counts as up.
    pub up: Duration,
}

impl Config {
    /// Whether the VRRP child is to run.
    pub fn needs_child(&self) -> bool {
        self.wanted
    }

    /// The instance with this number.
    pub fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.get(usize::try_from(id.0).ok()?)
    }

    /// The sync group with this number.
    pub fn group(&self, id: GroupId) -> Option<&SyncGroup> {
        self.groups.get(usize::try_from(id.0).ok()?)
    }
}
