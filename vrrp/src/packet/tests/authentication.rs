//! Adverts that are signed.

use super::*;
use crate::auth::ah;
use crate::auth::trailer::{self, AntiReplay};
use crate::config::auth::{Hmac, HmacKey, HmacMode};

/// Seals what was stamped, as the sender of the captures did.
fn sealed(form: &Form, to: Ipv4Addr, id: u16, clock: Stamp, counters: &mut Counters) -> Vec<u8> {
    let mut packet = Packet::new(form, US4.into(), to.into());
    packet.stamp(Priority(if id == 1 { 254 } else { 0 }), id);
    let seal = Seal {
        auth: &form.auth,
        version: form.version,
        vrid: form.vrid,
        source: US4.into(),
        unicast: !to.is_multicast(),
        clock,
    };
    let mut packets = [packet];
    seal.apply(&mut packets, counters);
    packets[0].bytes().to_vec()
}

#[test]
fn authentication_header_as_captured() {
    let multicast = Form { auth: Auth::Ah(*b"s3cret\0\0"), ..form(Version::V2, SECOND, &TWO) };
    let single = Form { addresses: vec!["10.9.0.100".parse().unwrap()], ..multicast.clone() };
    let mut counters = Counters::default();
    let cases = [
        (
            &multicast,
            GROUP4,
            1,
            "45c0004400010000ff33d0a90a090001e0000012 700400000a090001000000016bc726de2077e7ddf640a7e0 2133fe020201c9ed0a0900640a0900650000000000000000",
        ),
        (
            &multicast,
            GROUP4,
            3,
            "45c0004400030000ff33d0a70a090001e0000012 700400000a09000100000003b23d6739463ac51e13b48814 213300020201c7ee0a0900640a0900650000000000000000",
        ),
    ];
    for (form, to, id, captured) in cases {
        let bytes = sealed(form, to, id, Stamp::default(), &mut counters);
        assert_eq!(bytes, without_header_checksum(captured));
        counters.ah.advance();
        let datagram = hex(captured);
        let datagram = Datagram::from_ipv4(&datagram).unwrap();
        let mut heard = Counters::default();
        let outcome = expect(form).check(&datagram, policy(), &mut heard).outcome;
        assert_eq!(outcome.unwrap().ah_number, Some(u32::from(id)));
        let number = u32::from(id);
        let replayed = Refused::Ah(ah::Refused::Replayed { received: number, last: number });
        assert_eq!(expect(form).check(&datagram, policy(), &mut heard).outcome, Err(replayed));
    }
    let captured = "45c0004000010000ff33a6b50a0900010a090002 700400000a090001000000013cdaf95297a1b8b3cffd016f 2133fe010201d45c0a0900640000000000000000";
    let bytes = sealed(&single, PEER4, 1, Stamp::default(), &mut Counters::default());
    assert_eq!(bytes, without_header_checksum(captured));
    assert!(check(&unicast(&single, OldChecksum::Never), &hex(captured)).outcome.is_ok());
    let plain = Expect { auth: Auth::None, ..expect(&single) };
    assert_eq!(check(&plain, &hex(captured)).outcome, Err(Refused::UnexpectedAh));
}

fn hmac(mode: HmacMode) -> Auth {
    let keys = vec![HmacKey { id: 1, secret: (0..32).collect() }];
    let anti_replay = AntiReplay::Time { window: 5 };
    Auth::Hmac(Box::new(Hmac { keys, active: 1, mode, anti_replay }))
}

/// The time of a captured trailer.
fn stamp(seconds: u64, fraction: u64) -> Stamp {
    let nanos = (fraction * 1_000_000_000).div_ceil(1 << 16);
    Stamp::from_unix(Duration::from_secs(seconds) + Duration::from_nanos(nanos))
}

#[test]
fn keyed_trailer_as_captured() {
    let version_3 = Form { auth: hmac(HmacMode::Enforce), ..form(Version::V3, QUARTER, &ONE) };
    let version_2 = Form { version: Version::V2, interval: SECOND, ..version_3.clone() };
    let cases = [
        (
            &version_3,
            1,
            stamp(0x6b05_b2da, 0x2820),
            "45c0003c00010000ff70d0740a090001e0000012 3133fe010019dbab0a090064 010100006b05b2da2820000088e8c3c656bd79fe48d0365d9df1c00f",
        ),
        (
            &version_3,
            5,
            stamp(0x6b05_b2db, 0x16aa),
            "45c0003c00050000ff70d0700a090001e0000012 313300010019d9ac0a090064 010100006b05b2db16aa00006ac19893c0f50dfdc1136a352df2a3bf",
        ),
        (
            &version_2,
            1,
            stamp(0x6b05_b2eb, 0x9874),
            "45c0004400010000ff70d06c0a090001e0000012 2133fe010001d65c0a0900640000000000000000 010100006b05b2eb987400003215211a807446e795c137e5129eef54",
        ),
    ];
    for (form, id, clock, captured) in cases {
        let bytes = sealed(form, GROUP4, id, clock, &mut Counters::default());
        assert_eq!(bytes, without_header_checksum(captured));
        let bytes = hex(captured);
        let at = Policy { clock, ..policy() };
        assert!(judge_by(&expect(form), &bytes, at).outcome.is_ok());
        let tail = |why, clock| {
            let outcome = judge_by(&expect(form), &bytes, Policy { clock, ..policy() }).outcome;
            assert!(matches!(outcome, Err(Refused::Trailer { why: found, .. }) if found == why));
        };
        tail(trailer::Refused::Stale, stamp(0x6b05_c000, 0));
        let short = &bytes[..bytes.len() - 28];
        let missing = judge_by(&expect(form), short, at).outcome;
        let missing = missing.expect_err("a trailer is required");
        assert_eq!(
            missing.text(US4.into()).to_string(),
            "missing authentication trailer from 10.9.0.1"
        );
        let plain = Expect { auth: Auth::None, ..expect(form) };
        assert!(matches!(check(&plain, &bytes).outcome, Err(Refused::Length { .. })));
    }
}

#[test]
fn a_trailer_counts_once_and_clocks_that_drift_are_remarked() {
    let form = Form { auth: hmac(HmacMode::Permissive), ..form(Version::V3, QUARTER, &ONE) };
    let bytes = sealed(&form, GROUP4, 1, stamp(1000, 0), &mut Counters::default());
    let mut bytes = bytes;
    bytes.splice(10..12, [0, 0]);
    let datagram = Datagram::from_ipv4(&bytes).unwrap();
    let mut heard = Counters::default();
    let late = Policy { clock: stamp(1003, 0), ..policy() };
    let verdict = expect(&form).check(&datagram, late, &mut heard);
    assert!(verdict.outcome.is_ok());
    assert_eq!(verdict.clock, Some(Remark::ClockSkew { skew: 3, window: 5 }));
    let verdict = expect(&form).check(&datagram, late, &mut heard);
    assert!(matches!(
        verdict.outcome,
        Err(Refused::Trailer { why: trailer::Refused::Replayed, .. })
    ));
    let mut stats = Stats::default();
    stats.count(&verdict);
    assert_eq!((stats.auth_ext_replay, stats.advert_rcvd), (1, 0));
    let plain = &bytes[..32];
    let mut unsigned = plain.to_vec();
    unsigned[3] = 32;
    assert!(judge_by(&expect(&form), &unsigned, late).outcome.is_ok(), "migration tolerates it");
}
