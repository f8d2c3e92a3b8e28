//! When an interface counts as up, and when a source address is missed.

use std::time::{Duration, SystemTime};

use lab::{Binary, Daemon, Lan, Mark};

fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    advert_int 0.5
{lines}
    virtual_ipaddress {{
        10.9.0.100/24
    }}
}}\n"
    )
}

fn master(lan: &Lan, config: &str) -> Daemon {
    let daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config);
    daemon.await_log(Mark::default(), "(web) Entering MASTER STATE");
    daemon
}

#[test]
fn a_change_of_an_interface_must_last() {
    let lan = Lan::new(1);
    let node = &lan.nodes()[0];
    let config = "interface_up_down_delays {\n    eth0 0.4 0.2\n}\n".to_owned() + &instance("");
    let daemon = master(&lan, &config);
    let mark = daemon.log().mark();
    node.link_down();
    node.link_up();
    daemon.await_log(mark, "Delay timer for eth0 cancelled");
    let down = SystemTime::now();
    node.link_down();
    let fault = daemon.await_log(mark, "(web) Entering FAULT STATE");
    assert!(fault.at.duration_since(down).unwrap() >= Duration::from_millis(400));
    let up = SystemTime::now();
    let mark = daemon.log().mark();
    node.link_up();
    let backup = daemon.await_log(mark, "(web) Entering BACKUP STATE");
    assert!(backup.at.duration_since(up).unwrap() >= Duration::from_millis(200));
    let faults = daemon.log().all();
    let faults = faults.iter().filter(|line| line.text.contains("Entering FAULT STATE")).count();
    assert_eq!(faults, 1, "{}", daemon.log_text());
}

#[test]
fn a_delay_gives_way_to_what_other_routers_wait() {
    let lan = Lan::new(1);
    let config = "interface_up_down_delays {\n    eth0 9 9\n}\n".to_owned() + &instance("");
    let daemon = master(&lan, &config);
    daemon.await_log(
        Mark::default(),
        "web: interface eth0 debounce timer(s) not less that 2 * advert_int - resetting",
    );
    lan.nodes()[0].link_down();
    daemon.await_log(Mark::default(), "(web) Entering FAULT STATE");
}

#[test]
fn a_polled_interface_is_asked_by_its_driver() {
    let lan = Lan::new(1);
    for config in [
        "linkbeat_interfaces {\n    eth0 ETHTOOL\n}\n".to_owned() + &instance(""),
        "linkbeat_use_polling\n".to_owned() + &instance(""),
        instance("    linkbeat_use_polling"),
    ] {
        let daemon = master(&lan, &config);
        let mark = daemon.log().mark();
        lan.nodes()[0].link_down();
        daemon.await_log(mark, "Linkbeat reports eth0 down");
        daemon.await_log(mark, "(web) Entering FAULT STATE");
        assert!(!daemon.log_text().contains("Netlink reports eth0 down"), "it is not believed");
        lan.nodes()[0].link_up();
        daemon.await_log(mark, "Linkbeat reports eth0 up");
        daemon.await_log(mark, "(web) Entering BACKUP STATE");
    }
}

#[test]
fn a_tracked_source_address_must_be_there() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let config = instance(
        "    unicast_src_ip 10.9.0.77\n    track_src_ip\n    unicast_peer {\n        10.9.0.2\n    }",
    );
    let daemon = Daemon::start(&Binary::under_test(), namespace, &config);
    daemon.await_log(
        Mark::default(),
        "(web) entering FAULT state (source address 10.9.0.77 missing)",
    );
    let mark = daemon.log().mark();
    namespace.ip("addr add 10.9.0.77/32 dev inner0\n");
    daemon.await_log(mark, "(web) Entering MASTER STATE");
    let mark = daemon.log().mark();
    namespace.ip("addr del 10.9.0.77/32 dev inner0\n");
    daemon.await_log(mark, "(web) Entering FAULT STATE");
}

#[test]
fn where_adverts_come_from_is_said() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let daemon = master(&lan, &instance(""));
    let index = namespace.link("eth0").expect("it is there")["ifindex"].to_string();
    let sockets = format!("VRRP sockpool: [ifindex({index:>3}), family(IPv4), proto(112), fd(");
    daemon.await_log(Mark::default(), &sockets);
    daemon.await_log(Mark::default(), ") multicast, address(224.0.0.18)]");
    daemon.await_log(Mark::default(), "Assigned address 10.9.0.1 for interface eth0");
    daemon.await_log(Mark::default(), "Assigned address fe80::ff:fe00:1 for interface eth0");
    let mark = daemon.log().mark();
    namespace.ip("addr add 10.9.1.1/24 dev eth0\naddr del 10.9.0.1/24 dev eth0\n");
    daemon.await_log(mark, "Assigned address 10.9.1.1 for interface eth0");
    namespace.ip("addr del 10.9.1.1/24 dev eth0\n");
    daemon.await_log(mark, "Deassigned address 10.9.1.1 from interface eth0");
    daemon.await_log(mark, "(web) Entering FAULT STATE");
}
