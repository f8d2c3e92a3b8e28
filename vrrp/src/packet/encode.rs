//! Adverts to send. A packet is built once for each destination; priority, identification and checksum are stamped
//! into it for each advert, so that sending allocates nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::checksum::Sum;
use super::{
    ADVERTISEMENT, AUTH_LEN, Auth, Family, HEADER_LEN, IPV4_LEN, PROTOCOL, Priority, Version, Vrid,
};

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
    /// Authentication; version 2 for IPv4 only.
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
    /// Where the VRRP message begins: after the IPv4 header; an IPv6 packet gets its header from the kernel.
    message_at: usize,
    /// Sum over all but the priority; `None` where the kernel sums (IPv6).
    sum: Option<Sum>,
}

impl Packet {
    /// Builds the advert of `form` from `source` to `destination`.
    pub fn new(form: &Form, source: IpAddr, destination: IpAddr) -> Self {
        let message = message(form, Family::of(source));
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else {
            return Self { bytes: message.into(), message_at: 0, sum: None };
        };
        let mut sum = Sum::default().add(&message);
        if form.version == Version::V3 && !form.checksum_as_v2 {
            let summed_destination = form.checksum_destination.unwrap_or(destination);
            sum = sum.add_pseudo_header(source, summed_destination, message.len());
        }
        let mut bytes = ipv4_header(form.ttl, source, destination, message.len()).to_vec();
        bytes.extend(message);
        Self { bytes: bytes.into(), message_at: IPV4_LEN, sum: Some(sum) }
    }

    /// Makes it the next advert. `identification` goes into the IPv4 header.
    pub fn stamp(&mut self, priority: Priority, identification: u16) {
        if self.message_at == IPV4_LEN {
            self.put(4, identification.to_be_bytes());
        }
        self.put(self.message_at + PRIORITY_AT, [priority.0]);
        if let Some(sum) = self.sum {
            let checksum = sum.add_word(u16::from_be_bytes([priority.0, 0])).finish();
            self.put(self.message_at + CHECKSUM_AT, checksum.to_be_bytes());
        }
    }

    /// What to hand to the socket: for IPv4 from the IP header on, for IPv6 the VRRP message.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn put<const N: usize>(&mut self, at: usize, octets: [u8; N]) {
        if let Some(place) = self.bytes.get_mut(at..at + N) {
            place.copy_from_slice(&octets);
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
        Version::V2 => message.extend([form.auth.number(), whole_seconds(form.interval)]),
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
            Auth::None => [0; AUTH_LEN],
            Auth::Password(password) => password,
        });
    }
    message
}

/// The header that the kernel completes with its checksum (`IP_HDRINCL`). Identification is stamped later.
fn ipv4_header(ttl: u8, source: Ipv4Addr, destination: Ipv4Addr, payload: usize) -> [u8; IPV4_LEN] {
    let [length_high, length_low] =
        u16::try_from(IPV4_LEN + payload).unwrap_or(u16::MAX).to_be_bytes();
    let [s0, s1, s2, s3] = source.octets();
    let [d0, d1, d2, d3] = destination.octets();
    #[rustfmt::skip]
    let header = [
        0x45, TOS, length_high, length_low,
        0, 0, 0, 0,
        ttl, PROTOCOL, 0, 0,
        s0, s1, s2, s3,
        d0, d1, d2, d3,
    ];
    header
}

fn whole_seconds(interval: Duration) -> u8 {
    u8::try_from(interval.as_secs()).unwrap_or(u8::MAX)
}

/// 12 bits of hundredths (RFC 9568 §5.2.7).
fn centiseconds(interval: Duration) -> u16 {
    u16::try_from(interval.as_millis() / 10).unwrap_or(u16::MAX).min(0x0fff)
}
