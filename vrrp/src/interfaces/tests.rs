use proptest::prelude::*;
use runtime::machine::{AddressFlags, LinkFlags};

use super::*;

fn address(index: u32, text: &str, prefix_len: u8) -> Address {
    Address::plain(IfIndex(index), text.parse().unwrap(), prefix_len)
}

fn with(names: &[&str]) -> Interfaces {
    Interfaces::new(&Machine::with_interfaces(names), HashSet::new())
}

fn feed(interfaces: &mut Interfaces, event: Event) -> Vec<Change> {
    let mut changes = Vec::new();
    interfaces.on_event(&event, &mut changes);
    changes
}

fn source(interfaces: &Interfaces, family: Family) -> Option<String> {
    interfaces.by_name("eth0")?.source(family).map(|address| address.to_string())
}

#[test]
fn up_means_up_and_running() {
    let mut interfaces = with(&["eth0"]);
    let index = IfIndex(1);
    let mut link = Link::ethernet(index, "eth0");
    assert!(interfaces.is_up(index));
    assert_eq!(feed(&mut interfaces, Event::LinkChanged(link.clone())), []);
    link.flags = link.flags.without(LinkFlags::RUNNING);
    assert_eq!(feed(&mut interfaces, Event::LinkChanged(link.clone())), [Change::Down(index)]);
    link.flags = link.flags.with(LinkFlags::RUNNING).without(LinkFlags::UP);
    assert_eq!(feed(&mut interfaces, Event::LinkChanged(link.clone())), []);
    link.flags = link.flags.with(LinkFlags::UP);
    assert_eq!(feed(&mut interfaces, Event::LinkChanged(link)), [Change::Up(index)]);
    let gone = Event::LinkGone { index, name: "eth0".to_owned() };
    let vanished = Change::Vanished { index, name: "eth0".to_owned() };
    assert_eq!(feed(&mut interfaces, gone), [vanished]);
    assert!(!interfaces.is_up(index));
}

#[test]
fn the_last_spare_takes_over() {
    let mut interfaces = with(&["eth0"]);
    let changed = [Change::Source(IfIndex(1), Family::V4)];
    let [first, second, third] =
        ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|text| address(1, text, 24));
    assert_eq!(feed(&mut interfaces, Event::AddressAdded(first.clone())), changed);
    assert_eq!(feed(&mut interfaces, Event::AddressAdded(second.clone())), []);
    assert_eq!(feed(&mut interfaces, Event::AddressAdded(third.clone())), []);
    assert_eq!(feed(&mut interfaces, Event::AddressAdded(first.clone())), []);
    assert_eq!(source(&interfaces, Family::V4).as_deref(), Some("10.0.0.1"));
    assert_eq!(feed(&mut interfaces, Event::AddressRemoved(first)), changed);
    assert_eq!(source(&interfaces, Family::V4).as_deref(), Some("10.0.0.3"));
    assert_eq!(feed(&mut interfaces, Event::AddressRemoved(second)), []);
    assert_eq!(feed(&mut interfaces, Event::AddressRemoved(third)), changed);
    assert_eq!(source(&interfaces, Family::V4), None);
}

#[test]
fn a_virtual_address_is_no_source() {
    let vip: Prefixed = ("10.0.0.100".parse().unwrap(), 24);
    let machine = Machine {
        addresses: vec![address(1, "10.0.0.100", 24), address(1, "10.0.0.1", 24)],
        ..Machine::with_interfaces(&["eth0"])
    };
    let mut interfaces = Interfaces::new(&machine, HashSet::from([vip]));
    assert_eq!(source(&interfaces, Family::V4).as_deref(), Some("10.0.0.1"));
    let mut changes = Vec::new();
    interfaces.on_event(&Event::AddressRemoved(address(1, "10.0.0.1", 24)), &mut changes);
    assert_eq!(source(&interfaces, Family::V4), None);
    interfaces.set_virtuals(HashSet::new(), &mut changes);
    assert_eq!(source(&interfaces, Family::V4).as_deref(), Some("10.0.0.100"));
    assert_eq!(changes, [const { Change::Source(IfIndex(1), Family::V4) }; 2]);
}

