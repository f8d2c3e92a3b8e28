//! A received datagram, split into its headers. Nothing is judged here but whether the headers are all there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Family, HEADER_LEN, IPV4_LEN, Vrid};
use crate::auth::ah;

/// IP protocol number of the authentication header.
pub(super) const AH: u8 = 51;

/// A received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub source: IpAddr,
    /// Whom it was sent to.
    pub destination: IpAddr,
    /// Time to live or hop limit; `None` where the kernel did not say.
    pub hop_limit: Option<u8>,
    /// The IPv4 header; IPv6 sockets do not show theirs.
    pub(super) ipv4: Option<Ipv4Header>,
    /// The fixed part of the VRRP message.
    pub(super) head: &'a [u8; HEADER_LEN],
    /// The VRRP message with whatever follows it.
    pub(super) message: &'a [u8],
    /// All that the socket delivered.
    pub(super) whole: &'a [u8],
}

/// What the checks need of an IPv4 header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ipv4Header {
    /// Octets before the VRRP message: the header, its options, and the authentication header if there is one.
    pub(super) before: usize,
    /// Length that the header claims.
    pub(super) total_length: usize,
    /// Whether an authentication header lies between.
    pub(super) has_ah: bool,
}

/// A datagram that does not hold the headers that it needs. Such a one is logged, but belongs to no instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooShort {
    family: Family,
    with_ah: bool,
    got: usize,
}

impl fmt::Display for TooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match (self.family, self.with_ah) {
            (Family::V4, false) => "IPv4 VRRP packet",
            (Family::V4, true) => "IPv4 VRRP packet with AH",
            (Family::V6, _) => "IPv6 VRRP packet",
        };
        write!(f, "{what} too short - {} bytes", self.got)
    }
}

impl<'a> Datagram<'a> {
    /// Splits what a raw IPv4 socket delivered: the datagram from its IP header on.
    pub fn from_ipv4(data: &'a [u8]) -> Result<Self, TooShort> {
        let short = |with_ah| TooShort { family: Family::V4, with_ah, got: data.len() };
        let (ip, _) = data.split_first_chunk::<IPV4_LEN>().ok_or(short(false))?;
        let header_len = usize::from(ip[0] & 0x0f) * 4;
        let has_ah = ip[9] == AH;
        if header_len < IPV4_LEN {
            return Err(short(false));
        }
        let before = if has_ah { header_len + ah::HEADER_LENGTH } else { header_len };
        let message = data.get(before..).ok_or(short(has_ah))?;
        let head = message.first_chunk().ok_or(short(has_ah))?;
        Ok(Self {
            source: Ipv4Addr::new(ip[12], ip[13], ip[14], ip[15]).into(),
            destination: Ipv4Addr::new(ip[16], ip[17], ip[18], ip[19]).into(),
            hop_limit: Some(ip[8]),
            ipv4: Some(Ipv4Header {
                before,
                total_length: usize::from(u16::from_be_bytes([ip[2], ip[3]])),
                has_ah,
            }),
            head,
            message,
            whole: data,
        })
    }

    /// Splits what a raw IPv6 socket delivered: the VRRP message, with addresses and hop limit from beside it.
    pub fn from_ipv6(
        data: &'a [u8],
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop_limit: Option<u8>,
    ) -> Result<Self, TooShort> {
        let short = TooShort { family: Family::V6, with_ah: false, got: data.len() };
        Ok(Self {
            source: source.into(),
            destination: destination.into(),
            hop_limit,
            ipv4: None,
            head: data.first_chunk().ok_or(short)?,
            message: data,
            whole: data,
        })
    }

    /// Which virtual router it is about.
    pub fn vrid(&self) -> Vrid {
        Vrid(self.head[1])
    }

    /// Address family.
    pub fn family(&self) -> Family {
        Family::of(self.source)
    }

    /// Octets before the VRRP message.
    pub(super) fn before(&self) -> usize {
        self.ipv4.map_or(0, |header| header.before)
    }

    /// Octets received in all, as the socket counts them.
    pub(super) fn received(&self) -> usize {
        self.whole.len()
    }

    /// Octets that the VRRP message should have by its own version and address count.
    pub(super) fn claimed(&self) -> usize {
        let version_2 = self.head[0] >> 4 == super::Version::V2.number();
        let auth = if version_2 && self.ipv4.is_some() { super::AUTH_LEN } else { 0 };
        HEADER_LEN + usize::from(self.head[3]) * self.family().address_len() + auth
    }
}
