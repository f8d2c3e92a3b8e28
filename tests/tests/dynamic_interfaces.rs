//! Interfaces that come, go, are renamed and come back as something else while the daemon runs.

use std::time::{Duration, Instant};

use lab::{Binary, Daemon, Lan, Mark, Router};

const DYNAMIC: &str = "global_defs {\n    dynamic_interfaces\n}\n";
const CHANGING: &str = "global_defs {\n    dynamic_interfaces allow_if_changes\n}\n";

fn instance(name: &str, interface: &str, lines: &str, address: &str) -> String {
    format!(
        "vrrp_instance {name} {{
    interface {interface}
    virtual_router_id 51
    version 3
    priority 200
    advert_int 0.1
    {lines}
    virtual_ipaddress {{
        {address}/24
    }}
}}\n"
    )
}

/// A pair of interfaces, of which one has an address and is up.
fn pair(name: &str) -> String {
    format!(
        "link add {name} type veth peer name {name}-far\nlink set {name}-far up\n\
         addr add 10.7.0.1/24 dev {name}\nlink set {name} up\n"
    )
}

#[test]
fn without_it_an_interface_must_be_there() {
    let lan = Lan::new(1);
    let config = instance("web", "dyn0", "", "10.7.0.100");
    let mut daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), &config);
    assert!(!daemon.wait().success());
    daemon.await_log(Mark::default(), "Non-existent interface specified in configuration");
}

#[test]
fn an_instance_waits_for_its_interface_whenever_it_comes() {
    let mut router =
        Router::start(&(DYNAMIC.to_owned() + &instance("web", "dyn0", "", "10.7.0.100")));
    router.daemon.await_log(Mark::default(), "(web) entering FAULT state");
    for _ in 0..2 {
        router.change(&pair("dyn0"), "(web) Entering MASTER STATE");
        router.await_on("10.7.0.100", "dyn0");
        router.change("link del dyn0\n", "(web) Entering FAULT STATE");
        router.await_addresses(&["10.7.0.100"], false);
    }
    assert!(router.daemon.vrrp().is_some_and(|process| process.lives()));
    let begun = Instant::now();
    assert!(router.daemon.stop().success());
    assert!(begun.elapsed() < Duration::from_secs(3), "{}", router.daemon.log_text());
}

#[test]
fn a_name_is_what_counts() {
    let router = Router::start(&(DYNAMIC.to_owned() + &instance("web", "dyn0", "", "10.7.0.100")));
    router.change(&pair("other"), "Startup complete");
    router.change("link set other name dyn0\n", "(web) Entering MASTER STATE");
    router.await_on("10.7.0.100", "dyn0");
    router.change("link set dyn0 name other\n", "(web) Entering FAULT STATE");
    router.await_addresses(&["10.7.0.100"], false);
    router.change("link set other name dyn0\n", "(web) Entering MASTER STATE");
    router.await_on("10.7.0.100", "dyn0");
}

#[test]
fn a_vmac_comes_back_with_the_interface_below() {
    let config = DYNAMIC.to_owned() + &instance("web", "dyn0", "use_vmac", "10.7.0.100");
    let mut router = Router::start(&config);
    router.daemon.await_log(Mark::default(), "(web) entering FAULT state");
    for _ in 0..2 {
        router.change(&pair("dyn0"), "(web) Entering MASTER STATE");
        router.await_on("10.7.0.100", "vrrp.51");
        let link = router.namespace().link("vrrp.51").expect("it holds the address");
        assert_eq!(
            (&link["link"], &link["address"]),
            (&"dyn0".into(), &"00:00:5e:00:01:33".into())
        );
        assert_eq!(router.namespace().setting("ipv4/conf/dyn0/arp_ignore"), "1");
        router.change("link del dyn0\n", "Interface dyn0 deleted");
        router.await_addresses(&["10.7.0.100"], false);
        assert_eq!(router.namespace().link("vrrp.51"), None);
    }
    router.namespace().ip(&pair("dyn0"));
    router.await_addresses(&["10.7.0.100"], true);
    router.daemon.stop();
    assert_eq!(router.namespace().link("vrrp.51"), None);
    assert_eq!(router.namespace().setting("ipv4/conf/dyn0/arp_ignore"), "0");
}

/// The original leaves it on the interface that is now called otherwise, and makes no other one.
#[test]
fn a_vmac_leaves_an_interface_that_is_called_otherwise() {
    let lan = Lan::new(1);
    lan.nodes()[0].namespace().ip(&pair("dyn0"));
    let config = DYNAMIC.to_owned() + &instance("web", "dyn0", "use_vmac", "10.7.0.100");
    let router = Router::on(lan, &config);
    router.await_on("10.7.0.100", "vrrp.51");
    router.change(
        "link set dyn0-far name other-far\nlink set dyn0 name other\n",
        "Success removing VMAC interface vrrp.51",
    );
    router.await_addresses(&["10.7.0.100"], false);
    router.change(&pair("dyn0"), "(web) Entering MASTER STATE");
    let link = router.namespace().link("vrrp.51").expect("it holds the address");
    assert_eq!(link["link"], "dyn0");
    assert_eq!(router.namespace().setting("ipv4/conf/other/arp_ignore"), "0");
}

