//! Interfaces with the link-layer address of the virtual router: how they are made, what the network sees of them, and
//! that nothing of them is left.

use std::fs;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use lab::{
    Binary, Capture, Captured, Content, Daemon, Dump, Lan, Mark, Namespace, PATIENCE, Router,
    Scratch, TableWatch,
};
use nix::sys::signal::Signal;
use serde_json::Value;

fn instance(name: &str, vrid: u8, lines: &str, addresses: &[&str]) -> String {
    let addresses = addresses.join("\n        ");
    format!(
        "vrrp_instance {name} {{
    interface eth0
    virtual_router_id {vrid}
    version 3
    priority 200
    advert_int 0.1
    {lines}
    virtual_ipaddress {{
        {addresses}
    }}
}}\n"
    )
}

const ETH0: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn index(link: &Value) -> u64 {
    link["ifindex"].as_u64().expect("interfaces have numbers")
}

#[test]
fn every_form_makes_its_interface() {
    let forms = [
        ("use_vmac", "vrrp.1", "00:00:5e:00:01:01", "default"),
        ("use_vmac own2", "own2", "00:00:5e:00:01:02", "default"),
        ("use_vmac name group", "group", "00:00:5e:00:01:03", "default"),
        ("use_vmac 02:11:22:33:44:55", "vrrp.4", "02:11:22:33:44:55", "default"),
        ("use_vmac 02:11:22:33:44 own5", "own5", "02:11:22:33:44:05", "default"),
        ("use_vmac group 77", "vrrp.6", "00:00:5e:00:01:06", "77"),
    ];
    let instances = (1u8..).zip(&forms).map(|(vrid, (form, ..))| {
        let address = format!("10.9.0.{}/24", 100 + vrid);
        instance(&format!("i{vrid}"), vrid, form, &[address.as_str()])
    });
    let mut router = Router::start(&instances.collect::<String>());
    for last in 1..=forms.len() {
        router.await_addresses(&[format!("10.9.0.{}", 100 + last).as_str()], true);
    }
    for (number, (form, name, mac, group)) in (101..).zip(forms) {
        let link = router.link(name);
        assert_eq!(link["linkinfo"]["info_kind"], "macvlan", "{form}");
        assert_eq!(link["linkinfo"]["info_data"]["mode"], "private", "{form}");
        assert_eq!((&link["address"], &link["link"]), (&mac.into(), &"eth0".into()), "{form}");
        let flags = link["flags"].as_array().expect("interfaces have flags");
        assert!(flags.contains(&"UP".into()) && flags.contains(&"LOWER_UP".into()), "{form}");
        assert_eq!(link["group"], group, "{form}");
        assert_eq!(link["inet6_addr_gen_mode"], "none", "{form}");
        assert_eq!(router.holder(&format!("10.9.0.{number}")), name, "{form}");
    }
    router.stop();
}

#[test]
fn the_interface_below_gives_its_group() {
    let lan = Lan::new(1);
    lan.nodes()[0].namespace().ip("link set eth0 group 5\n");
    let router = Router::on(lan, &instance("web", 51, "use_vmac", &["10.9.0.100/24"]));
    router.await_addresses(&["10.9.0.100"], true);
    assert_eq!(router.link("vrrp.51")["group"], "5");
}

const SETTINGS: [&str; 5] =
    ["arp_ignore", "arp_filter", "rp_filter", "accept_local", "promote_secondaries"];

fn settings(namespace: &Namespace, of: &str) -> [String; 5] {
    SETTINGS.map(|setting| namespace.setting(&format!("ipv4/conf/{of}/{setting}")))
}

