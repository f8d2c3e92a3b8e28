//! Another configuration, by difference.

use super::*;
use runtime::global::FlushOnStop;

#[test]
fn what_stays_the_same_is_not_mentioned() {
    let text = web(&format!("quorum 2\n{SORRY}"), &[(2, ""), (3, "inhibit_on_failure"), (4, "")]);
    let mut story = Story::new(&text);
    story.check(1, false);
    story.balance.take_events();
    let before = story.table();
    let continuations = story.load(&text);
    story.said(&[]);
    assert_eq!(story.table(), before);
    assert!(!story.balance.is_alive(server(1)), "what has failed stays so");
    let expected: Vec<Continuation> = (0..3)
        .map(|place| Continuation {
            old: server(place),
            new: server(place),
            checks: vec![Some(0)],
            one_failure_is_enough: place == 1,
        })
        .collect();
    // Nothing has run but the check that failed, and servers that are alive are not doubted.
    assert_eq!(continuations, expected);
}

#[test]
fn weights_change_and_servers_come_and_go() {
    let mut story = Story::new(&web("", &[(2, ""), (3, "weight 10"), (5, "")]));
    story.balance.take_events();
    story.load(&web("quorum 3", &[(3, "weight 20"), (6, "weight 6"), (2, "")]));
    story.said(&[
        "service [.5]:tcp:80 no longer exist",
        "Removing service [.5]:tcp:80 from VS V",
        "> RS [.5]:tcp:80 V DOWN",
        "Changing weight from 10 to 20 for active service [.3]:tcp:80 of VS V",
    ]);
    story.has(&[(2, 1), (3, 20), (6, 6)]);
}

#[test]
fn a_virtual_server_that_goes_takes_its_servers_along() {
    let mut story = Story::new(&web("", &[(2, ""), (3, "")]));
    story.check(1, false);
    story.balance.take_events();
    story.load(&web("", &[(4, "")]).replace("10.0.0.1", "10.0.0.2"));
    story.said(&[
        "Removing Virtual Server V",
        "Removing service [.2]:tcp:80 from VS V",
        "> RS [.2]:tcp:80 V DOWN",
        "> VS V DOWN",
        "Gained quorum 1+0=1 <= 1 for VS [10.0.0.2]:tcp:80",
        "> VS [10.0.0.2]:tcp:80 UP",
    ]);
}

#[test]
fn a_quorum_that_the_configuration_takes_away_is_lost_at_the_end() {
    let mut story = Story::new(&web(SORRY, &[(2, ""), (3, "")]));
    story.balance.take_events();
    story.load(&web(&format!("quorum 3\n{SORRY}"), &[(2, ""), (3, ""), (4, "alpha")]));
    story.said(&[
        "Starting with quorum down 3-0=3 > 2 for VS V",
        "Adding sorry server [.99]:tcp:80 to VS V",
        "Removing alive servers from the pool for VS V",
        "> VS V DOWN",
    ]);
    story.has(&[(99, 1)]);
    // It goes while it is in use: the live servers take over at once.
    story.load(&web("quorum 3", &[(2, ""), (3, ""), (4, "alpha")]));
    story.said(&[
        "Removing sorry server [.99]:tcp:80 from VS V",
        "Adding alive servers to the pool for VS V",
    ]);
    story.has(&[(2, 1), (3, 1)]);
}

#[test]
fn other_servers_keep_the_quorum_of_a_virtual_server() {
    let mut story = Story::new(&web(SORRY, &[(2, ""), (3, "")]));
    story.balance.take_events();
    story.load(&web(SORRY, &[(4, "")]));
    story.said(&[
        "service [.2]:tcp:80 no longer exist",
        "Removing service [.2]:tcp:80 from VS V",
        "> RS [.2]:tcp:80 V DOWN",
        "service [.3]:tcp:80 no longer exist",
        "Removing service [.3]:tcp:80 from VS V",
        "> RS [.3]:tcp:80 V DOWN",
    ]);
    story.has(&[(4, 1)]);
    // Those that must prove themselves first are no quorum, which is told once.
    story.load(&web(&format!("alpha\n{SORRY}"), &[(5, "")]));
    story.said(&[
        "service [.4]:tcp:80 no longer exist",
        "Removing service [.4]:tcp:80 from VS V",
        "> RS [.4]:tcp:80 V DOWN",
        "Starting with quorum down 1-0=1 > 0 for VS V",
        "Adding sorry server [.99]:tcp:80 to VS V",
        "Removing alive servers from the pool for VS V",
        "> VS V DOWN",
    ]);
    story.has(&[(99, 1)]);
}

#[test]
fn a_failed_server_does_not_come_back_by_another_method() {
    let text = web(SORRY, &[(2, ""), (3, "")]);
    let mut story = Story::new(&text);
    story.check(0, false);
    story.balance.take_events();
    story.load(&text.replace("lvs_method NAT", "lvs_method DR"));
    story.said(&[]);
    story.has(&[(3, 1)]);
}

