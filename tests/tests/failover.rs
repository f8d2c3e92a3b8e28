//! A pair of routers in every configuration of `scenarios/`, through everything that can happen to the master: killed,
//! restarted, stopped, its link down, cut off. In between there is always exactly one master, and the addresses are at
//! it and nowhere else. tshark judges every frame in the end.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lab::{Binary, Content, Float, Mark, PATIENCE, Pair, judge};

/// What is known of a scenario besides its configuration.
struct Scenario {
    name: &'static str,
    routers: Vec<Router>,
    /// How many adverts may get lost (`down_timer_adverts`).
    adverts: u32,
    /// Whether the adverts carry the checksum without pseudo-header: tshark does not know it, and 2.2.7 does not either.
    rfc_checksum: bool,
}

struct Router {
    float: Float,
    /// The node that wins an election.
    favours: usize,
    /// Whether the favoured node takes the addresses back when it returns.
    returns: bool,
    /// Whether the addresses have the link-layer address of the virtual router, whoever is master.
    vmac: bool,
}

#[derive(Clone, Copy)]
enum Side {
    UnderTest,
    Peer,
}

/// How late a failover may be on a loaded machine. `make bench` measures how late it is.
const LATENESS: Duration = Duration::from_millis(400);

/// How early: the time stamps of the wire and of the daemons are not the same.
const EARLINESS: Duration = Duration::from_millis(3);

fn scenario(name: &'static str, routers: Vec<Router>) -> Scenario {
    Scenario { name, routers, adverts: 3, rfc_checksum: false }
}

fn router(vrid: u8, addresses: &[&str]) -> Router {
    Router { float: Float::new(vrid, addresses), favours: 0, returns: true, vmac: false }
}

fn configs(name: &str) -> [String; 2] {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths = match name {
        "quick-start" => ["first", "second"]
            .map(|node| tree.join(format!("../doc/samples/quick-start/{node}.conf"))),
        _ => [(); 2].map(|()| tree.join(format!("scenarios/{name}.conf"))),
    };
    paths.map(|path| {
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    })
}

fn play(scenario: Scenario, sides: [Side; 2]) {
    let binary = |side| match side {
        Side::UnderTest => Binary::under_test(),
        Side::Peer => Binary::peer(),
    };
    let binaries = sides.map(binary);
    if scenario.rfc_checksum && binaries.iter().any(|binary| binary.version().starts_with("2.2.")) {
        return eprintln!("not played: a version before 2.4 has no v3_checksum_as_v2");
    }
    let mut pair = Pair::new(binaries, configs(scenario.name));
    let mut play =
        Play { masters: scenario.routers.iter().map(|router| router.favours).collect(), scenario };
    play.start(&mut pair);
    play.killed(&mut pair);
    play.stopped(&mut pair);
    play.link_down(&mut pair);
    play.cut_off(&mut pair);
    play.end(&mut pair);
}

struct Play {
    scenario: Scenario,
    /// Who is master of each router.
    masters: Vec<usize>,
}

impl Play {
    fn start(&mut self, pair: &mut Pair) {
        let first = self.masters[0];
        pair.start(first);
        for router in &self.scenario.routers {
            pair.await_addresses(&router.float, first, true);
        }
        let mark = pair.lan().capture().frames().mark();
        pair.start(1 - first);
        self.settle(pair);
        for (router, master) in self.scenario.routers.iter().zip(&self.masters) {
            if *master != first {
                assert_announced(pair, router, *master, mark);
            }
        }
    }

    /// SIGKILL to the master and all its children; then it starts anew.
    fn killed(&mut self, pair: &mut Pair) {
        let node = self.masters[0];
        let mark = pair.lan().capture().frames().mark();
        pair.kill(node);
        self.leave(pair, node, mark);
        pair.start(node);
        self.come_back(pair, node);
    }

    /// SIGTERM to the master: it says that it goes.
    fn stopped(&mut self, pair: &mut Pair) {
        let node = self.masters[0];
        let mark = pair.lan().capture().frames().mark();
        pair.terminate(node);
        for router in &self.scenario.routers {
            pair.await_addresses(&router.float, node, false);
        }
        let lost = self.mastered_by(node);
        self.leave(pair, node, mark);
        let status = pair.ended(node);
        assert!(status.success(), "it ended with {status}");
        for router in lost {
            let failover = pair.failover(&self.scenario.routers[router].float, 1 - node, mark);
            assert!(failover.leave, "no advert said that the master goes");
        }
        pair.start(node);
        self.come_back(pair, node);
    }

