//! What is tracked, and by whom.

use std::fmt::Display;
use std::time::Duration;

use runtime::report::{Report, command};

use super::super::Engine;
use crate::config::track::{Tracker, Trackers};
use crate::track::Weighting;
use crate::track::process::{Parameters, Pattern};
use crate::track::script::Verdict;

/// Who tracks something, and how it counts.
type Dependant<'a> = (&'a str, Weighting);

impl Engine {
    /// What an instance or a group tracks. Each kind has its own punctuation.
    pub(super) fn report_trackers(&self, all: &Trackers, processes: &str, out: &mut Report) {
        let config = &self.config;
        out.list("Tracked interfaces :", list(&all.interfaces, " ", |name| Some(name.as_str())));
        let script = |&id: &_| config.script(id).map(|script| script.name.as_str());
        out.list("Tracked scripts :", list(&all.scripts, " ", script));
        let file = |&id: &_| config.file(id).map(|file| file.name.as_str());
        out.list("Tracked files :", list(&all.files, ", ", file));
        let process = |&id: &_| config.process(id).map(|process| process.name.as_str());
        out.list(processes, list(&all.processes, ", ", process));
        out.list("Tracked BFDs :", list(&all.sessions, ": ", |&id| config.session(id)));
    }

    pub(super) fn report_scripts(&self, out: &mut Report) {
        if self.config.scripts.is_empty() {
            return;
        }
        out.heading("VRRP Scripts");
        let dependants = self.dependants_of(|trackers| &trackers.scripts);
        for (id, script) in self.tracked.scripts.keys().zip(self.tracked.scripts.iter()) {
            let (config, score) = (script.config(), script.score());
            out.field("VRRP Script", &config.name);
            out.inside(|out| {
                out.field("Command", command(&config.script));
                out.field_if_any("Path", config.script.resolved());
                out.field("Interval", seconds(config.interval));
                out.field("Timeout", seconds(config.timeout.unwrap_or_default()));
                out.field("Weight", weight(config.weighting));
                out.field("Rise", config.rise);
                out.field("Fall", config.fall);
                // Where nothing but the configuration is shown, it never ran.
                let ran = out.shows_state();
                out.field("Result", if ran { score.value() } else { 0 });
                out.field("Insecure", "no");
                let state = match (score.verdict(), script.is_awaited()) {
                    _ if !ran => "INIT",
                    (Verdict::Unknown, true) => "INIT",
                    (Verdict::Unknown, false) => "INIT/RELOAD",
                    (Verdict::Good | Verdict::Bad, _) => "unknown",
                };
                out.field("Init state", state);
                let good = ran && score.verdict() == Verdict::Good;
                out.field("Status", if good { "GOOD" } else { "BAD" });
                let account = &config.script.account;
                out.field("Script uid:gid", format_args!("{}:{}", account.uid, account.gid));
                out.line("VRRP instances :");
                report_dependants("Tracking instances :", &dependants(&id), out);
                out.field("State", script.activity());
            });
        }
    }

    pub(super) fn report_files(&self, out: &mut Report) {
        if self.config.files.is_empty() {
            return;
        }
        out.heading("VRRP Track files");
        let dependants = self.dependants_of(|trackers| &trackers.files);
        for (id, file) in self.tracked.files.iter() {
            let config = file.config();
            out.field("Track file", &config.name);
            out.inside(|out| {
                out.field("File", &config.path);
                out.field("Status", file.number());
                let weighting = Weighting { weight: config.weight, reverse: config.reverse };
                out.field("Weight", weight(weighting));
                report_dependants("Tracking instances :", &dependants(&id), out);
            });
        }
    }

