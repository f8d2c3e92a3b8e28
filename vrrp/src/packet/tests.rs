//! Frames captured from the original must come out of us byte for byte, and go in.

mod authentication;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::auth::trailer::Stamp;
use crate::stats::Stats;

const GROUP4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const US4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
const PEER4: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const SECOND: Duration = Duration::from_secs(1);
const QUARTER: Duration = Duration::from_millis(250);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A captured IPv4 packet as we hand it to the kernel, which sums the header.
fn without_header_checksum(text: &str) -> Vec<u8> {
    let mut bytes = hex(text);
    bytes[10..12].fill(0);
    bytes
}

fn password() -> Auth {
    Auth::Pass(*b"s3cret\0\0")
}

fn form(version: Version, interval: Duration, addresses: &[&str]) -> Form {
    Form {
        version,
        vrid: Vrid(51),
        interval,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        auth: Auth::None,
        ttl: 255,
        checksum_as_v2: false,
        checksum_destination: None,
    }
}

fn policy() -> Policy {
    Policy { compare_addresses: true, ignore: false, clock: Stamp::default() }
}

fn judge(expect: &Expect, datagram: &Datagram<'_>) -> Verdict {
    expect.check(datagram, policy(), &mut Counters::default())
}

fn expect(form: &Form) -> Expect {
    Expect {
        vrid: Vrid(51),
        version: form.version,
        interval: form.interval,
        auth: form.auth.clone(),
        addresses: form.addresses.clone(),
        cast: Cast::Multicast,
        checksum_as_v2: false,
        old_checksum: OldChecksum::Detect,
        group: GROUP4,
    }
}

const TWO: [&str; 2] = ["10.9.0.100", "10.9.0.101"];
const ONE: [&str; 1] = ["10.9.0.100"];

/// Sends with `priority` and `id` and compares with the capture; then hears the capture.
fn both_ways(form: &Form, expect: &Expect, to: Ipv4Addr, priority: u8, id: u16, captured: &str) {
    let mut packet = Packet::new(form, US4.into(), to.into());
    packet.stamp(Priority(17), 99); // whatever was stamped before does not matter
    packet.stamp(Priority(priority), id);
    assert_eq!(packet.bytes(), without_header_checksum(captured));

    let captured = hex(captured);
    let datagram = Datagram::from_ipv4(&captured).unwrap();
    assert_eq!((datagram.vrid(), datagram.source), (Vrid(51), US4.into()));
    let verdict = judge(expect, &datagram);
    let advert = Advert { priority: Priority(priority), interval: form.interval, ah_number: None };
    assert_eq!(verdict.outcome, Ok(advert));
    assert_eq!((verdict.interval, verdict.addresses), (None, None));
    assert!(verdict.counts && !verdict.old_checksum_detected);
}

#[test]
fn version_2_with_password() {
    let form = Form { auth: password(), ..form(Version::V2, SECOND, &TWO) };
    let expect = expect(&form);
    both_ways(
        &form,
        &expect,
        GROUP4,
        254,
        1,
        "45c0002c00010000ff70d0840a090001e0000012 2133fe0201018ed30a0900640a0900657333637265740000",
    );
    both_ways(
        &form,
        &expect,
        GROUP4,
        0,
        3,
        "45c0002c00030000ff70d0820a090001e0000012 2133000201018cd40a0900640a0900657333637265740000",
    );
}

#[test]
fn version_2_without_authentication() {
    let form = form(Version::V2, SECOND, &TWO);
    let expect = expect(&form);
    both_ways(
        &form,
        &expect,
        GROUP4,
        254,
        1,
        "45c0002c00010000ff70d0840a090001e0000012 2133fe020001cbed0a0900640a0900650000000000000000",
    );
    both_ways(
        &form,
        &expect,
        GROUP4,
        0,
        3,
        "45c0002c00030000ff70d0820a090001e0000012 213300020001c9ee0a0900640a0900650000000000000000",
    );
}

#[test]
fn version_3_to_the_group() {
    let form = form(Version::V3, QUARTER, &TWO);
    let expect = expect(&form);
    both_ways(
        &form,
        &expect,
        GROUP4,
        254,
        1,
        "45c0002400010000ff70d08c0a090001e0000012 3133fe020019d1380a0900640a090065",
    );
    both_ways(
        &form,
        &expect,
        GROUP4,
        0,
        5,
        "45c0002400050000ff70d0880a090001e0000012 313300020019cf390a0900640a090065",
    );
}