    fn link_down(&mut self, pair: &mut Pair) {
        let node = self.masters[0];
        let mark = pair.lan().capture().frames().mark();
        pair.lan().nodes()[node].link_down();
        for router in &self.scenario.routers {
            pair.await_addresses(&router.float, node, false);
        }
        self.leave(pair, node, mark);
        pair.lan().nodes()[node].link_up();
        self.come_back(pair, node);
    }

    /// Two masters while they cannot hear each other, and one again as soon as they can.
    fn cut_off(&mut self, pair: &mut Pair) {
        pair.lan().cut(self.masters[0]);
        for router in &self.scenario.routers {
            pair.await_addresses(&router.float, 0, true);
            pair.await_addresses(&router.float, 1, true);
        }
        pair.lan().mend(self.masters[0]);
        for (router, master) in self.scenario.routers.iter().zip(&mut self.masters) {
            *master = router.favours;
        }
        self.settle(pair);
    }

    fn end(&mut self, pair: &mut Pair) {
        pair.terminate(0);
        pair.terminate(1);
        for node in [0, 1] {
            let status = pair.ended(node);
            assert!(status.success(), "it ended with {status}");
            for router in &self.scenario.routers {
                pair.await_addresses(&router.float, node, false);
                assert_eq!(
                    pair.lan().nodes()[node].holds(&router.float.addresses),
                    [] as [std::net::IpAddr; 0]
                );
            }
        }
        let (count, complaints) = judge(pair.lan().capture(), !self.scenario.rfc_checksum);
        assert!(count > 20, "tshark found only {count} adverts");
        assert_eq!(complaints, [] as [String; 0]);
    }

    /// Everything that `node` was master of moves to the other one, within the bounds of the protocol.
    fn leave(&mut self, pair: &Pair, node: usize, mark: Mark) {
        let lost = self.mastered_by(node);
        for index in &lost {
            self.masters[*index] = 1 - node;
        }
        self.settle(pair);
        for index in lost {
            let router = &self.scenario.routers[index];
            let failover = pair.failover(&router.float, 1 - node, mark);
            let bound = failover.bound(self.scenario.adverts);
            assert!(
                failover.silence < bound + LATENESS,
                "too late after {bound:?}: {failover:?}{}",
                pair.logs()
            );
            assert!(
                failover.silence + EARLINESS > bound,
                "too early before {bound:?}: {failover:?}{}",
                pair.logs()
            );
            assert_announced(pair, router, 1 - node, mark);
        }
    }

    /// `node` is there again: who is favoured and preempts becomes master.
    fn come_back(&mut self, pair: &Pair, node: usize) {
        for (router, master) in self.scenario.routers.iter().zip(&mut self.masters) {
            if router.returns && router.favours == node {
                *master = node;
            }
        }
        self.settle(pair);
    }

    fn settle(&self, pair: &Pair) {
        let routers = self.scenario.routers.iter().map(|router| &router.float);
        pair.await_masters(routers.zip(self.masters.iter().copied()));
    }

    fn mastered_by(&self, node: usize) -> Vec<usize> {
        (0..self.masters.len()).filter(|index| self.masters[*index] == node).collect()
    }
}

/// Waits until `node` has announced every address of `router` that is on the network since `mark`.
#[track_caller]
fn assert_announced(pair: &Pair, router: &Router, node: usize, mark: Mark) {
    let on_network = |text: &str| text.starts_with("10.9.0.") || text.starts_with("fd00:9::");
    for address in router.float.addresses.iter().filter(|address| on_network(&address.to_string()))
    {
        let heard = pair.lan().capture().frames().wait(mark, PATIENCE, |captured| {
            let (Content::Arp(claim) | Content::NeighbourAdvert(claim)) = &captured.frame.content
            else {
                return None;
            };
            let ours = claim.address == *address
                && claim.gratuitous
                && pair.lan().sender(captured) == Some(node);
            ours.then_some(claim.holder)
        });
        let holder = heard.unwrap_or_else(|| {
            panic!("node {} did not announce {address}{}", node + 1, pair.logs())
        });
        let last = u8::try_from(node + 1).expect("there are two nodes");
        let family = if address.is_ipv4() { 1 } else { 2 };
        let expected = match router.vmac {
            true => [0x00, 0x00, 0x5e, 0x00, family, router.float.vrid],
            false => [0x02, 0, 0, 0, 0, last],
        };
        assert_eq!(holder, expected, "{address} was announced for another");
    }
}

