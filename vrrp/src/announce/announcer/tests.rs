use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use runtime::global::ExtraGarp;
use runtime::machine::IfIndex;

use super::super::Pace;
use super::*;

const MILLIS: fn(u64) -> Duration = Duration::from_millis;
const SECS: fn(u64) -> Duration = Duration::from_secs;

fn garp() -> Garp {
    Garp {
        delay: SECS(5),
        repeat: 5,
        refresh: Duration::ZERO,
        refresh_repeat: 1,
        lower_prio_delay: SECS(5),
        lower_prio_repeat: 5,
        extra: None,
    }
}

fn target(text: &str, interface: u32) -> Target {
    let (address, interface) = (text.parse().unwrap(), IfIndex(interface));
    Target { address, interface, paced_by: interface }
}

fn paced(garp: Duration, gna: Duration) -> Pacing {
    Pacing { default: Pace { garp, gna }, groups: HashMap::new() }
}

/// Serves the announcer until it has nothing more to do, or `until` is over: what was announced when, in milliseconds.
fn run(announcer: &mut Announcer<u8>, start: Instant, until: Duration) -> Vec<(u128, String)> {
    let mut announced = Vec::new();
    let mut now = start;
    while now <= start + until {
        let out: Vec<Target> = announcer.due(now).collect();
        let at = now.duration_since(start).as_millis();
        announced.extend(out.iter().map(|target| (at, target.address.to_string())));
        let Some(next) = announcer.deadline() else { break };
        assert!(next > now || !out.is_empty(), "it asks to be called and does nothing");
        now = next.max(now);
    }
    announced
}

fn counted(announced: &[(u128, String)]) -> Vec<(u128, usize)> {
    let mut counts: Vec<(u128, usize)> = Vec::new();
    for &(at, _) in announced {
        match counts.last_mut().filter(|(last, _)| *last == at) {
            Some((_, count)) => *count += 1,
            None => counts.push((at, 1)),
        }
    }
    counts
}

#[test]
fn a_new_master_announces_in_rounds_and_again_after_the_delay() {
    let start = Instant::now();
    let mut announcer = Announcer::new(Pacing::default());
    let targets = vec![target("10.9.0.100", 1), target("10.9.0.101", 1)];
    announcer.enter(1, &Rc::new(garp()), targets, Vec::new(), start);
    let announced = run(&mut announcer, start, SECS(100));
    assert_eq!(counted(&announced), [(0, 10), (5000, 10)]);
    // Each address is said to be announced once in each burst.
    let begun =
        announcer.take_begun().into_iter().map(|(instance, target)| (instance, target.address));
    let begun: Vec<(u8, String)> = begun.map(|(one, address)| (one, address.to_string())).collect();
    let once = ["10.9.0.100", "10.9.0.101"].map(|address| (1, address.to_owned()));
    assert_eq!(begun, [once.clone(), once].concat());
    assert_eq!(announcer.take_begun(), []);
    let order: Vec<&str> = announced.iter().take(4).map(|(_, address)| address.as_str()).collect();
    assert_eq!(order, ["10.9.0.100", "10.9.0.101", "10.9.0.100", "10.9.0.101"]);
    assert_eq!(announcer.deadline(), None);
}

#[test]
fn refreshes_begin_after_the_delay_and_go_on() {
    let start = Instant::now();
    let mut announcer = Announcer::new(Pacing::default());
    let settings = Rc::new(Garp { refresh: SECS(60), refresh_repeat: 2, repeat: 1, ..garp() });
    announcer.enter(1, &settings, vec![target("10.9.0.100", 1)], Vec::new(), start);
    let announced = run(&mut announcer, start, SECS(200));
    assert_eq!(counted(&announced), [(0, 1), (5000, 1), (65_000, 2), (125_000, 2), (185_000, 2)]);
    // After a pause of the machine there is one refresh, not all that were missed.
    assert_eq!(announcer.due(start + SECS(1000)).count(), 2);
    assert_eq!(announcer.deadline(), Some(start + SECS(1060)));
}

