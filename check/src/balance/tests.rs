//! The arithmetic of quorums, and what is said in which order.

use std::collections::BTreeMap;

use conf_parser::{Diagnostics, Options, parse_text};
use proptest::prelude::*;
use runtime::global::{Global, TrackFile};

use super::*;
use crate::config;

fn config(text: &str) -> Rc<Config> {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &config::ROOT, &mut diagnostics);
    let global = Global { track_files: vec![file("f")], ..Global::default() };
    Rc::new(config::load(&statements, &global, &mut diagnostics))
}

fn file(name: &str) -> TrackFile {
    TrackFile { name: name.into(), path: "/f".into(), weight: 0, reverse: false, initial: None }
}

/// A virtual server for TCP with these lines. Real server n is 192.168.50.n, with these lines and a check of TCP.
fn web(lines: &str, servers: &[(u8, &str)]) -> String {
    let servers = servers.iter().map(|(number, lines)| {
        format!("real_server 192.168.50.{number} 80 {{\n{lines}\nTCP_CHECK {{\n}}\n}}\n")
    });
    let servers: String = servers.collect();
    format!(
        "virtual_server 10.0.0.1 80 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n{lines}\n{servers}}}\n"
    )
}

const SORRY: &str = "sorry_server 192.168.50.99 80";

/// A balance, and what has come out of it.
struct Story {
    balance: Balance,
}

fn server(place: usize) -> ServerId {
    ServerId { pool: PoolId(0), place }
}

impl Story {
    fn new(text: &str) -> Self {
        let mut story = Self { balance: Balance::new() };
        story.load(text);
        story
    }

    fn load(&mut self, text: &str) -> Vec<Continuation> {
        let settings = self.balance.settings;
        let continuations = self.balance.prepare(config(text), settings);
        self.balance.complete();
        continuations
    }

    /// What check 0 of a server of the first virtual server finds, again and again.
    fn check(&mut self, place: usize, up: bool) {
        self.balance.report(server(place), 0, up, false);
    }

    /// Lines of the log as they are, lines of FIFOs after `>`; `!` stands for traps only.
    #[track_caller]
    fn said(&mut self, expected: &[&str]) {
        let lines = self.balance.take_events().into_iter().map(|event| match event {
            Event::Log(line) => {
                line.replace("[192.168.50.", "[.").replace("[10.0.0.1]:tcp:80", "V")
            }
            Event::Server(change) => {
                let (service, server) = change.server.servers().unwrap();
                let sign = if change.is_quiet(service) { '!' } else { '>' };
                format!("{sign} {}", change.line(service, server))
            }
            Event::Quorum(change) => {
                let service = change.pool.virtual_server().unwrap();
                let sign = if change.is_quiet(service) { '!' } else { '>' };
                format!("{sign} {}", change.line(service))
            }
        });
        let lines: Vec<String> = lines
            .map(|line| line.replace("[192.168.50.", "[.").replace("[10.0.0.1]:tcp:80", "V"))
            .collect();
        assert_eq!(lines, expected);
    }

    /// What IPVS should have for the first virtual server: the last octet and the weight of each server.
    fn table(&self) -> BTreeMap<u8, u32> {
        let pool = PoolId(0);
        let virtual_server = self.balance.virtual_server(pool).unwrap();
        let octet = |address: std::net::SocketAddr| match address.ip() {
            std::net::IpAddr::V4(address) => address.octets()[3],
            std::net::IpAddr::V6(_) => panic!("{address}"),
        };
        let mut table = BTreeMap::new();
        for (place, config) in virtual_server.real_servers.iter().enumerate() {
            if let Some(weight) = self.balance.share(ServerId { pool, place }) {
                table.insert(octet(config.address), weight);
            }
        }
        if let Some(weight) = self.balance.sorry_share(pool) {
            table.insert(octet(virtual_server.sorry_server.as_ref().unwrap().address), weight);
        }
        table
    }

