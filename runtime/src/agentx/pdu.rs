//! The protocol data units of AgentX (RFC 2741 §6): a total, pure codec.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use super::oid::Oid;
use super::reader::Reader;
use super::writer;

/// Octets of a header.
pub const HEADER: usize = 20;
/// The longest payload that is read. A master agent that announces more is not understood.
pub const LONGEST: usize = 64 * 1024;

const VERSION: u8 = 1;
const NON_DEFAULT_CONTEXT: u8 = 1 << 3;
const NETWORK_BYTE_ORDER: u8 = 1 << 4;

/// The value of an object (RFC 2741 §5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A signed number.
    Integer(i32),
    /// Octets: texts too.
    Octets(Vec<u8>),
    /// Nothing.
    Null,
    /// A name.
    Oid(Oid),
    /// An IPv4 address.
    IpAddress([u8; 4]),
    /// A number that grows, modulo 2³².
    Counter32(u32),
    /// An unsigned number.
    Gauge(u32),
    /// Centiseconds.
    TimeTicks(u32),
    /// Octets that nobody reads.
    Opaque(Vec<u8>),
    /// A number that grows.
    Counter64(u64),
    /// There is no such object.
    NoSuchObject,
    /// There is no such row.
    NoSuchInstance,
    /// There is nothing further on.
    EndOfMibView,
}

impl Value {
    /// A text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Octets(text.as_ref().as_bytes().to_vec())
    }

    /// `TruthValue` (RFC 2579), and every other pair of 1 for what holds and 2 for what does not.
    pub fn truth(holds: bool) -> Self {
        Self::Integer(if holds { 1 } else { 2 })
    }

    /// A number without sign; what is larger than the type is shown as its largest.
    pub fn gauge(number: impl TryInto<u32>) -> Self {
        Self::Gauge(number.try_into().unwrap_or(u32::MAX))
    }

    /// A number with sign; what is larger than the type is shown as its largest.
    pub fn integer(number: impl TryInto<i32>) -> Self {
        Self::Integer(number.try_into().unwrap_or(i32::MAX))
    }

    /// The octets of an address (`InetAddress`, RFC 4001).
    pub fn address(address: IpAddr) -> Self {
        Self::Octets(match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        })
    }

    /// The kind of an address (`InetAddressType`, RFC 4001).
    pub fn address_type(address: IpAddr) -> Self {
        Self::Integer(if address.is_ipv4() { 1 } else { 2 })
    }

    /// An IPv4 address as a type of its own.
    pub fn ip_address(address: Ipv4Addr) -> Self {
        Self::IpAddress(address.octets())
    }
}

/// An object and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VarBind {
    /// Its name.
    pub name: Oid,
    /// Its value.
    pub value: Value,
}

/// Which objects to look among (RFC 2741 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchRange {
    /// Where to begin.
    pub start: Oid,
    /// Whether the beginning is part of it.
    pub inclusive: bool,
    /// The first name that is too far; empty where nothing is.
    pub end: Oid,
}

/// What a PDU is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The session.
    pub session: u32,
    /// The request of a manager that this belongs to.
    pub transaction: u32,
    /// The request that this is, or answers.
    pub packet: u32,
}

/// A PDU without its header. Contexts are read, but not kept: there is one only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu {
    /// A subagent begins.
    Open {
        /// Seconds that the master agent is to wait for its answers; 0 leaves it to the master agent.
        timeout: u8,
        /// What it is.
        id: Oid,
        /// What it is, in words.
        description: Vec<u8>,
    },
    /// A session ends.
    Close {
        /// Why (RFC 2741 §6.2.2).
        reason: u8,
    },
    /// A subagent has objects.
    Register {
        /// Seconds as in [`Pdu::Open`].
        timeout: u8,
        /// The lowest number wins among equals.
        priority: u8,
        /// The names of all of them begin like this.
        subtree: Oid,
    },
    /// It has them no longer.
    Unregister {
        /// As it was registered.
        priority: u8,
        /// As it was registered.
        subtree: Oid,
    },
    /// What are these objects?
    Get(Vec<SearchRange>),
    /// What comes after these?
    GetNext(Vec<SearchRange>),
    /// What comes after these, and then?
    GetBulk {
        /// So many of the ranges are asked for one object.
        non_repeaters: u16,
        /// So many objects are wanted of each of the others.
        max_repetitions: u16,
        /// Where to look.
        ranges: Vec<SearchRange>,
    },
    /// Would these objects take these values?
    TestSet(Vec<VarBind>),
    /// Then take them.
    CommitSet,
    /// As they were before.
    UndoSet,
    /// It is done.
    CleanupSet,
    /// Something has happened.
    Notify(Vec<VarBind>),
    /// Is anybody there?
    Ping,
    /// What a subagent implements, for `sysORTable`.
    AddAgentCaps {
        /// Its name.
        id: Oid,
        /// What it is, in words.
        description: Vec<u8>,
    },
    /// An answer.
    Response {
        /// Since when the master agent runs, in centiseconds.
        uptime: u32,
        /// What went wrong; 0 for nothing.
        error: u16,
        /// With which object, from 1.
        index: u16,
        /// The objects.
        binds: Vec<VarBind>,
    },
}

