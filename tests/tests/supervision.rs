//! The parent and its children: started when needed, replaced when they die, stopped in order, and none left behind.

use std::fs;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use lab::{Binary, Daemon, Mark, Namespace, PATIENCE, Process};
use nix::sys::signal::Signal;

const SESSION: &str = "bfd_instance one {\n neighbor_ip 127.0.0.2\n source_ip 127.0.0.1\n}\n";
const NAMES: &str = "child_wait_time 1\nglobal_defs {\n process_names\n}\n";

/// A namespace with an interface for VRRP.
fn namespace() -> Namespace {
    let namespace = Namespace::new();
    namespace.ip(
        "link add eth0 type veth peer name there\nlink set there up\nlink set eth0 up\naddr add 192.0.2.1/24 dev eth0\n",
    );
    namespace
}

fn instance(address: &str) -> String {
    format!(
        "vrrp_instance one {{\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {{\n {address}\n }}\n}}\n"
    )
}

fn start(namespace: &Namespace, config: &str, options: &[&str]) -> Daemon {
    Daemon::start_with(&Binary::under_test(), namespace, config, options)
}

/// The BFD child that was started last. It may not have its name yet.
#[track_caller]
fn session_child(daemon: &Daemon) -> Process {
    let log = daemon.log().all();
    let pid = log
        .iter()
        .rev()
        .find_map(|line| line.text.strip_prefix("Starting BFD child process, pid="));
    let process = pid.and_then(|pid| Process::new(pid.parse().ok()?));
    process.unwrap_or_else(|| panic!("there is none:\n{}", daemon.log_text()))
}

fn count(daemon: &Daemon, text: &str) -> usize {
    daemon.log().all().iter().filter(|line| line.text.contains(text)).count()
}

#[test]
fn only_children_with_something_to_do_are_started() {
    let namespace = namespace();
    let both = format!("{NAMES}{SESSION}{}", instance("192.0.2.9"));
    for (config, options, expected) in [
        (both.clone(), &[][..], &["keepalived_vrrp", "keepalived_bfd"][..]),
        (both.clone(), &["-B"], &["keepalived_vrrp"]),
        (both.clone(), &["-C"], &["keepalived_bfd"]),
        (format!("{NAMES}{SESSION}"), &[], &["keepalived_bfd"]),
        (format!("{NAMES}vrrp_script s {{\n script /bin/true\n}}\n"), &[], &[]),
    ] {
        let mut daemon = start(&namespace, &config, options);
        if expected.is_empty() {
            daemon.await_log(Mark::default(), "Warning - keepalived has no configuration to run");
        } else {
            daemon.await_log(Mark::default(), "Startup complete");
        }
        let names: Vec<String> = daemon.process().children().iter().map(Process::name).collect();
        assert_eq!(names, expected, "{options:?}\n{}", daemon.log_text());
        assert!(daemon.stop().success());
    }
}

#[test]
fn a_reload_that_is_asked_for_during_the_start_is_done_after_it() {
    let namespace = Namespace::new();
    // It takes its time to read this.
    let many: String = (0..3000).map(|number| format!("# {number}\n$A{number}=x\n")).collect();
    let daemon = start(&namespace, &format!("{many}{NAMES}{SESSION}"), &[]);
    daemon.await_log(Mark::default(), "Starting Keepalived");
    daemon.process().signal(Signal::SIGHUP);
    daemon.await_log(Mark::default(), "Reloading ...");
    assert_eq!(count(&daemon, "Startup complete"), 1, "{}", daemon.log_text());
}

#[test]
fn restarts_of_a_child_that_keeps_dying_are_delayed() {
    let namespace = Namespace::new();
    let daemon = start(&namespace, &format!("{NAMES}{SESSION}"), &[]);
    daemon.await_log(Mark::default(), "Startup complete");
    for (signal, delay) in [(Signal::SIGSEGV, 0), (Signal::SIGKILL, 1)] {
        let mark = daemon.log().mark();
        let victim = session_child(&daemon);
        let since = Instant::now();
        victim.signal(signal);
        daemon.await_log(mark, &format!("pid {} exited due to s", victim.pid()));
        daemon.await_log(mark, &format!("BFD child process({}) died: Respawning", victim.pid()));
        daemon.await_log(
            mark,
            &format!("Restart of BFD process delayed {delay} seconds to limit respawn rate"),
        );
        daemon.await_log(mark, "Starting BFD child process, pid=");
        assert!(since.elapsed() >= Duration::from_secs(delay));
    }
    assert_eq!(count(&daemon, "Startup complete"), 1, "{}", daemon.log_text());
}

