//! What the processes are given by the kernel: names, priorities, processors, memory, buffers.

use std::fs;

use lab::{Binary, Captured, Daemon, Lan, Mark, Process, await_process};
use nix::sys::signal::Signal;

use crate::{await_frames, await_masters, globals, instance, start};

/// A session with nobody, so that there is a child for BFD.
const SESSION: &str =
    "bfd_instance nobody {\n    neighbor_ip 10.9.0.99\n    source_ip 10.9.0.1\n}\n";

/// The children for VRRP and for BFD.
fn children(daemon: &Daemon) -> [Process; 2] {
    await_masters(daemon, &["web"]);
    daemon.await_log(Mark::default(), "Startup complete");
    ["vrrp.pid", "bfd.pid"].map(|name| await_process(&daemon.directory().join(name)))
}

/// A line of `/proc/PID/FILE`, without what it begins with.
fn line(process: &Process, file: &str, beginning: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/{file}", process.pid())).expect("it lives");
    let line = text.lines().find_map(|line| line.strip_prefix(beginning));
    line.unwrap_or_else(|| panic!("{file} says nothing of {beginning}")).trim().to_owned()
}

/// A column of `/proc/PID/stat`, counted from 1 as in proc(5).
fn stat(process: &Process, column: usize) -> i64 {
    let text = fs::read_to_string(format!("/proc/{}/stat", process.pid())).expect("it lives");
    let (_, rest) = text.rsplit_once(") ").expect("the name is in brackets");
    rest.split(' ').nth(column - 3).and_then(|word| word.parse().ok()).expect("it is a number")
}

const NICE: usize = 19;
const REAL_TIME_PRIORITY: usize = 40;

#[test]
fn each_child_has_its_name_niceness_processors_and_memory() {
    let lan = Lan::new(1);
    let lines = "vrrp_process_name routing
bfd_process_name watching
vrrp_priority -5
bfd_priority 3
vrrp_cpu_affinity 0
bfd_cpu_affinity 1
vrrp_no_swap
bfd_no_swap";
    let daemon = start(&lan, &(globals(lines) + SESSION + &instance("web", 51, "priority 255")));
    let children = children(&daemon);
    assert_eq!(children.each_ref().map(Process::name), ["routing", "watching"]);
    assert_eq!(children.each_ref().map(|child| stat(child, NICE)), [-5, 3]);
    let processors = children.each_ref().map(|child| line(child, "status", "Cpus_allowed_list:"));
    assert_eq!(processors, ["0", "1"]);
    let locked = children.each_ref().map(|child| line(child, "status", "VmLck:"));
    assert!(!locked.contains(&"0 kB".to_owned()), "{locked:?}");
}

