//! What is kept away from virtual addresses and interfaces where the machine has iptables proper.

use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use lab::{Binary, Daemon, Iptables, Lan, Mark, Namespace, Node, PATIENCE, Scratch};
use nix::fcntl::{Flock, FlockArg};

/// Runs a program in a namespace; what it printed, and whether it succeeded.
fn inside(namespace: &Namespace, command: &[&str]) -> (String, bool) {
    let arguments = [&["netns", "exec", namespace.name()], command].concat();
    let output = Command::new("ip").args(arguments).output().expect("ip is installed");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}

/// The entries of all sets, as `SET ENTRY`.
fn sets(namespace: &Namespace) -> Vec<String> {
    let (text, _) = inside(namespace, &["ipset", "save"]);
    let entries = text.lines().filter_map(|line| line.strip_prefix("add "));
    let mut entries: Vec<String> = entries.map(str::to_owned).collect();
    entries.sort();
    entries
}

fn answers(node: &Node, address: &str) -> bool {
    inside(node.namespace(), &["ping", "-c", "1", "-W", "1", address]).1
}

#[track_caller]
fn await_address(node: &Node, daemon: &Daemon, address: &str, there: bool) {
    let address: IpAddr = address.parse().expect("it is an address");
    let seen = node.addresses().wait(&[address], there, PATIENCE);
    assert!(seen, "{address} there: {}\n{}", !there, daemon.log_text());
}

#[track_caller]
fn await_true(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn globals(lines: &str) -> String {
    format!("global_defs {{\n{lines}\n}}\n")
}

fn instance(name: &str, vrid: u8, lines: &str, addresses: &[&str]) -> String {
    let addresses: String =
        addresses.iter().map(|address| format!("        {address}\n")).collect();
    format!(
        "vrrp_instance {name} {{
    interface eth0
    virtual_router_id {vrid}
    priority 200
    version 3
    advert_int 0.1
    {lines}
    virtual_ipaddress {{
{addresses}    }}
}}\n"
    )
}

/// One address of each kind.
fn closed() -> String {
    instance("closed", 51, "no_accept", &["10.9.0.100/24"])
        + &instance("closed6", 52, "no_accept", &["fe80::100/64", "fd00:9::100/64"])
}

const CLOSED: [&str; 3] = ["10.9.0.100", "fd00:9::100", "fe80::100"];

/// The addresses of [`closed`] are there, and nobody gets an answer from them.
#[track_caller]
fn assert_closed(lan: &Lan, daemon: &Daemon) {
    let [router, host] = lan.nodes() else { panic!("there are two") };
    for address in CLOSED {
        await_address(router, daemon, address, true);
    }
    for closed in ["10.9.0.100", "fd00:9::100", "fe80::100%eth0"] {
        assert!(!answers(host, closed), "{closed} answers");
        let neighbour = closed.trim_end_matches("%eth0");
        let neighbour = host.namespace().ip_json(&["neigh", "show", neighbour]);
        let found = neighbour[0]["lladdr"].as_str();
        assert_eq!(found, Some("02:00:00:00:00:01"), "{closed}: {neighbour}");
    }
    assert!(answers(host, "10.9.0.1") && answers(host, "fd00:9::1"));
}

#[test]
fn rules_with_sets_are_those_of_the_original() {
    let lan = Lan::new(2);
    let node = &lan.nodes()[0];
    let programs = Iptables::new("legacy");
    let mut daemon = programs.start(node, &(globals("vrrp_iptables") + &closed()));
    assert_closed(&lan, &daemon);
    let pass = |chain: &str, set: &str, ends: &str| {
        let matched = format!("-m set --match-set {set} {ends}");
        let accept = |kind| {
            format!("{chain} -p ipv6-icmp {matched} -m icmp6 --icmpv6-type {kind} -j ACCEPT")
        };
        [accept(135), accept(136), format!("{chain} {matched} -j DROP")]
    };
    let expected = [
        &["INPUT -m set --match-set keepalived dst -j DROP".to_owned()][..],
        &["OUTPUT -m set --match-set keepalived src -j DROP".to_owned()],
        &pass("INPUT", "keepalived_if6", "dst,src"),
        &pass("INPUT", "keepalived6", "dst"),
        &pass("OUTPUT", "keepalived_if6", "src,dst"),
        &pass("OUTPUT", "keepalived6", "src"),
    ]
    .concat();
    assert_eq!(programs.rules(node.namespace()), expected);
    let entries =
        ["keepalived 10.9.0.100", "keepalived6 fd00:9::100", "keepalived_if6 fe80::100,eth0"];
    assert_eq!(sets(node.namespace()), entries);
    daemon.stop();
    assert_eq!(programs.rules(node.namespace()), [] as [&str; 0]);
    assert_eq!(inside(node.namespace(), &["ipset", "list", "-n"]).0, "");
}

