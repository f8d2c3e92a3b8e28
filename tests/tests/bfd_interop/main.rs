//! BFD with every kind of other side: up, other intervals, death, restart, silence in one direction and in both, and
//! taking leave in both directions.

mod far;
mod others;
mod upheavals;

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use lab::{Binary, Captured, Control, Daemon, Lan, Mark, Namespace, PATIENCE, judge_sessions};
use others::{BirdSide, FrrSide, Keepalived, MULTIPLIER, Other, Side};

/// An instance with which one sees what becomes of the session.
const INSTANCE: &str = "vrrp_instance web {
    interface eth0
    virtual_router_id 51
    version 3
    advert_int 0.2
    track_bfd {
        other
    }
    virtual_ipaddress {
        10.9.0.100/24
    }
}\n";

const UP: &str = "VRRP_Instance(web) Tracked BFD instance other is UP";
const DOWN: &str = "VRRP_Instance(web) Tracked BFD instance other is DOWN";
/// Numbers of states and diagnostics (RFC 5880 §4.1).
const ADMIN_DOWN: u8 = 0;
const DOWN_ON_THE_WIRE: u8 = 1;
const UP_ON_THE_WIRE: u8 = 3;
const BY_THE_NEIGHBOR: u8 = 3;
const BY_THE_OPERATOR: u8 = 7;
/// How long after the last packet the session falls, at 150 ms.
const DETECTION: Duration = Duration::from_millis(150 * MULTIPLIER as u64);

fn config(side: Side, interval: u32) -> String {
    others::session(side, interval) + INSTANCE
}

/// What the log says when the session is to fall after so many milliseconds for each packet.
fn detection(interval: u32) -> String {
    format!("Detection time is {} us", interval * MULTIPLIER * 1000)
}

/// Whether packets of BFD from elsewhere reach a node.
fn deafen(node: &Namespace, deaf: bool) {
    let rules = if deaf {
        "table inet deaf {
    chain input {
        type filter hook input priority 0
        udp dport { 3784, 4784 } drop
    }
}"
    } else {
        "delete table inet deaf"
    };
    let arguments = ["netns", "exec", node.name(), "nft", rules];
    lab::run("ip", &arguments);
}

