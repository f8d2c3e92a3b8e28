//! Whom scripts run as, and scripts as the configuration gives them.

use std::borrow::Cow;
use std::ffi::{CString, OsString};

use conf_parser::{Class, Diagnostics, Line, Place, Statement, split_command};
use nix::unistd::{Gid, Group, Uid, User, getgid, getgrouplist, getuid};
use serde::{Deserialize, Serialize};

use super::Scripts;

/// The ids that a script runs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups; usually none.
    pub groups: Vec<u32>,
}

/// A program with its arguments, and whom it runs as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The file to run. [`crate::scripts::ScriptChecker`] resolves it; `argv` stays as it was written.
    pub program: OsString,
    /// The program and its arguments; there is at least the program.
    pub argv: Vec<OsString>,
    /// Whom it runs as.
    pub account: Account,
}

/// The account of scripts that name no user, where the configuration gives none.
const DEFAULT_USER: &str = "keepalived_script";

impl Script {
    /// The script that a keyword line gives: the command, and perhaps user and group. `None` when there is none that
    /// could be run, which has been reported then. `kind` is what messages call it, such as `startup` or `vrrp notify`.
    pub fn from_line(
        line: &Line,
        kind: &str,
        scripts: &Scripts,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let command = split_command(line, diagnostics)?;
        let program = command.argv.first()?.to_string_lossy().into_owned();
        let (account, text) = match command.account.as_slice() {
            [] => (
                scripts.default_account(line.place(), diagnostics),
                format!("Failed to set default user for {kind} script {program} - ignoring"),
            ),
            [user, group @ ..] => {
                let group = group.first().map(String::as_str);
                (
                    find_account(user, group, scripts, line.place(), diagnostics),
                    format!("Invalid user/group for {kind} script {program} - ignoring"),
                )
            }
        };
        if account.is_none() {
            diagnostics.report(Class::Notice, line.place(), text);
        }
        Self::new(command.argv, account?)
    }

    /// The file that is run, where it is not the one that was written.
    pub fn resolved(&self) -> Option<Cow<'_, str>> {
        let differs = self.argv.first() != Some(&self.program);
        differs.then(|| self.program.to_string_lossy())
    }

    /// A script of a program with its arguments; `None` where there is no program.
    pub fn new(argv: Vec<OsString>, account: Account) -> Option<Self> {
        Some(Self { program: argv.first()?.clone(), argv, account })
    }
}

impl Scripts {
    /// Whom a script runs as that names no user.
    pub fn default_account(&self, place: Place, diagnostics: &mut Diagnostics) -> Option<Account> {
        let text = format!("Unable to set default user {DEFAULT_USER} for script");
        let told = || diagnostics.items().iter().any(|item| item.message == text);
        if self.account.is_none() && self.security && !self.user_given && !told() {
            diagnostics.report(Class::GeneralError, place, text);
        }
        self.account.clone()
    }
}

/// What the last `script_user` says; without any the account made for the purpose, or else the daemon's own unless script
/// security asks for a lesser one.
pub(super) fn default_account(
    script_users: &[Statement],
    scripts: &Scripts,
    diagnostics: &mut Diagnostics,
) -> Option<Account> {
    if !script_users.is_empty() {
        let mut account = None;
        for statement in script_users {
            account = script_user(statement, scripts, diagnostics);
        }
        return account;
    }
    match User::from_name(DEFAULT_USER) {
        Ok(Some(user)) => Some(account_of(&user, user.gid, scripts.supplementary_groups)),
        _ if scripts.security => None,
        _ => Some(Account { uid: getuid().as_raw(), gid: getgid().as_raw(), groups: Vec::new() }),
    }
}

fn script_user(
    statement: &Statement,
    scripts: &Scripts,
    diagnostics: &mut Diagnostics,
) -> Option<Account> {
    let user = statement.arg(0)?.text;
    let group = statement.arg(1).map(|word| word.text);
    let account = find_account(user, group, scripts, statement.place(), diagnostics);
    if account.is_none() {
        let text = "Error setting global script uid/gid";
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    account
}

/// The account of `user`, with its own group or the one given. A `:` before the group, or alone, adds the user's
/// supplementary groups. `None` when there is no such user or group, which has been reported then.
pub fn find_account(
    user: &str,
    group: Option<&str>,
    scripts: &Scripts,
    place: Place,
    diagnostics: &mut Diagnostics,
) -> Option<Account> {
    let mut report = |text: String| {
        diagnostics.report(Class::Notice, place, text);
        None
    };
    let user = match User::from_name(user) {
        Ok(Some(user)) => user,
        Ok(None) => return report(format!("Script user '{user}' does not exist")),
        Err(_) => {
            return report(format!("Unable to resolve script username '{user}' - ignoring"));
        }
    };
    let (supplementary, group) = match group.map(|group| (group.strip_prefix(':'), group)) {
        Some((Some(group), _)) => (true, Some(group).filter(|group| !group.is_empty())),
        Some((None, group)) => (scripts.supplementary_groups, Some(group)),
        None => (scripts.supplementary_groups, None),
    };
    let gid = match group.map(|name| (name, Group::from_name(name))) {
        None => user.gid,
        Some((_, Ok(Some(group)))) => group.gid,
        Some((name, Ok(None))) => return report(format!("Script group '{name}' does not exist")),
        Some((name, Err(_))) => {
            return report(format!("Unable to resolve script group name '{name}' - ignoring"));
        }
    };
    Some(account_of(&user, gid, supplementary))
}

fn account_of(user: &User, gid: Gid, supplementary: bool) -> Account {
    let groups = if supplementary { supplementary_groups(user, gid) } else { Vec::new() };
    Account { uid: Uid::as_raw(user.uid), gid: gid.as_raw(), groups }
}

fn supplementary_groups(user: &User, gid: Gid) -> Vec<u32> {
    let Ok(name) = CString::new(user.name.as_str()) else { return Vec::new() };
    let groups = getgrouplist(&name, gid).unwrap_or_default();
    groups.into_iter().map(Gid::as_raw).collect()
}