/// The original leaves `arp_ignore` and `arp_filter` of the interface below at 1.
#[test]
fn settings_are_set_and_put_back() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    namespace.sysctl("ipv4/conf/all/rp_filter", "2");
    namespace.sysctl("ipv4/conf/inner0/rp_filter", "1");
    namespace.sysctl("ipv4/conf/eth0/arp_ignore", "2");
    let of = ["all", "default", "eth0", "inner0", "inner1"];
    let before = of.map(|one| settings(namespace, one));
    let config = instance("v4", 51, "use_vmac", &["10.9.0.100/24"])
        + &instance("v6", 51, "use_vmac", &["fe80::100/64"]);
    let mut router = Router::on(lan, &config);
    router.await_addresses(&["10.9.0.100", "fe80::100"], true);
    let now = |of| settings(router.namespace(), of).map(|value| value.parse::<i32>().ok());
    let is = |values: [i32; 5]| values.map(Some);
    assert_eq!(now("vrrp.51"), is([1, 0, 0, 1, 1]));
    assert_eq!(now("vrrp6.51"), is([1, 0, 2, 0, 0]));
    assert_eq!(now("eth0"), is([1, 1, 2, 0, 0]));
    assert_eq!(now("inner0"), is([0, 0, 2, 0, 0]));
    assert_eq!(now("all"), is([0; 5]));
    let off = |of: &str| router.namespace().setting(&format!("ipv6/conf/{of}/disable_ipv6"));
    assert_eq!((off("vrrp.51").as_str(), off("vrrp6.51").as_str()), ("1", "0"));
    router.stop();
    assert_eq!(of.map(|one| settings(router.namespace(), one)), before);
}

/// What a killed router has changed is known to the next one, whatever that is to do.
#[test]
fn settings_of_a_killed_router_are_put_back_by_the_next() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    namespace.sysctl("ipv4/conf/all/rp_filter", "2");
    namespace.sysctl("ipv4/conf/inner0/rp_filter", "1");
    namespace.sysctl("ipv4/conf/eth0/arp_ignore", "2");
    let reports = "ipv4/igmp_link_local_mcast_reports";
    let of = ["all", "default", "eth0", "inner0", "inner1"];
    let before = of.map(|one| settings(namespace, one));
    let plain = instance("web", 51, "promote_secondaries", &["10.9.0.100/24"]);
    let changing = "global_defs {\n    disable_local_igmp\n}\n".to_owned()
        + &plain
        + &instance("v4", 52, "use_vmac", &["10.9.0.101/24"]);
    let directory = Scratch::new();
    let pid_file = directory.path().join("vrrp.pid").display().to_string();
    let start = |config: &str| {
        Daemon::start_with(&Binary::under_test(), namespace, config, &["-r", &pid_file])
    };
    let mut first = start(&changing);
    first.await_log(Mark::default(), "(v4) Entering MASTER STATE");
    let changed = of.map(|one| settings(namespace, one));
    assert_ne!(changed, before);
    first.kill();
    // It wants the same, and ends in the orderly way.
    let mut second = start(&changing);
    second.await_log(Mark::default(), "Startup complete");
    assert_eq!(of.map(|one| settings(namespace, one)), changed);
    let mark = second.log().mark();
    for child in second.process().children() {
        child.signal(Signal::SIGKILL);
    }
    second.await_log(mark, "Starting VRRP child process");
    second.await_log(mark, "(v4) Entering MASTER STATE");
    assert_eq!(of.map(|one| settings(namespace, one)), changed);
    second.stop();
    assert_eq!(of.map(|one| settings(namespace, one)), before);
    assert_eq!(namespace.setting(reports), "1");
    // It wants less, and puts back the rest when it starts; somebody else has had a say meanwhile.
    let mut third = start(&changing);
    third.await_log(Mark::default(), "(v4) Entering MASTER STATE");
    third.kill();
    namespace.sysctl("ipv4/conf/eth0/arp_filter", "0");
    namespace.ip("link del vrrp.52\n");
    let mut fourth = start(&plain);
    fourth.await_log(Mark::default(), "Startup complete");
    assert_eq!(namespace.setting("ipv4/conf/eth0/promote_secondaries"), "1");
    assert_eq!(namespace.setting("ipv4/conf/eth0/arp_ignore"), "2");
    assert_eq!(namespace.setting(reports), "1");
    fourth.stop();
    assert_eq!(of.map(|one| settings(namespace, one)), before);
    let left = fs::read_dir(directory.path()).expect("it is ours").count();
    assert_eq!(left, 0, "nothing is left behind");
}

