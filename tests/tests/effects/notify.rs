//! Who is told what: scripts and FIFOs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lab::{Daemon, Forged, Lan, Scratch, await_file};

use crate::{await_masters, globals, instance, start};

/// A directory with a script, and the file that the script writes to.
struct Desk {
    scratch: Scratch,
    lan: Lan,
}

impl Desk {
    fn new(nodes: usize) -> Self {
        let (scratch, lan) = (Scratch::new(), Lan::new(nodes));
        // Whoever a script runs as, it can write here.
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
        let out = scratch.write("out", "");
        fs::set_permissions(out, fs::Permissions::from_mode(0o666)).expect("it is ours");
        Self { scratch, lan }
    }

    fn out(&self) -> PathBuf {
        self.scratch.path().join("out")
    }

    /// A script of this name that runs `command`, whose output goes to the file.
    fn script(&self, name: &str, command: &str) -> String {
        let out = self.out();
        let text = format!("#!/bin/sh\nexec >> {}\n{command}\n", out.display());
        let path = self.scratch.write(name, &text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
        path.display().to_string()
    }

    /// Waits until every one of `lines` has been told.
    #[track_caller]
    fn await_lines(&self, lines: &[&str]) {
        await_lines(&self.out(), lines);
    }
}

#[track_caller]
fn await_lines(path: &Path, lines: &[&str]) {
    await_file(path, |text| {
        lines.iter().all(|line| text.lines().any(|told| told == *line)).then_some(())
    });
}

fn notifications(script: &str, prefix: &str, names: &[&str]) -> String {
    let line = |name: &&str| format!("    notify_{name} \"{script} {prefix}{name}\"\n");
    names.iter().map(line).collect::<String>() + &format!("    notify \"{script} {prefix}any\"\n")
}

fn group(lines: &str) -> String {
    format!(
        "vrrp_sync_group both {{\n    group {{\n        one\n        two\n    }}\n{lines}\n}}\n"
    )
}

#[test]
fn every_event_has_a_script() {
    let desk = Desk::new(2);
    let tell = desk.script("tell", "echo \"$@\"");
    let states = ["master", "backup", "fault", "stop"];
    let own = notifications(&tell, "", &[&states[..], &["master_rx_lower_pri"]].concat());
    let shared = notifications(&tell, "group-", &states);
    let stays = globals("script_user root")
        + &instance("one", 51, &own)
        + &instance("two", 52, "")
        + &group(&shared);
    let gone = instance("gone", 53, &notifications(&tell, "", &["deleted"]))
        + &instance("left", 54, &format!("    notify_deleted\n    notify \"{tell} any\""));
    let mut daemon = start(&desk.lan, &(stays.clone() + &gone));
    desk.await_lines(&[
        "backup",
        "any INSTANCE one BACKUP 100",
        "master",
        "any INSTANCE one MASTER 100",
        "group-master",
        "group-any GROUP both MASTER 0",
    ]);
    Forged::new(51, 50).send(desk.lan.nodes()[1].namespace());
    desk.await_lines(&["master_rx_lower_pri"]);
    daemon.reload(&stays);
    desk.await_lines(&["deleted", "any INSTANCE left DELETED 100"]);
    desk.lan.nodes()[0].link_down();
    desk.await_lines(&[
        "fault",
        "any INSTANCE one FAULT 100",
        "group-fault",
        "group-any GROUP both FAULT 0",
    ]);
    desk.lan.nodes()[0].link_up();
    desk.await_lines(&["group-backup", "group-any GROUP both BACKUP 0"]);
    daemon.stop();
    desk.await_lines(&[
        "stop",
        "any INSTANCE one STOP 100",
        "group-stop",
        "group-any GROUP both STOP 0",
    ]);
}

#[test]
fn each_script_runs_as_its_user() {
    let desk = Desk::new(1);
    let who = desk.script("who", "echo $1 $(id -un) $(id -gn)\necho mask $(umask)");
    let checker = "vrrp_script probe {
    script \"WHO probe\"
    interval 1
    user nobody daemon
}
vrrp_script other {
    script \"WHO other\"
    interval 1
}\n";
    let lines = format!(
        "    notify_backup \"{who} backup\"
    notify_master \"{who} master\" nobody
    track_script {{
        probe
        other
    }}"
    );
    let config = globals("script_user daemon daemon") + &checker.replace("WHO", &who);
    let daemon = start(&desk.lan, &(config + &instance("web", 51, &lines)));
    await_masters(&daemon, &["web"]);
    let primary = lab::run("id", &["-gn", "nobody"]);
    desk.await_lines(&[
        "probe nobody daemon",
        "other daemon daemon",
        "backup daemon daemon",
        &format!("master nobody {}", primary.trim()),
        // That of the daemon, which keeps its files from others.
        "mask 0177",
    ]);
}

