//! What makes the daemon reload, what keeps it from it, and what can be seen of it from outside.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lab::{Binary, Daemon, Mark, Namespace, PATIENCE, Router, Scratch, await_file};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::Signal;

const SESSION: &str = "bfd_instance one {\n neighbor_ip 127.0.0.2\n source_ip 127.0.0.1\n}\n";

fn start(namespace: &Namespace, config: &str) -> Daemon {
    let daemon = Daemon::start(&Binary::under_test(), namespace, config);
    daemon.await_log(Mark::default(), "Startup complete");
    daemon
}

fn globals(lines: &str) -> String {
    format!("global_defs {{\n{lines}\n}}\n{SESSION}")
}

/// Reloads with `config`, and returns what the log says until `end`.
#[track_caller]
fn reload(daemon: &Daemon, config: &str, end: &str) -> Vec<String> {
    let mark = daemon.log().mark();
    daemon.reload(config);
    daemon.await_log(mark, end);
    daemon.log().since(mark).into_iter().map(|line| line.text).collect()
}

fn says(daemon: &Daemon, mark: Mark, text: &str) -> bool {
    daemon.log().since(mark).iter().any(|line| line.text == text)
}

const KEPT: &str = "keeping the old one";

/// It still does what it was last told to: a reload of a good file is taken.
#[track_caller]
fn assert_alive(daemon: &Daemon) {
    reload(daemon, SESSION, "Reload complete");
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, SESSION);
    let child = daemon.process().children()[0].pid();
    for (config, complaint) in [
        ("global_defs {\n smtp_server\n}\n", "is missing a parameter"),
        ("vrrp_instance a {\n interface absent\n virtual_router_id 1\n}\n", "doesn't exist"),
        ("global_defs {\n", "missing '}'s"),
        ("includem /nonexistent/file\n", "Config files missing '/nonexistent/file'"),
    ] {
        let log = reload(&daemon, config, KEPT);
        assert!(log.iter().any(|line| line.contains(complaint)), "{complaint}: {log:#?}");
        assert!(!log.iter().any(|line| line == "Reloading"), "a child was told: {log:#?}");
    }
    let mark = daemon.log().mark();
    fs::remove_file(daemon.config()).unwrap();
    daemon.process().signal(Signal::SIGHUP);
    daemon.await_log(mark, "Config files missing");
    daemon.await_log(mark, KEPT);
    assert_eq!(daemon.process().children()[0].pid(), child);
    assert_alive(&daemon);
}

/// The original takes it where the interface was there before, and has the instance in FAULT; it does not start with it.
#[test]
fn an_interface_that_has_vanished_refuses_a_reload() {
    let instance = |name: &str, interface: &str, vrid: u8, address: &str| {
        format!(
            "vrrp_instance {name} {{\n interface {interface}\n virtual_router_id {vrid}\n version 3\n \
             advert_int 0.1\n virtual_ipaddress {{\n {address}/24\n }}\n}}\n"
        )
    };
    let gone = instance("shop", "inner0", 52, "10.8.0.100");
    let mut router = Router::start(&(instance("web", "eth0", 51, "10.9.0.100") + &gone));
    router.await_addresses(&["10.9.0.100", "10.8.0.100"], true);
    router.change("link del inner0\n", "(shop) Entering FAULT STATE");
    let other = instance("web", "eth0", 51, "10.9.0.101");
    let log = reload(&router.daemon, &(other.clone() + &gone), KEPT);
    let complaint = "WARNING - interface inner0 for vrrp_instance shop doesn't exist";
    assert!(log.iter().any(|line| line.ends_with(complaint)), "{log:#?}");
    assert!(!log.iter().any(|line| line == "Reloading"), "a child was told: {log:#?}");
    assert_eq!(router.holder("10.9.0.100"), "eth0");
    // Where it is back, or not named, or may come and go, the reload is taken.
    router
        .namespace()
        .ip("link add inner0 type veth peer name inner1\nlink set inner1 up\nlink set inner0 up\n\
         addr add 10.8.0.1/24 dev inner0\n");
    reload(&router.daemon, &(other.clone() + &gone), "Reload complete");
    router.await_addresses(&["10.9.0.101", "10.8.0.100"], true);
    router.change("link del inner0\n", "(shop) Entering FAULT STATE");
    reload(&router.daemon, &instance("web", "eth0", 51, "10.9.0.102"), "Reload complete");
    router.await_addresses(&["10.9.0.102"], true);
    router.stop();
    let dynamic = globals(" dynamic_interfaces\n");
    let first = instance("web", "eth0", 51, "10.9.0.100") + &gone;
    let router = Router::start(&(dynamic.clone() + &first));
    router.await_addresses(&["10.9.0.100", "10.8.0.100"], true);
    router.change("link del inner0\n", "(shop) Entering FAULT STATE");
    reload(&router.daemon, &(dynamic + &other + &gone), "Reload complete");
    router.await_addresses(&["10.9.0.101"], true);
}