#[test]
fn contradictions_that_follow_each_other_fast_are_one() {
    let start = Instant::now();
    let mut announcer = Announcer::new(Pacing::default());
    let settings = Rc::new(Garp { delay: Duration::ZERO, lower_prio_delay: SECS(5), ..garp() });
    announcer.enter(1, &settings, vec![target("10.9.0.100", 1)], Vec::new(), start);
    assert_eq!(counted(&run(&mut announcer, start, Duration::ZERO)), [(0, 5)]);
    for packet in 0..1000 {
        announcer.contradict(1, start + MILLIS(packet / 50));
    }
    assert_eq!(counted(&run(&mut announcer, start, SECS(20))), [(0, 5), (100, 5)]);
}

#[test]
fn leaving_ends_everything() {
    let start = Instant::now();
    let mut announcer = Announcer::new(paced(MILLIS(200), Duration::ZERO));
    let settings = Rc::new(Garp {
        refresh: SECS(60),
        extra: Some(ExtraGarp { all: true, interval: SECS(7) }),
        ..garp()
    });
    let elsewhere = vec![target("10.9.0.100", 2)];
    for turn in 0..3 {
        announcer.enter(1, &settings, vec![target("10.9.0.100", 1)], elsewhere.clone(), start);
        if turn > 0 {
            announcer.due(start).for_each(drop);
            assert!(announcer.deadline().is_some());
        }
        announcer.leave(1);
        assert_eq!(announcer.deadline(), None);
        assert!(run(&mut announcer, start, SECS(1000)).is_empty());
    }
}

#[test]
fn extra_interfaces_get_their_share() {
    let start = Instant::now();
    let mut announcer = Announcer::new(Pacing::default());
    let settings = Rc::new(Garp {
        extra: Some(ExtraGarp { all: true, interval: SECS(7) }),
        repeat: 1,
        ..garp()
    });
    let elsewhere = vec![target("10.9.0.7", 2)];
    announcer.enter(1, &settings, vec![target("10.9.0.100", 1)], elsewhere, start);
    let announced = run(&mut announcer, start, SECS(20));
    assert_eq!(counted(&announced), [(0, 1), (5000, 1), (12_000, 1), (19_000, 1)]);
    assert_eq!(announced[2].1, "10.9.0.7");
}

#[test]
fn a_router_of_lower_priority_is_contradicted() {
    let start = Instant::now();
    let mut announcer = Announcer::new(Pacing::default());
    let settings = Rc::new(Garp {
        repeat: 1,
        delay: Duration::ZERO,
        lower_prio_repeat: 3,
        lower_prio_delay: SECS(2),
        ..garp()
    });
    announcer.enter(1, &settings, vec![target("10.9.0.100", 1)], Vec::new(), start);
    assert!(announcer.due(start).count() > 0);
    announcer.contradict(1, start);
    assert_eq!(counted(&run(&mut announcer, start, SECS(9))), [(0, 3), (2000, 3)]);
    announcer.contradict(2, start);
    let mute = Rc::new(Garp { lower_prio_repeat: 0, ..(*settings).clone() });
    announcer.enter(3, &mute, Vec::new(), Vec::new(), start);
    announcer.contradict(3, start);
    assert!(run(&mut announcer, start, SECS(9)).is_empty());
}

#[test]
fn a_reload_announces_all_where_some_are_new() {
    let start = Instant::now();
    let mut announcer = Announcer::new(Pacing::default());
    let settings = Rc::new(Garp { repeat: 1, ..garp() });
    let (old, new) = (target("10.9.0.100", 1), target("10.9.0.101", 1));
    announcer.enter(1, &settings, vec![old], Vec::new(), start);
    assert_eq!(counted(&run(&mut announcer, start, SECS(60))), [(0, 1), (5000, 1)]);
    announcer.replace(1, &settings, vec![old], Vec::new(), start);
    assert!(run(&mut announcer, start, SECS(60)).is_empty());
    announcer.replace(1, &settings, vec![old, new], Vec::new(), start);
    assert_eq!(counted(&run(&mut announcer, start, SECS(60))), [(0, 2), (5000, 2)]);
    announcer.replace(1, &settings, vec![new], Vec::new(), start);
    assert!(run(&mut announcer, start, SECS(60)).is_empty());
    let refreshed = Rc::new(Garp { refresh: SECS(60), ..(*settings).clone() });
    announcer.replace(1, &refreshed, vec![new], Vec::new(), start);
    assert_eq!(counted(&run(&mut announcer, start, SECS(66))), [(0, 1), (65_000, 1)]);
}