#[test]
fn an_excluded_address_of_the_other_family_needs_ipv6() {
    let config = instance("web", 51, "use_vmac", &["10.9.0.100/24"]).replace(
        "    virtual_ipaddress {",
        "    virtual_ipaddress_excluded {\n        fd00:9::100/64\n    }\n    virtual_ipaddress {",
    );
    let router = Router::start(&config);
    router.await_addresses(&["10.9.0.100", "fd00:9::100"], true);
    assert_eq!(router.namespace().setting("ipv6/conf/vrrp.51/disable_ipv6"), "0");
    assert_eq!(router.holder("10.9.0.100"), "vrrp.51");
    assert_eq!(router.holder("fd00:9::100"), "eth0");
}

#[test]
fn the_network_sees_the_virtual_address_only() {
    let config = instance("v4", 51, "use_vmac", &["10.9.0.100/24"])
        + &instance("v6", 51, "use_vmac", &["fe80::100/64", "fd00:9::100/64"]);
    let router = Router::start(&config);
    let v4 = [0, 0, 0x5e, 0, 1, 51];
    let v6 = [0, 0, 0x5e, 0, 2, 51];
    let (advert, mac) = router.advert(true);
    assert_eq!((advert.source.to_string().as_str(), mac), ("10.9.0.1", v4));
    let (advert, mac) = router.advert(false);
    assert_eq!((advert.source.to_string().as_str(), mac), ("fe80::ff:fe00:1", v6));
    assert_eq!(router.announcement(Mark::default(), "10.9.0.100"), (v4, v4));
    assert_eq!(router.announcement(Mark::default(), "fd00:9::100"), (v6, v6));
    assert_eq!(router.holder("10.9.0.100"), "vrrp.51");
    assert_eq!(router.holder("fe80::100"), "vrrp6.51");
    // The source of adverts is for nothing else.
    let all = router.namespace().ip_json(&["addr", "show", "dev", "vrrp6.51"]);
    let source = all[0]["addr_info"].as_array().into_iter().flatten();
    let source = source.into_iter().find(|one| one["local"] == "fe80::ff:fe00:1");
    let source = source.expect("the address of adverts is there");
    assert_eq!((&source["deprecated"], &source["nodad"]), (&true.into(), &true.into()));
}

#[test]
fn adverts_over_ipv6_follow_the_address_below() {
    let router = Router::start(&instance("web", 51, "use_vmac", &["fe80::100/64"]));
    router.await_addresses(&["fe80::100"], true);
    router
        .namespace()
        .ip("addr add fe80::77/64 dev eth0 nodad\naddr del fe80::ff:fe00:1/64 dev eth0\n");
    let source: IpAddr = "fe80::77".parse().expect("it is an address");
    let mac = router.await_frame(Mark::default(), |captured| {
        captured.frame.advert().filter(|advert| advert.source == source)?;
        Some(captured.frame.sender())
    });
    assert_eq!(mac, [0, 0, 0x5e, 0, 2, 51]);
    router.await_addresses(&["fe80::ff:fe00:1"], false);
    let entered = router.daemon.log().all();
    let entered = entered.iter().filter(|line| line.text.contains("Entering MASTER STATE"));
    assert_eq!(entered.count(), 1, "{}", router.daemon.log_text());
}

#[test]
fn with_xmit_base_only_the_addresses_are_behind_the_virtual_one() {
    let lines = "use_vmac\n    vmac_xmit_base";
    let config = instance("v4", 51, lines, &["10.9.0.100/24"])
        + &instance("v6", 51, lines, &["fe80::100/64", "fd00:9::100/64"]);
    let router = Router::start(&config);
    assert_eq!(router.advert(true).1, ETH0);
    assert_eq!(router.advert(false).1, ETH0);
    let v4 = [0, 0, 0x5e, 0, 1, 51];
    assert_eq!(router.announcement(Mark::default(), "10.9.0.100"), (v4, v4));
    assert_eq!(router.holder("10.9.0.100"), "vrrp.51");
    assert_eq!(router.holder("fd00:9::100"), "vrrp6.51");
}