#[test]
fn complaints_that_are_no_reason_to_refuse_do_not_stop_a_reload() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, SESSION);
    let log = reload(&daemon, &globals(" no_such_keyword\n"), "Reload complete");
    assert!(log.iter().any(|line| line.contains("no_such_keyword")), "{log:#?}");
}

#[test]
fn settings_that_need_a_restart_refuse_the_reload() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, SESSION);
    for (config, setting) in [
        (format!("instance one\n{SESSION}"), "instance name"),
        (format!("net_namespace other\n{SESSION}"), "network namespace"),
        (format!("net_namespace_ipvs other\n{SESSION}"), "IPVS network namespace"),
        (globals(" nftables\n"), "nftables table name"),
        (globals(" disable_local_igmp\n"), "disable_local_igmp"),
        (globals(" tmp_config_directory /tmp\n"), "config_directory"),
    ] {
        let text = format!("Cannot change {setting} at a reload - please restart keepalived");
        let log = reload(&daemon, &config, &text);
        assert!(!log.iter().any(|line| line == "Reloading"), "a child was told: {log:#?}");
    }
    assert_alive(&daemon);
}

#[test]
fn a_child_that_dies_after_a_refused_reload_comes_back_with_the_old_configuration() {
    let namespace = Namespace::new();
    let mut daemon = start(&namespace, SESSION);
    let other = "bfd_instance other {\n neighbor_ip 127.0.0.3\n source_ip 127.0.0.1\n}\n";
    reload(&daemon, &format!("instance one\n{other}"), "Cannot change instance name");
    let mark = daemon.log().mark();
    daemon.process().children()[0].signal(Signal::SIGKILL);
    daemon.await_log(mark, "Starting BFD child process");
    assert!(daemon.stop().success());
    daemon.await_log(mark, "Stopped Keepalived");
    let log = daemon.log().since(mark);
    let ends = |name: &str| log.iter().any(|line| line.text.starts_with(name));
    assert!(ends("(one)") && !ends("(other)"), "{}", daemon.log_text());
}

#[test]
fn requests_that_come_together_are_served_by_one_more_reload() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, SESSION);
    let mark = daemon.log().mark();
    let child = &daemon.process().children()[0];
    // The first one cannot complete.
    child.signal(Signal::SIGSTOP);
    daemon.process().signal(Signal::SIGHUP);
    daemon.await_log(mark, "Configuration file");
    for _ in 0..3 {
        let mark = daemon.log().mark();
        daemon.process().signal(Signal::SIGHUP);
        daemon.await_log(mark, "Reload already in progress, request queued");
    }
    child.signal(Signal::SIGCONT);
    daemon.await_log(mark, "Processing queued reload");
    let done = daemon.log().wait_until(Duration::from_secs(10), |log| {
        log.iter().filter(|line| line.text == "Reload complete").count() == 2
    });
    assert!(done, "{}", daemon.log_text());
}

/// Tools send SIGHUP to whatever is called keepalived, and so to the process that reads the new file as well.
#[test]
fn a_signal_for_all_processes_does_not_hurt_the_reading() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, SESSION);
    let mark = daemon.log().mark();
    daemon.process().signal(Signal::SIGHUP);
    for _ in 0..100 {
        for child in daemon.process().children() {
            child.signal(Signal::SIGHUP);
            child.signal(Signal::SIGUSR1);
        }
        daemon.process().signal(Signal::SIGHUP);
    }
    daemon.await_log(mark, "Reload complete");
    let mark = daemon.log().mark();
    daemon.reload(SESSION);
    daemon.await_log(mark, "Reload complete");
    let log = daemon.log_text();
    assert!(!log.contains("loader") && !log.contains("died"), "{log}");
}

