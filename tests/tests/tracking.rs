//! What instances track besides interfaces and scripts: files, processes, BFD sessions.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lab::{Binary, Daemon, Lan, Mark, Namespace, Scratch};

/// An instance with what `trackers` says.
fn instance(name: &str, vrid: u8, trackers: &str) -> String {
    format!(
        "vrrp_instance {name} {{
    interface eth0
    virtual_router_id {vrid}
    priority 100
    version 3
    advert_int 0.2
{trackers}
    virtual_ipaddress {{
        10.9.0.{vrid}/24
    }}
}}\n"
    )
}

fn start(lan: &Lan, config: &str) -> Daemon {
    Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config)
}

fn file(name: &str, path: &Path, lines: &str) -> String {
    format!("track_file {name} {{\n    file {}\n{lines}\n}}\n", path.display())
}

/// Writes `content` into the file, and waits for what the log says then.
#[track_caller]
fn write(daemon: &Daemon, path: &Path, content: &str, expected: &str) {
    let mark = daemon.log().mark();
    fs::write(path, content).expect("it is ours");
    daemon.await_log(mark, expected);
}

#[test]
fn a_number_in_a_file_changes_the_priority() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let path = scratch.write("number", "0");
    let config = file("number", &path, "    weight 2")
        + &instance("plain", 51, "    track_file {\n        number\n    }")
        + &instance("turned", 52, "    track_file {\n        number weight 3 reverse\n    }");
    let daemon = start(&lan, &config);
    daemon.await_log(Mark::default(), "(plain) Entering MASTER STATE");
    daemon.await_log(Mark::default(), "(turned) Entering MASTER STATE");
    write(&daemon, &path, "5", "(plain) Changing effective priority from 100 to 110");
    daemon.await_log(Mark::default(), "(turned) Changing effective priority from 100 to 85");
    write(&daemon, &path, " -0x10 and more", "(plain) Changing effective priority from 110 to 68");
    write(&daemon, &path, "4294967297", "Invalid number 4294967297 read from");
    let mark = daemon.log().mark();
    fs::remove_file(&path).unwrap();
    daemon.await_log(mark, "(plain) Changing effective priority from 68 to 100");
    write(&daemon, &path, "-200", "(plain): tracked file number now FAULT state");
    daemon.await_log(Mark::default(), "(plain) Entering FAULT STATE");
    let replacement = scratch.write("other", "1");
    let mark = daemon.log().mark();
    fs::rename(replacement, &path).unwrap();
    daemon.await_log(mark, "(plain): tracked file number leaving FAULT state");
    daemon.await_log(mark, "(plain) Entering MASTER STATE");
}

#[test]
fn a_file_without_weight_is_a_fault_from_the_start() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let path = scratch.path().join("switch");
    let config = file("switch", &path, "    weight 0\n    init_file 1")
        + &instance("web", 51, "    track_file {\n        switch\n    }")
        + "vrrp_sync_group both {\n    group {\n        left\n        right\n    }\n    track_file {\n        switch weight 0 reverse\n    }\n}\n"
        + &instance("left", 52, "")
        + &instance("right", 53, "");
    let daemon = start(&lan, &config);
    daemon.await_log(
        Mark::default(),
        "(web): entering FAULT state (tracked file switch has status -254)",
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n", "it was given its first number");
    daemon.await_log(Mark::default(), "(left) Entering MASTER STATE");
    write(&daemon, &path, "0", "(web) Entering MASTER STATE");
    daemon.await_log(Mark::default(), "VRRP_Group(both) Syncing instances to FAULT state");
}

#[test]
fn files_are_read_again_at_a_reload_and_not_overwritten() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let path = scratch.write("number", "7");
    let tracker = |weight: i32| {
        file("number", &path, "    init_file 3 overwrite")
            + &instance(
                "web",
                51,
                &format!("    track_file {{\n        number weight {weight}\n    }}"),
            )
    };
    let daemon = start(&lan, &tracker(1));
    daemon.await_log(Mark::default(), "(web) Entering MASTER STATE");
    assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
    write(&daemon, &path, "9", "Changing effective priority from 103 to 109");
    let mark = daemon.log().mark();
    daemon.reload(&tracker(2));
    daemon.await_log(mark, "Changing effective priority from 109 to 118");
    assert_eq!(fs::read_to_string(&path).unwrap(), "9");
}

/// A process with a name of its own, which nobody else on the machine has.
struct Sleeper(Child);

