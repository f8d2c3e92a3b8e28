//! What changes the priority of an instance, or makes it faulty.

use std::time::Duration;

use runtime::global;
use serde::{Deserialize, Serialize};

use crate::track::Weighting;
use crate::track::process::{Parameters, Pattern, Quorum};

/// The trackers of an instance. Those of its sync group are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trackers {
    /// Interfaces.
    pub interfaces: Vec<Tracker<String>>,
    /// Scripts.
    pub scripts: Vec<Tracker<ScriptId>>,
    /// Files.
    pub files: Vec<Tracker<FileId>>,
    /// Processes.
    pub processes: Vec<Tracker<ProcessId>>,
    /// BFD sessions.
    pub sessions: Vec<Tracker<SessionId>>,
}

/// One tracked thing, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracker<T> {
    /// The thing.
    pub what: T,
    /// How it counts.
    pub weighting: Weighting,
}

/// A script, as its position in [`Config::scripts`](super::Config::scripts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScriptId(pub u32);

/// A file, as its position in [`Config::files`](super::Config::files).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId(pub u32);

/// A process, as its position in [`Config::processes`](super::Config::processes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId(pub u32);

/// A BFD session, as its position in [`Config::sessions`](super::Config::sessions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub u32);

/// A script that is run again and again (`vrrp_script`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Its name.
    pub name: String,
    /// What is run, and as whom.
    pub script: global::Script,
    /// From one start to the next.
    pub interval: Duration,
    /// How long it may run; `None` is [`Self::interval`].
    pub timeout: Option<Duration>,
    /// So many successes make it good.
    pub rise: u32,
    /// So many failures make it bad.
    pub fall: u32,
    /// Whether it starts as bad.
    pub init_fail: bool,
    /// How it counts for those who say nothing about it.
    pub weighting: Weighting,
}

/// Processes that are counted (`vrrp_track_process`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackProcess {
    /// Its name.
    pub name: String,
    /// Which processes are meant.
    pub pattern: Pattern,
    /// What was said about the comparison of parameters, whether they are compared or not.
    pub comparison: Option<Parameters>,
    /// How many there should be.
    pub quorum: Quorum,
    /// How it counts for those who say nothing about it.
    pub weighting: Weighting,
}
