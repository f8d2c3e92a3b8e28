//! Virtual routes: every keyword in the kernel, and what becomes of them when the master changes, somebody deletes one,
//! the configuration changes, or the daemon ends in one way or the other.

use lab::objects::{Recorded, await_master, instance, master};
use lab::{Binary, Daemon, Float, Lan, Mark, Pair, TableWatch};

fn routes(list: &[&str]) -> String {
    let list: String = list.iter().map(|route| format!("        {route}\n")).collect();
    format!("    virtual_routes {{\n{list}    }}\n")
}

const WAYS: &[&str] =
    &["10.100.0.0/16 via 10.9.0.9", "10.101.0.0/16 dev eth0", "fd10::/64 via fd00:9::9"];

fn with_ways() -> String {
    instance(&routes(WAYS))
}

#[test]
fn every_keyword_is_seen_in_the_kernel() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let recorded = Recorded::named("routes");
    let mut daemon = master(&lan, &recorded.config());
    recorded.assert_equal(namespace.routes(), &daemon);
    assert!(daemon.stop().success());
    assert_eq!(namespace.routes().len(), 0, "{:#?}", namespace.routes());
}

/// What 2.4.3 does not understand, or the kernel does not take from it.
#[test]
fn more_is_understood_than_by_the_original() {
    let lan = Lan::new(1);
    let lines = routes(&[
        "to unicast 10.100.0.0/16 via 10.9.0.9",
        "inet6 default via fd00:9::9",
        "local 10.110.0.0/16 dev eth0",
        "broadcast 10.111.0.0/16 dev eth0",
        "10.120.0.0/16 dev eth0 nexthop via 10.9.0.9 nexthop via 10.9.0.8",
        "fd1d::/64 nexthop via fd00:9::9 dev eth0 encap ip6 id 9 dst fd00:9::9 nexthop via fd00:9::8 dev eth0",
    ]);
    let daemon = master(&lan, &instance(&lines));
    let routes = lan.nodes()[0].namespace().routes();
    assert_eq!(routes.len(), 6, "{routes:#?}{}", daemon.log_text());
    assert!(routes.iter().any(|route| route.contains(r#""encap":"ip6""#)), "{routes:#?}");
}

#[test]
fn routes_move_with_the_master() {
    let float = Float::new(51, &["10.9.0.100"]);
    let config = |priority: u8| instance(&format!("    priority {priority}\n{}", routes(WAYS)));
    let binaries = [(); 2].map(|()| Binary::under_test());
    let mut pair = Pair::new(binaries, [config(200), config(100)]);
    let held = |pair: &Pair| [0, 1].map(|node| pair.lan().nodes()[node].namespace().routes().len());
    pair.start(0);
    pair.start(1);
    pair.await_master(&float, 0);
    assert_eq!(held(&pair), [3, 0], "{}", pair.logs());
    let watch = TableWatch::start(pair.lan().nodes()[1].namespace());
    pair.lan().nodes()[0].link_down();
    pair.await_master(&float, 1);
    watch.wait(Mark::default(), "10.101.0.0/16", true);
    assert_eq!(held(&pair), [0, 3], "{}", pair.logs());
    pair.lan().nodes()[0].link_up();
    pair.await_master(&float, 0);
    watch.wait(Mark::default(), "10.101.0.0/16", false);
    assert_eq!(held(&pair), [3, 0], "{}", pair.logs());
}

#[test]
fn a_master_that_loses_a_route_steps_back_for_a_moment() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let daemon = master(&lan, &with_ways());
    for gone in ["10.100.0.0/16", "fd10::/64"] {
        let mark = daemon.log().mark();
        namespace.ip(&format!("route del {gone}\n"));
        daemon.await_log(mark, "(web) Entering BACKUP STATE");
        await_master(&daemon, mark);
        assert_eq!(namespace.routes().len(), 3, "{}", daemon.log_text());
    }
}

#[test]
fn a_route_without_tracking_is_left_to_whoever_deletes_it() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let lines = routes(&["10.100.0.0/16 via 10.9.0.9 no_track", "10.101.0.0/16 dev eth0"]);
    let daemon = master(&lan, &instance(&lines));
    let mark = daemon.log().mark();
    namespace.ip("route del 10.100.0.0/16\n");
    // What comes later is known to have been heard later.
    namespace.ip("route del 10.101.0.0/16\n");
    daemon.await_log(mark, "(web) Entering BACKUP STATE");
    let changes = daemon.log().since(mark);
    assert_eq!(changes.iter().filter(|line| line.text.contains("BACKUP STATE")).count(), 1);
    // It is a new start for all of them.
    await_master(&daemon, mark);
    assert_eq!(namespace.routes().len(), 2, "{}", daemon.log_text());
}

#[test]
fn routes_without_tracking_go_with_the_master() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let lines = routes(&["10.100.0.0/16 via 10.9.0.9 protocol 99 no_track"]);
    let mut daemon = master(&lan, &instance(&lines));
    assert_eq!(namespace.routes().len(), 1);
    assert!(daemon.stop().success());
    assert_eq!(namespace.routes().len(), 0, "{}", daemon.log_text());
}

