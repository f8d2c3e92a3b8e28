//! Whether a script may run: it must be found, be executable for its user, and, where it runs with root's rights, nobody
//! else may be able to change it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use conf_parser::{Class, Diagnostics, Place};
use nix::unistd::{Gid, Uid, setegid, seteuid};

use super::file_to_open;
use crate::global::{Account, Fifo, Script, Scripts};

const SET_USER_ID: u32 = 0o4000;
const SET_GROUP_ID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const GROUP_WRITE: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
/// Where commands without a slash are looked for when PATH is not set.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// Checks the scripts of a configuration, one after the other.
#[derive(Debug)]
pub struct ScriptChecker<'a> {
    settings: &'a Scripts,
    any: bool,
    insecure: usize,
}

impl<'a> ScriptChecker<'a> {
    /// A checker with the settings of `global_defs`.
    pub fn new(settings: &'a Scripts) -> Self {
        Self { settings, any: false, insecure: 0 }
    }

    /// The script with its program found, or `None` when it must not or cannot run, which has been reported then.
    pub fn check(
        &mut self,
        mut script: Script,
        place: Place,
        diagnostics: &mut Diagnostics,
    ) -> Option<Script> {
        if file_to_open(&script).is_some() {
            return Some(script);
        }
        let written = script.argv.first()?.clone();
        let name = written.to_string_lossy().into_owned();
        let mut report = |class, text: String| diagnostics.report(class, place, text);
        let path = locate(&written, &script.account, |text| report(Class::Harmless, text))?;
        let found = as_account(&script.account, || {
            let real = fs::canonicalize(&path)?;
            let metadata = fs::metadata(&real)?;
            Ok((real, metadata))
        });
        let (real, metadata) = match found {
            Ok(found) => found,
            Err(error) => {
                let reason = error.raw_os_error().map_or_else(|| error.to_string(), errno_text);
                report(Class::Harmless, format!("Script {name} cannot be accessed - {reason}"));
                return None;
            }
        };
        self.any = true;
        if !metadata.is_file() || !is_executable(&metadata, &script.account) {
            let Account { uid, gid, .. } = script.account;
            let text = format!(
                "WARNING - script '{name}' is not executable for uid:gid {uid}:{gid} - disabling."
            );
            report(Class::Harmless, text);
            return None;
        }
        if !names_its_interpreter(&real) {
            report(Class::Notice, format!("Please add a #! shebang to script {name}"));
        }
        if runs_with_root_rights(&metadata, &script.account) {
            if let Some(culprit) = changeable_part(&path) {
                self.insecure += 1;
                let suffix = if self.settings.security { " - disabling" } else { "" };
                let text = format!("Unsafe permissions found for script '{name}'{suffix}.");
                let hint = format!("{culprit}: only root may be able to change it");
                diagnostics.report_with_hint(Class::Harmless, place, text, hint);
                if self.settings.security {
                    return None;
                }
            }
        }
        script.program = if self.settings.symlink_paths { path.into() } else { real.into() };
        Some(script)
    }

    /// Counts the program that reads a FIFO among the scripts, where there is one. What is wrong with it is said elsewhere.
    pub fn count_reader(&mut self, fifo: Option<&Fifo>) {
        if let Some(script) = fifo.and_then(|fifo| fifo.script.clone()) {
            self.check(script, Place::default(), &mut Diagnostics::default());
        }
    }

    /// How many scripts somebody else than root could change.
    pub fn insecure(&self) -> usize {
        self.insecure
    }

    /// Says once if scripts run without protection. `kind` goes before the word scripts, such as `start/shutdown `.
    pub fn finish(self, kind: &str, diagnostics: &mut Diagnostics) {
        if !self.any || self.settings.security {
            return;
        }
        let insecure = if self.insecure > 0 { " There are insecure scripts." } else { "" };
        let text = format!(
            "SECURITY VIOLATION - {kind}scripts are being executed but script_security not enabled.{insecure}"
        );
        diagnostics.report_overall(Class::Security, text);
    }
}

/// Where the program `written` is: there, or where PATH leads. What is to be said of that goes to `report`.
fn locate(written: &OsStr, account: &Account, report: impl FnOnce(String)) -> Option<PathBuf> {
    if written.as_bytes().contains(&b'/') {
        return Some(written.into());
    }
    let name = written.to_string_lossy();
    let found = search(written, account);
    report(match &found {
        Ok(found) => format!(
            "WARNING - script `{name}` resolved by path search to `{}`. Please specify full path.",
            found.display()
        ),
        Err(NotFound::Nowhere) => format!("Cannot find script {name} in path - disabling"),
        Err(NotFound::Forbidden) => {
            format!("Permissions failure for script {name} in path - disabling")
        }
    });
    found.ok()
}

enum NotFound {
    Nowhere,
    Forbidden,
}

