//! Sessions over several hops (RFC 5883) and over one at the same time, with every kind of other side.

use std::net::IpAddr;

use lab::bfd::{idle_instance, session};
use lab::{
    Binary, Bird, Captured, Control, Daemon, Frr, Lan, Mark, Namespace, PATIENCE, Scratch,
    judge_sessions,
};

const ROUTER: usize = 4;

/// Who is where: the first node has sessions with the others, by way of the last.
const OURS: usize = 1;
const BIRD: usize = 2;
const FRR: usize = 3;

/// The address of a node in a network that only the router knows.
fn far(node: usize, is_v6: bool) -> IpAddr {
    let node = u8::try_from(node).expect("there are a few");
    if is_v6 {
        [0xfd00, 8, 0, 0, 0, 0, 0, u16::from(node) + 1].into()
    } else {
        [10, 7, node, 1].into()
    }
}

/// Both ends of the session of a node with the first one over several hops.
fn ends(node: usize, is_v6: bool) -> [IpAddr; 2] {
    [far(node, is_v6), far(0, is_v6)]
}

/// A session over one hop between the first node and `node`, as `node` sees it or as the first does. It must not
/// fall while others do, nor when the machine stands still for a moment.
fn near(name: &str, node: usize, is_first: bool) -> String {
    let address = |node: usize| IpAddr::from([10, 9, 0, u8::try_from(node + 1).expect("few")]);
    let [own, other] = if is_first { [0, node] } else { [node, 0] };
    session(name, [address(own), address(other)], "multiplier 60")
}

/// Five nodes whose far addresses reach each other by way of the last one.
fn network() -> Lan {
    let lan = Lan::new(ROUTER + 1);
    let router = lan.nodes()[ROUTER].namespace();
    for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        router.sysctl(setting, "1");
    }
    for interface in ["all", "eth0"] {
        router.sysctl(&format!("ipv4/conf/{interface}/send_redirects"), "0");
    }
    for node in 0..ROUTER {
        let inside = lan.nodes()[node].namespace();
        let (v4, v6) = (far(node, false), far(node, true));
        inside.ip(&format!("addr add {v4}/32 dev inner0\naddr add {v6}/128 dev inner0 nodad\n"));
        inside.ip(&format!(
            "route add 10.7.0.0/16 via 10.9.0.{0} src {v4}\nroute add fd00:8::/64 via fd00:9::{0} src {v6}\n",
            ROUTER + 1
        ));
        router.ip(&format!(
            "route add {v4}/32 via 10.9.0.{0}\nroute add {v6}/128 via fd00:9::{0}\n",
            node + 1
        ));
    }
    lan
}

fn await_all(daemon: &Daemon, mark: Mark, names: &[&str], state: &str) {
    for name in names {
        daemon.await_log(mark, &format!("({name}) Entering {state} state"));
    }
}

