//! The ledger against the real kernel.

use nix::errno::Errno;
use runtime::global::NetlinkBuffer;
use runtime::machine::route::{Hop, Prefix};
use runtime::machine::rule::RuleAction;
use runtime::machine::{AddressFlags, IfIndex};
use runtime::netlink::{Client, Drained, Interest, Monitor};

use super::*;
use crate::cable::{Side, await_true, ip, link, machine, with_cable};

fn drain(monitor: &mut Monitor, ledger: &mut Ledger) {
    let mut events = Vec::new();
    while monitor.drain(&mut events).unwrap() == Drained::More {}
    for event in events {
        assert_ne!(event, Event::Overrun);
        ledger.on_event(&event);
    }
}

fn there(desired: &Desired) -> bool {
    let machine = machine();
    let keys: Vec<AddressKey> = machine.addresses.iter().map(Address::key).collect();
    desired.addresses.iter().all(|address| keys.contains(&address.key()))
}

/// Addresses of both families, two of which share a subnet of their own.
fn virtual_addresses(interface: IfIndex) -> Desired {
    let plain = |text: &str, prefix_len| {
        let address = Address::plain(interface, text.parse().unwrap(), prefix_len);
        Address { protocol: PROTOCOL, ..address }
    };
    Desired {
        addresses: vec![
            plain("10.8.0.100", 24),
            plain("10.8.0.101", 24),
            Address { peer: Some([10, 7, 0, 2].into()), ..plain("10.7.0.1", 32) },
            Address { flags: AddressFlags::NO_DAD, ..plain("fd00:8::100", 64) },
            Address {
                flags: AddressFlags::NO_DAD,
                preferred: Some(0),
                ..plain("fd00:8::101", 128)
            },
        ],
        ..Desired::default()
    }
}

#[test]
fn transitions_losses_and_leftovers() {
    with_cable(|cable| {
        cable.on(Side::Left, || {
            let before = machine().addresses;
            let mut client = Client::open(NetlinkBuffer::default()).unwrap();
            let mut monitor = Monitor::open(NetlinkBuffer::default()).unwrap();
            let mut ledger = Ledger::default();
            let desired = virtual_addresses(link("v1").index);
            let mut reconcile = |ledger: &mut Ledger, desired: &Desired| {
                assert_eq!(ledger.reconcile(desired, |requests| client.execute(requests)), []);
            };

            reconcile(&mut ledger, &desired);
            drain(&mut monitor, &mut ledger);
            assert_eq!((ledger.take_lost(), there(&desired)), (vec![], true));

            // Leaving and coming back before the kernel's word about it is read.
            reconcile(&mut ledger, &Desired::default());
            assert!(!there(&Desired {
                addresses: desired.addresses[..1].to_vec(),
                ..Desired::default()
            }));
            reconcile(&mut ledger, &desired);
            drain(&mut monitor, &mut ledger);
            assert_eq!((ledger.take_lost(), there(&desired)), (vec![], true));

            // The primary address goes, and the kernel takes the other one with it.
            let rest = Desired { addresses: desired.addresses[1..].to_vec(), ..Desired::default() };
            reconcile(&mut ledger, &rest);
            drain(&mut monitor, &mut ledger);
            assert_eq!((ledger.take_lost(), there(&rest)), (vec![], true));
            reconcile(&mut ledger, &desired);

            ip("addr del fd00:8::100/64 dev v1");
            ip("addr del 10.8.0.100/24 dev v1");
            drain(&mut monitor, &mut ledger);
            let lost: Vec<String> = ledger.take_lost().iter().map(Address::to_string).collect();
            assert_eq!(lost, ["10.8.0.100/24", "fd00:8::100/64"]);
            reconcile(&mut ledger, &desired);
            assert!(there(&desired));

            // A new process finds what a killed one has left, and knows its options.
            let mut successor = Ledger::default();
            successor.adopt(&machine(), &desired.addresses);
            successor.reconcile(&desired, |requests| panic!("nothing is to do: {requests:?}"));
            reconcile(&mut successor, &Desired::default());
            let kept = |address: &Address| (address.key(), address.flags);
            assert_eq!(
                machine().addresses.iter().map(kept).collect::<Vec<_>>(),
                before.iter().map(kept).collect::<Vec<_>>()
            );
        });
    });
}

#[test]
fn an_interface_takes_its_addresses_along() {
    with_cable(|cable| {
        cable.on(Side::Left, || {
            ip("link add here type veth peer name there");
            ip("link set here up");
            let mut client = Client::open(NetlinkBuffer::default()).unwrap();
            let mut monitor = Monitor::open(NetlinkBuffer::default()).unwrap();
            let mut ledger = Ledger::default();
            let desired = virtual_addresses(link("here").index);
            let failures = ledger.reconcile(&desired, |requests| client.execute(requests));
            assert_eq!(failures, []);
            ip("link del here");
            await_true(|| machine().by_name("here").is_none());
            drain(&mut monitor, &mut ledger);
            assert_eq!(ledger.take_lost(), []);
            // Removing them again is fine, and adding them is told once.
            let mut old = Ledger::default();
            old.reconcile(&desired, |requests| requests.iter().map(|_| Ok(())).collect());
            let none = Desired::default();
            assert_eq!(old.reconcile(&none, |requests| client.execute(requests)), []);
            let failures = ledger.reconcile(&desired, |requests| client.execute(requests));
            assert_eq!(failures.len(), desired.addresses.len());
            assert!(failures.iter().all(|failure| failure.errno() == Some(Errno::ENODEV)));
        });
    });
}

