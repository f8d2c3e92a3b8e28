//! The frames, octet by octet.

use std::net::{Ipv4Addr, Ipv6Addr};

use runtime::machine::{Hardware, Link, LinkFlags};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// `ff02::1`, all nodes of the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The Ethernet address of [`ALL_NODES`] (RFC 2464 §7).
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

const ETHERNET_LEN: usize = 6;
const INFINIBAND_LEN: usize = 20;

const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_OVERRIDE: u8 = 0x20;

/// A gratuitous ARP request that says `address` is at the hardware address of `link` (RFC 5227 §3).
///
/// `None` where nobody would understand it: on links without ARP, or without a hardware address. Over InfiniBand the
/// frame is what an IPoIB packet socket takes (RFC 4391 §6): the hardware address of everybody, and a short header.
pub(crate) fn gratuitous_arp(link: &Link, address: Ipv4Addr) -> Option<Vec<u8>> {
    let Link { mac, broadcast, hardware, flags, .. } = link;
    let length = u8::try_from(mac.len()).ok()?;
    if flags.contains(LinkFlags::NO_ARP) || mac.is_empty() || mac.len() != broadcast.len() {
        return None;
    }
    let mut frame = Vec::with_capacity(2 * usize::from(length) + 64);
    link_header(&mut frame, link, broadcast, ETHERTYPE_ARP);
    frame.extend(hardware.0.to_be_bytes());
    frame.extend(ETHERTYPE_IPV4.to_be_bytes());
    frame.extend([length, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(address.octets());
    // The original asks for the broadcast address, as RFC 5944 §4.6 allows; equipment is known to rely on it.
    frame.extend(broadcast);
    frame.extend(address.octets());
    Some(frame)
}

/// An unsolicited neighbour advertisement that says `address` is at the hardware address of `link` (RFC 4861 §7.2.6).
/// `router` says whether the machine forwards packets there.
///
/// `None` where nobody would understand it: on links without ARP, or with addresses of another kind than Ethernet's and
/// InfiniBand's.
pub(crate) fn neighbour_advertisement(
    link: &Link,
    address: Ipv6Addr,
    router: bool,
) -> Option<Vec<u8>> {
    let infiniband = link.hardware == Hardware::INFINIBAND;
    let expected_len = if infiniband { INFINIBAND_LEN } else { ETHERNET_LEN };
    if link.flags.contains(LinkFlags::NO_ARP) || link.mac.len() != expected_len {
        return None;
    }
    let mut message = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0];
    message.push(if router { FLAG_ROUTER | FLAG_OVERRIDE } else { FLAG_OVERRIDE });
    message.extend([0; 3]);
    message.extend(address.octets());
    // The length counts in units of eight octets; InfiniBand needs two octets of padding (RFC 4391 §9.3).
    message.extend_from_slice(if infiniband {
        &[TARGET_LINK_LAYER_ADDRESS, 3, 0, 0]
    } else {
        &[TARGET_LINK_LAYER_ADDRESS, 1]
    });
    message.extend(&link.mac);
    let sum = checksum(address, ALL_NODES, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());

    let mut frame = Vec::with_capacity(24 + 40 + message.len());
    if infiniband {
        link_header(&mut frame, link, &infiniband_group(link)?, ETHERTYPE_IPV6);
    } else {
        link_header(&mut frame, link, &ALL_NODES_MAC, ETHERTYPE_IPV6);
    }
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(u16::try_from(message.len()).ok()?.to_be_bytes());
    frame.extend([ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    Some(frame)
}

/// The hardware address of [`ALL_NODES`] over InfiniBand (RFC 4391 §4): scope and partition are those of the broadcast
/// address.
fn infiniband_group(link: &Link) -> Option<[u8; INFINIBAND_LEN]> {
    let broadcast: &[u8; INFINIBAND_LEN] = link.broadcast.as_slice().try_into().ok()?;
    let mut group = *broadcast;
    group[6..8].copy_from_slice(&[0x60, 0x1b]);
    group[10..].copy_from_slice(&ALL_NODES.octets()[6..]);
    Some(group)
}

fn link_header(frame: &mut Vec<u8>, link: &Link, to: &[u8], ethertype: u16) {
    frame.extend(to);
    if link.hardware == Hardware::INFINIBAND {
        frame.extend(ethertype.to_be_bytes());
        frame.extend([0, 0]);
    } else {
        frame.extend(&link.mac);
        frame.extend(ethertype.to_be_bytes());
    }
}

/// Checksum of an ICMPv6 message with its pseudo-header (RFC 4443 §2.3).
fn checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let words = |octets: &[u8]| -> u32 {
        octets
            .chunks(2)
            .map(|pair| match *pair {
                [high, low] => u32::from(u16::from_be_bytes([high, low])),
                [high] => u32::from(high) << 8,
                _ => 0,
            })
            .sum()
    };
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut sum = words(&source.octets()) + words(&destination.octets()) + words(message);
    sum += length + u32::from(ICMPV6);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use runtime::machine::IfIndex;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn link(mac: [u8; 6]) -> Link {
        Link { mac: mac.to_vec(), ..Link::ethernet(IfIndex(2), "v1") }
    }

    const PHYSICAL: [u8; 6] = [0x02, 0, 0, 0, 0, 1];

    #[test]
    fn arp_as_captured_from_the_original() {
        let vip = Ipv4Addr::new(10, 9, 0, 100);
        assert_eq!(
            gratuitous_arp(&link(PHYSICAL), vip).unwrap(),
            hex(
                "ffffffffffff0200000000010806 0001080006040001 0200000000010a090064 ffffffffffff0a090064"
            )
        );
        assert_eq!(
            gratuitous_arp(&link([0, 0, 0x5e, 0, 1, 0x33]), vip).unwrap(),
            hex(
                "ffffffffffff00005e0001330806 0001080006040001 00005e0001330a090064 ffffffffffff0a090064"
            )
        );
    }

    #[test]
    fn neighbour_advertisement_as_captured_from_the_original() {
        let vip = "fe80::100".parse().unwrap();
        let header = "333300000001 020000000001 86dd 6000000000203aff
            fe800000000000000000000000000100ff020000000000000000000000000001";
        let target = "fe800000000000000000000000000100";
        assert_eq!(
            neighbour_advertisement(&link(PHYSICAL), vip, false).unwrap(),
            hex(&format!("{header} 8800559d20000000 {target} 0201020000000001"))
        );
        assert_eq!(
            neighbour_advertisement(&link(PHYSICAL), vip, true).unwrap(),
            hex(&format!("{header} 8800d59ca0000000 {target} 0201020000000001"))
        );
        let header = header.replace("020000000001 86dd", "00005e000233 86dd");
        assert_eq!(
            neighbour_advertisement(&link([0, 0, 0x5e, 0, 2, 0x33]), vip, false).unwrap(),
            hex(&format!("{header} 8800f76a20000000 {target} 020100005e000233"))
        );
    }

    /// Twenty octets of hardware address, and the header of IPoIB instead of that of Ethernet.
    #[test]
    fn arp_over_infiniband() {
        let mac: Vec<u8> = (1..=20).collect();
        let broadcast: Vec<u8> = (101..=120).collect();
        let link = Link {
            hardware: Hardware::INFINIBAND,
            mac: mac.clone(),
            broadcast: broadcast.clone(),
            ..Link::ethernet(IfIndex(2), "ib0")
        };
        let vip = [10, 9, 0, 100];
        let expected = [
            &broadcast[..],
            &[0x08, 0x06, 0, 0],
            &[0, 32, 0x08, 0, 20, 4, 0, 1],
            &mac,
            &vip,
            &broadcast,
            &vip,
        ]
        .concat();
        assert_eq!(gratuitous_arp(&link, vip.into()).unwrap(), expected);
    }

    #[test]
    fn neighbour_advertisement_over_infiniband() {
        let mac: Vec<u8> = (1..=20).collect();
        let link = Link {
            hardware: Hardware::INFINIBAND,
            mac: mac.clone(),
            broadcast: hex("00ffffff ff12401b ffff0000 00000000 ffffffff"),
            ..Link::ethernet(IfIndex(2), "ib0")
        };
        let vip = "fe80::100".parse().unwrap();
        let frame = neighbour_advertisement(&link, vip, false).unwrap();
        let start =
            hex("00ffffff ff12601b ffff0000 00000000 00000001 86dd 0000 60000000 0030 3aff");
        assert!(frame.starts_with(&start), "{frame:02x?}");
        assert!(frame.ends_with(&[&hex("0203 0000"), &mac[..]].concat()), "{frame:02x?}");
    }

    #[test]
    fn nothing_where_nobody_would_understand() {
        let vip4 = Ipv4Addr::new(10, 9, 0, 100);
        let vip6 = "fe80::100".parse().unwrap();
        let tunnel = Link { mac: Vec::new(), broadcast: Vec::new(), ..link(PHYSICAL) };
        let mut silent = link(PHYSICAL);
        silent.flags = silent.flags.with(LinkFlags::NO_ARP);
        for link in [tunnel, silent] {
            assert_eq!(gratuitous_arp(&link, vip4), None);
            assert_eq!(neighbour_advertisement(&link, vip6, false), None);
        }
    }
}
