//! What options of the command line do to the daemon, as far as it is nobody else's subject.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lab::{Binary, Daemon, Float, Lan, Mark, Namespace, PATIENCE, Process, Scratch, await_process};
use nix::sys::signal::Signal;

const SESSION: &str = "bfd_instance one {\n neighbor_ip 127.0.0.2\n source_ip 127.0.0.1\n}\n";
const SERVICE: &str = "virtual_server 192.0.2.1 80 {\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n real_server 192.0.2.2 80 {\n }\n}\n";

fn start(namespace: &Namespace, config: &str, options: &[&str]) -> Daemon {
    Daemon::start_with(&Binary::under_test(), namespace, config, options)
}

/// A daemon in a mount namespace of its own, which `script` prepares; its words are the number 0 and following there.
fn start_in_mounts(
    namespace: &Namespace,
    script: &str,
    words: &[&Path],
    options: &[&str],
) -> Child {
    let binary = Binary::under_test();
    let mut command = Command::new("unshare");
    // The number of the shell becomes that of the daemon.
    let script = format!("{script} && exec \"$@\"");
    command.args(["--mount", "sh", "-c", &script]);
    command.args(words).arg(binary.path()).args(options);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    namespace.enter(|| command.spawn()).expect("unshare is installed")
}

/// Waits until the log on standard error says `text`.
#[track_caller]
fn await_line(child: &mut Child, text: &str) {
    let log = BufReader::new(child.stderr.take().expect("it is piped"));
    assert!(log.lines().map_while(Result::ok).any(|line| line.contains(text)), "no {text}");
}

#[track_caller]
fn end(mut child: Child) {
    let process = Process::new(i32::try_from(child.id()).expect("a process number"));
    process.expect("it runs").signal(Signal::SIGTERM);
    assert!(child.wait().expect("it is our child").success());
}

#[test]
fn what_the_end_leaves_to_the_next_daemon() {
    let lan = Lan::new(2);
    let node = &lan.nodes()[0];
    let float = Float::new(51, &["10.9.0.100"]);
    let config = "static_ipaddress {\n 10.7.0.1/24 dev eth0\n}\nvrrp_instance web {\n interface eth0\n virtual_router_id 51\n version 3\n priority 255\n virtual_ipaddress {\n 10.9.0.100/24\n }\n virtual_routes {\n 10.5.0.0/24 via 10.9.0.2 dev eth0\n }\n}\n";
    let there =
        |address: &str| !node.holds(&[address.parse().expect("it is an address")]).is_empty();
    let route = || node.namespace().ip_json(&["route", "show", "10.5.0.0/24"])[0].is_object();
    for (options, stays) in [(&["-V"][..], true), (&["--dont-release-vrrp"], true), (&[], false)] {
        let mut daemon = start(node.namespace(), config, options);
        daemon.await_log(Mark::default(), "Entering MASTER STATE");
        assert!(node.addresses().wait(&float.addresses, true, PATIENCE), "{}", daemon.log_text());
        let advert = lan.capture().frames().wait(Mark::default(), PATIENCE, |captured| {
            float.advert(&captured.frame).map(|advert| advert.priority)
        });
        assert_eq!(advert, Some(255));
        assert!(there("10.7.0.1") && route(), "{}", daemon.log_text());
        let mark = lan.capture().frames().mark();
        assert!(daemon.stop().success());
        assert_eq!([there("10.9.0.100"), route()], [stays; 2], "{options:?}");
        // What is static goes in any case, as with the original.
        assert!(!there("10.7.0.1"), "{options:?}");
        let leaves = lan.capture().frames().since(mark).iter().any(|captured| {
            float.advert(&captured.frame).is_some_and(|advert| advert.priority == 0)
        });
        assert_eq!(leaves, !stays, "{options:?}");
    }
}

#[test]
fn children_are_kept_from_running_or_run_without_need() {
    let namespace = Namespace::new();
    let names = "global_defs {\n process_names\n}\n";
    for (config, options, expected) in [
        (format!("{names}{SESSION}{SERVICE}"), &["-P"][..], &["keepalived_bfd"][..]),
        (
            format!("{names}{SESSION}{SERVICE}"),
            &["--vrrp", "--all", "-P"],
            &["keepalived_vrrp", "keepalived_bfd"],
        ),
        (names.to_owned(), &["-C", "-B", "--all", "-P"], &["keepalived_vrrp", "keepalived_bfd"]),
    ] {
        let mut daemon = start(&namespace, &config, options);
        daemon.await_log(Mark::default(), "Startup complete");
        let names: Vec<String> = daemon.process().children().iter().map(Process::name).collect();
        assert_eq!(names, expected, "{options:?}\n{}", daemon.log_text());
        assert!(daemon.stop().success());
    }
}