#[test]
fn a_file_that_takes_its_time_holds_up_nobody() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, SESSION);
    let child = daemon.process().children()[0].pid();
    let mark = daemon.log().mark();
    // Long enough that the process that reads it is seen.
    lab::go_first();
    daemon.reload(&format!("{SESSION}~SEQ(N, 1, 200000) ! ${{N}}\n"));
    let deadline = Instant::now() + PATIENCE;
    let reader = loop {
        let other = daemon.process().children().into_iter().find(|process| process.pid() != child);
        if let Some(reader) = other {
            break reader;
        }
        assert!(Instant::now() < deadline, "nobody reads it:\n{}", daemon.log_text());
    };
    reader.signal(Signal::SIGSTOP);
    daemon.process().children()[0].signal(Signal::SIGKILL);
    daemon.await_log(mark, "Starting BFD child process");
    assert!(reader.lives() && !says(&daemon, mark, "Reload complete"), "{}", daemon.log_text());
    reader.signal(Signal::SIGCONT);
    daemon.await_log(mark, "Reload complete");
}

/// A child that died over the last reload is not waited for.
#[test]
fn the_next_reload_may_bring_the_cure() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, SESSION);
    let mark = daemon.log().mark();
    let child = &daemon.process().children()[0];
    child.signal(Signal::SIGSTOP);
    daemon.process().signal(Signal::SIGHUP);
    daemon.await_log(mark, "Configuration file");
    child.signal(Signal::SIGKILL);
    daemon.await_log(mark, "died: Respawning");
    reload(&daemon, SESSION, "Reload complete");
    assert_alive(&daemon);
}

#[test]
fn a_relative_name_is_looked_for_where_the_daemon_runs() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, &timed(Path::new("when"), ""));
    fs::write(daemon.directory().join("when"), "2099-01-02 03:04:05\n").unwrap();
    daemon.await_log(Mark::default(), "Scheduling reload for 2099-01-02 03:04:05");
}

#[test]
fn children_come_with_their_configuration() {
    let namespace = Namespace::new();
    namespace.ip("link add eth0 type veth peer name there\nlink set there up\nlink set eth0 up\n");
    let instance = "vrrp_instance one {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.9\n }\n}\n";
    let daemon = start(&namespace, SESSION);
    let log = reload(&daemon, &format!("{SESSION}{instance}"), "Reload complete");
    let started = log.iter().any(|line| line.starts_with("Starting VRRP child process"));
    assert!(started, "{log:#?}");
    assert!(daemon.directory().join("vrrp.pid").exists());
    reload(&daemon, SESSION, "Reload complete");
    assert_eq!(daemon.process().children().len(), 2, "it goes on with nothing to do");
}

#[test]
fn a_checked_reload_takes_what_was_checked() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let result = scratch.path().join("result");
    let config =
        |lines: &str| globals(&format!(" reload_check_config {}\n{lines}", result.display()));
    let mut daemon = start(&namespace, &config(""));
    let log = reload(&daemon, &config(" no_such_keyword\n"), "New config failed validation, see");
    assert!(log.iter().any(|line| line == "validate conf before Reload"), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("no_such_keyword")), "{log:#?}");
    let text = fs::read_to_string(&result).unwrap();
    assert!(text.contains("Unknown keyword 'no_such_keyword'"), "{text}");
    let log = reload(&daemon, &config(" process_name checked\n"), "Reload complete");
    assert!(log.iter().any(|line| line == "Reloading ..."), "{log:#?}");
    assert_eq!(daemon.process().name(), "checked");
    assert_eq!(fs::read_to_string(&result).unwrap(), "", "it holds the last result only");
    assert!(daemon.stop().success());
}

