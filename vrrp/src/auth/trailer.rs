//! The keyed trailer behind an advert (`auth_hmac`): HMAC-SHA256 cut to 128 bits, with a time-based sequence against
//! replay. On the wire as versions 2.4.2 and 2.4.3 have it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Length of the trailer.
pub const LENGTH: usize = 28;
const TAG_LENGTH: usize = 16;
const FIELDS_LENGTH: usize = LENGTH - TAG_LENGTH;
/// HMAC-SHA256 truncated to 128 bits; the only scheme so far.
const SCHEME: u8 = 1;

/// What a tag binds besides the bytes of the advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Version of the protocol, 2 or 3.
    pub version: u8,
    /// The virtual router.
    pub vrid: u8,
    /// The sender.
    pub source: IpAddr,
}

/// A point of the sender's sequence: seconds since 1970, parts of 2⁻¹⁶ s and a tie-break counter, compared as serial
/// numbers (RFC 1982).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp(u64);

impl Stamp {
    /// The stamp of a wall-clock time; it wraps in 2106 as the wire does.
    pub fn from_unix(since_1970: std::time::Duration) -> Self {
        let seconds = since_1970.as_secs() & 0xffff_ffff;
        let fraction = (u64::from(since_1970.subsec_nanos()) << 16) / 1_000_000_000;
        Self(seconds << 32 | fraction << 16)
    }

    /// Whole seconds.
    pub fn seconds(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }

    /// Whether `self` comes after `other`.
    pub fn is_after(self, other: Self) -> bool {
        self.0 != other.0 && self.0.wrapping_sub(other.0) < 1 << 63
    }

    /// How many whole seconds lie between two stamps, whichever is first.
    pub fn distance(self, other: Self) -> u32 {
        let forward = self.seconds().wrapping_sub(other.seconds());
        forward.min(forward.wrapping_neg())
    }
}

/// How a receiver recognises old packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AntiReplay {
    /// The stamp must lie within this many seconds of our clock, and grow.
    Time {
        /// The window on either side, in seconds.
        window: u32,
    },
    /// The stamp must grow; clocks may differ.
    Monotonic,
}

/// Why a trailer was refused. One variant, one counter, one log text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is none although the mode asks for one.
    Missing,
    /// Unknown scheme, or the reserved bits are set.
    Malformed,
    /// No key with this number.
    UnknownKey(u8),
    /// The tag is wrong.
    Tag,
    /// The stamp is too far from our clock.
    Stale,
    /// The stamp is not after the last one of this sender.
    Replayed,
}

/// The stamps of what we send: the clock, or one more than the last where the clock did not advance.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendStamps {
    last: Option<Stamp>,
}

impl SendStamps {
    /// The stamp for the next advert.
    pub fn advance(&mut self, clock: Stamp, anti_replay: AntiReplay) -> Stamp {
        let stamp = match self.last {
            None => clock,
            Some(last) if clock.is_after(last) => clock,
            // The clock was set back by more than receivers tolerate: go with it, or nobody would accept us again.
            Some(last) if matches!(anti_replay, AntiReplay::Time { window } if last.distance(clock) > window) => {
                clock
            }
            Some(last) => Stamp(last.0.wrapping_add(1)),
        };
        self.last = Some(stamp);
        stamp
    }
}

/// How many senders a multicast instance remembers.
const REMEMBERED: usize = 4;

/// The last accepted stamp of each sender. A sender gets in only after its tag was verified.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The sender heard last stands last.
    marks: Vec<(IpAddr, Stamp)>,
}

impl Heard {
    /// Accepts `stamp` of `source` if it is new. `peers` is how many senders there can be (unicast), if that is known.
    pub fn accept(
        &mut self,
        source: IpAddr,
        stamp: Stamp,
        clock: Stamp,
        anti_replay: AntiReplay,
        peers: Option<usize>,
    ) -> Result<(), Refused> {
        let known = self.marks.iter().position(|&(address, _)| address == source);
        let mark = known.map(|index| self.marks.remove(index).1).filter(|mark| match anti_replay {
            AntiReplay::Time { window } => mark.distance(clock) <= window,
            AntiReplay::Monotonic => true,
        });
        let fresh = mark.is_none_or(|mark| stamp.is_after(mark));
        if mark.is_none() && self.marks.len() >= peers.unwrap_or(REMEMBERED).max(1) {
            self.marks.remove(0);
        }
        let newest = if fresh { stamp } else { mark.unwrap_or(stamp) };
        self.marks.push((source, newest));
        if fresh { Ok(()) } else { Err(Refused::Replayed) }
    }
}

