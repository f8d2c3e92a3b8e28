//! What is tracked, and how it weighs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use lab::{Binary, Daemon, Dump, Lan, Mark, PATIENCE, Scratch};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::{await_masters, between, globals, instance, says, start};

fn tracking(kind: &str, what: &str) -> String {
    format!("    track_{kind} {{\n        {what}\n    }}\n")
}

/// What the log says of the priority of `name` after it has become `to`.
#[track_caller]
fn await_priority(daemon: &Daemon, mark: Mark, name: &str, from: u8, to: u8) {
    let text = format!("({name}) Changing effective priority from {from} to {to}");
    daemon.await_log(mark, &text);
}

#[test]
fn a_script_must_fail_and_succeed_as_often_as_configured() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let flag = scratch.write("flag", "");
    let config = globals("script_user root")
        + &format!(
            "vrrp_script probe {{
    script \"/usr/bin/test -e {}\"
    interval 0.2
    rise 3
    fall 4
    weight 20
}}\n",
            flag.display()
        )
        + &instance("web", 51, &tracking("script", "probe"))
        + &instance("turned", 52, &tracking("script", "probe weight 30 reverse"));
    let daemon = start(&lan, &config);
    await_priority(&daemon, Mark::default(), "web", 100, 120);
    await_priority(&daemon, Mark::default(), "turned", 100, 70);
    let lasted = |mark, first: &str, last: &str| {
        let [first, last] = [first, last].map(|text| daemon.await_log(mark, text));
        between(first.at, last.at)
    };
    let mark = daemon.log().mark();
    fs::remove_file(&flag).expect("it is ours");
    let falling = lasted(mark, "Script `probe` now returning 1", "VRRP_Script(probe) failed");
    assert!(falling > Duration::from_millis(550), "{falling:?}");
    await_priority(&daemon, mark, "web", 120, 100);
    await_priority(&daemon, mark, "turned", 70, 100);
    let mark = daemon.log().mark();
    fs::write(&flag, "").expect("it is ours");
    let rising = lasted(mark, "Script `probe` now returning 0", "VRRP_Script(probe) succeeded");
    assert!(rising > Duration::from_millis(350) && rising < falling, "{rising:?}");
}

#[test]
fn a_script_may_have_failed_from_the_start() {
    let lan = Lan::new(1);
    let script = |name: &str, lines: &str| {
        format!(
            "vrrp_script {name} {{\n    script \"/usr/bin/true\"\n    interval 0.5\n    rise 3\n    {lines}\n}}\n"
        )
    };
    let config = globals("script_user root")
        + &script("good", "")
        + &script("careful", "init_fail")
        + &script("heavy", "init_fail\n    weight -20")
        + &instance("plain", 51, &tracking("script", "good"))
        + &instance("waiting", 52, &tracking("script", "careful"))
        + &instance("lighter", 53, &tracking("script", "heavy"));
    let begun = SystemTime::now();
    let daemon = start(&lan, &config);
    await_masters(&daemon, &["plain"]);
    let waits = !says(&daemon, Mark::default(), "(waiting) Entering BACKUP STATE");
    assert!(waits, "{}", daemon.log_text());
    // It succeeds at once, and twice more with the interval between.
    let line = daemon.await_log(Mark::default(), "(waiting) Entering BACKUP STATE");
    assert!(between(begun, line.at) >= Duration::from_secs(1), "{}", daemon.log_text());
    await_priority(&daemon, Mark::default(), "lighter", 80, 100);
}

#[test]
fn a_script_has_its_time() {
    let lan = Lan::new(1);
    let config = globals("script_user root")
        + "vrrp_script slow {
    script \"/usr/bin/sleep 600\"
    interval 0.2
    timeout 1
}\n" + &instance("web", 51, &tracking("script", "slow"));
    let begun = SystemTime::now();
    let daemon = start(&lan, &config);
    let line = daemon.await_log(Mark::default(), "VRRP_Script(slow) timed");
    assert!(between(begun, line.at) >= Duration::from_secs(1));
}

#[test]
fn the_old_name_of_a_tracked_file_will_do() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let path = scratch.write("number", "7");
    let block = format!(
        "vrrp_track_file number {{\n    file {}\n    weight 2\n    init_file 5 overwrite\n}}\n",
        path.display()
    );
    let daemon = start(&lan, &(block + &instance("web", 51, &tracking("file", "number"))));
    await_masters(&daemon, &["web"]);
    assert_eq!(fs::read_to_string(&path).expect("it is ours"), "5\n");
    fs::write(&path, "9").expect("it is ours");
    await_priority(&daemon, Mark::default(), "web", 110, 118);
}

/// A process with a name of its own, which nobody else on the machine has.
struct Sleeper(Child);

