//! The Internet checksum (RFC 1071), kept as an unfolded sum so that parts can be added in any order.

use std::net::Ipv4Addr;

use super::PROTOCOL;

/// Sum of 16-bit words, not yet folded. An advert is at most 64 kB, so that 32 bits cannot overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum(u32);

impl Sum {
    /// Adds `data`; an odd last octet is padded with zero.
    pub(super) fn add(mut self, data: &[u8]) -> Self {
        let mut words = data.chunks_exact(2);
        for word in &mut words {
            self.0 += u32::from(u16::from_be_bytes([word[0], word[1]]));
        }
        if let [last] = words.remainder() {
            self.0 += u32::from(*last) << 8;
        }
        self
    }

    /// Adds one word.
    pub(super) fn add_word(mut self, word: u16) -> Self {
        self.0 += u32::from(word);
        self
    }

    /// Adds the IPv4 pseudo-header for a VRRP message of `length` octets (RFC 9568 §5.2.8).
    pub(super) fn add_pseudo_header(
        self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        length: usize,
    ) -> Self {
        self.add(&source.octets())
            .add(&destination.octets())
            .add_word(u16::from(PROTOCOL))
            .add_word(u16::try_from(length).unwrap_or(u16::MAX))
    }

    /// The checksum: what makes the whole sum come out as all ones.
    pub(super) fn finish(self) -> u16 {
        let once = (self.0 & 0xffff) + (self.0 >> 16);
        let twice = (once & 0xffff) + (once >> 16);
        !u16::try_from(twice).unwrap_or(u16::MAX)
    }

    /// Whether a sum that includes its checksum comes out right.
    pub(super) fn is_right(self) -> bool {
        self.finish() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_of_rfc_1071() {
        let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().add(&data).finish(), !0xddf2);
        assert!(Sum::default().add(&data).add_word(!0xddf2).is_right());
    }

    #[test]
    fn odd_octet_is_the_high_half_of_a_word() {
        assert_eq!(Sum::default().add(&[0x12, 0x34, 0x56]), Sum(0x1234 + 0x5600));
    }
}
