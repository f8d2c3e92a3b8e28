//! What is sent, when, from where and to where.

use std::time::{Duration, SystemTime};

use lab::{Advert, Binary, Capture, Captured, Daemon, Forged, Lan, LogLine, Mark, PATIENCE};

use crate::{announces, await_frames, await_masters, between, globals, instance, start};

/// The sizes of the bursts that `times` fall into.
fn bursts(times: &[SystemTime]) -> Vec<usize> {
    let mut sizes = vec![1];
    for pair in times.windows(2) {
        match sizes.last_mut() {
            Some(size) if between(pair[0], pair[1]) < Duration::from_millis(300) => *size += 1,
            _ => sizes.push(1),
        }
    }
    sizes
}

/// The bursts in which `address` is announced after `mark`, so many frames in all.
#[track_caller]
fn announcements(lan: &Lan, mark: Mark, address: &str, count: usize) -> Vec<usize> {
    bursts(&await_frames(lan, mark, count, |captured| announces(captured, address)))
}

#[test]
fn a_new_master_announces_as_often_as_configured() {
    let lan = Lan::new(1);
    let defaults = globals(
        "vrrp_garp_master_delay 1
vrrp_garp_master_repeat 3
vrrp_garp_master_refresh 1
vrrp_garp_master_refresh_repeat 2",
    );
    let own = "priority 255
    garp_master_delay 0
    garp_master_repeat 1
    garp_master_refresh 1
    garp_master_refresh_repeat 4";
    let config = defaults + &instance("all", 51, "priority 255") + &instance("own", 52, own);
    let daemon = start(&lan, &config);
    assert_eq!(announcements(&lan, Mark::default(), "10.9.0.51", 8), [3, 3, 2]);
    assert_eq!(announcements(&lan, Mark::default(), "10.9.0.52", 9), [1, 4, 4]);
    // The log tells of each burst.
    let burst = "(own) Sending/queueing gratuitous ARPs on eth0 for 10.9.0.52";
    let told = |lines: &[LogLine]| lines.iter().filter(|line| line.text == burst).count() >= 3;
    assert!(daemon.log().wait_until(PATIENCE, told), "{}", daemon.log_text());
}

#[test]
fn few_announcements_are_one() {
    let lan = Lan::new(1);
    let defaults = globals("vrrp_min_garp");
    let _daemon = start(&lan, &(defaults + &instance("web", 51, "priority 255")));
    let last = |captured: &Captured| captured.frame.advert().is_some();
    await_frames(&lan, Mark::default(), 5, last);
    let frames = lan.capture().frames().all();
    assert_eq!(frames.iter().filter(|captured| announces(captured, "10.9.0.51")).count(), 1);
}

#[test]
fn a_router_of_lower_priority_is_contradicted_as_often_as_configured() {
    let lan = Lan::new(2);
    let defaults = globals(
        "vrrp_garp_master_delay 0
vrrp_garp_master_repeat 1
vrrp_garp_lower_prio_delay 1
vrrp_garp_lower_prio_repeat 4",
    );
    let own = "priority 255\n    garp_lower_prio_delay 0\n    garp_lower_prio_repeat 2";
    let config = defaults + &instance("all", 51, "priority 255") + &instance("own", 52, own);
    let daemon = start(&lan, &config);
    await_masters(&daemon, &["all", "own"]);
    for address in ["10.9.0.51", "10.9.0.52"] {
        announcements(&lan, Mark::default(), address, 1);
    }
    let mark = lan.capture().frames().mark();
    for vrid in [51, 52] {
        Forged::new(vrid, 50).send(lan.nodes()[1].namespace());
    }
    assert_eq!(announcements(&lan, mark, "10.9.0.51", 8), [4, 4]);
    let frames = lan.capture().frames().since(mark);
    assert_eq!(frames.iter().filter(|captured| announces(captured, "10.9.0.52")).count(), 2);
}

/// The shortest time between two frames.
fn pace(times: &[SystemTime]) -> Duration {
    times.windows(2).map(|pair| between(pair[0], pair[1])).min().unwrap_or_default()
}

