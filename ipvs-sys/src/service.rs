//! Virtual services.

use std::net::{IpAddr, Ipv4Addr};

use crate::attribute::{Attributes, FAMILY_INET, FAMILY_INET6, Writer};

const AF: u16 = 1;
const PROTOCOL: u16 = 2;
const ADDR: u16 = 3;
const PORT: u16 = 4;
const FWMARK: u16 = 5;
const SCHED_NAME: u16 = 6;
const FLAGS: u16 = 7;
const TIMEOUT: u16 = 8;
const NETMASK: u16 = 9;
const PE_NAME: u16 = 11;

const FLAG_PERSISTENT: u32 = 0x1;
/// What the kernel keeps for itself.
const FLAG_HASHED: u32 = 0x2;

/// Transport protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Its name, in small letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }

    fn number(self) -> u16 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    fn from_number(number: u16) -> Option<Self> {
        match number {
            6 => Some(Self::Tcp),
            17 => Some(Self::Udp),
            132 => Some(Self::Sctp),
            _ => None,
        }
    }
}

/// What makes two services the same for the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Packets to an address and port.
    Address {
        /// Transport protocol.
        protocol: Protocol,
        /// The virtual address.
        address: IpAddr,
        /// The virtual port; 0 for all, which needs persistence.
        port: u16,
    },
    /// Packets that carry a firewall mark.
    Mark {
        /// The mark, not 0.
        mark: u32,
        /// Whether the service is for IPv6 packets.
        ipv6: bool,
    },
}

impl Key {
    fn family(self) -> u16 {
        match self {
            Self::Address { address: IpAddr::V4(_), .. } | Self::Mark { ipv6: false, .. } => {
                FAMILY_INET
            }
            Self::Address { address: IpAddr::V6(_), .. } | Self::Mark { ipv6: true, .. } => {
                FAMILY_INET6
            }
        }
    }
}

/// How long, and from which part of the network, clients return to the same server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persistence {
    /// Seconds.
    pub timeout: u32,
    /// Which clients count as one.
    pub granularity: Granularity,
}

/// Which clients count as one; for a service of IPv6 it must be a prefix, and for one of IPv4 a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// Those of IPv4 that are equal under this mask, which need not be contiguous.
    Mask(Ipv4Addr),
    /// Those of IPv6 whose first bits are equal: 1 to 128.
    Prefix(u8),
}

impl Granularity {
    /// Each client counts by itself.
    pub fn single(key: Key) -> Self {
        match key.family() {
            FAMILY_INET6 => Self::Prefix(128),
            _ => Self::Mask(Ipv4Addr::BROADCAST),
        }
    }
}

/// Flags of a service that schedulers look at, and one-packet scheduling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Each UDP packet is scheduled by itself.
    pub one_packet: bool,
    /// What the scheduler calls flag 1, 2 and 3 (`sh-fallback`, `sh-port`, `mh-fallback`, `mh-port`).
    pub scheduler: [bool; 3],
}

impl Flags {
    const ONE_PACKET: u32 = 0x4;
    const SCHEDULER: [u32; 3] = [0x8, 0x10, 0x20];

    fn bits(self) -> u32 {
        let one_packet = if self.one_packet { Self::ONE_PACKET } else { 0 };
        let scheduler =
            self.scheduler.iter().zip(Self::SCHEDULER).filter(|&(&set, _)| set).map(|(_, bit)| bit);
        scheduler.fold(one_packet, |bits, bit| bits | bit)
    }

    fn from_bits(bits: u32) -> Self {
        Self {
            one_packet: bits & Self::ONE_PACKET != 0,
            scheduler: Self::SCHEDULER.map(|bit| bits & bit != 0),
        }
    }
}

/// A virtual service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its identity.
    pub key: Key,
    /// Name of the scheduler, such as `wlc`.
    pub scheduler: String,
    /// Scheduler flags and one-packet scheduling.
    pub flags: Flags,
    /// Whether and how clients stick to a server.
    pub persistence: Option<Persistence>,
    /// Name of the persistence engine, such as `sip`.
    pub engine: Option<String>,
}

impl Service {
    pub(crate) fn write(&self, writer: &mut Writer) {
        write_key(self.key, writer);
        writer.text(SCHED_NAME, &self.scheduler);
        if let Some(engine) = &self.engine {
            writer.text(PE_NAME, engine);
        }
        let persistent = if self.persistence.is_some() { FLAG_PERSISTENT } else { 0 };
        write_flags(self.flags.bits() | persistent, writer);
        writer.u32(TIMEOUT, self.persistence.map_or(0, |persistence| persistence.timeout));
        let given = self.persistence.map(|persistence| persistence.granularity);
        match given.unwrap_or(Granularity::single(self.key)) {
            Granularity::Mask(mask) => writer.put(NETMASK, &mask.octets()),
            Granularity::Prefix(prefix) => writer.u32(NETMASK, u32::from(prefix)),
        }
    }

    pub(crate) fn read(attributes: Attributes<'_>) -> Option<Self> {
        let family = attributes.find(AF)?.u16()?;
        let key = read_key(family, attributes)?;
        let flags = attributes.find(FLAGS)?.u32()? & !FLAG_HASHED;
        let timeout = attributes.find(TIMEOUT)?.u32()?;
        let netmask = attributes.find(NETMASK)?.payload.first_chunk::<4>()?;
        let granularity = match family {
            FAMILY_INET6 => Granularity::Prefix(u8::try_from(u32::from_ne_bytes(*netmask)).ok()?),
            _ => Granularity::Mask(Ipv4Addr::from(*netmask)),
        };
        let persistence = Persistence { timeout, granularity };
        Some(Self {
            key,
            scheduler: attributes.find(SCHED_NAME)?.text()?,
            flags: Flags::from_bits(flags),
            persistence: (flags & FLAG_PERSISTENT != 0).then_some(persistence),
            engine: attributes
                .find(PE_NAME)
                .and_then(|attribute| attribute.text())
                .filter(|name| !name.is_empty()),
        })
    }
}

/// The part of a service that the kernel looks at when it is only meant to find it.
pub(crate) fn write_key(key: Key, writer: &mut Writer) {
    writer.u16(AF, key.family());
    match key {
        Key::Mark { mark, .. } => writer.u32(FWMARK, mark),
        Key::Address { protocol, address, port } => {
            writer.u16(PROTOCOL, protocol.number());
            writer.address(ADDR, address);
            writer.port(PORT, port);
        }
    }
}

fn read_key(family: u16, attributes: Attributes<'_>) -> Option<Key> {
    let mark =
        attributes.find(FWMARK).and_then(|attribute| attribute.u32()).filter(|&mark| mark != 0);
    if let Some(mark) = mark {
        return Some(Key::Mark { mark, ipv6: family == FAMILY_INET6 });
    }
    Some(Key::Address {
        protocol: Protocol::from_number(attributes.find(PROTOCOL)?.u16()?)?,
        address: attributes.find(ADDR)?.address(family)?,
        port: attributes.find(PORT)?.port()?,
    })
}

fn write_flags(flags: u32, writer: &mut Writer) {
    let [f0, f1, f2, f3] = flags.to_ne_bytes();
    writer.put(FLAGS, &[f0, f1, f2, f3, 0xff, 0xff, 0xff, 0xff]);
}
