//! FILE_CHECK and BFD_CHECK: checks that others decide.

use std::rc::Rc;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Limits, Statement, Table, Value, keyword, parse_int,
};
use runtime::global::Global;
use serde::{Deserialize, Serialize};

use super::checker::Draft;

/// A file whose number decides over a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCheck {
    /// The name of the tracked file.
    pub file: String,
    /// What the number is multiplied with; 0 means that any number but 0 is a failure.
    pub weight: i32,
    /// Whether the weight is turned round.
    pub reverse: bool,
}

/// What the keywords of FILE_CHECK fill.
#[derive(Debug)]
pub(super) struct FileDraft {
    global: Rc<Global>,
    /// The tracked file, by its position.
    file: Option<usize>,
    weight: Option<(i32, bool)>,
}

pub(super) static FILE_CHECK: Table<FileDraft> = Table(&[
    keyword(
        "track_file",
        Args::Word("TRACK_FILE_NAME"),
        "name of the tracked file",
        |draft, value, statement, diagnostics| {
            let mut files = draft.global.track_files.iter();
            match files.position(|file| file.name == value.word()) {
                Some(at) => draft.file = Some(at),
                None => {
                    let text = format!("track_file {} not found", value.word());
                    diagnostics.report(Class::GeneralError, statement.place(), text);
                }
            }
        },
    ),
    keyword(
        "weight",
        Args::Words("INT:-2147483647..2147483647 [reverse|noreverse]"),
        "what the number counts",
        weight,
    ),
]);

fn weight(
    draft: &mut FileDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let mut refuse = |text: String| {
        diagnostics.report(Class::GeneralError, statement.place(), text);
    };
    let Some(word) = statement.arg(0) else {
        return refuse("track file weight missing".to_owned());
    };
    let reverse = match statement.arg(1).map(|word| word.text) {
        None | Some("noreverse") => Ok(false),
        Some("reverse") => Ok(true),
        Some(other) => Err(format!("unknown track file weight option {other} - ignoring")),
    };
    let limits = Limits { min: -2_147_483_647, max: 2_147_483_647, strict: false };
    let number = parse_int(word, limits, diagnostics);
    let text = match (number.and_then(|number| i32::try_from(number).ok()), reverse) {
        (Some(weight), Ok(reverse)) => {
            draft.weight = Some((weight, reverse));
            return;
        }
        (None, _) => {
            "weight for track file must be in [-2147483647..2147483647] inclusive. Ignoring..."
                .to_owned()
        }
        (Some(_), Err(text)) => text,
    };
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

impl FileDraft {
    pub(super) fn new(global: &Rc<Global>) -> Self {
        Self { global: Rc::clone(global), file: None, weight: None }
    }

    /// The check, unless there is no such file.
    pub(super) fn finish(self, block: Extent, diagnostics: &mut Diagnostics) -> Option<FileCheck> {
        let Some(file) = self.file.and_then(|at| self.global.track_files.get(at)) else {
            let text = "FILE_CHECK has no track_file specified - ignoring";
            diagnostics.report_block(Class::GeneralError, block, text);
            return None;
        };
        let (weight, reverse) = self.weight.unwrap_or((file.weight, file.reverse));
        Some(FileCheck { file: file.name.clone(), weight, reverse })
    }
}

/// What the keywords of BFD_CHECK fill.
#[derive(Clone, Debug, Default)]
pub(super) struct BfdDraft {
    names: Vec<Statement>,
}

pub(super) static BFD_CHECK: Table<Draft<BfdDraft>> = Table(&[
    keyword(
        "name",
        Args::Words("BFD_INSTANCE"),
        "name of the session",
        |draft, _, statement, _| draft.special.names.push(statement.clone()),
    ),
    keyword(
        "alpha",
        Args::Bool,
        "failed until proven",
        |draft: &mut Draft<BfdDraft>, value, _, _| {
            draft.common.alpha = Some(value.bool());
        },
    )
    .invalid("Invalid alpha parameter {}"),
]);

impl BfdDraft {
    /// The name of the session, unless there is none or it is among those that `server` watches already.
    pub(super) fn finish(
        self,
        server: &str,
        watched: &[String],
        global: &Global,
        block: Extent,
        diagnostics: &mut Diagnostics,
    ) -> Option<String> {
        let mut found: Option<String> = None;
        for statement in &self.names {
            let problem = match (statement.arg(0), statement.arg(1)) {
                (Some(word), None) => {
                    let name = word.text;
                    if !global.bfd_names.iter().any(|bfd| bfd.checker && bfd.name == name) {
                        format!("BFD_CHECK - BFD {name} not configured")
                    } else if let Some(before) = &found {
                        format!("BFD_CHECK - BFD {name} already specified as {before}")
                    } else if watched.iter().any(|watched| watched == name) {
                        format!("BFD_CHECK - RS already monitoring {name}")
                    } else {
                        found = Some(name.to_owned());
                        continue;
                    }
                }
                _ => "BFD_CHECK - No or too many names specified - skipping checker".to_owned(),
            };
            let text = format!("({server}) {problem}");
            diagnostics.report(Class::GeneralError, statement.place(), text);
            return None;
        }
        if found.is_none() {
            let text = format!("({server}) No name has been specified for BFD_CHECKER - skipping");
            diagnostics.report_block(Class::GeneralError, block, text);
        }
        found
    }
}