impl Sleeper {
    fn start(program: &Path, argument: &str) -> Self {
        let child = Command::new(program).arg(argument).stdout(Stdio::null()).spawn();
        Self(child.expect("it is a copy of sleep"))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A copy of a program under a name that is unique on this machine.
fn program(scratch: &Scratch, original: &str, name: &str) -> PathBuf {
    let path = scratch.path().join(format!("{name}{}", std::process::id()));
    fs::copy(original, &path).expect("it is installed");
    path
}

fn outside(lan: &Lan, config: &str) -> Daemon {
    let namespace = lan.nodes()[0].namespace().name();
    let config = format!("net_namespace {namespace}\n{config}");
    let daemon = Daemon::start_outside(&Binary::under_test(), &config);
    daemon.await_log(Mark::default(), "proc_events has confirmed it is configured");
    daemon
}

#[test]
fn processes_are_believed_after_their_delays() {
    for _ in 0..5 {
        let (waited, daemon) = fork_and_end();
        if waited == [[true, true, false], [true, false, true]] {
            return;
        }
        // Now and then the kernel leaves an event out; what is seen by a look at all processes counts at once.
        let left_out =
            says(&daemon, Mark::default(), "Setting global_def process_monitor_rcv_bufs");
        assert!(left_out, "{waited:?}\n{}", daemon.log_text());
    }
    panic!("events are always left out");
}

/// A process forks, and later the child ends. Whether the one and the other were waited out by those who wait for both,
/// for forks, and for ends.
fn fork_and_end() -> ([[bool; 3]; 2], Daemon) {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let shell = program(&scratch, "/bin/dash", "kwd");
    let fifo = scratch.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).expect("the directory is ours");
    let name = shell.file_name().expect("it has a name").to_string_lossy();
    let process = |tracker: &str, line: &str| {
        format!(
            "vrrp_track_process {tracker} {{\n    process {name}\n    quorum_max 1\n    weight 1\n    {line}\n}}\n"
        )
    };
    let config = process("both", "delay 0.6")
        + &process("fork", "fork_delay 0.6")
        + &process("end", "terminate_delay 0.6")
        + &instance("web", 51, &tracking("process", "both\n        fork\n        end"));
    let mut parent = Command::new(&shell).stdin(Stdio::piped()).spawn().expect("it is a shell");
    let daemon = outside(&lan, &config);
    await_masters(&daemon, &["web"]);
    let waited = |since: SystemTime, what: &str| {
        ["both", "fork", "end"].map(|name| {
            let text = format!("Quorum {what} for tracked process {name}");
            let since_mark = daemon.log().wait(Mark::default(), PATIENCE, |line| {
                (line.at > since && line.text.contains(&text)).then_some(line.at)
            });
            let at = since_mark.unwrap_or_else(|| panic!("no {text}\n{}", daemon.log_text()));
            between(since, at) >= Duration::from_millis(600)
        })
    };
    let mut input = parent.stdin.take().expect("it was asked for");
    let forked = SystemTime::now();
    writeln!(input, "(read line < {}) &", fifo.display()).expect("it reads");
    // There is one too many.
    let losses = waited(forked, "lost");
    let ended = SystemTime::now();
    fs::write(&fifo, "go\n").expect("it is read");
    let gains = waited(ended, "gained");
    drop(input);
    parent.wait().expect("it is our child");
    ([losses, gains], daemon)
}

#[test]
fn the_whole_command_line_of_a_process_may_count() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let path = program(&scratch, "/bin/sleep", "kwf");
    let process = |name: &str, line: &str| {
        format!("vrrp_track_process {name} {{\n    process {}\n    weight 20\n}}\n", line)
    };
    let full = format!("{} 600\n    full_command", path.display());
    let config = process("full", &full)
        + &process("short", &path.file_name().expect("it has a name").to_string_lossy())
        + &instance("web", 51, &tracking("process", "full\n        short"));
    let daemon = outside(&lan, &config);
    let _other = Sleeper::start(&path, "601");
    daemon.await_log(Mark::default(), "Quorum gained for tracked process short");
    let gained = "Quorum gained for tracked process full";
    assert!(!says(&daemon, Mark::default(), gained), "{}", daemon.log_text());
    let _wanted = Sleeper::start(&path, "600");
    daemon.await_log(Mark::default(), gained);
    await_priority(&daemon, Mark::default(), "web", 120, 140);
}

fn group(lines: &str) -> String {
    format!(
        "vrrp_sync_group both {{\n    group {{\n        one\n        two\n    }}\n{lines}\n}}\n"
    )
}

#[test]
fn a_script_may_be_tracked_by_an_instance_and_its_group() {
    let lan = Lan::new(1);
    let trackers = tracking("script", "probe");
    let config = globals("script_user root")
        + "vrrp_script probe {\n    script /usr/bin/true\n    interval 1\n}\n"
        + &instance("one", 51, &trackers)
        + &instance("two", 52, "")
        + &group(&trackers);
    let daemon = start(&lan, &config);
    await_masters(&daemon, &["one", "two"]);
}

