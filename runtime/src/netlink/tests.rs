//! The kernel's side is the kernel: every test that needs one has a network namespace of its own.

mod routes;

use std::collections::BTreeMap;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;

use super::socket::Socket;
use super::*;
use crate::global::NetlinkBuffer;
use crate::machine::{Address, AddressFlags, Hardware, IfIndex, Link};

/// Runs `work` in a thread with a network of its own: the veth pair `left` and `right`, both up.
fn in_namespace(work: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a namespace needs root");
        ip("link add left type veth peer name right");
        ip("link set left up");
        ip("link set right up");
        work();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.expect("ip is installed").success(), "ip {arguments}");
}

fn client() -> Client {
    Client::open(NetlinkBuffer::default()).unwrap()
}

fn index(client: &mut Client, name: &str) -> IfIndex {
    link(client, name).index
}

fn link(client: &mut Client, name: &str) -> Link {
    client.machine().unwrap().by_name(name).unwrap().clone()
}

fn address(interface: IfIndex, text: &str, prefix_len: u8) -> Address {
    Address::plain(interface, text.parse().unwrap(), prefix_len)
}

/// Drains until `wanted` finds what it wants among all that was heard.
fn hear<T>(monitor: &mut Monitor, wanted: impl Fn(&Event) -> Option<T>) -> T {
    let mut events = Vec::new();
    let give_up = Instant::now() + Duration::from_secs(5);
    while Instant::now() < give_up {
        monitor.drain(&mut events).unwrap();
        if let Some(found) = events.iter().find_map(&wanted) {
            return found;
        }
        thread::yield_now();
    }
    panic!("not heard, only {events:?}");
}

#[test]
fn interfaces_are_read_as_they_are() {
    in_namespace(|| {
        ip("link add red type bridge");
        ip("link set right master red");
        ip("link add link left name virtual address 00:00:5e:00:01:33 type macvlan mode private");
        ip("link set left mtu 1400 group 5");
        let machine = client().machine().unwrap();
        let [left, red, right, own] =
            ["left", "red", "right", "virtual"].map(|name| machine.by_name(name).unwrap());
        assert!(machine.by_name("lo").unwrap().is_loopback());
        assert_eq!((left.mtu, left.group, left.is_up()), (1400, 5, true));
        assert_eq!((left.hardware, &left.broadcast), (Hardware::ETHERNET, &vec![0xff; 6]));
        assert_eq!((left.parent, left.kind.as_str()), (None, "veth"));
        assert_eq!((right.master, red.is_vrf()), (Some(red.index), false));
        assert_eq!((own.parent, own.macvlan_mode), (Some(left.index), Some(1)));
        assert_eq!((&own.mac, own.is_up()), (&vec![0, 0, 0x5e, 0, 1, 0x33], false));
    });
}