/// The trailer for `advert`.
pub fn trailer(
    key_id: u8,
    key: &[u8],
    binding: Binding,
    stamp: Stamp,
    advert: &[u8],
) -> [u8; LENGTH] {
    let mut fields = [0; FIELDS_LENGTH];
    fields[0] = SCHEME;
    fields[1] = key_id;
    fields[4..].copy_from_slice(&stamp.0.to_be_bytes());
    let mut trailer = [0; LENGTH];
    let (front, back) = trailer.split_at_mut(FIELDS_LENGTH);
    front.copy_from_slice(&fields);
    back.copy_from_slice(&tag(key, binding, advert, &fields));
    trailer
}

/// Checks the trailer of `advert` up to its stamp, which it returns. The age comes first: it costs no hashing.
pub fn verify<'k>(
    trailer: &[u8; LENGTH],
    key: impl Fn(u8) -> Option<&'k [u8]>,
    binding: Binding,
    clock: Stamp,
    anti_replay: AntiReplay,
    advert: &[u8],
) -> Result<Stamp, Refused> {
    let (fields, received) =
        trailer.split_first_chunk::<FIELDS_LENGTH>().expect("a trailer is longer than its fields");
    let [scheme, key_id, r0, r1, stamp @ ..] = *fields;
    if scheme != SCHEME || [r0, r1] != [0, 0] {
        return Err(Refused::Malformed);
    }
    let stamp = Stamp(u64::from_be_bytes(stamp));
    if matches!(anti_replay, AntiReplay::Time { window } if stamp.distance(clock) > window) {
        return Err(Refused::Stale);
    }
    let key = key(key_id).ok_or(Refused::UnknownKey(key_id))?;
    let expected = tag(key, binding, advert, fields);
    let difference =
        received.iter().zip(expected).fold(0, |sum, (left, right)| sum | (left ^ right));
    if difference != 0 || received.len() != TAG_LENGTH {
        return Err(Refused::Tag);
    }
    Ok(stamp)
}

