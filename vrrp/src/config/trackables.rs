//! What may be tracked, and what instances and sync groups track of it.

use std::collections::{HashMap, HashSet};

use conf_parser::{Line, Place};
use runtime::global::BfdName;
use runtime::scripts::ScriptChecker;

use super::Config;
use super::context::Context;
use super::instance_draft::{InstanceDraft, TrackLines};
use super::instance_finish::Membership;
use super::process::ProcessDraft;
use super::script::ScriptDraft;
use super::track::{FileId, ProcessId, ScriptId, SessionId, Tracker, Trackers};
use super::tracker_entry::{BFD, FILE, PROCESS, SCRIPT, Thing, read_interfaces, read_named};
use crate::track::Weighting;

/// A tracked file counts once per number where its trackers give no weight.
const DEFAULT_FILE_WEIGHT: i32 = 1;

/// Named things, and how they count where their trackers give no weight.
type Known<T> = HashMap<String, (T, Weighting)>;

/// The things that may be tracked. The first of a name counts.
#[derive(Debug, Default)]
pub(super) struct Trackables {
    scripts: Known<ScriptId>,
    /// Scripts that must not run: their trackers go without another word.
    disabled: HashSet<String>,
    files: Known<FileId>,
    processes: Known<ProcessId>,
    sessions: Known<SessionId>,
}

impl Trackables {
    /// Adds the scripts that may run, and returns where each of them is defined. Without a checker they are not checked.
    pub(super) fn add_scripts(
        &mut self,
        drafts: Vec<ScriptDraft>,
        config: &mut Config,
        mut checker: Option<&mut ScriptChecker<'_>>,
        context: &mut Context<'_>,
    ) -> Vec<Place> {
        let mut places = Vec::new();
        for draft in drafts {
            let place = draft.place();
            let Some((mut script, weighting)) = draft.finish(context) else { continue };
            if let Some(checker) = &mut checker {
                let insecure = checker.insecure();
                let checked = checker.check(script.script, place, context.diagnostics);
                let Some(checked) = checked else {
                    let cause = if checker.insecure() > insecure {
                        "due to insecure"
                    } else {
                        "since not found/accessible"
                    };
                    let text = format!("Disabling track script {} {cause}", script.name);
                    context.report_later(place, text);
                    self.disabled.insert(script.name);
                    continue;
                };
                script.script = checked;
            }
            let id = ScriptId(number(config.scripts.len()));
            self.scripts.entry(script.name.clone()).or_insert((id, weighting));
            config.scripts.push(script);
            places.push(place);
        }
        places
    }

    /// Adds the processes.
    pub(super) fn add_processes(
        &mut self,
        drafts: Vec<ProcessDraft>,
        config: &mut Config,
        context: &mut Context<'_>,
    ) {
        for draft in drafts {
            let Some((process, weighting)) = draft.finish(context) else { continue };
            let id = ProcessId(number(config.processes.len()));
            self.processes.entry(process.name.clone()).or_insert((id, weighting));
            config.processes.push(process);
        }
    }

    /// Adds the files of the whole daemon.
    pub(super) fn add_files(&mut self, config: &mut Config, context: &Context<'_>) {
        for file in &context.global.track_files {
            let id = FileId(number(config.files.len()));
            let weighting = Weighting { weight: file.weight, reverse: file.reverse };
            self.files.entry(file.name.clone()).or_insert((id, weighting));
            config.files.push(file.clone());
        }
    }

    /// Adds the BFD sessions that VRRP hears of.
    pub(super) fn add_sessions(&mut self, names: &[BfdName], config: &mut Config) {
        for session in names.iter().filter(|session| session.vrrp) {
            let id = SessionId(number(config.sessions.len()));
            let weighting = Weighting { weight: session.weight, reverse: session.reverse };
            self.sessions.entry(session.name.clone()).or_insert((id, weighting));
            config.sessions.push(session.name.clone());
        }
    }

    /// Whether VRRP hears of a BFD session of this name.
    pub(super) fn has_session(&self, name: &str) -> bool {
        self.sessions.contains_key(name)
    }

    /// What a sync group tracks.
    pub(super) fn of_group(
        &self,
        lines: &TrackLines,
        name: &str,
        context: &mut Context<'_>,
    ) -> Trackers {
        let scripts: Vec<Line> = lines
            .scripts
            .iter()
            .filter(|line| line.word(0).is_none_or(|name| !self.disabled.contains(name.text)))
            .cloned()
            .collect();
        Trackers {
            interfaces: read_interfaces(&lines.interfaces, name, context),
            scripts: read(&SCRIPT, &scripts, name, &self.scripts, context),
            files: read(&FILE, &lines.files, name, &self.files, context),
            processes: read(&PROCESS, &lines.processes, name, &self.processes, context),
            sessions: read(&BFD, &lines.sessions, name, &self.sessions, context),
        }
    }

