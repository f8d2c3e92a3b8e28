//! What is kept away from virtual addresses and interfaces: the rules are those of the original, and they do what they
//! are for, through failovers, reloads, kills and the meddling of others.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::{Binary, Daemon, Lan, Mark, Namespace, Node, PATIENCE};

/// Runs a program in a namespace; what it printed, and whether it succeeded.
fn inside(namespace: &Namespace, command: &[&str]) -> (String, bool) {
    let arguments = [&["netns", "exec", namespace.name()], command].concat();
    let output = Command::new("ip").args(arguments).output().expect("ip is installed");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}

/// The tables of a namespace, without what their counters have counted.
fn tables(namespace: &Namespace) -> String {
    let (listed, _) = inside(namespace, &["nft", "list", "ruleset"]);
    let mut words = Vec::new();
    for line in listed.lines() {
        let mut line = line.to_owned();
        while let Some((before, counted)) = line.split_once("counter packets ") {
            let rest = counted.splitn(4, ' ').nth(3).unwrap_or_default();
            line = format!("{before}counter {rest}");
        }
        words.push(line);
    }
    words.join("\n")
}

fn await_tables(namespace: &Namespace, what: &str, holds: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let listed = tables(namespace);
        if holds(&listed) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}:\n{listed}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Loads rules with `nft` where they do nothing, and lists them as it does in this version.
fn as_nft_lists(rules: &str) -> String {
    let namespace = Namespace::new();
    namespace.ip("link add eth0 type veth peer name vrrp.51\nlink add vrrp.52 type veth\n");
    let arguments = ["netns", "exec", namespace.name(), "nft", "-f", "-"];
    let mut nft =
        Command::new("ip").args(arguments).stdin(Stdio::piped()).spawn().expect("ip is installed");
    let mut input = nft.stdin.take().expect("it was asked for");
    input.write_all(rules.as_bytes()).expect("nft reads its rules");
    drop(input);
    assert!(nft.wait().is_ok_and(|status| status.success()), "nft does not take {rules}");
    tables(&namespace)
}

fn start(node: &Node, config: &str) -> Daemon {
    Daemon::start(&Binary::under_test(), node.namespace(), config)
}

#[track_caller]
fn await_address(node: &Node, daemon: &Daemon, address: &str, there: bool) {
    let address: IpAddr = address.parse().expect("it is an address");
    let seen = node.addresses().wait(&[address], there, PATIENCE);
    assert!(seen, "{address} there: {}\n{}", !there, daemon.log_text());
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("firewall").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Starts the configuration called `name`, compares its rules with those that the original has made of it, and sees that
/// nothing is left in the end.
fn compare(name: &str, last: &[&str]) {
    let lan = Lan::new(1);
    let node = &lan.nodes()[0];
    let mut daemon = start(node, &read(&format!("{name}.conf")));
    for address in last {
        await_address(node, &daemon, address, true);
    }
    let captured = read(&format!("{name}.nft")).replace("LINK_LOCAL", "fe80::ff:fe00:1");
    assert_eq!(tables(node.namespace()), as_nft_lists(&captured), "{}", daemon.log_text());
    daemon.stop();
    assert_eq!(tables(node.namespace()), "");
}

#[test]
fn rules_for_no_accept_are_those_of_the_original() {
    compare("no-accept", &["10.9.0.101", "fd00:9::55", "fd00:9::100"]);
}

#[test]
fn rules_for_vmacs_are_those_of_the_original() {
    compare("vmacs", &["10.9.0.55", "10.9.0.101", "fd00:9::55", "fe80::102"]);
}

#[test]
fn rules_by_index_with_a_name_and_priority_are_those_of_the_original() {
    compare("by-index", &["fd00:9::100", "fd00:9::101"]);
}

#[test]
fn rules_by_name_are_those_of_the_original() {
    compare("by-name", &["fd00:9::100", "fd00:9::101"]);
}

fn instance(name: &str, vrid: u8, priority: u8, lines: &str, addresses: &[&str]) -> String {
    let addresses: String =
        addresses.iter().map(|address| format!("        {address}\n")).collect();
    format!(
        "vrrp_instance {name} {{
    interface eth0
    virtual_router_id {vrid}
    priority {priority}
    version 3
    advert_int 0.1
    {lines}
    virtual_ipaddress {{
{addresses}    }}
}}\n"
    )
}