#[test]
fn a_reload_starts_a_delayed_child_at_once_and_only_once() {
    let namespace = Namespace::new();
    let config = format!("{NAMES}{SESSION}");
    let daemon = start(&namespace, &config, &[]);
    daemon.await_log(Mark::default(), "Startup complete");
    for _ in 0..3 {
        let mark = daemon.log().mark();
        session_child(&daemon).signal(Signal::SIGKILL);
        daemon.await_log(mark, "to limit respawn rate");
        if count(&daemon, "to limit respawn rate") < 3 {
            daemon.await_log(mark, "Starting BFD child process");
        }
    }
    let mark = daemon.log().mark();
    let since = Instant::now();
    daemon.reload(&config);
    daemon.await_log(mark, "Starting BFD child process");
    daemon.await_log(mark, "Reload complete");
    assert!(since.elapsed() < Duration::from_secs(2), "it would have taken 2 s anyway");
    let deadline = daemon.log().mark();
    let second = daemon.log().wait(deadline, Duration::from_millis(2500), |line| {
        line.text.contains("Starting BFD child process").then_some(())
    });
    assert_eq!(second, None, "it was started twice:\n{}", daemon.log_text());
    assert_eq!(daemon.process().children().len(), 1);
}

#[test]
fn children_that_die_together_are_all_replaced() {
    let namespace = namespace();
    let config = format!("{NAMES}{SESSION}{}", instance("192.0.2.9"));
    let daemon = start(&namespace, &config, &[]);
    daemon.await_log(Mark::default(), "Startup complete");
    let victims = daemon.process().children();
    assert_eq!(victims.len(), 2);
    let mark = daemon.log().mark();
    // A stopped parent is told once of both.
    daemon.process().signal(Signal::SIGSTOP);
    for victim in &victims {
        victim.signal(Signal::SIGKILL);
        assert!(victim.wait(PATIENCE));
    }
    daemon.process().signal(Signal::SIGCONT);
    daemon.await_log(mark, "Starting VRRP child process");
    daemon.await_log(mark, "Starting BFD child process");
    // What a dead child has left to the parent may be there for a moment.
    let settled = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        daemon.process().children().len() == 2
    });
    assert!(settled, "{}", daemon.log_text());
}

#[test]
fn an_error_that_would_come_again_ends_the_daemon_with_its_status() {
    let namespace = namespace();
    // The port of BFD is taken: the child cannot work (RFC 5881 §4).
    let taken = namespace.enter(|| [UdpSocket::bind("0.0.0.0:3784"), UdpSocket::bind("[::]:3784")]);
    let config = format!("{NAMES}{SESSION}{}", instance("192.0.2.9"));
    let mut daemon = start(&namespace, &config, &[]);
    assert_eq!(daemon.wait().code(), Some(1), "{}", daemon.log_text());
    daemon.await_log(Mark::default(), "exited with permanent error FATAL. Terminating");
    daemon.await_log(Mark::default(), "Stopped Keepalived");
    assert_eq!(count(&daemon, "Respawning"), 0);
    drop(taken);
}

#[test]
fn without_respawning_a_death_ends_the_daemon() {
    let namespace = Namespace::new();
    let mut daemon = start(&namespace, &format!("{NAMES}{SESSION}"), &["-R"]);
    daemon.await_log(Mark::default(), "Startup complete");
    let victim = session_child(&daemon);
    victim.signal(Signal::SIGKILL);
    assert_eq!(daemon.wait().code(), Some(0));
    let text = format!("BFD child process({}) died: Exiting", victim.pid());
    daemon.await_log(Mark::default(), &text);
}

