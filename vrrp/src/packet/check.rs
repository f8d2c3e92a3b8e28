//! The checks that a received advert has to pass, in the order of the original, which decides what is counted and
//! logged when several things are wrong.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checksum::Sum;
use super::seal::{Counters, scope};
use super::{
    ADVERTISEMENT, AUTH_LEN, Datagram, HEADER_LEN, OldChecksum, Priority, Refused, Topic, Version,
    Vrid, auth_number,
};
use crate::auth::trailer::{self, AntiReplay, Binding, Stamp};
use crate::auth::{ah, ah::Key};
use crate::config::auth::{Auth, Hmac, HmacMode};

/// An Ethernet frame carries at least this much; shorter ones are padded.
const MIN_PAYLOAD: usize = 46;
/// Only a multicast packet with this hop limit has not been forwarded (RFC 9568 §5.1.1.3).
const MAX_HOP_LIMIT: u8 = 255;

/// What an instance wants to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The virtual router.
    pub vrid: Vrid,
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

/// What the moment adds to the expectations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether the addresses are compared one by one; not where this sender's are known to be right.
    pub compare_addresses: bool,
    /// Whether nobody is listened to, since we own the addresses.
    pub ignore: bool,
    /// The time of day.
    pub clock: Stamp,
}

/// An accepted advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Priority of the sender; 0 when it is leaving.
    pub priority: Priority,
    /// Advertisement interval of the sender.
    pub interval: Duration,
    /// The number in its authentication header.
    pub ah_number: Option<u32>,
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
    /// The clocks are more than half a window apart.
    ClockSkew {
        /// Seconds between them.
        skew: u32,
        /// Seconds that are tolerated.
        window: u32,
    },
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
    /// About the clocks.
    pub clock: Option<Remark>,
    /// The sender uses the old checksum; so should we from now on.
    pub old_checksum_detected: bool,
}

impl Expect {
    /// Judges `datagram`, and notes in `counters` what must not be heard again.
    pub fn check(
        &self,
        datagram: &Datagram<'_>,
        policy: Policy,
        counters: &mut Counters,
    ) -> Verdict {
        let mut verdict = Verdict {
            outcome: Err(Refused::Owner),
            counts: false,
            interval: None,
            addresses: None,
            clock: None,
            old_checksum_detected: false,
        };
        verdict.outcome = self.judge(datagram, policy, counters, &mut verdict);
        verdict
    }

