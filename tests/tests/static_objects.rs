//! Static addresses, routes and rules: there as long as the daemon runs, whoever is master, and put back when somebody
//! deletes them; and the instances that share their fate.

use std::fs;

use lab::objects::{await_master, instance, master};
use lab::{Binary, Daemon, Dump, Lan, Mark, PATIENCE, TableWatch};

const STATIC: &str = "static_ipaddress {
    10.7.0.1/24 dev inner0
    fd00:7::1/64 dev inner0
}
static_routes {
    10.71.0.0/16 via 10.7.0.9 dev inner0
    10.72.0.0/16 via 10.7.0.9 src 10.7.0.1 metric 5
    fd71::/64 via fd00:7::9
}
static_rules {
    from 10.73.0.0/16 table 73 priority 730
}
";

const ROUTES: [&str; 3] = ["10.71.0.0/16", "10.72.0.0/16", "fd71::/64"];

/// A daemon whose instance is never master.
fn backup(lan: &Lan, before: &str) -> Daemon {
    let config = format!("{before}{}", instance("    priority 50\n"));
    let rival = instance("    priority 60\n");
    let rival = Daemon::start(&Binary::under_test(), lan.nodes()[1].namespace(), &rival);
    rival.await_log(Mark::default(), "(web) Entering MASTER STATE");
    let daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), &config);
    daemon.await_log(Mark::default(), "Startup complete");
    std::mem::forget(rival);
    daemon
}

#[test]
fn they_are_there_without_being_master_and_go_in_the_end() {
    let lan = Lan::new(2);
    let node = &lan.nodes()[0];
    let watch = TableWatch::start(node.namespace());
    let mut daemon = backup(&lan, STATIC);
    let addresses = ["10.7.0.1".parse().unwrap(), "fd00:7::1".parse().unwrap()];
    assert!(node.addresses().wait(&addresses, true, PATIENCE), "{}", daemon.log_text());
    for route in ROUTES {
        watch.wait(Mark::default(), route, true);
    }
    watch.wait(Mark::default(), "lookup 73", true);
    assert!(!daemon.log_text().contains("cannot"), "{}", daemon.log_text());
    assert!(daemon.stop().success());
    assert_eq!(node.namespace().routes().len() + node.namespace().rules().len(), 0);
    assert_eq!(node.holds(&addresses), [] as [std::net::IpAddr; 0]);
}

#[test]
fn what_somebody_deletes_is_put_back() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let daemon = master(&lan, &format!("{STATIC}{}", instance("")));
    let watch = TableWatch::start(namespace);
    for (command, log) in [
        (
            "addr del fd00:7::1/64 dev inner0\n",
            "Restoring deleted static address fd00:7::1/64 dev inner0 scope global preferred_lft forever set",
        ),
        (
            "route del 10.71.0.0/16\n",
            "Restoring deleted static route prepend 10.71.0.0/16 via inet 10.7.0.9 dev inner0 proto 18",
        ),
        (
            "rule del pref 730\n",
            "Restoring deleted static rule from 10.73.0.0/16 priority 730 tos 0x0 protocol 18 lookup 73",
        ),
    ] {
        let mark = daemon.log().mark();
        namespace.ip(command);
        daemon.await_log(mark, log);
    }
    watch.wait(Mark::default(), "10.71.0.0/16", true);
    watch.wait(Mark::default(), "lookup 73", true);
    let address = ["fd00:7::1".parse().unwrap()];
    assert!(lan.nodes()[0].addresses().wait(&address, true, PATIENCE));
    assert_eq!((namespace.routes().len(), namespace.rules().len()), (3, 1));
    let log = daemon.log_text();
    assert_eq!(log.matches("Entering MASTER STATE").count(), 1, "{log}");
}

#[test]
fn an_interface_that_the_kernel_has_found_is_told() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let config = "static_routes {\n 10.72.0.0/16 via 10.9.0.9\n}\n".to_owned() + &instance("");
    let line = "prepend 10.72.0.0/16 via inet 10.9.0.9 proto 18 [dev eth0]";
    let mut daemon = master(&lan, &config);
    let watch = TableWatch::start(namespace);
    // The second one finds the route there.
    for _ in 0..2 {
        assert!(daemon.dump(Dump::State).contains(&format!(" {line}\n")), "{}", daemon.log_text());
        let (mark, seen) = (daemon.log().mark(), watch.lines().mark());
        namespace.ip("route del 10.72.0.0/16\n");
        daemon.await_log(mark, &format!("Restoring deleted static route {line}"));
        watch.wait(seen, "10.72.0.0/16", true);
        daemon.kill();
        daemon = master(&lan, &config);
    }
}

#[test]
fn what_is_not_tracked_is_not_put_back() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let before = "static_ipaddress {
    10.7.0.1/24 dev inner0 no_track
}
static_routes {
    10.71.0.0/16 dev inner0 no_track
    10.72.0.0/16 dev inner0
}
static_rules {
    from 10.73.0.0/16 table 73 priority 730 no_track
    from 10.74.0.0/16 table 74 priority 740
}
";
    let daemon = master(&lan, &format!("{before}{}", instance("")));
    let mark = daemon.log().mark();
    namespace.ip("rule del pref 730\nroute del 10.71.0.0/16\naddr del 10.7.0.1/24 dev inner0\n");
    // What comes later is known to have been heard later.
    namespace.ip("rule del pref 740\nroute del 10.72.0.0/16\n");
    daemon.await_log(mark, "Restoring deleted static rule from 10.74.0.0/16");
    daemon.await_log(mark, "Restoring deleted static route prepend 10.72.0.0/16");
    let restored = daemon.log().since(mark);
    let restored = restored.iter().filter(|line| line.text.contains("Restoring")).count();
    assert_eq!(restored, 2, "{}", daemon.log_text());
    let address = ["10.7.0.1".parse().unwrap()];
    assert_eq!(lan.nodes()[0].holds(&address), [] as [std::net::IpAddr; 0]);
}

