//! `vrrp_track_process`: processes that are counted.

use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Limits, Spanned, Statement, Table, Value, keyword, parse_int,
};

use super::context::Context;
use super::track::TrackProcess;
use crate::track::Weighting;
use crate::track::process::{Parameters, Pattern, Quorum};

/// What a `vrrp_track_process` block says.
#[derive(Clone, Debug)]
pub(super) struct ProcessDraft {
    pub(super) name: Spanned<String>,
    pub(super) block: Extent,
    /// The command and its parameters.
    words: Vec<String>,
    parameters: Option<Parameters>,
    full_command: bool,
    weighting: Weighting,
    quorum: u32,
    quorum_max: u32,
    fork_delay: Duration,
    terminate_delay: Duration,
}

const DELAY: Args = Args::Timer { min: 1, max: 3_600_000_000 };

/// The keywords of a `vrrp_track_process` block.
pub(super) static TABLE: Table<ProcessDraft> = Table(&[
    keyword("process", Args::Word("COMMAND [PARAM...]"), "which process is meant", process),
    keyword(
        "param_match",
        Args::Words("initial|partial"),
        "how its parameters must agree",
        param_match,
    ),
    keyword("weight", Args::Words("INT:-254..254 [reverse]"), "what it adds to the priority", weight),
    keyword(
        "quorum",
        Args::Uint { unit: "UINT", min: 1, max: 65_535, strict: false },
        "so many are needed",
        quorum,
    )
    .invalid_for(|draft, text| {
        format!(
            "Quorum ({text}) for vrrp_track_process {} must be between [1..65535] inclusive. Ignoring...",
            draft.name.value
        )
    }),
    keyword(
        "quorum_max",
        Args::Uint { unit: "UINT", min: 0, max: 65_535, strict: false },
        "more are too many",
        quorum_max,
    )
    .invalid_for(|draft, text| {
        format!(
            "quorum_max ({text}) for vrrp_track_process {} must be between [0..65535] inclusive. Ignoring...",
            draft.name.value
        )
    }),
    keyword("delay", DELAY, "both delays at once", |draft: &mut ProcessDraft, value, _, _| {
        draft.fork_delay = value.duration();
        draft.terminate_delay = value.duration();
    })
    .invalid_for(|draft, text| invalid_delay(draft, "", text)),
    keyword("fork_delay", DELAY, "how long after a fork it counts", |draft: &mut ProcessDraft, value, _, _| {
        draft.fork_delay = value.duration();
    })
    .invalid_for(|draft, text| invalid_delay(draft, "fork_", text)),
    keyword("terminate_delay", DELAY, "how long after an exit it counts", |draft: &mut ProcessDraft, value, _, _| {
        draft.terminate_delay = value.duration();
    })
    .invalid_for(|draft, text| invalid_delay(draft, "terminate_", text)),
    keyword("full_command", Args::Flag, "compare the command line", |draft, _, _, _| {
        draft.full_command = true;
    }),
]);

fn invalid_delay(draft: &ProcessDraft, kind: &str, text: &str) -> String {
    format!(
        "{kind}delay ({text}) for vrrp_track_process {} must be between [0.000001..3600] inclusive. Ignoring...",
        draft.name.value
    )
}

fn process(
    draft: &mut ProcessDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if !draft.words.is_empty() {
        let text = format!(
            "Process already set for track process {} - ignoring {}",
            draft.name.value,
            value.word()
        );
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    }
    draft.words = statement.args().map(|word| word.text.to_owned()).collect();
    if draft.words.len() > 1 {
        draft.full_command = true;
        draft.parameters.get_or_insert(Parameters::Exact);
    }
}

fn param_match(
    draft: &mut ProcessDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    draft.parameters = Some(match statement.arg(0) {
        None => Parameters::Exact,
        Some(word) if word.text == "initial" => Parameters::Initial,
        Some(word) if word.text == "partial" => Parameters::Partial,
        Some(word) => {
            let text = format!("Invalid param_match type {} - ignoring", word.text);
            diagnostics.report(Class::GeneralError, word.place, text);
            return;
        }
    });
    draft.full_command = true;
}

fn weight(
    draft: &mut ProcessDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let name = &draft.name.value;
    let Some(word) = statement.arg(0) else {
        let text = format!("No weight specified for track process {name} - ignoring");
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    };
    if draft.weighting.weight != 0 {
        let text = format!("Weight already set for track process {name} - ignoring {}", word.text);
        diagnostics.report(Class::GeneralError, word.place, text);
        return;
    }
    let limits = Limits { min: -254, max: 254, strict: false };
    let parsed = parse_int(word, limits, diagnostics);
    let Some(weight) = parsed.and_then(|weight| i32::try_from(weight).ok()) else {
        let text = format!(
            "Weight ({}) for vrrp_track_process {name} must be between [-254..254] inclusive. Ignoring...",
            word.text
        );
        diagnostics.report(Class::GeneralError, word.place, text);
        return;
    };
    match statement.arg(1) {
        None => {}
        Some(option) if option.text == "reverse" => draft.weighting.reverse = true,
        Some(option) => {
            let text = format!("vrrp_track_process {name} unknown weight option {}", option.text);
            diagnostics.report(Class::GeneralError, option.place, text);
        }
    }
    draft.weighting.weight = weight;
}

fn quorum(
    draft: &mut ProcessDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if value.u32() > draft.quorum_max {
        let text = "Quorum is greater than quorum_max - ignoring";
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    }
    draft.quorum = value.u32();
}

fn quorum_max(
    draft: &mut ProcessDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let most = value.u32();
    // Zero with the quorum left alone means that the process must not run.
    if (most > 0 || draft.quorum > 1) && most < draft.quorum {
        let text = "quorum_max is less than quorum - ignoring";
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    }
    draft.quorum_max = most;
    draft.quorum = if most == 0 { 0 } else { draft.quorum.max(1) };
}

impl ProcessDraft {
    /// A block of which nothing is known but its name.
    pub(super) fn new(name: Spanned<String>, block: Extent) -> Self {
        Self {
            name,
            block,
            words: Vec::new(),
            parameters: None,
            full_command: false,
            weighting: Weighting { weight: 0, reverse: false },
            quorum: 1,
            quorum_max: u32::MAX,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
        }
    }

    /// `None` when it names no process, which has been reported then.
    pub(super) fn finish(self, context: &mut Context<'_>) -> Option<(TrackProcess, Weighting)> {
        let name = self.name.value;
        let Some(command) = self.words.first() else {
            let text = format!("track process '{name}' process name not specified");
            context.report_block(self.block, text);
            return None;
        };
        let pattern = if self.full_command {
            // Without a word on parameters only the command counts.
            let parameters = self.parameters.unwrap_or(Parameters::Partial);
            Pattern::CommandLine { words: self.words, parameters }
        } else {
            Pattern::Name(command.clone())
        };
        let quorum = Quorum {
            least: self.quorum,
            most: self.quorum_max,
            fork_delay: self.fork_delay,
            terminate_delay: self.terminate_delay,
        };
        let weighting = self.weighting;
        Some((
            TrackProcess { name, pattern, comparison: self.parameters, quorum, weighting },
            weighting,
        ))
    }
}