#[test]
fn a_vmac_of_somebody_else_with_its_name_and_another_parent_is_replaced() {
    let lan = Lan::new(1);
    lan.nodes()[0]
        .namespace()
        .ip("link add link inner0 name own type macvlan mode private\nlink set own up\n");
    let config = instance("web", "eth0", "use_vmac own", "10.9.0.100");
    let router = Router::on(lan, &config);
    router.daemon.await_log(Mark::default(), "own already exists but is incompatible");
    router.await_on("10.9.0.100", "own");
    let link = router.namespace().link("own").expect("it holds the address");
    assert_eq!((&link["link"], &link["address"]), (&"eth0".into(), &"00:00:5e:00:01:33".into()));
}

#[test]
fn an_interface_that_becomes_part_of_another_one_may_clash() {
    let config = CHANGING.to_owned()
        + &instance("fixed", "eth0", "", "10.9.0.100")
        + &instance("moves", "dyn0", "", "10.7.0.100");
    let lan = Lan::new(1);
    lan.nodes()[0].namespace().ip(&pair("dyn0"));
    let router = Router::on(lan, &config);
    router.await_on("10.9.0.100", "eth0");
    router.await_on("10.7.0.100", "dyn0");
    router.change("link del dyn0\n", "(moves) Entering FAULT STATE");
    let on_eth0 = "link add link eth0 name dyn0 type macvlan mode bridge\n\
                   addr add 10.7.0.1/24 dev dyn0\nlink set dyn0 up\n";
    router.change(on_eth0, "VRID conflict between moves and fixed IPv4 vrid 51");
    router.await_addresses(&["10.7.0.100"], false);
    router.change("link del dyn0\n", "Interface dyn0 deleted");
    router.change(&pair("dyn0"), "(moves) Entering MASTER STATE");
    router.await_on("10.7.0.100", "dyn0");
    router.await_on("10.9.0.100", "eth0");
    let log = router.daemon.log().all();
    let faults = log.iter().filter(|line| line.text.contains("(fixed) Entering FAULT STATE"));
    assert_eq!(faults.count(), 0, "{}", router.daemon.log_text());
}

#[test]
fn a_macvlan_that_an_instance_is_on_may_move_to_another_interface() {
    let lan = Lan::new(1);
    let below = |base: &str| {
        format!(
            "link add link {base} name dyn0 type macvlan mode bridge\n\
             addr add 10.7.0.1/24 dev dyn0\nlink set dyn0 up\n"
        )
    };
    lan.nodes()[0].namespace().ip(&below("eth0"));
    let config = CHANGING.to_owned() + &instance("web", "dyn0", "use_vmac", "10.7.0.100");
    let router = Router::on(lan, &config);
    router.await_on("10.7.0.100", "vrrp.51");
    let parent = || router.namespace().link("vrrp.51").map(|link| link["link"].clone());
    assert_eq!(parent(), Some("eth0".into()));
    router.change("link del dyn0\n", "Success removing VMAC interface vrrp.51");
    assert_eq!(parent(), None);
    router.change(&below("inner0"), "(web) Entering MASTER STATE");
    assert_eq!(parent(), Some("inner0".into()));
}

#[test]
fn an_address_on_an_interface_that_comes_back_is_put_there_and_announced_again() {
    let lan = Lan::new(1);
    lan.nodes()[0].namespace().ip(&pair("dyn0"));
    let config = DYNAMIC.to_owned()
        + &instance("web", "eth0", "", "10.7.0.100/24 dev dyn0 no_track\n        10.9.0.100");
    let router = Router::on(lan, &config);
    router.await_on("10.7.0.100", "dyn0");
    router.namespace().ip("link del dyn0\n");
    router.await_addresses(&["10.7.0.100"], false);
    router.change(&pair("dyn0"), "Sending gratuitous ARP on dyn0 for 10.7.0.100");
    router.await_on("10.7.0.100", "dyn0");
}

#[test]
fn a_tracked_interface_may_come_and_go() {
    let lines = "track_interface {\n        dyn0\n    }";
    let router =
        Router::start(&(DYNAMIC.to_owned() + &instance("web", "eth0", lines, "10.9.0.100")));
    router.daemon.await_log(Mark::default(), "(web) entering FAULT state");
    router.change(&pair("dyn0"), "(web) Entering MASTER STATE");
    router.change("link del dyn0\n", "(web) Entering FAULT STATE");
    router.change(&pair("dyn0"), "(web) Entering MASTER STATE");
}
