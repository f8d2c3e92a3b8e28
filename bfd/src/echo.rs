//! Echo packets (RFC 5881 §4): to our own address by way of the neighbour, whose forwarding plane sends them back.
//!
//! They leave as frames, since the kernel would deliver what goes to an address of its own, and are read as frames,
//! since it drops what comes from one. Where the neighbour is on the link is learnt from its control packets.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvfrom, sendto, socket,
};
use runtime::sys::random::random;
use runtime::sys::socket::attach_filter;

use crate::socket::SINGLE_HOP_PORT;

/// Where echo packets are sent to, and come back to.
pub(crate) const PORT: u16 = 3785;

const ETHERNET: usize = 14;
const UDP: usize = 8;
const PAYLOAD: usize = 16;
const SENT_HOPS: u8 = 255;
/// The neighbour has forwarded it once.
const RETURNED_HOPS: u8 = 254;
/// Longer than any echo packet.
const ROOM: usize = 128;
const PROTOCOL_UDP: u8 = 17;
const NETWORK_CONTROL: u8 = 0xc0;

/// What an echo packet says. It means something to its sender only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    /// The session's number.
    pub discriminator: u32,
    /// The number of the packet.
    pub number: u32,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An echo packet of ours.
    Echo(Payload),
    /// Something else, which is of use at most for where its sender is.
    Other,
}

/// The way to a neighbour.
#[derive(Clone)]
struct Way {
    neighbour: [u8; 6],
    own: [u8; 6],
    own_address: IpAddr,
    link: LinkAddr,
}

/// Sends and receives echo packets of one family.
pub(crate) struct Echoes {
    socket: OwnedFd,
    ipv6: bool,
    /// What others cannot know.
    secret: [u8; 8],
    ways: HashMap<IpAddr, Way>,
}

impl fmt::Debug for Echoes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Echoes").field("ipv6", &self.ipv6).finish_non_exhaustive()
    }
}

impl Echoes {
    /// Opens the socket.
    pub(crate) fn open(ipv6: bool) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let protocol = if ipv6 { SockProtocol::EthIpv6 } else { SockProtocol::EthIp };
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, protocol)?;
        attach_filter(socket.as_fd(), &filter(ipv6))?;
        let [a, b, c, d] = random()?.to_ne_bytes();
        let [e, f, g, h] = random()?.to_ne_bytes();
        Ok(Self { socket, ipv6, secret: [a, b, c, d, e, f, g, h], ways: HashMap::new() })
    }

    /// The next thing that was received, if there is one.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Heard>> {
        let mut frame = [0; ROOM];
        let (length, link) = match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut frame) {
            Err(Errno::EAGAIN) => return Ok(None),
            result => result?,
        };
        let Some(link) = link else { return Ok(Some(Heard::Other)) };
        Ok(Some(self.read(frame.get(..length).unwrap_or(&frame), link)))
    }

    fn read(&mut self, frame: &[u8], link: LinkAddr) -> Heard {
        let Some(read) = read(frame, self.ipv6) else { return Heard::Other };
        if read.port == SINGLE_HOP_PORT {
            let Read { source_mac, destination_mac, source, destination, .. } = read;
            let way =
                Way { neighbour: source_mac, own: destination_mac, own_address: destination, link };
            self.ways.insert(source, way);
            return Heard::Other;
        }
        let is_ours =
            read.hops == RETURNED_HOPS && read.payload.get(8..PAYLOAD) == Some(&self.secret);
        let word = |at: usize| {
            let bytes = read.payload.get(at..)?.first_chunk::<4>()?;
            Some(u32::from_be_bytes(*bytes))
        };
        match (is_ours, word(0), word(4)) {
            (true, Some(discriminator), Some(number)) => {
                Heard::Echo(Payload { discriminator, number })
            }
            _ => Heard::Other,
        }
    }

    /// Sends an echo packet by way of `neighbour`; `false` when it is not known yet where that is.
    pub(crate) fn send(&self, neighbour: IpAddr, payload: Payload) -> io::Result<bool> {
        let Some(way) = self.ways.get(&neighbour) else { return Ok(false) };
        let frame = frame([way.neighbour, way.own], way.own_address, payload, self.secret);
        sendto(self.socket.as_raw_fd(), &frame, &way.link, MsgFlags::MSG_NOSIGNAL)?;
        Ok(true)
    }

    /// Forgets all neighbours but `kept`: anybody can send control packets.
    pub(crate) fn retain(&mut self, kept: impl Fn(&IpAddr) -> bool) {
        self.ways.retain(|address, _| kept(address));
    }
}

impl AsFd for Echoes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A frame, taken apart.
struct Read<'a> {
    source_mac: [u8; 6],
    destination_mac: [u8; 6],
    source: IpAddr,
    destination: IpAddr,
    hops: u8,
    port: u16,
    payload: &'a [u8],
}

