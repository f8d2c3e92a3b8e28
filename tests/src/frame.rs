//! What a router says on the wire, read from an Ethernet frame. Written from the RFCs and not with the project's own
//! codecs, which it judges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// An Ethernet frame and what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The whole frame, from the destination address on, without check sequence.
    pub bytes: Vec<u8>,
    /// What it says, if it is of interest here.
    pub content: Content,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A VRRP advertisement (RFC 9568 §5.1, RFC 3768 §5.1).
    Advert(Advert),
    /// An ARP request or reply.
    Arp(Announcement),
    /// A neighbour advertisement (RFC 4861 §4.4).
    NeighbourAdvert(Announcement),
    /// Anything else.
    Other,
}

/// A VRRP advertisement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Who sent it.
    pub source: IpAddr,
    /// To whom: the group, or a unicast peer.
    pub destination: IpAddr,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// 2 or 3.
    pub version: u8,
    /// The virtual router.
    pub vrid: u8,
    /// 0 where the sender leaves.
    pub priority: u8,
    /// The interval that it announces.
    pub interval: Duration,
    /// The addresses that it announces.
    pub addresses: Vec<IpAddr>,
    /// From the VRRP header to the end of the packet.
    pub payload: Vec<u8>,
}

/// Who claims which address to be where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The address claimed.
    pub address: IpAddr,
    /// The link-layer address of its holder.
    pub holder: [u8; 6],
    /// Whether nobody was asked: sender and target are the same address (ARP), or all nodes are told (NA).
    pub gratuitous: bool,
}

impl Frame {
    /// Reads a frame. Whatever is not understood is [`Content::Other`].
    pub fn new(bytes: Vec<u8>) -> Self {
        let content = content(&bytes).unwrap_or(Content::Other);
        Self { bytes, content }
    }

    /// The link-layer address that it came from.
    pub fn sender(&self) -> [u8; 6] {
        self.bytes[6..12].try_into().expect("it is six octets long")
    }

    /// Reads a frame that is written in hexadecimal, with blanks anywhere.
    ///
    /// # Panics
    ///
    /// If it is not.
    pub fn from_hex(text: &str) -> Self {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let digit =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = |pair: &[u8]| match pair {
            &[high, low] => Some(digit(high)? * 16 + digit(low)?),
            _ => None,
        };
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        Self::new(bytes.unwrap_or_else(|| panic!("not hexadecimal: {text}")))
    }

    /// The advertisement, if it is one.
    pub fn advert(&self) -> Option<&Advert> {
        match &self.content {
            Content::Advert(advert) => Some(advert),
            _ => None,
        }
    }