#[test]
fn a_vrf_tells_its_table() {
    let attribute = |kind: u16, value: &[u8]| {
        let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let data = attribute(1, &77u32.to_ne_bytes());
    // Nothing says that the kind comes before what depends on it.
    let info = [
        attribute(libc::IFLA_INFO_DATA | 0x8000, &data),
        attribute(libc::IFLA_INFO_KIND, b"vrf\0"),
    ];
    let payload = [
        vec![0; 16],
        attribute(libc::IFLA_IFNAME, b"red\0"),
        attribute(libc::IFLA_LINKINFO, &info.concat()),
    ]
    .concat();
    let mut message = u32::try_from(16 + payload.len()).unwrap().to_ne_bytes().to_vec();
    message.extend([16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    message.extend(payload);
    let mut heard = Vec::new();
    decode(&message, &mut heard);
    let [Event::LinkChanged(link)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((link.is_vrf(), link.vrf_table), (true, Some(77)));
}

#[test]
fn an_address_comes_back_with_all_its_options() {
    in_namespace(|| {
        let mut client = client();
        let left = index(&mut client, "left");
        let v4 = Address {
            broadcast: Some("10.9.0.255".parse().unwrap()),
            scope: 253,
            label: Some("left:vip".to_owned()),
            flags: AddressFlags::NO_PREFIX_ROUTE,
            protocol: 18,
            ..address(left, "10.9.0.100", 24)
        };
        let v6 = Address {
            flags: AddressFlags::NO_DAD.with(AddressFlags::HOME),
            preferred: Some(0),
            protocol: 18,
            ..address(left, "fd00:9::100", 64)
        };
        let peer =
            Address { peer: Some("10.9.1.2".parse().unwrap()), ..address(left, "10.9.1.1", 32) };
        let wanted = [v4, v6, peer];
        let results = client.execute(&wanted.clone().map(Request::AddAddress));
        assert_eq!(results, [Ok(()), Ok(()), Ok(())]);
        let found: BTreeMap<_, _> =
            client.addresses_of(left).unwrap().into_iter().map(|a| (a.key(), a)).collect();
        for wanted in wanted {
            let mut found = found[&wanted.key()].clone();
            assert!(found.flags.contains(AddressFlags::PERMANENT));
            found.flags = found.flags.common(
                AddressFlags::NO_PREFIX_ROUTE.with(AddressFlags::NO_DAD).with(AddressFlags::HOME),
            );
            found.label = found.label.filter(|label| label != "left");
            assert_eq!(found, wanted);
        }
    });
}

#[test]
fn a_refused_request_says_what_it_was_and_holds_up_nothing() {
    in_namespace(|| {
        let mut client = client();
        let left = index(&mut client, "left");
        let results = client.execute(&[
            Request::AddAddress(address(IfIndex(4711), "10.9.0.1", 24)),
            Request::AddAddress(address(left, "10.9.0.1", 24)),
            Request::AddAddress(address(left, "10.9.0.1", 24)),
            Request::AddAddress(address(left, "10.9.0.1", 33)),
            Request::RemoveAddress(address(left, "10.9.0.2", 24)),
            Request::RemoveAddress(address(left, "10.9.0.1", 24)),
        ]);
        let errnos: Vec<_> =
            results.iter().map(|r| r.as_ref().err().and_then(NetlinkError::errno)).collect();
        assert_eq!(
            errnos,
            [
                Some(Errno::ENODEV),
                None,
                Some(Errno::EEXIST),
                Some(Errno::EINVAL),
                Some(Errno::EADDRNOTAVAIL),
                None
            ]
        );
        let text = results[3].as_ref().unwrap_err().to_string();
        assert!(text.starts_with("cannot add address 10.9.0.1/33 to interface"), "{text}");
        assert!(text.contains("Invalid prefix length"), "{text}");
    });
}

#[test]
fn more_requests_than_a_datagram_holds() {
    in_namespace(|| {
        // The smallest of buffers would lose answers, if it were believed.
        let smallest = NetlinkBuffer { size: Some(1), force: false };
        let mut client = Client::open(smallest).unwrap();
        let left = index(&mut client, "left");
        let add = many(2000, left);
        assert!(client.execute(&add).iter().all(Result::is_ok));
        let refused = |result: &Result<(), NetlinkError>| {
            matches!(result, Err(NetlinkError::Refused { errno: Errno::EEXIST, .. }))
        };
        assert!(client.execute(&add).iter().all(refused));
        let found = client.addresses_of(left).unwrap();
        assert_eq!(found.iter().filter(|address| address.local.is_ipv4()).count(), 2000);
        let remove = add.into_iter().map(|request| match request {
            Request::AddAddress(address) => Request::RemoveAddress(address),
            other => other,
        });
        let remove: Vec<Request> = remove.collect();
        assert!(client.execute(&remove).iter().all(Result::is_ok));
        let found = client.addresses_of(left).unwrap();
        assert!(found.iter().all(|address| address.local.is_ipv6()));
    });
}

#[test]
fn changes_are_heard() {
    in_namespace(|| {
        let mut client = client();
        let mut monitor = Monitor::open(NetlinkBuffer::default()).unwrap();
        let left = link(&mut client, "left");
        let vip = address(left.index, "10.9.0.7", 32);
        client.execute(&[Request::AddAddress(vip.clone())]);
        let key = |event: &Event| match event {
            Event::AddressAdded(address) => Some(address.key()),
            _ => None,
        };
        assert_eq!(hear(&mut monitor, |event| key(event).filter(|&k| k == vip.key())), vip.key());
        ip("addr del 10.9.0.7/32 dev left");
        hear(&mut monitor, |event| match event {
            Event::AddressRemoved(address) => (address.key() == vip.key()).then_some(()),
            _ => None,
        });
        ip("link set right down");
        hear(&mut monitor, |event| match event {
            Event::LinkChanged(link) => (link.index == left.index && !link.is_up()).then_some(()),
            _ => None,
        });
        ip("link set left name other");
        hear(&mut monitor, |event| match event {
            Event::LinkChanged(link) => (link.name == "other").then_some(()),
            _ => None,
        });
        ip("link del other");
        let gone = hear(&mut monitor, |event| match event {
            Event::LinkGone { index, name } => (*index == left.index).then(|| name.clone()),
            _ => None,
        });
        assert_eq!(gone, "other");
        assert_eq!(monitor.drain(&mut Vec::new()), Ok(Drained::Empty));
    });
}

#[test]
fn a_port_that_leaves_its_bridge_is_not_gone() {
    in_namespace(|| {
        ip("link add bridge type bridge");
        ip("link set left master bridge");
        let mut client = client();
        let left = index(&mut client, "left");
        let mut monitor = Monitor::open(NetlinkBuffer::default()).unwrap();
        ip("link set left nomaster");
        ip("link del bridge");
        let mut heard = Vec::new();
        while !heard
            .iter()
            .any(|event| matches!(event, Event::LinkGone { name, .. } if name == "bridge"))
        {
            monitor.drain(&mut heard).unwrap();
        }
        assert!(
            !heard
                .iter()
                .any(|event| matches!(event, Event::LinkGone { index, .. } if *index == left))
        );
    });
}

/// Requests for so many addresses.
fn many(count: u32, interface: IfIndex) -> Vec<Request> {
    let host = |n| std::net::Ipv4Addr::from(0x0a09_0000 + n).into();
    (0..count).map(|n| Request::AddAddress(Address::plain(interface, host(n), 32))).collect()
}

#[test]
fn a_thousand_addresses_at_once_are_heard() {
    in_namespace(|| {
        let mut client = client();
        let left = index(&mut client, "left");
        let mut monitor = Monitor::open(NetlinkBuffer::default()).unwrap();
        assert!(client.execute(&many(1000, left)).iter().all(Result::is_ok));
        let mut events = Vec::new();
        while monitor.drain(&mut events) == Ok(Drained::More) {}
        let told = |event: &&Event| matches!(event, Event::AddressAdded(_));
        assert_eq!(
            (events.iter().filter(told).count(), events.contains(&Event::Overrun)),
            (1000, false)
        );
    });
}

#[test]
fn a_full_buffer_is_an_overrun_and_then_all_is_well_again() {
    in_namespace(|| {
        let mut client = client();
        let left = index(&mut client, "left");
        let small = NetlinkBuffer { size: Some(4096), force: false };
        let mut monitor = Monitor::open(small).unwrap();
        let add = many(200, left);
        client.execute(&add);
        hear(&mut monitor, |event| (*event == Event::Overrun).then_some(()));
        assert_eq!(monitor.drain(&mut Vec::new()), Ok(Drained::Empty));
        let last = address(left, "10.9.99.99", 32);
        client.execute(&[Request::AddAddress(last.clone())]);
        hear(&mut monitor, |event| match event {
            Event::AddressAdded(address) => (address.key() == last.key()).then_some(()),
            _ => None,
        });
    });
}

#[test]
fn other_processes_are_not_believed() {
    in_namespace(|| {
        let mut monitor = Monitor::open(NetlinkBuffer::default()).unwrap();
        let forger = Socket::open(NetlinkBuffer::default(), 0).unwrap();
        let mut forged = Vec::new();
        // The kernel sees it too, and must have no such interface.
        Request::AddAddress(address(IfIndex(4711), "10.6.6.6", 32)).encode(1, &mut forged);
        forger.send_to_group(&forged, 0x10).unwrap();
        ip("addr add 10.9.0.9/32 dev left");
        let first = hear(&mut monitor, |event| match event {
            Event::AddressAdded(address) if address.local.is_ipv4() => Some(address.local),
            _ => None,
        });
        assert_eq!(first.to_string(), "10.9.0.9");
    });
}

proptest! {
    #[test]
    fn any_datagram_is_survived(datagram in proptest::collection::vec(any::<u8>(), 0..300)) {
        decode(&datagram, &mut Vec::new());
    }

    /// Random octets hardly ever make a message: real ones with some octets changed go deeper.
    #[test]
    fn a_damaged_message_is_survived(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut datagram = Vec::new();
        let full = Address {
            broadcast: Some([10, 9, 0, 255].into()),
            label: Some("label".to_owned()),
            peer: Some([10, 9, 1, 1].into()),
            preferred: Some(7),
            flags: AddressFlags::NO_DAD,
            protocol: 18,
            ..address(IfIndex(3), "10.9.0.1", 24)
        };
        Request::AddAddress(full.clone()).encode(1, &mut datagram);
        let mut heard = Vec::new();
        decode(&datagram, &mut heard);
        prop_assert_eq!(heard, [Event::AddressAdded(full)]);
        Request::RemoveAddress(address(IfIndex(3), "fe80::1", 64)).encode(2, &mut datagram);
        for (place, octet) in changes {
            *place.get_mut(&mut datagram) = octet;
        }
        datagram.truncate(cut.index(datagram.len() + 1));
        for message in message::Message::all(&datagram) {
            let _ = message.answer();
        }
        decode(&datagram, &mut Vec::new());
    }
}

#[test]
fn a_macvlan_is_made_changed_and_removed() {
    in_namespace(|| {
        ip("link set left group 7");
        let mut client = client();
        let left = link(&mut client, "left");
        let mac = |last| [0, 0, 0x5e, 0, 1, last];
        let new = NewLink {
            name: "own".to_owned(),
            parent: left.index,
            kind: LinkKind::PrivateMacvlan { mac: mac(51) },
            group: left.group,
            vrf: None,
        };
        let create = Request::CreateLink(new);
        assert_eq!(client.execute(std::slice::from_ref(&create)), [Ok(())]);
        let own = link(&mut client, "own");
        assert_eq!((own.kind.as_str(), own.macvlan_mode), ("macvlan", Some(1)));
        assert_eq!((own.parent, own.group, own.mac), (Some(left.index), 7, mac(51).to_vec()));
        let again = client.execute(&[create]).remove(0).unwrap_err();
        assert_eq!(again.errno(), Some(Errno::EEXIST));
        assert!(again.to_string().starts_with("cannot create macvlan own on"), "{again}");

        let changes = [
            LinkChange::NoGeneratedAddress,
            LinkChange::PrivateMacvlan { mac: mac(52) },
            LinkChange::Group(8),
            LinkChange::Up,
        ];
        let changes = changes.map(|change| Request::ChangeLink(own.index, change));
        assert_eq!(client.execute(&changes), [Ok(()), Ok(()), Ok(()), Ok(())]);
        let changed = link(&mut client, "own");
        assert_eq!((changed.index, changed.group, changed.is_up()), (own.index, 8, true));
        assert_eq!(changed.mac, mac(52).to_vec());
        assert_eq!(client.addresses_of(own.index).unwrap(), []);

        assert_eq!(client.execute(&[Request::RemoveLink(own.index)]), [Ok(())]);
        assert_eq!(client.machine().unwrap().by_name("own"), None);

        ip("link add one link left group 9 type macvlan mode private");
        ip("link add two link left group 9 type macvlan mode private");
        assert_eq!(client.execute(&[Request::RemoveLinkGroup(9)]), [Ok(())]);
        let machine = client.machine().unwrap();
        assert_eq!((machine.by_name("one"), machine.by_name("two")), (None, None));
        assert!(machine.by_name("left").is_some());
    });
}