/// Whether `node` gets an answer from `address`.
fn answers(node: &Node, address: &str) -> bool {
    let ping = ["ping", "-c", "1", "-W", "1", address];
    inside(node.namespace(), &ping).1
}

#[test]
fn nobody_talks_to_an_address_that_does_not_accept() {
    let lan = Lan::new(2);
    let [router, host] = lan.nodes() else { panic!("there are two") };
    let config = instance("closed", 51, 200, "no_accept", &["10.9.0.100/24"])
        + &instance("closed6", 52, 200, "no_accept", &["fe80::100/64", "fd00:9::100/64"])
        + &instance("open", 53, 200, "accept", &["10.9.0.200/24"])
        + &instance("open6", 54, 200, "", &["fe80::200/64", "fd00:9::200/64"])
        + &instance("owner", 55, 255, "no_accept", &["10.9.0.201/24"]);
    let daemon = start(router, &config);
    for address in ["10.9.0.100", "fd00:9::100", "10.9.0.200", "fd00:9::200", "10.9.0.201"] {
        await_address(router, &daemon, address, true);
    }
    // Who owns addresses answers for them, whatever is configured.
    for open in
        ["10.9.0.201", "10.9.0.200", "fd00:9::200", "fe80::200%eth0", "10.9.0.1", "fd00:9::1"]
    {
        assert!(answers(host, open), "{open} does not answer");
    }
    for closed in ["10.9.0.100", "fd00:9::100", "fe80::100%eth0"] {
        assert!(!answers(host, closed), "{closed} answers");
    }
    // They are there all the same: packets can be sent to their link-layer address.
    for there in ["10.9.0.100", "fd00:9::100", "fe80::100"] {
        let neighbour = host.namespace().ip_json(&["neigh", "show", there]);
        let found = neighbour[0]["lladdr"].as_str();
        assert_eq!(found, Some("02:00:00:00:00:01"), "{there}: {neighbour}");
    }
}

#[test]
fn strict_routers_do_not_accept() {
    let lan = Lan::new(2);
    let [router, host] = lan.nodes() else { panic!("there are two") };
    let config = "global_defs {\n vrrp_strict\n}\n".to_owned()
        + &instance("strict", 51, 200, "", &["10.9.0.100/24"]);
    let daemon = start(router, &config);
    await_address(router, &daemon, "10.9.0.100", true);
    assert!(!answers(host, "10.9.0.100"));
}

#[test]
fn elements_go_where_the_addresses_go() {
    let lan = Lan::new(2);
    let [first, second] = lan.nodes() else { panic!("there are two") };
    let config = |priority| instance("VI", 51, priority, "no_accept", &["10.9.0.100/24"]);
    let mut master = start(first, &config(200));
    await_address(first, &master, "10.9.0.100", true);
    let backup = start(second, &config(100));
    backup.await_log(Mark::default(), "(VI) Entering BACKUP STATE");
    assert!(!tables(second.namespace()).contains("10.9.0.100"));
    master.stop();
    await_address(second, &backup, "10.9.0.100", true);
    assert_eq!(tables(first.namespace()), "");
    assert!(tables(second.namespace()).contains("elements = { 10.9.0.100 }"));
    let _master = start(first, &config(200));
    await_address(second, &backup, "10.9.0.100", false);
    await_tables(second.namespace(), "still kept away", |listed| !listed.contains("elements"));
}