/// Why octets are no PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPdu {
    /// A version other than 1.
    Version(u8),
    /// A kind of PDU that is not sent to subagents, or unknown.
    Kind(u8),
    /// A payload longer than [`LONGEST`], or of an odd length.
    Length(u32),
    /// Something ends too early.
    Short,
    /// Something is left.
    Trailing,
    /// An object identifier of too many numbers.
    LongName,
    /// A type of value that does not exist.
    Type(u16),
    /// An IPv4 address that is not four octets long.
    Address,
}

impl fmt::Display for BadPdu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "AgentX version {version}"),
            Self::Kind(kind) => write!(f, "unknown PDU {kind}"),
            Self::Length(length) => write!(f, "payload of {length} octets"),
            Self::Short => f.write_str("PDU too short"),
            Self::Trailing => f.write_str("PDU too long"),
            Self::LongName => f.write_str("object identifier too long"),
            Self::Type(kind) => write!(f, "unknown type of value {kind}"),
            Self::Address => f.write_str("IPv4 address of a wrong length"),
        }
    }
}

impl std::error::Error for BadPdu {}

/// The first PDU of `data` and the octets that it takes. `None`: it has not arrived whole.
pub fn decode(data: &[u8]) -> Result<Option<(Header, Pdu, usize)>, BadPdu> {
    let Some((head, rest)) = data.split_first_chunk::<HEADER>() else { return Ok(None) };
    let (&[version, kind, flags, _], numbers) =
        head.split_first_chunk::<4>().ok_or(BadPdu::Short)?;
    if version != VERSION {
        return Err(BadPdu::Version(version));
    }
    let big_endian = flags & NETWORK_BYTE_ORDER != 0;
    let mut head = Reader::new(numbers, big_endian);
    let header = Header { session: head.word()?, transaction: head.word()?, packet: head.word()? };
    let announced = head.word()?;
    let length = usize::try_from(announced).unwrap_or(usize::MAX);
    if length > LONGEST || length % 4 != 0 {
        return Err(BadPdu::Length(announced));
    }
    let Some(payload) = rest.get(..length) else { return Ok(None) };
    let mut reader = Reader::new(payload, big_endian);
    let has_context = flags & NON_DEFAULT_CONTEXT != 0;
    let pdu = payload_of(kind, has_context, &mut reader)?;
    if !reader.is_empty() {
        return Err(BadPdu::Trailing);
    }
    Ok(Some((header, pdu, HEADER + length)))
}