    fn judge(
        &self,
        datagram: &Datagram<'_>,
        policy: Policy,
        counters: &mut Counters,
        verdict: &mut Verdict,
    ) -> Result<Advert, Refused> {
        let &[version_kind, _, priority, count, auth_type, ..] = datagram.head;
        self.check_protocol(datagram)?;
        let trailer = self.check_length(datagram)?;
        match datagram.hop_limit {
            Some(got) if self.cast == Cast::Multicast && got != MAX_HOP_LIMIT => {
                return Err(Refused::HopLimit(got));
            }
            _ => {}
        }
        if version_kind >> 4 != self.version.number() {
            return Err(Refused::Version { got: version_kind >> 4, expected: self.version });
        }
        if let Auth::Hmac(hmac) = &self.auth {
            verdict.clock = self.check_trailer(hmac, trailer, datagram, policy.clock, counters)?;
        }
        let mut ah_number = None;
        if self.version == Version::V2 {
            ah_number = self.check_auth(datagram, auth_type, counters)?;
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
        let unicast = self.is_unicast();
        if datagram.destination.is_multicast() == unicast {
            return Err(Refused::Cast { unicast });
        }
        if policy.ignore {
            return Err(Refused::Owner);
        }
        verdict.counts = true;
        verdict.addresses = self.compare_addresses(datagram, count, policy.compare_addresses);
        self.check_source(datagram)?;
        Ok(Advert { priority: Priority(priority), interval, ah_number })
    }

    fn is_unicast(&self) -> bool {
        matches!(self.cast, Cast::Unicast { .. })
    }

    /// Whether there is an authentication header exactly where there should be one.
    fn check_protocol(&self, datagram: &Datagram<'_>) -> Result<(), Refused> {
        let Some(header) = datagram.ipv4 else { return Ok(()) };
        match (header.has_ah, matches!(self.auth, Auth::Ah(_))) {
            (true, false) => Err(Refused::UnexpectedAh),
            (false, true) => Err(Refused::MissingAh),
            (true, true) | (false, false) => Ok(()),
        }
    }

    /// Whether the packet is as long as its own address count says, or padded by Ethernet. A trailer, which padding
    /// cannot be taken for, comes out.
    fn check_length<'a>(
        &self,
        datagram: &Datagram<'a>,
    ) -> Result<Option<&'a [u8; trailer::LENGTH]>, Refused> {
        let (got, expected) = (datagram.received(), datagram.before() + datagram.claimed());
        if matches!(self.auth, Auth::Hmac(_)) && got == expected + trailer::LENGTH {
            return Ok(datagram.message.last_chunk());
        }
        if got == expected || (expected < MIN_PAYLOAD && is_padding(got, expected)) {
            return Ok(None);
        }
        Err(Refused::Length { got, expected })
    }

    /// Verifies the trailer, and says when the clocks drift apart.
    fn check_trailer(
        &self,
        hmac: &Hmac,
        trailer: Option<&[u8; trailer::LENGTH]>,
        datagram: &Datagram<'_>,
        clock: Stamp,
        counters: &mut Counters,
    ) -> Result<Option<Remark>, Refused> {
        let window = match hmac.anti_replay {
            AntiReplay::Time { window } => window,
            AntiReplay::Monotonic => 0,
        };
        let refused = |why, skew| Refused::Trailer { why, skew, window };
        let Some(trailer) = trailer else {
            let required = hmac.mode == HmacMode::Enforce;
            return if required { Err(refused(trailer::Refused::Missing, 0)) } else { Ok(None) };
        };
        let senders = match &self.cast {
            Cast::Multicast => None,
            Cast::Unicast { peers, .. } => {
                let known = peers.iter().any(|peer| peer.address == datagram.source);
                if !known {
                    return Err(Refused::NotAPeer);
                }
                Some(peers.len())
            }
        };
        let source = datagram.source;
        let binding = Binding { version: self.version.number(), vrid: self.vrid.0, source };
        let message = datagram.message.get(..datagram.claimed()).unwrap_or_default();
        let skew = skew_of(trailer, clock);
        let key = |id| hmac.keys.iter().find(|key| key.id == id).map(|key| &key.secret[..]);
        trailer::verify(trailer, key, binding, clock, hmac.anti_replay, message)
            .and_then(|stamp| {
                counters.heard.accept(source, stamp, clock, hmac.anti_replay, senders)
            })
            .map_err(|why| refused(why, skew))?;
        let drifting = window > 0 && skew > window / 2;
        Ok(drifting.then_some(Remark::ClockSkew { skew, window }))
    }

    /// Checks the authentication of version 2. The number of an authentication header comes out.
    fn check_auth(
        &self,
        datagram: &Datagram<'_>,
        auth_type: u8,
        counters: &mut Counters,
    ) -> Result<Option<u32>, Refused> {
        if auth_type > 2 {
            return Err(Refused::AuthType(auth_type));
        }
        let expected = auth_number(&self.auth);
        if auth_type != expected {
            return Err(Refused::AuthMismatch { got: auth_type, expected });
        }
        match &self.auth {
            Auth::None | Auth::Hmac(_) => Ok(None),
            Auth::Pass(password) => {
                let sent = datagram.message.get(..datagram.claimed());
                let sent = sent.and_then(<[u8]>::last_chunk);
                let right = sent.is_some_and(|sent: &[u8; AUTH_LEN]| equal(sent, password));
                if right { Ok(None) } else { Err(Refused::Password) }
            }
            Auth::Ah(key) => self.check_ah(key, datagram, counters).map(Some),
        }
    }

    fn check_ah(
        &self,
        key: &Key,
        datagram: &Datagram<'_>,
        counters: &mut Counters,
    ) -> Result<u32, Refused> {
        let end = datagram.before() + datagram.claimed();
        let packet = datagram.whole.get(..end).unwrap_or(datagram.whole);
        let (number, _) = ah::verify(key, scope(self.is_unicast()), packet).map_err(Refused::Ah)?;
        counters.ah.accept(number).map_err(Refused::Ah)?;
        Ok(number)
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
            Remark::ClockSkew { .. } => Topic::ClockSkew,
        }
    }

    /// The log text about an advert for `vrid` from `source`.
    pub fn text(&self, vrid: Vrid, source: IpAddr) -> impl fmt::Display {
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
            Remark::ClockSkew { skew, window } => format!(
                "authentication clock skew {skew} sec from {source} approaching window {window} sec"
            ),
        }
    }
}

/// How many seconds the clock of the sender is from ours.
fn skew_of(trailer: &[u8; trailer::LENGTH], clock: Stamp) -> u32 {
    let [_, _, _, _, s0, s1, s2, s3, ..] = *trailer;
    let theirs = u32::from_be_bytes([s0, s1, s2, s3]);
    let ahead = theirs.wrapping_sub(clock.seconds());
    ahead.min(ahead.wrapping_neg())
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
fn equal(a: &[u8; AUTH_LEN], b: &[u8; AUTH_LEN]) -> bool {
    a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
}