/// Somebody on this machine who is member of a group besides the own one.
fn member() -> Option<String> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let members = groups.lines().filter_map(|line| line.rsplit(':').next()?.split(',').next());
    members.filter(|name| !name.is_empty() && *name != "root").map(str::to_owned).next()
}

#[test]
fn a_script_has_all_groups_of_its_user_where_that_is_wanted() {
    let Some(member) = member() else {
        return eprintln!("nobody on this machine is in two groups");
    };
    let all = lab::run("id", &["-G", &member]);
    let own = lab::run("id", &["-g", &member]);
    for (setting, expected) in [("", own), ("set_supplementary_groups", all)] {
        let desk = Desk::new(1);
        let groups = desk.script("groups", "id -G");
        let config = globals(&format!("{setting}\nscript_user root"));
        let lines = format!("priority 255\n    notify_master {groups} {member}");
        let _daemon = start(&desk.lan, &(config + &instance("web", 51, &lines)));
        desk.await_lines(&[expected.trim()]);
    }
}

#[test]
fn a_script_may_be_called_by_the_path_that_was_given() {
    for (setting, called) in [("use_symlink_paths", "link"), ("", "script")] {
        let desk = Desk::new(1);
        // Nobody else may write where secure scripts are.
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(desk.scratch.path(), mode).expect("it is ours");
        let path = desk.script("script", "echo $0");
        let directory = desk.scratch.path();
        symlink(&path, directory.join("link")).expect("it is ours");
        let settings = format!("script_user root\nenable_script_security\n{setting}");
        let lines = format!("priority 255\n    notify_master {}/link", directory.display());
        let daemon = start(&desk.lan, &(globals(&settings) + &instance("web", 51, &lines)));
        await_masters(&daemon, &["web"]);
        desk.await_lines(&[&directory.join(called).display().to_string()]);
    }
}

/// A daemon whose FIFO is read by a script of its own.
fn with_fifo(desk: &Desk, kind: &str, more: &str, config: &str) -> Daemon {
    let reader = desk.script("reader", "exec cat \"$1\"");
    let fifo = desk.scratch.path().join("fifo");
    let lines = format!(
        "script_user root\n{kind}notify_fifo {}\n{kind}notify_fifo_script {reader}\n{more}",
        fifo.display()
    );
    start(&desk.lan, &(globals(&lines) + config))
}

#[test]
fn fifos_have_readers_and_are_told_everything_again_after_a_reload() {
    for kind in ["", "vrrp_"] {
        let desk = Desk::new(1);
        let config = instance("one", 51, "") + &instance("two", 52, "") + &group("");
        let daemon = with_fifo(&desk, kind, "fifo_write_vrrp_states_on_reload", &config);
        let text = fs::read_to_string(daemon.config()).expect("it is there");
        let is_told_again = |lines: &[&str]| {
            desk.await_lines(lines);
            daemon.reload(&text);
            // It may be another reader that hears it, but it goes to the same file.
            await_file(&desk.out(), |text| {
                let twice = |line: &&str| text.lines().filter(|told| told == line).count() == 2;
                lines.iter().all(twice).then_some(())
            });
        };
        is_told_again(&["INSTANCE \"one\" MASTER 100", "GROUP \"both\" MASTER 0"]);
        desk.lan.nodes()[0].link_down();
        is_told_again(&["INSTANCE \"one\" FAULT 100", "GROUP \"both\" FAULT 0"]);
    }
}

