//! Routes and rules, written and read back, with and without a kernel in between.

use super::*;
use crate::machine::route::{AddMode, Encap, EncapIp, Hop, Metrics, Prefix};
use crate::machine::rule::RuleAction;
use crate::machine::{Route, Rule};
use crate::netlink::{route, rule};

fn prefix(text: &str) -> Prefix {
    let (address, len) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), len: len.parse().unwrap() }
}

fn via(gateway: &str, interface: IfIndex) -> Hop {
    Hop { gateway: Some(gateway.parse().unwrap()), interface: Some(interface), ..Hop::default() }
}

fn ours(destination: &str, hops: Vec<Hop>) -> Route {
    Route { protocol: 18, ..Route::plain(prefix(destination), hops) }
}

fn execute(client: &mut Client, requests: &[Request]) {
    for outcome in client.execute(requests) {
        assert_eq!(outcome, Ok(()));
    }
}

fn prepare(client: &mut Client) -> [IfIndex; 2] {
    ip("addr add 10.0.0.1/24 dev left");
    ip("addr add 10.1.0.1/24 dev right");
    ip("addr add fd00::1/64 dev left nodad");
    ip("addr add fd01::1/64 dev right nodad");
    ["left", "right"].map(|name| index(client, name))
}

/// One of each attribute that this kernel knows.
fn some_routes([left, right]: [IfIndex; 2]) -> Vec<Route> {
    let numbers = vec![(2, 1400), (4, 800), (8, 1360), (10, 33), (11, 20), (13, 250), (15, 1)];
    let locked = vec![(1, 1 << 2), (2, 1300)];
    vec![
        Route {
            source: Some([10, 0, 0, 1].into()),
            tos: 16,
            metric: Some(5),
            metrics: Metrics { numbers, congestion: None },
            ..ours("10.8.0.0/16", vec![via("10.0.0.2", left)])
        },
        Route {
            metrics: Metrics { numbers: locked, congestion: Some("reno".to_owned()) },
            ..ours("10.9.0.0/16", vec![Hop { onlink: true, ..via("10.77.0.2", left) }])
        },
        ours(
            "10.10.0.0/16",
            vec![via("10.0.0.2", left), Hop { weight: 7, ..via("10.1.0.2", right) }],
        ),
        Route {
            scope: 253,
            table: 1000,
            ..ours("10.11.0.0/16", vec![Hop { interface: Some(left), ..Hop::default() }])
        },
        Route { kind: Route::BLACKHOLE, ..ours("10.12.0.0/16", vec![]) },
        Route { protocol: 77, ..ours("10.13.0.0/16", vec![via("fd00::2", left)]) },
        Route {
            metric: Some(33),
            preference: Some(1),
            ..ours("fd08::/64", vec![via("fd00::2", left)])
        },
        Route {
            from: Some(prefix("fd07::/64")),
            metric: Some(1024),
            preference: Some(0),
            ..ours("fd09::/64", vec![via("fd00::2", left)])
        },
        Route {
            metric: Some(1024),
            preference: Some(0),
            ..ours(
                "fd0a::/64",
                vec![Hop { weight: 3, ..via("fd00::2", left) }, via("fd01::2", right)],
            )
        },
    ]
}

#[test]
fn routes_are_added_read_and_removed() {
    in_namespace(|| {
        let mut client = client();
        let interfaces = prepare(&mut client);
        let routes = some_routes(interfaces);
        let add = |route: &Route| Request::AddRoute(Box::new(route.clone()));
        execute(&mut client, &routes.iter().map(add).collect::<Vec<_>>());
        let mut there = client.routes(18).unwrap();
        there.extend(client.routes(77).unwrap());
        for route in &routes {
            assert!(there.contains(route), "{route:?} is not in {there:#?}");
        }
        assert_eq!(there.len(), routes.len());
        let remove = |route: &Route| Request::RemoveRoute(Box::new(route.clone()));
        execute(&mut client, &routes.iter().map(remove).collect::<Vec<_>>());
        assert_eq!(client.routes(18).unwrap(), []);
        assert_eq!(client.routes(77).unwrap(), []);
    });
}

