//! What a BFD session keeps over a reload, and what it believes.

use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};

use lab::bfd::idle_instance;
use lab::{Binary, Captured, Control, Daemon, Lan, Mark, PATIENCE};
use nix::sys::signal::Signal;

fn session(name: &str, own: u8, neighbour: u8, more: &str) -> String {
    format!(
        "bfd_instance {name} {{
    neighbor_ip 10.9.0.{neighbour}
    source_ip 10.9.0.{own}
    min_rx 50
    min_tx 50
    multiplier 5
{more}
}}\n"
    )
}

fn start(lan: &Lan, node: usize, config: &str) -> Daemon {
    Daemon::start(&Binary::under_test(), lan.nodes()[node].namespace(), config)
}

/// A network of two whose nodes have more addresses: 10.9.0.*n*1 to 10.9.0.*n*4.
fn network() -> Lan {
    let lan = Lan::new(2);
    for node in 0..2 {
        for last in 1..=4 {
            let address = format!("addr add 10.9.0.{}/24 dev eth0\n", (node + 1) * 10 + last);
            lan.nodes()[node].namespace().ip(&address);
        }
    }
    lan
}

/// The last byte of the address that a packet of the first node goes to, and the packet.
fn ours(lan: &Lan, captured: &Captured) -> Option<(u8, Control)> {
    if lan.sender(captured) != Some(0) {
        return None;
    }
    let said = Control::read(&captured.frame.bytes)?;
    let IpAddr::V4(to) = said.destination else { return None };
    Some((to.octets()[3], said))
}

/// The next packet of the first node to 10.9.0.*to* since `mark` that `wanted` takes.
#[track_caller]
fn next(lan: &Lan, mark: Mark, to: u8, wanted: impl Fn(&Control) -> bool) -> Control {
    let found = lan.capture().frames().wait(mark, PATIENCE, |captured| {
        ours(lan, captured).filter(|(last, said)| *last == to && wanted(said))
    });
    found.unwrap_or_else(|| panic!("nothing of the kind to 10.9.0.{to}")).1
}

#[test]
fn a_reload_leaves_those_alone_that_it_does_not_change() {
    const UP: u8 = 3;
    let lan = network();
    let others: String = (1..=4)
        .map(|n| session(&format!("other{n}"), 20 + n, 10 + n, ""))
        .chain([session("moved", 2, 13, "")])
        .collect();
    let _other = start(&lan, 1, &(others + &idle_instance(52)));
    let before = session("same", 11, 21, "")
        + &session("slower", 12, 22, "")
        + &session("moves", 13, 23, "")
        + &session("goes", 14, 24, "");
    let daemon = start(&lan, 0, &(before + &idle_instance(51)));
    for name in ["same", "slower", "moves", "goes"] {
        daemon.await_log(Mark::default(), &format!("({name}) Entering Up state"));
    }
    let first: HashMap<u8, Control> = (21..=24)
        .map(|to| (to, next(&lan, Mark::default(), to, |said| said.state == UP)))
        .collect();

    let (mark, frames) = (daemon.log().mark(), lan.capture().frames().mark());
    let after = session("same", 11, 21, "    weight 3")
        + &session("slower", 12, 22, "")
            .replace("min_tx 50", "min_tx 80")
            .replace("min_rx 50", "min_rx 70")
        + &session("moves", 13, 2, "")
        + &session("new", 14, 22, "");
    daemon.reload(&(after + &idle_instance(51)));
    daemon.await_log(mark, "Reload complete");
    daemon.await_log(mark, "(moves) Entering Up state");

    // Those that stay go on from the same port, under the same number.
    let slower = next(&lan, frames, 22, |said| said.min_tx == 80_000 && said.flags & 0x20 == 0);
    let same = next(&lan, frames, 21, |_| true);
    for (to, now) in [(21, same), (22, slower)] {
        let before = &first[&to];
        assert_eq!((now.mine, now.source_port), (before.mine, before.source_port), "10.9.0.{to}");
        assert_eq!(now.state, UP);
    }
    // One that goes says so, and so does one that has another neighbour now: that is another session.
    for to in [23, 24] {
        let bye = next(&lan, frames, to, |said| said.state == 0);
        assert_eq!((bye.diagnostic, bye.mine), (7, first[&to].mine));
    }
    let moved = next(&lan, frames, 2, |said| said.state == UP);
    assert_ne!(moved.mine, first[&23].mine);
    for name in ["same", "slower"] {
        let log = daemon.log().since(mark);
        let fell = log.iter().any(|line| line.text.contains(&format!("({name}) Entering")));
        assert!(!fell, "{}", daemon.log_text());
    }
}