#[test]
fn rules_without_sets_are_those_of_the_original() {
    let lan = Lan::new(2);
    let node = &lan.nodes()[0];
    let programs = Iptables::new("legacy");
    let config = globals("vrrp_iptables\nvrrp_ipsets") + &closed();
    let mut daemon = programs.start(node, &config);
    assert_closed(&lan, &daemon);
    let pass = |chain: &str, matched: &str| {
        let accept = |kind| {
            format!("{chain} {matched} -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT")
        };
        [accept(135), accept(136), format!("{chain} {matched} -j DROP")]
    };
    let mut expected = [
        &["INPUT -d 10.9.0.100/32 -j DROP".to_owned()][..],
        &["OUTPUT -s 10.9.0.100/32 -j DROP".to_owned()],
        &pass("INPUT", "-d fd00:9::100/128"),
        &pass("INPUT", "-d fe80::100/128 -i eth0"),
        &pass("OUTPUT", "-s fd00:9::100/128"),
        &pass("OUTPUT", "-s fe80::100/128 -o eth0"),
    ]
    .concat();
    // The order of the addresses means nothing.
    let mut found = programs.rules(node.namespace());
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(inside(node.namespace(), &["ipset", "list", "-n"]).0, "");
    daemon.stop();
    assert_eq!(programs.rules(node.namespace()), [] as [&str; 0]);
}

#[test]
fn reports_of_vmacs_are_kept_in() {
    let lan = Lan::new(1);
    let node = &lan.nodes()[0];
    let programs = Iptables::new("legacy");
    let vmacs = instance("V4", 51, "use_vmac", &["10.9.0.100/24"])
        + &instance("V6", 52, "use_vmac", &["fe80::100/64"]);
    let mut daemon = programs.start(node, &(globals("vrrp_iptables") + &vmacs));
    await_address(node, &daemon, "10.9.0.100", true);
    await_address(node, &daemon, "fe80::100", true);
    let set = "-p ipv6-icmp -m set --match-set";
    assert_eq!(
        programs.rules(node.namespace()),
        [
            "OUTPUT -p igmp -m set --match-set keepalived_igmp dst,dst -j DROP".to_owned(),
            format!("OUTPUT {set} keepalived_mld dst,dst -m icmp6 --icmpv6-type 143 -j DROP"),
            format!("OUTPUT {set} keepalived_mld dst,dst -m icmp6 --icmpv6-type 131 -j DROP"),
            format!("OUTPUT {set} keepalived_nd src,dst -m icmp6 --icmpv6-type 136 -j DROP"),
        ]
    );
    let entries = [
        "keepalived_igmp 0.0.0.0/0,vrrp.51",
        "keepalived_mld ::/0,vrrp.52",
        "keepalived_nd fe80::ff:fe00:1,vrrp.52",
    ];
    assert_eq!(sets(node.namespace()), entries);
    daemon.stop();
    assert_eq!(programs.rules(node.namespace()), [] as [&str; 0]);
    let config = globals("vrrp_iptables INPUT\nvrrp_ipsets") + &vmacs;
    let daemon = programs.start(node, &config);
    await_address(node, &daemon, "10.9.0.100", true);
    assert_eq!(programs.rules(node.namespace()), [] as [&str; 0], "no chain for output");
}

#[test]
fn chains_and_sets_have_the_names_of_the_configuration() {
    let lan = Lan::new(1);
    let node = &lan.nodes()[0];
    let programs = Iptables::new("legacy");
    let config = globals("vrrp_iptables vrrp-in\nvrrp_ipsets closed") + &closed();
    let daemon = programs.start(node, &config);
    for address in CLOSED {
        await_address(node, &daemon, address, true);
    }
    // There are no such chains yet, which holds up nothing.
    let complaint = daemon.await_log(Mark::default(), "VIPs may be unprotected").text;
    assert!(complaint.starts_with("iptables-restore: "), "{complaint}");
    for name in ["iptables", "ip6tables"] {
        let program = programs.path().join(name);
        assert!(inside(node.namespace(), &[&program.to_string_lossy(), "-N", "vrrp-in"]).1);
    }
    let mark = daemon.log().mark();
    daemon.reload(&config.replace("10.9.0.100", "10.9.0.101"));
    daemon.await_log(mark, "Reload complete");
    let entries = ["closed 10.9.0.101", "closed6 fd00:9::100", "closed_if6 fe80::100,eth0"];
    await_true("no entries", || sets(node.namespace()) == entries);
    let rules = programs.rules(node.namespace());
    assert_eq!(rules.len(), 7, "{rules:#?}");
    assert!(rules.iter().all(|rule| rule.starts_with("vrrp-in ")), "{rules:#?}");
}