/// The whole story of a session, with us on the first node.
fn converse<O: Other>(lan: &Lan, ours: Side, mut other: O) {
    let [first, second] = [lan.nodes()[0].namespace(), lan.nodes()[1].namespace()];
    let mut daemon = Daemon::start(&Binary::under_test(), first, &config(ours, 50));
    daemon.await_log(Mark::default(), UP);
    other.await_up(true);
    daemon
        .await_log(Mark::default(), "(other) ---------------< Session parameters >--------------");
    daemon.await_log(Mark::default(), "(other) Starting poll sequence");

    // Other intervals on either side, and the session stays up.
    let mark = daemon.log().mark();
    other.set_interval(100);
    daemon.await_log(mark, &detection(100));
    daemon.reload(&config(ours, 150));
    daemon.await_log(mark, "Reload complete");
    daemon.await_log(mark, &detection(150));
    other.await_up(true);
    assert!(daemon.log().since(mark).iter().all(|line| line.text != DOWN), "{}", daemon.log_text());

    // It dies: nothing is said, and its silence is noticed in time.
    let mark = daemon.log().mark();
    other.kill();
    let noticed = daemon.await_log(mark, DOWN).at;
    let late = noticed.duration_since(last_heard(lan, noticed) + DETECTION);
    let late =
        late.unwrap_or_else(|early| panic!("{:?} early\n{}", early.duration(), daemon.log_text()));
    assert!(late < Duration::from_millis(400), "{late:?}");
    let expired = daemon.await_log(mark, "(other) Expired after ").text;
    let numbers: Vec<u32> =
        expired.split([' ', '(']).filter_map(|word| word.parse().ok()).collect();
    let &[millis, overdue] = numbers.as_slice() else { panic!("{expired}") };
    assert!(overdue < 400_000 && millis == 150 * MULTIPLIER + overdue / 1000, "{expired}");
    println!("noticed {late:?} after the detection time");

    // It comes back, and takes its leave in an orderly way.
    let mark = daemon.log().mark();
    other.start();
    daemon.await_log(mark, UP);
    other.await_up(true);
    let mark = daemon.log().mark();
    other.leave();
    let fall = daemon.await_log(mark, "(other) Entering Down state");
    let said = "Local diagnostic - Neighbor Signaled Session Down";
    assert_eq!(fall.text.contains(said), O::SAYS_GOODBYE, "{}", fall.text);
    daemon.await_log(mark, DOWN);
    let mark = daemon.log().mark();
    other.return_();
    daemon.await_log(mark, UP);
    other.await_up(true);

    // A cut is noticed by both, and mended by itself.
    fall_and_rise(&daemon, &other, || lan.cut(1), || lan.mend(1));
    // So is one in one direction only.
    for node in [first, second] {
        fall_and_rise(&daemon, &other, || deafen(node, true), || deafen(node, false));
    }
    // And a link that is down, on which nothing can be sent.
    fall_and_rise(&daemon, &other, || lan.nodes()[0].link_down(), || lan.nodes()[0].link_up());

    // We die, and come back: a new session with other numbers from another port.
    daemon.kill();
    other.await_up(false);
    let mut daemon = Daemon::start(&Binary::under_test(), first, &config(ours, 150));
    daemon.await_log(Mark::default(), UP);
    other.await_up(true);

    // We take our leave: the other side need not wait for a detection time.
    let frames = lan.capture().frames();
    let mark = frames.mark();
    assert!(daemon.stop().success());
    let said = |node: usize, captured: &Captured| {
        let said = Control::read(&captured.frame.bytes)?;
        (lan.sender(captured) == Some(node)).then_some((said.state, said.diagnostic))
    };
    let other_than_up = |node: usize| {
        frames.wait(mark, PATIENCE, |captured| {
            said(node, captured).filter(|&(state, _)| state != UP_ON_THE_WIRE)
        })
    };
    assert_eq!(other_than_up(0), Some((ADMIN_DOWN, BY_THE_OPERATOR)));
    let answer = other_than_up(1);
    assert_eq!(answer, Some((DOWN_ON_THE_WIRE, BY_THE_NEIGHBOR)), "it has been told");
    other.await_up(false);
    let (count, complaints) = judge_sessions(lan.capture());
    assert!(count > 50, "{count} packets");
    assert_eq!(complaints, [""; 0]);
}

/// When the last packet of the other side came before `noticed`.
fn last_heard(lan: &Lan, noticed: SystemTime) -> SystemTime {
    let frames = lan.capture().frames().all();
    let heard = frames.iter().rev().find(|captured| {
        captured.at < noticed
            && lan.sender(captured) == Some(1)
            && Control::read(&captured.frame.bytes).is_some()
    });
    heard.expect("it has spoken").at
}

#[track_caller]
fn fall_and_rise(daemon: &Daemon, other: &impl Other, fell: impl FnOnce(), mend: impl FnOnce()) {
    let mark = daemon.log().mark();
    fell();
    daemon.await_log(mark, DOWN);
    other.await_up(false);
    mend();
    daemon.await_log(mark, UP);
    other.await_up(true);
}

/// Both sides of a network, over either family.
fn sides(is_v6: bool) -> [Side; 2] {
    let address = |last: u16| -> IpAddr {
        if is_v6 {
            [0xfd00, 9, 0, 0, 0, 0, 0, last].into()
        } else {
            [10, 9, 0, u8::try_from(last).expect("it is small")].into()
        }
    };
    let [first, second] = [address(1), address(2)];
    [Side { own: first, other: second }, Side { own: second, other: first }]
}

macro_rules! stories {
    ($($name:ident: $other:ty;)*) => {
        $(mod $name {
            use super::*;

            fn story(is_v6: bool) {
                let lan = Lan::new(2);
                let [ours, theirs] = sides(is_v6);
                let other = <$other>::new(lan.nodes()[1].namespace(), theirs);
                converse(&lan, ours, other);
            }

            #[test]
            fn over_ipv4() {
                story(false);
            }

            #[test]
            fn over_ipv6() {
                story(true);
            }
        })*
    };
}

stories! {
    bird: BirdSide;
    frr: FrrSide;
    ours: Keepalived<true>;
    original: Keepalived<false>;
}