#[test]
fn a_reload_touches_only_what_is_different() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let daemon = master(&lan, &with_ways());
    let watch = TableWatch::start(namespace);
    let mark = watch.lines().mark();
    let changed = [
        "10.100.0.0/16 via 10.9.0.8",
        "10.101.0.0/16 dev eth0 mtu 1400",
        WAYS[2],
        "10.102.0.0/16 dev eth0",
    ];
    daemon.reload(&instance(&routes(&changed)));
    watch.wait(mark, "10.102.0.0/16", true);
    watch.wait(mark, "10.100.0.0/16 via 10.9.0.9", false);
    watch.wait(mark, "mtu 1400", true);
    let deleted = watch.deleted(mark);
    assert!(deleted.iter().all(|line| !line.starts_with("fd10::/64")), "{deleted:#?}");
    assert_eq!(deleted.len(), 2, "{deleted:#?}");
    let lines = watch.lines().since(mark);
    let place = |text: &str| lines.iter().position(|line| line.starts_with(text));
    let (new, old) =
        (place("10.100.0.0/16 via 10.9.0.8"), place("Deleted 10.100.0.0/16 via 10.9.0.9"));
    assert!(new < old, "the old way went before the new one was there: {lines:#?}");
    daemon.reload(&instance(""));
    for gone in ["10.100.0.0/16 via 10.9.0.8", "10.101.0.0/16", "10.102.0.0/16", "fd10::/64"] {
        watch.wait(mark, gone, false);
    }
    let log = daemon.log_text();
    assert_eq!(log.matches("Entering MASTER STATE").count(), 1, "{log}");
}

#[test]
fn what_a_killed_master_left_is_taken_over() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let mut killed = master(&lan, &with_ways());
    killed.kill();
    assert_eq!(namespace.routes().len(), 3);
    let watch = TableWatch::start(namespace);
    let mark = watch.lines().mark();
    // One of the routes is no longer wanted by name, but nobody knows whose it is.
    let daemon = master(&lan, &instance(&routes(&WAYS[..2])));
    assert_eq!(watch.deleted(mark), [] as [&str; 0], "{}", daemon.log_text());
    assert_eq!(namespace.routes().len(), 3, "{}", daemon.log_text());
}

#[test]
fn a_backup_removes_what_a_killed_master_left() {
    let lan = Lan::new(2);
    let namespace = lan.nodes()[0].namespace();
    let mut killed = master(&lan, &with_ways());
    killed.kill();
    let better = instance(&format!("    priority 200\n{}", routes(WAYS)));
    let rival = Daemon::start(&Binary::under_test(), lan.nodes()[1].namespace(), &better);
    rival.await_log(Mark::default(), "(web) Entering MASTER STATE");
    let watch = TableWatch::start(namespace);
    let daemon = Daemon::start(&Binary::under_test(), namespace, &with_ways());
    for gone in ["10.100.0.0/16", "10.101.0.0/16", "fd10::/64"] {
        watch.wait(Mark::default(), gone, false);
    }
    assert_eq!(namespace.routes().len(), 0, "{}", daemon.log_text());
}

#[test]
fn a_refused_route_is_told_and_holds_up_nothing() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let watch = TableWatch::start(namespace);
    let lines = routes(&["10.99.0.0/16 via 10.77.0.9", "10.100.0.0/16 via 10.9.0.9"]);
    let daemon = master(&lan, &instance(&lines));
    daemon.await_log(
        Mark::default(),
        "cannot add route 10.99.0.0/16 via 10.77.0.9: Network is unreachable",
    );
    assert_eq!(namespace.routes().len(), 1, "{}", daemon.log_text());
    // It comes as soon as it can.
    namespace.ip("addr add 10.77.0.1/24 dev eth0\n");
    watch.wait(Mark::default(), "10.99.0.0/16", true);
    let log = daemon.log_text();
    assert_eq!(log.matches("cannot add route").count(), 1, "{log}");
}

#[test]
fn the_interface_of_a_route_matters_unless_it_is_not_tracked() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let daemon = master(&lan, &instance(&routes(&["10.100.0.0/16 dev inner0"])));
    let mark = daemon.log().mark();
    namespace.ip("link set inner0 down\n");
    daemon.await_log(mark, "(web) Entering FAULT STATE");
    namespace.ip("link set inner0 up\n");
    await_master(&daemon, mark);
    assert_eq!(namespace.routes().len(), 1, "{}", daemon.log_text());
    drop(daemon);

    let daemon = master(&lan, &instance(&routes(&["10.100.0.0/16 dev inner0 no_track"])));
    let watch = TableWatch::start(namespace);
    let mark = daemon.log().mark();
    namespace.ip("link set inner0 down\n");
    namespace.ip("link set inner0 up\n");
    // The kernel has removed it silently, and it is put back.
    watch.wait(Mark::default(), "10.100.0.0/16", true);
    let states = daemon.log().since(mark);
    assert!(states.iter().all(|line| !line.text.contains("STATE")), "{states:#?}");
}