/// Routes that need the addresses, in both families, and rules.
fn routes_and_rules(interface: IfIndex) -> Desired {
    let prefix = |text: &str, len| Prefix { address: text.parse().unwrap(), len };
    let hop = |gateway: &str| Hop {
        gateway: Some(gateway.parse().unwrap()),
        interface: Some(interface),
        ..Hop::default()
    };
    let route =
        |text, len, hops| Route { protocol: PROTOCOL, ..Route::plain(prefix(text, len), hops) };
    let rule = |ipv6, priority| Rule {
        protocol: Some(PROTOCOL),
        ..Rule::plain(ipv6, priority, RuleAction::Table(100))
    };
    Desired {
        routes: vec![
            Route {
                source: Some([10, 8, 0, 100].into()),
                ..route("10.20.0.0", 16, vec![hop("10.8.0.9")])
            },
            route("10.21.0.0", 16, vec![hop("10.8.0.9"), hop("10.8.0.8")]),
            Route { table: 100, kind: Route::BLACKHOLE, ..route("10.22.0.0", 16, vec![]) },
            Route {
                source: Some("fd00:8::100".parse().unwrap()),
                ..route("fd20::", 64, vec![hop("fd00:8::9")])
            },
            route("fd21::", 64, vec![hop("fd00:8::9"), hop("fd00:8::8")]),
            Route { kind: Route::BLACKHOLE, ..route("fd22::", 64, vec![]) },
        ],
        rules: vec![
            Rule { from: Some(prefix("10.20.0.0", 16)), ..rule(false, 100) },
            Rule { input: Some("v1".to_owned()), mark: Some((7, u32::MAX)), ..rule(true, 101) },
        ],
        ..virtual_addresses(interface)
    }
}

#[test]
fn routes_and_rules_through_all_that_happens_to_them() {
    with_cable(|cable| {
        cable.on(Side::Left, || {
            let mut client = Client::open(NetlinkBuffer::default()).unwrap();
            let mut monitor = Monitor::open(NetlinkBuffer::default()).unwrap();
            let own = client.port().unwrap();
            monitor.follow(Interest { routes: Some(PROTOCOL), rules: true, own }).unwrap();
            let rules_before = client.rules().unwrap();
            let mut ledger = Ledger::default();
            let desired = routes_and_rules(link("v1").index);
            let count = |client: &mut Client| {
                let rules = client.rules().unwrap().len() - rules_before.len();
                (client.routes(PROTOCOL).unwrap().len(), rules)
            };
            let all = (desired.routes.len(), desired.rules.len());
            let reconcile = |ledger: &mut Ledger, client: &mut Client, desired: &Desired| {
                assert_eq!(ledger.reconcile(desired, |requests| client.execute(requests)), []);
            };

            reconcile(&mut ledger, &mut client, &desired);
            drain(&mut monitor, &mut ledger);
            assert_eq!(count(&mut client), all);
            assert!(!ledger.is_unsettled());

            for gone in ["10.20.0.0/16", "10.21.0.0/16", "fd20::/64", "fd21::/64"] {
                ip(&format!("route del {gone}"));
            }
            ip("rule del pref 100");
            drain(&mut monitor, &mut ledger);
            assert_eq!((ledger.take_lost_routes().len(), ledger.take_lost_rules().len()), (4, 1));
            reconcile(&mut ledger, &mut client, &desired);
            assert_eq!(count(&mut client), all);

            // The kernel takes routes along with the interface and IPv6 addresses, and puts none back.
            ip("link set v1 down");
            ip("link set v1 up");
            await_true(|| link("v1").is_up());
            drain(&mut monitor, &mut ledger);
            ledger.take_lost();
            assert_eq!(ledger.take_lost_routes(), []);
            assert!(ledger.is_unsettled());
            reconcile(&mut ledger, &mut client, &desired);
            assert_eq!(count(&mut client), all);
            drain(&mut monitor, &mut ledger);

            // A new process finds what a killed one has left, and changes nothing about it.
            let mut successor = Ledger::default();
            successor.adopt(&machine(), &desired.addresses);
            let (routes, rules) = (client.routes(PROTOCOL).unwrap(), client.rules().unwrap());
            successor.adopt_routes(&routes, &rules, &desired);
            successor.reconcile(&desired, |requests| panic!("nothing is to do: {requests:?}"));
            reconcile(&mut successor, &mut client, &Desired::default());
            assert_eq!(count(&mut client), (0, 0));
            assert_eq!(client.rules().unwrap(), rules_before);
        });
    });
}