#[test]
fn a_stop_is_orderly_and_leaves_nothing() {
    let namespace = namespace();
    let config = format!("{NAMES}{SESSION}{}", instance("192.0.2.9"));
    let mut daemon = start(&namespace, &config, &[]);
    daemon.await_log(Mark::default(), "Startup complete");
    let children = daemon.process().children();
    let pid_files = || {
        let files = fs::read_dir(daemon.directory()).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|end| end == "pid")).count()
    };
    assert_eq!(pid_files(), 3);
    daemon.process().signal(Signal::SIGTERM);
    daemon.process().signal(Signal::SIGINT);
    assert!(daemon.process().wait(PATIENCE));
    assert_eq!(pid_files(), 0);
    for child in children {
        assert!(!child.lives());
    }
    assert_eq!(daemon.wait().code(), Some(0));
    daemon.await_log(Mark::default(), "Stopped Keepalived");
    let log: Vec<String> = daemon.log().all().into_iter().map(|line| line.text).collect();
    assert_eq!(count(&daemon, "Stopping"), 1, "{log:#?}");
    assert_eq!(count(&daemon, "forcing termination"), 0, "{log:#?}");
    assert!(log.last().is_some_and(|line| line.starts_with("Stopped Keepalived v")), "{log:#?}");
}

#[test]
fn a_child_that_does_not_stop_is_killed_after_its_time() {
    let namespace = Namespace::new();
    let mut daemon = start(&namespace, &format!("{NAMES}{SESSION}"), &[]);
    daemon.await_log(Mark::default(), "Startup complete");
    let deaf = session_child(&daemon);
    deaf.signal(Signal::SIGSTOP);
    let since = Instant::now();
    assert!(daemon.stop().success());
    daemon.await_log(Mark::default(), "bfd process failed to die - forcing termination");
    let took = since.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(3)).contains(&took), "{took:?}");
    assert!(!deaf.lives());
}

#[test]
fn sigint_stops_unless_it_is_to_be_ignored() {
    let namespace = Namespace::new();
    let mut daemon = start(&namespace, SESSION, &[]);
    daemon.await_log(Mark::default(), "Startup complete");
    daemon.process().signal(Signal::SIGINT);
    assert!(daemon.wait().success());

    let mut deaf = start(&namespace, SESSION, &["--ignore-sigint"]);
    deaf.await_log(Mark::default(), "Startup complete");
    let children = deaf.process().children();
    for process in children.iter().chain([deaf.process()]) {
        process.signal(Signal::SIGINT);
    }
    let mark = deaf.log().mark();
    deaf.process().signal(Signal::SIGHUP);
    deaf.await_log(mark, "Reload complete");
    assert_eq!(count(&deaf, "died"), 0, "{}", deaf.log_text());
    assert!(deaf.stop().success());
}

#[test]
fn no_signal_that_tools_send_kills_parent_or_child() {
    let namespace = namespace();
    let config = format!("{NAMES}{SESSION}{}", instance("192.0.2.9"));
    let daemon = start(&namespace, &config, &[]);
    daemon.await_log(Mark::default(), "Startup complete");
    let children = daemon.process().children();
    for process in children.iter().chain([daemon.process()]) {
        // OpenWrt sends the JSON signal of its C library, 37, to every process of that name.
        for number in [1, 10, 12, 13, 14, 28, 36, 37, 63, 64] {
            let sent = std::process::Command::new("kill")
                .args([format!("-{number}"), process.pid().to_string()])
                .status();
            assert!(sent.is_ok_and(|status| status.success()), "{number}");
        }
    }
    let mark = daemon.log().mark();
    daemon.reload(&config);
    daemon.await_log(mark, "Reload complete");
    assert_eq!(count(&daemon, "died"), 0, "{}", daemon.log_text());
    for child in children {
        assert!(child.lives());
    }
}

#[test]
fn a_killed_parent_leaves_no_child() {
    let namespace = namespace();
    let config = format!("{NAMES}{SESSION}{}", instance("192.0.2.9"));
    let daemon = start(&namespace, &config, &[]);
    daemon.await_log(Mark::default(), "Startup complete");
    let children = daemon.process().children();
    assert_eq!(children.len(), 2);
    daemon.process().signal(Signal::SIGKILL);
    for child in children {
        assert!(child.wait(PATIENCE), "{} lives on:\n{}", child.name(), daemon.log_text());
    }
}