#[test]
fn ipv6_adverts_come_from_a_settled_address_of_the_link() {
    let mut interfaces = with(&["eth0"]);
    let tentative = Address { flags: AddressFlags::TENTATIVE, ..address(1, "fe80::1", 64) };
    let failed = Address { flags: AddressFlags::DAD_FAILED, ..address(1, "fe80::1", 64) };
    let settled = address(1, "fe80::1", 64);
    assert_eq!(feed(&mut interfaces, Event::AddressAdded(address(1, "fd00::1", 64))), []);
    assert_eq!(feed(&mut interfaces, Event::AddressAdded(tentative)), []);
    let changed = [Change::Source(IfIndex(1), Family::V6)];
    assert_eq!(feed(&mut interfaces, Event::AddressAdded(settled)), changed);
    assert_eq!(source(&interfaces, Family::V6).as_deref(), Some("fe80::1"));
    assert_eq!(feed(&mut interfaces, Event::AddressAdded(failed)), changed);
    assert_eq!(source(&interfaces, Family::V6), None);
}

#[test]
fn names_move_between_interfaces() {
    let mut interfaces = with(&["eth0", "eth1"]);
    let vanished =
        |index: u32, name: &str| Change::Vanished { index: IfIndex(index), name: name.to_owned() };
    let renamed = Event::LinkChanged(Link::ethernet(IfIndex(1), "lan"));
    let changes = feed(&mut interfaces, renamed);
    let mac = Link::ethernet(IfIndex(1), "").mac;
    assert_eq!(interfaces.by_name("lan").unwrap().link().mac, mac);
    assert_eq!(changes, [vanished(1, "eth0"), Change::Appeared(IfIndex(1))]);
    assert!(interfaces.by_name("eth0").is_none());

    let gone = Event::LinkGone { index: IfIndex(2), name: "eth1".to_owned() };
    assert_eq!(feed(&mut interfaces, gone), [vanished(2, "eth1")]);
    let again = Event::LinkChanged(Link::ethernet(IfIndex(7), "eth1"));
    assert_eq!(feed(&mut interfaces, again), [Change::Appeared(IfIndex(7))]);
    assert_eq!(interfaces.by_name("eth1").unwrap().link().index, IfIndex(7));
}

#[test]
fn names_change_places_while_nobody_listens() {
    let mut interfaces = with(&["eth0", "eth1"]);
    let machine = Machine {
        links: vec![Link::ethernet(IfIndex(1), "eth1"), Link::ethernet(IfIndex(2), "eth0")],
        addresses: Vec::new(),
    };
    interfaces.resync(&machine, &mut Vec::new());
    let index = |name| interfaces.by_name(name).map(|interface| interface.link().index);
    assert_eq!([index("eth0"), index("eth1")], [Some(IfIndex(2)), Some(IfIndex(1))]);
}

#[test]
fn a_macvlan_stands_on_its_parent() {
    let mut machine = Machine::with_interfaces(&["eth0", "vrrp.51", "red"]);
    let [eth0, own, red] = machine.links.first_chunk_mut().unwrap();
    own.kind = "macvlan".to_owned();
    own.parent = Some(eth0.index);
    red.kind = "vrf".to_owned();
    eth0.master = Some(red.index);
    let interfaces = Interfaces::new(&machine, HashSet::new());
    assert_eq!(interfaces.base(IfIndex(2)), IfIndex(1));
    assert_eq!(interfaces.base(IfIndex(1)), IfIndex(1));
    assert_eq!(interfaces.base(IfIndex(99)), IfIndex(99));
    assert_eq!(interfaces.vrf(IfIndex(1)).unwrap().link().name, "red");
    assert!(interfaces.vrf(IfIndex(2)).is_none());
}

