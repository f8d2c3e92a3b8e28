//! Twenty thousand malformed or forged adverts a second, at a backup and at its master: nobody takes over, nobody falls
//! silent, the log stays readable, and nothing grows.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use lab::{Advert, Binary, Captured, Float, Flood, PATIENCE, Pair, Reader, repair, retell};

/// Packets a second.
const RATE: u64 = 20_000;
/// How long the flood goes on at least.
const TIME: Duration = Duration::from_secs(4);
/// No advert of the master may be later than this after the one before, on a loaded machine.
const LATEST: Duration = Duration::from_millis(600);
/// What a packet may cost, as a multiple of what it costs to read and forget it, in a build without optimisation.
const COSTLIEST: u32 = 8;
/// What the memory of a process may grow by, in kilobytes.
const GROWTH: u64 = 4096;

fn config(authentication: &str, priority: u8) -> String {
    format!(
        "vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.2
{authentication}
    virtual_ipaddress {{
        10.9.0.100/24
    }}
}}\n"
    )
}

/// IPv4 packets, each with where it goes.
type Packets = Vec<(Ipv4Addr, Vec<u8>)>;

/// What is done to the octets of an advert.
type Change = fn(&mut Vec<u8>);

/// Adverts that are wrong in every way that there is. Half of them pretend to come from the master.
fn wrong(advert: &Advert) -> Packets {
    let group = Ipv4Addr::new(224, 0, 0, 18);
    let mut packets = Vec::new();
    for source in [Ipv4Addr::new(10, 9, 0, 1), Ipv4Addr::new(10, 9, 0, 77)] {
        let changes: [Change; 9] = [
            |payload| payload[2] = 254,
            |payload| payload[0] = 0x21,
            |payload| payload[0] = 0x32,
            |payload| payload[0] = 0xf1,
            |payload| payload.truncate(5),
            |payload| payload.clear(),
            |payload| payload[3] = 255,
            |payload| payload.extend([7; 900]),
            |payload| payload[1] = 52,
        ];
        packets.extend(changes.map(|change| retell(advert, source, change)));
        let mut far = retell(advert, source, |payload| {
            payload[2] = 254;
            repair(payload, source);
        });
        far[8] = 254;
        packets.push(far);
        let mut ah = retell(advert, source, |payload| payload.splice(0..0, [7; 24]).for_each(drop));
        ah[9] = 51;
        packets.push(ah);
    }
    packets.into_iter().map(|packet| (group, packet)).collect()
}

/// Adverts that are right in all but what authenticates them: higher ones, and farewells of the master.
fn forged(advert: &Advert) -> Packets {
    let group = Ipv4Addr::new(224, 0, 0, 18);
    let mut packets = Vec::new();
    for (source, priority) in [(1, 255), (1, 0), (77, 255), (77, 200), (2, 0)] {
        let source = Ipv4Addr::new(10, 9, 0, source);
        // The trailer of the original is there, and does not fit.
        packets.push(retell(advert, source, |payload| {
            payload[2] = priority;
            repair(payload, source);
        }));
        // There is none.
        packets.push(retell(advert, source, |payload| {
            payload.truncate(8 + 4 * usize::from(payload[3]));
            payload[2] = priority;
            repair(payload, source);
        }));
        // It is one that was sent before.
        packets.push(retell(advert, source, |_| {}));
    }
    packets.into_iter().map(|packet| (group, packet)).collect()
}

/// What a line says without its numbers.
fn kind(text: &str) -> String {
    text.chars().filter(|character| !character.is_ascii_digit()).collect()
}

fn withstand(authentication: &str, packets: fn(&Advert) -> Packets) {
    let configs = [config(authentication, 150), config(authentication, 100)];
    let mut pair = Pair::new([Binary::under_test(), Binary::under_test()], configs);
    let float = Float::new(51, &["10.9.0.100"]);
    pair.start(0);
    pair.start(1);
    pair.await_master(&float, 0);
    let frames = pair.lan().capture().frames();
    let sample = frames.all().into_iter().find_map(|captured| {
        float.advert(&captured.frame).filter(|advert| advert.priority == 150).cloned()
    });
    let sample = sample.expect("the master has spoken");
    // A third machine, which is no router.
    let attacker = lab::Namespace::new();
    pair.lan().plug(&attacker, "evil");
    let processes = [0, 1].map(|node| pair.daemon(node).vrrp().expect("it runs"));
    let before = processes.each_ref().map(|process| (process.memory(), process.processor_time()));
    let marks = [0, 1].map(|node| pair.daemon(node).log().mark());
    let (began, mark) = (SystemTime::now(), frames.mark());
    let reader = Reader::start(pair.lan().nodes()[1].namespace());
    let flood = Flood::start(&attacker, "evil", packets(&sample), RATE);
    let own = |captured: &Captured| {
        let ours = pair.lan().sender(captured) == Some(0);
        (ours && float.advert(&captured.frame).is_some()).then_some(captured.at)
    };
    // A machine that is busy with other things sends them in a longer time.
    let over = frames.wait(mark, PATIENCE, |captured| {
        own(captured).filter(|at| {
            at.duration_since(began).unwrap_or_default() > TIME && flood.sent() > RATE * 3
        })
    });
    let sent = flood.sent();
    drop(flood);
    let reading = reader.cost();
    assert!(
        over.is_some(),
        "the master fell silent, or only {sent} packets were sent{}",
        pair.logs()
    );
    let most = began.elapsed().unwrap_or_default().as_secs() + 2;
    let adverts: Vec<SystemTime> = frames.since(mark).iter().filter_map(own).collect();
    for pair_of in adverts.windows(2) {
        let gap = pair_of[1].duration_since(pair_of[0]).unwrap_or_default();
        assert!(gap < LATEST, "{gap:?} without an advert{}", pair.logs());
    }
    pair.assert_held(&float, 0);
    let strangers = frames.since(mark).into_iter().filter(|captured| {
        pair.lan().sender(captured) == Some(1) && float.advert(&captured.frame).is_some()
    });
    assert_eq!(strangers.count(), 0, "the backup has spoken{}", pair.logs());
    for (node, process) in processes.iter().enumerate() {
        let mut kinds: HashMap<String, u64> = HashMap::new();
        for line in pair.daemon(node).log().since(marks[node]) {
            *kinds.entry(kind(&line.text)).or_default() += 1;
        }
        let loud: Vec<_> = kinds.iter().filter(|&(_, &count)| count > most).collect();
        assert!(loud.is_empty(), "{loud:?}");
        let (memory, time) = before[node];
        let grown = process.memory().saturating_sub(memory);
        assert!(grown < GROWTH, "node {}: {grown} kB more", node + 1);
        let spent = process.processor_time().saturating_sub(time);
        let each = spent / u32::try_from(sent).expect("it is a few seconds");
        println!(
            "node {}: {each:?} for each of {sent} packets, {grown} kB; reading {reading:?}",
            node + 1
        );
        assert!(each < reading * COSTLIEST, "{each:?} for a packet that is read in {reading:?}");
    }
}

#[test]
fn malformed_adverts_change_nothing() {
    withstand("", wrong);
}

#[test]
fn without_the_key_nobody_takes_over() {
    let hmac = "    auth_hmac {\n        key 1 0123456789abcdef0123456789abcdef\n        active_key 1\n    }";
    withstand(hmac, forged);
}