#[test]
fn a_reload_opens_and_closes() {
    let lan = Lan::new(2);
    let [router, host] = lan.nodes() else { panic!("there are two") };
    let config = |accept: &str, addresses: &[&str]| instance("VI", 51, 200, accept, addresses);
    let one = &["10.9.0.100/24"][..];
    let daemon = start(router, &config("accept", one));
    await_address(router, &daemon, "10.9.0.100", true);
    assert!(answers(host, "10.9.0.100"));
    let reload = |text: &str| {
        let mark = daemon.log().mark();
        daemon.reload(text);
        daemon.await_log(mark, "Reload complete");
    };
    reload(&config("no_accept", one));
    await_tables(router.namespace(), "open", |listed| listed.contains("10.9.0.100"));
    assert!(!answers(host, "10.9.0.100"));
    let before = tables(router.namespace());
    reload(&config("no_accept", &["10.9.0.100/24", "10.9.0.101/24"]));
    let both = "elements = { 10.9.0.100, 10.9.0.101 }";
    await_tables(router.namespace(), "open", |listed| listed.contains(both));
    assert_eq!(tables(router.namespace()).replace(both, "elements = { 10.9.0.100 }"), before);
    reload(&format!(
        "global_defs {{\n nftables_counters\n}}\n{}",
        config("no_accept", &["10.9.0.101/24"])
    ));
    await_tables(router.namespace(), "no counters", |listed| listed.contains("counter"));
    await_tables(router.namespace(), "still closed", |listed| !listed.contains("10.9.0.100"));
    reload(&config("accept", one));
    await_tables(router.namespace(), "still closed", |listed| !listed.contains("elements"));
    await_address(router, &daemon, "10.9.0.100", true);
    assert!(answers(host, "10.9.0.100"));
    let masters = daemon.log().all();
    let masters = masters.iter().filter(|line| line.text.contains("Entering MASTER")).count();
    assert_eq!(masters, 1, "{}", daemon.log_text());
}

#[test]
fn what_a_killed_router_left_behind_is_replaced() {
    let lan = Lan::new(1);
    let node = &lan.nodes()[0];
    let config = |addresses: &[&str]| instance("VI", 51, 200, "no_accept", addresses);
    let mut daemon = start(node, &config(&["10.9.0.100/24", "10.9.0.101/24"]));
    await_address(node, &daemon, "10.9.0.101", true);
    daemon.kill();
    assert!(tables(node.namespace()).contains("10.9.0.101"));
    let mut daemon = start(node, &config(&["10.9.0.100/24"]));
    await_tables(node.namespace(), "left behind", |listed| {
        listed.contains("elements = { 10.9.0.100 }") && listed.matches("drop").count() == 2
    });
    await_address(node, &daemon, "10.9.0.100", true);
    daemon.kill();
    // A backup that keeps nothing away leaves no old table either.
    let quiet = instance("VI", 51, 1, "no_accept\n    advert_int 40", &["10.9.0.150/24"]);
    let _daemon = start(node, &quiet);
    await_tables(node.namespace(), "left behind", str::is_empty);
}

#[test]
fn without_need_there_is_no_table() {
    let lan = Lan::new(1);
    let node = &lan.nodes()[0];
    let others = ["nft", "add", "table", "ip", "keepalived"];
    assert!(inside(node.namespace(), &others).1);
    let mut daemon = start(node, &instance("VI", 51, 200, "", &["10.9.0.100/24"]));
    await_address(node, &daemon, "10.9.0.100", true);
    daemon.stop();
    assert_eq!(tables(node.namespace()), "table ip keepalived {\n}", "it was not ours");
}

#[test]
fn a_flushed_firewall_is_made_again() {
    let lan = Lan::new(2);
    let [router, host] = lan.nodes() else { panic!("there are two") };
    let daemon = start(router, &instance("VI", 51, 200, "no_accept", &["10.9.0.100/24"]));
    await_address(router, &daemon, "10.9.0.100", true);
    let before = tables(router.namespace());
    let mark = daemon.log().mark();
    assert!(inside(router.namespace(), &["nft", "flush", "ruleset"]).1);
    daemon.await_log(mark, "nftables table ip keepalived was removed by somebody else");
    await_tables(router.namespace(), "still open", |listed| listed == before);
    assert!(!answers(host, "10.9.0.100"));
}
