//! The checks that a received advert has to pass, in the order of the original, which decides what is counted and
//! logged when several things are wrong.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checksum::Sum;
use super::{
    ADVERTISEMENT, AUTH_LEN, Auth, Datagram, HEADER_LEN, OldChecksum, Priority, Refused, Topic,
    Version,
};

/// An Ethernet frame carries at least this much; shorter ones are padded.
const MIN_PAYLOAD: usize = 46;
/// Only a multicast packet with this hop limit has not been forwarded (RFC 9568 §5.1.1.3).
const MAX_HOP_LIMIT: u8 = 255;

/// What an instance wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// Protocol version.
    pub version: Version,
    /// Own advertisement interval.
    pub interval: Duration,
    /// Authentication.
    pub auth: Auth,
    /// Own virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// Who may send, and to whom.
    pub cast: Cast,
    /// Any checksum of version 3 for IPv4 is accepted.
    pub checksum_as_v2: bool,
    /// The checksum of version 3 for unicast IPv4.
    pub old_checksum: OldChecksum,
    /// The group that stands in the old pseudo-header.
    pub group: Ipv4Addr,
}

/// Who may send, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cast {
    /// Anybody on the link, to the group.
    Multicast,
    /// To our address.
    Unicast {
        /// Whom we send to.
        peers: Vec<Peer>,
        /// Whether nobody else is listened to.
        check_source: bool,
    },
}

/// A router that we send adverts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// Smallest time to live or hop limit accepted from it.
    pub min_ttl: u8,
    /// Greatest time to live or hop limit accepted from it.
    pub max_ttl: u8,
}

/// An accepted advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Priority of the sender; 0 when it is leaving.
    pub priority: Priority,
    /// Advertisement interval of the sender.
    pub interval: Duration,
}

/// Something odd about an advert that is accepted all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Version 3 routers should agree on the interval (RFC 9568 §7.1).
    Interval {
        /// Ours.
        ours: Duration,
        /// Theirs.
        theirs: Duration,
    },
    /// Another number of addresses than we have.
    AddressCount {
        /// Ours.
        ours: usize,
        /// Theirs.
        theirs: u8,
    },
    /// An address of ours is not among theirs.
    AddressMissing(IpAddr),
}

/// What the checks found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The advert, or why it is refused.
    pub outcome: Result<Advert, Refused>,
    /// Whether it is a well-formed advert that counts as received, even when refused by policy.
    pub counts: bool,
    /// About the interval.
    pub interval: Option<Remark>,
    /// About the addresses.
    pub addresses: Option<Remark>,
    /// The sender uses the old checksum; so should we from now on.
    pub old_checksum_detected: bool,
}

impl Expect {
    /// Judges `datagram`. `compare_addresses` is false where the addresses of this sender are known to be right;
    /// `ignore` is true for an address owner that listens to nobody.
    pub fn check(&self, datagram: &Datagram<'_>, compare_addresses: bool, ignore: bool) -> Verdict {
        let mut verdict = Verdict {
            outcome: Err(Refused::Owner),
            counts: false,
            interval: None,
            addresses: None,
            old_checksum_detected: false,
        };
        verdict.outcome = self.judge(datagram, compare_addresses, ignore, &mut verdict);
        verdict
    }

    fn judge(
        &self,
        datagram: &Datagram<'_>,
        compare_addresses: bool,
        ignore: bool,
        verdict: &mut Verdict,
    ) -> Result<Advert, Refused> {
        let &[version_kind, _, priority, count, auth_type, ..] = datagram.head;
        check_lengths(datagram)?;
        match datagram.hop_limit {
            Some(got) if self.cast == Cast::Multicast && got != MAX_HOP_LIMIT => {
                return Err(Refused::HopLimit(got));
            }
            _ => {}
        }
        if version_kind >> 4 != self.version.number() {
            return Err(Refused::Version { got: version_kind >> 4, expected: self.version });
        }
        if self.version == Version::V2 {
            self.check_auth(datagram, auth_type)?;
        }
        let interval = self.check_interval(datagram)?;
        if version_kind & 0x0f != ADVERTISEMENT {
            return Err(Refused::Kind(version_kind & 0x0f));
        }
        check_total_length(datagram)?;
        if self.version == Version::V3 && interval != self.interval {
            verdict.interval = Some(Remark::Interval { ours: self.interval, theirs: interval });
        }
        self.check_checksum(datagram, verdict)?;
        let unicast = matches!(self.cast, Cast::Unicast { .. });
        if datagram.destination.is_multicast() == unicast {
            return Err(Refused::Cast { unicast });
        }
        if ignore {
            return Err(Refused::Owner);
        }
        verdict.counts = true;
        verdict.addresses = self.compare_addresses(datagram, count, compare_addresses);
        self.check_source(datagram)?;
        Ok(Advert { priority: Priority(priority), interval })
    }

    fn check_auth(&self, datagram: &Datagram<'_>, auth_type: u8) -> Result<(), Refused> {
        if auth_type > 2 {
            return Err(Refused::AuthType(auth_type));
        }
        let expected = self.auth.number();
        if auth_type != expected {
            return Err(Refused::AuthMismatch { got: auth_type, expected });
        }
        let Auth::Password(password) = self.auth else { return Ok(()) };
        let sent = datagram.message.get(..datagram.claimed()).and_then(<[u8]>::last_chunk);
        let right =
            sent.is_some_and(|sent: &[u8; AUTH_LEN]| equal_in_constant_time(sent, &password));
        if right { Ok(()) } else { Err(Refused::Password) }
    }