/// The checksum field counts as zero: IPv6 kernels fill it in after us.
fn tag(
    key: &[u8],
    binding: Binding,
    advert: &[u8],
    fields: &[u8; FIELDS_LENGTH],
) -> [u8; TAG_LENGTH] {
    let (family, address) = match binding.source {
        IpAddr::V4(source) => {
            let [a, b, c, d] = source.octets();
            (4, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        IpAddr::V6(source) => (6, source.octets()),
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(&[family, binding.version, binding.vrid, 0]);
    mac.update(&address);
    match advert.split_first_chunk::<8>() {
        Some((&[a, b, c, d, e, f, _, _], addresses)) => {
            mac.update(&[a, b, c, d, e, f, 0, 0]);
            mac.update(addresses);
        }
        None => mac.update(advert),
    }
    mac.update(fields);
    mac.update(&[0; TAG_LENGTH]);
    let digest: [u8; 32] = mac.finalize().into_bytes().into();
    let (tag, _) = digest.split_first_chunk().expect("a digest is longer than its first part");
    *tag
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::time::Duration;

    pub(crate) fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    fn key() -> Vec<u8> {
        (0..32).collect()
    }

    /// Adverts with trailers captured from the original: version 3 and 2 over IPv4, version 3 over IPv6.
    fn captured() -> [(Binding, Vec<u8>); 4] {
        let v4 = |version| Binding { version, vrid: 0x33, source: "10.9.0.1".parse().unwrap() };
        let v6 = Binding { version: 3, vrid: 0x33, source: "fe80::ff:fe00:1".parse().unwrap() };
        [
            (
                v4(3),
                bytes(
                    "3133fe010019dbab0a090064010100006b05b2da2820000088e8c3c656bd79fe48d0365d9df1c00f",
                ),
            ),
            (
                v4(3),
                bytes(
                    "313300010019d9ac0a090064010100006b05b2db16aa00006ac19893c0f50dfdc1136a352df2a3bf",
                ),
            ),
            (
                v4(2),
                bytes(
                    "2133fe010001d65c0a0900640000000000000000\
                     010100006b05b2eb987400003215211a807446e795c137e5129eef54",
                ),
            ),
            (
                v6,
                bytes(
                    "3133fe0200198086fe800000000000000000000000000100fd000009000000000000000000000100\
                     010100006b05b2de62f400000cabc153bd9b9b4f86ca9625dfb5afea",
                ),
            ),
        ]
    }

    const WINDOW: AntiReplay = AntiReplay::Time { window: 5 };

    #[test]
    fn captured_trailers_are_verified_and_reproduced() {
        let key = key();
        for (binding, packet) in captured() {
            let (advert, found) = packet.split_last_chunk::<LENGTH>().unwrap();
            let clock = Stamp(0x6b05_b2de_0000_0000);
            let anti_replay = AntiReplay::Time { window: 30 };
            let stamp = verify(found, |_| Some(&key), binding, clock, anti_replay, advert).unwrap();
            assert_eq!(&trailer(1, &key, binding, stamp, advert), found);
        }
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let key = key();
        let (binding, packet) = captured()[0].clone();
        let (advert, found) = packet.split_last_chunk::<LENGTH>().unwrap();
        let clock = Stamp(0x6b05_b2da_0000_0000);
        let check = |trailer: &[u8; LENGTH], binding, clock| {
            verify(trailer, |id| (id == 1).then_some(&key[..]), binding, clock, WINDOW, advert)
        };
        assert!(check(found, binding, clock).is_ok());
        let with = |index: usize, value: u8| {
            let mut trailer = *found;
            trailer[index] = value;
            trailer
        };
        assert_eq!(check(&with(0, 2), binding, clock), Err(Refused::Malformed));
        assert_eq!(check(&with(3, 1), binding, clock), Err(Refused::Malformed));
        assert_eq!(check(&with(1, 9), binding, clock), Err(Refused::UnknownKey(9)));
        assert_eq!(check(&with(27, 0), binding, clock), Err(Refused::Tag));
        assert_eq!(check(found, Binding { vrid: 52, ..binding }, clock), Err(Refused::Tag));
        assert_eq!(check(found, binding, Stamp(0x6b05_b2e0_0000_0000)), Err(Refused::Stale));
        assert_eq!(check(found, binding, Stamp(0x6b05_b2d4_0000_0000)), Err(Refused::Stale));
    }

    #[test]
    fn stamps_grow_even_where_the_clock_stands_or_is_set_back() {
        let mut stamps = SendStamps::default();
        let at = |seconds| Stamp::from_unix(Duration::from_secs(seconds));
        let first = stamps.advance(at(1000), WINDOW);
        let second = stamps.advance(at(1000), WINDOW);
        assert!(second.is_after(first));
        assert!(
            stamps.advance(at(998), WINDOW).is_after(second),
            "within the window the sequence goes on"
        );
        assert_eq!(stamps.advance(at(900), WINDOW), at(900), "beyond it the clock counts");
        let mut monotonic = SendStamps::default();
        let first = monotonic.advance(at(1000), AntiReplay::Monotonic);
        assert!(monotonic.advance(at(10), AntiReplay::Monotonic).is_after(first));
    }

    #[test]
    fn a_stamp_counts_once_and_an_old_mark_is_forgotten() {
        let source: IpAddr = "10.9.0.1".parse().unwrap();
        let at = |seconds| Stamp::from_unix(Duration::from_secs(seconds));
        let mut heard = Heard::default();
        assert_eq!(heard.accept(source, at(100), at(100), WINDOW, None), Ok(()));
        assert_eq!(heard.accept(source, at(100), at(101), WINDOW, None), Err(Refused::Replayed));
        assert_eq!(heard.accept(source, at(99), at(101), WINDOW, None), Err(Refused::Replayed));
        assert_eq!(heard.accept(source, at(102), at(102), WINDOW, None), Ok(()));
        assert_eq!(
            heard.accept(source, at(90), at(90), WINDOW, None),
            Ok(()),
            "the sender's and our clock were set"
        );
    }

    #[test]
    fn the_sender_heard_longest_ago_makes_room() {
        let source = |last| IpAddr::from([10, 9, 0, last]);
        let at = |seconds| Stamp::from_unix(Duration::from_secs(seconds));
        let mut heard = Heard::default();
        for last in 1..=5 {
            assert_eq!(heard.accept(source(last), at(100), at(100), WINDOW, None), Ok(()));
        }
        assert_eq!(heard.accept(source(5), at(100), at(100), WINDOW, None), Err(Refused::Replayed));
        assert_eq!(
            heard.accept(source(1), at(100), at(100), WINDOW, None),
            Ok(()),
            "1 had been forgotten"
        );
    }
}