#[test]
fn version_3_without_pseudo_header_accepts_any_checksum() {
    let form = Form { checksum_as_v2: true, ..form(Version::V3, QUARTER, &TWO) };
    let as_v2 = Expect { checksum_as_v2: true, ..expect(&form) };
    let captured = "45c0002400010000ff70d08c0a090001e0000012 3133fe020019bbd50a0900640a090065";
    both_ways(&form, &as_v2, GROUP4, 254, 1, captured);
    let with_pseudo_header =
        "45c0002400010000ff70d08c0a090001e0000012 3133fe020019d1380a0900640a090065";
    let outcome = check(&as_v2, &hex(with_pseudo_header)).outcome;
    assert!(outcome.is_ok());
    let outcome = check(&expect(&form), &hex(captured)).outcome;
    assert_eq!(outcome, Err(Refused::Checksum(Version::V3)));
}

fn unicast(form: &Form, old_checksum: OldChecksum) -> Expect {
    let peers = vec![Peer { address: US4.into(), min_ttl: 0, max_ttl: 255 }];
    let cast = Cast::Unicast { peers, check_source: false };
    Expect { cast, old_checksum, ..expect(form) }
}

const NEW_CHECKSUM: &str = "45c0002000010000ff70a6980a0900010a090002 3133fe010019b1b30a090064";
const OLD_CHECKSUM: &str = "45c0002000010000407065990a0900010a090002 3133fe010019dbab0a090064";

#[test]
fn version_3_to_a_peer() {
    let form = form(Version::V3, QUARTER, &ONE);
    let never = unicast(&form, OldChecksum::Never);
    both_ways(&form, &never, PEER4, 254, 1, NEW_CHECKSUM);
    both_ways(
        &form,
        &never,
        PEER4,
        0,
        5,
        "45c0002000050000ff70a6940a0900010a090002 313300010019afb40a090064",
    );
}

#[test]
fn old_checksum_to_a_peer() {
    let form =
        Form { ttl: 64, checksum_destination: Some(GROUP4), ..form(Version::V3, QUARTER, &ONE) };
    let old = unicast(&form, OldChecksum::Configured);
    both_ways(&form, &old, PEER4, 254, 1, OLD_CHECKSUM);
    both_ways(
        &form,
        &old,
        PEER4,
        0,
        5,
        "45c0002000050000407065950a0900010a090002 313300010019d9ac0a090064",
    );
}

#[test]
fn old_checksum_is_detected_only_where_it_may_be() {
    let form = form(Version::V3, QUARTER, &ONE);
    let refused = Err(Refused::Checksum(Version::V3));
    let verdict = check(&unicast(&form, OldChecksum::Detect), &hex(OLD_CHECKSUM));
    assert!(verdict.outcome.is_ok() && verdict.old_checksum_detected);
    let verdict = check(&unicast(&form, OldChecksum::Never), &hex(OLD_CHECKSUM));
    assert_eq!((verdict.outcome, verdict.old_checksum_detected), (refused, false));
    let verdict = check(&unicast(&form, OldChecksum::Detected), &hex(NEW_CHECKSUM));
    assert_eq!(verdict.outcome, refused);
}

