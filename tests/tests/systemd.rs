//! What systemd hears, from a process of that name which is the first of its own process namespace.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lab::{Binary, Namespace, PATIENCE, Scratch};
use nix::sys::signal::Signal;

const SESSION: &str = "bfd_instance one {\n neighbor_ip 127.0.0.2\n source_ip 127.0.0.1\n}\n";

/// A service manager with one service.
struct Manager {
    scratch: Scratch,
    socket: UnixDatagram,
    child: Child,
}

impl Manager {
    fn start(namespace: &Namespace, config: &str, environment: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new();
        let path = |name: &str| scratch.path().join(name);
        let socket = UnixDatagram::bind(path("notify")).expect("the directory is ours");
        let file = scratch.write("keepalived.conf", config);
        let program = path("systemd");
        fs::copy("/bin/bash", &program).expect("bash is installed");
        // The manager must stay, so it waits for its service; a signal for the service goes through it.
        let script = r#"
            "$@" &
            for signal in HUP TERM; do trap "kill -$signal $!" $signal; done
            service=$!
            while kill -0 $service 2>/dev/null; do wait $service; status=$?; done
            exit $status
        "#;
        let binary = Binary::under_test();
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]).arg(&program);
        command.args(["-c", script, "systemd"]).arg(binary.path()).args(["-n", "-G", "-f"]);
        command.arg(file);
        for (option, name) in [("-p", "parent"), ("-r", "vrrp"), ("-c", "checkers"), ("-b", "bfd")]
        {
            command.arg(option).arg(path(name).with_extension("pid"));
        }
        command.env("NOTIFY_SOCKET", path("notify")).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = namespace.enter(|| command.spawn()).expect("unshare is installed");
        Self { scratch, socket, child }
    }

    /// The next message, if one comes `within` that time.
    fn next(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).expect("it is no empty time");
        let mut buffer = [0; 1024];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Some(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                None
            }
        }
    }

    /// Waits for a message that has `line`, and returns it.
    #[track_caller]
    fn await_line(&self, line: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut heard = vec![];
        while let Some(message) = self.next(Duration::from_secs(1)) {
            if message.lines().any(|found| found.starts_with(line)) {
                return message;
            }
            heard.push(message);
            assert!(Instant::now() < deadline, "no {line:?} in {heard:?}");
        }
        panic!("no {line:?} in {heard:?}");
    }

    fn signal(&self, signal: Signal) {
        let manager = self.manager();
        manager.signal(signal);
    }

    /// The first process of the namespace, as it is numbered outside.
    fn manager(&self) -> lab::Process {
        let unshare = lab::Process::new(i32::try_from(self.child.id()).expect("a process number"))
            .expect("it runs");
        unshare.children().into_iter().next().expect("unshare has forked")
    }

    fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("it is our child").code()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn start_reload_and_stop_are_told() {
    let namespace = Namespace::new();
    let mut manager = Manager::start(&namespace, SESSION, &[]);
    let ready = manager.await_line("READY=1");
    let pid = fs::read_to_string(manager.scratch.path().join("parent.pid")).unwrap();
    assert!(ready.contains(&format!("MAINPID={}", pid.trim())), "{ready}");
    assert!(ready.contains("STATUS=Running: BFD"), "{ready}");
    manager.signal(Signal::SIGHUP);
    let reloading = manager.await_line("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    manager.await_line("READY=1");
    manager.scratch.write("keepalived.conf", "global_defs {\n");
    manager.signal(Signal::SIGHUP);
    manager.await_line("RELOADING=1");
    let refused = manager.await_line("READY=1");
    assert!(refused.contains("STATUS=Reload refused: "), "{refused}");
    manager.signal(Signal::SIGTERM);
    manager.await_line("STOPPING=1");
    assert_eq!(manager.wait(), Some(0));
}

// The original leaves a unit of Type=notify waiting until systemd kills it.
#[test]
fn a_daemon_with_nothing_to_do_is_ready_too() {
    let namespace = Namespace::new();
    let manager = Manager::start(&namespace, "global_defs {\n}\n", &[]);
    manager.await_line("READY=1");
    manager.signal(Signal::SIGHUP);
    manager.await_line("RELOADING=1");
    manager.await_line("READY=1");
}

#[test]
fn a_permanent_error_is_told_by_its_number() {
    let namespace = Namespace::new();
    let taken = namespace.enter(|| {
        [std::net::UdpSocket::bind("0.0.0.0:3784"), std::net::UdpSocket::bind("[::]:3784")]
    });
    let mut manager = Manager::start(&namespace, SESSION, &[]);
    manager.await_line("ERRNO=22");
    assert_eq!(manager.wait(), Some(1));
    drop(taken);
}

#[test]
fn the_watchdog_is_fed() {
    let namespace = Namespace::new();
    let manager = Manager::start(&namespace, SESSION, &[("WATCHDOG_USEC", "200000")]);
    manager.await_line("READY=1");
    for _ in 0..3 {
        assert_eq!(manager.next(Duration::from_secs(5)).as_deref(), Some("WATCHDOG=1"));
    }
}

#[test]
fn scripts_do_not_know_of_it() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let out = scratch.path().join("out");
    let script = scratch.write("startup", &format!("#!/bin/sh\nenv > {}\n", out.display()));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let config =
        format!("global_defs {{\n script_user root\n startup_script {}\n}}\n", script.display());
    let manager = Manager::start(&namespace, &config, &[("WATCHDOG_USEC", "60000000")]);
    manager.await_line("READY=1");
    let environment = fs::read_to_string(&out).unwrap();
    assert!(environment.contains("PATH="), "{environment}");
    assert!(!environment.contains("NOTIFY_SOCKET") && !environment.contains("WATCHDOG"));
}
