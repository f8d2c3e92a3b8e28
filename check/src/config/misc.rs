//! MISC_CHECK.

use std::ffi::OsString;
use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Joined, Keyword, Statement, Value, keyword, split_command,
};
use runtime::global::{Script, Scripts, find_account};
use serde::{Deserialize, Serialize};

use super::checker::Draft;

/// A script whose exit status says how the server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misc {
    /// The script.
    pub script: Script,
    /// How long it may run.
    pub timeout: Duration,
    /// Whether its exit status changes the weight of the server.
    pub dynamic: bool,
}

/// What the keywords fill.
#[derive(Clone, Debug, Default)]
pub(super) struct MiscDraft {
    path: Option<Statement>,
    timeout: Duration,
    dynamic: bool,
    user: Option<Statement>,
}

pub(super) static MISC_CHECK: Joined<Draft<MiscDraft>> =
    Joined(&[Draft::<MiscDraft>::TIMING, KEYWORDS]);

const KEYWORDS: &[Keyword<Draft<MiscDraft>>] = &[
    keyword(
        "misc_path",
        Args::Script("SCRIPT"),
        "the script",
        |draft: &mut Draft<MiscDraft>, _, statement, _| {
            draft.special.path = Some(statement.clone());
        },
    )
    .optional(),
    keyword(
        "misc_timeout",
        Args::Uint { unit: "SECS", min: 0, max: 4294, strict: false },
        "how long it may run",
        |draft: &mut Draft<MiscDraft>, value, _, _| draft.special.timeout = value.seconds(),
    )
    .invalid("Invalid misc_timeout value '{}'"),
    keyword("misc_dynamic", Args::Flag, "its exit status changes the weight", |draft, _, _, _| {
        draft.special.dynamic = true;
    }),
    keyword("user", Args::Words("USER [[:]GROUP]"), "whom it runs as", user),
];

fn user(
    draft: &mut Draft<MiscDraft>,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if statement.arg(0).is_some() {
        draft.special.user = Some(statement.clone());
        return;
    }
    let path = draft.special.path.as_ref();
    // What is wrong with it is said at the end of the block.
    let command = path.and_then(|path| split_command(&path.line, &mut Diagnostics::default()));
    let program = command.map(|command| words(&command.argv)).unwrap_or_default();
    let text = format!("No user specified for misc checker script {program}");
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

/// A command as messages show it.
pub(super) fn words(argv: &[OsString]) -> String {
    let words = argv.iter().map(|word| format!("'{}'", word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

impl MiscDraft {
    /// The script, unless there is none or nobody to run it. Without a time of its own it has none yet.
    pub(super) fn finish(
        self,
        scripts: &Scripts,
        block: Extent,
        diagnostics: &mut Diagnostics,
    ) -> Option<Misc> {
        let command = self.path.and_then(|path| split_command(&path.line, diagnostics));
        let Some(command) = command else {
            let text = "No script path has been specified for MISC_CHECKER - skipping";
            diagnostics.report_block(Class::GeneralError, block, text);
            return None;
        };
        let program = words(&command.argv);
        let (account, problem, place) = match self.user.as_ref().and_then(|user| user.arg(0)) {
            Some(user) => {
                let group = self.user.as_ref().and_then(|user| user.arg(1)).map(|word| word.text);
                (
                    find_account(user.text, group, scripts, user.place, diagnostics),
                    format!("Failed to set uid/gid for misc checker script {program} - removing"),
                    user.place,
                )
            }
            None => (
                scripts.default_account(block.end, diagnostics),
                format!("Unable to set default user for misc script {program} - removing"),
                block.end,
            ),
        };
        if account.is_none() {
            diagnostics.report(Class::GeneralError, place, problem);
        }
        Some(Misc {
            script: Script::new(command.argv, account?)?,
            timeout: self.timeout,
            dynamic: self.dynamic,
        })
    }
}
