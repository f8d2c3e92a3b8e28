//! Elections on a simulated LAN: thousands of seeded schedules of everything that goes wrong, and a table of how long a
//! failover takes. The table is a file of the tree, so that a change of behaviour shows as a diff.
//!
//! A failing schedule names its seed: `SEED=n cargo test --package vrrp --test simulation` plays it alone.
//! `BLESS=1` writes the table anew.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod lan;

use std::fmt::Write;
use std::time::Duration;

use vrrp::fsm::{Preempt, Settings};
use vrrp::packet::{Priority, Version};

use lan::{Lan, Random, Wire};

const ROUTERS: usize = 5;
const SCHEDULES: u64 = 2000;
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulation/table.txt");

fn settings(interval: Duration, priority: u8, preempt: Preempt) -> Settings {
    Settings {
        version: Version::V3,
        interval,
        down_timer_adverts: 3,
        priority: Priority(priority),
        preempt,
        starts_as_master: false,
        lower_prio_no_advert: false,
        higher_prio_send_advert: false,
        timer_expired_backup: None,
    }
}

fn seeds() -> impl Iterator<Item = u64> {
    let chosen: Option<u64> = std::env::var("SEED").ok().map(|seed| seed.parse().unwrap());
    let (first, count) = chosen.map_or((0, SCHEDULES), |seed| (seed, 1));
    first..first + count
}

/// Five routers of which two may have the same priority, and a wire that loses nothing half of the time.
fn random_lan(seed: u64) -> Lan {
    let mut random = Random::new(seed);
    let interval =
        Duration::from_millis([100, 250, 1000][usize::try_from(random.below(3)).unwrap()]);
    let preempt = match random.below(4) {
        0 => Preempt::Never,
        1 => Preempt::After(Duration::from_millis(random.below(3000))),
        _ => Preempt::AtOnce,
    };
    let settings = (0..ROUTERS).map(|_| {
        let priority = u8::try_from(1 + random.below(6) * 50).unwrap_or(254);
        settings(interval, priority, preempt)
    });
    let settings = settings.collect();
    let loss = if random.below(2) == 0 { 0 } else { random.below(150) };
    let wire = Wire { loss, duplication: random.below(100), delay: interval / 20 };
    Lan::new(settings, wire, seed)
}

/// A while in which all sorts of things happen.
fn disturb(lan: &mut Lan) {
    for _ in 0..lan.random.below(25) {
        let node = usize::try_from(lan.random.below(ROUTERS as u64)).unwrap();
        let (what, part) = (lan.random.below(9), lan.random.below(2));
        match what {
            0 => lan.start(node),
            1 => lan.stop(node),
            2 => lan.kill(node),
            3 => lan.set_link(node, false),
            4 => lan.set_link(node, true),
            5 => lan.set_paused(node, true),
            6 => lan.set_paused(node, false),
            7 => lan.set_part(node, part),
            _ => {
                let jump = lan.random.within(Duration::from_secs(5));
                lan.jump_clock(node, jump);
            }
        }
        let time = lan.random.within(Duration::from_secs(6));
        lan.run(time);
    }
}

fn mend(lan: &mut Lan) {
    for node in 0..lan.len() {
        lan.set_paused(node, false);
        lan.set_part(node, 0);
        lan.start(node);
        lan.set_link(node, true);
    }
}

#[test]
fn there_is_one_master_in_the_end_and_every_address_is_given_back() {
    for seed in seeds() {
        let mut lan = random_lan(seed);
        disturb(&mut lan);
        mend(&mut lan);
        // Under loss there may be a short struggle at any time, but never for long.
        lan.run(Duration::from_secs(60));
        let settled = lan.until_one_master(Duration::from_secs(20));
        assert!(settled.is_some(), "SEED={seed}: {} masters", lan.masters().len());
        for node in 0..lan.len() {
            lan.stop(node);
        }
        assert_eq!(lan.masters(), [], "SEED={seed}");
    }
}

/// On a wire that loses nothing, the lower of two masters hears the next advert of the higher one, and gives in.
#[test]
fn two_masters_never_last_longer_than_an_advert() {
    for seed in seeds() {
        let interval = Duration::from_millis(100);
        let delay = Duration::from_millis(5);
        let priorities = [100, 100, 150, 200, 50];
        let all = priorities.map(|priority| settings(interval, priority, Preempt::AtOnce)).to_vec();
        let mut lan = Lan::new(all, Wire { loss: 0, duplication: 50, delay }, seed);
        disturb(&mut lan);
        mend(&mut lan);
        lan.run(Duration::from_secs(5));
        let bound = interval + delay;
        assert!(lan.two_longest <= bound, "SEED={seed}: two masters for {:?}", lan.two_longest);
        assert_eq!(lan.masters(), [lan.best().unwrap()], "SEED={seed}: the best one leads");
    }
}

/// What a network engineer wants to know before choosing an interval.
#[test]
fn failover_times_are_as_in_the_table() {
    let mut table = String::from(
        "Five routers, priorities 50 to 250; the master loses power. 200 trials each, times in milliseconds.\n\
         interval  loss  until a new master          two masters at once\n\
         \x20           median    p99    longest      longest  per minute\n",
    );
    for interval in [1000, 250, 100, 10].map(Duration::from_millis) {
        for loss in [0, 10, 50, 100, 200] {
            row(&mut table, interval, loss);
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    let known = std::fs::read_to_string(TABLE).unwrap_or_default();
    assert_eq!(table, known, "the table has changed; BLESS=1 accepts it");
}

fn row(table: &mut String, interval: Duration, loss: u64) {
    let mut times = vec![];
    let mut longest = Duration::ZERO;
    let mut total = Duration::ZERO;
    let mut elapsed = Duration::ZERO;
    for seed in 0..200 {
        let all = (1..=5).map(|step| settings(interval, step * 50, Preempt::AtOnce)).collect();
        let wire = Wire { loss, duplication: 0, delay: Duration::from_micros(300) };
        let mut lan = Lan::new(all, wire, seed);
        for node in 0..lan.len() {
            let time = lan.random.within(interval);
            lan.run(time);
            lan.start(node);
        }
        lan.run(interval * 20);
        lan.until_one_master(interval * 100).unwrap();
        let time = lan.random.within(interval);
        lan.run(time);
        for master in lan.masters() {
            lan.kill(master);
        }
        times.push(lan.until_one_master(interval * 100).unwrap());
        lan.run(interval * 20);
        longest = longest.max(lan.two_longest);
        total += lan.two_total;
        elapsed += lan.elapsed();
    }
    times.sort();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let per_minute = millis(total) * 60.0 / elapsed.as_secs_f64();
    writeln!(
        table,
        "{:>6} ms {:>3} % {:>9.1} {:>8.1} {:>9.1} {:>12.1} {:>10.1}",
        interval.as_millis(),
        loss / 10,
        millis(times[100]),
        millis(times[197]),
        millis(times[199]),
        millis(longest),
        per_minute,
    )
    .unwrap();
}
