//! Dumps against what 2.4.3 wrote of the same configuration, some seconds after its start.

use conf_parser::{Diagnostics, Options, parse_text};
use runtime::global::{BfdName, Global, TrackFile};

use super::*;
use crate::config::{ROOT, load};

fn config() -> Config {
    let session = |name: &str| BfdName {
        name: name.to_owned(),
        weight: 0,
        reverse: false,
        vrrp: true,
        checker: true,
    };
    let mut global = Global {
        bfd_names: vec![session("BFD1"), session("BFD2")],
        track_files: vec![TrackFile {
            name: "tf1".to_owned(),
            path: "/run/keepalived/tf1".to_owned(),
            weight: 1,
            reverse: false,
            initial: None,
        }],
        ..Global::default()
    };
    global.mail.alert_checker = Some(false);
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let text = include_bytes!("sample.conf");
    let statements = parse_text(text, &options, &ROOT, &mut diagnostics);
    load(&statements, &global, &mut diagnostics)
}

/// A check that has run, with its failures and what it adds to the weight.
fn check(up: bool, failures: u32) -> CheckState {
    CheckState { enabled: true, up, has_run: true, failures, ..CheckState::default() }
}

/// A check that has not run yet; its failures are set so that the first attempt decides.
fn new(failures: u32) -> CheckState {
    CheckState { has_run: false, ..check(true, failures) }
}

fn server(weight: i64, alive: bool, set: bool, checks: Vec<CheckState>) -> ServerState {
    let failed = checks.iter().filter(|check| !check.up).count();
    ServerState {
        effective_weight: weight,
        alive,
        set,
        failed_checks: u32::try_from(failed).unwrap(),
        checks,
        ..ServerState::default()
    }
}

fn pool(quorum_up: bool, servers: Vec<ServerState>) -> PoolState {
    PoolState { alive: true, quorum_up, servers, ..PoolState::default() }
}

fn snapshot() -> Snapshot {
    let failed_url = CheckState { failed_url: Some(0), ..check(false, 3) };
    let file = CheckState { weight: 6, ..check(true, 0) };
    Snapshot {
        pools: vec![
            pool(
                true,
                vec![
                    server(3, true, true, vec![check(true, 0)]),
                    server(1, false, true, vec![failed_url]),
                ],
            ),
            pool(
                false,
                vec![
                    server(1, false, false, vec![check(false, 0)]),
                    server(1, false, false, vec![check(false, 0)]),
                ],
            ),
            pool(
                true,
                vec![
                    server(1, true, true, vec![new(1)]),
                    server(1, false, false, vec![check(false, 2)]),
                    server(7, true, true, vec![new(0), file, check(true, 0), new(1)]),
                ],
            ),
        ],
        files: vec![3],
        ..Snapshot::default()
    }
}

#[test]
fn the_dump_is_that_of_the_original() {
    let mut out = Report::of_state();
    report(&config(), &snapshot(), &mut out);
    let (expected, found) = (include_str!("sample.data"), out.into_text());
    for (number, (expected, found)) in (1..).zip(expected.lines().zip(found.lines())) {
        assert_eq!(expected, found, "line {number}");
    }
    assert_eq!(expected.lines().count(), found.lines().count());
}

#[test]
fn statuses_that_follow_one_another_are_a_range() {
    let status = [404..=404, 200..=201, 202..=299, 301..=301, 210..=220];
    assert_eq!(checks::ranges(&status), ["200-299", "301", "404"]);
}
