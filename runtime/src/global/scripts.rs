//! The scripts of the daemon itself, the FIFOs for notifications, and whom scripts run as.

use std::time::Duration;

use conf_parser::{Args, Class, Diagnostics, Keyword, Line, Reload, Statement, Value, keyword};
use serde::{Deserialize, Serialize};

use super::Draft as All;
use super::account::{Account, Script, default_account, find_account};

/// Settings for all scripts, and the scripts and FIFOs of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scripts {
    /// Whom scripts run as that name no user; `None` when there is no such account, and those scripts are ignored.
    pub account: Option<Account>,
    /// Whether the configuration names that account.
    pub user_given: bool,
    /// Whether insecure scripts that would run as root are refused.
    pub security: bool,
    /// Whether scripts have the supplementary groups of their user.
    pub supplementary_groups: bool,
    /// Whether symbolic links in script paths are kept.
    pub symlink_paths: bool,
    /// Run before the first child is started.
    pub startup: Option<Script>,
    /// How long it may take; `None` is 10 s.
    pub startup_timeout: Option<Duration>,
    /// Run after the last child has ended.
    pub shutdown: Option<Script>,
    /// How long it may take; `None` is 10 s.
    pub shutdown_timeout: Option<Duration>,
    /// For all notifications.
    pub notify_fifo: Option<Fifo>,
    /// For those of VRRP.
    pub vrrp_notify_fifo: Option<Fifo>,
    /// For those of the checkers.
    pub lvs_notify_fifo: Option<Fifo>,
    /// Whether all VRRP states are written to the FIFOs after a reload.
    pub write_vrrp_states_on_reload: bool,
}

/// A FIFO that notifications are written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifo {
    /// Where it is, or is made.
    pub path: String,
    /// Whom it belongs to.
    pub owner: Account,
    /// A program that reads it, started with the path as last argument.
    pub script: Option<Script>,
}

/// What the keywords say, before accounts are looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    settings: Scripts,
    /// The last one counts, and each must be somebody.
    users: Vec<Statement>,
    startup: Option<Statement>,
    shutdown: Option<Statement>,
    fifos: [FifoDraft; 3],
}

#[derive(Clone, Debug, Default)]
struct FifoDraft {
    path: Option<Statement>,
    script: Option<Statement>,
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<All>] = &[
    keyword(
        "script_user",
        Args::Words("USER [[:]GROUP]"),
        "whom scripts run as that name no user",
        |draft: &mut All, _, statement, diagnostics| match statement.arg(0) {
            Some(_) => draft.scripts.users.push(statement.clone()),
            None => {
                let text = "No script username specified";
                diagnostics.report(Class::GeneralError, statement.place(), text);
            }
        },
    ),
    keyword(
        "enable_script_security",
        Args::Flag,
        "refuse scripts that would run as root and others could change",
        |draft: &mut All, _, _, _| draft.scripts.settings.security = true,
    ),
    keyword(
        "set_supplementary_groups",
        Args::Bool,
        "give scripts the supplementary groups of their user",
        |draft: &mut All, value, _, _| draft.scripts.settings.supplementary_groups = value.bool(),
    )
    .invalid("Invalid set_supplementary_groups parameter {}"),
    keyword(
        "use_symlink_paths",
        Args::Bool,
        "keep symbolic links in script paths",
        |draft: &mut All, value, _, _| draft.scripts.settings.symlink_paths = value.bool(),
    )
    .invalid("Invalid value '{}' for global use_symlink_path specified"),
    keyword(
        "startup_script",
        SCRIPT,
        "run before the first child is started",
        |draft: &mut All, _, statement, diagnostics| {
            daemon_script(&mut draft.scripts.startup, "startup", statement, diagnostics);
        },
    )
    .missing("startup script missing")
    .reload(Reload::StartOnly),
    keyword(
        "startup_script_timeout",
        TIMEOUT,
        "how long it may take",
        |draft: &mut All, value, _, _| {
            draft.scripts.settings.startup_timeout = Some(value.seconds());
        },
    )
    .missing("startup_script_timeout requires value")
    .invalid("startup_script_timeout '{}' must be in [1, 1000] - ignoring")
    .reload(Reload::StartOnly),
    keyword(
        "shutdown_script",
        SCRIPT,
        "run after the last child has ended",
        |draft: &mut All, _, statement, diagnostics| {
            daemon_script(&mut draft.scripts.shutdown, "shutdown", statement, diagnostics);
        },
    )
    .missing("shutdown script missing"),
    keyword(
        "shutdown_script_timeout",
        TIMEOUT,
        "how long it may take",
        |draft: &mut All, value, _, _| {
            draft.scripts.settings.shutdown_timeout = Some(value.seconds());
        },
    )
    .missing("shutdown_script_timeout requires value")
    .invalid("shutdown_script_timeout '{}' must be in [1, 1000] - ignoring"),
    keyword("notify_fifo", FIFO, "FIFO for all notifications", fifo),
    keyword("notify_fifo_script", SCRIPT, "program that reads notify_fifo", fifo_script)
        .missing("No notify_fifo_script specified"),
    keyword("vrrp_notify_fifo", FIFO, "FIFO for notifications of VRRP", fifo),
    keyword("vrrp_notify_fifo_script", SCRIPT, "program that reads vrrp_notify_fifo", fifo_script)
        .missing("No vrrp_notify_fifo_script specified"),
    keyword("lvs_notify_fifo", FIFO, "FIFO for notifications of the checkers", fifo),
    keyword("lvs_notify_fifo_script", SCRIPT, "program that reads lvs_notify_fifo", fifo_script)
        .missing("No lvs_notify_fifo_script specified"),
    keyword(
        "fifo_write_vrrp_states_on_reload",
        Args::Flag,
        "write all VRRP states to the FIFOs after a reload",
        |draft: &mut All, _, _, _| draft.scripts.settings.write_vrrp_states_on_reload = true,
    ),
];

