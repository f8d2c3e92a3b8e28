//! The key of `auth_hmac` is replaced while both routers run: one after the other they are told of the new one, use it,
//! and forget the old one. Nobody notices, but who still uses the old one.

use std::time::{Duration, SystemTime};

use lab::{
    Binary, Captured, Daemon, Dump, Float, Flood, Lan, Mark, Namespace, PATIENCE, Pair, Waits,
};
use serde_json::Value;

const OLD: &str = "key 1 0123456789abcdef0123456789abcdef";
const NEW: &str = "key 2 hex:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// No advert may be later than this after the one before, but for what the machine has kept the process waiting. The
/// interval is half of it.
const LATEST: Duration = Duration::from_millis(400);

fn config(priority: u8, keys: &str) -> String {
    format!(
        "vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.2
    auth_hmac {{
        {keys}
    }}
    virtual_ipaddress {{
        10.9.0.100/24
    }}
}}\n"
    )
}

/// Everything that the daemon has counted.
fn counters(daemon: &Daemon) -> Value {
    let text = daemon.dump(Dump::Json);
    let mut json: Value = serde_json::from_str(&text).expect("it is JSON");
    json[0]["stats"].take()
}

fn count(counters: &Value, name: &str) -> u64 {
    counters[name].as_u64().unwrap_or_else(|| panic!("no {name} in {counters}"))
}

/// The adverts of a node since `mark`: when they were sent, and the number of the key that they were signed with.
fn signed(lan: &Lan, float: &Float, sender: Option<usize>, mark: Mark) -> Vec<(SystemTime, u8)> {
    let frames = lan.capture().frames().since(mark);
    let of_sender = frames.iter().filter(|captured| lan.sender(captured) == sender);
    of_sender.filter_map(|captured| Some((captured.at, key_of(float, captured)?))).collect()
}

/// Behind the header and one address come the scheme and the number of the key.
fn key_of(float: &Float, captured: &Captured) -> Option<u8> {
    float.advert(&captured.frame)?.payload.get(13).copied()
}

/// Waits for three more adverts of the first node.
#[track_caller]
fn await_adverts(pair: &Pair, float: &Float) {
    let (frames, mut seen) = (pair.lan().capture().frames(), 0);
    let heard = frames.wait(frames.mark(), PATIENCE, |captured| {
        let own = pair.lan().sender(captured) == Some(0) && key_of(float, captured).is_some();
        seen += usize::from(own);
        (seen == 3).then_some(())
    });
    assert!(heard.is_some(), "the master is silent{}", pair.logs());
}

/// Nobody but the first node has spoken as a master since `mark`, and it never fell silent.
#[track_caller]
fn assert_undisturbed(pair: &Pair, float: &Float, waits: &Waits, mark: Mark) {
    for adverts in signed(pair.lan(), float, Some(0), mark).windows(2) {
        let (from, to) = (adverts[0].0, adverts[1].0);
        let gap = to.duration_since(from).unwrap_or_default();
        let in_time = gap < LATEST || gap < LATEST + waits.between(from, to);
        assert!(in_time, "{gap:?} without an advert{}", pair.logs());
    }
    assert_eq!(signed(pair.lan(), float, Some(1), mark), [], "{}", pair.logs());
    pair.assert_held(float, 0);
}

#[test]
fn routers_move_to_a_new_key_one_after_the_other() {
    let keys = [
        format!("{OLD}\n active_key 1"),
        format!("{OLD}\n {NEW}\n active_key 1"),
        format!("{OLD}\n {NEW}\n active_key 2"),
        format!("{NEW}\n active_key 2"),
    ];
    let configs = [150, 100].map(|priority| config(priority, &keys[0]));
    let mut pair = Pair::new([Binary::under_test(), Binary::under_test()], configs);
    let float = Float::new(51, &["10.9.0.100"]);
    pair.start(0);
    pair.start(1);
    pair.await_master(&float, 0);
    let waits = Waits::of(&pair.daemon(0).vrrp().expect("it is a master"));

    let before = counters(pair.daemon(1));
    let mark = pair.lan().capture().frames().mark();
    for keys in &keys[1..] {
        for (node, priority) in [(1, 100), (0, 150)] {
            let log = pair.daemon(node).log().mark();
            pair.daemon(node).reload(&config(priority, keys));
            pair.daemon(node).await_log(log, "Reload complete");
            await_adverts(&pair, &float);
        }
    }
    let sent = signed(pair.lan(), &float, Some(0), mark);
    let after = counters(pair.daemon(1));
    assert_undisturbed(&pair, &float, &waits, mark);
    let mut used: Vec<u8> = sent.iter().map(|(_, key)| *key).collect();
    used.dedup();
    assert_eq!(used, [1, 2]);
    // Each of them was accepted.
    let heard = count(&after, "advert_rcvd") - count(&before, "advert_rcvd");
    assert!(heard >= sent.len() as u64, "{heard} of {} adverts{}", sent.len(), pair.logs());
    for (name, value) in after.as_object().expect("counters have names") {
        let is_error = name.contains("err") || name.contains("auth");
        assert!(!is_error || value == 0, "{after}{}", pair.logs());
    }

    // Somebody who still has the old key.
    let stranger = Namespace::new();
    pair.lan().plug(&stranger, "eth0");
    let mark = pair.lan().capture().frames().mark();
    let old = Daemon::start(&Binary::under_test(), &stranger, &config(200, &keys[0]));
    old.await_log(Mark::default(), "(web) Entering MASTER STATE");
    let frames = pair.lan().capture().frames();
    let of_stranger = |captured: &Captured| {
        let strange = pair.lan().sender(captured).is_none();
        (strange && key_of(&float, captured) == Some(1)).then(|| captured.frame.clone())
    };
    let frame = frames.wait(mark, PATIENCE, of_stranger).expect("it is a master");
    // Somebody who calls the old key by the number of the new one, and who repeats what the master has said.
    let mut renamed = frame.bytes[14..].to_vec();
    let advert = float.advert(&frame).expect("it is one");
    let trailer = renamed.len() - advert.payload.len() + 12;
    renamed[trailer + 1] = 2;
    let own = frames.all().into_iter().rev().find_map(|captured| {
        let own = pair.lan().sender(&captured) == Some(0) && key_of(&float, &captured) == Some(2);
        own.then(|| captured.frame.bytes[14..].to_vec())
    });
    let group = "224.0.0.18".parse().expect("it is an address");
    let packets = vec![(group, renamed), (group, own.expect("the master has spoken"))];
    let flood = Flood::start(&stranger, "eth0", packets, 40);
    for (node, refusals) in [
        (0, &["auth_ext_unknown_key", "auth_ext_invalid_hmac"][..]),
        (1, &["auth_ext_unknown_key", "auth_ext_invalid_hmac", "auth_ext_replay"]),
    ] {
        let deadline = SystemTime::now() + PATIENCE;
        loop {
            let counters = counters(pair.daemon(node));
            if refusals.iter().all(|name| count(&counters, name) > 2) {
                break;
            }
            assert!(SystemTime::now() < deadline, "node {}: {counters}{}", node + 1, pair.logs());
        }
    }
    drop(flood);
    drop(old);
    assert_undisturbed(&pair, &float, &waits, mark);

    // The new key is as good as the old one was.
    let mark = frames.mark();
    pair.kill(0);
    pair.await_addresses(&float, 1, true);
    let taken = pair.lan().capture().frames().wait(mark, PATIENCE, |captured| {
        let own = pair.lan().sender(captured) == Some(1);
        key_of(&float, captured).filter(|_| own)
    });
    assert_eq!(taken, Some(2), "{}", pair.logs());
}
