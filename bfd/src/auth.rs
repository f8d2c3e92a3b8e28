//! Authentication of control packets (RFC 5880 §6.7): signs what leaves and checks what comes. No I/O, no clock.

use std::fmt;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use sha1::Sha1;

use crate::packet::{ControlPacket, Datagram, LENGTH};

/// How packets are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The password itself (§6.7.2).
    SimplePassword,
    /// A digest, under a number that does not fall (§6.7.3).
    KeyedMd5,
    /// A digest, under a number that grows with each packet.
    MeticulousKeyedMd5,
    /// A digest, under a number that does not fall (§6.7.4).
    KeyedSha1,
    /// A digest, under a number that grows with each packet.
    MeticulousKeyedSha1,
}

/// A secret that both sides know, and its number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its number.
    pub id: u8,
    /// As long as [`Kind::longest_secret`] at most, and not empty.
    pub secret: Vec<u8>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// What both sides have agreed upon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// How packets are authenticated.
    pub kind: Kind,
    /// What we sign with.
    pub key: Key,
    /// What else is accepted, so that keys can be changed without a pause.
    pub accepted: Vec<Key>,
}

/// Why a packet is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is authenticated, and the session is not.
    Unexpected,
    /// It is not authenticated, and the session is.
    Missing,
    /// It is authenticated in another way, or malformed.
    Kind(u8),
    /// There is no such key.
    Key(u8),
    /// It is old, or far in the future.
    Sequence(u32),
    /// Password or digest is wrong.
    Secret,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected => f.write_str("auth bit is set, but no authentication  is in use"),
            Self::Missing => f.write_str("auth bit is clear, but authentication is in use"),
            Self::Kind(kind) => write!(f, "authentication of type {kind} is not what is in use"),
            Self::Key(id) => write!(f, "authentication key {id} is not known"),
            Self::Sequence(number) => {
                write!(f, "authentication sequence number {number} is out of order")
            }
            Self::Secret => f.write_str("authentication failed"),
        }
    }
}

impl Kind {
    /// All kinds, by the words of the configuration.
    pub const NAMES: [(&str, Self); 5] = [
        ("simple", Self::SimplePassword),
        ("keyed_md5", Self::KeyedMd5),
        ("meticulous_keyed_md5", Self::MeticulousKeyedMd5),
        ("keyed_sha1", Self::KeyedSha1),
        ("meticulous_keyed_sha1", Self::MeticulousKeyedSha1),
    ];

    /// The longest secret, in octets (§4.2 to §4.4).
    pub fn longest_secret(self) -> usize {
        self.digest_length().unwrap_or(16)
    }

    fn to_wire(self) -> u8 {
        match self {
            Self::SimplePassword => 1,
            Self::KeyedMd5 => 2,
            Self::MeticulousKeyedMd5 => 3,
            Self::KeyedSha1 => 4,
            Self::MeticulousKeyedSha1 => 5,
        }
    }

    fn is_meticulous(self) -> bool {
        matches!(self, Self::MeticulousKeyedMd5 | Self::MeticulousKeyedSha1)
    }

    fn digest_length(self) -> Option<usize> {
        match self {
            Self::SimplePassword => None,
            Self::KeyedMd5 | Self::MeticulousKeyedMd5 => Some(16),
            Self::KeyedSha1 | Self::MeticulousKeyedSha1 => Some(20),
        }
    }
}

/// Header of a section with a digest: type, length, key, reserved, number.
const SECTION_HEADER: usize = 8;
const DIGEST_AT: usize = LENGTH + SECTION_HEADER;

/// Signs and checks the packets of one session (§6.8.1, `bfd.XmitAuthSeq`, `bfd.RcvAuthSeq`, `bfd.AuthSeqKnown`).
#[derive(Clone, Debug)]
pub struct Guard {
    authentication: Authentication,
    number: u32,
    /// What the number stands for, where equal packets may have the same.
    signed: Option<[u8; LENGTH]>,
    heard: Option<Heard>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    number: u32,
    until: Instant,
}

impl Guard {
    /// `number` is random (§6.8.1).
    pub fn new(authentication: Authentication, number: u32) -> Self {
        Self { authentication, number, signed: None, heard: None }
    }

    /// Goes on with other keys. Another kind of authentication begins anew.
    pub fn adopt(&mut self, authentication: Authentication) {
        if self.authentication.kind != authentication.kind {
            self.heard = None;
        }
        self.authentication = authentication;
    }

