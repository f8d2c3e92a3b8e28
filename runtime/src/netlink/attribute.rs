//! Attributes of a netlink message, read one after the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bits of the type that are not part of the number (`NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`).
const FLAGS: u16 = 0xc000;

/// What follows the header of a message, or the inside of a nested attribute.
///
/// Iteration ends at the first attribute whose length lies: what comes after it cannot be found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'a> {
    /// Its number, without flags.
    pub(super) kind: u16,
    /// Its value, without padding.
    pub(super) value: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (&[l0, l1, k0, k1], _) = self.0.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = self.0.get(4..length)?;
        // The last one may lack its padding.
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind: u16::from_ne_bytes([k0, k1]) & !FLAGS, value })
    }
}

impl<'a> Attribute<'a> {
    /// The attributes inside.
    pub(super) fn nested(self) -> Attributes<'a> {
        Attributes(self.value)
    }

    /// A single octet.
    pub(super) fn u8(self) -> Option<u8> {
        self.value.first().copied()
    }

    /// What comes after the first `count` octets of it.
    pub(super) fn after(self, count: usize) -> Self {
        Self { value: self.value.get(count..).unwrap_or_default(), ..self }
    }

    /// A short number in the machine's byte order.
    pub(super) fn u16(self) -> Option<u16> {
        self.value.first_chunk().map(|octets| u16::from_ne_bytes(*octets))
    }

    /// A number in the machine's byte order.
    pub(super) fn u32(self) -> Option<u32> {
        self.value.first_chunk().map(|octets| u32::from_ne_bytes(*octets))
    }

    /// Text, which the kernel ends with a zero octet.
    pub(super) fn text(self) -> String {
        let text = self.value.split(|&octet| octet == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// An address, its family known by its length.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self.value.len() {
            4 => self.value.first_chunk().map(|&octets: &[u8; 4]| Ipv4Addr::from(octets).into()),
            16 => self.value.first_chunk().map(|&octets: &[u8; 16]| Ipv6Addr::from(octets).into()),
            _ => None,
        }
    }
}