#[test]
fn core_files_are_allowed_and_called_as_wanted_while_the_daemon_runs() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let config = scratch.write("keepalived.conf", SESSION);
    let pid_file = scratch.path().join("bfd.pid");
    let [config, pids] = [&config, &pid_file].map(|path| path.display().to_string());
    let parent = scratch.path().join("parent.pid").display().to_string();
    let options = ["-n", "-l", "-G", "-f", &config, "-b", &pids, "-p", &parent, "-P", "-C"];
    for (option, wanted) in
        [("-M/var/core.%p", "/var/core.%p"), ("-M", "core"), ("-m", "as before\n")]
    {
        let pattern = scratch.write("core_pattern", "as before\n");
        let mut child = start_in_mounts(
            &namespace,
            "ulimit -Hc unlimited && ulimit -Sc 0 && mount --bind \"$0\" /proc/sys/kernel/core_pattern",
            &[&pattern],
            &[&options[..], &[option]].concat(),
        );
        await_line(&mut child, "Startup complete");
        // The original leaves of a file what it does not write over: the kernel's own is no such file.
        let read = || fs::read_to_string(&pattern).expect("it is ours");
        assert!(read().ends_with(wanted), "{option}: {}", read());
        let bfd = await_process(&pid_file);
        let limits = fs::read_to_string(format!("/proc/{}/limits", bfd.pid())).expect("it lives");
        let core = limits.lines().find(|line| line.starts_with("Max core file size"));
        assert!(core.is_some_and(|line| line.contains("unlimited")), "{core:?}");
        end(child);
        assert!(read().starts_with("as before\n"), "{option}: {}", read());
    }
}

#[test]
fn the_log_of_the_system_has_the_facility_and_the_names_of_the_processes() {
    let namespace = Namespace::new();
    let scratch = Scratch::new();
    let path = scratch.path().join("log");
    let socket = UnixDatagram::bind(&path).expect("the directory is ours");
    socket.set_read_timeout(Some(PATIENCE)).expect("it is no empty time");
    let config = scratch.write("keepalived.conf", &format!("instance two\n{SESSION}"));
    let pid = scratch.path().join("parent.pid").display().to_string();
    let bfd = scratch.path().join("bfd.pid").display().to_string();
    let config = config.display().to_string();
    let child = start_in_mounts(
        &namespace,
        "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod /dev/urandom c 1 9 && ln -s \"$0\" /dev/log",
        &[&path],
        &["-n", "-f", &config, "-S", "local3", "-p", &pid, "-b", &bfd, "-P", "-C"],
    );
    let mut lines: Vec<String> = vec![];
    let mut read_until = |text: &str| {
        let mut buffer = [0; 4096];
        while !lines.last().is_some_and(|line| line.contains(text)) {
            let length =
                socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{error}: {lines:#?}"));
            lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
    };
    read_until("Startup complete");
    end(child);
    read_until("Stopped Keepalived v");
    // local3 is 19: what comes with it is 152 to 159, and information is 6.
    lines.retain(|line| !line.contains("invalid number"));
    assert!(lines.iter().all(|line| line.starts_with("<15")), "{lines:#?}");
    for [process, text] in [
        ["Keepalived", "Changing syslog ident to Keepalived_two"],
        ["Keepalived_two", "Startup complete"],
        ["Keepalived_bfd_two", "Stopped"],
    ] {
        let says = |line: &String| {
            line.starts_with("<158>")
                && line.contains(&format!(" {process}["))
                && line.ends_with(text)
        };
        assert!(lines.iter().any(says), "{process}: {lines:#?}");
    }
}

#[test]
fn the_namespace_of_the_command_line_counts() {
    let namespace = Namespace::new();
    let config = format!("net_namespace kl-absent\n{SESSION}");
    let mut daemon = start(&namespace, &config, &["-s", namespace.name()]);
    daemon.await_log(
        Mark::default(),
        &format!(
            "Overriding config net_namespace 'kl-absent' with command line namespace '{}'",
            namespace.name()
        ),
    );
    daemon.await_log(Mark::default(), "Startup complete");
    assert!(daemon.stop().success());
}

#[test]
fn complaints_of_a_test_are_added_to_a_file() {
    let scratch = Scratch::new();
    let config = scratch.write("keepalived.conf", "nonsense\n");
    let log = scratch.write("log", "before\n");
    let check = |log: &Path| {
        let option = format!("--config-test={}", log.display());
        let mut command = Binary::under_test().command();
        command.arg(option).arg("-f").arg(&config).stdin(Stdio::null());
        command.output().expect("it can be run")
    };
    let output = check(&log);
    assert_eq!(output.status.code(), Some(5));
    assert!(output.stderr.is_empty() && output.stdout.is_empty());
    let text = fs::read_to_string(&log).expect("it is ours");
    // The processes of the original repeat it.
    assert!(text.starts_with("before\n(Line 1) Unknown keyword 'nonsense'\n"), "{text}");
    // It may lie where everybody can write.
    let link = scratch.path().join("link");
    symlink(&log, &link).expect("the directory is ours");
    let output = check(&link);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.starts_with("Unable to open config-test log file "), "{complaint}");
    assert_eq!(fs::read_to_string(&log).expect("it is ours"), text);
}
