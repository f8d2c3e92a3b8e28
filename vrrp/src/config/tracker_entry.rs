//! Entries of `track_interface`, `track_script`, `track_file`, `track_process` and `track_bfd`.

use conf_parser::{Limits, Line, Word, did_you_mean, parse_int};

use super::context::Context;
use super::entry::Words;
use super::track::Tracker;
use crate::track::Weighting;

/// How the entries of one kind of block differ from the others.
pub(super) struct Thing {
    /// What messages call it.
    spoken: &'static str,
    /// What messages about repetition call it.
    keyword: &'static str,
    /// The greatest weight.
    limit: i64,
    /// Whether a weight of one more than the limit is taken for the limit.
    lenient: bool,
    /// Whether an unknown word behind the weight makes the entry useless.
    strict: bool,
}

/// Tracked interfaces.
pub(super) const INTERFACE: Thing = Thing {
    spoken: "track_interface",
    keyword: "track_interface",
    limit: 253,
    lenient: true,
    strict: false,
};
/// Tracked scripts.
pub(super) const SCRIPT: Thing = Thing {
    spoken: "track script",
    keyword: "track_script",
    limit: 253,
    lenient: true,
    strict: false,
};
/// Tracked files.
pub(super) const FILE: Thing =
    Thing { spoken: "track file", keyword: "track_file", limit: 254, lenient: false, strict: true };
/// Tracked processes.
pub(super) const PROCESS: Thing = Thing {
    spoken: "track process",
    keyword: "track_process",
    limit: 254,
    lenient: false,
    strict: false,
};
/// Tracked BFD sessions.
pub(super) const BFD: Thing =
    Thing { spoken: "track bfd", keyword: "track_bfd", limit: 253, lenient: false, strict: true };

/// The tracked interfaces of `owner`.
pub(super) fn read_interfaces(
    lines: &[Line],
    owner: &str,
    context: &mut Context<'_>,
) -> Vec<Tracker<String>> {
    let mut trackers = Vec::new();
    for line in lines {
        let Some(name) = line.word(0) else { continue };
        let known = context.interface_known(name.text, name.place, || {
            format!("({owner}) tracked interface {} doesn't exist", name.text)
        });
        if known {
            let default = (name.text.to_owned(), Weighting { weight: 0, reverse: false });
            read(&INTERFACE, line, owner, default, &mut trackers, context);
        }
    }
    trackers
}

/// The tracked things of `owner` that have a name in the configuration. `find` knows them and their weightings.
pub(super) fn read_named<'n, T: Copy + PartialEq>(
    thing: &Thing,
    lines: &[Line],
    owner: &str,
    find: impl Fn(&str) -> Option<(T, Weighting)>,
    names: impl Iterator<Item = &'n str> + Clone,
    context: &mut Context<'_>,
) -> Vec<Tracker<T>> {
    let mut trackers = Vec::new();
    for line in lines {
        let Some(name) = line.word(0) else { continue };
        match find(name.text) {
            Some(default) => read(thing, line, owner, default, &mut trackers, context),
            None => {
                let text =
                    format!("({owner}) {} {} not found, ignoring...", thing.spoken, name.text);
                context.report_with_hint(name.place, text, did_you_mean(name.text, names.clone()));
            }
        }
    }
    trackers
}

fn read<T: PartialEq>(
    thing: &Thing,
    line: &Line,
    owner: &str,
    (what, default): (T, Weighting),
    trackers: &mut Vec<Tracker<T>>,
    context: &mut Context<'_>,
) {
    let mut words = Words::new(line);
    let Some(name) = words.next() else { return };
    if trackers.iter().any(|tracker| tracker.what == what) {
        let text = format!("({owner}) duplicate {} {} - ignoring", thing.keyword, name.text);
        context.report(name.place, text);
        return;
    }
    let mut weighting = default;
    if let Some(option) = words.next() {
        if option.text != "weight" {
            context.report(option.place, thing.unknown_option(owner, name, option));
            return;
        }
        let Some(weight) = words.next() else {
            let text = format!(
                "({owner}) weight without value specified for {} {} - ignoring",
                thing.spoken, name.text
            );
            context.report(option.place, text);
            return;
        };
        weighting.weight = thing.weight(owner, name, weight, default.weight, context);
    }
    match words.next() {
        None => {}
        Some(word) if word.text == "reverse" => weighting.reverse = true,
        Some(word) if word.text == "noreverse" && thing.keyword != INTERFACE.keyword => {
            weighting.reverse = false;
        }
        Some(word) => {
            let kind = if thing.strict { thing.spoken } else { thing.keyword };
            let text = format!(
                "({owner}) unknown {kind} {} weight option {} - ignoring",
                name.text, word.text
            );
            context.report(word.place, text);
            if thing.strict {
                return;
            }
        }
    }
    trackers.push(Tracker { what, weighting });
}

impl Thing {
    fn unknown_option(&self, owner: &str, name: Word<'_>, option: Word<'_>) -> String {
        let spoken = self.spoken;
        if self.keyword == INTERFACE.keyword || self.keyword == BFD.keyword {
            format!("({owner}) unknown {spoken} {} option {} - ignoring", name.text, option.text)
        } else {
            format!("({owner}) unknown {spoken} option {} - ignoring", option.text)
        }
    }

    fn weight(
        &self,
        owner: &str,
        name: Word<'_>,
        word: Word<'_>,
        default: i32,
        context: &mut Context<'_>,
    ) -> i32 {
        let max = if self.lenient { self.limit + 1 } else { self.limit };
        let limits = Limits { min: -max, max, strict: false };
        let parsed = parse_int(word, limits, context.diagnostics);
        let Some(weight) = parsed.and_then(|weight| i32::try_from(weight).ok()) else {
            context.report(word.place, self.out_of_range(owner, name, word));
            return default;
        };
        if i64::from(weight).abs() <= self.limit {
            return weight;
        }
        let text =
            format!("({owner}) weight for {} cannot be +/-254. Setting to +/-253", name.text);
        context.report(word.place, text);
        weight - weight.signum()
    }

    fn out_of_range(&self, owner: &str, name: Word<'_>, word: Word<'_>) -> String {
        let Self { spoken, limit, .. } = self;
        let name = name.text;
        if self.keyword == INTERFACE.keyword {
            format!(
                "({owner}) weight {} for {name} must be between [-253..253] inclusive. Ignoring...",
                word.text
            )
        } else if self.keyword == SCRIPT.keyword {
            format!(
                "({owner}) {spoken} {name}: weight must be between [-253..253] inclusive, ignoring..."
            )
        } else {
            format!(
                "({owner}) weight for {spoken} {name} must be in [-{limit}..{limit}] inclusive. Ignoring..."
            )
        }
    }
}
