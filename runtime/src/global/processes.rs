//! Names, namespaces, priorities and limits of the processes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What concerns the processes themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processes {
    /// Name of the parent, where it is not that of the program.
    pub name: Option<String>,
    /// The VRRP child.
    pub vrrp: Child,
    /// The checker child.
    pub checker: Child,
    /// The BFD child.
    pub bfd: Child,
    /// Ceiling of the real-time priority that is raised by itself when timers run late: 0 is off, −1 off without a word.
    pub max_auto_priority: i8,
    /// Lateness of a timer that raises the priority; `None` is a second.
    pub min_auto_priority_delay: Option<Duration>,
    /// File creation mask; `None` leaves what is set.
    pub umask: Option<u32>,
    /// How long to wait for the children when stopping; `None` is 5 s.
    pub child_wait: Option<Duration>,
    /// The network namespace to run in.
    pub network_namespace: Option<String>,
    /// Where the IPVS sockets live.
    pub ipvs_namespace: Option<IpvsNamespace>,
    /// Whether ipsets with default names are used in a namespace.
    pub namespace_with_ipsets: bool,
    /// Suffix of pid files and of the name in the log.
    pub instance: Option<String>,
    /// Whether pid files live in a directory of their own. Implied by a namespace and by an instance name.
    pub use_pid_dir: bool,
}

/// The namespace of the IPVS sockets, where it is not that of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvsNamespace {
    /// That of process 1.
    Default,
    /// The one of this name.
    Named(String),
}

/// How a child runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its name, where it is not that of the program.
    pub name: Option<String>,
    /// Nice value; 0 leaves it.
    pub priority: i8,
    /// Real-time priority (SCHED_RR).
    pub realtime: Option<u8>,
    /// Limit of CPU time without a blocking call while real-time; `None` is no limit.
    pub realtime_limit: Option<Duration>,
    /// The CPUs that it may use; empty leaves what is set.
    pub cpus: Vec<u16>,
    /// Whether its memory is locked.
    pub no_swap: bool,
}

impl Default for Child {
    fn default() -> Self {
        Self {
            name: None,
            priority: 0,
            realtime: None,
            realtime_limit: Some(Duration::from_millis(10)),
            cpus: Vec::new(),
            no_swap: false,
        }
    }
}