fn read(frame: &[u8], ipv6: bool) -> Option<Read<'_>> {
    let (ethernet, packet) = frame.split_first_chunk::<ETHERNET>()?;
    let (destination_mac, rest) = ethernet.split_first_chunk::<6>()?;
    let source_mac = rest.first_chunk::<6>()?;
    let (source, destination, hops, protocol, udp): (IpAddr, IpAddr, _, _, _) = if ipv6 {
        let (ip, udp) = packet.split_first_chunk::<40>()?;
        let address = |at: usize| Some(Ipv6Addr::from(*ip.get(at..)?.first_chunk::<16>()?).into());
        (address(8)?, address(24)?, ip[7], ip[6], udp)
    } else {
        let (ip, udp) = packet.split_first_chunk::<20>()?;
        let address = |at: usize| Some(Ipv4Addr::from(*ip.get(at..)?.first_chunk::<4>()?).into());
        (ip[0] == 0x45).then_some(())?;
        (address(12)?, address(16)?, ip[8], ip[9], udp)
    };
    (protocol == PROTOCOL_UDP).then_some(())?;
    let (header, payload) = udp.split_first_chunk::<UDP>()?;
    let port = u16::from_be_bytes([header[2], header[3]]);
    let (source_mac, destination_mac) = (*source_mac, *destination_mac);
    Some(Read { source_mac, destination_mac, source, destination, hops, port, payload })
}

/// From us to us.
fn frame(macs: [[u8; 6]; 2], own: IpAddr, payload: Payload, secret: [u8; 8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ROOM);
    frame.extend(macs.concat());
    let length = u16::try_from(UDP + PAYLOAD).unwrap_or_default();
    let (address, header): (Vec<u8>, _) = match own {
        IpAddr::V4(own) => {
            frame.extend([0x08, 0x00]);
            let [high, low] = (20 + length).to_be_bytes();
            let mut header = vec![0x45, NETWORK_CONTROL, high, low, 0, 0, 0x40, 0, SENT_HOPS];
            header.extend([PROTOCOL_UDP, 0, 0]);
            header.extend(own.octets());
            header.extend(own.octets());
            let checksum = checksum(&[&header]);
            header[10..12].copy_from_slice(&checksum.to_be_bytes());
            (own.octets().into(), header)
        }
        IpAddr::V6(own) => {
            frame.extend([0x86, 0xdd]);
            let [high, low] = length.to_be_bytes();
            let class = NETWORK_CONTROL;
            let mut header = vec![0x60 | class >> 4, class << 4, 0, 0, high, low, PROTOCOL_UDP];
            header.push(SENT_HOPS);
            header.extend(own.octets());
            header.extend(own.octets());
            (own.octets().into(), header)
        }
    };
    frame.extend(header);
    let mut udp = Vec::with_capacity(UDP + PAYLOAD);
    for word in [PORT, PORT, length, 0] {
        udp.extend(word.to_be_bytes());
    }
    udp.extend(payload.discriminator.to_be_bytes());
    udp.extend(payload.number.to_be_bytes());
    udp.extend(secret);
    let pseudo = [[0, PROTOCOL_UDP], length.to_be_bytes()].concat();
    // Zero would mean that there is none (RFC 768).
    let checksum = match checksum(&[&address, &address, &pseudo, &udp]) {
        0 => u16::MAX,
        checksum => checksum,
    };
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());
    frame.extend(udp);
    frame
}

/// The checksum of the Internet (RFC 1071) of parts of even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 =
        words.map(|word| word.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

/// Passes UDP to the two ports, and nothing else.
fn filter(ipv6: bool) -> [libc::sock_filter; 7] {
    let (protocol_at, port_at) = if ipv6 { (20, 56) } else { (23, 36) };
    let step = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    let byte = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
    let half = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let end = libc::BPF_RET | libc::BPF_K;
    [
        step(byte, 0, 0, protocol_at),
        step(equal, 0, 4, u32::from(PROTOCOL_UDP)),
        step(half, 0, 0, port_at),
        step(equal, 1, 0, u32::from(SINGLE_HOP_PORT)),
        step(equal, 0, 1, u32::from(PORT)),
        step(end, 0, 0, u32::from(u16::MAX)),
        step(end, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_frame_is_read_or_passed_over(
            bytes in proptest::collection::vec(any::<u8>(), 0..ROOM),
            protocol in prop_oneof![Just(PROTOCOL_UDP), any::<u8>()],
            ipv6 in any::<bool>(),
        ) {
            let mut frame = bytes;
            for (at, value) in [(ETHERNET, 0x45), (if ipv6 { 20 } else { 23 }, protocol)] {
                frame.iter_mut().skip(at).take(1).for_each(|byte| *byte = value);
            }
            if let Some(read) = read(&frame, ipv6) {
                prop_assert_eq!(protocol, PROTOCOL_UDP);
                prop_assert!(frame.ends_with(read.payload));
            }
        }
    }

    #[test]
    fn what_is_sent_can_be_read_again() {
        let payload = Payload { discriminator: 0x0102_0304, number: 7 };
        for own in [IpAddr::from([10, 9, 0, 1]), "fd00:9::1".parse().unwrap()] {
            let frame = frame([[2; 6], [3; 6]], own, payload, [9; 8]);
            let read = read(&frame, own.is_ipv6()).unwrap();
            assert_eq!((read.source, read.destination), (own, own));
            assert_eq!((read.destination_mac, read.source_mac), ([2; 6], [3; 6]));
            assert_eq!((read.port, read.hops), (PORT, SENT_HOPS));
            assert_eq!(read.payload[..8], [1, 2, 3, 4, 0, 0, 0, 7]);
        }
    }

    #[test]
    fn sums_are_those_of_rfc_1071() {
        assert_eq!(checksum(&[&[0x00, 0x01, 0xf2, 0x03], &[0xf4, 0xf5, 0xf6, 0xf7]]), !0xddf2);
    }
}