    #[track_caller]
    fn has(&self, expected: &[(u8, u32)]) {
        assert_eq!(self.table(), expected.iter().copied().collect());
    }
}

#[test]
fn a_quorum_with_hysteresis_is_lost_late_and_gained_late() {
    let text =
        web(&format!("quorum 2\nhysteresis 1\nomega\n{SORRY}"), &[(2, ""), (3, ""), (4, "")]);
    let mut story = Story::new(&text);
    story.said(&["Gained quorum 2+1=3 <= 3 for VS V", "> VS V UP"]);
    story.check(0, false);
    story.said(&["Removing service [.2]:tcp:80 from VS V", "> RS [.2]:tcp:80 V DOWN"]);
    story.check(1, false);
    story.said(&["Removing service [.3]:tcp:80 from VS V", "> RS [.3]:tcp:80 V DOWN"]);
    story.has(&[(4, 1)]);
    story.check(2, false);
    story.said(&[
        "Removing service [.4]:tcp:80 from VS V",
        "> RS [.4]:tcp:80 V DOWN",
        "Lost quorum 2-1=1 > 0 for VS V",
        "Adding sorry server [.99]:tcp:80 to VS V",
        "Removing alive servers from the pool for VS V",
        "> VS V DOWN",
    ]);
    story.has(&[(99, 1)]);
    story.check(0, true);
    story.said(&["Adding service [.2]:tcp:80 to VS V", "> RS [.2]:tcp:80 V UP"]);
    story.check(1, true);
    story.said(&["Adding service [.3]:tcp:80 to VS V", "> RS [.3]:tcp:80 V UP"]);
    story.has(&[(99, 1)]);
    story.check(2, true);
    story.said(&[
        "Adding service [.4]:tcp:80 to VS V",
        "> RS [.4]:tcp:80 V UP",
        "Gained quorum 2+1=3 <= 3 for VS V",
        "Removing sorry server [.99]:tcp:80 from VS V",
        "Adding alive servers to the pool for VS V",
        "> VS V UP",
    ]);
    story.has(&[(2, 1), (3, 1), (4, 1)]);
    story.balance.stop();
    story.said(&[
        "Shutting down service [.2]:tcp:80 from VS V",
        "> RS [.2]:tcp:80 V DOWN",
        "Shutting down service [.3]:tcp:80 from VS V",
        "> RS [.3]:tcp:80 V DOWN",
        "Shutting down service [.4]:tcp:80 from VS V",
        "> RS [.4]:tcp:80 V DOWN",
        "> VS V DOWN",
    ]);
    story.has(&[]);
}

#[test]
fn what_is_inhibited_stays_with_weight_0() {
    let lines = format!("quorum 2\nhysteresis 1\n{SORRY}\nsorry_server_inhibit");
    let mut story = Story::new(&web(&lines, &[(2, ""), (3, "inhibit_on_failure"), (4, "")]));
    story.has(&[(2, 1), (3, 1), (4, 1), (99, 0)]);
    let steps: [(usize, bool, &[_]); 6] = [
        (0, false, &[(3, 1), (4, 1), (99, 0)]),
        (1, false, &[(3, 0), (4, 1), (99, 0)]),
        (2, false, &[(3, 0), (99, 1)]),
        (0, true, &[(3, 0), (99, 1)]),
        (1, true, &[(3, 0), (99, 1)]),
        (2, true, &[(2, 1), (3, 1), (4, 1), (99, 0)]),
    ];
    story.balance.take_events();
    for (place, up, table) in steps {
        story.check(place, up);
        story.has(table);
    }
    let events = story.balance.take_events();
    let logged = |wanted: &str| {
        events.iter().any(|event| matches!(event, Event::Log(line) if line.contains(wanted)))
    };
    assert!(logged("Disabling service [192.168.50.3]:tcp:80 of VS"), "{events:?}");
    assert!(logged("Enabling service [192.168.50.3]:tcp:80 of VS"), "{events:?}");
    assert!(logged("Enabling sorry server [192.168.50.99]:tcp:80 to VS"), "{events:?}");
    assert!(logged("Disabling sorry server [192.168.50.99]:tcp:80 from VS"), "{events:?}");
}