#[test]
fn rules_and_sets_of_a_killed_router_are_taken_over() {
    let lan = Lan::new(1);
    let node = &lan.nodes()[0];
    let programs = Iptables::new("legacy");
    for sets_wanted in ["", "vrrp_ipsets"] {
        let config = globals(&format!("vrrp_iptables\n{sets_wanted}")) + &closed();
        let mut daemon = programs.start(node, &config);
        for address in CLOSED {
            await_address(node, &daemon, address, true);
        }
        let mut before = (programs.rules(node.namespace()), sets(node.namespace()));
        daemon.kill();
        let mut daemon = programs.start(node, &config);
        daemon.await_log(Mark::default(), "(closed6) Entering MASTER STATE");
        before.0.sort();
        await_true("not as before", || {
            let mut rules = programs.rules(node.namespace());
            rules.sort();
            (rules, sets(node.namespace())) == before
        });
        daemon.stop();
        assert_eq!(programs.rules(node.namespace()), [] as [&str; 0]);
    }
}

#[test]
fn a_reload_changes_entries_and_back_ends() {
    let lan = Lan::new(2);
    let node = &lan.nodes()[0];
    let programs = Iptables::new("legacy");
    let daemon = programs.start(node, &(globals("vrrp_iptables") + &closed()));
    assert_closed(&lan, &daemon);
    let mark = daemon.log().mark();
    daemon.reload(&(globals("vrrp_iptables\nvrrp_ipsets") + &closed()));
    daemon.await_log(mark, "Reload complete");
    assert_closed(&lan, &daemon);
    assert_eq!(sets(node.namespace()), [] as [&str; 0]);
    let mark = daemon.log().mark();
    daemon.reload(&closed().replace("no_accept", "accept"));
    daemon.await_log(mark, "Reload complete");
    await_true("not open", || programs.rules(node.namespace()).is_empty());
    assert!(answers(&lan.nodes()[1], "10.9.0.100"));
}

#[test]
fn somebody_else_may_hold_the_lock_for_a_moment() {
    let lan = Lan::new(2);
    let programs = Iptables::with_lock("legacy");
    let file = fs::File::create(programs.lock()).expect("it is ours");
    let held = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error);
    let held = held.expect("nobody else has it");
    let daemon = programs.start(&lan.nodes()[0], &(globals("vrrp_iptables") + &closed()));
    await_true("nobody waits for the lock", || {
        let children = daemon.vrrp().map(|process| process.children()).unwrap_or_default();
        children.iter().any(|child| child.name().contains("tables"))
    });
    drop(held);
    assert_closed(&lan, &daemon);
    let complained = daemon.log_text().contains("lock");
    assert!(!complained, "{}", daemon.log_text());
}

#[test]
fn a_lock_that_somebody_keeps_keeps_nobody_from_being_master() {
    let lan = Lan::new(2);
    let programs = Iptables::with_lock("legacy");
    let config = globals("vrrp_iptables") + &closed();
    let file = fs::File::create(programs.lock()).expect("it is ours");
    let held = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| error);
    let held = held.expect("nobody else has it");
    let daemon = programs.start(&lan.nodes()[0], &config);
    daemon.await_log(Mark::default(), "iptables-restore: ");
    await_address(&lan.nodes()[0], &daemon, "10.9.0.100", true);
    drop(held);
    daemon.reload(&config.replace("priority 200", "priority 199"));
    // Now they are closed one after the other.
    for closed in ["10.9.0.100", "fd00:9::100", "fe80::100%eth0"] {
        await_true("it is closed", || !answers(&lan.nodes()[1], closed));
    }
    assert_closed(&lan, &daemon);
}

#[test]
fn a_machine_without_iptables_proper_gets_nftables() {
    let nothing = Scratch::new();
    let nft = Iptables::new("nft");
    let cases = [
        (nft.path(), "Not using iptables since iptables uses nf_tables"),
        (nothing.path(), "Using nftables since no iptables command found"),
    ];
    for (programs, says) in cases {
        let lan = Lan::new(2);
        let config = globals("vrrp_iptables") + &closed();
        let binary = Binary::under_test().with_programs(programs);
        let daemon = Daemon::start(&binary, lan.nodes()[0].namespace(), &config);
        assert_closed(&lan, &daemon);
        daemon.await_log(Mark::default(), says);
        let (tables, _) = inside(lan.nodes()[0].namespace(), &["nft", "list", "tables"]);
        assert_eq!(tables, "table ip keepalived\ntable ip6 keepalived\n");
    }
}