#[test]
fn unicast_sends_from_the_interface_below() {
    let lines = "use_vmac\n    unicast_peer {\n        10.9.0.2\n    }";
    let lan = Lan::new(2);
    let router = Router::on(lan, &instance("web", 51, lines, &["10.9.0.100/24"]));
    let (advert, mac) = router.advert(true);
    assert_eq!((advert.destination.to_string().as_str(), mac), ("10.9.0.2", ETH0));
    router.await_addresses(&["10.9.0.100"], true);
    assert_eq!(router.holder("10.9.0.100"), "vrrp.51");
}

#[test]
fn addresses_on_other_interfaces_get_their_own() {
    let global = "global_defs {\n    vmac_prefix own\n    vmac_addr_prefix far\n}\n";
    let all = "use_vmac\n    use_vmac_addr";
    let tracked = "track_interface {\n        inner0 weight 5\n    }";
    let addresses = ["10.9.0.100/24", "10.8.0.100/24 dev inner0", "10.8.0.101/24 dev inner0"];
    let config = global.to_owned()
        + &instance("all", 51, all, &addresses)
        + &instance("one", 52, tracked, &["10.9.0.102/24", "10.8.0.102/24 dev inner0 use_vmac"]);
    let mut router = Router::start(&config);
    router.await_addresses(&["10.8.0.101", "10.8.0.102", "10.9.0.102"], true);
    assert_eq!(router.holder("10.9.0.100"), "own.51");
    assert_eq!(router.holder("10.8.0.100"), "far.51");
    assert_eq!(router.holder("10.8.0.101"), "far.51");
    assert_eq!(router.holder("10.9.0.102"), "eth0");
    assert_eq!(router.holder("10.8.0.102"), "far.52");
    // What is needed is the one on it, so that it may have a weight itself.
    router.daemon.await_log(Mark::default(), "(one) Changing effective priority from 200 to 205");
    let link = router.link("far.51");
    assert_eq!((&link["link"], &link["address"]), (&"inner0".into(), &"00:00:5e:00:01:33".into()));
    router.stop();
}

#[test]
fn dumps_show_them_as_the_original_does() {
    let global = "global_defs {\n    vmac_prefix own\n    vmac_addr_prefix far\n    vrrp_check_unicast_src\n}\ninterface_up_down_delays {\n    eth0 0.05 0.2\n}\n";
    let all = "use_vmac\n    use_vmac_addr\n    dont_track_primary";
    let peers = "unicast_peer {\n        10.9.0.9\n    }
    virtual_routes {
        10.20.0.0/16 via 10.9.0.9
        fd20::/48 via fd00:9::9
        fd21::/48 via fd00:9::9 metric 5
        unreachable fd22::/48 metric 6
    }";
    let config = global.to_owned()
        + &instance("all", 51, all, &["10.9.0.100/32", "10.8.0.100/24 dev inner0"])
        + &instance("one", 52, peers, &["10.9.0.102/24", "10.8.0.102/24 dev inner0 use_vmac"]);
    let mut router = Router::start(&config);
    let addresses = ["10.9.0.100", "10.8.0.100", "10.9.0.102", "10.8.0.102"];
    router.await_addresses(&addresses, true);
    let dump = router.daemon.dump(Dump::State);
    let blocks = |title: &str| -> Vec<String> {
        let title = format!("\n {title} = ");
        let parts = dump.split(title.as_str()).skip(1);
        parts.map(str::to_owned).collect()
    };
    let shows = |blocks: &[String], name: &str, line: &str| {
        let block = blocks.iter().find(|block| block.starts_with(&format!("{name}\n")));
        let block = block.unwrap_or_else(|| panic!("there is no {name} in\n{dump}"));
        assert!(block.lines().any(|one| one.trim() == line), "{name} has no {line:?}:\n{block}");
    };
    let instances = blocks("VRRP Instance");
    shows(&instances, "all", "10.8.0.100/24 dev far.51@inner0 scope global set");
    shows(&instances, "one", "10.8.0.102/24 dev far.52@inner0 use_vmac scope global set");
    // What the global setting makes of it is not shown.
    shows(&instances, "one", "Check unicast src : no");
    let interfaces = blocks("Name");
    shows(&interfaces, "own.51", "Up debounce timer = 200000us");
    shows(&interfaces, "own.51", "all, weight 255");
    shows(&interfaces, "far.51", "Up debounce timer = 0us");
    shows(&interfaces, "far.51", "all, weight 0");
    let route = |destination: &str| {
        let line = dump.lines().find(|line| line.contains(destination));
        line.unwrap_or_else(|| panic!("there is no {destination} in\n{dump}")).to_owned()
    };
    for (destination, found) in [
        ("10.20.0.0/16", " [dev eth0]"),
        ("fd20::", ""),
        ("fd21::", " [dev eth0]"),
        ("fd22::", " [dev lo]"),
    ] {
        let line = route(destination);
        let end = line.find(" [dev").map_or("", |at| &line[at..]);
        assert_eq!(end, found, "{line}");
    }
    let mark = router.daemon.log().mark();
    router.namespace().ip("link set eth0 down\n");
    router.daemon.await_log(mark, "(one) Entering FAULT STATE");
    let own = "Use VMAC, i/f name own.51, is_up = true, xmit_base = false";
    assert!(router.daemon.dump(Dump::State).contains(own), "it is set up, whatever eth0 is");
    router.stop();
}

