//! The pieces of a PDU as they are read (RFC 2741 §5). Every length is doubted.

use super::oid::Oid;
use super::pdu::{BadPdu, SearchRange, Value, VarBind};

/// What precedes the numbers of an object identifier that is sent in its short form.
const INTERNET: [u32; 4] = [1, 3, 6, 1];

/// What is left of a payload.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// Whether numbers begin with their most significant octet.
    big_endian: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8], big_endian: bool) -> Self {
        Self { rest, big_endian }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BadPdu> {
        let (&head, rest) = self.rest.split_first_chunk().ok_or(BadPdu::Short)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn octet(&mut self) -> Result<u8, BadPdu> {
        self.take::<1>().map(|[octet]| octet)
    }

    /// Octets that mean nothing.
    pub(super) fn reserved<const N: usize>(&mut self) -> Result<(), BadPdu> {
        self.take::<N>().map(drop)
    }

    pub(super) fn half(&mut self) -> Result<u16, BadPdu> {
        let octets = self.take()?;
        Ok(if self.big_endian { u16::from_be_bytes(octets) } else { u16::from_le_bytes(octets) })
    }

    pub(super) fn word(&mut self) -> Result<u32, BadPdu> {
        let octets = self.take()?;
        Ok(if self.big_endian { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) })
    }

    fn long(&mut self) -> Result<u64, BadPdu> {
        let octets = self.take()?;
        Ok(if self.big_endian { u64::from_be_bytes(octets) } else { u64::from_le_bytes(octets) })
    }

    pub(super) fn octets(&mut self) -> Result<Vec<u8>, BadPdu> {
        let length = usize::try_from(self.word()?).map_err(|_| BadPdu::Short)?;
        let octets = self.rest.get(..length).ok_or(BadPdu::Short)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).ok_or(BadPdu::Short)?;
        Ok(octets.to_vec())
    }

    /// An object identifier, and whether it is included in the range that it begins.
    pub(super) fn oid(&mut self) -> Result<(Oid, bool), BadPdu> {
        let [count, prefix, include, _] = self.take()?;
        let mut numbers = Vec::with_capacity(usize::from(count).min(Oid::MAX) + INTERNET.len() + 1);
        if prefix != 0 {
            numbers.extend(INTERNET);
            numbers.push(u32::from(prefix));
        }
        for _ in 0..count {
            numbers.push(self.word()?);
        }
        if numbers.len() > Oid::MAX {
            return Err(BadPdu::LongName);
        }
        Ok((Oid(numbers), include != 0))
    }

    pub(super) fn range(&mut self) -> Result<SearchRange, BadPdu> {
        let (start, inclusive) = self.oid()?;
        let (end, _) = self.oid()?;
        Ok(SearchRange { start, inclusive, end })
    }

    pub(super) fn ranges(&mut self) -> Result<Vec<SearchRange>, BadPdu> {
        let mut ranges = Vec::new();
        while !self.is_empty() {
            ranges.push(self.range()?);
        }
        Ok(ranges)
    }

    fn var_bind(&mut self) -> Result<VarBind, BadPdu> {
        let kind = self.half()?;
        self.reserved::<2>()?;
        let (name, _) = self.oid()?;
        let value = match kind {
            // The wire has the sign in the highest bit.
            2 => Value::Integer(i32::from_be_bytes(self.word()?.to_be_bytes())),
            4 => Value::Octets(self.octets()?),
            5 => Value::Null,
            6 => Value::Oid(self.oid()?.0),
            64 => {
                let octets = self.octets()?;
                Value::IpAddress(octets.try_into().map_err(|_| BadPdu::Address)?)
            }
            65 => Value::Counter32(self.word()?),
            66 => Value::Gauge(self.word()?),
            67 => Value::TimeTicks(self.word()?),
            68 => Value::Opaque(self.octets()?),
            70 => Value::Counter64(self.long()?),
            128 => Value::NoSuchObject,
            129 => Value::NoSuchInstance,
            130 => Value::EndOfMibView,
            other => return Err(BadPdu::Type(other)),
        };
        Ok(VarBind { name, value })
    }

    pub(super) fn var_binds(&mut self) -> Result<Vec<VarBind>, BadPdu> {
        let mut binds = Vec::new();
        while !self.is_empty() {
            binds.push(self.var_bind()?);
        }
        Ok(binds)
    }
}