#[test]
fn sessions_over_several_hops_hold_with_everybody_and_beside_those_over_one() {
    let lan = network();
    let inside = |node: usize| -> &Namespace { lan.nodes()[node].namespace() };
    let both = |node: usize| [false, true].map(|is_v6| ends(node, is_v6));
    let _bird = Bird::start_far(inside(BIRD), &both(BIRD), 50);
    let _frr = Frr::start_far(inside(FRR), &both(FRR), 50);
    let other = both(OURS).map(|ends| {
        let name = if ends[0].is_ipv6() { "far6" } else { "far" };
        session(name, ends, "multihop\n    max_hops 1")
    });
    let other_text = other.concat() + &near("near", OURS, false) + &idle_instance(52);
    let _other = Daemon::start(&Binary::under_test(), inside(OURS), &other_text);

    let mut over_hops = String::new();
    for (name, node, lines) in [
        ("far", OURS, "multihop\n    max_hops 1"),
        // BIRD sends 64, and is spoken to only once it has spoken itself.
        ("bird", BIRD, "multihop\n    max_hops 192\n    passive"),
        ("frr", FRR, "multihop\n    max_hops 1"),
    ] {
        for [own, other] in both(node) {
            let name = if own.is_ipv6() { format!("{name}6") } else { name.to_owned() };
            // Seen from the other end.
            let lines = format!("{lines}\n    ttl 255");
            over_hops.push_str(&session(&name, [other, own], &lines));
        }
    }
    let config = near("near", OURS, true) + &over_hops + &idle_instance(51);
    let daemon = Daemon::start(&Binary::under_test(), inside(0), &config);
    let names = ["far", "far6", "bird", "bird6", "frr", "frr6"];
    await_all(&daemon, Mark::default(), &names, "Up");
    await_all(&daemon, Mark::default(), &["near"], "Up");

    // Without the way between them they fall; those who need none do not.
    let mark = daemon.log().mark();
    lan.cut(ROUTER);
    await_all(&daemon, mark, &names, "Down");
    lan.mend(ROUTER);
    await_all(&daemon, mark, &names, "Up");
    // Sockets of one kind come and go without the other.
    let reloads = daemon.log().mark();
    daemon.reload(&(near("near", OURS, true) + &idle_instance(51)));
    daemon.await_log(reloads, "Reload complete");
    let reloads = daemon.log().mark();
    daemon.reload(&config);
    await_all(&daemon, reloads, &names, "Up");
    let text = "(near) Entering Down";
    let log = daemon.log().since(mark);
    assert!(log.iter().all(|line| !line.text.contains(text)), "{}", daemon.log_text());

    let ports = lan.capture().frames().wait(Mark::default(), PATIENCE, |captured: &Captured| {
        let said = Control::read(&captured.frame.bytes)?;
        let is_far = [false, true].iter().any(|&is_v6| said.source == far(0, is_v6));
        (is_far && lan.sender(captured) == Some(0)).then_some((said.port, said.ttl))
    });
    assert_eq!(ports, Some((4784, 255)));
    let (count, complaints) = judge_sessions(lan.capture());
    assert!(count > 100, "{count} packets");
    assert_eq!(complaints, [""; 0]);
}

/// The package of many distributions is too old for it.
fn knows_several_hops(binary: &Binary, namespace: &Namespace) -> bool {
    let scratch = Scratch::new();
    let session = session("far", ends(OURS, false), "multihop");
    let file = scratch.write("far.conf", &(session + &idle_instance(52)));
    let complaints = Daemon::check(binary, namespace, &file, &[]).complaints;
    complaints.iter().all(|line| !line.contains("multihop"))
}

#[test]
fn the_original_holds_over_several_hops_where_it_can() {
    let (lan, peer) = (network(), Binary::peer());
    let [first, second] = [0, OURS].map(|node| lan.nodes()[node].namespace());
    if !knows_several_hops(&peer, second) {
        println!("{} knows one hop only", peer.version());
        return;
    }
    let names = ["active", "passive6"];
    // Either side waits for the other to begin in one of the sessions.
    let config = |is_first: bool| {
        let [one, other] = [false, true].map(|is_v6| {
            let [own, other] = ends(OURS, is_v6);
            let waits = if is_first == is_v6 { "\n    passive" } else { "" };
            let ends = if is_first { [other, own] } else { [own, other] };
            session(names[usize::from(is_v6)], ends, &format!("multihop\n    max_hops 1{waits}"))
        });
        one + &other + &idle_instance(if is_first { 51 } else { 52 })
    };
    let other = Daemon::start(&peer, second, &config(false));
    let daemon = Daemon::start(&Binary::under_test(), first, &config(true));
    for side in [&daemon, &other] {
        await_all(side, Mark::default(), &names, "Up");
    }
    let marks = [&daemon, &other].map(|side| side.log().mark());
    lan.cut(ROUTER);
    for (side, mark) in [&daemon, &other].into_iter().zip(marks) {
        await_all(side, mark, &names, "Down");
    }
    lan.mend(ROUTER);
    for (side, mark) in [&daemon, &other].into_iter().zip(marks) {
        await_all(side, mark, &names, "Up");
    }
    let (_, complaints) = judge_sessions(lan.capture());
    assert_eq!(complaints, [""; 0]);
}