/// How often `address` was announced from the outset.
fn announcements(router: &Router, address: &str) -> usize {
    let address: IpAddr = address.parse().expect("it is an address");
    let frames = router.lan.capture().frames().all();
    let claims = frames.iter().filter(|captured| {
        matches!(&captured.frame.content, Content::Arp(claim) if claim.address == address)
    });
    claims.count()
}

#[test]
fn interfaces_without_adverts_are_kept_known() {
    let lines = "use_vmac\n    use_vmac_addr\n    garp_master_delay 0\n    garp_master_repeat 1\n    garp_extra_if 1";
    let config = instance(
        "web",
        51,
        lines,
        &["10.9.0.100/24", "10.8.0.100/24 dev inner0", "10.8.0.101/24 dev inner0"],
    );
    // What leaves by `inner0` comes in by its other end.
    let lan = Lan::new(1);
    let inner = Capture::start(lan.nodes()[0].namespace(), Some("eth0"));
    let router = Router::on(lan, &config);
    let far: IpAddr = "10.8.0.100".parse().expect("it is an address");
    let mut count = 0;
    let again = inner.frames().wait(Mark::default(), PATIENCE, |captured| {
        let Content::Arp(claim) = &captured.frame.content else { return None };
        let ours = claim.address == far && claim.holder == [0, 0, 0x5e, 0, 1, 51];
        count += usize::from(ours);
        (count == 4).then_some(captured.at)
    });
    assert!(again.is_some(), "only {count}\n{}", router.daemon.log_text());
    assert_eq!(announcements(&router, "10.9.0.100"), 1);
}

#[test]
fn a_killed_one_is_taken_over() {
    let config = instance("v4", 51, "use_vmac", &["10.9.0.100/24"])
        + &instance("v6", 51, "use_vmac", &["fe80::100/64"]);
    let mut router = Router::start(&config);
    router.await_addresses(&["10.9.0.100", "fe80::100"], true);
    let indexes = |router: &Router| ["vrrp.51", "vrrp6.51"].map(|name| index(&router.link(name)));
    let before = indexes(&router);
    router.daemon.kill();
    let changes = router.lan.nodes()[0].addresses().events().mark();
    let mut router = Router::on(router.lan, &config);
    router.daemon.await_log(Mark::default(), "(v4) Entering MASTER STATE");
    router.daemon.await_log(Mark::default(), "(v6) Entering MASTER STATE");
    router.advert(true);
    assert_eq!(indexes(&router), before);
    let vips: [IpAddr; 2] = ["10.9.0.100", "fe80::100"].map(|text| text.parse().expect("it is"));
    let events = router.lan.nodes()[0].addresses().events().since(changes);
    let lost = events.iter().filter(|event| !event.present && vips.contains(&event.address));
    assert_eq!(lost.count(), 0, "{}", router.daemon.log_text());
    router.stop();
}