#[test]
fn announcements_keep_their_distance() {
    let six = "vrrp_instance six {
    interface eth0
    virtual_router_id 53
    priority 255
    advert_int 0.1
    virtual_ipaddress {
        fe80::53/64
    }
}\n";
    let config = instance("web", 51, "priority 255") + six;
    for pace_keeping in [
        globals("vrrp_garp_interval 0.15\nvrrp_gna_interval 0.25"),
        "garp_group {\n    garp_interval 0.15\n    gna_interval 0.25\n    interface eth0\n}\n".to_owned(),
        "garp_group {\n    garp_interval 0.15\n    gna_interval 0.25\n    interfaces {\n        inner0\n        eth0\n    }\n}\n".to_owned(),
    ] {
        let lan = Lan::new(1);
        let _daemon = start(&lan, &(pace_keeping + &config));
        for (address, distance) in [("10.9.0.51", 150), ("fe80::53", 250)] {
            let times =
                await_frames(&lan, Mark::default(), 5, |captured| announces(captured, address));
            assert!(pace(&times) > Duration::from_millis(distance - 20), "{:?}", pace(&times));
        }
    }
}

#[test]
fn interfaces_without_adverts_get_announcements_of_their_own() {
    let vmac = |name: &str, vrid: u8, lines: &str| {
        instance(name, vrid, &format!("    priority 255\n    use_vmac\n    use_vmac_addr\n{lines}"))
            .replace("0.1\n", "0.1\n    garp_master_repeat 1\n    garp_master_delay 0\n")
            .replace("/24\n", &format!("/24\n        10.8.0.{vrid}/24 dev inner0\n"))
    };
    for config in [
        globals("vrrp_garp_extra_if all 1") + &vmac("web", 51, ""),
        globals("vrrp_vmac_garp_intvl all 1") + &vmac("web", 51, ""),
        vmac("web", 51, "    vmac_garp_intvl all 1"),
    ] {
        let lan = Lan::new(1);
        // What leaves by `inner0` comes in by its other end.
        let inner = Capture::start(lan.nodes()[0].namespace(), Some("eth0"));
        let daemon = start(&lan, &config);
        let mut count = 0;
        let again = inner.frames().wait(Mark::default(), PATIENCE, |captured| {
            count += usize::from(announces(captured, "10.8.0.51"));
            (count == 2).then_some(())
        });
        assert!(again.is_some(), "only {count}\n{}", daemon.log_text());
    }
}

/// The first advert of a virtual router.
#[track_caller]
fn advert(lan: &Lan, vrid: u8) -> Advert {
    let frames = lan.capture().frames();
    let found = frames.wait(Mark::default(), PATIENCE, |captured| {
        captured.frame.advert().filter(|advert| advert.vrid == vrid).cloned()
    });
    found.expect("there is an advert")
}

#[test]
fn adverts_go_from_where_to_where_the_configuration_says() {
    let lan = Lan::new(1);
    lan.nodes()[0].namespace().ip("addr add 10.9.0.41/24 dev eth0\n");
    let bare = "vrrp_instance bare {
    interface eth0
    virtual_router_id 53
    priority 255
    advert_int 0.1
    native_ipv6
    no_virtual_ipaddress
}\n";
    let elsewhere = "priority 255\n    mcast_src_ip 10.9.0.41\n    mcast_dst_ip 224.0.0.98";
    let old =
        instance("old", 54, "priority 255").replace("    version 3\n    advert_int 0.1\n", "");
    let config = globals(
        "vrrp_mcast_group4 224.0.0.97
vrrp_mcast_group6 ff02::77
vrrp_version 2",
    ) + &instance("all", 51, "priority 255")
        + &instance("own", 52, elsewhere)
        + bare
        + &old;
    let _daemon = start(&lan, &config);
    let way = |vrid| {
        let advert = advert(&lan, vrid);
        (advert.source.to_string(), advert.destination.to_string(), advert.version)
    };
    assert_eq!(way(51), ("10.9.0.1".into(), "224.0.0.97".into(), 3));
    assert_eq!(way(52), ("10.9.0.41".into(), "224.0.0.98".into(), 3));
    assert_eq!(way(53), ("fe80::ff:fe00:1".into(), "ff02::77".into(), 3));
    assert_eq!(advert(&lan, 53).addresses, [] as [std::net::IpAddr; 0]);
    assert_eq!(way(54).2, 2);
}