    /// The packet with its authentication section.
    pub fn sign(&mut self, packet: &ControlPacket) -> Datagram {
        let Authentication { kind, ref key, .. } = self.authentication;
        let header = ControlPacket { authenticated: true, ..*packet }.encode();
        let mut datagram = Datagram::from(header);
        let Some(digest_length) = kind.digest_length() else {
            let length = 3 + u8::try_from(key.secret.len()).unwrap_or(u8::MAX);
            datagram.extend(&[kind.to_wire(), length, key.id]);
            datagram.extend(&key.secret);
            return datagram.finish();
        };
        if kind.is_meticulous() || self.signed != Some(header) {
            self.number = self.number.wrapping_add(1);
            self.signed = Some(header);
        }
        let length = u8::try_from(SECTION_HEADER + digest_length).unwrap_or(u8::MAX);
        datagram.extend(&[kind.to_wire(), length, key.id, 0]);
        datagram.extend(&self.number.to_be_bytes());
        datagram.extend(&padded(&key.secret)[..digest_length]);
        datagram = datagram.finish();
        let digest = digest(kind, datagram.as_bytes());
        datagram.replace(DIGEST_AT, &digest[..digest_length]);
        datagram
    }

    /// Whether the packet that `data` holds was made by one who knows a key, and is none that was recorded before.
    pub fn check(
        &mut self,
        packet: &ControlPacket,
        data: &[u8],
        now: Instant,
    ) -> Result<(), Rejected> {
        let kind = self.authentication.kind;
        let length = data.get(3).map_or(0, |&length| usize::from(length));
        let packet_data = data.get(..length).unwrap_or(data);
        let section = packet_data.get(LENGTH..).unwrap_or_default();
        let &[given, section_length, id, ref rest @ ..] = section else {
            return Err(Rejected::Kind(section.first().copied().unwrap_or(0)));
        };
        if given != kind.to_wire() || usize::from(section_length) != section.len() {
            return Err(Rejected::Kind(given));
        }
        let mut keys =
            std::iter::once(&self.authentication.key).chain(&self.authentication.accepted);
        let key = keys.find(|key| key.id == id).ok_or(Rejected::Key(id))?;
        let Some(digest_length) = kind.digest_length() else {
            return if equal(rest, &key.secret) { Ok(()) } else { Err(Rejected::Secret) };
        };
        let (Some((_, after)), true) =
            (rest.split_first(), rest.len() == SECTION_HEADER - 3 + digest_length)
        else {
            return Err(Rejected::Kind(given));
        };
        let Some((number, signature)) = after.split_first_chunk::<4>() else {
            return Err(Rejected::Kind(given));
        };
        let number = u32::from_be_bytes(*number);
        self.check_number(number, packet.detect_multiplier, now)?;
        let mut unsigned = [0; Datagram::LONGEST];
        let Some(unsigned) = unsigned.get_mut(..packet_data.len()) else {
            return Err(Rejected::Kind(given));
        };
        unsigned.copy_from_slice(packet_data);
        let secret = padded(&key.secret);
        unsigned[DIGEST_AT..].copy_from_slice(&secret[..digest_length]);
        if !equal(signature, &digest(kind, unsigned)[..digest_length]) {
            return Err(Rejected::Secret);
        }
        self.heard = Some(Heard { number, until: now });
        Ok(())
    }

    /// §6.7.3 and §6.7.4: as far ahead as three detection times of lost packets, and never back.
    fn check_number(&self, number: u32, multiplier: u8, now: Instant) -> Result<(), Rejected> {
        let Some(heard) = self.heard.filter(|heard| now <= heard.until) else { return Ok(()) };
        let ahead = number.wrapping_sub(heard.number);
        let least = u32::from(self.authentication.kind.is_meticulous());
        let is_in_order = (least..=3 * u32::from(multiplier)).contains(&ahead);
        if is_in_order { Ok(()) } else { Err(Rejected::Sequence(number)) }
    }

    /// How long the number that was heard last holds: twice the detection time (§6.8.1, `bfd.AuthSeqKnown`).
    pub fn hold(&mut self, detection_time: Duration, now: Instant) {
        if let Some(heard) = &mut self.heard {
            heard.until = now + 2 * detection_time;
        }
    }
}

/// Secrets are filled up with zeros (§6.7.3).
fn padded(secret: &[u8]) -> [u8; 20] {
    let mut padded = [0; 20];
    padded.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
    padded
}

/// The digest, with zeros behind a short one.
fn digest(kind: Kind, data: &[u8]) -> [u8; 20] {
    match kind {
        Kind::SimplePassword => [0; 20],
        Kind::KeyedMd5 | Kind::MeticulousKeyedMd5 => padded(&Md5::digest(data)),
        Kind::KeyedSha1 | Kind::MeticulousKeyedSha1 => Sha1::digest(data).into(),
    }
}

/// Compares without telling by its duration how much of a guess was right.
fn equal(given: &[u8], right: &[u8]) -> bool {
    let differing = given.iter().zip(right).fold(0, |differing, (a, b)| differing | (a ^ b));
    given.len() == right.len() && differing == 0
}

#[cfg(test)]
mod tests;
