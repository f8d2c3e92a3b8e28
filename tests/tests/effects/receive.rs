//! What becomes of the adverts of others.

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::{Advert, Binary, Captured, Daemon, Dump, Flood, Forged, Lan, Mark, PATIENCE};
use nix::sys::signal::Signal;

use crate::{await_masters, globals, instance, says, start};

/// Two instances, the second of which does something else than the first: by the first pair of the defaults and what
/// the instances say themselves, and by the second one the other way round.
fn both_ways<'a>(
    default: &'a str,
    on: &'a str,
    off: &'a str,
) -> [(&'a str, [&'a str; 2], [&'static str; 2]); 2] {
    [("", ["", on], ["plain", "other"]), (default, [off, ""], ["plain", "other"])]
}

#[test]
fn unknown_routers_are_told_of_where_that_is_wanted() {
    for (setting, told) in [("log_unknown_vrids", true), ("", false)] {
        let lan = Lan::new(2);
        let daemon = start(&lan, &(globals(setting) + &instance("web", 51, "")));
        await_masters(&daemon, &["web"]);
        let mark = daemon.log().mark();
        for vrid in [99, 51] {
            Forged::new(vrid, 200).send(lan.nodes()[1].namespace());
        }
        daemon.await_log(mark, "(web) Entering BACKUP STATE");
        assert_eq!(says(&daemon, mark, "Unknown VRID(99)"), told, "{}", daemon.log_text());
    }
}

#[test]
fn unicast_may_be_heard_from_peers_only() {
    let unicast = |lines: &str| {
        format!(
            "    unicast_src_ip 10.9.0.1\n    unicast_peer {{\n        10.9.0.2\n    }}\n{lines}"
        )
    };
    for (default, lines, [plain, other]) in
        both_ways("vrrp_check_unicast_src", "check_unicast_src", "")
    {
        let lan = Lan::new(2);
        let config = globals(default)
            + &instance(plain, 51, &unicast(lines[0]))
            + &instance(other, 52, &unicast(lines[1]));
        let daemon = start(&lan, &config);
        await_masters(&daemon, &[plain, other]);
        let mark = daemon.log().mark();
        for vrid in [52, 51] {
            let destination = Ipv4Addr::new(10, 9, 0, 1);
            let advert = Forged { destination, ..Forged::new(vrid, 200) };
            advert.send(lan.nodes()[1].namespace());
        }
        daemon.await_log(mark, "(other) unicast source address 10.9.0.77 not a unicast peer");
        // There is no way to say that one instance is not to look.
        let both = !default.is_empty();
        if both {
            daemon.await_log(mark, "(plain) unicast source address 10.9.0.77 not a unicast peer");
        } else {
            daemon.await_log(mark, "(plain) Entering BACKUP STATE");
        }
        assert!(!says(&daemon, mark, "(other) Entering BACKUP STATE"), "{}", daemon.log_text());
    }
}

#[test]
fn unicast_without_peers_may_be_a_fault() {
    let lan = Lan::new(1);
    let lines = |more: &str| format!("    unicast_src_ip 10.9.0.1\n{more}");
    let config = instance("patient", 51, &lines(""))
        + &instance("strict", 52, &lines("    unicast_fault_no_peer"));
    let daemon = start(&lan, &config);
    daemon.await_log(Mark::default(), "(strict) Cannot use unicast without any peers");
    await_masters(&daemon, &["patient"]);
    assert!(!says(&daemon, Mark::default(), "(strict) Entering MASTER"), "{}", daemon.log_text());
}

#[test]
fn the_addresses_of_a_known_master_may_be_taken_on_trust() {
    for (default, line, trusted) in
        [("", "", false), ("", "skip_check_adv_addr", true), ("vrrp_skip_check_adv_addr", "", true)]
    {
        let lan = Lan::new(2);
        let defaults = globals(&format!("log_unknown_vrids\n{default}"));
        let node = lan.nodes()[1].namespace();
        let right = Forged::new(51, 200);
        let flood = Forged::repeat(node, std::slice::from_ref(&right));
        let daemon = start(&lan, &(defaults + &instance("web", 51, line)));
        daemon.await_log(Mark::default(), "(web) master set to 10.9.0.77");
        let wrong = Forged { addresses: vec![Ipv4Addr::new(10, 9, 0, 99)], ..right };
        let _wrong = Forged::repeat(node, &[wrong, Forged::new(99, 200)]);
        drop(flood);
        // It has heard the wrong one before this one.
        daemon.await_log(Mark::default(), "Unknown VRID(99)");
        let complaint = "ip address associated with VRID 51 not present in advert";
        let found = says(&daemon, Mark::default(), complaint);
        assert_eq!(found, !trusted, "{}", daemon.log_text());
    }
}

#[test]
fn an_owner_may_ignore_another_one() {
    for (default, line, ignored) in [
        ("", "", false),
        ("", "owner_ignore_adverts", true),
        ("vrrp_owner_ignore_adverts", "", true),
    ] {
        let lan = Lan::new(2);
        let owner = |lines: &str| format!("priority 255\n    {lines}");
        let config =
            globals(default) + &instance("web", 51, &owner(line)) + &instance("humble", 52, "");
        let daemon = start(&lan, &config);
        await_masters(&daemon, &["web", "humble"]);
        let mark = daemon.log().mark();
        let adverts = [51, 52].map(|vrid| Forged::new(vrid, 255));
        let _flood = Forged::repeat(lan.nodes()[1].namespace(), &adverts);
        // Who is no owner gives in each time, after the owner has heard the same.
        daemon.await_log(mark, "(humble) Entering BACKUP STATE");
        if !ignored {
            daemon.await_log(mark, "(web) Entering BACKUP STATE");
        }
        let gave_in = says(&daemon, mark, "(web) Entering BACKUP STATE");
        assert_eq!(gave_in, !ignored, "{}", daemon.log_text());
    }
}

#[test]
fn preemption_is_given_up_and_taken_up_again() {
    let lan = Lan::new(2);
    let names = ["plain", "humble", "again", "master"];
    let lines = ["", "nopreempt", "nopreempt\n    preempt", "state MASTER\n    nopreempt"];
    let config: String = (51..)
        .zip(names.iter().zip(lines))
        .map(|(vrid, (name, lines))| instance(name, vrid, &format!("    {lines}")))
        .collect();
    let adverts = [52, 51, 53, 54].map(|vrid| Forged::new(vrid, 50));
    let _flood = Forged::repeat(lan.nodes()[1].namespace(), &adverts);
    let daemon = start(&lan, &config);
    await_masters(&daemon, &["plain", "again", "master"]);
    assert!(!says(&daemon, Mark::default(), "(humble) Entering MASTER"), "{}", daemon.log_text());
}

#[test]
fn who_slept_through_an_election_may_accept_it() {
    let lan = Lan::new(2);
    let names = ["plain", "one", "two"];
    let config = |priority: u8, lines: [&str; 3]| -> String {
        let instances = (51..).zip(names.iter().zip(lines));
        let lines = |own: &str| format!("    priority {priority}\n    {own}");
        instances.map(|(vrid, (name, own))| instance(name, vrid, &lines(own))).collect()
    };
    let careful =
        ["", "nopreempt\n    timer_expired_backup 100", "nopreempt\n    thread_timer_expired 100"];
    let daemon = start(&lan, &config(150, careful));
    await_masters(&daemon, &names);
    let second = lan.nodes()[1].namespace();
    let other = Daemon::start(&Binary::under_test(), second, &config(100, [""; 3]));
    for name in names {
        other.await_log(Mark::default(), &format!("({name}) Entering BACKUP STATE"));
    }
    let sleeper = daemon.vrrp().expect("it runs");
    sleeper.signal(Signal::SIGSTOP);
    await_masters(&other, &names);
    let mark = daemon.log().mark();
    sleeper.signal(Signal::SIGCONT);
    for name in ["one", "two"] {
        daemon.await_log(mark, &format!("({name}) Entering BACKUP STATE"));
    }
    assert!(!says(&daemon, mark, "(plain) Entering BACKUP"), "{}", daemon.log_text());
}

/// Number of the key in the trailer of an advert, if it has one.
fn key_of(captured: &Captured, vrid: u8) -> Option<(usize, Option<u8>)> {
    let advert: &Advert = captured.frame.advert().filter(|advert| advert.vrid == vrid)?;
    // Version, scheme, key and length stand before the rest.
    let trailer = advert.payload.get(12..).filter(|trailer| !trailer.is_empty());
    Some((captured.interface, trailer.and_then(|trailer| trailer.get(1).copied())))
}

#[test]
fn adverts_are_signed_with_the_active_key_and_checked_as_configured() {
    let keys = "key 3 0123456789abcdef0123456789abcdef\n        key 7 hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let hmac = |lines: &str| format!("    auth_hmac {{\n        {keys}\n        {lines}\n    }}");
    let lan = Lan::new(2);
    let modes = [
        "active_key 3",
        "active_key 7",
        "active_key 7\n        mode permissive",
        "active_key 7\n        mode receive-only",
    ];
    let config: String = (51..)
        .zip(modes)
        .map(|(vrid, lines)| instance(&format!("web{vrid}"), vrid, &hmac(lines)))
        .collect();
    let daemon = start(&lan, &config);
    let sent = |vrid| {
        let frames = lan.capture().frames();
        let found = frames.wait(Mark::default(), PATIENCE, |captured| key_of(captured, vrid));
        found.unwrap_or_else(|| panic!("nothing sent:\n{}", daemon.log_text())).1
    };
    assert_eq!([51, 52, 53, 54].map(sent), [Some(3), Some(7), Some(7), None]);
    let mark = daemon.log().mark();
    let unsigned = [51, 52, 53, 54].map(|vrid| Forged::new(vrid, 200));
    let _flood = Forged::repeat(lan.nodes()[1].namespace(), &unsigned);
    for name in ["web53", "web54"] {
        daemon.await_log(mark, &format!("({name}) Entering BACKUP STATE"));
    }
    for name in ["web51", "web52"] {
        let gave_in = says(&daemon, mark, &format!("({name}) Entering BACKUP STATE"));
        assert!(!gave_in, "{}", daemon.log_text());
    }
}

/// Adverts with the right key that somebody has recorded, three seconds old.
#[test]
fn old_adverts_are_recognised_as_configured() {
    let names = ["narrow", "usual", "growing"];
    let config = |priority: u8, lines: [&str; 3]| -> String {
        let hmac = |lines| {
            format!(
                "priority {priority}\n auth_hmac {{\n key 3 0123456789abcdef0123456789abcdef\n active_key 3\n {lines}\n }}"
            )
        };
        let instances = (51..).zip(names.iter().zip(lines));
        instances.map(|(vrid, (name, lines))| instance(name, vrid, &hmac(lines))).collect()
    };
    let lan = Lan::new(2);
    let (first, second) = (lan.nodes()[0].namespace(), lan.nodes()[1].namespace());
    let sender = Daemon::start(&Binary::under_test(), second, &config(200, [""; 3]));
    let frames = lan.capture().frames();
    let recorded = [51, 52, 53].map(|vrid| {
        let of_router = |captured: &Captured| {
            let found = captured.frame.advert().is_some_and(|advert| advert.vrid == vrid);
            found.then(|| captured.clone())
        };
        let found = frames.wait(Mark::default(), PATIENCE, of_router);
        found.unwrap_or_else(|| panic!("nothing sent:\n{}", sender.log_text()))
    });
    let latest = recorded.iter().map(|captured| captured.at).max().expect("there are three");
    let older = frames.wait(Mark::default(), PATIENCE, |captured| {
        (captured.at > latest + Duration::from_secs(3)).then_some(())
    });
    assert!(older.is_some(), "it goes on sending");
    drop(sender);
    let group = Ipv4Addr::new(224, 0, 0, 18);
    let packets = recorded.map(|captured| (group, captured.frame.bytes[14..].to_vec()));
    let _replay = Flood::start(second, "eth0", packets.to_vec(), 60);
    let lines = ["time_window 1", "anti_replay time", "anti_replay monotonic\n time_window 1"];
    let daemon = Daemon::start(&Binary::under_test(), first, &config(100, lines));
    await_masters(&daemon, &names);
    let text = daemon.dump(Dump::Json);
    let json: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let refused = |index: usize| {
        let counters = &json[index]["stats"];
        ["auth_ext_stale", "auth_ext_replay"].map(|name| counters[name].as_u64() > Some(0))
    };
    assert_eq!([0, 1, 2].map(refused), [[true, false], [false, true], [false, true]], "{text}");
    // What was never heard before is believed once where it is not too old.
    let heard = |name: &str| says(&daemon, Mark::default(), &format!("({name}) master set to"));
    assert_eq!(["narrow", "usual", "growing"].map(heard), [false, true, true]);
}
