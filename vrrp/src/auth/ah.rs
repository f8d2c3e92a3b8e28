//! IPSEC-AH around a version 2 advert (RFC 2402 in transport mode, HMAC-MD5-96), as keepalived speaks it.

use std::net::Ipv4Addr;

use hmac::{Hmac, Mac};
use md5::Md5;

/// Length of the header between the IPv4 header and the advert.
pub const HEADER_LENGTH: usize = 24;
const ICV_LENGTH: usize = 12;
const ICV_OFFSET: usize = HEADER_LENGTH - ICV_LENGTH;
const VRRP_PROTOCOL: u8 = 112;
/// Length of the header in 32-bit words less 2 (RFC 2402 §2.2).
const PAYLOAD_LENGTH: u8 = 4;

/// The password, cut or padded with NUL to the eight octets that the wire knows.
pub type Key = [u8; 8];

/// Which fields of the IPv4 header count as mutable when the header is summed. The original leaves the TTL in for
/// multicast; both sides must agree, so it is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The TTL is covered.
    Multicast,
    /// The TTL counts as zero.
    Unicast,
}

/// Why an authenticated advert was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Less than an IPv4 header, this header and something behind it.
    Short,
    /// What is protected is no advert; refused without a word.
    NextHeader(u8),
    /// The integrity check value is wrong.
    Integrity,
    /// The security parameter index is not the sender's address.
    Index(u32),
    /// The number was used already.
    Replayed {
        /// The number received.
        received: u32,
        /// The last one that counted.
        last: u32,
    },
}

/// The sequence number of an instance: one for what it sends and what it hears, so that whoever takes over goes on
/// counting where the other stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    last: u32,
    exhausted: bool,
}

/// Where counting stops.
const LAST_NUMBER: u32 = 0xffff_fffd;

impl Sequence {
    /// The number for the next advert.
    pub fn advance(&mut self) -> u32 {
        if self.last >= LAST_NUMBER {
            self.exhausted = true;
        } else {
            self.last += 1;
        }
        self.last
    }

    /// Accepts a number that is greater than all before.
    pub fn accept(&mut self, received: u32) -> Result<(), Refused> {
        if received <= self.last {
            return Err(Refused::Replayed { received, last: self.last });
        }
        self.last = received;
        Ok(())
    }

    /// A master that answers an advert of lower priority must be heard: its next number exceeds the one it answers.
    pub fn overtake(&mut self, received: u32) {
        self.last = received.saturating_add(1);
    }

    /// A new master whose numbers ran out starts over.
    pub fn restart_if_exhausted(&mut self) {
        if self.exhausted {
            *self = Self::default();
        }
    }
}

/// The header for `advert` behind `ip`, an IPv4 header without options, with the number `sequence`.
pub fn header(
    key: &Key,
    scope: Scope,
    ip: &[u8; 20],
    sequence: u32,
    advert: &[u8],
) -> [u8; HEADER_LENGTH] {
    let mut header = [0; HEADER_LENGTH];
    let [.., s0, s1, s2, s3, _, _, _, _] = *ip;
    let [n0, n1, n2, n3] = sequence.to_be_bytes();
    let fields = [VRRP_PROTOCOL, PAYLOAD_LENGTH, 0, 0, s0, s1, s2, s3, n0, n1, n2, n3];
    let (front, back) = header.split_at_mut(ICV_OFFSET);
    front.copy_from_slice(&fields);
    back.copy_from_slice(&integrity(key, scope, ip, &fields, advert));
    header
}

/// Checks `packet`, a whole IPv4 datagram without options, up to the sequence number, which it returns with the advert.
pub fn verify<'a>(key: &Key, scope: Scope, packet: &'a [u8]) -> Result<(u32, &'a [u8]), Refused> {
    let (ip, rest) = packet.split_first_chunk::<20>().ok_or(Refused::Short)?;
    let (fields, rest) = rest.split_first_chunk::<ICV_OFFSET>().ok_or(Refused::Short)?;
    let (icv, advert) = rest.split_first_chunk::<ICV_LENGTH>().ok_or(Refused::Short)?;
    let [next, _, _, _, i0, i1, i2, i3, n0, n1, n2, n3] = *fields;
    if next != VRRP_PROTOCOL {
        return Err(Refused::NextHeader(next));
    }
    if !equal(icv, &integrity(key, scope, ip, fields, advert)) {
        return Err(Refused::Integrity);
    }
    let index = u32::from_be_bytes([i0, i1, i2, i3]);
    let [.., s0, s1, s2, s3, _, _, _, _] = *ip;
    if Ipv4Addr::from(index) != Ipv4Addr::new(s0, s1, s2, s3) {
        return Err(Refused::Index(index));
    }
    Ok((u32::from_be_bytes([n0, n1, n2, n3]), advert))
}

