//! On the wire there must be what the original was seen to send. The frames are those of its captures.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use runtime::machine::IfIndex;
use runtime::sys::receive::RecvBatch;

use super::*;
use crate::cable::{Cable, Side, Tap, ip, link, readable, with_cable};
use crate::packet::Family;

const LEFT: [u8; 6] = [2, 0, 0, 0, 0, 1];
const GROUP4: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const GROUP6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| u8::try_from(digit).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Version 2 with a password, to the group.
const PASS: &str = "01005e000012020000000001080045c0002c00010000ff70d0840a090001e0000012
    2133fe0201018ed30a0900640a0900657333637265740000";
/// Version 2 in an authentication header, to the group.
const AH: &str = "01005e000012020000000001080045c0004400010000ff33d0a90a090001e0000012
    700400000a090001000000016bc726de2077e7ddf640a7e0
    2133fe020201c9ed0a0900640a0900650000000000000000";
/// Version 3, to the group.
const V3: &str = "01005e000012020000000001080045c0002400010000ff70d08c0a090001e0000012
    3133fe020019d1380a0900640a090065";
/// Version 3, to a peer, with a TTL of 64.
const UNICAST: &str = "020000000002020000000001080045c0002000010000407065990a0900010a090002
    3133fe010019dbab0a090064";
/// IPv6, to the group.
const V6: &str = "33330000001202000000000186dd6c07a2ad002870ff
    fe80000000000000000000fffe000001ff020000000000000000000000000012
    3133fe020019d5f6fe800000000000000000000000000100fd000009000000000000000000000100";
/// IPv6, to a peer on the link, with the kernel's hop limit.
const V6_LINK: &str = "02000000000202000000000186dd6c03e53200287040
    fe80000000000000000000fffe000001fe80000000000000000000fffe000002
    3133fe020019d788fe800000000000000000000000000100fd000009000000000000000000000100";
/// IPv6, to a peer anywhere, with a hop limit of 64 asked for.
const V6_GLOBAL: &str = "02000000000202000000000186dd6c0776ab00287040
    fd000009000000000000000000000001fd000009000000000000000000000002
    3133fe020019d876fe800000000000000000000000000100fd000009000000000000000000000100";

/// What is to be given to the socket so that `frame` leaves: without the sums that are the kernel's.
fn datagram(frame: &[u8]) -> (Vec<u8>, IpAddr, IpAddr) {
    let mut rest = frame[14..].to_vec();
    if frame[12..14] == [0x08, 0] {
        rest[10..12].fill(0);
        let address = |at: usize| <[u8; 4]>::try_from(&rest[at..at + 4]).unwrap().into();
        let (source, to) = (address(12), address(16));
        (rest, source, to)
    } else {
        let address = |at: usize| <[u8; 16]>::try_from(&rest[at..at + 16]).unwrap().into();
        let (source, to) = (address(8), address(24));
        rest.drain(..40);
        rest[6..8].fill(0);
        (rest, source, to)
    }
}

fn push(sender: &mut Sender<usize>, frame: &str, interface: IfIndex, tag: usize) {
    let (data, source, to) = datagram(&hex(frame));
    let hop_limit = (frame == V6_GLOBAL).then_some(64);
    let advert = Outgoing { to, source, interface: Some(interface), hop_limit };
    sender.push(advert, tag, |out| out.extend(data));
}

/// The kernel chooses the flow label.
fn without_flow_label(mut frame: Vec<u8>) -> Vec<u8> {
    if frame[12..14] == [0x86, 0xdd] {
        frame[15] &= 0xf0;
        frame[16..18].fill(0);
    }
    frame
}

fn sender() -> Sender<usize> {
    let mut sender = Sender::new();
    sender.open(Family::V4).unwrap();
    sender.open(Family::V6).unwrap();
    sender
}

/// The next advert of the left machine.
fn next_advert(tap: &Tap) -> Vec<u8> {
    let is_advert = |frame: &[u8]| {
        frame.get(6..12) == Some(&LEFT[..])
            && match frame.get(12..14) {
                Some([0x08, 0]) => matches!(frame.get(23), Some(112 | 51)),
                Some([0x86, 0xdd]) => frame.get(20) == Some(&112),
                _ => false,
            }
    };
    without_flow_label(tap.next(is_advert))
}

