//! Why an advert was refused. One variant, one counter, one log text.

use std::fmt;
use std::net::IpAddr;

use super::Version;
use crate::auth::{ah, trailer};

/// Why an advert was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has an authentication header and should not.
    UnexpectedAh,
    /// It has no authentication header and should.
    MissingAh,
    /// It is longer or shorter than its address count says.
    Length {
        /// Octets received, IPv4 header included.
        got: usize,
        /// Octets that there should be.
        expected: usize,
    },
    /// It came through a router (RFC 9568 §5.1.1.3).
    HopLimit(u8),
    /// It is of another protocol version.
    Version {
        /// What it says.
        got: u8,
        /// What we speak.
        expected: Version,
    },
    /// No such authentication type is known.
    AuthType(u8),
    /// The authentication type is not ours.
    AuthMismatch {
        /// What it says.
        got: u8,
        /// What we use.
        expected: u8,
    },
    /// Wrong password.
    Password,
    /// Its authentication header does not prove anything.
    Ah(ah::Refused),
    /// Its trailer does not prove anything.
    Trailer {
        /// Why.
        why: trailer::Refused,
        /// How many seconds its clock is from ours.
        skew: u32,
        /// How many would be tolerated.
        window: u32,
    },
    /// Version 2 wants all routers to use one interval; in seconds.
    Interval {
        /// What it says.
        got: u8,
        /// What we use.
        expected: u64,
    },
    /// It is no advertisement.
    Kind(u8),
    /// The length in the IPv4 header is not the length received.
    TotalLength {
        /// What the header says.
        header: usize,
        /// Octets received.
        got: usize,
    },
    /// Wrong checksum.
    Checksum(Version),
    /// It was sent to a group and should have been sent to us, or the reverse.
    Cast {
        /// Whether we expect unicast.
        unicast: bool,
    },
    /// We own the addresses and need not listen.
    Owner,
    /// A unicast sender that is no peer of ours.
    NotAPeer,
    /// A peer is nearer or farther than configured.
    PeerHopLimit {
        /// What it has.
        got: u8,
        /// Smallest accepted.
        min: u8,
        /// Greatest accepted.
        max: u8,
    },
}

/// What a message about a received advert is about. A topic is logged once until something changes, so that a
/// misconfigured neighbour does not fill the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// [`Refused::UnexpectedAh`] and [`Refused::MissingAh`].
    AhHeader,
    /// [`Refused::Length`].
    Length,
    /// [`Refused::HopLimit`].
    HopLimit,
    /// [`Refused::Version`].
    Version,
    /// [`Refused::AuthType`].
    AuthType,
    /// [`Refused::AuthMismatch`].
    AuthMismatch,
    /// [`Refused::Password`].
    Password,
    /// A trailer is missing.
    TrailerMissing,
    /// A trailer is malformed.
    TrailerMalformed,
    /// A trailer was made with a key that we do not know.
    TrailerKey,
    /// A trailer is wrong.
    TrailerTag,
    /// A trailer is too old or too new.
    TrailerStale,
    /// A trailer was used before.
    TrailerReplayed,
    /// The clocks drift apart.
    ClockSkew,
    /// The advertisement interval differs.
    Interval,
    /// [`Refused::Kind`].
    Kind,
    /// [`Refused::TotalLength`].
    TotalLength,
    /// [`Refused::Checksum`].
    Checksum,
    /// [`Refused::Cast`].
    Cast,
    /// [`Refused::Owner`].
    Owner,
    /// [`Refused::NotAPeer`].
    NotAPeer,
    /// [`Refused::PeerHopLimit`].
    PeerHopLimit,
    /// The number of addresses differs.
    AddressCount,
    /// One of our addresses is missing.
    AddressMissing,
}

impl Topic {
    /// The bit that stands for it in data dumps.
    pub fn bit(self) -> u32 {
        match self {
            Topic::HopLimit => 0x1,
            Topic::Version => 0x2,
            Topic::Kind => 0x4,
            Topic::Length => 0x8,
            Topic::AddressCount => 0x20,
            Topic::AddressMissing => 0x40,
            Topic::AuthMismatch => 0x80,
            Topic::AuthType => 0x100,
            Topic::AhHeader => 0x200,
            Topic::TotalLength => 0x800,
            Topic::Password => 0x1000,
            Topic::Interval => 0x2000,
            Topic::Checksum => 0x4000,
            Topic::Cast => 0x8000,
            Topic::NotAPeer => 0x1_0000,
            Topic::PeerHopLimit => 0x2_0000,
            Topic::Owner => 0x4_0000,
            Topic::TrailerMissing => 0x8_0000,
            Topic::TrailerMalformed => 0x10_0000,
            Topic::TrailerKey => 0x20_0000,
            Topic::TrailerTag => 0x40_0000,
            Topic::TrailerStale => 0x80_0000,
            Topic::TrailerReplayed => 0x100_0000,
            Topic::ClockSkew => 0x200_0000,
        }
    }
}

