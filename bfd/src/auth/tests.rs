//! Signing and checking, against each other; against BIRD there is a test in the lab.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::packet::{Diagnostic, Micros, State};

fn packet(multiplier: u8) -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::None,
        state: State::Up,
        poll: false,
        final_: false,
        control_plane_independent: false,
        authenticated: false,
        demand: false,
        detect_multiplier: multiplier,
        my_discriminator: NonZeroU32::MIN,
        your_discriminator: 2,
        desired_min_tx: Micros(50_000),
        required_min_rx: Micros(50_000),
        required_min_echo_rx: Micros(0),
    }
}

fn guard(kind: Kind, id: u8, secret: &str) -> Guard {
    let key = Key { id, secret: secret.into() };
    Guard::new(Authentication { kind, key, accepted: vec![] }, 7)
}

fn check(guard: &mut Guard, datagram: &Datagram, now: Instant) -> Result<(), Rejected> {
    let packet = ControlPacket::decode(datagram.as_bytes()).unwrap();
    assert!(packet.authenticated);
    let checked = guard.check(&packet, datagram.as_bytes(), now);
    if checked.is_ok() {
        guard.hold(Duration::from_millis(150), now);
    }
    checked
}

#[test]
fn every_kind_is_understood_by_its_like_and_by_nobody_else() {
    let now = Instant::now();
    for (_, kind) in Kind::NAMES {
        let signed = guard(kind, 3, "secret").sign(&packet(3));
        assert_eq!(check(&mut guard(kind, 3, "secret"), &signed, now), Ok(()), "{kind:?}");
        assert_eq!(
            check(&mut guard(kind, 3, "Secret"), &signed, now),
            Err(Rejected::Secret),
            "{kind:?}"
        );
        assert_eq!(check(&mut guard(kind, 4, "secret"), &signed, now), Err(Rejected::Key(3)));
        for (_, other) in Kind::NAMES.into_iter().filter(|(_, other)| *other != kind) {
            let refused = check(&mut guard(other, 3, "secret"), &signed, now);
            assert_eq!(refused, Err(Rejected::Kind(kind.to_wire())));
        }
    }
}

#[test]
fn keys_change_one_side_at_a_time() {
    let (now, kind) = (Instant::now(), Kind::MeticulousKeyedSha1);
    let (old, new) = (Key { id: 1, secret: b"old".into() }, Key { id: 2, secret: b"new".into() });
    let mut sender = guard(kind, 1, "old");
    let accepted = vec![new.clone()];
    let mut receiver = Guard::new(Authentication { kind, key: old, accepted }, 1);
    assert_eq!(check(&mut receiver, &sender.sign(&packet(3)), now), Ok(()));
    sender.adopt(Authentication { kind, key: new, accepted: vec![] });
    assert_eq!(check(&mut receiver, &sender.sign(&packet(3)), now), Ok(()));
}

#[test]
fn a_recorded_packet_is_not_believed_again() {
    let now = Instant::now();
    for kind in [Kind::MeticulousKeyedMd5, Kind::MeticulousKeyedSha1] {
        let (mut sender, mut receiver) = (guard(kind, 1, "secret"), guard(kind, 1, "secret"));
        let [first, second] = [(); 2].map(|()| sender.sign(&packet(3)));
        assert_eq!(check(&mut receiver, &first, now), Ok(()));
        assert_eq!(check(&mut receiver, &first, now), Err(Rejected::Sequence(8)));
        assert_eq!(check(&mut receiver, &second, now), Ok(()));
        assert_eq!(check(&mut receiver, &first, now), Err(Rejected::Sequence(8)));
        // As many as three detection times of packets may be lost, but no more.
        for _ in 0..8 {
            sender.sign(&packet(3));
        }
        let late = sender.sign(&packet(3));
        assert_eq!(check(&mut receiver, &late, now), Ok(()));
        for _ in 0..9 {
            sender.sign(&packet(3));
        }
        let lost = sender.sign(&packet(3));
        assert_eq!(check(&mut receiver, &lost, now), Err(Rejected::Sequence(28)));
        // After twice the detection time anybody may begin anew.
        let later = now + Duration::from_millis(301);
        assert_eq!(check(&mut receiver, &first, later), Ok(()));
    }
}

#[test]
fn without_meticulousness_equal_packets_have_the_same_number() {
    let now = Instant::now();
    for kind in [Kind::KeyedMd5, Kind::KeyedSha1] {
        let (mut sender, mut receiver) = (guard(kind, 1, "secret"), guard(kind, 1, "secret"));
        let [first, second] = [(); 2].map(|()| sender.sign(&packet(3)));
        assert_eq!(first.as_bytes(), second.as_bytes());
        let other = sender.sign(&packet(4));
        for datagram in [&first, &second, &other] {
            assert_eq!(check(&mut receiver, datagram, now), Ok(()));
        }
        assert_eq!(check(&mut receiver, &first, now), Err(Rejected::Sequence(8)));
    }
}

#[test]
fn a_forged_packet_moves_no_window() {
    let (now, kind) = (Instant::now(), Kind::MeticulousKeyedMd5);
    let (mut sender, mut receiver) = (guard(kind, 1, "secret"), guard(kind, 1, "secret"));
    assert_eq!(check(&mut receiver, &sender.sign(&packet(3)), now), Ok(()));
    let mut forged = sender.clone().sign(&packet(3));
    forged.replace(LENGTH + 4, &15_u32.to_be_bytes());
    assert_eq!(check(&mut receiver, &forged, now), Err(Rejected::Secret));
    assert_eq!(check(&mut receiver, &sender.sign(&packet(3)), now), Ok(()));
}

proptest! {
    /// Whatever is changed in a signed packet, it is not believed; whatever comes, nothing breaks.
    #[test]
    fn nothing_can_be_changed(kind in 1..5_usize, at in 0..52_usize, bit in 0..8_u8, cut in 0..60_usize) {
        let kind = Kind::NAMES[kind].1;
        let signed = guard(kind, 1, "secret").sign(&packet(3));
        let mut data = signed.as_bytes().to_vec();
        let at = at % data.len();
        data[at] ^= 1 << bit;
        data.truncate(cut);
        if let Ok(packet) = ControlPacket::decode(&data) {
            let checked = guard(kind, 1, "secret").check(&packet, &data, Instant::now());
            // The reserved octet is covered by the digest as well.
            prop_assert!(checked.is_err());
        }
    }
}
