//! Netlink attributes: writing them into a message, and reading them from one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Marks an attribute whose payload is attributes.
const NESTED: u16 = 0x8000;
const HEADER: usize = 4;

/// Appends attributes to a message.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn put(&mut self, kind: u16, payload: &[u8]) {
        let length = u16::try_from(HEADER + payload.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(payload);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    pub(crate) fn u8(&mut self, kind: u16, value: u8) {
        self.put(kind, &[value]);
    }

    pub(crate) fn u16(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_ne_bytes());
    }

    pub(crate) fn u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// A port, in network order.
    pub(crate) fn port(&mut self, kind: u16, value: u16) {
        self.put(kind, &value.to_be_bytes());
    }

    /// A text with its NUL.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        self.put(kind, &[value.as_bytes(), &[0]].concat());
    }

    /// An address of either family, in the sixteen bytes that the kernel wants for both.
    pub(crate) fn address(&mut self, kind: u16, address: IpAddr) {
        let mut bytes = [0; 16];
        match address {
            IpAddr::V4(address) => {
                let (front, _) = bytes.split_at_mut(4);
                front.copy_from_slice(&address.octets());
            }
            IpAddr::V6(address) => bytes = address.octets(),
        }
        self.put(kind, &bytes);
    }

    pub(crate) fn nested(&mut self, kind: u16, inner: Writer) {
        self.put(kind | NESTED, &inner.bytes);
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// An attribute of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) kind: u16,
    pub(crate) payload: &'a [u8],
}

impl<'a> Attribute<'a> {
    pub(crate) fn u16(self) -> Option<u16> {
        self.payload.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
    }

    pub(crate) fn port(self) -> Option<u16> {
        self.payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(crate) fn u32(self) -> Option<u32> {
        self.payload.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
    }

    pub(crate) fn u64(self) -> Option<u64> {
        self.payload.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes))
    }

    pub(crate) fn text(self) -> Option<String> {
        let end = self.payload.iter().position(|&byte| byte == 0).unwrap_or(self.payload.len());
        self.payload.get(..end).map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// The address, read as `family` (2 or 10).
    pub(crate) fn address(self, family: u16) -> Option<IpAddr> {
        if family == FAMILY_INET6 {
            self.payload.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into())
        } else {
            self.payload.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into())
        }
    }

    pub(crate) fn attributes(self) -> Attributes<'a> {
        Attributes(self.payload)
    }
}

pub(crate) const FAMILY_INET: u16 = 2;
pub(crate) const FAMILY_INET6: u16 = 10;

/// The attributes of a payload, as far as their lengths are true.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    pub(crate) fn find(mut self, kind: u16) -> Option<Attribute<'a>> {
        Iterator::find(&mut self, |attribute| attribute.kind == kind)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&[l0, l1, k0, k1], _) = self.0.split_first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let payload = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind: u16::from_ne_bytes([k0, k1]) & !NESTED, payload })
    }
}