#[test]
fn alpha_servers_must_prove_themselves() {
    let lines = format!("alpha\n{SORRY}");
    let mut story = Story::new(&web(&lines, &[(3, "inhibit_on_failure"), (2, "weight 5")]));
    story.said(&[
        "Starting with quorum down 1-0=1 > 0 for VS V",
        "Adding sorry server [.99]:tcp:80 to VS V",
        "Removing alive servers from the pool for VS V",
        "> VS V DOWN",
    ]);
    story.has(&[(3, 0), (99, 1)]);
    // The first failure tells those who do not know it yet.
    story.balance.report(server(0), 0, false, true);
    story.said(&["> RS [.3]:tcp:80 V DOWN"]);
    story.balance.report(server(1), 0, true, true);
    story.said(&[
        "Adding service [.2]:tcp:80 to VS V",
        "> RS [.2]:tcp:80 V UP",
        "Gained quorum 1+0=1 <= 5 for VS V",
        "Removing sorry server [.99]:tcp:80 from VS V",
        "Adding alive servers to the pool for VS V",
        "> VS V UP",
    ]);
    story.has(&[(2, 5), (3, 0)]);
    story.balance.stop();
    story.said(&[
        "Shutting down (inhibited) service [.3]:tcp:80 from VS V",
        "Shutting down service [.2]:tcp:80 from VS V",
        "! RS [.2]:tcp:80 V DOWN",
        "! VS V DOWN",
    ]);
}

#[test]
fn without_sorry_server_a_start_without_quorum_is_silent() {
    let mut story = Story::new(&web("alpha", &[(2, "")]));
    story.said(&[]);
    story.has(&[]);
}

#[test]
fn servers_of_weight_0_are_no_quorum_until_they_weigh_something() {
    let mut story = Story::new(&web(SORRY, &[(2, "weight 0")]));
    story.said(&[
        "Starting with quorum down 1-0=1 > 0 for VS V",
        "Adding sorry server [.99]:tcp:80 to VS V",
        "Removing alive servers from the pool for VS V",
        "> VS V DOWN",
    ]);
    story.has(&[(99, 1)]);
    story.balance.set_contribution(server(0), 0, 3);
    story.said(&[
        "Changing weight from 0 to 3 for active service [.2]:tcp:80 of VS V",
        "Gained quorum 1+0=1 <= 3 for VS V",
        "Removing sorry server [.99]:tcp:80 from VS V",
        "Adding alive servers to the pool for VS V",
        "> VS V UP",
    ]);
    story.has(&[(2, 3)]);
}

#[test]
fn weights_are_limited_where_they_count_only() {
    let mut story = Story::new(&web("", &[(2, "weight 10")]));
    story.balance.take_events();
    story.balance.set_contribution(server(0), 0, -20);
    story.said(&[
        "Changing weight from 10 to 0 for active service [.2]:tcp:80 of VS V",
        "Lost quorum 1-0=1 > 0 for VS V",
        "> VS V DOWN",
    ]);
    story.has(&[(2, 0)]);
    story.balance.set_contribution(server(0), 0, -15);
    story.said(&[]);
    story.balance.set_contribution(server(0), 0, i64::MAX);
    story.has(&[(2, 2_147_483_647)]);
    assert_eq!(story.balance.weight(server(0)), i64::MAX);
    story.balance.replace_contribution(server(0), 0, 0);
    story.has(&[(2, 10)]);
}

#[test]
fn a_server_is_down_while_any_check_has_failed() {
    let text = web("", &[(2, "TCP_CHECK {\nconnect_port 81\n}")]);
    let mut story = Story::new(&text);
    story.balance.take_events();
    assert!(story.balance.report(server(0), 0, false, false));
    assert!(!story.balance.report(server(0), 1, false, false));
    assert!(!story.balance.report(server(0), 0, true, false));
    story.has(&[]);
    assert!(story.balance.report(server(0), 1, true, false));
    story.has(&[(2, 1)]);
}