#[test]
fn adverts_leave_as_those_of_the_original() {
    with_cable(|cable| {
        let tap = cable.tap("v2");
        cable.on(Side::Left, || {
            let v1 = link("v1").index;
            let mut sender = sender();
            // One at a time for those that must be told apart by order across families.
            for frame in [PASS, AH, V3, UNICAST, V6, V6_LINK, V6_GLOBAL] {
                push(&mut sender, frame, v1, 0);
                assert_eq!(sender.send(), []);
                assert_eq!(next_advert(&tap), without_flow_label(hex(frame)));
            }
            for (tag, frame) in [V6_LINK, V3, UNICAST, PASS, V6].into_iter().enumerate() {
                push(&mut sender, frame, v1, tag);
            }
            assert_eq!(sender.send(), []);
            for frame in [V3, PASS, UNICAST, V6, V6_LINK] {
                assert_eq!(next_advert(&tap), without_flow_label(hex(frame)));
            }
        });
    });
}

#[test]
fn every_advert_leaves_by_its_interface() {
    with_cable(|cable| {
        second_cable(cable);
        let taps = [cable.tap("v2"), cable.tap("w2")];
        cable.on(Side::Left, || {
            let indices = [link("v1").index, link("w1").index];
            let mut sender = sender();
            for frame in [V3, V6] {
                for index in indices {
                    push(&mut sender, frame, index, 0);
                }
            }
            // Without a route to it, and not one of the groups of the link: only the interface says where to go.
            let (data, source, _) = datagram(&hex(V3));
            let to = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));
            for index in indices {
                let advert = Outgoing { to, source, interface: Some(index), hop_limit: None };
                let data: Vec<u8> = [&data[..16], &[239, 1, 2, 3], &data[20..]].concat();
                sender.push(advert, 0, |out| out.extend(data));
            }
            assert_eq!(sender.send(), []);
            for (tap, own) in taps.iter().zip([1, 0x11]) {
                let mut heard = [(); 3].map(|()| {
                    tap.next(|frame| {
                        frame.get(11) == Some(&own)
                            && (frame[0] & 1) == 1
                            && matches!(
                                (frame[12], frame[23], frame[20]),
                                (0x08, 112, _) | (0x86, _, 112)
                            )
                    })
                });
                heard.sort_by_key(|frame| (frame[12], frame[30]));
                assert_eq!(heard[0][14..], hex(V3)[14..]);
                assert_eq!(heard[1][30..34], [239, 1, 2, 3]);
                assert_eq!(
                    without_flow_label(heard[2].clone())[14..],
                    without_flow_label(hex(V6))[14..]
                );
            }
        });
    });
}

#[test]
fn adverts_of_a_vmac_carry_the_virtual_mac() {
    const VMAC4: &str = "01005e00001200005e000133080045c0002000010000ff70d0900a090001e0000012
        3133fe010019dbab0a090064";
    const VMAC6: &str = "33330000001200005e00023386dd6c07a2ad002870ff
        fe80000000000000000000fffe000001ff020000000000000000000000000012
        3133fe020019d5f6fe800000000000000000000000000100fd000009000000000000000000000100";
    with_cable(|cable| {
        let tap = cable.tap("v2");
        cable.on(Side::Left, || {
            let mut sender = sender();
            for (name, frame) in [("vrrp.51", VMAC4), ("vrrp6.51", VMAC6)] {
                let mac: Vec<String> =
                    hex(frame)[6..12].iter().map(|o| format!("{o:02x}")).collect();
                let mac = mac.join(":");
                ip(&format!("link add {name} link v1 address {mac} type macvlan mode private"));
                ip(&format!("link set {name} addrgenmode none up"));
            }
            // The link-local address of the parent, as the original puts it there.
            ip("addr add fe80::ff:fe00:1/64 dev vrrp6.51 nodad");
            for (name, frame) in [("vrrp.51", VMAC4), ("vrrp6.51", VMAC6)] {
                push(&mut sender, frame, link(name).index, 0);
            }
            assert_eq!(sender.send(), []);
            for frame in [VMAC4, VMAC6] {
                let mac = &hex(frame)[6..12];
                let found = tap.next(|found| {
                    &found[6..12] == mac
                        && found[0] == hex(frame)[0]
                        && found.len() == hex(frame).len()
                });
                assert_eq!(without_flow_label(found), without_flow_label(hex(frame)));
            }
        });
    });
}

/// Adds `w1` (02:00:00:00:00:11) and `w2`, which carry the same link-local address as `v1`.
fn second_cable(cable: &Cable) {
    let right = cable.netns(Side::Right);
    cable.on(Side::Left, || {
        ip(&format!("link add w1 address 02:00:00:00:00:11 type veth peer name w2 netns {right}"));
        ip("link set w1 addrgenmode none");
        ip("link set w1 up");
        ip("addr add fe80::ff:fe00:1/64 dev w1");
    });
    cable.on(Side::Right, || ip("link set w2 up"));
    cable.on(Side::Left, || crate::cable::await_true(|| link("w1").is_up()));
}

