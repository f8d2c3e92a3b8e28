//! FILE_CHECK: the numbers in tracked files, read when something was written.

use std::path::Path;

use log::{debug, error, info};
use runtime::global::TrackFile;
use runtime::reactor::{Readiness, Registration};
use runtime::tracked_file::{self, FileWatcher, OutOfRange, ReadError};

use super::live::CheckId;
use super::{Engine, Source};
use crate::balance::{CheckState, ServerId};
use crate::config::checker::Kind;
use crate::config::tracked::FileCheck;

/// The tracked files, and what watches them.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Each with its number.
    all: Vec<(TrackFile, i64)>,
    watcher: Option<(FileWatcher, Registration)>,
}

/// What a number says of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) up: bool,
    pub(super) contribution: i64,
}

impl Files {
    /// The numbers in the files, as the configuration has them.
    pub(super) fn numbers(&self) -> impl Iterator<Item = i64> {
        self.all.iter().map(|&(_, number)| number)
    }

    /// What a file says of a server. One that is unknown says nothing.
    pub(super) fn standing(&self, check: &FileCheck) -> Standing {
        let found = self.all.iter().find(|(file, _)| file.name == check.file);
        standing(check, found.map_or(0, |&(_, number)| number))
    }
}

/// A weight of 0 makes each number but 0 a failure; any other is multiplied with the number.
fn standing(check: &FileCheck, number: i64) -> Standing {
    if check.weight == 0 {
        return Standing { up: (number != 0) == check.reverse, contribution: 0 };
    }
    let sign = if check.reverse { -1 } else { 1 };
    let product = number.saturating_mul(i64::from(check.weight)).saturating_mul(sign);
    if product <= i64::from(i32::MIN) {
        return Standing { up: false, contribution: 0 };
    }
    Standing { up: true, contribution: product.min(i64::from(i32::MAX)) }
}

impl Engine {
    /// Watches and reads the files that the configuration wants tracked. `fresh` is true when the process starts.
    pub(super) fn track_files(&mut self, fresh: bool) {
        if let Some((watcher, registration)) = self.files.watcher.take() {
            if let Err(failure) = self.reactor.deregister(&watcher, registration) {
                error!("cannot forget tracked files: {failure}");
            }
        }
        if fresh {
            for file in &self.config.files {
                if let Err(failure) = tracked_file::initialise(file) {
                    error!("cannot initialise track_file {} {}: {failure}", file.name, file.path);
                }
            }
        }
        // Watched first, so that nothing that is written while they are read is missed.
        self.files.watcher = self.watch_files();
        let before = std::mem::take(&mut self.files.all);
        let files = self.config.files.iter().map(|file| {
            let known = before.iter().find(|(known, _)| known.path == file.path);
            (file.clone(), read(file, known.map_or(0, |&(_, number)| number)))
        });
        self.files.all = files.collect();
    }

    fn watch_files(&mut self) -> Option<(FileWatcher, Registration)> {
        if self.config.files.is_empty() {
            return None;
        }
        let cannot = |failure: &dyn std::fmt::Display| {
            error!("Unable to monitor track files: {failure}");
        };
        let watcher = FileWatcher::new(self.config.files.iter().map(|file| &file.path));
        let watcher = watcher.inspect_err(|failure| cannot(failure)).ok()?;
        let registration = self.reactor.register(&watcher, Source::Files, Readiness::Readable);
        let registration = registration.inspect_err(|failure| cannot(failure)).ok()?;
        Some((watcher, registration))
    }

    /// Says of the configuration that is being prepared what the files say of its servers.
    pub(super) fn prepare_files(&mut self) {
        for (pool, service) in self.config.virtual_servers.iter().enumerate() {
            for (place, server) in service.real_servers.iter().enumerate() {
                let id = ServerId { pool: crate::balance::PoolId(pool), place };
                for (check, checker) in server.checkers.iter().enumerate() {
                    let Kind::File(file) = &checker.kind else { continue };
                    let Standing { up, contribution } = self.files.standing(file);
                    let state = CheckState { up, has_run: true, contribution };
                    self.balance.set_check(id, check, state);
                }
            }
        }
    }

    /// Something was written to a tracked file, or to a neighbour of it.
    pub(super) fn hear_files(&mut self) {
        let Some((watcher, _)) = &self.files.watcher else { return };
        match watcher.changed() {
            Ok(places) => places.into_iter().for_each(|place| self.reread(place)),
            Err(failure) => error!("cannot watch tracked files: {failure}"),
        }
    }

    fn reread(&mut self, place: usize) {
        let Some((file, number)) = self.files.all.get_mut(place) else { return };
        let before = *number;
        *number = read(file, before);
        let after = *number;
        if before == after {
            return;
        }
        let name = file.name.clone();
        let ids: Vec<CheckId> = self.checks.ids().collect();
        for id in ids {
            let Some(live) = self.checks.get_mut(id) else { continue };
            let Some(subject) = live.subject(&self.config) else { continue };
            let Kind::File(file) = &subject.checker.kind else { continue };
            if file.file != name {
                continue;
            }
            let Standing { up, contribution } = standing(file, after);
            if up != live.check.is_up() {
                let what = if up { "leaving" } else { "now" };
                debug!("({}): tracked file {name} {what} FAULT state", subject.name());
            }
            let conclusion = live.check.file(up, contribution);
            self.conclude(id, conclusion);
        }
    }
}

/// The number in a file. What is no number in range leaves it as it was `before`.
fn read(file: &TrackFile, before: i64) -> i64 {
    let path = &file.path;
    match tracked_file::read(Path::new(path)) {
        Ok(number) => number,
        Err(ReadError::OutOfRange(OutOfRange(number))) => {
            info!("Invalid number {number} read from {path} - ignoring");
            before
        }
        Err(ReadError::Unreadable(failure)) => {
            info!("cannot read {path}, which counts as 0: {failure}");
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(weight: i32, reverse: bool) -> FileCheck {
        FileCheck { file: "f".to_owned(), weight, reverse }
    }

    #[test]
    fn a_number_is_a_fault_or_a_weight() {
        let say = |weight, reverse, number| {
            let Standing { up, contribution } = standing(&check(weight, reverse), number);
            (up, contribution)
        };
        assert_eq!(say(0, false, 0), (true, 0));
        assert_eq!(say(0, false, 5), (false, 0));
        assert_eq!(say(0, true, 5), (true, 0));
        assert_eq!(say(0, true, 0), (false, 0));
        assert_eq!(say(3, false, 5), (true, 15));
        assert_eq!(say(3, true, 5), (true, -15));
        assert_eq!(say(1, false, -2_147_483_648), (false, 0));
        assert_eq!(say(1, true, 2_147_483_648), (false, 0));
        assert_eq!(say(2, false, 2_147_483_647), (true, 2_147_483_647));
        assert_eq!(say(-2_147_483_647, false, 2_147_483_648), (false, 0));
    }
}