fn payload_of(kind: u8, has_context: bool, reader: &mut Reader<'_>) -> Result<Pdu, BadPdu> {
    if has_context && !matches!(kind, 1 | 2 | 9..=11 | 18) {
        reader.octets()?;
    }
    Ok(match kind {
        1 => {
            let timeout = reader.octet()?;
            reader.reserved::<3>()?;
            Pdu::Open { timeout, id: reader.oid()?.0, description: reader.octets()? }
        }
        2 => {
            let reason = reader.octet()?;
            reader.reserved::<3>()?;
            Pdu::Close { reason }
        }
        3 => {
            let (timeout, priority) = (reader.octet()?, reader.octet()?);
            // Ranges of subtrees are ours to send, and we do not.
            reader.reserved::<2>()?;
            Pdu::Register { timeout, priority, subtree: reader.oid()?.0 }
        }
        4 => {
            reader.reserved::<1>()?;
            let priority = reader.octet()?;
            reader.reserved::<2>()?;
            Pdu::Unregister { priority, subtree: reader.oid()?.0 }
        }
        5 => Pdu::Get(reader.ranges()?),
        6 => Pdu::GetNext(reader.ranges()?),
        7 => Pdu::GetBulk {
            non_repeaters: reader.half()?,
            max_repetitions: reader.half()?,
            ranges: reader.ranges()?,
        },
        8 => Pdu::TestSet(reader.var_binds()?),
        9 => Pdu::CommitSet,
        10 => Pdu::UndoSet,
        11 => Pdu::CleanupSet,
        12 => Pdu::Notify(reader.var_binds()?),
        13 => Pdu::Ping,
        16 => Pdu::AddAgentCaps { id: reader.oid()?.0, description: reader.octets()? },
        18 => Pdu::Response {
            uptime: reader.word()?,
            error: reader.half()?,
            index: reader.half()?,
            binds: reader.var_binds()?,
        },
        other => return Err(BadPdu::Kind(other)),
    })
}

/// Appends a PDU to `out`.
pub fn encode(header: Header, pdu: &Pdu, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([VERSION, kind(pdu), NETWORK_BYTE_ORDER, 0]);
    for number in [header.session, header.transaction, header.packet, 0] {
        out.extend(number.to_be_bytes());
    }
    write_payload(pdu, out);
    let length = u32::try_from(out.len() - start - HEADER).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(start + HEADER - 4..start + HEADER) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

fn kind(pdu: &Pdu) -> u8 {
    match pdu {
        Pdu::Open { .. } => 1,
        Pdu::Close { .. } => 2,
        Pdu::Register { .. } => 3,
        Pdu::Unregister { .. } => 4,
        Pdu::Get(_) => 5,
        Pdu::GetNext(_) => 6,
        Pdu::GetBulk { .. } => 7,
        Pdu::TestSet(_) => 8,
        Pdu::CommitSet => 9,
        Pdu::UndoSet => 10,
        Pdu::CleanupSet => 11,
        Pdu::Notify(_) => 12,
        Pdu::Ping => 13,
        Pdu::AddAgentCaps { .. } => 16,
        Pdu::Response { .. } => 18,
    }
}

fn write_payload(pdu: &Pdu, out: &mut Vec<u8>) {
    match pdu {
        Pdu::Open { timeout, id, description } => {
            out.extend([*timeout, 0, 0, 0]);
            writer::oid(id, false, out);
            writer::octets(description, out);
        }
        Pdu::Close { reason } => out.extend([*reason, 0, 0, 0]),
        Pdu::Register { timeout, priority, subtree } => {
            out.extend([*timeout, *priority, 0, 0]);
            writer::oid(subtree, false, out);
        }
        Pdu::Unregister { priority, subtree } => {
            out.extend([0, *priority, 0, 0]);
            writer::oid(subtree, false, out);
        }
        Pdu::Get(ranges) | Pdu::GetNext(ranges) => {
            ranges.iter().for_each(|range| writer::range(range, out));
        }
        Pdu::GetBulk { non_repeaters, max_repetitions, ranges } => {
            out.extend(non_repeaters.to_be_bytes());
            out.extend(max_repetitions.to_be_bytes());
            ranges.iter().for_each(|range| writer::range(range, out));
        }
        Pdu::TestSet(binds) | Pdu::Notify(binds) => {
            binds.iter().for_each(|bind| writer::var_bind(bind, out));
        }
        Pdu::CommitSet | Pdu::UndoSet | Pdu::CleanupSet | Pdu::Ping => {}
        Pdu::AddAgentCaps { id, description } => {
            writer::oid(id, false, out);
            writer::octets(description, out);
        }
        Pdu::Response { uptime, error, index, binds } => {
            out.extend(uptime.to_be_bytes());
            out.extend(error.to_be_bytes());
            out.extend(index.to_be_bytes());
            binds.iter().for_each(|bind| writer::var_bind(bind, out));
        }
    }
}
