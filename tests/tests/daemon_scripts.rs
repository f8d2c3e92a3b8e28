//! The scripts of the daemon itself: one before the children start, one after they have ended.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lab::{Binary, Daemon, Mark, Namespace, PATIENCE, Process, Scratch, await_file, await_process};
use nix::sys::signal::Signal;

const SESSION: &str = "bfd_instance one {\n neighbor_ip 127.0.0.2\n source_ip 127.0.0.1\n}\n";

/// A script that does what `body` says.
fn script(scratch: &Scratch, name: &str, body: &str) -> PathBuf {
    let path = scratch.write(name, &format!("#!/bin/sh\n{body}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    path
}

fn config(lines: &[String]) -> String {
    format!("global_defs {{\n script_user root\n{}\n}}\n{SESSION}", lines.join("\n"))
}

fn start(namespace: &Namespace, config: &str) -> Daemon {
    Daemon::start(&Binary::under_test(), namespace, config)
}

fn setting(keyword: &str, path: &Path) -> String {
    format!(" {keyword} {}", path.display())
}

/// Where in the log the first line stands that contains `text`.
#[track_caller]
fn place(daemon: &Daemon, text: &str) -> usize {
    let log = daemon.log().all();
    let found = log.iter().position(|line| line.text.contains(text));
    found.unwrap_or_else(|| panic!("the log does not say {text:?}:\n{}", daemon.log_text()))
}

#[test]
fn children_start_after_the_startup_script_and_the_shutdown_script_runs_after_them() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let out = scratch.path().join("out");
    let told = |word: &str| format!("echo {word} $# $1 >> {}", out.display());
    let startup = script(&scratch, "startup", &told("startup"));
    let shutdown = script(&scratch, "shutdown", &told("shutdown"));
    let lines = [
        format!(" startup_script \"{} an 'argument here'\"", startup.display()),
        setting("shutdown_script", &shutdown),
    ];
    let mut daemon = start(&namespace, &config(&lines));
    daemon.await_log(Mark::default(), "Startup complete");
    assert_eq!(fs::read_to_string(&out).unwrap(), "startup 2 an\n");
    assert!(daemon.stop().success());
    daemon.await_log(Mark::default(), "Stopped Keepalived");
    assert_eq!(fs::read_to_string(&out).unwrap(), "startup 2 an\nshutdown 0\n");
    for pair in [
        ["Running startup script", "startup script script succeeded"],
        ["startup script script succeeded", "Starting BFD child process"],
        ["Stopping", "Running shutdown script"],
        ["Running shutdown script", "shutdown script script succeeded"],
        ["shutdown script script succeeded", "Stopped Keepalived"],
    ] {
        let [before, after] = pair.map(|text| place(&daemon, text));
        assert!(before < after, "{pair:?}:\n{}", daemon.log_text());
    }
}

#[test]
fn a_startup_script_that_fails_does_not_keep_the_daemon() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let failing = script(&scratch, "failing", "exit 7");
    let daemon = start(&namespace, &config(&[setting("startup_script", &failing)]));
    daemon.await_log(Mark::default(), "startup script script failed, status 7");
    daemon.await_log(Mark::default(), "Startup complete");
}

#[test]
fn one_that_hangs_is_ended_with_all_that_it_has_started() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let pids = scratch.path().join("pids");
    let body = format!(
        "trap '' TERM\nsleep 1000 &\necho $$ > {pids}\necho $! >> {pids}\nwait; wait",
        pids = pids.display()
    );
    let hanging = script(&scratch, "hanging", &body);
    let lines = [setting("startup_script", &hanging), " startup_script_timeout 1".to_owned()];
    let since = Instant::now();
    let daemon = start(&namespace, &config(&lines));
    daemon.await_log(Mark::default(), "startup script timed out");
    daemon.await_log(Mark::default(), "Startup complete");
    let took = since.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&took), "{took:?}");
    for pid in fs::read_to_string(&pids).unwrap().lines() {
        // It was told to end, but may not have done so yet.
        let process = Process::new(pid.parse().unwrap());
        assert!(process.is_none_or(|process| process.wait(PATIENCE)), "{pid} lives on");
    }
}