#[test]
fn a_start_may_be_put_off() {
    // The clock of the second one is a part of a second further.
    for (booted_ago, lines, least) in
        [(None, "vrrp_startup_delay 0.7", 0.6), (Some(100), "vrrp_delay_after_boot 101.6", 0.5)]
    {
        let lan = Lan::new(1);
        let begun = SystemTime::now();
        let binary = Binary::under_test();
        let binary = match booted_ago {
            Some(seconds) => binary.booted_ago(seconds),
            None => binary,
        };
        let config = globals(lines) + &instance("web", 51, "priority 255");
        let daemon = Daemon::start(&binary, lan.nodes()[0].namespace(), &config);
        await_masters(&daemon, &["web"]);
        let is_advert = |captured: &Captured| captured.frame.advert().is_some();
        let first = await_frames(&lan, Mark::default(), 1, is_advert)[0];
        let waited = between(begun, first).as_secs_f64();
        assert!(waited > least && waited < 4.0, "{lines}: {waited}");
    }
}

#[test]
fn a_master_may_keep_silent_when_it_hears_lower_priorities() {
    let slow = |name, vrid, lines: &str| instance(name, vrid, lines).replace("0.1\n", "30\n");
    for (defaults, silent, [off, on]) in [
        ("", [false, true], ["", "lower_prio_no_advert"]),
        ("vrrp_lower_prio_no_advert", [true, false], ["", "lower_prio_no_advert off"]),
    ] {
        let lan = Lan::new(2);
        let config = globals(defaults)
            + &slow("all", 51, &format!("priority 255\n    {off}"))
            + &slow("own", 52, &format!("priority 255\n    {on}"));
        let daemon = start(&lan, &config);
        await_masters(&daemon, &["all", "own"]);
        for vrid in [51, 52] {
            advert(&lan, vrid);
        }
        let mark = lan.capture().frames().mark();
        // The silent one hears it first, so that the answer of the other one comes later.
        let (first, second) = if silent[0] { (51, 52) } else { (52, 51) };
        let node = lan.nodes()[1].namespace();
        Forged::new(first, 50).send(node);
        Forged::new(second, 50).send(node);
        let is_ours = |captured: &Captured, vrid| {
            lan.sender(captured) == Some(0)
                && captured.frame.advert().is_some_and(|advert| advert.vrid == vrid)
        };
        await_frames(&lan, mark, 1, |captured| is_ours(captured, second));
        let frames = lan.capture().frames().since(mark);
        let spoke = frames.iter().any(|captured| is_ours(captured, first));
        assert!(!spoke, "{}", daemon.log_text());
    }
}

#[test]
fn a_master_may_speak_once_more_before_it_gives_in() {
    for (defaults, lines, last_words) in [
        ("", "", false),
        ("", "higher_prio_send_advert", true),
        ("vrrp_higher_prio_send_advert", "", true),
        ("vrrp_higher_prio_send_advert", "higher_prio_send_advert off", false),
    ] {
        let lan = Lan::new(2);
        let config =
            instance("web", 51, &format!("priority 200\n    down_timer_adverts 1\n    {lines}"));
        let daemon = start(&lan, &(globals(defaults) + &config.replace("0.1\n", "1\n")));
        await_masters(&daemon, &["web"]);
        advert(&lan, 51);
        let (mark, log) = (lan.capture().frames().mark(), daemon.log().mark());
        Forged::new(51, 254).send(lan.nodes()[1].namespace());
        daemon.await_log(log, "(web) Entering BACKUP STATE");
        // The network has carried it once this comes after it.
        lan.nodes()[0].namespace().ip("link set eth0 down\n");
        daemon.await_log(log, "(web) Entering FAULT STATE");
        let frames = lan.capture().frames().since(mark);
        let spoke = frames.iter().any(|captured| {
            lan.sender(captured) == Some(0)
                && captured.frame.advert().is_some_and(|advert| advert.priority == 200)
        });
        assert_eq!(spoke, last_words, "{defaults} {lines}\n{}", daemon.log_text());
    }
}
