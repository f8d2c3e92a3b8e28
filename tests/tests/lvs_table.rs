//! The kernel's table of virtual servers, as `ipvsadm` shows it, on a virtual machine.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use lab::{Binary, Daemon, Mark, Namespace, each_on_machine, run};
use nix::sys::signal::Signal;
use nix::sys::socket::{NetlinkAddr, getsockname, setsockopt, sockopt};

/// The virtual machine is slow.
const SLOW: Duration = Duration::from_secs(60);

fn ipvsadm(namespace: &Namespace, arguments: &str) -> String {
    let mut all = vec!["netns", "exec", namespace.name(), "ipvsadm"];
    all.extend(arguments.split(' '));
    run("ip", &all)
}

/// Waits until `ipvsadm` shows this. The kernel tells nobody of changes.
#[track_caller]
fn await_shown(namespace: &Namespace, arguments: &str, expected: &str, daemon: &Daemon) {
    let deadline = Instant::now() + SLOW;
    loop {
        let found = ipvsadm(namespace, arguments);
        if found.trim() == expected.trim() {
            return;
        }
        let log = daemon.log_text();
        assert!(Instant::now() < deadline, "{found}\nis not\n{expected}\n{log}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[track_caller]
fn await_table(namespace: &Namespace, expected: &str, daemon: &Daemon) {
    await_shown(namespace, "-Sn", expected, daemon);
}

/// Waits until the log says this, however slow the machine is.
#[track_caller]
fn await_said(daemon: &Daemon, mark: Mark, text: &str) {
    let said = daemon.log().wait(mark, SLOW, |line| line.text.contains(text).then_some(()));
    assert!(said.is_some(), "{text}\n{}", daemon.log_text());
}

fn start(namespace: &Namespace, config: &str) -> Daemon {
    Daemon::start(&Binary::under_test(), namespace, config)
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("lvs_table").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A virtual server of TCP with these lines; real server n is 192.168.50.n and has these lines.
fn web(global: &str, lines: &str, servers: &[(u8, &str)]) -> String {
    let servers = servers
        .iter()
        .map(|(number, lines)| format!("real_server 192.168.50.{number} 80 {{\n{lines}\n}}\n"));
    let servers: String = servers.collect();
    format!(
        "global_defs {{\n{global}\n}}\nvirtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{lines}\n{servers}}}\n"
    )
}

const TWO: &[(u8, &str)] = &[(2, ""), (3, "weight 5")];
const TWO_SHOWN: &str = "-A -t 10.0.0.1:80 -s rr
-a -t 10.0.0.1:80 -r 192.168.50.2:80 -m -w 1
-a -t 10.0.0.1:80 -r 192.168.50.3:80 -m -w 5";

fn every_kind_of_service_is_there() {
    let kinds =
        ["persistence", "schedulers", "tunnels", "ipv6", "marks", "groups", "both-families"];
    for kind in kinds {
        let namespace = Namespace::new();
        let mut daemon = start(&namespace, &read(&format!("{kind}.conf")));
        await_table(&namespace, &read(&format!("{kind}.table")), &daemon);
        if kind == "persistence" {
            let shown = ipvsadm(&namespace, "-Ln --thresholds");
            let line = "192.168.50.3:8080            100        50";
            assert!(shown.contains(line), "{shown}");
        }
        if kind == "tunnels" {
            // One that is started again finds everything as it should be, and does not touch it.
            daemon.kill();
            daemon = start(&namespace, &read("tunnels.conf"));
            await_said(&daemon, Mark::default(), "Gained quorum");
            await_table(&namespace, &read("tunnels.table"), &daemon);
            assert!(!daemon.log_text().contains("IPVS cmd"), "{}", daemon.log_text());
        }
        assert!(daemon.stop().success());
        assert_eq!(ipvsadm(&namespace, "-Sn"), "");
    }
}

fn reloads_change_the_table_by_difference() {
    let namespace = Namespace::new();
    let sorry = "sorry_server 192.168.50.99 80";
    let idle: &[(u8, &str)] = &[(2, "weight 0")];
    let mut daemon = start(&namespace, &web("", "", TWO));
    await_table(&namespace, TWO_SHOWN, &daemon);
    // Thresholds and methods of those that stay.
    let other = [(2, "uthreshold 60\nlthreshold 20"), (3, "weight 7\nlvs_method DR")];
    daemon.reload(&web("", "persistence_timeout 77", &other));
    let expected = TWO_SHOWN
        .replace("-s rr", "-s rr -p 77")
        .replace("192.168.50.3:80 -m -w 5", "192.168.50.3:80 -g -w 7");
    await_table(&namespace, &expected, &daemon);
    let shown = ipvsadm(&namespace, "-Ln --thresholds");
    assert!(shown.contains("192.168.50.2:80              60         20"), "{shown}");
    // A sorry server that is in use changes its method.
    daemon.reload(&web("", sorry, idle));
    let expected = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 192.168.50.99:80 -m -w 1";
    await_table(&namespace, expected, &daemon);
    daemon.reload(&web("", &format!("{sorry}\nsorry_server_lvs_method DR"), idle));
    await_table(&namespace, &expected.replace("-m", "-g"), &daemon);
    // A mark of a group comes and goes, with its sorry server.
    let group = |entries: &str| {
        format!("virtual_server_group G {{\n{entries}\n}}\n")
            + &web("", sorry, idle).replace("10.0.0.1 80", "group G")
    };
    daemon.reload(&group("fwmark 7"));
    let marked = "-A -f 7 -s rr\n-a -f 7 -r 192.168.50.99:80 -m -w 1";
    await_table(&namespace, marked, &daemon);
    daemon.reload(&group("fwmark 8\n10.1.1.255-10.1.2.0 81"));
    let expected = "-A -t 10.1.1.255:81 -s rr
-a -t 10.1.1.255:81 -r 192.168.50.99:80 -m -w 1
-A -t 10.1.2.0:81 -s rr
-a -t 10.1.2.0:81 -r 192.168.50.99:80 -m -w 1
-A -f 8 -s rr
-a -f 8 -r 192.168.50.99:80 -m -w 1";
    await_table(&namespace, expected, &daemon);
    assert!(!daemon.log_text().contains("IPVS cmd"), "{}", daemon.log_text());
    assert!(daemon.stop().success());
    assert_eq!(ipvsadm(&namespace, "-Sn"), "");
}

fn what_others_do_to_it_is_repaired() {
    let namespace = Namespace::new();
    let mut daemon = start(&namespace, &web("", "", TWO));
    await_table(&namespace, TWO_SHOWN, &daemon);
    for meddling in [
        "-C",
        "-d -t 10.0.0.1:80 -r 192.168.50.2:80",
        "-e -t 10.0.0.1:80 -r 192.168.50.3:80 -m -w 70",
        "-E -t 10.0.0.1:80 -s wrr",
        "-a -t 10.0.0.1:80 -r 192.168.50.9:80 -m",
    ] {
        let mark = daemon.log().mark();
        ipvsadm(&namespace, meddling);
        await_said(&daemon, mark, "IPVS: somebody else has changed 10.0.0.1:tcp:80 - repairing it");
        await_table(&namespace, TWO_SHOWN, &daemon);
    }
    // What is not ours stays, and is still there afterwards.
    ipvsadm(&namespace, "-A -u 10.9.9.9:53 -s rr");
    // A scheduler that the kernel cannot load is asked for again.
    let find_modules = lose_modules();
    let mark = daemon.log().mark();
    daemon.reload(&web("", "", TWO).replace("lvs_sched rr", "lvs_sched mh"));
    await_said(
        &daemon,
        mark,
        "IPVS cmd IP_VS_SO_SET_EDIT(1155) error: Scheduler or persistence engine not found(2) (10.0.0.1:tcp:80)",
    );
    let foreign = "\n-A -u 10.9.9.9:53 -s rr";
    await_table(&namespace, &format!("{TWO_SHOWN}{foreign}"), &daemon);
    find_modules();
    let expected = TWO_SHOWN.replace("-s rr", "-s mh");
    await_table(&namespace, &format!("{expected}{foreign}"), &daemon);
    assert!(daemon.stop().success());
    assert_eq!(ipvsadm(&namespace, "-Sn").trim(), foreign.trim());
}

fn settings_are_for_as_long_as_they_are_wanted() {
    let namespace = Namespace::new();
    namespace.ip("link add d0 type dummy\nlink set d0 up\naddr add 10.9.0.1/24 dev d0\n");
    let original = ipvsadm(&namespace, "-L --timeout");
    let timeouts = |text: &str| format!("Timeout (tcp tcpfin udp): {text}");
    let all = "lvs_timeouts tcp 100 tcpfin 20 udp 30\nlvs_sync_daemon d0 id 7 maxlen 1400 port 8850 ttl 3 group 224.0.1.99";
    let mut daemon = start(&namespace, &web(all, "", TWO));
    await_shown(&namespace, "-L --timeout", &timeouts("100 20 30"), &daemon);
    let is = |role: &str| {
        format!(
            "{role} sync daemon (mcast=d0, syncid=7, maxlen=1400, group=224.0.1.99, port=8850, ttl=3)"
        )
    };
    let both = format!("{}\n{}", is("master"), is("backup"));
    await_shown(&namespace, "-L --daemon", &both, &daemon);
    daemon.reload(&web(&all.replace(" tcpfin 20 udp 30", ""), "", TWO));
    await_shown(&namespace, "-L --timeout", &timeouts("100 120 300"), &daemon);
    await_shown(&namespace, "-L --daemon", &both, &daemon);
    daemon.reload(&web("", "", TWO));
    await_shown(&namespace, "-L --timeout", &original, &daemon);
    await_shown(&namespace, "-L --daemon", "", &daemon);
    daemon.reload(&web(all, "", TWO));
    await_shown(&namespace, "-L --daemon", &both, &daemon);
    assert!(!daemon.log_text().contains("IPVS cmd"), "{}", daemon.log_text());
    assert!(daemon.stop().success());
    assert_eq!(ipvsadm(&namespace, "-L --timeout"), original);
    assert_eq!(ipvsadm(&namespace, "-L --daemon"), "");
}

fn the_table_may_be_in_another_namespace_and_may_be_emptied() {
    let (namespace, other) = (Namespace::new(), Namespace::new());
    ipvsadm(&other, "-A -u 10.9.9.9:53 -s rr");
    let elsewhere = format!("net_namespace_ipvs {}\n", other.name());
    let flush = "lvs_flush\nlvs_flush_onstop VS";
    let mut daemon = start(&namespace, &(elsewhere.clone() + &web(flush, "", TWO)));
    await_table(&other, TWO_SHOWN, &daemon);
    assert_eq!(ipvsadm(&namespace, "-Sn"), "");
    ipvsadm(&other, "-A -u 10.9.9.9:53 -s rr");
    assert!(daemon.stop().success());
    assert_eq!(ipvsadm(&other, "-Sn").trim(), "-A -u 10.9.9.9:53 -s rr");
    // Without `lvs_flush` what is there stays, what is ours is set right; at the end everything goes.
    ipvsadm(&other, "-A -t 10.0.0.1:80 -s lc -p 33");
    ipvsadm(&other, "-a -t 10.0.0.1:80 -r 192.168.50.2:80 -i -w 77");
    let config = elsewhere + &web("lvs_flush_on_stop", "", TWO);
    let mut daemon = start(&namespace, &config);
    let expected = format!("{TWO_SHOWN}\n-A -u 10.9.9.9:53 -s rr");
    await_table(&other, &expected, &daemon);
    assert!(daemon.stop().success());
    assert_eq!(ipvsadm(&other, "-Sn"), "");
    // `--dont-release-ipvs` leaves all as it is.
    let options = ["--dont-release-ipvs"];
    let binary = Binary::under_test();
    let mut daemon = Daemon::start_with(&binary, &namespace, &web("", "", TWO), &options);
    await_table(&namespace, TWO_SHOWN, &daemon);
    assert!(daemon.stop().success());
    assert_eq!(ipvsadm(&namespace, "-Sn").trim(), TWO_SHOWN);
}

/// What the kernel runs to load modules.
const LOADER: &str = "/proc/sys/kernel/modprobe";

/// Has the kernel find no modules, until the returned function is called.
fn lose_modules() -> impl FnOnce() {
    let program = std::fs::read_to_string(LOADER).expect("the kernel has modules");
    std::fs::write(LOADER, "/bin/false").expect("the machine is ours");
    move || std::fs::write(LOADER, program).expect("the machine is ours")
}

fn is_netlink(socket: &OwnedFd) -> bool {
    getsockname::<NetlinkAddr>(socket.as_raw_fd()).is_ok()
}

/// Leaves answers of the kernel no room, in all sockets that `daemon` has for them by now.
fn leave_no_room(daemon: &Daemon) {
    let copies = daemon.checker().expect("it has written its pid file").descriptors();
    let mut found = 0;
    for socket in copies.iter().filter(|copy| is_netlink(copy)) {
        setsockopt(socket, sockopt::RcvBuf, &1).expect("any size is rounded");
        found += 1;
    }
    assert!(found > 0, "it asks the kernel for nothing");
}

fn trouble_with_ipvs_is_said_and_overcome() {
    let namespace = Namespace::new();
    let unload = || run("modprobe", &["-r", "ip_vs_rr", "ip_vs"]);
    // The kernel has no IPVS and cannot load it, at the start and at a reload.
    unload();
    let find_modules = lose_modules();
    let mut daemon = start(&namespace, &web("", "", TWO));
    assert_eq!(daemon.wait().code(), Some(1), "{}", daemon.log_text());
    for line in [
        "Initializing ipvs",
        "IPVS: Can't initialize ipvs: No such file or directory",
        "Shutting down service [192.168.50.2]:tcp:80 from VS [10.0.0.1]:tcp:80",
        "exited with permanent error FATAL. Terminating",
    ] {
        await_said(&daemon, Mark::default(), line);
    }
    let other = "bfd_instance nobody {\nneighbor_ip 10.9.0.99\nsource_ip 10.9.0.1\n}\n";
    let mut daemon = start(&namespace, other);
    await_said(&daemon, Mark::default(), "Startup complete");
    daemon.reload(&(other.to_owned() + &web("", "", TWO)));
    assert_eq!(daemon.wait().code(), Some(1), "{}", daemon.log_text());
    await_said(&daemon, Mark::default(), "IPVS: Can't initialize ipvs: No such file or directory");
    find_modules();
    // It can, and does.
    let mut daemon = start(&namespace, &web("", "", TWO));
    await_table(&namespace, TWO_SHOWN, &daemon);
    // Somebody takes it away.
    let mark = daemon.log().mark();
    ipvsadm(&namespace, "-C");
    unload();
    await_said(&daemon, mark, "IPVS: No such file or directory - reading the table again");
    await_table(&namespace, TWO_SHOWN, &daemon);
    // The kernel's answers are lost. It answers what it refuses: somebody else has added the servers already.
    let mark = daemon.log().mark();
    leave_no_room(&daemon);
    let servers: Vec<(u8, &str)> = (2..=200).map(|octet| (octet, "")).collect();
    let shown =
        |(octet, _): &(u8, &str)| format!("\n-a -t 10.0.0.1:80 -r 192.168.50.{octet}:80 -m -w 1");
    let all: String = servers.iter().map(shown).collect();
    let added: String = servers.iter().skip(TWO.len()).map(shown).collect();
    let restore = format!("ipvsadm -R <<END{added}\nEND");
    run("ip", &["netns", "exec", namespace.name(), "sh", "-c", &restore]);
    daemon.reload(&web("", "", &servers));
    await_said(&daemon, mark, "No buffer space available");
    await_table(&namespace, &format!("-A -t 10.0.0.1:80 -s rr{all}"), &daemon);
    assert!(daemon.stop().success());
    // A scheduler is missing at the start.
    let find_modules = lose_modules();
    let config = web("", "", TWO).replace("lvs_sched rr", "lvs_sched lblcr");
    let mut daemon = start(&namespace, &config);
    await_said(
        &daemon,
        Mark::default(),
        "IPVS cmd IP_VS_SO_SET_ADD(1154) error: Scheduler or persistence engine not found(2) (10.0.0.1:tcp:80)",
    );
    await_said(&daemon, Mark::default(), "Gained quorum");
    assert_eq!(ipvsadm(&namespace, "-Sn"), "");
    find_modules();
    await_table(&namespace, &TWO_SHOWN.replace("-s rr", "-s lblcr"), &daemon);
    assert!(daemon.stop().success());
    assert_eq!(ipvsadm(&namespace, "-Sn"), "");
}

#[test]
fn it_is_what_the_configuration_says() {
    each_on_machine(
        "it_is_what_the_configuration_says",
        300,
        &[
            ("every_kind_of_service_is_there", every_kind_of_service_is_there),
            ("reloads_change_the_table_by_difference", reloads_change_the_table_by_difference),
            (
                "settings_are_for_as_long_as_they_are_wanted",
                settings_are_for_as_long_as_they_are_wanted,
            ),
            (
                "the_table_may_be_in_another_namespace_and_may_be_emptied",
                the_table_may_be_in_another_namespace_and_may_be_emptied,
            ),
        ],
    );
}

/// Nobody is to take its place, and all the same somebody does, for as long as it takes.
fn what_a_killed_checker_left_goes_with_the_daemon() {
    let namespace = Namespace::new();
    let config = web("", "", TWO);
    let mut daemon = Daemon::start_with(&Binary::under_test(), &namespace, &config, &["-R"]);
    await_table(&namespace, TWO_SHOWN, &daemon);
    daemon.checker().expect("it has written its pid file").signal(Signal::SIGKILL);
    assert!(daemon.wait().success(), "{}", daemon.log_text());
    assert_eq!(ipvsadm(&namespace, "-Sn"), "", "{}", daemon.log_text());
}

#[test]
fn it_becomes_that_again() {
    each_on_machine(
        "it_becomes_that_again",
        300,
        &[
            // Before anything else holds modules.
            ("trouble_with_ipvs_is_said_and_overcome", trouble_with_ipvs_is_said_and_overcome),
            ("what_others_do_to_it_is_repaired", what_others_do_to_it_is_repaired),
            (
                "what_a_killed_checker_left_goes_with_the_daemon",
                what_a_killed_checker_left_goes_with_the_daemon,
            ),
        ],
    );
}
