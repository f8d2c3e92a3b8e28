//! Scripts are run for real, as whoever runs the tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use conf_parser::{Class, Diagnostics, Place};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{getgid, getuid};

use super::*;
use crate::global::Scripts;

/// A directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("keepalived-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn script(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn script(path: &Path, arguments: &[&str]) -> Script {
    let argv = std::iter::once(path.into()).chain(arguments.iter().map(OsString::from)).collect();
    let account = Account { uid: getuid().as_raw(), gid: getgid().as_raw(), groups: vec![] };
    Script { program: path.into(), argv, account }
}

fn run(script: &Script, arguments: &[&str]) -> Ending {
    let running = start(script, arguments).unwrap();
    let mut polled = [PollFd::new(running.as_fd(), PollFlags::POLLIN)];
    assert_eq!(
        poll(&mut polled, PollTimeout::from(10_000_u16)),
        Ok(1),
        "the descriptor tells of the end"
    );
    running.ending().unwrap().unwrap()
}

#[test]
fn a_script_gets_its_arguments_and_a_clean_process() {
    let scratch = Scratch::new("run");
    let out = scratch.0.join("out");
    let text = format!(
        "#!/bin/sh\n{{ echo \"$@\"; echo $$; ps -o pgid= -p $$; grep -E '^Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd; }} >{}\nexit 7\n",
        out.display()
    );
    let path = scratch.script("good", &text, 0o755);
    assert_eq!(run(&script(&path, &["a b"]), &["INSTANCE", "web"]), Ending::Exited(7));
    let out = fs::read_to_string(out).unwrap();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "a b INSTANCE web");
    assert_eq!(lines[1], lines[2].trim(), "it leads its process group");
    assert_eq!(signals(lines[3]), 0, "no signal is blocked");
    assert_eq!(signals(lines[4]), 0, "no signal is ignored");
    assert_eq!(
        lines[5..],
        ["0", "1", "2", "3"],
        "nothing is open but the standard three, and the listing itself"
    );
}

/// The signals of a line of `/proc/PID/status`, but for the two that the C library keeps for itself.
fn signals(line: &str) -> u64 {
    let (_, mask) = line.split_once('\t').unwrap();
    u64::from_str_radix(mask, 16).unwrap() & !(0b11 << 31)
}

#[test]
fn a_script_runs_as_its_account_or_not_at_all() {
    let scratch = Scratch::new("account");
    let path =
        scratch.script("who", "#!/bin/sh\ntest \"$(id -u):$(id -g):$(id -G)\" = \"$1\"\n", 0o755);
    fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o755)).unwrap();
    let mut other = script(&path, &["12345:23456:23456 34567"]);
    other.account = Account { uid: 12345, gid: 23456, groups: vec![34567] };
    let expected = if getuid().is_root() { Ending::Exited(0) } else { Ending::Exited(127) };
    assert_eq!(run(&other, &[]), expected);
}

#[test]
fn a_script_without_interpreter_is_taken_for_a_shell_script() {
    let scratch = Scratch::new("plain");
    let path = scratch.script("plain", "exit $1\n", 0o755);
    assert_eq!(run(&script(&path, &["9"]), &[]), Ending::Exited(9));
}

#[test]
fn a_program_that_is_not_there_fails() {
    assert_eq!(run(&script(Path::new("/nowhere/at/all"), &[]), &[]), Ending::Exited(127));
}

#[test]
fn an_opening_test_opens() {
    assert_eq!(run(&script(Path::new("</dev/null"), &[]), &[]), Ending::Exited(0));
    assert_eq!(run(&script(Path::new("< /nowhere"), &[]), &[]), Ending::Exited(2));
}

#[test]
fn a_group_is_signalled_as_a_whole() {
    let scratch = Scratch::new("group");
    let path = scratch.script("long", "#!/bin/sh\nsleep 60 & wait\n", 0o755);
    let running = start(&script(&path, &[]), &[] as &[&str]).unwrap();
    running.signal(Signal::SIGKILL).unwrap();
    let mut polled = [PollFd::new(running.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut polled, PollTimeout::from(10_000_u16)), Ok(1));
    assert_eq!(running.ending().unwrap(), Some(Ending::Signalled(Signal::SIGKILL)));
}

fn check(path: &Path, security: bool) -> (Option<Script>, Vec<(Class, String)>) {
    let settings = Scripts { security, ..Scripts::default() };
    let mut diagnostics = Diagnostics::default();
    let mut checker = ScriptChecker::new(&settings);
    let checked = checker.check(script(path, &[]), Place::default(), &mut diagnostics);
    checker.finish("", &mut diagnostics);
    let found = diagnostics.items().iter().map(|item| (item.class, item.message.clone())).collect();
    (checked, found)
}

#[test]
fn a_script_that_anybody_could_change_is_refused_where_it_matters() {
    if !getuid().is_root() {
        return;
    }
    let scratch = Scratch::new("unsafe");
    let path = scratch.script("open", "#!/bin/sh\n", 0o777);
    let (checked, found) = check(&path, true);
    assert_eq!(checked, None);
    let text = format!("Unsafe permissions found for script '{}' - disabling.", path.display());
    assert_eq!(found, [(Class::Harmless, text)]);
    let (checked, found) = check(&path, false);
    assert!(checked.is_some());
    assert_eq!(found.len(), 2, "the script and the missing setting: {found:?}");
}

#[test]
fn a_root_owned_link_in_the_path_does_no_harm() {
    if !getuid().is_root() {
        return;
    }
    let (checked, found) = check(Path::new("/bin/true"), true);
    assert_eq!(found, []);
    assert_eq!(checked.unwrap().program, fs::canonicalize("/bin/true").unwrap());
}

#[test]
fn a_link_of_somebody_else_on_the_way_is_refused() {
    if !getuid().is_root() {
        return;
    }
    let scratch = Scratch::new("chain");
    let directory = |name: &str| {
        let path = scratch.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let (safe, theirs) = (directory("safe"), directory("theirs"));
    scratch.script("safe/script", "#!/bin/sh\n", 0o755);
    let link = |target: &Path, name: &str| {
        let path = scratch.0.join(name);
        std::os::unix::fs::symlink(target, &path).unwrap();
        path
    };
    let direct = link(&safe, "direct").join("script");
    let (checked, found) = check(&direct, true);
    assert_eq!(
        (checked.map(|script| script.program), found),
        (Some(safe.join("script").into()), vec![])
    );
    // Both the link that is written and the file are root's, but not where the second link lies.
    link(&safe, "theirs/link");
    std::os::unix::fs::chown(&theirs, Some(1000), Some(1000)).unwrap();
    let roundabout = link(Path::new("theirs/./link"), "roundabout").join("script");
    let (checked, found) = check(&roundabout, true);
    assert_eq!((checked, found.len()), (None, 1), "{found:?}");
    assert!(found[0].1.starts_with("Unsafe permissions found"), "{found:?}");
}

#[test]
fn what_cannot_run_is_named() {
    let scratch = Scratch::new("unusable");
    let path = scratch.script("data", "text", 0o644);
    let (checked, found) = check(&path, false);
    assert_eq!((checked, found.len()), (None, 2), "the script and the missing setting");
    assert!(found[0].1.contains("is not executable for uid:gid"), "{found:?}");
    let (checked, found) = check(Path::new("/nowhere/at/all"), false);
    assert_eq!(checked, None);
    assert_eq!(found[0].1, "Script /nowhere/at/all cannot be accessed - No such file or directory");
    let (checked, found) = check(Path::new("true"), false);
    assert!(checked.is_some() && found[0].1.contains("resolved by path search"), "{found:?}");
}
