//! The whole engine, with both ends of two sessions in it, on loopback.

use std::collections::HashMap;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use conf_parser::{Diagnostics, Options, parse_text};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use runtime::bfd_event::{self, BfdEvent, Receiver};
use runtime::child::{Links, ToChild};

use super::*;
use crate::config;

const PATIENCE: Duration = Duration::from_secs(10);

fn configuration(text: &str) -> Config {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &config::ROOT, &mut diagnostics);
    config::load(&statements, &mut diagnostics)
}

/// What a tracker hears until `wanted` is among it.
fn heard(tracker: &Receiver, wanted: impl Fn(&BfdEvent) -> bool) -> Vec<BfdEvent> {
    let deadline = Instant::now() + PATIENCE;
    let mut events = vec![];
    loop {
        while let Some(event) = tracker.receive().unwrap() {
            events.push(event);
        }
        if events.iter().any(&wanted) {
            return events;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let mut polled = [PollFd::new(tracker.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut polled, PollTimeout::try_from(left).unwrap()).unwrap();
        assert!(ready > 0, "only {events:?}");
    }
}

#[test]
fn each_tracker_is_told_what_is_meant_for_it() {
    let config = configuration(
        "bfd_instance for_vrrp {
neighbor_ip 127.0.0.2
source_ip 127.0.0.1
vrrp
}
bfd_instance for_checkers {
neighbor_ip 127.0.0.1
source_ip 127.0.0.2
checker
}
bfd_instance for_both {
neighbor_ip 127.0.0.4
source_ip 127.0.0.3
multiplier 1
}
",
    );
    let ((to_vrrp, vrrp), (to_checker, checker)) =
        (bfd_event::channel().unwrap(), bfd_event::channel().unwrap());
    let (parent, control) = child::channel().unwrap();
    let present = Present { vrrp: true, checker: true };
    let trackers = Trackers { vrrp: Some(to_vrrp), checker: Some(to_checker) };
    let setup = Setup {
        control,
        config: handover::seal(&(Global::default(), present, config)).unwrap(),
        options: Default::default(),
        links: Links { bfd_trackers: trackers, ..Links::default() },
        note: Default::default(),
    };
    let engine = thread::spawn(move || run(setup));
    let (vrrp, checker) = (Receiver::new(vrrp), Receiver::new(checker));
    let neighbours: HashMap<&str, IpAddr> =
        [("for_vrrp", [127, 0, 0, 2].into()), ("for_checkers", [127, 0, 0, 1].into())].into();
    for (tracker, own, other) in
        [(&vrrp, "for_vrrp", "for_checkers"), (&checker, "for_checkers", "for_vrrp")]
    {
        let mut events = heard(tracker, |event| event.name == own);
        // Nothing is said of a session that has just begun until it is up, or has had the time for it.
        assert!(events.iter().all(|event| event.up == (event.name == own)), "{events:?}");
        if events.iter().all(|event| event.name == own) {
            events.extend(heard(tracker, |event| event.name == "for_both"));
        }
        let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
        assert!(!names.contains(&other), "{names:?}");
        let up = events.iter().find(|event| event.up).unwrap();
        assert_eq!(up.neighbor, neighbours[own]);
    }
    // A tracker that starts later asks, and is told the state as it is.
    checker.ask().unwrap();
    let told = heard(&checker, |event| event.name == "for_checkers");
    assert!(told.iter().all(|event| event.up == (event.name == "for_checkers")), "{told:?}");
    // One that is taken out of the configuration has not fallen, and its place may be taken by one that is not up.
    let config = configuration(
        "bfd_instance for_checkers {
neighbor_ip 127.0.0.9
source_ip 127.0.0.2
checker
}
",
    );
    let memory = handover::seal(&(Global::default(), present, config)).unwrap();
    parent.send(&ToChild::Configuration(memory)).unwrap();
    let told = heard(&checker, |event| event.name == "for_checkers" && !event.up);
    assert!(told.iter().all(|event| !event.up), "{told:?}");
    while let Some(event) = vrrp.receive().unwrap() {
        assert_ne!(event.name, "for_vrrp", "{event:?}");
    }
    drop(parent);
    assert_eq!(engine.join().unwrap(), EXIT_OK);
}