    /// The frame in hexadecimal.
    pub fn hex(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn content(bytes: &[u8]) -> Option<Content> {
    let (header, packet) = bytes.split_first_chunk::<14>()?;
    match u16::from_be_bytes([header[12], header[13]]) {
        0x0800 => ipv4(packet),
        0x86dd => ipv6(packet),
        0x0806 => arp(packet),
        _ => None,
    }
}

fn ipv4(packet: &[u8]) -> Option<Content> {
    let header = packet.first_chunk::<20>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let payload = packet.get(usize::from(header[0] & 0x0f) * 4..length)?;
    let source = IpAddr::from(<[u8; 4]>::try_from(&header[12..16]).ok()?);
    let destination = IpAddr::from(<[u8; 4]>::try_from(&header[16..20]).ok()?);
    match (header[9], payload.split_first_chunk::<24>()) {
        (112, _) => advert(source, destination, header[8], payload),
        // The authentication header has the protocol of what follows it in its first byte (RFC 2402 §2).
        (51, Some((&[112, ..], rest))) => advert(source, destination, header[8], rest),
        _ => None,
    }
}

fn ipv6(packet: &[u8]) -> Option<Content> {
    let header = packet.first_chunk::<40>()?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let payload = packet.get(40..40 + length)?;
    let source = IpAddr::from(<[u8; 16]>::try_from(&header[8..24]).ok()?);
    let destination = IpAddr::from(<[u8; 16]>::try_from(&header[24..40]).ok()?);
    match header[6] {
        112 => advert(source, destination, header[7], payload),
        58 => neighbour_advert(destination, payload),
        _ => None,
    }
}

fn advert(source: IpAddr, destination: IpAddr, ttl: u8, payload: &[u8]) -> Option<Content> {
    let &[kind, vrid, priority, count, high, low, _, _] = payload.first_chunk::<8>()?;
    let version = kind >> 4;
    let interval = match version {
        2 => Duration::from_secs(low.into()),
        _ => Duration::from_millis(10) * u32::from(u16::from_be_bytes([high & 0x0f, low])),
    };
    let (list, size) = (payload.get(8..)?, if source.is_ipv4() { 4 } else { 16 });
    let addresses = list.chunks_exact(size).take(count.into()).filter_map(address).collect();
    let payload = payload.to_vec();
    let read =
        Advert { source, destination, ttl, version, vrid, priority, interval, addresses, payload };
    Some(Content::Advert(read))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(short) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(short).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|long| Ipv6Addr::from(long).into())
}

fn arp(packet: &[u8]) -> Option<Content> {
    let packet = packet.first_chunk::<28>()?;
    let (holder, sender) = (packet[8..14].try_into().ok()?, address(&packet[14..18])?);
    let gratuitous = packet[14..18] == packet[24..28];
    Some(Content::Arp(Announcement { address: sender, holder, gratuitous }))
}

/// `136 0 checksum flags target`, then option 2 with the link-layer address.
fn neighbour_advert(destination: IpAddr, payload: &[u8]) -> Option<Content> {
    let packet = payload.first_chunk::<32>()?;
    if packet[0] != 136 || packet[24..26] != [2, 1] {
        return None;
    }
    let (target, holder) = (address(&packet[8..24])?, packet[26..32].try_into().ok()?);
    let gratuitous = destination.is_multicast();
    Some(Content::NeighbourAdvert(Announcement { address: target, holder, gratuitous }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adverts_of_both_versions_are_read() {
        let v2 = Frame::from_hex(
            "01005e000012020000000001080045c0002c00010000ff70d0840a090001e0000012
             2133fe0201018ed30a0900640a0900657333637265740000",
        );
        let advert = v2.advert().unwrap();
        assert_eq!((advert.version, advert.vrid, advert.priority, advert.ttl), (2, 51, 254, 255));
        assert_eq!(advert.interval, Duration::from_secs(1));
        assert_eq!(
            advert.addresses,
            ["10.9.0.100", "10.9.0.101"].map(|text| text.parse::<IpAddr>().unwrap())
        );

        let v3 = Frame::from_hex(
            "33330000001202000000000186dd6c07a2ad002870ff
             fe80000000000000000000fffe000001ff020000000000000000000000000012
             3133fe020019d5f6fe800000000000000000000000000100fd000009000000000000000000000100",
        );
        let advert = v3.advert().unwrap();
        assert_eq!((advert.version, advert.interval), (3, Duration::from_millis(250)));
        assert_eq!(
            advert.addresses,
            ["fe80::100", "fd00:9::100"].map(|text| text.parse::<IpAddr>().unwrap())
        );
    }

    #[test]
    fn adverts_behind_an_authentication_header_are_read() {
        let frame = Frame::from_hex(
            "01005e000012020000000001080045c0004400010000ff33d0a90a090001e0000012
             700400000a090001000000016bc726de2077e7ddf640a7e0
             2133fe020201c9ed0a0900640a0900650000000000000000",
        );
        let advert = frame.advert().unwrap();
        assert_eq!((advert.version, advert.vrid, advert.priority), (2, 51, 254));
        assert_eq!(advert.addresses.len(), 2);
    }

    #[test]
    fn announcements_are_read() {
        let arp = Frame::from_hex(
            "ffffffffffff0200000000010806 0001080006040001 0200000000010a090064 ffffffffffff0a090064",
        );
        let claim = |address: &str| Announcement {
            address: address.parse().unwrap(),
            holder: [2, 0, 0, 0, 0, 1],
            gratuitous: true,
        };
        assert_eq!(arp.content, Content::Arp(claim("10.9.0.100")));
        let na = Frame::from_hex(
            "33330000000102000000000186dd6000000000203aff
             fe800000000000000000000000000100ff020000000000000000000000000001
             8800559d20000000fe8000000000000000000000000001000201020000000001",
        );
        assert_eq!(na.content, Content::NeighbourAdvert(claim("fe80::100")));
    }

    #[test]
    fn no_truncation_makes_a_reader_fall() {
        let whole = Frame::from_hex(
            "01005e000012020000000001080045c0002400010000ff70d08c0a090001e0000012 3133fe020019d1380a0900640a090065",
        );
        for length in 0..whole.bytes.len() {
            assert_eq!(Frame::new(whole.bytes[..length].to_vec()).content, Content::Other);
        }
    }
}
