//! Control packets of BFD as they are on the wire (RFC 5880 §4.1), over one hop or several.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How a control packet was sent, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Who sent it.
    pub source: IpAddr,
    /// Whom it was sent to.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub class: u8,
    /// Where it came from.
    pub source_port: u16,
    /// 3784 or 4784.
    pub port: u16,
    /// Why the sender's session last fell.
    pub diagnostic: u8,
    /// 0 AdminDown, 1 Down, 2 Init, 3 Up.
    pub state: u8,
    /// P, F, C, A, D and M, from 0x20 down.
    pub flags: u8,
    /// How many missed packets make a failure.
    pub multiplier: u8,
    /// The sender's number.
    pub mine: u32,
    /// The receiver's number.
    pub yours: u32,
    /// In microseconds.
    pub min_tx: u32,
    /// In microseconds.
    pub min_rx: u32,
    /// In microseconds.
    pub min_echo_rx: u32,
    /// What follows the header.
    pub authentication: Vec<u8>,
}

impl Control {
    /// Reads a frame; `None` where it is anything else.
    pub fn read(frame: &[u8]) -> Option<Self> {
        let (ethernet, packet) = frame.split_first_chunk::<14>()?;
        let (source, destination, ttl, class, udp): (IpAddr, IpAddr, _, _, _) = match ethernet
            .last_chunk::<2>()?
        {
            [0x08, 0x00] => {
                let (ip, udp) = packet.split_first_chunk::<20>()?;
                let address =
                    |at: usize| Some(Ipv4Addr::from(*ip.get(at..)?.first_chunk::<4>()?).into());
                let udp = (ip[0] == 0x45 && ip[9] == 17).then_some(udp)?;
                (address(12)?, address(16)?, ip[8], ip[1], udp)
            }
            [0x86, 0xdd] => {
                let (ip, udp) = packet.split_first_chunk::<40>()?;
                let address =
                    |at: usize| Some(Ipv6Addr::from(*ip.get(at..)?.first_chunk::<16>()?).into());
                let udp = (ip[6] == 17).then_some(udp)?;
                (address(8)?, address(24)?, ip[7], ip[0] << 4 | ip[1] >> 4, udp)
            }
            _ => return None,
        };
        let port = |at: usize| Some(u16::from_be_bytes(*udp.get(at..)?.first_chunk::<2>()?));
        let (source_port, port) = (port(0)?, port(2)?);
        let bfd = [3784, 4784].contains(&port).then_some(udp.get(8..)?)?;
        let word = |at: usize| Some(u32::from_be_bytes(*bfd.get(at..)?.first_chunk::<4>()?));
        Some(Self {
            source,
            destination,
            ttl,
            class,
            source_port,
            port,
            diagnostic: bfd.first()? & 0x1f,
            state: bfd.get(1)? >> 6,
            flags: bfd.get(1)? & 0x3f,
            multiplier: *bfd.get(2)?,
            mine: word(4)?,
            yours: word(8)?,
            min_tx: word(12)?,
            min_rx: word(16)?,
            min_echo_rx: word(20)?,
            authentication: bfd.get(24..usize::from(*bfd.get(3)?))?.to_vec(),
        })
    }
}