#[test]
fn changes_of_priority_are_told_to_those_who_want_it() {
    for (defaults, of_group, of_instance, told) in [
        ("vrrp_notify_priority_changes", "", "", true),
        ("vrrp_notify_priority_changes", "", "notify_priority_changes off", false),
        ("", "    notify_priority_changes", "", true),
        ("", "", "", false),
    ] {
        let desk = Desk::new(1);
        let number = desk.scratch.write("number", "0");
        let tracker =
            format!("track_file number {{\n    file {}\n    weight 1\n}}\n", number.display());
        let tracked = format!("    {of_instance}\n    track_file {{\n        number\n    }}");
        let config = tracker
            + &instance("one", 51, &tracked)
            + &instance("two", 52, "")
            + &group(&format!("    sync_group_tracking_weight\n{of_group}"));
        let daemon = with_fifo(&desk, "vrrp_", defaults, &config);
        desk.await_lines(&["INSTANCE \"one\" MASTER 100"]);
        let mark = daemon.log().mark();
        fs::write(&number, "20").expect("it is ours");
        daemon.await_log(mark, "(one) Changing effective priority from 100 to 120");
        if told {
            desk.await_lines(&["INSTANCE \"one\" MASTER_PRIORITY 120"]);
        }
        desk.lan.nodes()[0].link_down();
        desk.await_lines(&["INSTANCE \"one\" FAULT 120"]);
        let text = fs::read_to_string(desk.out()).expect("it is there");
        assert_eq!(
            text.contains("\"one\" MASTER_PRIORITY 120"),
            told,
            "{defaults} {of_group}\n{text}"
        );
    }
}

/// By what is tracked, by the instance itself, or by both.
#[test]
fn a_priority_that_a_reload_changes_is_told_once() {
    let desk = Desk::new(1);
    let number = desk.scratch.write("number", "20");
    let file = format!("track_file number {{\n    file {}\n    weight 1\n}}\n", number.display());
    let tracked = |priority: u8| {
        format!("    priority {priority}\n    track_file {{\n        number\n    }}")
    };
    let defaults = "vrrp_notify_priority_changes";
    let config = file.clone() + &instance("one", 51, &tracked(100));
    let daemon = with_fifo(&desk, "vrrp_", defaults, &config);
    desk.await_lines(&["INSTANCE \"one\" BACKUP_PRIORITY 120", "INSTANCE \"one\" MASTER 120"]);
    let text = fs::read_to_string(daemon.config()).expect("it is there");
    let (globals, _) = text.split_once("track_file").expect("it follows");
    let reload = |lines: &str| {
        let mark = daemon.log().mark();
        daemon.reload(&(globals.to_owned() + &file + &instance("one", 51, lines)));
        daemon.await_log(mark, "Reload complete");
    };
    for (lines, priority) in [(tracked(130), 150), (tracked(130), 150), (String::new(), 100)] {
        reload(&lines);
        desk.await_lines(&[&format!("INSTANCE \"one\" MASTER_PRIORITY {priority}")]);
    }
    reload("    priority 7");
    desk.await_lines(&["INSTANCE \"one\" MASTER_PRIORITY 7"]);
    let told = fs::read_to_string(desk.out()).expect("it is there");
    let told: Vec<&str> = told.lines().filter(|line| line.contains("MASTER_PRIORITY")).collect();
    let expected = [150, 100, 7].map(|to| format!("INSTANCE \"one\" MASTER_PRIORITY {to}"));
    assert_eq!(told, expected, "{}", daemon.log_text());
    daemon.reload(&(globals.to_owned() + &file + &instance("two", 52, &tracked(90))));
    desk.await_lines(&["INSTANCE \"two\" BACKUP_PRIORITY 110", "INSTANCE \"two\" MASTER 110"]);
}

#[test]
fn the_daemon_waits_for_its_last_script_as_long_as_configured() {
    let desk = Desk::new(1);
    let hanging = desk.script("hanging", "echo last; exec sleep 600");
    let lines = format!("script_user root\nshutdown_script {hanging}\nshutdown_script_timeout 1");
    let mut daemon = start(&desk.lan, &(globals(&lines) + &instance("web", 51, "priority 255")));
    await_masters(&daemon, &["web"]);
    let begun = Instant::now();
    daemon.stop();
    desk.await_lines(&["last"]);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{}", daemon.log_text());
}