    pub(super) fn report_processes(&self, out: &mut Report) {
        if self.config.processes.is_empty() {
            return;
        }
        out.heading("VRRP Track processes");
        let dependants = self.dependants_of(|trackers| &trackers.processes);
        for (id, process) in self.tracked.processes.iter() {
            let (config, census) = (process.config(), process.census());
            let pattern = Shown::of(&config.pattern);
            out.field("VRRP Track process", &config.name);
            out.inside(|out| {
                out.field("Process", pattern.command);
                out.field_if_any("Parameters", pattern.parameters);
                match config.comparison {
                    None => {}
                    Some(Parameters::Exact) => out.line("Param match"),
                    Some(Parameters::Partial) => out.field("Param match", "partial"),
                    Some(Parameters::Initial) => out.field("Param match", "initial"),
                }
                let quorum = &config.quorum;
                out.field("Min processes", quorum.least);
                let most = Some(quorum.most).filter(|&most| most != u32::MAX);
                out.field_if_any("Max processes", most);
                out.field("Current processes", census.count());
                out.field("Have quorum", census.holds());
                out.field("Weight", weight(config.weighting));
                out.field("Terminate delay", delay(quorum.terminate_delay));
                out.field("Fork delay", delay(quorum.fork_delay));
                if out.shows_state() {
                    let running = |is: bool| if is { "running" } else { "not running" };
                    let fork = running(census.waits_for_fork());
                    out.line(format_args!("Fork delay timer {fork}"));
                    let exit = running(census.waits_for_exit());
                    out.line(format_args!("Terminate delay timer {exit}"));
                }
                out.field("Full command", pattern.full_command);
                report_dependants("Tracking instances :", &dependants(&id), out);
            });
        }
    }

    pub(super) fn report_sessions(&self, out: &mut Report) {
        if self.config.sessions.is_empty() {
            return;
        }
        out.heading("VRRP Track BFDs");
        let dependants = self.dependants_of(|trackers| &trackers.sessions);
        for (id, session) in self.tracked.sessions.keys().zip(self.tracked.sessions.iter()) {
            let known = self.global.bfd_names.iter().find(|known| known.name == session.name());
            let weighting = known.map_or(Weighting { weight: 0, reverse: false }, |known| {
                Weighting { weight: known.weight, reverse: known.reverse }
            });
            out.field("VRRP Track BFD", session.name());
            out.inside(|out| {
                out.field("Weight", weight(weighting));
                let state = if session.is_up() { "up" } else { "down" };
                out.line(format_args!("Bfd is {state}"));
                out.line("Tracking VRRP instances :");
                report_dependants("Tracking instances :", &dependants(&id), out);
            });
        }
    }

    /// Finds those who track one of the things of a kind, by themselves or through their group.
    pub(super) fn dependants_of<'a, T: PartialEq + 'static>(
        &'a self,
        kind: fn(&Trackers) -> &Vec<Tracker<T>>,
    ) -> impl Fn(&T) -> Vec<Dependant<'a>> {
        let all = self.config.effective_trackers();
        move |what| {
            let pairs = self.config.instances.iter().zip(&all);
            let found = pairs.filter_map(|(instance, trackers)| {
                let tracker = kind(trackers).iter().find(|tracker| tracker.what == *what)?;
                Some((instance.name.as_str(), tracker.weighting))
            });
            found.collect()
        }
    }
}

/// Those who depend on something.
pub(super) fn report_dependants(title: &str, dependants: &[Dependant<'_>], out: &mut Report) {
    let line = |(name, weighting): &Dependant<'_>| format!("{name}, weight {}", weight(*weighting));
    out.list(title, dependants.iter().map(line));
}

fn list<'a, T>(
    trackers: &'a [Tracker<T>],
    separator: &'a str,
    name: impl Fn(&'a T) -> Option<&'a str> + 'a,
) -> impl Iterator<Item = String> + 'a {
    trackers.iter().filter_map(move |tracker| {
        let (name, weight) = (name(&tracker.what)?, weight(tracker.weighting));
        Some(format!("{name}{separator}weight {weight}"))
    })
}

fn weight(weighting: Weighting) -> String {
    let reverse = if weighting.reverse { " reverse" } else { "" };
    format!("{}{reverse}", weighting.weight)
}

/// Seconds, with milliseconds where there are any.
fn seconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} sec", time.as_secs()),
        millis => format!("{}.{millis:03} sec", time.as_secs()),
    }
}

fn delay(time: Duration) -> impl Display {
    format!("{}.{:06}s", time.as_secs(), time.subsec_micros())
}

/// Which processes are meant, in the words of dumps.
pub(in crate::engine) struct Shown<'a> {
    pub(in crate::engine) command: &'a str,
    pub(in crate::engine) parameters: Option<String>,
    pub(in crate::engine) full_command: bool,
}

impl<'a> Shown<'a> {
    pub(in crate::engine) fn of(pattern: &'a Pattern) -> Self {
        match pattern {
            Pattern::Name(command) => Self { command, parameters: None, full_command: false },
            Pattern::CommandLine { words, .. } => {
                let (command, rest) =
                    words.split_first().map_or(("", &[][..]), |(first, rest)| (first, rest));
                let parameters = (!rest.is_empty()).then(|| rest.join(" "));
                Self { command, parameters, full_command: true }
            }
        }
    }
}