#[test]
fn a_number_alone_makes_nobody_the_other_side() {
    let lan = network();
    let _other = start(&lan, 1, &(session("other", 21, 11, "") + &idle_instance(52)));
    let daemon = start(&lan, 0, &(session("other", 11, 21, "    min_rx 500") + &idle_instance(51)));
    daemon.await_log(Mark::default(), "(other) Entering Up state");
    let number = next(&lan, Mark::default(), 21, |said| said.state == 3).mine;
    // A stranger who has read the number takes the session down, over one hop and over several.
    let mut packet = vec![0x20, 0x40, 5, 24, 1, 2, 3, 4];
    packet.extend(number.to_be_bytes());
    packet.extend([0, 15, 66, 64, 0, 15, 66, 64, 0, 0, 0, 0]);
    let mark = daemon.log().mark();
    let second = lan.nodes()[1].namespace();
    for (from, port) in [("10.9.0.22", 3784), ("10.9.0.21", 4784)] {
        let socket = second.enter(|| UdpSocket::bind((from, 50000))).expect("the port is free");
        socket.set_ttl(255).expect("it is a socket");
        socket.send_to(&packet, ("10.9.0.11", port)).expect("there is a route");
    }
    daemon.await_log(mark, "Discarding packet from [10.9.0.22]:50000 (session is not found");
    let frames = lan.capture().frames().mark();
    next(&lan, frames, 21, |said| said.state == 3);
    let log = daemon.log().since(mark);
    assert!(log.iter().all(|line| !line.text.contains("Entering")), "{}", daemon.log_text());
}

#[test]
fn who_was_not_run_reads_before_it_judges() {
    let lan = network();
    let _other = start(&lan, 1, &(session("other", 21, 11, "") + &idle_instance(52)));
    // The other side has patience with us: 5 s.
    let ours = session("other", 11, 21, "").replace("min_tx 50", "min_tx 1000");
    let daemon = start(&lan, 0, &(ours + &idle_instance(51)));
    daemon.await_log(Mark::default(), "(other) Entering Up state");
    daemon.await_log(Mark::default(), "Detection time is 250000 us");
    let bfd = daemon.bfd().expect("it runs");
    let (mark, frames) = (daemon.log().mark(), lan.capture().frames());
    bfd.signal(Signal::SIGSTOP);
    // Three detection times.
    let mut count = 0;
    frames.wait(frames.mark(), PATIENCE, |captured| {
        count += usize::from(lan.sender(captured) == Some(1));
        (count == 20).then_some(())
    });
    let since = frames.mark();
    bfd.signal(Signal::SIGCONT);
    assert_eq!(next(&lan, since, 21, |_| true).state, 3, "{}", daemon.log_text());
    let log = daemon.log().since(mark);
    assert!(log.iter().all(|line| !line.text.contains("(other)")), "{}", daemon.log_text());
}

/// As two machines on one host do when that is busy: what neither has sent, neither can have heard.
#[test]
fn two_that_were_not_run_at_the_same_time_do_not_blame_each_other() {
    let lan = network();
    let daemons = [
        start(&lan, 0, &(session("other", 11, 21, "") + &idle_instance(51))),
        start(&lan, 1, &(session("other", 21, 11, "") + &idle_instance(52))),
    ];
    for daemon in &daemons {
        daemon.await_log(Mark::default(), "(other) Entering Up state");
        daemon.await_log(Mark::default(), "Detection time is 250000 us");
    }
    let processes = daemons.each_ref().map(|daemon| daemon.bfd().expect("it runs"));
    let marks = daemons.each_ref().map(|daemon| daemon.log().mark());
    let frames = lan.capture().frames();
    processes.iter().for_each(|process| process.signal(Signal::SIGSTOP));
    // Adverts are a second apart, and that is four detection times.
    let mut adverts = 0;
    frames.wait(frames.mark(), PATIENCE, |captured| {
        let is_advert = lan.sender(captured) == Some(0) && captured.frame.advert().is_some();
        adverts += usize::from(is_advert);
        (adverts == 2).then_some(())
    });
    assert_eq!(adverts, 2);
    let since = frames.mark();
    processes.iter().for_each(|process| process.signal(Signal::SIGCONT));
    let mut packets = 0;
    frames.wait(since, PATIENCE, |captured| {
        packets += usize::from(ours(&lan, captured).is_some());
        (packets == 10).then_some(())
    });
    assert_eq!(packets, 10);
    for (daemon, mark) in daemons.iter().zip(marks) {
        let log = daemon.log().since(mark);
        assert!(log.iter().all(|line| !line.text.contains("(other)")), "{}", daemon.log_text());
    }
}
