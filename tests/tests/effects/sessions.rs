//! What the packets of BFD sessions say (RFC 5880 §4.1), and who hears of their state.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use lab::{Binary, Captured, Control, Daemon, Lan, Mark, PATIENCE};

use crate::{await_frames, between, instance, says, start};

/// What a test looks at.
fn told(said: &Control) -> (IpAddr, [u8; 3], u16, u32, u32) {
    (said.source, [said.ttl, said.class, said.multiplier], said.port, said.min_tx, said.min_rx)
}

fn last_byte(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    }
}

fn session(name: &str, neighbour: &str, lines: &str) -> String {
    format!("bfd_instance {name} {{\n    neighbor_ip {neighbour}\n{lines}\n}}\n")
}

#[test]
fn packets_say_what_is_configured() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    namespace.ip("addr add 10.9.0.41/24 dev eth0\n");
    for last in 101..=104 {
        let neighbour = format!("10.9.0.{last} lladdr 02:00:00:00:00:ff dev eth0");
        namespace.ip(&format!("neigh add {neighbour} nud permanent\n"));
    }
    let own = "    source_ip 10.9.0.41\n    min_rx 70\n    min_tx 60\n    idle_tx 1000\n    multiplier 4\n    ttl 254";
    let config = session("own", "10.9.0.101", own)
        + &session("far", "10.9.0.102", "    source_ip 10.9.0.1\n    multihop\n    hoplimit 33")
            .replace("neighbor_ip", "neighbour_ip")
        + &session("quiet", "10.9.0.103", "    source_ip 10.9.0.1\n    passive")
        + &session("slow", "10.9.0.104", "    source_ip 10.9.0.1\n    idle_tx 2000");
    let _daemon = start(&lan, &(config + &instance("web", 51, "priority 255")));
    let mut heard: HashMap<u8, _> = HashMap::new();
    let mut slow = Vec::new();
    lan.capture().frames().wait(Mark::default(), PATIENCE, |captured| {
        let said = Control::read(&captured.frame.bytes)?;
        let to = last_byte(said.destination);
        if to == 104 {
            slow.push(captured.at);
        }
        heard.insert(to, told(&said));
        (slow.len() == 2).then_some(())
    });
    let from = |last: u8| IpAddr::from([10, 9, 0, last]);
    let second = 1_000_000;
    // Network control (RFC 4594 §3.1) is what other implementations send it as.
    let own = (from(41), [254, 0xc0, 4], 3784, second, 70_000);
    assert_eq!(heard.get(&101), Some(&own));
    let far = (from(1), [33, 0xc0, 5], 4784, second, 10_000);
    assert_eq!(heard.get(&102), Some(&far));
    assert_eq!(heard.get(&103), None, "it speaks only when spoken to");
    // Up to a quarter of the time is left out, so that nobody beats time with others (§6.8.7).
    let usual = (from(1), [255, 0xc0, 5], 3784, 2 * second, 10_000);
    assert_eq!(heard.get(&104), Some(&usual));
    assert!(between(slow[0], slow[1]) > Duration::from_millis(1450));
}

#[test]
fn a_session_is_up_with_neighbours_within_reach_and_those_hear_of_it_who_are_to() {
    let lan = Lan::new(2);
    for (node, addresses) in [(0, [41, 43]), (1, [42, 44])] {
        for last in addresses {
            lan.nodes()[node].namespace().ip(&format!("addr add 10.9.0.{last}/24 dev eth0\n"));
        }
    }
    // Five routers seem to lie between the two.
    let other = |name: &str, own: u8, neighbour: u8| {
        let lines =
            format!("    source_ip 10.9.0.{own}\n    ttl 250\n    min_rx 50\n    min_tx 50");
        session(name, &format!("10.9.0.{neighbour}"), &lines)
    };
    let ours = |name: &str, own: u8, neighbour: u8, more: &str| {
        let lines = format!("    source_ip 10.9.0.{own}\n    min_rx 50\n    min_tx 60\n{more}");
        session(name, &format!("10.9.0.{neighbour}"), &lines)
    };
    let others = other("near", 2, 1) + &other("far", 42, 41) + &other("unheard", 44, 43);
    let config = ours("near", 1, 2, "    max_hops 4\n    vrrp")
        + &ours("far", 41, 42, "    max_hops 5\n    vrrp\n    checker\n    weight 7 reverse")
        + &ours("unheard", 43, 44, "    max_hops -1\n    checker")
        + &instance(
            "web",
            51,
            "    track_bfd {\n        near weight 3\n        far\n        unheard weight 5\n    }",
        );
    let second = lan.nodes()[1].namespace();
    let _other =
        Daemon::start(&Binary::under_test(), second, &(others + &instance("idle", 52, "")));
    let daemon = start(&lan, &config);
    daemon.await_log(Mark::default(), "(web) Changing effective priority from 100 to 93");
    let is_up = |captured: &Captured| {
        Control::read(&captured.frame.bytes)
            .is_some_and(|said| last_byte(said.destination) == 42 && said.min_tx == 60_000)
    };
    await_frames(&lan, Mark::default(), 5, is_up);
    daemon.await_log(Mark::default(), "Packet ttl(250) < 251 - discarding");
    daemon.await_log(Mark::default(), "(web) track bfd unheard not found, ignoring");
    for name in ["near", "unheard"] {
        let text = format!("Tracked BFD instance {name} is UP");
        assert!(!says(&daemon, Mark::default(), &text), "{}", daemon.log_text());
    }
}