    /// What an instance tracks, besides its own interface.
    pub(super) fn of_instance(
        &self,
        draft: &InstanceDraft,
        interface: Option<&str>,
        is_owner: bool,
        membership: Option<Membership>,
        context: &mut Context<'_>,
    ) -> Trackers {
        let mut trackers = self.of_group(&draft.track, draft.name(), context);
        trackers.interfaces.retain(|tracker| {
            let is_own = interface.is_some_and(|name| context.base_of(name) == tracker.what);
            if is_own {
                let text = format!(
                    "({}) Ignoring track_interface {} since own interface",
                    draft.name(),
                    tracker.what
                );
                context.report_later(draft.place(), text);
            }
            !is_own
        });
        let by_group = membership.is_some_and(|group| !group.tracking_weight);
        if by_group || is_owner {
            let mut correction = Correction { draft, by_group, context };
            correction.interfaces(&mut trackers.interfaces);
            correction.scripts(&mut trackers.scripts, &self.scripts);
            correction.files(&mut trackers.files, &self.files);
            correction.sessions(&mut trackers.sessions, &self.sessions);
        }
        trackers
    }
}

fn read<T: Copy + PartialEq>(
    thing: &Thing,
    lines: &[Line],
    owner: &str,
    known: &Known<T>,
    context: &mut Context<'_>,
) -> Vec<Tracker<T>> {
    let find = |name: &str| known.get(name).copied();
    read_named(thing, lines, owner, find, known.keys().map(String::as_str), context)
}

/// Weights go where they could make the members of a sync group disagree, or an address owner not be one.
struct Correction<'c, 'm> {
    draft: &'c InstanceDraft,
    by_group: bool,
    context: &'c mut Context<'m>,
}

impl Correction<'_, '_> {
    fn cause(&self, owner: &'static str) -> &'static str {
        if self.by_group { "SYNC group" } else { owner }
    }

    fn report(&mut self, message: String) {
        let text = format!("({}) {message}", self.draft.name());
        self.context.report_later(self.draft.place(), text);
    }

    fn interfaces(&mut self, trackers: &mut Vec<Tracker<String>>) {
        trackers.retain(|tracker| {
            if tracker.weighting.weight == 0 {
                return true;
            }
            let what = if self.by_group { "weight " } else { "" };
            let cause = self.cause("address owner");
            self.report(format!(
                "ignoring {} tracked interface {what}due to {cause}",
                tracker.what
            ));
            // The original says so of members of a group, and weighs them all the same.
            self.by_group
        });
    }

    fn scripts(&mut self, trackers: &mut Vec<Tracker<ScriptId>>, known: &Known<ScriptId>) {
        trackers.retain(|tracker| {
            let weighted = tracker.weighting.weight != 0;
            if weighted {
                let (name, cause) = (name_of(tracker.what, known), self.cause("address_owner"));
                self.report(format!("ignoring tracked script {name} with weights due to {cause}"));
            }
            !weighted
        });
    }

    fn files(&mut self, trackers: &mut Vec<Tracker<FileId>>, known: &Known<FileId>) {
        trackers.retain_mut(|tracker| {
            let weight = tracker.weighting.weight;
            if weight == 0 {
                return true;
            }
            let (name, cause) = (name_of(tracker.what, known), self.cause("address_owner"));
            if weight != DEFAULT_FILE_WEIGHT {
                self.report(format!(
                    "ignoring tracked file {name} with weight {weight} due to {cause}"
                ));
                return false;
            }
            self.report(format!(
                "ignoring weight from tracked file {name} due to {cause}. specify weight 0"
            ));
            tracker.weighting.weight = 0;
            true
        });
    }

    fn sessions(&mut self, trackers: &mut Vec<Tracker<SessionId>>, known: &Known<SessionId>) {
        trackers.retain(|tracker| {
            let weight = tracker.weighting.weight;
            if weight != 0 {
                let (name, cause) = (name_of(tracker.what, known), self.cause("address_owner"));
                self.report(format!(
                    "ignoring tracked bfd {name} with weight {weight} due to {cause}"
                ));
            }
            weight == 0
        });
    }
}

fn name_of<T: PartialEq>(what: T, known: &Known<T>) -> &str {
    let found = known.iter().find(|(_, (id, _))| *id == what);
    found.map_or("", |(name, _)| name.as_str())
}

/// The position of the next of `len` things.
pub(super) fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
