//! What instances track besides interfaces: scripts that are run, files that are read, processes that are counted, BFD
//! sessions that are told of.
//!
//! Each is kept as it is now; what that means to the instances is computed from it in [`super::conditions`].

mod files;
mod processes;
mod scripts;
mod sessions;

use std::time::Instant;

pub(super) use files::TrackedFile;
use files::TrackedFiles;
pub(super) use processes::TrackedProcess;
use processes::TrackedProcesses;
pub(super) use scripts::TrackedScript;
use scripts::TrackedScripts;
use sessions::TrackedSessions;

use super::Engine;
use crate::config::InstanceId;
use crate::config::track::{Tracker, Trackers};

/// Everything that is tracked.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    pub(super) scripts: TrackedScripts,
    pub(super) files: TrackedFiles,
    pub(super) processes: TrackedProcesses,
    pub(super) sessions: TrackedSessions,
}

impl Engine {
    /// Tracks what the configuration wants tracked. `fresh` is true when the process starts.
    pub(super) fn track(&mut self, fresh: bool, now: Instant) {
        self.track_scripts(fresh, now);
        self.track_files(fresh);
        self.track_processes(now);
        self.track_sessions();
    }

    /// Tells those who track `what` what holds now.
    fn meet_dependants<T: PartialEq>(
        &mut self,
        kind: fn(&Trackers) -> &Vec<Tracker<T>>,
        what: T,
        now: Instant,
    ) {
        for instance in self.dependants(kind, what) {
            self.meet_conditions(instance, now);
        }
    }

    /// Those who track `what`, by themselves or with their sync group.
    fn dependants<T: PartialEq>(
        &self,
        kind: fn(&Trackers) -> &Vec<Tracker<T>>,
        what: T,
    ) -> Vec<InstanceId> {
        let depends = |&instance: &InstanceId| {
            let Some(instance) = self.instances.get(instance) else { return false };
            let all = [Some(&*instance.config.trackers), self.group_trackers(instance)];
            all.into_iter()
                .flatten()
                .any(|trackers| kind(trackers).iter().any(|tracker| tracker.what == what))
        };
        self.instances.keys().filter(depends).collect()
    }
}