/// As measured of the original: two addresses, three rounds, 0.2 s apart, in turn.
#[test]
fn paced_announcements_alternate() {
    let start = Instant::now();
    let mut announcer = Announcer::new(paced(MILLIS(200), Duration::ZERO));
    let settings = Rc::new(Garp { repeat: 3, delay: Duration::ZERO, ..garp() });
    let targets = vec![target("10.9.0.1", 1), target("10.9.0.2", 1), target("fe80::3", 1)];
    announcer.enter(1, &settings, targets, Vec::new(), start);
    let announced = run(&mut announcer, start, SECS(9));
    let (v6, v4): (Vec<_>, Vec<_>) =
        announced.iter().partition(|(_, address)| address.contains(':'));
    assert_eq!(v6.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 0, 0]);
    let expected = [(0, 1), (200, 2), (400, 1), (600, 2), (800, 1), (1000, 2)];
    let expected: Vec<(u128, String)> =
        expected.map(|(at, last)| (at, format!("10.9.0.{last}"))).to_vec();
    assert_eq!(v4.into_iter().cloned().collect::<Vec<_>>(), expected);
}

#[test]
fn interfaces_of_a_group_share_its_pace_and_others_do_not() {
    let start = Instant::now();
    let shared = (7, Pace { garp: MILLIS(100), gna: Duration::ZERO });
    let groups = HashMap::from([(IfIndex(1), shared), (IfIndex(2), shared)]);
    let pacing = Pacing { groups, ..paced(MILLIS(300), MILLIS(50)) };
    let mut announcer = Announcer::new(pacing);
    let settings = Rc::new(Garp { repeat: 1, delay: Duration::ZERO, ..garp() });
    let all = ["10.9.0.1", "10.9.0.2", "10.9.0.3", "10.9.0.4"];
    let targets = all.iter().zip([1, 2, 3, 3]).map(|(text, index)| target(text, index));
    let targets = targets.chain([target("fe80::1", 1), target("fe80::2", 1)]).collect();
    announcer.enter(1, &settings, targets, Vec::new(), start);
    let mut announced = run(&mut announcer, start, SECS(9));
    announced.sort_by_key(|(at, _)| *at);
    let expected = [
        (0, "10.9.0.1"),
        (0, "10.9.0.3"),
        (0, "fe80::1"),
        (50, "fe80::2"),
        (100, "10.9.0.2"),
        (300, "10.9.0.4"),
    ];
    assert_eq!(announced, expected.map(|(at, address)| (at, address.to_owned())));
}

proptest! {
    /// Over any time, a paced interface sees no more announcements than its pace allows, even if we are called late;
    /// and an instance that stays gets every address out.
    #[test]
    fn the_pace_is_kept(
        interval in 1..500u64,
        repeat in 1..6u32,
        count in 1..6u8,
        late in proptest::collection::vec(0..15u64, 1..20),
    ) {
        let start = Instant::now();
        let interval = MILLIS(interval);
        let mut announcer = Announcer::new(paced(interval, Duration::ZERO));
        let settings = Rc::new(Garp { repeat, delay: MILLIS(700), ..garp() });
        let targets: Vec<Target> =
            (0..count).map(|last| target(&format!("10.9.0.{last}"), 1)).collect();
        announcer.enter(1, &settings, targets.clone(), Vec::new(), start);
        let mut sent = Vec::new();
        let mut now = start;
        for lateness in late.iter().cycle() {
            sent.extend(announcer.due(now).map(|target| (now, target.address)));
            let Some(next) = announcer.deadline() else { break };
            now = next.max(now) + MILLIS(*lateness);
        }
        for target in targets {
            prop_assert!(sent.iter().any(|(_, address)| *address == target.address));
        }
        for (first, (begin, _)) in sent.iter().enumerate() {
            for (last, (end, _)) in sent.iter().enumerate().skip(first) {
                let room = end.duration_since(*begin).as_micros() / interval.as_micros();
                // What one late turn missed may follow it closely.
                let made_up = 1 + 20_000 / interval.as_micros();
                prop_assert!(u128::try_from(last - first).unwrap() <= room + made_up);
            }
        }
    }
}
