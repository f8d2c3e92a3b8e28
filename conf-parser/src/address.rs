//! IP addresses and ports.

use std::net::IpAddr;

use crate::{Diagnostics, Limits, Word, parse_uint};

/// The address that `text` starts with: IPv6 where there is a colon anywhere, otherwise IPv4 in four parts. What follows the
/// first `-`, or without one the first `/`, is a range or a mask and is left out.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    let end = text.find('-').or_else(|| text.find('/')).unwrap_or(text.len());
    let address = text.get(..end)?;
    if text.contains(':') {
        address.parse().ok().map(IpAddr::V6)
    } else {
        address.parse().ok().map(IpAddr::V4)
    }
}

/// A port, 1 to 65535; anything else is reported and `None`.
pub fn parse_port(word: Word<'_>, diagnostics: &mut Diagnostics) -> Option<u16> {
    let limits = Limits { min: 1, max: u64::from(u16::MAX), strict: false };
    parse_uint(word, limits, diagnostics).and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    #[test]
    fn ranges_and_masks_are_left_out() {
        let parsed = |text| parse_address(text).map(|address| address.to_string());
        assert_eq!(parsed("10.0.0.1-20").as_deref(), Some("10.0.0.1"));
        assert_eq!(parsed("10.0.0.1/24").as_deref(), Some("10.0.0.1"));
        assert_eq!(parsed("2001:db8::1/64").as_deref(), Some("2001:db8::1"));
        assert_eq!(parsed("2001:db8::1-ff").as_deref(), Some("2001:db8::1"));
        for bad in ["", "10.0.0", "10.0.0.256", "10.0.0.01", "host", "fe80::1%eth0"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn ports_are_never_0() {
        let port =
            |text| parse_port(Word { text, place: Place::default() }, &mut Diagnostics::default());
        assert_eq!([port("1"), port("65535")], [Some(1), Some(65535)]);
        assert_eq!([port("0"), port("65536"), port("http")], [None; 3]);
    }
}