    /// Reads the interval; version 2 insists on its own.
    fn check_interval(&self, datagram: &Datagram<'_>) -> Result<Duration, Refused> {
        let &[_, _, _, _, high, low, ..] = datagram.head;
        match self.version {
            Version::V2 => {
                let got = Duration::from_secs(u64::from(low));
                let expected = self.interval.as_secs();
                if got == self.interval {
                    Ok(got)
                } else {
                    Err(Refused::Interval { got: low, expected })
                }
            }
            Version::V3 => {
                let centiseconds = u16::from_be_bytes([high, low]) & 0x0fff;
                Ok(Duration::from_millis(u64::from(centiseconds) * 10))
            }
        }
    }

    /// Only for IPv4: the kernel drops IPv6 packets with a wrong sum.
    fn check_checksum(
        &self,
        datagram: &Datagram<'_>,
        verdict: &mut Verdict,
    ) -> Result<(), Refused> {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (datagram.source, datagram.destination)
        else {
            return Ok(());
        };
        let message = datagram.message.get(..datagram.claimed()).unwrap_or(datagram.message);
        let sum = Sum::default().add(message);
        if self.version == Version::V2 {
            return if sum.is_right() { Ok(()) } else { Err(Refused::Checksum(Version::V2)) };
        }
        let with =
            |destination| sum.add_pseudo_header(source, destination, message.len()).is_right();
        let expected = if self.old_checksum.in_use() { self.group } else { destination };
        if self.checksum_as_v2 || with(expected) {
            return Ok(());
        }
        let may_detect = self.old_checksum == OldChecksum::Detect && self.cast != Cast::Multicast;
        if may_detect && destination != self.group && with(self.group) {
            verdict.old_checksum_detected = true;
            return Ok(());
        }
        Err(Refused::Checksum(Version::V3))
    }

    /// All our addresses are different, so that equal counts and each of ours found means equal sets.
    fn compare_addresses(
        &self,
        datagram: &Datagram<'_>,
        theirs: u8,
        each_one: bool,
    ) -> Option<Remark> {
        let ours = self.addresses.len();
        if usize::from(theirs) != ours {
            return Some(Remark::AddressCount { ours, theirs });
        }
        if !each_one {
            return None;
        }
        let listed = datagram.message.get(HEADER_LEN..).unwrap_or_default();
        let missing =
            self.addresses.iter().find(|&&address| !lists(listed, usize::from(theirs), address));
        missing.copied().map(Remark::AddressMissing)
    }

    fn check_source(&self, datagram: &Datagram<'_>) -> Result<(), Refused> {
        let Cast::Unicast { peers, check_source: true } = &self.cast else { return Ok(()) };
        let peer = peers.iter().find(|peer| peer.address == datagram.source);
        let peer = peer.ok_or(Refused::NotAPeer)?;
        match datagram.hop_limit {
            Some(got) if !(peer.min_ttl..=peer.max_ttl).contains(&got) => {
                Err(Refused::PeerHopLimit { got, min: peer.min_ttl, max: peer.max_ttl })
            }
            _ => Ok(()),
        }
    }
}

impl Remark {
    /// What it is about.
    pub fn topic(&self) -> Topic {
        match self {
            Remark::Interval { .. } => Topic::Interval,
            Remark::AddressCount { .. } => Topic::AddressCount,
            Remark::AddressMissing(_) => Topic::AddressMissing,
        }
    }

    /// The log text about an advert for `vrid` from `source`.
    pub fn text(&self, vrid: super::Vrid, source: IpAddr) -> impl fmt::Display {
        match self {
            Remark::Interval { ours, theirs } => format!(
                "advertisement interval mismatch ours = {} centi-sec rcv'd={} centi-sec",
                ours.as_millis() / 10,
                theirs.as_millis() / 10
            ),
            Remark::AddressCount { ours, theirs } => {
                format!("expected {ours} VIPs but received {theirs}")
            }
            Remark::AddressMissing(address) => format!(
                "ip address associated with VRID {} not present in advert from {source}: {address}",
                vrid.0
            ),
        }
    }
}

/// Whether the packet is as long as its own address count says, or padded by Ethernet.
fn check_lengths(datagram: &Datagram<'_>) -> Result<(), Refused> {
    if datagram.ipv4.is_some_and(|header| header.has_ah) {
        return Err(Refused::UnexpectedAh);
    }
    let (got, expected) = (datagram.received(), datagram.before() + datagram.claimed());
    if got == expected || (expected < MIN_PAYLOAD && is_padding(got, expected)) {
        return Ok(());
    }
    Err(Refused::Length { got, expected })
}

fn check_total_length(datagram: &Datagram<'_>) -> Result<(), Refused> {
    let Some(header) = datagram.ipv4 else { return Ok(()) };
    let (got, header) = (datagram.received(), header.total_length);
    if got == header || (got <= MIN_PAYLOAD && is_padding(got, header)) {
        return Ok(());
    }
    Err(Refused::TotalLength { header, got })
}

/// Whether the surplus can be what fills a frame of 60 octets. VLAN tags, four octets each, are gone by now.
fn is_padding(got: usize, expected: usize) -> bool {
    got > expected && (got - expected) % 4 == (4 - MIN_PAYLOAD % 4) % 4
}

fn lists(list: &[u8], count: usize, address: IpAddr) -> bool {
    let found =
        |octets: &[u8]| list.chunks_exact(octets.len()).take(count).any(|one| one == octets);
    match address {
        IpAddr::V4(address) => found(&address.octets()),
        IpAddr::V6(address) => found(&address.octets()),
    }
}

/// Compares without telling by its duration how much was right.
fn equal_in_constant_time(a: &[u8; AUTH_LEN], b: &[u8; AUTH_LEN]) -> bool {
    a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}