#[test]
fn one_that_cannot_leave_does_not_hold_up_the_others() {
    with_cable(|cable| {
        let tap = cable.tap("v2");
        cable.on(Side::Left, || {
            let v1 = link("v1").index;
            ip("link add dead type veth peer name end");
            let mut sender = sender();
            for (tag, frame, interface) in [
                (1, V3, IfIndex(4711)),
                (2, PASS, v1),
                (3, V3, link("dead").index),
                (4, AH, v1),
                (5, V6, IfIndex(4711)),
                (6, V6, v1),
            ] {
                push(&mut sender, frame, interface, tag);
            }
            let failures = sender.send();
            let tags: Vec<usize> = failures.iter().map(|(tag, _)| *tag).collect();
            assert_eq!(tags, [1, 3, 5], "{failures:?}");
            for frame in [PASS, AH, V6] {
                assert_eq!(next_advert(&tap), without_flow_label(hex(frame)));
            }
            assert_eq!(sender.send(), []);
        });
        let mut closed = Sender::new();
        push(&mut closed, V3, IfIndex(1), 7);
        assert_eq!(closed.send(), [(7, Errno::EBADF)]);
    });
}

/// A received advert with what came beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    data: Vec<u8>,
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    interface: Option<IfIndex>,
    hop_limit: Option<u8>,
}

/// Everything that arrives, until so many did.
fn hear(receiver: &Receiver, batch: &mut RecvBatch, count: usize) -> Vec<Heard> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut heard = Vec::new();
    while heard.len() < count {
        assert!(readable(receiver, deadline), "only {heard:?}");
        receiver.receive(batch).unwrap();
        heard.extend(batch.datagrams().map(|datagram| {
            assert!(!datagram.truncated);
            Heard {
                data: datagram.data.to_vec(),
                source: datagram.source,
                destination: datagram.destination,
                interface: datagram.interface,
                hop_limit: datagram.hop_limit,
            }
        }));
    }
    assert_eq!(receiver.receive(batch), Ok(0));
    heard
}

#[test]
fn a_group_is_heard_on_its_interface_and_by_its_protocol() {
    with_cable(|cable| {
        second_cable(cable);
        let (receivers, v2) = cable.on(Side::Right, || {
            let v2 = link("v2").index;
            let open = |protocol, group, interface| {
                let cast = Cast::Multicast { group, interface, below: None };
                Receiver::open(Key { protocol, cast }, Some(65_536)).unwrap()
            };
            let receivers = [
                open(Protocol::Vrrp, GROUP4, v2),
                open(Protocol::Ah, GROUP4, v2),
                open(Protocol::Vrrp, GROUP6, v2),
                open(Protocol::Vrrp, GROUP4, link("w2").index),
            ];
            (receivers, v2)
        });
        let [plain, ah, v6, other] = &receivers;
        cable.on(Side::Left, || {
            let mut sender = sender();
            for frame in [PASS, AH, V3, V6, V6] {
                push(&mut sender, frame, link("v1").index, 0);
            }
            push(&mut sender, PASS, link("w1").index, 0);
            assert_eq!(sender.send(), []);
            // What we send is not for ourselves.
            let cast = Cast::Multicast { group: GROUP4, interface: link("v1").index, below: None };
            let own = Receiver::open(Key { protocol: Protocol::Vrrp, cast }, None).unwrap();
            push(&mut sender, V3, link("v1").index, 0);
            assert_eq!(sender.send(), []);
            assert_eq!(own.receive(&mut RecvBatch::new(4, 1500)), Ok(0));
        });
        let mut batch = RecvBatch::new(2, 1500);
        let source4 = Some("10.9.0.1".parse().unwrap());
        let heard = hear(plain, &mut batch, 3);
        let frames = [PASS, V3, V3].map(|frame| hex(frame)[14..].to_vec());
        assert_eq!(heard.iter().map(|heard| heard.data.clone()).collect::<Vec<_>>(), frames);
        assert!(heard.iter().all(|heard| heard.source == source4));
        assert_eq!(hear(ah, &mut batch, 1)[0].data, hex(AH)[14..]);
        let source6 = Some("fe80::ff:fe00:1".parse().unwrap());
        let expected = Heard {
            data: hex(V6)[54..].to_vec(),
            source: source6,
            destination: Some(GROUP6),
            interface: Some(v2),
            hop_limit: Some(255),
        };
        assert_eq!(hear(v6, &mut batch, 2), [expected.clone(), expected]);
        assert_eq!(hear(other, &mut batch, 1)[0].data, hex(PASS)[14..]);
    });
}