impl Refused {
    /// What it is about; `None` where it is logged each time.
    pub fn topic(&self) -> Option<Topic> {
        let topic = match self {
            Refused::Ah(_) => return None,
            Refused::Trailer { why, .. } => trailer_topic(*why),
            Refused::UnexpectedAh | Refused::MissingAh => Topic::AhHeader,
            Refused::Length { .. } => Topic::Length,
            Refused::HopLimit(_) => Topic::HopLimit,
            Refused::Version { .. } => Topic::Version,
            Refused::AuthType(_) => Topic::AuthType,
            Refused::AuthMismatch { .. } => Topic::AuthMismatch,
            Refused::Password => Topic::Password,
            Refused::Interval { .. } => Topic::Interval,
            Refused::Kind(_) => Topic::Kind,
            Refused::TotalLength { .. } => Topic::TotalLength,
            Refused::Checksum(_) => Topic::Checksum,
            Refused::Cast { .. } => Topic::Cast,
            Refused::Owner => Topic::Owner,
            Refused::NotAPeer => Topic::NotAPeer,
            Refused::PeerHopLimit { .. } => Topic::PeerHopLimit,
        };
        Some(topic)
    }

    /// Whether it is not worth a word: what the authentication header protects is no advert.
    pub fn is_silent(&self) -> bool {
        matches!(self, Refused::Ah(ah::Refused::NextHeader(_)))
    }

    /// The log text about an advert from `source`.
    pub fn text(&self, source: IpAddr) -> impl fmt::Display {
        Text { refused: *self, source }
    }
}

struct Text {
    refused: Refused,
    source: IpAddr,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = self.source;
        match self.refused {
            Refused::UnexpectedAh => {
                write!(f, "Received AH header but auth type not AH from {from}")
            }
            Refused::MissingAh => write!(f, "No AH header but auth type is AH from {from}"),
            Refused::Ah(why) => write_ah(f, why),
            Refused::Trailer { why, skew, window } => write_trailer(f, why, from, skew, window),
            Refused::Length { got, expected } => {
                let how = if got > expected { "long" } else { "short" };
                write!(f, "vrrp packet from {from} too {how}, length {got} and expect {expected}")
            }
            Refused::HopLimit(got) => {
                write!(f, "invalid TTL/HL from {from}. Received {got} and expect 255")
            }
            Refused::Version { got, expected } => {
                let expected = expected.number();
                write!(f, "wrong VRRP version from {from}. Received {got} and expect {expected}")
            }
            Refused::AuthType(got) => write!(f, "Invalid auth type from {from}: {got}"),
            Refused::AuthMismatch { got, expected } => {
                write!(f, "received a {got} auth from {from}, expecting {expected}!")
            }
            Refused::Password => write!(f, "received an invalid passwd from {from}!"),
            Refused::Interval { got, expected } => write!(
                f,
                "advertisement interval mismatch with {from} mine={expected} sec rcv'd={got} sec"
            ),
            Refused::Kind(got) => {
                write!(f, "Invalid packet type from {from}. {got} and expect 1")
            }
            Refused::TotalLength { header, got } => write!(
                f,
                "ip_tot_len mismatch against received length from {from}. {header} and received {got}"
            ),
            Refused::Checksum(version) => {
                write!(f, "Invalid VRRPv{} checksum from {from}", version.number())
            }
            Refused::Cast { unicast } => {
                let (expected, got) = if unicast { ("un", "mult") } else { ("mult", "un") };
                write!(
                    f,
                    "Expected {expected}icast packet but received {got}icast packet from {from}"
                )
            }
            Refused::Owner => {
                write!(f, "Dropping packet(s) from {from} since we are address owner")
            }
            Refused::NotAPeer => write!(f, "unicast source address {from} not a unicast peer"),
            Refused::PeerHopLimit { got, min, max } => {
                write!(f, "TTL/HL {got} from {from} not in range [{min}, {max}]")
            }
        }
    }
}

fn trailer_topic(why: trailer::Refused) -> Topic {
    match why {
        trailer::Refused::Missing => Topic::TrailerMissing,
        trailer::Refused::Malformed => Topic::TrailerMalformed,
        trailer::Refused::UnknownKey(_) => Topic::TrailerKey,
        trailer::Refused::Tag => Topic::TrailerTag,
        trailer::Refused::Stale => Topic::TrailerStale,
        trailer::Refused::Replayed => Topic::TrailerReplayed,
    }
}

fn write_ah(f: &mut fmt::Formatter<'_>, why: ah::Refused) -> fmt::Result {
    match why {
        ah::Refused::Replayed { received, last } => write!(
            f,
            "IPSEC-AH : sequence number {received} already processed. Packet dropped. Local({last})"
        ),
        ah::Refused::Index(index) => {
            write!(f, "IPSEC AH : security parameter index {index} is not the source address")
        }
        ah::Refused::Integrity | ah::Refused::Short | ah::Refused::NextHeader(_) => f.write_str(
            "IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !",
        ),
    }
}

fn write_trailer(
    f: &mut fmt::Formatter<'_>,
    why: trailer::Refused,
    from: IpAddr,
    skew: u32,
    window: u32,
) -> fmt::Result {
    match why {
        trailer::Refused::Missing => write!(f, "missing authentication trailer from {from}"),
        trailer::Refused::Malformed => write!(f, "malformed authentication trailer from {from}"),
        trailer::Refused::UnknownKey(id) => {
            write!(f, "unknown authentication key id {id} from {from}")
        }
        trailer::Refused::Tag => write!(f, "invalid authentication HMAC from {from}"),
        trailer::Refused::Stale => write!(
            f,
            "stale authentication trailer from {from}, clock skew {skew} sec exceeds window {window} sec"
        ),
        trailer::Refused::Replayed => write!(f, "replayed authentication trailer from {from}"),
    }
}