impl Sleeper {
    fn start(program: &Path) -> Self {
        let child = Command::new(program).arg("600").stdout(Stdio::null()).spawn();
        Self(child.expect("it is a copy of sleep"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A copy of `sleep` under a name that is unique on this machine.
fn program(scratch: &Scratch) -> (std::path::PathBuf, String) {
    let number: String = std::process::id().to_string();
    let name = format!("napper{number}");
    let path = scratch.path().join(&name);
    fs::copy("/bin/sleep", &path).expect("sleep is installed");
    (path, name)
}

fn process(name: &str, lines: &str) -> String {
    format!("vrrp_track_process naps {{\n    process {name}\n{lines}\n}}\n")
}

/// Starts and ends processes, and looks at what the daemon makes of it.
fn count_processes(daemon: &Daemon, program: &Path) {
    daemon.await_log(
        Mark::default(),
        "(fault) entering FAULT state (tracked process naps quorum not achieved)",
    );
    let first = Sleeper::start(program);
    let mark = daemon.log().mark();
    let second = Sleeper::start(program);
    daemon.await_log(Mark::default(), "Quorum gained for tracked process naps");
    daemon.await_log(mark, "(fault) Entering MASTER STATE");
    daemon.await_log(mark, "(weighed) Changing effective priority from 100 to 120");
    let mark = daemon.log().mark();
    let third = Sleeper::start(program);
    daemon.await_log(mark, "Quorum lost for tracked process naps");
    daemon.await_log(mark, "(fault) Entering FAULT STATE");
    let mark = daemon.log().mark();
    drop(third);
    daemon.await_log(mark, "Quorum gained for tracked process naps");
    let mark = daemon.log().mark();
    drop((first, second));
    daemon.await_log(mark, "Quorum lost for tracked process naps");
    daemon.await_log(mark, "(weighed) Changing effective priority from 120 to 100");
}

fn counting(name: &str) -> String {
    process(name, "    quorum 2\n    quorum_max 2")
        + &instance("fault", 51, "    track_process {\n        naps\n    }")
        + &instance("weighed", 52, "    track_process {\n        naps weight 20\n    }")
}

#[test]
fn processes_are_counted_as_the_kernel_tells_of_them() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let (path, name) = program(&scratch);
    let namespace = lan.nodes()[0].namespace().name();
    let config = format!("net_namespace {namespace}\n{}", counting(&format!("\"{name}\"")));
    let daemon = Daemon::start_outside(&Binary::under_test(), &config);
    daemon.await_log(Mark::default(), "proc_events has confirmed it is configured");
    count_processes(&daemon, &path);
}

#[test]
fn processes_are_counted_where_the_kernel_does_not_tell() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let (path, _) = program(&scratch);
    let words = format!("{}\n    param_match initial", path.display());
    let daemon = start(&lan, &counting(&words));
    daemon.await_log(Mark::default(), "the kernel does not support proc events");
    count_processes(&daemon, &path);
}

#[test]
fn a_delay_waits_out_a_short_absence() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let (path, name) = program(&scratch);
    let namespace = lan.nodes()[0].namespace().name();
    let config = format!("net_namespace {namespace}\n")
        + &process(&name, "    terminate_delay 0.5")
        + &instance("web", 51, "    track_process {\n        naps weight 20\n    }");
    let sleeper = Sleeper::start(&path);
    let daemon = Daemon::start_outside(&Binary::under_test(), &config);
    daemon.await_log(Mark::default(), "proc_events has confirmed it is configured");
    daemon.await_log(Mark::default(), "(web) Entering MASTER STATE");
    let ended = std::time::SystemTime::now();
    drop(sleeper);
    let line = daemon.await_log(Mark::default(), "Quorum lost for tracked process naps");
    let delay = line.at.duration_since(ended).unwrap_or_default();
    assert!(delay.as_millis() >= 500, "{delay:?}");
}

/// Two nodes that watch each other.
fn session(own: u8, other: u8) -> String {
    format!(
        "bfd_instance other {{
    neighbor_ip 10.9.0.{other}
    source_ip 10.9.0.{own}
    min_rx 50
    min_tx 50
    idle_tx 100
    multiplier 3
    weight -30
}}\n"
    )
}

fn started(namespace: &Namespace, config: &str) -> Daemon {
    Daemon::start(&Binary::under_test(), namespace, config)
}

#[test]
fn a_session_that_goes_down_is_felt_by_all_who_track_it() {
    let lan = Lan::new(2);
    let [first, second] = [lan.nodes()[0].namespace(), lan.nodes()[1].namespace()];
    let config = session(1, 2)
        + &instance("weighed", 51, "    track_bfd {\n        other\n    }")
        + &instance("fault", 52, "    track_bfd {\n        other weight 0\n    }")
        + &instance("turned", 53, "    track_bfd {\n        other weight 10 reverse\n    }");
    let daemon = started(first, &config);
    daemon.await_log(Mark::default(), "(fault) entering FAULT state (BFD instance other down)");
    let mut other = started(second, &session(2, 1));
    daemon.await_log(Mark::default(), "VRRP_Instance(weighed) Tracked BFD instance other is UP");
    daemon.await_log(Mark::default(), "(weighed) Changing effective priority from 70 to 100");
    daemon.await_log(Mark::default(), "(turned) Changing effective priority from 100 to 90");
    daemon.await_log(Mark::default(), "(fault) Entering MASTER STATE");
    // A VRRP child that starts again is told without a change of the session.
    let mark = daemon.log().mark();
    daemon.vrrp().expect("it runs").signal(nix::sys::signal::Signal::SIGKILL);
    daemon.await_log(mark, "VRRP_Instance(weighed) Tracked BFD instance other is UP");
    daemon.await_log(mark, "(turned) Changing effective priority from 100 to 90");
    // A BFD child that starts again says nothing until it knows what is true.
    let mark = daemon.log().mark();
    daemon.bfd().expect("it runs").signal(nix::sys::signal::Signal::SIGKILL);
    daemon.await_log(mark, "(other) Entering Up state");
    daemon.await_log(mark, "Received BFD event: instance other is in state Up");
    let log = daemon.log().since(mark);
    assert!(log.iter().all(|line| !line.text.contains("Tracked BFD")), "{}", daemon.log_text());
    let mark = daemon.log().mark();
    other.kill();
    daemon.await_log(mark, "VRRP_Instance(weighed) Tracked BFD instance other is DOWN");
    daemon.await_log(mark, "(weighed) Changing effective priority from 100 to 70");
    daemon.await_log(mark, "(fault) Entering FAULT STATE");
}