#[test]
fn version_3_for_ipv6_leaves_the_checksum_to_the_kernel() {
    let form = form(Version::V3, QUARTER, &["fe80::100", "fd00:9::100"]);
    let us: Ipv6Addr = "fe80::ff:fe00:1".parse().unwrap();
    let group: Ipv6Addr = "ff02::12".parse().unwrap();
    let mut packet = Packet::new(&form, us.into(), group.into());
    packet.stamp(Priority(254), 1);
    let captured = hex("3133fe020019d5f6 fe800000000000000000000000000100
                        fd000009000000000000000000000100");
    let mut unsummed = captured.clone();
    unsummed[6..8].fill(0);
    assert_eq!(packet.bytes(), unsummed);

    let datagram = Datagram::from_ipv6(&captured, us, group, Some(255)).unwrap();
    let verdict = judge(&expect(&form), &datagram);
    assert_eq!(
        verdict.outcome,
        Ok(Advert { priority: Priority(254), interval: QUARTER, ah_number: None })
    );
    let far = Datagram::from_ipv6(&captured, us, group, Some(64)).unwrap();
    assert_eq!(judge(&expect(&form), &far).outcome, Err(Refused::HopLimit(64)));
    let unknown = Datagram::from_ipv6(&captured, us, group, None).unwrap();
    assert!(judge(&expect(&form), &unknown).outcome.is_ok());
}

/// A good version 2 advert with a password, and what expects it.
fn good() -> (Vec<u8>, Expect) {
    let form = Form { auth: password(), ..form(Version::V2, SECOND, &TWO) };
    let mut packet = Packet::new(&form, US4.into(), GROUP4.into());
    packet.stamp(Priority(254), 1);
    (packet.bytes().to_vec(), expect(&form))
}

fn judge_by(expect: &Expect, bytes: &[u8], policy: Policy) -> Verdict {
    let datagram = Datagram::from_ipv4(bytes).unwrap();
    expect.check(&datagram, policy, &mut Counters::default())
}

fn check(expect: &Expect, bytes: &[u8]) -> Verdict {
    judge(expect, &Datagram::from_ipv4(bytes).unwrap())
}

/// Changes `bytes` and repairs the checksum of the message.
fn altered(bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    change(&mut bytes);
    let end = 20 + 16 + 8;
    bytes[26..28].fill(0);
    let sum = checksum::Sum::default().add(&bytes[20..end.min(bytes.len())]).finish();
    bytes[26..28].copy_from_slice(&sum.to_be_bytes());
    bytes
}

#[test]
fn each_check_refuses_counts_and_says_why() {
    let (bytes, expect) = good();
    let from = IpAddr::from(US4);
    type Counter = fn(&Stats) -> u64;
    type Change = fn(&mut Vec<u8>);
    let cases: [(Change, &str, Counter); 11] = [
        (
            |b| b[23] = 3,
            "vrrp packet from 10.9.0.1 too short, length 44 and expect 48",
            |s| s.packet_len_err,
        ),
        (
            |b| b.extend([0; 4]),
            "vrrp packet from 10.9.0.1 too long, length 48 and expect 44",
            |s| s.packet_len_err,
        ),
        (
            |b| b[8] = 254,
            "invalid TTL/HL from 10.9.0.1. Received 254 and expect 255",
            |s| s.ip_ttl_err,
        ),
        (
            |b| {
                b[20] = 0x31;
                b.truncate(36);
            },
            "wrong VRRP version from 10.9.0.1. Received 3 and expect 2",
            |s| s.vers_err,
        ),
        (|b| b[24] = 7, "Invalid auth type from 10.9.0.1: 7", |s| s.invalid_authtype),
        (|b| b[24] = 0, "received a 0 auth from 10.9.0.1, expecting 1!", |s| s.authtype_mismatch),
        (|b| b[36] = b'S', "received an invalid passwd from 10.9.0.1!", |s| s.auth_failure),
        (
            |b| b[25] = 2,
            "advertisement interval mismatch with 10.9.0.1 mine=1 sec rcv'd=2 sec",
            |s| s.advert_interval_err,
        ),
        (
            |b| b[20] = 0x22,
            "Invalid packet type from 10.9.0.1. 2 and expect 1",
            |s| s.invalid_type_rcvd,
        ),
        (
            |b| b[3] = 40,
            "ip_tot_len mismatch against received length from 10.9.0.1. 40 and received 44",
            |s| s.packet_len_err,
        ),
        (
            |b| b[16] = 10,
            "Expected multicast packet but received unicast packet from 10.9.0.1",
            |s| s.addr_list_err,
        ),
    ];
    for (change, text, counter) in cases {
        let verdict = check(&expect, &altered(&bytes, change));
        let refused = verdict.outcome.expect_err(text);
        assert_eq!(refused.text(from).to_string(), text);
        let mut stats = Stats::default();
        stats.count(&verdict);
        assert_eq!((counter(&stats), stats.advert_rcvd), (1, 0), "{text}");
    }
    let mut wrong = bytes.clone();
    wrong[26] ^= 1;
    assert_eq!(check(&expect, &wrong).outcome, Err(Refused::Checksum(Version::V2)));
}

#[test]
fn other_addresses_are_remarked_and_accepted() {
    let (bytes, mut expect) = good();
    expect.addresses[1] = "10.9.0.102".parse().unwrap();
    let verdict = check(&expect, &bytes);
    assert_eq!(verdict.addresses, Some(Remark::AddressMissing(expect.addresses[1])));
    assert!(verdict.outcome.is_ok());
    let text = verdict.addresses.unwrap().text(Vrid(51), US4.into()).to_string();
    assert_eq!(
        text,
        "ip address associated with VRID 51 not present in advert from 10.9.0.1: 10.9.0.102"
    );
    assert_eq!(
        judge_by(&expect, &bytes, Policy { compare_addresses: false, ..policy() }).addresses,
        None
    );
    expect.addresses.pop();
    let verdict = check(&expect, &bytes);
    let text = verdict.addresses.unwrap().text(Vrid(51), US4.into()).to_string();
    assert_eq!(text, "expected 1 VIPs but received 2");
    let mut stats = Stats::default();
    stats.count(&verdict);
    assert_eq!((stats.addr_list_err, stats.advert_rcvd), (1, 1));
}

#[test]
fn an_owner_that_ignores_adverts_does_not_count_them() {
    let (bytes, expect) = good();
    let verdict = judge_by(&expect, &bytes, Policy { ignore: true, ..policy() });
    assert_eq!((verdict.outcome, verdict.counts), (Err(Refused::Owner), false));
}

#[test]
fn unicast_sources_are_checked_on_demand() {
    let form = form(Version::V3, QUARTER, &ONE);
    let mut expect = unicast(&form, OldChecksum::Never);
    let check_with = |expect: &mut Expect, address: Ipv4Addr, min_ttl, check_source| {
        let peers = vec![Peer { address: address.into(), min_ttl, max_ttl: 255 }];
        expect.cast = Cast::Unicast { peers, check_source };
        check(expect, &hex(NEW_CHECKSUM))
    };
    assert!(check_with(&mut expect, PEER4, 0, false).outcome.is_ok());
    let verdict = check_with(&mut expect, PEER4, 0, true);
    assert_eq!((verdict.outcome, verdict.counts), (Err(Refused::NotAPeer), true));
    assert!(check_with(&mut expect, US4, 255, true).outcome.is_ok());
    let near = altered_ttl(NEW_CHECKSUM, 254);
    let refused = Refused::PeerHopLimit { got: 254, min: 255, max: 255 };
    assert_eq!(check(&expect, &near).outcome, Err(refused));
}

fn altered_ttl(text: &str, ttl: u8) -> Vec<u8> {
    let mut bytes = hex(text);
    bytes[8] = ttl;
    bytes
}

#[test]
fn ethernet_padding_is_tolerated() {
    let form = form(Version::V3, QUARTER, &ONE);
    let mut packet = Packet::new(&form, US4.into(), GROUP4.into());
    packet.stamp(Priority(254), 1);
    let mut bytes = packet.bytes().to_vec();
    assert_eq!(bytes.len(), 32);
    bytes.resize(46, 0);
    assert!(check(&expect(&form), &bytes).outcome.is_ok());
    bytes.resize(42, 0); // with a VLAN tag
    assert!(check(&expect(&form), &bytes).outcome.is_ok());
    bytes.resize(44, 0);
    assert_eq!(
        check(&expect(&form), &bytes).outcome,
        Err(Refused::Length { got: 44, expected: 32 })
    );
}

#[test]
fn every_truncation_is_too_short() {
    let (bytes, expect) = good();
    for length in 0..bytes.len() {
        match Datagram::from_ipv4(&bytes[..length]) {
            Err(short) => {
                assert!(length < 28);
                assert_eq!(
                    short.to_string(),
                    format!("IPv4 VRRP packet too short - {length} bytes")
                );
            }
            Ok(datagram) => {
                let refused = Refused::Length { got: length, expected: bytes.len() };
                assert_eq!(judge(&expect, &datagram).outcome, Err(refused));
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_the_message_is_noticed() {
    let (bytes, expect) = good();
    let original = check(&expect, &bytes).outcome;
    for bit in 20 * 8..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let datagram = Datagram::from_ipv4(&flipped).unwrap();
        let other_router = datagram.vrid() != Vrid(51);
        assert!(other_router || judge(&expect, &datagram).outcome != original, "bit {bit}");
    }
}

#[test]
fn more_addresses_than_fit_are_cut() {
    let many: Vec<String> = (0..300).map(|n| format!("10.0.{}.{}", n / 256, n % 256)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let form = form(Version::V3, QUARTER, &many);
    let mut packet = Packet::new(&form, US4.into(), GROUP4.into());
    packet.stamp(Priority(1), 1);
    assert_eq!(packet.bytes().len(), 20 + 8 + 255 * 4);
    let mut expect = expect(&form);
    expect.addresses.truncate(255);
    assert!(check(&expect, packet.bytes()).outcome.is_ok());
}

proptest! {
    #[test]
    fn arbitrary_octets_do_not_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (_, expect) = good();
        if let Ok(datagram) = Datagram::from_ipv4(&data) {
            let _ = judge(&expect, &datagram);
        }
        let group = Ipv6Addr::LOCALHOST;
        if let Ok(datagram) = Datagram::from_ipv6(&data, group, group, Some(255)) {
            let _ = judge(&expect, &datagram);
        }
    }

    #[test]
    fn what_is_sent_is_heard(
        priority: u8,
        id: u16,
        vrid: u8,
        version_3: bool,
        hosts in proptest::collection::hash_set(any::<[u8; 4]>(), 0..20),
    ) {
        let (version, interval) =
            if version_3 { (Version::V3, QUARTER) } else { (Version::V2, SECOND) };
        let addresses = hosts.into_iter().map(|octets| Ipv4Addr::from(octets).into()).collect();
        let form = Form { vrid: Vrid(vrid), addresses, ..form(version, interval, &[]) };
        let mut packet = Packet::new(&form, US4.into(), GROUP4.into());
        packet.stamp(Priority(priority), id);
        let verdict = check(&expect(&form), packet.bytes());
        prop_assert_eq!(verdict.outcome, Ok(Advert { priority: Priority(priority), interval, ah_number: None }));
        prop_assert_eq!((verdict.interval, verdict.addresses), (None, None));
    }
}
