//! MISC_CHECK.

use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Joined, Keyword, Statement, keyword, split_command,
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
    keyword("user", Args::Words("USER [[:]GROUP]"), "whom it runs as", |draft, _, statement, _| {
        draft.special.user = Some(statement.clone())
    }),
];

impl MiscDraft {
    /// The script, unless there is none or nobody to run it. `delay_loop` is that of the virtual server: so long may a
    /// script run that has no time of its own.
    pub(super) fn finish(
        self,
        scripts: &Scripts,
        delay_loop: Duration,
        block: Extent,
        diagnostics: &mut Diagnostics,
    ) -> Option<Misc> {
        let command = self.path.and_then(|path| split_command(&path.line, diagnostics));
        let Some(command) = command else {
            let text = "No script path has been specified for MISC_CHECKER - skipping";
            diagnostics.report_block(Class::GeneralError, block, text);
            return None;
        };
        let words = command.argv.iter().map(|word| format!("'{}'", word.to_string_lossy()));
        let program = words.collect::<Vec<_>>().join(" ");
        let account = match self.user.as_ref().map(|user| (user, user.arg(0))) {
            Some((statement, Some(user))) => {
                let group = statement.arg(1).map(|word| word.text);
                let account = find_account(user.text, group, scripts, user.place, diagnostics);
                if account.is_none() {
                    let text = format!(
                        "Failed to set uid/gid for misc checker script {program} - removing"
                    );
                    diagnostics.report(Class::GeneralError, user.place, text);
                }
                account
            }
            given => {
                if let Some((statement, None)) = given {
                    let text = format!("No user specified for misc checker script {program}");
                    diagnostics.report(Class::GeneralError, statement.place(), text);
                }
                let account = scripts.default_account(block.end, diagnostics);
                if account.is_none() {
                    let text =
                        format!("Unable to set default user for misc script {program} - removing");
                    diagnostics.report_block(Class::GeneralError, block, text);
                }
                account
            }
        };
        Some(Misc {
            script: Script::new(command.argv, account?)?,
            timeout: if self.timeout.is_zero() { delay_loop } else { self.timeout },
            dynamic: self.dynamic,
        })
    }
}
