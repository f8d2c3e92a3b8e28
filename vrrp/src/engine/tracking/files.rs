//! Tracked files: watched, and read when something was written.

use std::path::Path;
use std::time::Instant;

use log::{debug, error, info};
use runtime::global::TrackFile;
use runtime::reactor::{Readiness, Registration};
use runtime::tracked_file::{self, FileWatcher, OutOfRange, ReadError};

use super::super::conditions::joined;
use super::super::table::Table;
use super::super::{Engine, Source};
use crate::config::InstanceId;
use crate::config::track::FileId;
use crate::track::Contribution;

/// The files, and what watches them.
#[derive(Debug, Default)]
pub(in super::super) struct TrackedFiles {
    all: Table<FileId, TrackedFile>,
    watcher: Option<(FileWatcher, Registration)>,
}

/// A tracked file.
#[derive(Debug)]
pub(in super::super) struct TrackedFile {
    config: TrackFile,
    number: i64,
}

impl TrackedFile {
    /// What is called by its name.
    pub(in super::super) fn name(&self) -> &str {
        &self.config.name
    }

    /// What was configured.
    pub(in super::super) fn config(&self) -> &TrackFile {
        &self.config
    }

    /// The last number that was read.
    pub(in super::super) fn number(&self) -> i64 {
        self.number
    }

    /// Reads the file. What is no number in range leaves everything as it was.
    fn read(&mut self) {
        let path = &self.config.path;
        match tracked_file::read(Path::new(path)) {
            Ok(number) => self.number = number,
            Err(ReadError::OutOfRange(OutOfRange(number))) => {
                info!("Invalid number {number} read from {path} - ignoring");
            }
            Err(ReadError::Unreadable(error)) => {
                info!("cannot read {path}, which counts as 0: {error}");
                self.number = 0;
            }
        }
    }
}

impl TrackedFiles {
    /// All of them.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (FileId, &TrackedFile)> {
        self.all.keys().zip(self.all.iter())
    }

    pub(in super::super) fn get(&self, id: FileId) -> Option<&TrackedFile> {
        self.all.get(id)
    }
}

impl Engine {
    /// Watches and reads the files that the configuration wants tracked.
    pub(super) fn track_files(&mut self, fresh: bool) {
        if let Some((watcher, registration)) = self.tracked.files.watcher.take() {
            if let Err(error) = self.reactor.deregister(&watcher, registration) {
                error!("cannot forget tracked files: {error}");
            }
        }
        if fresh {
            for file in &self.config.files {
                if let Err(error) = tracked_file::initialise(file) {
                    error!("cannot initialise track_file {} {}: {error}", file.name, file.path);
                }
            }
        }
        // Watched first, so that nothing that is written while they are read is missed.
        self.tracked.files.watcher = self.watch_files();
        let before = std::mem::take(&mut self.tracked.files.all);
        let files = self.config.files.iter().map(|config| {
            let known = before.iter().find(|file| file.config.path == config.path);
            let number = known.map_or(0, TrackedFile::number);
            let mut file = TrackedFile { config: config.clone(), number };
            file.read();
            file
        });
        self.tracked.files.all = files.collect();
    }

    fn watch_files(&mut self) -> Option<(FileWatcher, Registration)> {
        if self.config.files.is_empty() {
            return None;
        }
        let watcher = FileWatcher::new(self.config.files.iter().map(|file| &file.path));
        let watcher = watcher.inspect_err(|error| error!("Unable to monitor track files: {error}"));
        let watcher = watcher.ok()?;
        let registration = self.reactor.register(&watcher, Source::Files, Readiness::Readable);
        let registration = registration
            .inspect_err(|error| error!("Unable to monitor track files: {error}"))
            .ok()?;
        Some((watcher, registration))
    }

    /// What the file of this name is worth to an instance now.
    pub(in super::super) fn file_status(&self, id: InstanceId, name: &str) -> Option<i64> {
        let instance = self.instances.get(id)?;
        let group = self.group_trackers(instance);
        let mut all = joined(&instance.config, group, |trackers| &trackers.files);
        all.find_map(|tracker| {
            let file = self.tracked.files.get(tracker.what).filter(|file| file.name() == name)?;
            Some(tracker.weighting.file_status(file.number()))
        })
    }

    /// Something was written to a tracked file, or to a neighbour of it.
    pub(in super::super) fn hear_files(&mut self, now: Instant) {
        let Some((watcher, _)) = &self.tracked.files.watcher else { return };
        match watcher.changed() {
            Ok(places) => {
                let all: Vec<FileId> = self.tracked.files.all.keys().collect();
                for place in places {
                    if let Some(&id) = all.get(place) {
                        self.reread(id, now);
                    }
                }
            }
            Err(error) => error!("cannot watch tracked files: {error}"),
        }
    }

    fn reread(&mut self, id: FileId, now: Instant) {
        let Some(file) = self.tracked.files.all.get_mut(id) else { return };
        let before = file.number;
        file.read();
        let after = file.number;
        if before != after {
            self.log_faults(id, before, after);
            self.meet_dependants(|trackers| &trackers.files, id, now);
        }
    }

    /// Says, for those who want to know, to which instances the file becomes a fault and to which it is none any more.
    fn log_faults(&self, id: FileId, before: i64, after: i64) {
        let Some(file) = self.tracked.files.get(id) else { return };
        for instance in self.dependants(|trackers| &trackers.files, id) {
            let Some(instance) = self.instances.get(instance) else { continue };
            let group = self.group_trackers(instance);
            let all = joined(&instance.config, group, |trackers| &trackers.files);
            for tracker in all.filter(|tracker| tracker.what == id) {
                let is_fault =
                    |number| tracker.weighting.file_contribution(number) == Contribution::Fault;
                let what = match (is_fault(before), is_fault(after)) {
                    (false, true) => "now",
                    (true, false) => "leaving",
                    _ => continue,
                };
                debug!("({}): tracked file {} {what} FAULT state", instance.name(), file.name());
            }
        }
    }
}