fn search(name: &OsStr, account: &Account) -> Result<PathBuf, NotFound> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(DEFAULT_PATH));
    let mut refusal = NotFound::Nowhere;
    for directory in std::env::split_paths(&path) {
        let candidate = directory.join(name);
        match as_account(account, || fs::metadata(&candidate)) {
            Ok(metadata) if metadata.is_file() && is_executable(&metadata, account) => {
                return Ok(candidate);
            }
            Ok(_) => refusal = NotFound::Forbidden,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refusal = NotFound::Forbidden
            }
            Err(_) => {}
        }
    }
    Err(refusal)
}

/// Looks at files with the rights of `account`, where we may take them on.
fn as_account<T>(account: &Account, look: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    if !uid.is_root() || (account.uid == 0 && account.gid == 0) {
        return look();
    }
    setegid(Gid::from_raw(account.gid))?;
    let result = match seteuid(Uid::from_raw(account.uid)) {
        Ok(()) => {
            let result = look();
            seteuid(uid)?;
            result
        }
        Err(error) => Err(error.into()),
    };
    setegid(gid)?;
    result
}

fn is_executable(metadata: &Metadata, account: &Account) -> bool {
    let mode = metadata.mode();
    if account.uid == 0 {
        return mode & 0o111 != 0;
    }
    if metadata.uid() == account.uid {
        mode & 0o100 != 0
    } else if metadata.gid() == account.gid || account.groups.contains(&metadata.gid()) {
        mode & 0o010 != 0
    } else {
        mode & 0o001 != 0
    }
}

fn runs_with_root_rights(metadata: &Metadata, account: &Account) -> bool {
    let mode = metadata.permissions().mode();
    account.uid == 0
        || account.gid == 0
        || (mode & SET_USER_ID != 0 && metadata.uid() == 0)
        || (mode & SET_GROUP_ID != 0 && metadata.gid() == 0)
}

/// The first thing on the way to `path` that somebody other than root could change. The way is walked as the kernel does:
/// a link of root's own may stand in it, and then where it leads is part of the way.
fn changeable_part(path: &Path) -> Option<String> {
    let mut here = PathBuf::from("/");
    let mut ahead: Vec<OsString> = Vec::new();
    let mut links = 0;
    if path.is_relative() {
        let Ok(directory) = std::env::current_dir() else { return Some(culprit(path, LOST)) };
        push_parts(&mut ahead, &directory.join(path));
    } else {
        push_parts(&mut ahead, path);
    }
    loop {
        let Ok(metadata) = fs::symlink_metadata(&here) else { return Some(culprit(&here, LOST)) };
        if let Some(why) = is_changeable(&metadata) {
            return Some(culprit(&here, &why));
        }
        if metadata.is_symlink() {
            let target = fs::read_link(&here).ok().filter(|_| links < LINKS);
            let Some(target) = target else { return Some(culprit(&here, LOST)) };
            links += 1;
            push_parts(&mut ahead, &target);
            here = if target.is_absolute() { PathBuf::from("/") } else { parent(&here) };
        }
        match ahead.pop() {
            None => return None,
            Some(part) if part == ".." => here = parent(&here),
            Some(part) => here.push(part),
        }
    }
}

/// Links that the kernel follows before it gives up.
const LINKS: usize = 40;
const LOST: &str = "cannot be looked at";

fn culprit(path: &Path, why: &str) -> String {
    format!("{} {why}", path.display())
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

/// Puts the parts of `path` on the stack `ahead`, the first on top.
fn push_parts(ahead: &mut Vec<OsString>, path: &Path) {
    let parts = path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    ahead.extend(parts);
}

/// How somebody other than root could change what this is about. What a link is, its directory decides.
fn is_changeable(metadata: &Metadata) -> Option<String> {
    let mode = metadata.mode();
    let guarded = metadata.is_dir() && mode & STICKY != 0;
    if metadata.uid() != 0 {
        Some(format!("belongs to user {}", metadata.uid()))
    } else if metadata.is_symlink() || guarded {
        None
    } else if mode & OTHERS_WRITE != 0 {
        Some(format!("can be written to by everybody (mode {:04o})", mode & 0o7777))
    } else if mode & GROUP_WRITE != 0 && metadata.gid() != 0 {
        Some(format!("can be written to by group {} (mode {:04o})", metadata.gid(), mode & 0o7777))
    } else {
        None
    }
}

/// A program, or a script that says what runs it.
fn names_its_interpreter(path: &Path) -> bool {
    let mut magic = [0; 4];
    let Ok(mut file) = fs::File::open(path) else { return true };
    let length = file.read(&mut magic).unwrap_or_default();
    let start = magic.get(..length).unwrap_or_default();
    start.starts_with(b"#!") || start == b"\x7fELF"
}

fn errno_text(code: i32) -> String {
    nix::errno::Errno::from_raw(code).desc().to_owned()
}