/// The kernel takes some twenty milliseconds to remove an interface, and the parent has five seconds of patience.
#[test]
fn many_are_gone_in_time() {
    let instances = (1..=250u8).map(|vrid| {
        let address = format!("10.9.1.{vrid}/32");
        instance(&format!("i{vrid}"), vrid, "use_vmac", &[address.as_str()])
    });
    let config = instances.collect::<String>().replace("advert_int 0.1", "advert_int 1");
    let mut router = Router::start(&config);
    router.daemon.await_log(Mark::default(), "Startup complete");
    assert!(router.namespace().link("vrrp.250").is_some());
    let began = Instant::now();
    router.stop();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn deleted_or_renamed_by_somebody_else_it_is_made_again() {
    let mut router = Router::start(&instance("web", 51, "use_vmac", &["10.9.0.100/24"]));
    for change in ["link del vrrp.51\n", "link set vrrp.51 name mine\n"] {
        router.await_addresses(&["10.9.0.100"], true);
        let (before, mark) = (index(&router.link("vrrp.51")), router.daemon.log().mark());
        router.namespace().ip(change);
        router.daemon.await_log(mark, "(web) Entering FAULT STATE");
        router.daemon.await_log(mark, "(web) Entering BACKUP STATE");
        router.daemon.await_log(mark, "(web) Entering MASTER STATE");
        assert_ne!(index(&router.link("vrrp.51")), before);
        assert_eq!(router.namespace().link("mine"), None);
        let (_, mac) = router.advert(true);
        assert_eq!(mac, [0, 0, 0x5e, 0, 1, 51]);
    }
    router.stop();
}

#[test]
fn taken_down_it_is_a_fault() {
    let router = Router::start(&instance("web", 51, "use_vmac", &["10.9.0.100/24"]));
    router.await_addresses(&["10.9.0.100"], true);
    let mark = router.daemon.log().mark();
    router.namespace().ip("link set vrrp.51 down\n");
    router.daemon.await_log(mark, "(web) Entering FAULT STATE");
    router.namespace().ip("link set vrrp.51 up\n");
    router.daemon.await_log(mark, "(web) Entering MASTER STATE");
    router.await_addresses(&["10.9.0.100"], true);
}

#[test]
fn a_reload_makes_and_removes_them() {
    let plain = instance("web", 51, "", &["10.9.0.100/24"]);
    let vmac = instance("web", 51, "use_vmac", &["10.9.0.100/24"]);
    let mut router = Router::start(&plain);
    router.await_addresses(&["10.9.0.100"], true);
    let reload = |config: &str| {
        let mark = router.daemon.log().mark();
        router.daemon.reload(config);
        router.daemon.await_log(mark, "Entering MASTER STATE");
        // They follow the advert, which follows that line.
        router.await_addresses(&["10.9.0.100"], true);
    };
    reload(&vmac);
    assert_eq!(router.holder("10.9.0.100"), "vrrp.51");
    let number = index(&router.link("vrrp.51"));
    // What stays the same is not touched.
    let mark = router.daemon.log().mark();
    let more = instance("web", 51, "use_vmac", &["10.9.0.100/24", "10.9.0.101/24"]);
    router.daemon.reload(&more);
    router.daemon.await_log(mark, "Reload complete");
    router.await_addresses(&["10.9.0.100", "10.9.0.101"], true);
    assert_eq!(index(&router.link("vrrp.51")), number);
    reload(&plain);
    router.await_addresses(&["10.9.0.101"], false);
    assert_eq!(router.holder("10.9.0.100"), "eth0");
    assert_eq!(router.namespace().link("vrrp.51"), None);
    router.stop();
}

#[test]
fn reports_of_local_groups_can_be_turned_off() {
    let global = "global_defs {\n    disable_local_igmp\n}\n";
    let lan = Lan::new(1);
    let reports = "ipv4/igmp_link_local_mcast_reports";
    assert_eq!(lan.nodes()[0].namespace().setting(reports), "1");
    let config = global.to_owned() + &instance("web", 51, "use_vmac", &["10.9.0.100/24"]);
    let mut router = Router::on(lan, &config);
    router.await_addresses(&["10.9.0.100"], true);
    assert_eq!(router.namespace().setting(reports), "0");
    router.daemon.process().signal(Signal::SIGTERM);
    router.daemon.wait();
    assert_eq!(router.namespace().setting(reports), "1");
    let igmp = router.lan.capture().frames().all();
    let igmp = igmp.iter().filter(|one| one.frame.bytes.get(23) == Some(&2));
    let igmp = igmp.filter(|one| one.frame.bytes.get(12..14) == Some(&[8, 0]));
    assert_eq!(igmp.count(), 0);
}

/// What a report of IGMPv3 or MLDv2 tells: who sends it, which group it is about, and whether that is joined.
fn reported(captured: &Captured) -> Vec<([u8; 6], IpAddr, bool)> {
    let bytes = &captured.frame.bytes;
    let (message, size) = match (bytes.get(12..14), bytes.get(20), bytes.get(23)) {
        (Some([8, 0]), _, Some(2)) => (14 + 4 * usize::from(bytes[14] & 15), 4),
        // Behind the header for routers.
        (Some([0x86, 0xdd]), Some(0), _) => (62, 16),
        _ => return Vec::new(),
    };
    let Some(mut records) = bytes.get(message + 8..) else { return Vec::new() };
    let mut told = Vec::new();
    while let Some(&[kind, _, _, sources]) = records.get(..4) {
        let group = match records.get(4..4 + size) {
            Some(&[a, b, c, d]) => IpAddr::from([a, b, c, d]),
            Some(octets) => <[u8; 16]>::try_from(octets).expect("there are sixteen").into(),
            None => break,
        };
        // With sources to exclude, of which there are none, a group is joined; with none to include it is left.
        told.push((captured.frame.sender(), group, kind == 4));
        records = records.get(4 + size * (1 + usize::from(sources))..).unwrap_or_default();
    }
    told
}

/// Switches learn where to send adverts to by the port of the interface below, not by the address of the virtual router,
/// which is where the master is. As the original, whichever it is.
#[test]
fn groups_are_joined_and_left_by_the_interface_below() {
    let config = instance("v4", 51, "use_vmac", &["10.9.0.100/24"])
        + &instance("v6", 51, "use_vmac", &["fe80::100/64", "fd00:9::100/64"]);
    for binary in [Binary::under_test(), Binary::peer()] {
        let lan = Lan::new(1);
        let mut daemon = Daemon::start(&binary, lan.nodes()[0].namespace(), &config);
        daemon.await_log(Mark::default(), "(v4) Entering MASTER STATE");
        daemon.await_log(Mark::default(), "(v6) Entering MASTER STATE");
        let frames = lan.capture().frames();
        let await_report = |mark, group: &str, joined| {
            let group: IpAddr = group.parse().expect("it is an address");
            let found = frames.wait(mark, PATIENCE, |captured| {
                reported(captured).contains(&(ETH0, group, joined)).then_some(())
            });
            assert!(
                found.is_some(),
                "{group} {joined} by {}:\n{}",
                binary.version(),
                daemon.log_text()
            );
        };
        // The last one is for whoever looks for fe80::100.
        let groups = ["224.0.0.18", "ff02::12", "ff02::1:ff00:100"];
        for group in groups {
            await_report(Mark::default(), group, true);
        }
        let mark = frames.mark();
        daemon.process().signal(Signal::SIGTERM);
        for group in groups {
            await_report(mark, group, false);
        }
        daemon.wait();
        let all = frames.all();
        let told: Vec<_> = all.iter().flat_map(reported).collect();
        assert!(told.iter().all(|(from, ..)| *from == ETH0), "{told:?}");
    }
}

#[test]
fn listeners_hear_of_the_interface_below() {
    let heard = |form: &str| {
        let lan = Lan::new(1);
        let watch = TableWatch::with(lan.nodes()[0].namespace(), &["link"]);
        let router = Router::on(lan, &instance("web", 51, form, &["10.9.0.100/24"]));
        router.await_addresses(&["10.9.0.100"], true);
        router.namespace().ip("link set inner1 down\n");
        let mut heard = 0;
        let end = watch.lines().wait(Mark::default(), PATIENCE, |line| {
            heard += usize::from(line.contains(": eth0@"));
            line.contains(": inner1@").then_some(())
        });
        assert!(end.is_some(), "the listener is deaf");
        heard
    };
    assert_eq!(heard("use_vmac netlink_notify_msg"), heard("use_vmac") + 1);
}