#[test]
fn another_sorry_server_takes_over() {
    let down = web(&format!("alpha\n{SORRY}"), &[(2, "")]);
    let mut story = Story::new(&down);
    story.balance.take_events();
    story.load(&down.replace(".99", ".98"));
    story.said(&[
        "Removing sorry server [.99]:tcp:80 from VS V",
        "Starting with quorum down 1-0=1 > 0 for VS V",
        "Adding sorry server [.98]:tcp:80 to VS V",
        "Removing alive servers from the pool for VS V",
        "> VS V DOWN",
    ]);
    story.has(&[(98, 1)]);
}

#[test]
fn a_failed_server_whose_check_has_changed_is_tried_at_once() {
    let mut story = Story::new(&web("", &[(2, ""), (3, "")]));
    story.check(0, false);
    story.balance.take_events();
    let text = web("", &[(2, ""), (3, "")]);
    story.load(&text.replace("TCP_CHECK {", "TCP_CHECK {\nconnect_port 81"));
    story.said(&["Adding service [.2]:tcp:80 to VS V", "> RS [.2]:tcp:80 V UP"]);
    story.check(0, false);
    story.balance.take_events();
    // With `alpha` it must prove itself first.
    let again = text.replace("TCP_CHECK {", "alpha\nTCP_CHECK {\nconnect_port 82");
    let continuations = story.load(&again);
    story.said(&[]);
    assert!(continuations[0].one_failure_is_enough);
    assert_eq!(continuations[0].checks, [None]);
}

#[test]
fn a_check_that_only_asks_otherwise_goes_on() {
    let page = "HTTP_GET {\nurl {\npath /\n}\n}";
    let text = web("", &[(2, "UDP_CHECK {\n}"), (3, page), (4, "")]);
    let mut story = Story::new(&text);
    (0..2).for_each(|place| story.check(place, false));
    story.balance.take_events();
    let payload = "UDP_CHECK {\npayload 0102\nrequire_reply 03";
    let fetch = "HTTP_GET {\nhttp_protocol 1.1\nfast_recovery";
    let text = text.replace("UDP_CHECK {", payload).replace("HTTP_GET {", fetch);
    let continuations = story.load(&text);
    story.said(&[]);
    story.has(&[(4, 1)]);
    assert!(continuations.iter().all(|one| one.checks[0] == Some(0)), "{continuations:?}");
}

#[test]
fn a_server_that_a_file_holds_down_does_not_flap() {
    let text = web("", &[(2, "FILE_CHECK {\ntrack_file f\n}"), (3, "")]);
    let mut story = Story::new(&text);
    let down = CheckState { up: false, has_run: true, contribution: 0 };
    story.balance.report(server(0), 0, false, false);
    story.balance.take_events();
    // The check of the file comes first. It is the same whatever else changes.
    let next = text.replace("lvs_sched rr", "lvs_sched wrr");
    story.balance.prepare(config(&next), Settings::default());
    story.balance.set_check(server(0), 0, down);
    story.balance.complete();
    story.said(&[]);
    story.has(&[(3, 1)]);
    // The file has changed in between.
    story.balance.prepare(config(&next), Settings::default());
    story.balance.set_check(server(0), 0, CheckState { up: true, ..down });
    story.balance.set_check(server(1), 0, CheckState { up: false, ..down });
    story.balance.complete();
    story.said(&[
        "Adding service [.2]:tcp:80 to VS V",
        "> RS [.2]:tcp:80 V UP",
        "Removing service [.3]:tcp:80 from VS V",
        "> RS [.3]:tcp:80 V DOWN",
    ]);
}

#[test]
fn entries_of_groups_are_named() {
    let group = |entries: &str| {
        web("", &[(2, "")]).replace("10.0.0.1 80", "group G")
            + &format!("virtual_server_group G {{\n{entries}\n}}\n")
    };
    let mut story = Story::new(&group("10.1.0.1 80\n10.1.0.10-12 80\nfwmark 7"));
    story.balance.take_events();
    story.load(&group("10.1.0.1 80\n10.1.0.20-30 81\nfwmark 8"));
    story.said(&[
        "VS [[10.1.0.10]:tcp:80-10.1.0.12] in group G no longer exists",
        "VS [7] in group G no longer exists",
        "VS [[10.1.0.20]:tcp:81-10.1.0.30] added into group G",
        "VS [FWM 8] added into group G",
    ]);
    story.load(&web("", &[(2, "")]));
    let events = story.balance.take_events();
    assert!(
        matches!(&events[0], Event::Log(line) if line == "Removing Virtual Server Group [G]"),
        "{events:?}"
    );
}

#[test]
fn with_a_flush_at_the_end_nothing_is_said_of_real_servers() {
    let settings = Settings { flush_on_stop: FlushOnStop::VirtualServers, ..Settings::default() };
    let mut story = Story { balance: Balance::new() };
    story.balance.prepare(config(&web("omega", &[(2, "")])), settings);
    story.balance.complete();
    story.balance.take_events();
    story.balance.stop();
    story.said(&["> VS V DOWN"]);
}