#[test]
fn a_route_is_added_in_three_ways() {
    in_namespace(|| {
        let mut client = client();
        let [left, _] = prepare(&mut client);
        let to = |gateway, add| {
            let route = Route { add, ..ours("10.8.0.0/16", vec![via(gateway, left)]) };
            Request::AddRoute(Box::new(route))
        };
        execute(&mut client, &[to("10.0.0.2", AddMode::Exclusive)]);
        let refused = client.execute(&[to("10.0.0.3", AddMode::Exclusive)]);
        assert_eq!(refused[0].as_ref().unwrap_err().errno(), Some(Errno::EEXIST));
        execute(&mut client, &[to("10.0.0.3", AddMode::Append), to("10.0.0.4", AddMode::Prepend)]);
        let gateways: Vec<String> = client
            .routes(18)
            .unwrap()
            .iter()
            .filter_map(|route| Some(route.hops[0].gateway?.to_string()))
            .collect();
        assert_eq!(gateways, ["10.0.0.4", "10.0.0.2", "10.0.0.3"]);
        let refused = client.execute(&[to("10.99.0.1", AddMode::Prepend)]);
        let refused = refused[0].as_ref().unwrap_err();
        assert_eq!(refused.errno(), Some(Errno::ENETUNREACH));
        let text = refused.to_string();
        assert!(text.starts_with("cannot add route 10.8.0.0/16 via 10.99.0.1"), "{text}");
    });
}

fn some_rules() -> Vec<Rule> {
    let plain =
        |priority, action| Rule { protocol: Some(18), ..Rule::plain(false, priority, action) };
    vec![
        Rule {
            invert: true,
            from: Some(prefix("10.1.0.0/16")),
            to: Some(prefix("10.2.0.0/16")),
            tos: 16,
            mark: Some((7, 0xff)),
            realms: Some(3 << 16 | 4),
            suppress_prefix_len: Some(8),
            suppress_group: Some(5),
            input: Some("left".to_owned()),
            output: Some("missing".to_owned()),
            ..plain(100, RuleAction::Table(1000))
        },
        Rule {
            tunnel: Some(77),
            users: Some(10..=20),
            ip_protocol: Some(6),
            source_ports: Some(1000..=2000),
            destination_ports: Some(80..=80),
            mark: Some((1, u32::MAX)),
            ..plain(101, RuleAction::Table(254))
        },
        plain(102, RuleAction::Goto(200)),
        plain(103, RuleAction::Other(3)),
        plain(104, RuleAction::Other(6)),
        plain(105, RuleAction::Other(7)),
        plain(106, RuleAction::Other(8)),
        plain(107, RuleAction::L3mdev),
        Rule {
            from: Some(prefix("fd00::/64")),
            protocol: Some(77),
            ..Rule::plain(true, 108, RuleAction::Table(100))
        },
    ]
}

#[test]
fn rules_are_added_read_and_removed() {
    in_namespace(|| {
        let mut client = client();
        let before = client.rules().unwrap();
        assert!(before.contains(&Rule {
            protocol: Some(2),
            ..Rule::plain(true, 32766, RuleAction::Table(254))
        }));
        let rules = some_rules();
        let add = |rule: &Rule| Request::AddRule(Box::new(rule.clone()));
        execute(&mut client, &rules.iter().map(add).collect::<Vec<_>>());
        let there = client.rules().unwrap();
        for rule in &rules {
            assert!(there.contains(rule), "{rule:?} is not in {there:#?}");
        }
        let twice = client.execute(&[add(&rules[0])]);
        assert_eq!(twice[0].as_ref().unwrap_err().errno(), Some(Errno::EEXIST));
        let remove = |rule: &Rule| Request::RemoveRule(Box::new(rule.clone()));
        execute(&mut client, &rules.iter().map(remove).collect::<Vec<_>>());
        assert_eq!(client.rules().unwrap(), before);
        let gone = client.execute(&[remove(&rules[0])]);
        assert_eq!(gone[0].as_ref().unwrap_err().errno(), Some(Errno::ENOENT));
    });
}

#[test]
fn what_others_do_to_our_routes_is_heard() {
    in_namespace(|| {
        let mut client = client();
        let [left, _] = prepare(&mut client);
        let mut monitor = Monitor::open(NetlinkBuffer::default()).unwrap();
        let own = client.port().unwrap();
        let interest = Interest { routes: Some(18), rules: true, own };
        monitor.follow(interest).unwrap();
        let route = ours("10.8.0.0/16", vec![via("10.0.0.2", left)]);
        let rule = Rule { protocol: Some(18), ..Rule::plain(true, 9, RuleAction::Table(7)) };
        let requests =
            [Request::AddRoute(Box::new(route.clone())), Request::AddRule(Box::new(rule.clone()))];
        execute(&mut client, &requests);
        ip("route add 10.7.0.0/16 via 10.0.0.2");
        ip("route del 10.8.0.0/16 via 10.0.0.2");
        // Neither our own changes nor those of routes that are not ours are told.
        let gone = hear(&mut monitor, |event| match event {
            Event::RouteRemoved(gone) => Some(gone.clone()),
            Event::RouteAdded(_) | Event::RuleAdded(_) => panic!("{event:?} is of no interest"),
            _ => None,
        });
        assert_eq!(*gone, route);
        ip("-6 rule del pref 9");
        let gone = hear(&mut monitor, |event| match event {
            Event::RuleRemoved(gone) => Some(gone.clone()),
            _ => None,
        });
        assert_eq!(*gone, rule);
        assert_eq!(client.routes(18).unwrap(), []);
        execute(&mut client, &requests);
        monitor.follow(Interest { own, ..Interest::default() }).unwrap();
        ip("route del 10.8.0.0/16 via 10.0.0.2");
        ip("link set left group 9");
        let mut heard = Vec::new();
        monitor.drain(&mut heard).unwrap();
        let about_links =
            |event: &Event| matches!(event, Event::LinkChanged(_) | Event::AddressAdded(_));
        assert!(heard.iter().all(about_links), "{heard:?}");
    });
}

