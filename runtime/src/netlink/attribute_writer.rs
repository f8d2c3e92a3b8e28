//! Attributes of a netlink message, written one after the other.

use std::net::IpAddr;

/// Of an attribute.
const HEADER_LEN: usize = 4;

/// What follows the header of a message, or the inside of a nested attribute.
#[derive(Debug, Default)]
pub(super) struct AttributeWriter {
    octets: Vec<u8>,
}

impl AttributeWriter {
    /// Starts with what precedes the attributes.
    pub(super) fn after(header: &[u8]) -> Self {
        Self { octets: header.to_vec() }
    }

    pub(super) fn put(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(HEADER_LEN + value.len()).expect("no value here is that long");
        self.octets.extend(length.to_ne_bytes());
        self.octets.extend(kind.to_ne_bytes());
        self.octets.extend(value);
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
    }

    pub(super) fn put_u8(&mut self, kind: u16, value: u8) {
        self.put(kind, &[value]);
    }

    pub(super) fn put_u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// A number in the order of the network.
    pub(super) fn put_be32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    pub(super) fn put_address(&mut self, kind: u16, value: IpAddr) {
        match value {
            IpAddr::V4(address) => self.put(kind, &address.octets()),
            IpAddr::V6(address) => self.put(kind, &address.octets()),
        }
    }

    /// Text with a zero octet at its end.
    pub(super) fn put_text(&mut self, kind: u16, text: &str) {
        self.put(kind, &[text.as_bytes(), &[0]].concat());
    }

    /// Attributes inside of one.
    pub(super) fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let mut writer = Self::default();
        inside(&mut writer);
        self.put(kind, &writer.octets);
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }
}
