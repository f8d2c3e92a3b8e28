//! Groups of instances that change state together.

use runtime::global::Script;
use serde::{Deserialize, Serialize};

use super::InstanceId;
use super::track::Trackers;

/// Instances that change state together (`vrrp_sync_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncGroup {
    /// Its name.
    pub name: String,
    /// Its members; at least one.
    pub members: Vec<InstanceId>,
    /// What changes the priority of all members, or makes them faulty.
    pub trackers: Trackers,
    /// Who is told about changes.
    pub notify: GroupNotify,
    /// Whether changes of state are mailed.
    pub smtp_alert: bool,
    /// Whether members may have weighted trackers of their own.
    pub tracking_weight: bool,
}

/// Scripts that are started when something happens to a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupNotify {
    /// The group became master.
    pub master: Option<Script>,
    /// The group became backup.
    pub backup: Option<Script>,
    /// The group became faulty.
    pub fault: Option<Script>,
    /// The daemon stops.
    pub stop: Option<Script>,
    /// Any of these, with what happened as further arguments.
    pub any: Option<Script>,
}