const SCRIPT: Args = Args::Script("SCRIPT [USER [[:]GROUP]]");
const FIFO: Args = Args::Words("PATH [USER [[:]GROUP]]");
const TIMEOUT: Args = Args::Uint { unit: "SECS", min: 1, max: 1000, strict: false };

fn daemon_script(
    place: &mut Option<Statement>,
    kind: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if place.is_none() {
        *place = Some(statement.clone());
    } else {
        let text = format!("{kind} script already specified");
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
}

/// Which FIFO a keyword is about, and the prefix of its name.
fn which<'a>(draft: &'a mut Draft, keyword: &str) -> (&'static str, &'a mut FifoDraft) {
    let [all, vrrp, lvs] = &mut draft.fifos;
    if keyword.starts_with(VRRP) {
        (VRRP, vrrp)
    } else if keyword.starts_with(LVS) {
        (LVS, lvs)
    } else {
        ("", all)
    }
}

const VRRP: &str = "vrrp_";
const LVS: &str = "lvs_";

fn fifo(draft: &mut All, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let (prefix, fifo) = which(&mut draft.scripts, statement.keyword());
    let text = match (statement.arg(0), &fifo.path) {
        (None, _) => format!("No {prefix}notify_fifo name specified"),
        (Some(word), Some(_)) => {
            format!("{prefix}notify_fifo already specified - ignoring {}", word.text)
        }
        (Some(_), None) => {
            fifo.path = Some(statement.clone());
            return;
        }
    };
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

fn fifo_script(
    draft: &mut All,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let (prefix, fifo) = which(&mut draft.scripts, statement.keyword());
    if fifo.script.is_none() {
        fifo.script = Some(statement.clone());
        return;
    }
    let text = format!("{prefix}notify_fifo_script already specified - ignoring {}", value.word());
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

impl Draft {
    /// Looks up the accounts and makes the scripts. What a script may do depends on settings that may stand behind it.
    pub(super) fn finish(self, diagnostics: &mut Diagnostics) -> Scripts {
        let mut scripts = self.settings;
        scripts.user_given = !self.users.is_empty();
        scripts.account = default_account(&self.users, &scripts, diagnostics);
        scripts.startup = script(self.startup, "startup", &scripts, diagnostics);
        scripts.shutdown = script(self.shutdown, "shutdown", &scripts, diagnostics);
        let [all, vrrp, lvs] = self.fifos;
        let all = all.finish("", &scripts, diagnostics);
        let vrrp = vrrp.finish(VRRP, &scripts, diagnostics);
        let lvs = lvs.finish(LVS, &scripts, diagnostics);
        scripts.vrrp_notify_fifo = distinct(vrrp, all.as_ref(), "vrrp", diagnostics);
        scripts.lvs_notify_fifo = distinct(lvs, all.as_ref(), "LVS", diagnostics);
        scripts.notify_fifo = all;
        if let (Some(vrrp), Some(lvs)) = (&scripts.vrrp_notify_fifo, &mut scripts.lvs_notify_fifo) {
            if vrrp.path == lvs.path && vrrp.script.is_some() && lvs.script.is_some() {
                let text = "LVS notify FIFO and vrrp FIFO are the same both with scripts - ignoring LVS FIFO script";
                diagnostics.report_overall(Class::Notice, text);
                lvs.script = None;
            }
        }
        scripts
    }
}

fn script(
    statement: Option<Statement>,
    kind: &str,
    scripts: &Scripts,
    diagnostics: &mut Diagnostics,
) -> Option<Script> {
    let statement = statement?;
    let script = Script::from_line(&statement.line, kind, scripts, diagnostics);
    if script.is_none() {
        let text = format!("Invalid {kind} script");
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    script
}

impl FifoDraft {
    fn finish(
        self,
        prefix: &str,
        scripts: &Scripts,
        diagnostics: &mut Diagnostics,
    ) -> Option<Fifo> {
        let kind = format!("{prefix}notify_fifo");
        let script = self
            .script
            .and_then(|statement| Script::from_line(&statement.line, &kind, scripts, diagnostics));
        let statement = self.path?;
        let path = statement.arg(0)?.text.to_owned();
        let owner = owner(&statement.line, &path, prefix, scripts, diagnostics)?;
        Some(Fifo { path, owner, script })
    }
}

fn owner(
    line: &Line,
    path: &str,
    prefix: &str,
    scripts: &Scripts,
    diagnostics: &mut Diagnostics,
) -> Option<Account> {
    let user = line.word(2).map(|word| word.text);
    let group = line.word(3).map(|word| word.text);
    let (found, text) = match user {
        Some(user) => (
            find_account(user, group, scripts, line.place(), diagnostics),
            format!("Invalid user/group for {prefix} fifo {path} - ignoring"),
        ),
        None => (
            scripts.default_account(line.place(), diagnostics),
            format!("Failed to set default user for {prefix} fifo {path} - ignoring"),
        ),
    };
    if found.is_none() {
        diagnostics.report(Class::Notice, line.place(), text);
    }
    found
}

/// What goes to the FIFO for all must not go there twice.
fn distinct(
    fifo: Option<Fifo>,
    all: Option<&Fifo>,
    kind: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Fifo> {
    let fifo = fifo?;
    if all.is_some_and(|all| all.path == fifo.path) {
        let text = format!(
            "notify FIFO {} has been specified for global and {kind} FIFO - ignoring {kind} FIFO",
            fifo.path
        );
        diagnostics.report_overall(Class::Notice, text);
        return None;
    }
    Some(fifo)
}