fn any_prefix(ipv6: bool) -> impl Strategy<Value = Prefix> {
    let len = if ipv6 { 0..=128u8 } else { 0..=32 };
    (any_address(ipv6), len).prop_map(|(address, len)| match len {
        0 => Prefix::everywhere(address.is_ipv6()),
        len => Prefix { address, len },
    })
}

fn any_address(ipv6: bool) -> impl Strategy<Value = std::net::IpAddr> {
    any::<u128>().prop_map(move |bits| {
        if ipv6 {
            std::net::Ipv6Addr::from(bits).into()
        } else {
            let [a, b, c, d, ..] = bits.to_be_bytes();
            [a, b, c, d].into()
        }
    })
}

fn any_encap() -> impl Strategy<Value = Encap> {
    let ip = |ipv6| {
        let address = move || proptest::option::of(any_address(ipv6));
        let rest = any::<(Option<u64>, Option<u8>, Option<u8>, Option<u16>)>();
        (address(), address(), rest).prop_map(|(destination, source, (id, tos, ttl, flags))| {
            EncapIp { id, destination, source, tos, ttl, flags }
        })
    };
    prop_oneof![
        ip(false).prop_map(Encap::Ip),
        ip(true).prop_map(Encap::Ip6),
        proptest::collection::vec(0..1u32 << 20, 1..3).prop_map(Encap::Mpls),
        any::<u64>().prop_map(Encap::Ila),
    ]
}

fn any_hop() -> impl Strategy<Value = Hop> {
    let gateway = any::<bool>().prop_flat_map(|ipv6| proptest::option::of(any_address(ipv6)));
    let encap = proptest::option::of(any_encap());
    (gateway, 1..1000u32, 1..=256u16, any::<(bool, Option<u32>)>(), encap).prop_map(
        |(gateway, index, weight, (onlink, realms), encap)| {
            let interface = Some(IfIndex(index));
            Hop { gateway, interface, weight, onlink, realms, encap }
        },
    )
}

fn any_route() -> impl Strategy<Value = Route> {
    any::<bool>().prop_flat_map(|ipv6| {
        let metrics = (
            proptest::collection::btree_map(1..16u16, any::<u32>(), 0..6),
            proptest::option::of("[a-z]{1,10}"),
        );
        let metrics = metrics.prop_map(|(numbers, congestion)| Metrics {
            numbers: numbers.into_iter().collect(),
            congestion,
        });
        let fields = any::<(u8, u32, u8, u8, u8, Option<u32>)>();
        let rest = any::<(Option<u32>, Option<u8>, Option<bool>)>();
        let source = proptest::option::of(any_address(ipv6));
        let hops = proptest::collection::vec(any_hop(), 0..4);
        (any_prefix(ipv6), source, fields, rest, metrics, hops).prop_map(
            |(destination, source, fields, rest, metrics, mut hops)| {
                let (kind, table, protocol, scope, tos, metric) = fields;
                let (expires, preference, ttl_propagate) = rest;
                if let [single] = &mut hops[..] {
                    // Alone it gets everything.
                    single.weight = 1;
                }
                Route {
                    source,
                    kind,
                    table,
                    protocol,
                    scope,
                    tos,
                    metric,
                    metrics,
                    expires,
                    preference,
                    ttl_propagate,
                    ..Route::plain(destination, hops)
                }
            },
        )
    })
}

proptest! {
    #[test]
    fn what_is_written_of_a_route_is_read(route in any_route()) {
        prop_assert_eq!(route::decode(&route::added(&route)), Some(route.clone()));
        let removed = route::decode(&route::removed(&route)).unwrap();
        prop_assert_eq!(removed.destination, route.destination);
        prop_assert_eq!(removed.hops.len(), route.hops.len());
    }

    #[test]
    fn what_is_written_of_a_rule_is_read(place in 0..9usize, priority: u32, tos: u8, invert: bool) {
        let rule = Rule { priority, tos, invert, ..some_rules().swap_remove(place) };
        prop_assert_eq!(rule::decode(&rule::encode(&rule)), Some(rule));
    }

    #[test]
    fn no_octets_are_too_strange(octets: Vec<u8>) {
        let _ = (route::decode(&octets), rule::decode(&octets));
    }
}