#[test]
fn a_peer_is_heard_at_its_address() {
    with_cable(|cable| {
        let receivers = cable.on(Side::Right, || {
            let v2 = link("v2").index;
            let open = |source: &str, interface| {
                let cast = Cast::Unicast { source: source.parse().unwrap(), interface, vrf: None };
                Receiver::open(Key { protocol: Protocol::Vrrp, cast }, None).unwrap()
            };
            [
                open("10.9.0.2", Some(v2)),
                open("10.9.0.2", None),
                open("fe80::ff:fe00:2", Some(v2)),
                open("fd00:9::2", None),
                // It may not be there yet.
                open("10.77.0.1", None),
            ]
        });
        cable.on(Side::Left, || {
            let mut sender = sender();
            for frame in [UNICAST, V6_LINK, V6_GLOBAL, V3] {
                push(&mut sender, frame, link("v1").index, 0);
            }
            assert_eq!(sender.send(), []);
        });
        let [bound, any, on_link, global, missing] = &receivers;
        let mut batch = RecvBatch::new(8, 1500);
        for receiver in [bound, any] {
            assert_eq!(hear(receiver, &mut batch, 1)[0].data, hex(UNICAST)[14..]);
        }
        for (receiver, frame) in [(on_link, V6_LINK), (global, V6_GLOBAL)] {
            let heard = &hear(receiver, &mut batch, 1)[0];
            assert_eq!((&heard.data[..], heard.hop_limit), (&hex(frame)[54..], Some(64)));
        }
        assert_eq!(missing.receive(&mut batch), Ok(0));
    });
}

#[test]
fn what_is_too_long_is_cut_and_said_to_be() {
    with_cable(|cable| {
        let receiver = cable.on(Side::Right, || {
            let cast = Cast::Multicast { group: GROUP4, interface: link("v2").index, below: None };
            Receiver::open(Key { protocol: Protocol::Vrrp, cast }, None).unwrap()
        });
        cable.on(Side::Left, || {
            let mut sender = sender();
            push(&mut sender, PASS, link("v1").index, 0);
            sender.send();
        });
        assert!(readable(&receiver.as_fd(), Instant::now() + Duration::from_secs(5)));
        let mut batch = RecvBatch::new(2, 20);
        assert_eq!(receiver.receive(&mut batch), Ok(1));
        let datagram = batch.datagrams().next().unwrap();
        assert_eq!((datagram.data, datagram.truncated), (&hex(PASS)[14..34], true));
        batch.grow(9000);
        assert_eq!((batch.size(), batch.datagrams().count()), (9000, 0));
    });
}

#[test]
fn an_interface_that_is_gone_says_so() {
    with_cable(|cable| {
        cable.on(Side::Left, || {
            let cast = Cast::Multicast { group: GROUP4, interface: IfIndex(4711), below: None };
            let error = Receiver::open(Key { protocol: Protocol::Vrrp, cast }, None).unwrap_err();
            assert_eq!(error.to_string(), "cannot join the group: No such device");
        });
    });
}

#[test]
fn membership_is_reported_by_the_interface_below_too() {
    with_cable(|cable| {
        cable.on(Side::Left, || {
            ip("link add own link v1 type macvlan mode private");
            ip("link set own up");
            let (interface, below) = (link("own").index, Some(link("v1").index));
            for group in [GROUP4, GROUP6] {
                let cast = Cast::Multicast { group, interface, below };
                let key = Key { protocol: Protocol::Vrrp, cast };
                let receiver = Receiver::open(key, None).unwrap();
                let members = members();
                assert_eq!(members.iter().filter(|(of, _)| *of == group).count(), 2, "{members:?}");
                drop(receiver);
            }
        });
    });
}

/// Who is a member of which of our groups, as `ip maddress` shows it.
fn members() -> Vec<(IpAddr, String)> {
    let output = std::process::Command::new("ip").args(["maddress"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut on = String::new();
    let mut found = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [number, name] if number.ends_with(':') => on = name.to_owned(),
            ["inet" | "inet6", group, ..] => {
                let group: IpAddr = group.parse().unwrap();
                if [GROUP4, GROUP6].contains(&group) {
                    found.push((group, on.clone()));
                }
            }
            _ => {}
        }
    }
    found
}