#[test]
fn a_stop_during_the_startup_script_is_a_stop() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let out = scratch.path().join("out");
    let pid = scratch.path().join("pid");
    let long = script(&scratch, "long", &format!("echo $$ > {}\nexec sleep 1000", pid.display()));
    let shutdown = script(&scratch, "shutdown", &format!("echo bye > {}", out.display()));
    let lines = [setting("startup_script", &long), setting("shutdown_script", &shutdown)];
    let mut daemon = start(&namespace, &config(&lines));
    let sleeper = await_process(&pid);
    assert!(daemon.stop().success());
    assert!(sleeper.wait(PATIENCE));
    assert_eq!(fs::read_to_string(&out).unwrap(), "bye\n");
    assert!(!daemon.log_text().contains("Starting BFD child process"));
}

#[test]
fn an_error_that_ends_the_daemon_runs_no_shutdown_script() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let shutdown = script(&scratch, "shutdown", "exit 0");
    let taken = namespace.enter(|| {
        [std::net::UdpSocket::bind("0.0.0.0:3784"), std::net::UdpSocket::bind("[::]:3784")]
    });
    let mut daemon = start(&namespace, &config(&[setting("shutdown_script", &shutdown)]));
    assert_eq!(daemon.wait().code(), Some(1));
    daemon.await_log(Mark::default(), "Stopped Keepalived");
    assert!(!daemon.log_text().contains("Running shutdown script"), "{}", daemon.log_text());
    drop(taken);
}

#[test]
fn an_insecure_script_is_not_run_when_that_matters() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let out = scratch.path().join("out");
    let insecure = script(&scratch, "insecure", &format!("echo run > {}", out.display()));
    fs::set_permissions(&insecure, fs::Permissions::from_mode(0o777)).unwrap();
    let lines = [setting("startup_script", &insecure), " enable_script_security".to_owned()];
    let daemon = start(&namespace, &config(&lines));
    daemon.await_log(Mark::default(), "Unsafe permissions found for script");
    daemon.await_log(Mark::default(), "Startup complete");
    assert!(!out.exists());
}

/// Nor one that reads a FIFO.
#[test]
fn an_insecure_reader_of_a_fifo_is_not_run() {
    let namespace = Namespace::new();
    namespace.ip("link add eth0 type veth peer name eth1\nlink set eth0 up\nlink set eth1 up\naddr add 10.9.0.1/24 dev eth0\n");
    let scratch = Scratch::new();
    let out = scratch.path().join("out");
    let insecure = script(&scratch, "insecure", &format!("echo run > {}", out.display()));
    fs::set_permissions(&insecure, fs::Permissions::from_mode(0o777)).unwrap();
    let fifo = scratch.path().join("fifo");
    let text = |security: &str| {
        let lines = [setting("notify_fifo", &fifo), setting("notify_fifo_script", &insecure)];
        let lines = lines.join("\n");
        let instance = "vrrp_instance one {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.9.0.2/24\n }\n}\n";
        format!("global_defs {{\n script_user root\n {security}\n{lines}\n}}\n{instance}")
    };
    let daemon = start(&namespace, &text("enable_script_security"));
    daemon.await_log(Mark::default(), "Unsafe permissions found for script");
    daemon.await_log(Mark::default(), "Startup complete");
    daemon.await_log(Mark::default(), "Entering MASTER STATE");
    assert!(!out.exists());
    drop(daemon);
    let daemon = start(&namespace, &text(""));
    daemon.await_log(Mark::default(), "SECURITY VIOLATION - scripts are being executed");
    await_file(&out, |text| text.contains("run").then_some(()));
}

/// As in a container whose first process is the daemon: what scripts leave behind becomes its child.
#[test]
fn what_scripts_leave_behind_is_reaped() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let pid = scratch.path().join("pid");
    let orphan = format!("sleep 0.2 &\necho $! > {}", pid.display());
    let startup = script(&scratch, "startup", &orphan);
    let daemon = start(&namespace, &config(&[setting("startup_script", &startup)]));
    daemon.await_log(Mark::default(), "Startup complete");
    let pid: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    if let Some(orphan) = Process::new(pid) {
        assert!(orphan.wait(PATIENCE));
    }
    // Its end has been told before this signal.
    let mark = daemon.log().mark();
    daemon.process().signal(Signal::SIGHUP);
    daemon.await_log(mark, "Reload complete");
    assert!(!Path::new("/proc").join(pid.to_string()).exists(), "it waits to be reaped");
}