const OWN_SIDE: &str = "bfd_instance other {
    neighbor_ip 10.9.0.2
    source_ip 10.9.0.1
    min_rx 50
    min_tx 50
    idle_tx 1000
}\n";
const OTHER_SIDE: &str = "bfd_instance other {
    neighbor_ip 10.9.0.1
    source_ip 10.9.0.2
    min_rx 50
    min_tx 50
    idle_tx 1000
}\n";

#[test]
fn a_group_is_moved_by_what_it_tracks() {
    let (lan, scratch) = (Lan::new(2), Scratch::new());
    let [flag, number] = [scratch.write("flag", ""), scratch.write("number", "0")];
    let path = program(&scratch, "/bin/sleep", "kwg");
    let trackers = format!(
        "vrrp_script probe {{\n    script \"/usr/bin/test -e {}\"\n    interval 0.2\n}}
track_file number {{\n    file {}\n}}
vrrp_track_process naps {{\n    process {}\n}}\n",
        flag.display(),
        number.display(),
        path.file_name().expect("it has a name").to_string_lossy()
    );
    let lines = "    sync_group_tracking_weight\n".to_owned()
        + &tracking("script", "probe weight 5")
        + &tracking("file", "number weight 1")
        + &tracking("process", "naps weight 7")
        + &tracking("interface", "inner0 weight 11")
        + &tracking("bfd", "other weight 13");
    let config = globals("script_user root")
        + OWN_SIDE
        + &trackers
        + &instance("one", 51, "")
        + &instance("two", 52, "")
        + &group(&lines);
    let daemon = outside(&lan, &config);
    await_masters(&daemon, &["one", "two"]);
    let mut before = 100 + 5 + 11;
    let mut changes = |change: &mut dyn FnMut(), by: i16| {
        let mark = daemon.log().mark();
        change();
        let after = before + by;
        for name in ["one", "two"] {
            let text = format!("({name}) Changing effective priority from {before} to {after}");
            daemon.await_log(mark, &text);
        }
        before = after;
    };
    changes(&mut || fs::remove_file(&flag).expect("it is ours"), -5);
    changes(&mut || fs::write(&number, "3").expect("it is ours"), 3);
    let mut sleeper = None;
    changes(&mut || sleeper = Some(Sleeper::start(&path, "600")), 7);
    changes(&mut || lan.nodes()[0].namespace().ip("link set inner1 down\n"), -11);
    let mut other = None;
    let second = lan.nodes()[1].namespace();
    changes(&mut || other = Some(Daemon::start(&Binary::under_test(), second, OTHER_SIDE)), 13);
}

#[test]
fn members_of_a_group_have_weights_only_where_that_is_wanted() {
    for (line, weighs) in
        [("sync_group_tracking_weight", true), ("global_tracking", true), ("", false)]
    {
        let lan = Lan::new(1);
        let trackers =
            tracking("interface", "inner0 weight 11") + &tracking("script", "probe weight 5");
        let config = globals("script_user root")
            + "vrrp_script probe {\n    script /usr/bin/true\n    interval 1\n}\n"
            + &instance("one", 51, &trackers)
            + &instance("two", 52, "")
            + &group(&format!("    {line}"));
        let daemon = start(&lan, &config);
        await_masters(&daemon, &["one"]);
        let ignored = "(one) ignoring tracked script probe with weights due to SYNC group";
        assert_eq!(says(&daemon, Mark::default(), ignored), !weighs, "{}", daemon.log_text());
        let shown = format!("\n     inner0 weight {}\n", if weighs { 11 } else { 0 });
        let dump = daemon.dump(Dump::State);
        assert!(dump.contains(&shown), "{dump}");
        let mark = daemon.log().mark();
        lan.nodes()[0].namespace().ip("link set inner1 down\n");
        // Interfaces are said to be ignored, and are not.
        let sum = if weighs { 116 } else { 111 };
        await_priority(&daemon, mark, "one", sum, sum - 11);
    }
}

#[test]
fn the_own_interface_need_not_matter() {
    let lan = Lan::new(1);
    let on_inner = |name, vrid, lines| instance(name, vrid, lines).replace("eth0", "inner0");
    let config = on_inner("plain", 51, "") + &on_inner("loose", 52, "    dont_track_primary");
    let daemon = start(&lan, &config);
    await_masters(&daemon, &["plain", "loose"]);
    lan.nodes()[0].namespace().ip("link set inner1 down\n");
    daemon.await_log(Mark::default(), "(plain) Entering FAULT STATE");
    assert!(!says(&daemon, Mark::default(), "(loose) Entering FAULT"), "{}", daemon.log_text());
}