/// RFC 2402 §3.3.3: what may change on the way counts as zero.
fn integrity(
    key: &Key,
    scope: Scope,
    ip: &[u8; 20],
    fields: &[u8; ICV_OFFSET],
    advert: &[u8],
) -> [u8; ICV_LENGTH] {
    let [version, _tos, l0, l1, i0, i1, _f0, _f1, ttl, protocol, _c0, _c1, addresses @ ..] = *ip;
    let ttl = if scope == Scope::Unicast { 0 } else { ttl };
    let mut mac = keyed(key);
    mac.update(&[version, 0, l0, l1, i0, i1, 0, 0, ttl, protocol, 0, 0]);
    mac.update(&addresses);
    mac.update(fields);
    mac.update(&[0; ICV_LENGTH]);
    mac.update(advert);
    let digest: [u8; 16] = mac.finalize().into_bytes().into();
    let (icv, _) = digest.split_first_chunk().expect("a digest is longer than its first part");
    *icv
}

fn keyed(key: &Key) -> Hmac<Md5> {
    Hmac::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// Compares in constant time.
fn equal(left: &[u8; ICV_LENGTH], right: &[u8; ICV_LENGTH]) -> bool {
    left.iter().zip(right).fold(0, |difference, (l, r)| difference | (l ^ r)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::trailer::tests::bytes;

    const KEY: Key = *b"s3cret\0\0";
    /// Captured from the original: multicast with two addresses, its priority 0, and a unicast copy.
    const MULTICAST: &str = "45c0004400010000ff33d0a90a090001e0000012700400000a090001000000016bc726de2077e7ddf640a7e0\
                             2133fe020201c9ed0a0900640a0900650000000000000000";
    const RESIGNED: &str = "45c0004400030000ff33d0a70a090001e0000012700400000a09000100000003b23d6739463ac51e13b48814\
                            213300020201c7ee0a0900640a0900650000000000000000";
    const UNICAST: &str = "45c0004000010000ff33a6b50a0900010a090002700400000a090001000000013cdaf95297a1b8b3cffd016f\
                           2133fe010201d45c0a0900640000000000000000";

    #[test]
    fn captured_packets_are_verified_and_reproduced() {
        for (hex, scope, number) in [
            (MULTICAST, Scope::Multicast, 1),
            (RESIGNED, Scope::Multicast, 3),
            (UNICAST, Scope::Unicast, 1),
        ] {
            let packet = bytes(hex);
            let (sequence, advert) = verify(&KEY, scope, &packet).unwrap();
            assert_eq!(sequence, number);
            let ip = packet[..20].try_into().unwrap();
            assert_eq!(header(&KEY, scope, ip, sequence, advert), packet[20..44]);
        }
    }

    #[test]
    fn any_other_key_scope_or_byte_is_refused() {
        let packet = bytes(MULTICAST);
        assert_eq!(verify(b"s3cret\0x", Scope::Multicast, &packet), Err(Refused::Integrity));
        assert_eq!(verify(&KEY, Scope::Unicast, &packet), Err(Refused::Integrity));
        for index in 20..packet.len() {
            let mut forged = packet.clone();
            forged[index] ^= 1;
            assert!(verify(&KEY, Scope::Multicast, &forged).is_err(), "byte {index}");
        }
        for length in 0..44 {
            assert_eq!(verify(&KEY, Scope::Multicast, &packet[..length]), Err(Refused::Short));
        }
    }

    #[test]
    fn numbers_only_grow_and_a_takeover_goes_on_counting() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.accept(7), Ok(()));
        assert_eq!(sequence.accept(7), Err(Refused::Replayed { received: 7, last: 7 }));
        assert_eq!(sequence.advance(), 8);
        sequence.overtake(20);
        assert_eq!(sequence.advance(), 22);
    }

    #[test]
    fn numbers_that_ran_out_start_over_with_the_next_master() {
        let mut sequence = Sequence { last: LAST_NUMBER - 1, exhausted: false };
        assert_eq!([sequence.advance(), sequence.advance()], [LAST_NUMBER; 2]);
        sequence.restart_if_exhausted();
        assert_eq!(sequence.advance(), 1);
    }
}
