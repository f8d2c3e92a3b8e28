//! Processes that end before their time.

use std::collections::HashSet;
use std::fs;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use lab::{Binary, Daemon, Float, Lan, Mark, Namespace, PATIENCE, Pair, Scratch};
use nix::sys::signal::Signal;

const INTERVAL: Duration = Duration::from_millis(400);

/// What a loaded machine adds until a process is back.
const LATENESS: Duration = Duration::from_millis(300);

fn config(priority: u8) -> String {
    format!(
        "vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.4
    virtual_ipaddress {{
        10.9.0.100/24
        10.9.0.101/24
    }}
}}\n"
    )
}

fn pair() -> (Pair, Float) {
    let float = Float::new(51, &["10.9.0.100", "10.9.0.101"]);
    let mut pair = Pair::new([(); 2].map(|()| Binary::under_test()), [config(150), config(100)]);
    pair.start(0);
    pair.await_addresses(&float, 0, true);
    pair.start(1);
    pair.await_master(&float, 0);
    (pair, float)
}

/// When node 1 sent its first advert after `since`.
fn first_advert_since(pair: &Pair, float: &Float, since: SystemTime) -> SystemTime {
    let frames = pair.lan().capture().frames();
    let advert = frames.wait(Mark::default(), PATIENCE, |captured| {
        let ours =
            float.advert(&captured.frame).is_some() && pair.lan().sender(captured) == Some(0);
        (ours && captured.at > since).then_some(captured.at)
    });
    advert.unwrap_or_else(|| panic!("it sends nothing{}", pair.logs()))
}

#[test]
fn children_do_not_outlive_a_killed_parent() {
    let (mut pair, float) = pair();
    let daemon = pair.daemon(0);
    let children = daemon.process().children();
    assert!(!children.is_empty());
    daemon.process().signal(Signal::SIGKILL);
    for child in &children {
        assert!(child.wait(PATIENCE), "process {} ({}) lives on", child.pid(), child.name());
    }
    pair.await_addresses(&float, 0, false);
    pair.await_master(&float, 1);
    assert!(!pair.ended(0).success());
    pair.start(0);
    pair.await_master(&float, 0);
}

#[test]
fn a_crashed_child_is_replaced_and_there_is_one_master() {
    let (pair, float) = pair();
    let daemon = pair.daemon(0);
    let mark = daemon.log().mark();
    let child = daemon.vrrp().expect("it has written its pid file");
    child.signal(Signal::SIGSEGV);
    daemon.await_log(mark, "exited due to");
    daemon.await_log(mark, "died: Respawning");
    let started = daemon.await_log(mark, "Starting VRRP child process");
    assert!(child.wait(PATIENCE));
    first_advert_since(&pair, &float, started.at);
    pair.await_master(&float, 0);
    let heir = daemon.vrrp().expect("it has written its pid file");
    assert_ne!(heir.pid(), child.pid());
}

#[test]
fn what_a_killed_router_left_behind_is_gone_after_its_restart_as_a_backup() {
    let (mut pair, float) = pair();
    pair.kill(0);
    pair.await_master(&float, 1);
    let node = pair.lan().nodes()[0].namespace().name().to_owned();
    let left: Vec<IpAddr> = pair.lan().nodes()[0].holds(&float.addresses);
    assert_eq!(left.len(), 2, "{node} should still hold what nobody took away");
    let told = pair.daemon(1).await_log(Mark::default(), "(web) no advert for ").text;
    let silence = told.split(' ').nth(4).and_then(|seconds| seconds.parse::<f64>().ok());
    // Three intervals, and longer where the machine stood still.
    assert!(silence.is_some_and(|seconds| seconds > 1.2), "{told}");
    pair.start(0);
    pair.await_addresses(&float, 0, false);
    pair.await_master(&float, 0);
    pair.daemon(0).await_log(Mark::default(), "(web) preempting 10.9.0.2 with priority 100");
}

