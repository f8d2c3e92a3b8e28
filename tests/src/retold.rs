//! Adverts that somebody has heard, and says again with a change.

use std::net::Ipv4Addr;

use crate::{Advert, Namespace, flood};

/// The group of all routers.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// The advert as an IPv4 packet of its own to the group, with everything after the header as `change` leaves it.
///
/// # Panics
///
/// If that makes it longer than a packet can be.
pub fn retell(advert: &Advert, source: Ipv4Addr, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut payload = advert.payload.clone();
    change(&mut payload);
    let length = u16::try_from(20 + payload.len()).expect("adverts are short");
    let mut packet = vec![0x45, 0xc0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0, 0, 255, 112, 0, 0]);
    packet.extend(source.octets());
    packet.extend(GROUP.octets());
    packet.extend(payload);
    packet
}

/// Makes the checksum of an advert from `source` right again (RFC 9568 §5.2.8, RFC 3768 §5.3.8).
///
/// # Panics
///
/// If there is less than an advert.
pub fn repair(payload: &mut [u8], source: Ipv4Addr) {
    payload[6..8].fill(0);
    let (end, pseudo) = match payload[0] >> 4 {
        2 => (payload.len(), Vec::new()),
        _ => {
            let end = 8 + 4 * usize::from(payload[3]);
            let size = [0, 112, 0, u8::try_from(end).expect("addresses are few")];
            (end, [source.octets(), GROUP.octets(), size].concat())
        }
    };
    let words = pseudo.chunks(2).chain(payload[..end].chunks(2));
    let sum =
        words.fold(0_u32, |sum, pair| sum + u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = u16::try_from((folded & 0xffff) + (folded >> 16)).expect("it is folded");
    payload[6..8].copy_from_slice(&(!folded).to_be_bytes());
}

/// Sends a whole IPv4 packet to the group once, by `eth0` of `namespace`.
pub fn send_once(namespace: &Namespace, packet: &[u8]) {
    flood::send(&flood::open(namespace, "eth0"), GROUP, packet);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;

    /// Adverts of the C daemon 2.4.3 of both versions, the second with a password.
    #[test]
    fn a_repaired_checksum_is_right() {
        for text in [
            "01005e000012020000000001080045c0002400010000ff70d08c0a090001e0000012
             3133fe020019d1380a0900640a090065",
            "01005e000012020000000001080045c0002c00010000ff70d0840a090001e0000012
             2133fe0201018ed30a0900640a0900657333637265740000",
        ] {
            let frame = Frame::from_hex(text);
            let advert = frame.advert().expect("it is one").clone();
            let mut again = advert.payload.clone();
            again[6..8].fill(7);
            repair(&mut again, Ipv4Addr::new(10, 9, 0, 1));
            assert_eq!(again, advert.payload);
            let told = retell(&advert, Ipv4Addr::new(10, 9, 0, 1), |_| {});
            assert_eq!(told[20..], frame.bytes[34..]);
        }
    }
}
