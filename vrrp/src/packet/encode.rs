//! Adverts to send. A packet is built once for each destination; priority, identification and checksum are stamped
//! into it for each advert, so that sending allocates nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Duration;

use super::checksum::Sum;
use super::datagram::AH;
use super::{
    ADVERTISEMENT, AUTH_LEN, Family, HEADER_LEN, IPV4_LEN, PROTOCOL, Priority, Version, Vrid,
    auth_number,
};
use crate::auth::{ah, trailer};
use crate::config::auth::{Auth, HmacMode};

/// Type of service of adverts: CS6, network control.
const TOS: u8 = 0xc0;
/// Offset of the checksum in the VRRP message.
const CHECKSUM_AT: usize = 6;
/// Offset of the priority in the VRRP message.
const PRIORITY_AT: usize = 2;

/// What all adverts of an instance have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Protocol version.
    pub version: Version,
    /// The virtual router.
    pub vrid: Vrid,
    /// Advertisement interval: whole seconds in version 2, hundredths in version 3.
    pub interval: Duration,
    /// Virtual addresses in the order of the configuration, at most 255, all of the instance's family.
    pub addresses: Vec<IpAddr>,
    /// Authentication.
    pub auth: Auth,
    /// Time to live of IPv4 packets; the socket knows the hop limit of IPv6.
    pub ttl: u8,
    /// Whether the checksum of version 3 for IPv4 goes without the pseudo-header, as in version 2.
    pub checksum_as_v2: bool,
    /// Stands in for the destination in the pseudo-header of version 3 for IPv4.
    pub checksum_destination: Option<Ipv4Addr>,
}

/// An advert to one destination, ready but for what [`Packet::stamp`] sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    bytes: Box<[u8]>,
    /// Where the VRRP message is: after the IPv4 and authentication headers; an IPv6 packet gets its header from the
    /// kernel.
    message: Range<usize>,
    /// Sum over all but the priority; `None` where the kernel sums (IPv6).
    sum: Option<Sum>,
}

impl Packet {
    /// Builds the advert of `form` from `source` to `destination`.
    pub fn new(form: &Form, source: IpAddr, destination: IpAddr) -> Self {
        let message = message(form, Family::of(source));
        let sealed_len = message.len() + if signs(&form.auth) { trailer::LENGTH } else { 0 };
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
            let range = 0..message.len();
            let mut bytes = message;
            bytes.resize(sealed_len, 0);
            return Self { bytes: bytes.into(), message: range, sum: None };
        };
        let mut sum = Sum::default().add(&message);
        if form.version == Version::V3 && !form.checksum_as_v2 {
            let summed_destination = form.checksum_destination.unwrap_or(destination);
            sum = sum.add_pseudo_header(source, summed_destination, message.len());
        }
        let (protocol, ah_len) = match form.auth {
            Auth::Ah(_) => (AH, ah::HEADER_LENGTH),
            _ => (PROTOCOL, 0),
        };
        let total = IPV4_LEN + ah_len + sealed_len;
        let mut bytes = ipv4_header(form.ttl, protocol, source, destination, total).to_vec();
        bytes.resize(IPV4_LEN + ah_len, 0);
        let range = bytes.len()..bytes.len() + message.len();
        bytes.extend(message);
        bytes.resize(total, 0);
        Self { bytes: bytes.into(), message: range, sum: Some(sum) }
    }

    /// Makes it the next advert. `identification` goes into the IPv4 header.
    pub fn stamp(&mut self, priority: Priority, identification: u16) {
        let at = self.message.start;
        if at >= IPV4_LEN {
            self.put(4, &identification.to_be_bytes());
        }
        self.put(at + PRIORITY_AT, &[priority.0]);
        if let Some(sum) = self.sum {
            let checksum = sum.add_word(u16::from_be_bytes([priority.0, 0])).finish();
            self.put(at + CHECKSUM_AT, &checksum.to_be_bytes());
        }
    }

    /// The VRRP message.
    pub(super) fn message(&self) -> &[u8] {
        self.bytes.get(self.message.clone()).unwrap_or_default()
    }

    /// The IPv4 header.
    pub(super) fn ipv4_header(&self) -> Option<&[u8; IPV4_LEN]> {
        self.bytes.first_chunk().filter(|_| self.message.start >= IPV4_LEN)
    }

    /// Puts the authentication header in its place.
    pub(super) fn put_ah(&mut self, header: &[u8; ah::HEADER_LENGTH]) {
        self.put(IPV4_LEN, header);
    }

    /// Puts the trailer in its place.
    pub(super) fn put_trailer(&mut self, trailer: &[u8; trailer::LENGTH]) {
        self.put(self.message.end, trailer);
    }

    /// What to hand to the socket: for IPv4 from the IP header on, for IPv6 the VRRP message.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn put<const N: usize>(&mut self, at: usize, octets: &[u8; N]) {
        if let Some(place) = self.bytes.get_mut(at..at + N) {
            place.copy_from_slice(octets);
        }
    }
}

/// The VRRP message with priority and checksum zero.
fn message(form: &Form, family: Family) -> Vec<u8> {
    let mut message =
        Vec::with_capacity(HEADER_LEN + form.addresses.len() * family.address_len() + AUTH_LEN);
    let count = u8::try_from(form.addresses.len()).unwrap_or(u8::MAX);
    message.extend([form.version.number() << 4 | ADVERTISEMENT, form.vrid.0, 0, count]);
    match form.version {
        Version::V2 => message.extend([auth_number(&form.auth), whole_seconds(form.interval)]),
        Version::V3 => message.extend(centiseconds(form.interval).to_be_bytes()),
    }
    message.extend([0, 0]);
    for address in form.addresses.iter().take(usize::from(count)) {
        match address {
            IpAddr::V4(address) => message.extend(address.octets()),
            IpAddr::V6(address) => message.extend(address.octets()),
        }
    }
    if form.version == Version::V2 && family == Family::V4 {
        message.extend(match form.auth {
            Auth::Pass(password) => password,
            Auth::None | Auth::Ah(_) | Auth::Hmac(_) => [0; AUTH_LEN],
        });
    }
    message
}

/// The header that the kernel completes with its checksum (`IP_HDRINCL`). Identification is stamped later.
fn ipv4_header(
    ttl: u8,
    protocol: u8,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    total: usize,
) -> [u8; IPV4_LEN] {
    let [length_high, length_low] = u16::try_from(total).unwrap_or(u16::MAX).to_be_bytes();
    let [s0, s1, s2, s3] = source.octets();
    let [d0, d1, d2, d3] = destination.octets();
    #[rustfmt::skip]
    let header = [
        0x45, TOS, length_high, length_low,
        0, 0, 0, 0,
        ttl, protocol, 0, 0,
        s0, s1, s2, s3,
        d0, d1, d2, d3,
    ];
    header
}

/// Whether adverts carry the keyed trailer.
fn signs(auth: &Auth) -> bool {
    matches!(auth, Auth::Hmac(hmac) if hmac.mode != HmacMode::ReceiveOnly)
}

fn whole_seconds(interval: Duration) -> u8 {
    u8::try_from(interval.as_secs()).unwrap_or(u8::MAX)
}

/// 12 bits of hundredths (RFC 9568 §5.2.7).
fn centiseconds(interval: Duration) -> u16 {
    u16::try_from(interval.as_millis() / 10).unwrap_or(u16::MAX).min(0x0fff)
}