/// What is in the kernel that a router may have put there.
fn objects(namespace: &Namespace) -> Vec<String> {
    let links = namespace.ip_json(&["link", "show"]);
    let links = links.as_array().into_iter().flatten().map(|link| link["ifname"].to_string());
    let arguments = ["netns", "exec", namespace.name(), "nft", "list", "ruleset"];
    let tables = lab::run("ip", &arguments);
    let mut found: Vec<String> = links.chain(namespace.addresses()).collect();
    found.extend(namespace.routes());
    found.extend(namespace.rules());
    found.extend(tables.lines().map(str::to_owned));
    found
}

/// A router with all kinds of objects.
const MANY: &str = "static_ipaddress {
    10.8.0.100/24 dev inner0
}
static_routes {
    10.30.0.0/16 via 10.8.0.9
}
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    use_vmac
    no_accept
    version 3
    advert_int 0.1
    virtual_ipaddress {
        10.9.0.100/24
    }
    virtual_ipaddress_excluded {
        10.8.0.101/24 dev inner0
        fd00:8::1/64 dev inner0
    }
    virtual_routes {
        10.20.0.0/16 via 10.9.0.9
    }
    virtual_rules {
        from 10.20.0.0/16 table 100 priority 1000
    }
}
";

/// Nobody else would ever remove it, as nobody knows whose it is.
#[test]
fn what_a_killed_router_left_behind_goes_where_the_next_configuration_does_not_name_it() {
    let lan = Lan::new(1);
    let node = lan.nodes()[0].namespace();
    let before = objects(node);
    let other = "vrrp_instance other {
    interface eth0
    virtual_router_id 52
    version 3
    advert_int 0.1
    virtual_ipaddress {
        10.9.0.102/24
    }
}
";
    let directory = Scratch::new();
    let pid_file = directory.path().join("vrrp.pid").display().to_string();
    let start =
        |config: &str| Daemon::start_with(&Binary::under_test(), node, config, &["-r", &pid_file]);
    let await_address = |daemon: &Daemon, address: &str| {
        let address = [address.parse().expect("it is an address")];
        let there = lan.nodes()[0].addresses().wait(&address, true, PATIENCE);
        assert!(there, "{}", daemon.log_text());
    };
    let mut first = start(other);
    await_address(&first, "10.9.0.102");
    let wanted = objects(node);
    assert!(first.stop().success());
    let mut second = start(MANY);
    await_address(&second, "10.9.0.100");
    second.kill();
    // The mark says whose an address is, and this one has none.
    node.ip("addr del 10.8.0.101/24 dev inner0\naddr add 10.8.0.101/24 dev inner0\n");
    let mut third = start(other);
    await_address(&third, "10.9.0.102");
    let mut wanted: HashSet<String> = wanted.into_iter().collect();
    wanted.insert("10.8.0.101/24".to_owned());
    let found: HashSet<String> = objects(node).into_iter().collect();
    assert_eq!(found, wanted, "{}", third.log_text());
    assert!(third.stop().success());
    node.ip("addr del 10.8.0.101/24 dev inner0\n");
    assert_eq!(objects(node), before);
    let left = fs::read_dir(directory.path()).expect("it is ours").count();
    assert_eq!(left, 0, "no note is left behind");
}