#[test]
fn servers_that_come_up_at_the_start_are_notified_where_that_is_wanted() {
    let mut balance = Balance::new();
    let settings = Settings { notify_start: true, ..Settings::default() };
    balance.prepare(config(&web("", &[(2, "")])), settings);
    balance.complete();
    Story { balance }.said(&[
        "> RS [.2]:tcp:80 V UP",
        "Gained quorum 1+0=1 <= 1 for VS V",
        "> VS V UP",
    ]);
}

#[test]
fn mails_say_what_the_original_says() {
    let mut story = Story::new(&web("quorum 2", &[(2, ""), (3, "")]));
    story.check(0, false);
    let mails: Vec<String> = story
        .balance
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Quorum(change) => Some(change.mail()),
            _ => None,
        })
        .collect();
    assert_eq!(mails, ["=> Starting with quorum up 2+0=2 <= 2 <=", "=> Lost quorum 2+0=2 <= 1 <="]);
}

mod reload;

proptest! {
    /// Whatever checks find in whatever order: the quorum is as its two thresholds say, the sorry server is in use exactly
    /// while there is none, and IPVS has the live servers or the sorry server.
    #[test]
    fn the_table_follows_the_checks(
        quorum in 1_u32..8, hysteresis in 0_u32..4, inhibit: [bool; 3], weights in prop::array::uniform3(0_u32..5),
        steps in prop::collection::vec((0_usize..3, any::<bool>(), -3_i64..4), 1..40),
    ) {
        let inhibit = inhibit.map(|inhibit| if inhibit { "inhibit_on_failure on" } else { "" });
        let lines = format!("quorum {quorum}\nhysteresis {hysteresis}\n{SORRY}");
        let servers = [0, 1, 2].map(|at| format!("weight {}\n{}", weights[at], inhibit[at]));
        let servers = [(2, servers[0].as_str()), (3, servers[1].as_str()), (4, servers[2].as_str())];
        let mut story = Story::new(&web(&lines, &servers));
        let config = Rc::clone(story.balance.config());
        let virtual_server = &config.virtual_servers[0];
        let (needed, hysteresis) = (i64::from(virtual_server.quorum.max(1)), i64::from(virtual_server.hysteresis));
        let (mut up, mut added) = ([true; 3], [0_i64; 3]);
        for (place, state, contribution) in steps {
            let had = story.balance.has_quorum(PoolId(0));
            story.check(place, state);
            let weigh = |up: &[bool; 3], added: &[i64; 3]| -> i64 {
                let weight = |at: usize| (i64::from(weights[at]) + added[at]).max(0);
                (0..3).filter(|&at| up[at]).map(weight).sum()
            };
            let expected = |had: bool, weight: i64| match had {
                true => weight > 0 && weight >= needed - hysteresis,
                false => weight >= needed + hysteresis,
            };
            up[place] = state;
            let after_check = expected(had, weigh(&up, &added));
            prop_assert_eq!(story.balance.has_quorum(PoolId(0)), after_check);
            story.balance.set_contribution(server(place), 0, contribution);
            added[place] = contribution;
            let has = story.balance.has_quorum(PoolId(0));
            prop_assert_eq!(has, expected(after_check, weigh(&up, &added)));
            prop_assert_eq!(story.balance.uses_sorry_server(PoolId(0)), !has);
            for at in 0..3 {
                let weight = u32::try_from((i64::from(weights[at]) + added[at]).max(0)).unwrap();
                let kept = virtual_server.real_servers[at].inhibit_on_failure.then_some(0);
                let share = if has && up[at] { Some(weight) } else { kept };
                prop_assert_eq!(story.balance.share(server(at)), share);
            }
        }
    }
}