fn any_event() -> impl Strategy<Value = Event> {
    let address =
        (1..4u32, 0..4u8, any::<bool>(), any::<bool>()).prop_map(|(index, last, v6, tentative)| {
            let text = if v6 { format!("fe80::{last}") } else { format!("10.0.0.{last}") };
            let flags = if tentative { AddressFlags::TENTATIVE } else { AddressFlags::default() };
            Address { flags, ..address(index, &text, 24) }
        });
    let link = (1..4u32, any::<bool>()).prop_map(|(index, up)| {
        let mut link = Link::ethernet(IfIndex(index), &format!("eth{index}"));
        if !up {
            link.flags = link.flags.without(LinkFlags::RUNNING);
        }
        link
    });
    prop_oneof![
        3 => link.prop_map(Event::LinkChanged),
        1 => (1..4u32).prop_map(|index| Event::LinkGone {
            index: IfIndex(index),
            name: format!("eth{index}"),
        }),
        6 => address.clone().prop_map(Event::AddressAdded),
        4 => address.prop_map(Event::AddressRemoved),
    ]
}

/// What the kernel would list after these events.
fn truth(interfaces: &Interfaces) -> Machine {
    Machine {
        links: interfaces.iter().map(|interface| interface.link().clone()).collect(),
        addresses: interfaces.iter().flat_map(|i| i.addresses().to_vec()).collect(),
    }
}

proptest! {
    /// Whatever happens in whatever order, there is a source exactly if there is an address to be one, every change of
    /// it is told, and a fresh look at the same machine finds nothing new.
    #[test]
    fn what_is_known_is_what_is_there(events in proptest::collection::vec(any_event(), 0..40)) {
        let vip: Prefixed = ("10.0.0.3".parse().unwrap(), 24);
        let mut interfaces = with(&["eth1", "eth2"]);
        let mut ignored = Vec::new();
        interfaces.set_virtuals(HashSet::from([vip]), &mut ignored);
        for event in events {
            let before = interfaces.clone();
            let changes = feed(&mut interfaces, event);
            for interface in interfaces.iter() {
                let index = interface.link().index;
                for family in [Family::V4, Family::V6] {
                    let usable: Vec<IpAddr> = interface
                        .addresses()
                        .iter()
                        .filter(|a| Family::of(a.local) == family && !a.is_tentative())
                        .filter(|a| (a.local, a.prefix_len) != vip)
                        .map(|a| a.local)
                        .collect();
                    let source = interface.source(family);
                    prop_assert_eq!(source.is_some(), !usable.is_empty());
                    prop_assert!(source.is_none_or(|source| usable.contains(&source)));
                    let told = changes.contains(&Change::Source(index, family));
                    let earlier = before.get(index).and_then(|known| known.source(family));
                    prop_assert_eq!(told, source != earlier);
                }
            }
            let mut changes = Vec::new();
            interfaces.resync(&truth(&interfaces), &mut changes);
            prop_assert_eq!(changes, []);
        }
    }

    /// A snapshot after lost messages leads to the same as the messages.
    #[test]
    fn a_snapshot_makes_up_for_lost_messages(
        events in proptest::collection::vec(any_event(), 0..40),
        lost in any::<prop::sample::Index>(),
    ) {
        let mut complete = with(&["eth1", "eth2"]);
        let mut lossy = complete.clone();
        for (number, event) in events.iter().enumerate() {
            complete.on_event(event, &mut Vec::new());
            if number < lost.index(events.len()) {
                lossy.on_event(event, &mut Vec::new());
            }
        }
        lossy.resync(&truth(&complete), &mut Vec::new());
        let sorted = |interfaces: &Interfaces| {
            let mut machine = truth(interfaces);
            machine.addresses.sort_by_key(Address::key);
            machine
        };
        prop_assert_eq!(sorted(&lossy), sorted(&complete));
    }
}