/// The limits of computing in real time, soft and hard.
fn limit(child: &Process) -> String {
    let limit = line(child, "limits", "Max realtime timeout");
    limit.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_limit_that_nobody_has_chosen_kills_only_what_has_run_away() {
    let lan = Lan::new(1);
    let lines = "vrrp_rt_priority 7\nbfd_rt_priority 9";
    let daemon = start(&lan, &(globals(lines) + SESSION + &instance("web", 51, "priority 255")));
    assert_eq!(children(&daemon).each_ref().map(limit), ["5000 1000000"; 2]);
}

#[test]
fn each_child_has_its_real_time_priority_and_limit() {
    let lan = Lan::new(1);
    // One limit by its name, and one by its old name.
    for [vrrp, bfd] in [["rttime", "rtime"], ["rtime", "rttime"]] {
        let lines = format!(
            "vrrp_rt_priority 7\nbfd_rt_priority 9\nvrrp_rlimit_{vrrp} 123456\nbfd_rlimit_{bfd} 234567"
        );
        let config = globals(&lines) + SESSION + &instance("web", 51, "priority 255");
        let daemon = start(&lan, &config);
        let children = children(&daemon);
        assert_eq!(children.each_ref().map(|child| stat(child, REAL_TIME_PRIORITY)), [7, 9]);
        let limits = children.each_ref().map(limit);
        // The warning comes at half the time.
        assert_eq!(limits, ["61728 123456", "117283 234567"]);
        for (child, name, stem) in [(&children[0], "VRRP", "vrrp"), (&children[1], "BFD", "bfd")] {
            child.signal(Signal::SIGXCPU);
            let warning = format!(
                "{name} process has used too much CPU time, {stem}_rlimit_rttime may need to be increased"
            );
            daemon.await_log(Mark::default(), &warning);
        }
    }
}

#[test]
fn sockets_have_the_buffers_asked_for() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace().name();
    let most: usize = fs::read_to_string("/proc/sys/net/core/rmem_max")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .expect("it is a number");
    let tracker = "vrrp_track_process one {\n    process no-such-program\n    weight 1\n}\n";
    lan.nodes()[0].namespace().ip("link set eth0 mtu 1400\n");
    let other = instance("other", 53, "priority 255");
    let web = other + &instance("web", 51, "priority 255\n    track_process {\n        one\n    }");
    let own = instance("web", 52, "priority 255\n    kernel_rx_buf_size 50000");
    let each = |suffix: &str| {
        let names = ["process_monitor", "vrrp_netlink_cmd", "vrrp_netlink_monitor"];
        let sizes = [most + 1000, most + 2000, most + 3000];
        let lines = names.iter().zip(sizes);
        lines
            .map(|(name, size)| format!("{name}_rcv_bufs {size}\n{name}_rcv_bufs{suffix}\n"))
            .collect::<String>()
    };
    let policy = |word: &str| {
        let multiplier = if word == "MTU" { 7 } else { 700 };
        format!("vrrp_rx_bufs_policy {word}\nvrrp_rx_bufs_multiplier {multiplier}")
    };
    let forced = [most + 1000, most + 2000, most + 3000].map(|size| 2 * size);
    // Interfaces have an MTU of 1500, and an advert with one address has 32.
    for (lines, config, expected, unexpected) in [
        ("vrrp_rx_bufs_policy 30000".to_owned(), &web, vec![2 * 2 * 30_000], &[][..]),
        (policy("MTU"), &web, vec![2 * 2 * 7 * 1400], &[]),
        (policy("ADVERT"), &web, vec![2 * 2 * 700 * 32], &[]),
        (String::new(), &own, vec![100_000], &[]),
        (each("_force on"), &web, forced.to_vec(), &[]),
        (each("_force off"), &web, vec![2 * most], &forced),
    ] {
        let config = format!("net_namespace {namespace}\n{}{tracker}{config}", globals(&lines));
        let daemon = Daemon::start_outside(&Binary::under_test(), &config);
        await_masters(&daemon, &["web"]);
        let found = await_process(&daemon.directory().join("vrrp.pid")).receive_buffers();
        let log = daemon.log_text();
        assert!(expected.iter().all(|size| found.contains(size)), "{found:?}\n{log}");
        assert!(!unexpected.iter().any(|size| found.contains(size)), "{found:?}\n{log}");
    }
}

#[test]
fn a_process_that_is_run_late_becomes_urgent() {
    let lan = Lan::new(2);
    let clock = Daemon::start(
        &Binary::under_test(),
        lan.nodes()[1].namespace(),
        &instance("clock", 52, "priority 255"),
    );
    await_masters(&clock, &["clock"]);
    for (delay, urgent) in [(50_000, true), (10_000_000, false)] {
        let lines = format!("max_auto_priority 3\nmin_auto_priority_delay {delay}");
        let daemon = start(&lan, &(globals(&lines) + &instance("web", 51, "priority 255")));
        await_masters(&daemon, &["web"]);
        let vrrp = await_process(&daemon.directory().join("vrrp.pid"));
        vrrp.signal(Signal::SIGSTOP);
        let mark = lan.capture().frames().mark();
        let ticks = |captured: &Captured| lan.sender(captured) == Some(1);
        await_frames(&lan, mark, 5, ticks);
        let mark = lan.capture().frames().mark();
        vrrp.signal(Signal::SIGCONT);
        let beats = |captured: &Captured| {
            lan.sender(captured) == Some(0) && captured.frame.advert().is_some()
        };
        await_frames(&lan, mark, 3, beats);
        assert_eq!(stat(&vrrp, REAL_TIME_PRIORITY) > 0, urgent, "{}", daemon.log_text());
    }
}

#[test]
fn a_seed_makes_random_numbers_repeat() {
    let lan = Lan::new(3);
    let name = |node: usize, seed: u32| {
        let config = globals(&format!("random_seed {seed}"))
            + &instance("web${_RANDOM 100000000 999999999}", 51, "");
        let namespace = lan.nodes()[node].namespace();
        let daemon = Daemon::start(&Binary::under_test(), namespace, &config);
        let line = daemon.await_log(Mark::default(), "Entering BACKUP STATE (init)");
        line.text.split(')').next().map(str::to_owned)
    };
    let (one, again, other) = (name(0, 7), name(1, 7), name(2, 8));
    assert!(one.as_ref().is_some_and(|name| name.len() == "(web123456789".len()), "{one:?}");
    assert_eq!(one, again);
    assert_ne!(one, other);
}