/// Each scenario with the binary under test on both sides, and with its peer on either side.
macro_rules! scenarios {
    ($($name:ident: $scenario:expr;)*) => {
        mod same { $(#[test] fn $name() { super::play(super::scenarios::$name(), [super::Side::UnderTest; 2]); })* }
        mod ours_first {
            $(#[test] fn $name() { super::play(super::scenarios::$name(), [super::Side::UnderTest, super::Side::Peer]); })*
        }
        mod ours_second {
            $(#[test] fn $name() { super::play(super::scenarios::$name(), [super::Side::Peer, super::Side::UnderTest]); })*
        }
        mod scenarios {
            use super::*;
            $(pub(super) fn $name() -> Scenario { $scenario })*
        }
    };
}

const ONE: &[&str] = &["10.9.0.100"];
const TWO: &[&str] = &["10.9.0.100", "10.9.0.101"];

scenarios! {
    quick_start: scenario("quick-start", vec![router(51, &["192.0.2.10"])]);
    v3_multicast: scenario("v3-multicast", vec![router(51, ONE)]);
    v3_unicast: scenario("v3-unicast", vec![router(52, TWO)]);
    v3_ipv6: scenario("v3-ipv6", vec![router(53, &["fe80::100", "fd00:9::100"])]);
    v3_ipv6_unicast: scenario("v3-ipv6-unicast", vec![router(54, &["fd00:9::100"])]);
    v2_plain: Scenario { adverts: 1, ..scenario("v2-plain", vec![router(55, ONE)]) };
    v2_pass: Scenario { adverts: 2, ..scenario("v2-pass", vec![router(56, TWO)]) };
    v2_unicast_pass: Scenario { adverts: 1, ..scenario("v2-unicast-pass", vec![router(57, ONE)]) };
    nopreempt: scenario("nopreempt", vec![Router { returns: false, ..router(58, ONE) }]);
    preempt_delay: scenario("preempt-delay", vec![router(59, ONE)]);
    excluded: scenario("excluded", vec![
        router(60, &["10.9.0.100", "10.9.0.101", "10.9.0.102", "fd00:9::102", "fd00:9::103"]),
    ]);
    many_addresses: {
        let addresses: Vec<String> = (101..=160).map(|last| format!("10.9.0.{last}")).collect();
        scenario("many-addresses", vec![router(61, &addresses.iter().map(String::as_str).collect::<Vec<_>>())])
    };
    address_options: scenario("address-options", vec![router(62, &[
        "10.9.0.100", "10.9.1.100", "10.9.2.100", "10.9.3.100", "10.9.5.100", "fd00:9:1::100",
        "fd00:9:2::100",
    ])]);
    several_instances: scenario("several-instances", vec![
        router(1, &["10.9.0.101"]),
        Router { favours: 1, ..router(2, &["10.9.0.102"]) },
        router(1, &["fe80::101", "fd00:9::101"]),
    ]);
    owner: scenario("owner", vec![router(64, ONE)]);
    equal_priorities: scenario("equal-priorities", vec![Router { favours: 1, returns: false, ..router(65, ONE) }]);
    lowest_priorities: scenario("lowest-priorities", vec![router(66, ONE)]);
    learned_interval: scenario("learned-interval", vec![router(67, ONE)]);
    patient: Scenario { adverts: 7, ..scenario("patient", vec![router(255, ONE)]) };
    other_group: scenario("other-group", vec![router(70, ONE), router(71, &["10.9.0.101"])]);
    sequence: {
        let routers = (10..=25).map(|number: u8| router(number, &[&format!("10.9.0.1{number}")]));
        scenario("sequence", routers.collect())
    };
    checksum_as_v2: Scenario { rfc_checksum: true, ..scenario("checksum-as-v2", vec![router(72, ONE)]) };
    adverts_on_conflict: scenario("adverts-on-conflict", vec![router(73, ONE)]);
    vmac: scenario("vmac", vec![
        Router { vmac: true, ..router(75, &["10.9.0.100", "10.9.5.100"]) },
        Router { vmac: true, ..router(75, &["fe80::100", "fd00:9::100"]) },
    ]);
    vmac_xmit_base: scenario("vmac-xmit-base", vec![
        Router { vmac: true, ..router(76, &["10.9.0.100"]) },
        Router { vmac: true, ..router(76, &["fe80::100", "fd00:9::100"]) },
    ]);
    tracked_interface: scenario("tracked-interface", vec![router(74, &["10.9.0.100", "10.9.5.100"])]);
}