#[test]
fn the_names_of_the_processes_change() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, &globals(" process_name boss\n"));
    assert_eq!(daemon.process().name(), "boss");
    reload(&daemon, SESSION, "Reload complete");
    assert_eq!(daemon.process().name(), "keepalived");
}

#[test]
fn a_file_marks_the_time_of_reading() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let mark = scratch.write("reading", "");
    let config = globals(&format!(" reload_file {}\n", mark.display()));
    let daemon = start(&namespace, &config);
    assert!(!mark.exists(), "it is removed at the start");
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
    let wanted = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE;
    inotify.add_watch(scratch.path(), wanted).unwrap();
    reload(&daemon, &config, "Reload complete");
    let mut seen = vec![];
    while seen.len() < 2 {
        let events = inotify.read_events().unwrap();
        seen.extend(events.into_iter().map(|event| (event.mask, event.name.unwrap())));
    }
    let name = OsString::from("reading");
    assert_eq!(seen, [(AddWatchFlags::IN_CREATE, name.clone()), (AddWatchFlags::IN_DELETE, name)]);
}

#[test]
fn copies_of_the_configuration_are_kept() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let directory = scratch.path().join("copies");
    let config = globals(&format!(" config_save_dir {}\n", directory.display()));
    let daemon = start(&namespace, &config);
    let child = daemon.process().children()[0].pid();
    let second = SESSION.replace("one", "two").replace("127.0.0.2", "127.0.0.3");
    reload(&daemon, &(config.clone() + &second), "Reload complete");
    reload(&daemon, &config, "Reload complete");
    // What each process has made of it, around each reload.
    for (moment, two) in [("1.pre", false), ("1.post", true), ("2.pre", true), ("2.post", false)] {
        let state = directory.join(format!("keepalived_bfd.{child}.{moment}"));
        let shown =
            await_file(&state, |text| text.contains("= one").then(|| text.contains("= two")));
        assert_eq!(shown, two, "{moment}");
    }
    let pid = daemon.process().pid();
    for count in [0, 1, 2] {
        let copy = directory.join(format!("keepalived.conf.{pid}.{count}"));
        let text = fs::read_to_string(&copy).unwrap_or_else(|error| panic!("{error}: {copy:?}"));
        assert!(text.contains("neighbor_ip 127.0.0.2"), "{text}");
    }
    let mode = fs::metadata(&directory).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

/// A time of the given seconds from now, in UTC, as the file has it.
fn seconds_from_now(seconds: u64) -> String {
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs()
            + seconds;
    let of_day = now % 86_400;
    format!("{:02}:{:02}:{:02}Z\n", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

fn timed(path: &Path, more: &str) -> String {
    globals(&format!(" reload_time_file {}\n{more}", path.display()))
}

#[test]
fn a_file_says_when_to_reload() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let when = scratch.path().join("when");
    let daemon = start(&namespace, &timed(&when, ""));
    for (text, message) in [
        ("2099-01-02 03:04:05\n", "Scheduling reload for 2099-01-02 03:04:05"),
        (
            "2099-01-02 03:04:06\n",
            "Reload time updated from 2099-01-02 03:04:05 to 2099-01-02 03:04:06",
        ),
        ("tomorrow\n", "Invalid reload time 'tomorrow' specified - ignoring"),
    ] {
        let mark = daemon.log().mark();
        fs::write(&when, text).unwrap();
        daemon.await_log(mark, message);
    }
    daemon.await_log(Mark::default(), "Cancelling reload scheduled for 2099-01-02 03:04:06");
    let mark = daemon.log().mark();
    fs::write(&when, seconds_from_now(2)).unwrap();
    daemon.await_log(mark, "Scheduling reload for");
    daemon.await_log(mark, "Reloading ...");
    daemon.await_log(mark, "Reload complete");
    assert!(!when.exists(), "it has done its duty");
}

#[test]
fn a_time_that_repeats_stays() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let when = scratch.path().join("when");
    fs::write(&when, seconds_from_now(2)).unwrap();
    let daemon = start(&namespace, &timed(&when, " reload_repeat\n"));
    let mark = daemon.log().mark();
    daemon.await_log(mark, "Reloading ...");
    daemon.await_log(mark, "Scheduling reload for");
    assert!(when.exists());
}
