//! Real servers of a service.

use std::net::IpAddr;

use crate::Statistics;
use crate::attribute::{Attributes, FAMILY_INET, FAMILY_INET6, Writer};

const ADDR: u16 = 1;
const PORT: u16 = 2;
const FWD_METHOD: u16 = 3;
const WEIGHT: u16 = 4;
const U_THRESH: u16 = 5;
const L_THRESH: u16 = 6;
const ACTIVE_CONNS: u16 = 7;
const INACT_CONNS: u16 = 8;
const PERSIST_CONNS: u16 = 9;
const STATS: u16 = 10;
const ADDR_FAMILY: u16 = 11;
const STATS64: u16 = 12;
const TUN_TYPE: u16 = 13;
const TUN_PORT: u16 = 14;
const TUN_FLAGS: u16 = 15;

/// The bits of the forwarding method that are one; the others are the kernel's.
const METHOD_MASK: u32 = 0x7;

/// How packets reach the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// Addresses are rewritten.
    Masquerade,
    /// In a tunnel.
    Tunnel(Tunnel),
    /// To the server's link-layer address.
    Route,
}

/// A tunnel to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Encapsulation.
    pub kind: TunnelKind,
    /// Checksums of the outer header; none for IP in IP.
    pub checksum: TunnelChecksum,
}

/// Encapsulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelKind {
    /// IP in IP.
    Ipip,
    /// Generic UDP encapsulation to a port.
    Gue(u16),
    /// GRE.
    Gre,
}

/// Checksum of an outer header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TunnelChecksum {
    /// None.
    #[default]
    None,
    /// Full.
    Full,
    /// Left to the receiver.
    Remote,
}

/// A real server of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its address; the family may differ from the service's for tunnels.
    pub address: IpAddr,
    /// Its port; for other methods than masquerading the service's.
    pub port: u16,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Its share; 0 takes no new connections.
    pub weight: u32,
    /// How many connections are too many; 0: any number.
    pub upper_threshold: u32,
    /// How many connections are few enough again.
    pub lower_threshold: u32,
}

impl Destination {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u16(ADDR_FAMILY, if self.address.is_ipv6() { FAMILY_INET6 } else { FAMILY_INET });
        writer.address(ADDR, self.address);
        writer.port(PORT, self.port);
        let method = match self.forwarding {
            Forwarding::Masquerade => 0,
            Forwarding::Tunnel(_) => 2,
            Forwarding::Route => 3,
        };
        writer.u32(FWD_METHOD, method);
        writer.u32(WEIGHT, self.weight);
        if let Forwarding::Tunnel(tunnel) = self.forwarding {
            tunnel.write(writer);
        }
        writer.u32(U_THRESH, self.upper_threshold);
        writer.u32(L_THRESH, self.lower_threshold);
    }

    /// Reads a server of a service of `family`, with its counters.
    pub(crate) fn read(family: u16, attributes: Attributes<'_>) -> Option<(Self, Statistics)> {
        let family =
            attributes.find(ADDR_FAMILY).and_then(|attribute| attribute.u16()).unwrap_or(family);
        let destination = Self {
            address: attributes.find(ADDR)?.address(family)?,
            port: attributes.find(PORT)?.port()?,
            forwarding: match attributes.find(FWD_METHOD)?.u32()? & METHOD_MASK {
                0 => Forwarding::Masquerade,
                2 => Forwarding::Tunnel(Tunnel::read(attributes)?),
                3 => Forwarding::Route,
                _ => return None,
            },
            weight: attributes.find(WEIGHT)?.u32()?,
            upper_threshold: attributes.find(U_THRESH)?.u32()?,
            lower_threshold: attributes.find(L_THRESH)?.u32()?,
        };
        let count = |kind| attributes.find(kind).and_then(|found| found.u32()).unwrap_or(0);
        let statistics = Statistics {
            active: count(ACTIVE_CONNS),
            inactive: count(INACT_CONNS),
            persistent: count(PERSIST_CONNS),
            ..Statistics::read(attributes.find(STATS64), attributes.find(STATS))
        };
        Some((destination, statistics))
    }
}

impl Tunnel {
    fn write(self, writer: &mut Writer) {
        let flags = match self.checksum {
            TunnelChecksum::None => 0,
            TunnelChecksum::Full => 1,
            TunnelChecksum::Remote => 2,
        };
        match self.kind {
            TunnelKind::Ipip => writer.u8(TUN_TYPE, 0),
            TunnelKind::Gue(port) => {
                writer.u8(TUN_TYPE, 1);
                writer.port(TUN_PORT, port);
                writer.u16(TUN_FLAGS, flags);
            }
            TunnelKind::Gre => {
                writer.u8(TUN_TYPE, 2);
                writer.u16(TUN_FLAGS, flags);
            }
        }
    }

    /// Kernels before 5.2 know only IP in IP and say nothing.
    fn read(attributes: Attributes<'_>) -> Option<Self> {
        let kind = attributes
            .find(TUN_TYPE)
            .and_then(|attribute| attribute.payload.first().copied())
            .unwrap_or(0);
        let flags = attributes.find(TUN_FLAGS).and_then(|attribute| attribute.u16()).unwrap_or(0);
        Some(Self {
            kind: match kind {
                0 => TunnelKind::Ipip,
                1 => TunnelKind::Gue(attributes.find(TUN_PORT)?.port()?),
                2 => TunnelKind::Gre,
                _ => return None,
            },
            checksum: match flags {
                1 => TunnelChecksum::Full,
                2 => TunnelChecksum::Remote,
                _ => TunnelChecksum::None,
            },
        })
    }
}