/// Whoever stops the daemon takes it for gone, and its addresses with it.
#[test]
fn a_stop_finds_no_time_too_early_to_remove_what_a_killed_child_left() {
    let lan = Lan::new(1);
    let node = lan.nodes()[0].namespace();
    let before = objects(node);
    let address: [IpAddr; 1] = ["10.9.0.100".parse().expect("it is an address")];
    let start = |options: &[&str]| {
        let daemon = Daemon::start_with(&Binary::under_test(), node, MANY, options);
        let there = lan.nodes()[0].addresses().wait(&address, true, PATIENCE);
        assert!(there, "{}", daemon.log_text());
        daemon
    };
    let kill = |daemon: &Daemon| {
        let child = daemon.vrrp().expect("it has written its pid file");
        child.signal(Signal::SIGKILL);
        assert!(child.wait(PATIENCE));
    };
    let await_the_end = |mut daemon: Daemon| {
        assert!(daemon.wait().success(), "{}", daemon.log_text());
        assert_eq!(objects(node), before, "{}", daemon.log_text());
    };

    // The parent hears of the stop before it could start another child.
    let daemon = start(&[]);
    daemon.process().signal(Signal::SIGSTOP);
    kill(&daemon);
    daemon.process().signal(Signal::SIGTERM);
    daemon.process().signal(Signal::SIGCONT);
    await_the_end(daemon);

    // The next one is to start in a second.
    let daemon = start(&[]);
    let mark = daemon.log().mark();
    kill(&daemon);
    daemon.await_log(mark, "nobody else took over");
    let mark = daemon.log().mark();
    kill(&daemon);
    daemon.await_log(mark, "Restart of VRRP process delayed 1 seconds");
    daemon.process().signal(Signal::SIGTERM);
    await_the_end(daemon);

    // There is to be none.
    let daemon = start(&["-R"]);
    kill(&daemon);
    await_the_end(daemon);
}

#[test]
fn a_second_daemon_with_the_same_pid_file_does_not_start() {
    let lan = Lan::new(1);
    let node = lan.nodes()[0].namespace();
    let first = Daemon::start(&Binary::under_test(), node, &config(100));
    first.await_log(Mark::default(), "Entering MASTER STATE");
    let pid_file = first.directory().join("parent.pid");
    let path = pid_file.to_str().expect("our paths are plain");
    let mut second = Daemon::start_with(&Binary::under_test(), node, &config(100), &["-p", path]);
    assert_eq!(second.wait().code(), Some(0));
    second.await_log(Mark::default(), "already running");
    assert!(first.process().lives());
}

mod at_start {
    use super::*;

    #[track_caller]
    fn refused(config: &str, status: i32) {
        let lan = Lan::new(1);
        let mut daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config);
        let ended = daemon.wait();
        assert_eq!(ended.code(), Some(status), "{}", daemon.log_text());
    }

    #[test]
    fn a_missing_parameter_is_refused() {
        refused(&config(100).replace("priority 100", "priority"), 2);
    }

    #[test]
    fn an_unknown_interface_is_refused() {
        refused(&config(100).replace("eth0", "eth9"), 2);
    }

    #[test]
    fn a_missing_include_is_refused_where_the_file_asks_for_it() {
        refused(&format!("includea missing.conf\n{}", config(100)), 6);
    }

    #[test]
    fn a_missing_file_is_refused() {
        let lan = Lan::new(1);
        let node = lan.nodes()[0].namespace();
        let options = ["-f", "/nonexistent/keepalived.conf"];
        let mut daemon = Daemon::start_with(&Binary::under_test(), node, "", &options);
        assert_eq!(daemon.wait().code(), Some(6), "{}", daemon.log_text());
    }
}

/// A child that comes back is what it was: the C daemon begins anew as a backup and drops the addresses.
mod better_than_the_original {
    use super::*;

    #[test]
    fn a_crashed_child_resumes_at_once() {
        let (pair, float) = pair();
        let daemon = pair.daemon(0);
        let mark = daemon.log().mark();
        daemon.vrrp().expect("it has written its pid file").signal(Signal::SIGSEGV);
        let started = daemon.await_log(mark, "Starting VRRP child process");
        let advert = first_advert_since(&pair, &float, started.at);
        let silence = advert.duration_since(started.at).unwrap_or_default();
        assert!(
            silence < INTERVAL * 5 / 4 + LATENESS,
            "{silence:?} until its first advert{}",
            pair.logs()
        );
        pair.await_master(&float, 0);
        let noticed = pair.daemon(1).log_text().contains("MASTER STATE");
        assert!(!noticed, "the backup took over{}", pair.logs());
    }
}
