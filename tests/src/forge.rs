//! Adverts that a test sends itself, in the place of another router.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::{Flood, Namespace, flood};

/// The group of all routers.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// How often an advert is repeated in a second.
const RATE: u64 = 20;

/// An advert of version 3 over IPv4, without fault: change what is to be wrong.
#[derive(Clone, Debug)]
pub struct Forged {
    /// Who seems to send it.
    pub source: Ipv4Addr,
    /// To whom.
    pub destination: Ipv4Addr,
    /// Time to live.
    pub ttl: u8,
    /// The virtual router.
    pub vrid: u8,
    /// Its priority.
    pub priority: u8,
    /// The interval that it announces.
    pub interval: Duration,
    /// The addresses that it announces.
    pub addresses: Vec<Ipv4Addr>,
}

impl Forged {
    /// An advert to the group from 10.9.0.77, for an address whose last byte is the number of the virtual router.
    pub fn new(vrid: u8, priority: u8) -> Self {
        Self {
            source: Ipv4Addr::new(10, 9, 0, 77),
            destination: GROUP,
            ttl: 255,
            vrid,
            priority,
            interval: Duration::from_millis(100),
            addresses: vec![Ipv4Addr::new(10, 9, 0, vrid)],
        }
    }

    /// Sends it once, by `eth0` of `namespace`.
    pub fn send(&self, namespace: &Namespace) {
        flood::send(&flood::open(namespace, "eth0"), self.destination, &self.packet());
    }

    /// Sends `adverts` by `eth0` of `namespace`, each twenty times a second, until the value is dropped.
    pub fn repeat(namespace: &Namespace, adverts: &[Self]) -> Flood {
        let packets: Vec<_> =
            adverts.iter().map(|advert| (advert.destination, advert.packet())).collect();
        let rate = RATE * u64::try_from(packets.len()).expect("they are few");
        Flood::start(namespace, "eth0", packets, rate)
    }

    /// Sends it by `device` of `namespace`, twenty times a second, until the value is dropped.
    pub fn repeat_by(&self, namespace: &Namespace, device: &str) -> Flood {
        Flood::start(namespace, device, vec![(self.destination, self.packet())], RATE)
    }

    /// The whole IPv4 packet; the kernel completes its header.
    fn packet(&self) -> Vec<u8> {
        let interval = u16::try_from(self.interval.as_millis() / 10).expect("intervals are short");
        let count = u8::try_from(self.addresses.len()).expect("addresses are few");
        let mut payload = vec![0x31, self.vrid, self.priority, count];
        payload.extend(interval.to_be_bytes());
        payload.extend([0, 0]);
        payload.extend(self.addresses.iter().flat_map(Ipv4Addr::octets));
        let size = u8::try_from(payload.len()).expect("adverts are short");
        // RFC 9568 §5.2.8: over the pseudo-header too.
        let pseudo =
            [&self.source.octets()[..], &self.destination.octets(), &[0, 112, 0, size]].concat();
        let sum = pseudo
            .chunks(2)
            .chain(payload.chunks(2))
            .fold(0_u32, |sum, pair| sum + u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = u16::try_from((folded & 0xffff) + (folded >> 16)).expect("it is folded");
        payload[6..8].copy_from_slice(&(!folded).to_be_bytes());
        let mut packet = vec![0x45, 0xc0, 0, size + 20, 0, 0, 0, 0, self.ttl, 112, 0, 0];
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(payload);
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;

    /// An advert of the C daemon 2.4.3, byte for byte but for what the kernel puts in.
    #[test]
    fn a_forged_advert_is_a_true_one() {
        let captured = Frame::from_hex(
            "01005e000012020000000001080045c0002400010000ff70d08c0a090001e0000012
             3133fe020019d1380a0900640a090065",
        );
        let mut forged = Forged::new(51, 254);
        forged.source = Ipv4Addr::new(10, 9, 0, 1);
        forged.interval = Duration::from_millis(250);
        forged.addresses = vec![Ipv4Addr::new(10, 9, 0, 100), Ipv4Addr::new(10, 9, 0, 101)];
        assert_eq!(forged.packet()[20..], captured.bytes[34..]);
    }
}