#[test]
fn they_come_back_with_their_interface() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let daemon = master(&lan, &format!("{STATIC}{}", instance("")));
    let watch = TableWatch::start(namespace);
    let mark = watch.lines().mark();
    namespace.ip("link set inner0 down\n");
    let address = ["fd00:7::1".parse().unwrap()];
    // It is put back at once, though nobody hears it now.
    let events = lan.nodes()[0].addresses().events();
    let gone = events.wait(Mark::default(), PATIENCE, |event| {
        (event.address == address[0] && !event.present).then_some(())
    });
    assert!(gone.is_some(), "{}", daemon.log_text());
    namespace.ip("link set inner0 up\n");
    for route in ROUTES {
        watch.wait(mark, route, true);
    }
    assert!(lan.nodes()[0].addresses().wait(&address, true, PATIENCE));
    assert_eq!(namespace.routes().len(), 3, "{}", daemon.log_text());
    let log = daemon.log_text();
    assert!(!log.contains("FAULT"), "nobody shares their fate: {log}");
}

#[test]
fn a_track_group_shares_their_fate() {
    for object in [
        "static_ipaddress {\n    10.7.0.1/24 dev inner0 track_group ours\n}\n",
        "static_routes {\n    10.71.0.0/16 dev inner0 track_group ours\n}\n",
        "static_rules {\n    iif inner0 table 73 priority 730 track_group ours\n}\n",
    ] {
        let lan = Lan::new(1);
        let group = "track_group ours {\n    group {\n        web\n    }\n}\n";
        let daemon = master(&lan, &format!("{group}{object}{}", instance("")));
        let mark = daemon.log().mark();
        lan.nodes()[0].namespace().ip("link set inner0 down\n");
        daemon.await_log(mark, "(web) Entering FAULT STATE");
        lan.nodes()[0].namespace().ip("link set inner0 up\n");
        await_master(&daemon, mark);
    }
}

#[test]
fn a_reload_touches_only_what_is_different() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let daemon = master(&lan, &format!("{STATIC}{}", instance("")));
    let watch = TableWatch::start(namespace);
    let mark = watch.lines().mark();
    let changed = STATIC.replace("10.72.0.0/16 via", "10.78.0.0/16 via").replace("730", "731");
    daemon.reload(&format!("{changed}{}", instance("")));
    watch.wait(mark, "10.78.0.0/16", true);
    watch.wait(mark, "731:", true);
    watch.wait(mark, "10.72.0.0/16", false);
    watch.wait(mark, "730:", false);
    assert_eq!(watch.deleted(mark).len(), 2, "{:#?}", watch.deleted(mark));
    daemon.reload(&instance(""));
    for gone in ["10.71.0.0/16", "10.78.0.0/16", "fd71::/64", "731:"] {
        watch.wait(mark, gone, false);
    }
    assert_eq!(namespace.routes().len() + namespace.rules().len(), 0);
}

#[test]
fn what_a_killed_daemon_left_is_taken_over() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let config = format!("{STATIC}{}", instance(""));
    let mut killed = master(&lan, &config);
    killed.kill();
    let watch = TableWatch::start(namespace);
    let mark = watch.lines().mark();
    let mut daemon = master(&lan, &config);
    assert_eq!(watch.deleted(mark), [] as [&str; 0], "{}", daemon.log_text());
    assert!(daemon.stop().success());
    assert_eq!(namespace.routes().len() + namespace.rules().len(), 0, "{}", daemon.log_text());
}

/// Deleting the primary address of a subnet takes the others along, unless the kernel is told otherwise.
#[test]
fn promote_secondaries_keeps_the_address_of_a_master() {
    let lan = Lan::new(1);
    let node = &lan.nodes()[0];
    let read = || {
        let path = "/proc/sys/net/ipv4/conf/eth0/promote_secondaries";
        node.namespace().enter(|| fs::read_to_string(path).expect("it is there")).trim().to_owned()
    };
    node.namespace().sysctl("ipv4/conf/eth0/promote_secondaries", "0");
    node.namespace().ip("addr add 10.9.0.200/24 dev eth0\n");
    let mut daemon = master(&lan, &instance("    promote_secondaries\n"));
    assert_eq!(read(), "1");
    let (ours, primary) = (["10.9.0.100".parse().unwrap()], ["10.9.0.1".parse().unwrap()]);
    node.namespace().ip("addr del 10.9.0.1/24 dev eth0\n");
    assert!(node.addresses().wait(&primary, false, PATIENCE));
    assert_eq!(node.holds(&ours), ours);
    daemon.reload(&instance(""));
    daemon.await_log(Mark::default(), "Reload complete");
    assert_eq!(read(), "0");
    daemon.reload(&instance("    promote_secondaries\n"));
    let mark = daemon.log().mark();
    daemon.await_log(mark, "Reload complete");
    assert_eq!(read(), "1");
    assert!(daemon.stop().success());
    assert_eq!(read(), "0");
    let log = daemon.log_text();
    assert_eq!(log.matches("Entering BACKUP STATE\n").count(), 0, "{log}");
}
