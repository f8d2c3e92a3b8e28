//! What the kernel is asked to do, and how that is written.

use std::fmt;
use std::net::IpAddr;

use netlink_packet_core::{Emitable, NetlinkHeader};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags as WireFlags, AddressHeader, AddressHeaderFlags, AddressMessage,
    AddressScope, CacheInfo,
};

use super::event::{RTM_DELROUTE, RTM_DELRULE, RTM_NEWROUTE, RTM_NEWRULE};
use super::link::{self, LinkChange, NewLink};
use super::message::HEADER_LEN;
use super::{route, rule};
use crate::machine::{Address, IfIndex, Route, Rule};

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;

const NLMSG_NOOP: u16 = 1;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const RTM_GETRULE: u16 = 34;

/// A lifetime without end.
const FOREVER: u32 = u32::MAX;

/// A change that the kernel is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Put an address on its interface.
    AddAddress(Address),
    /// Take an address from its interface.
    RemoveAddress(Address),
    /// Change a setting of an interface.
    ConfigureIpv4 {
        /// The interface.
        interface: IfIndex,
        /// Which setting (`IPV4_DEVCONF_*`).
        number: u16,
        /// What it is to be.
        value: u32,
    },
    /// Put a route into its table.
    AddRoute(Box<Route>),
    /// Take a route from its table.
    RemoveRoute(Box<Route>),
    /// Add a policy rule.
    AddRule(Box<Rule>),
    /// Remove a policy rule.
    RemoveRule(Box<Rule>),
    /// Make an interface. It is down then.
    CreateLink(NewLink),
    /// Change something about an interface.
    ChangeLink(IfIndex, LinkChange),
    /// Remove an interface, and all that is on it.
    RemoveLink(IfIndex),
    /// Remove all interfaces of an administrative group. The kernel waits for each removal to be seen everywhere, but for
    /// one of many only once.
    RemoveLinkGroup(u32),
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::AddAddress(address) => {
                write!(f, "add address {address} to interface {}", address.interface)
            }
            Request::RemoveAddress(address) => {
                write!(f, "remove address {address} from interface {}", address.interface)
            }
            Request::ConfigureIpv4 { interface, number, value } => {
                write!(f, "give setting {number} of interface {interface} the value {value}")
            }
            Request::AddRoute(route) => write!(f, "add route {route}"),
            Request::RemoveRoute(route) => write!(f, "remove route {route}"),
            Request::AddRule(rule) => write!(f, "add rule {rule}"),
            Request::RemoveRule(rule) => write!(f, "remove rule {rule}"),
            Request::CreateLink(link) => {
                write!(f, "create {} {} on interface {}", link.kind.name(), link.name, link.parent)
            }
            Request::ChangeLink(index, change) => write!(f, "{change} interface {index}"),
            Request::RemoveLink(index) => write!(f, "remove interface {index}"),
            Request::RemoveLinkGroup(group) => write!(f, "remove interfaces of group {group}"),
        }
    }
}

impl Request {
    /// Appends the message to `out`. The kernel answers it only to refuse it.
    pub(super) fn encode(&self, sequence: u32, out: &mut Vec<u8>) {
        let flags = NLM_F_REQUEST;
        match self {
            Request::AddAddress(address) => {
                frame(RTM_NEWADDR, flags, sequence, &added(address), out)
            }
            Request::RemoveAddress(address) => {
                frame(RTM_DELADDR, flags, sequence, &removed(address), out);
            }
            Request::ConfigureIpv4 { interface, number, value } => {
                let body = link::ipv4_configured(*interface, *number, *value);
                frame(RTM_NEWLINK, flags, sequence, &Raw(&body), out);
            }
            Request::AddRoute(route) => {
                let flags = flags | route::mode_flags(route.add);
                frame(RTM_NEWROUTE, flags, sequence, &Raw(&route::added(route)), out);
            }
            Request::RemoveRoute(route) => {
                frame(RTM_DELROUTE, flags, sequence, &Raw(&route::removed(route)), out);
            }
            Request::AddRule(rule) => {
                let flags = flags | NLM_F_CREATE | NLM_F_EXCL;
                frame(RTM_NEWRULE, flags, sequence, &Raw(&rule::encode(rule)), out);
            }
            Request::RemoveRule(rule) => {
                frame(RTM_DELRULE, flags, sequence, &Raw(&rule::encode(rule)), out);
            }
            Request::CreateLink(new) => {
                let flags = flags | NLM_F_CREATE | NLM_F_EXCL;
                frame(RTM_NEWLINK, flags, sequence, &Raw(&link::created(new)), out);
            }
            Request::ChangeLink(index, change) => {
                frame(RTM_NEWLINK, flags, sequence, &Raw(&link::changed(*index, change)), out);
            }
            Request::RemoveLink(index) => {
                frame(RTM_DELLINK, flags, sequence, &Raw(&link::removed(*index)), out);
            }
            Request::RemoveLinkGroup(group) => {
                frame(RTM_DELLINK, flags, sequence, &Raw(&link::group_removed(*group)), out);
            }
        }
    }
}

/// Appends a message that asks for nothing but an answer: when that comes, what stands before it is done.
pub(super) fn encode_end(sequence: u32, out: &mut Vec<u8>) {
    frame(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, sequence, &Raw(&[]), out);
}

/// Everything of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dump {
    /// Interfaces.
    Links,
    /// Addresses, of one interface or of all.
    Addresses(Option<IfIndex>),
    /// Routes of a protocol.
    Routes {
        /// Of IPv6, or of IPv4.
        ipv6: bool,
        /// Who has made them (`RTPROT_*`).
        protocol: u8,
    },
    /// Policy rules of both families.
    Rules,
}

impl Dump {
    /// Appends the message to `out`.
    pub(super) fn encode(self, sequence: u32, out: &mut Vec<u8>) {
        let flags = NLM_F_REQUEST | NLM_F_DUMP;
        match self {
            Dump::Links => frame(RTM_GETLINK, flags, sequence, &Raw(&[0; 16]), out),
            Dump::Addresses(interface) => {
                let [i0, i1, i2, i3] = interface.map_or(0, |index| index.0).to_ne_bytes();
                frame(RTM_GETADDR, flags, sequence, &Raw(&[0, 0, 0, 0, i0, i1, i2, i3]), out);
            }
            Dump::Routes { ipv6, protocol } => {
                frame(RTM_GETROUTE, flags, sequence, &Raw(&route::all_of(ipv6, protocol)), out);
            }
            Dump::Rules => {
                frame(RTM_GETRULE, flags, sequence, &Raw(&[0; rule::HEADER_LEN]), out);
            }
        }
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dump::Links => f.write_str("list the interfaces"),
            Dump::Addresses(None) => f.write_str("list the addresses"),
            Dump::Addresses(Some(index)) => write!(f, "list the addresses of interface {index}"),
            Dump::Routes { protocol, .. } => write!(f, "list the routes of protocol {protocol}"),
            Dump::Rules => f.write_str("list the rules"),
        }
    }
}

/// Octets that are ready.
struct Raw<'a>(&'a [u8]);

impl Emitable for Raw<'_> {
    fn buffer_len(&self) -> usize {
        self.0.len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(self.0);
    }
}

fn frame(kind: u16, flags: u16, sequence: u32, body: &impl Emitable, out: &mut Vec<u8>) {
    let start = out.len();
    let length = HEADER_LEN + body.buffer_len();
    out.resize(start + length.next_multiple_of(4), 0);
    let (head, tail) = out[start..].split_at_mut(HEADER_LEN);
    let mut header = NetlinkHeader::default();
    header.length = u32::try_from(length).expect("a request has a few hundred octets");
    header.message_type = kind;
    header.flags = flags;
    header.sequence_number = sequence;
    header.emit(head);
    body.emit(&mut tail[..length - HEADER_LEN]);
}

fn header(address: &Address) -> AddressHeader {
    AddressHeader {
        family: match address.local {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        },
        prefix_len: address.prefix_len,
        flags: AddressHeaderFlags::empty(),
        scope: AddressScope::from(address.scope),
        index: address.interface.0,
    }
}

fn added(address: &Address) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = header(address);
    let attributes = &mut message.attributes;
    if let Some(preferred) = address.preferred {
        let mut lifetime = CacheInfo::default();
        lifetime.ifa_preferred = preferred;
        lifetime.ifa_valid = FOREVER;
        attributes.push(AddressAttribute::CacheInfo(lifetime));
    }
    attributes.push(AddressAttribute::Local(address.local));
    if let Some(broadcast) = address.broadcast {
        attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if address.flags.0 != 0 {
        attributes.push(AddressAttribute::Flags(WireFlags::from_bits_retain(address.flags.0)));
    }
    if let Some(label) = &address.label {
        attributes.push(AddressAttribute::Label(label.clone()));
    }
    if let Some(peer) = address.peer {
        attributes.push(AddressAttribute::Address(peer));
    }
    if address.protocol != 0 {
        attributes.push(AddressAttribute::Protocol(address.protocol.into()));
    }
    message
}

fn removed(address: &Address) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = header(address);
    message.attributes.push(AddressAttribute::Local(address.local));
    if address.local.is_ipv4() {
        // Tells it from an address of the same number with another peer.
        message.attributes.push(AddressAttribute::Address(address.peer.unwrap_or(address.local)));
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::AddressFlags;

    fn encoded(request: &Request) -> Vec<u8> {
        let mut out = Vec::new();
        request.encode(7, &mut out);
        out
    }

    /// A message as the original was seen to send it, put together from what a tracer showed, but for its asking to be
    /// told of success. Numbers are in the machine's order.
    fn message(kind: u16, header: [u8; 4], attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = header.to_vec();
        body.extend(3u32.to_ne_bytes());
        for (number, value) in attributes {
            body.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
            body.extend(number.to_ne_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut out = u32::try_from(16 + body.len()).unwrap().to_ne_bytes().to_vec();
        out.extend(kind.to_ne_bytes());
        out.extend(1u16.to_ne_bytes());
        out.extend(7u32.to_ne_bytes());
        out.extend([0; 4]);
        out.extend(body);
        out
    }

    fn plain(text: &str, prefix_len: u8) -> Address {
        let address = Address::plain(IfIndex(3), text.parse().unwrap(), prefix_len);
        Address { protocol: 18, ..address }
    }

    #[test]
    fn ipv4_additions_are_those_of_the_original() {
        let simple = plain("10.9.0.100", 24);
        assert_eq!(
            encoded(&Request::AddAddress(simple)),
            message(20, [2, 24, 0, 0], &[(2, &[10, 9, 0, 100]), (11, &[18])])
        );
        let labelled = Address {
            scope: 200,
            broadcast: Some([10, 9, 0, 255].into()),
            label: Some("v1:x".to_owned()),
            ..plain("10.9.0.101", 24)
        };
        assert_eq!(
            encoded(&Request::AddAddress(labelled)),
            message(
                20,
                [2, 24, 0, 200],
                &[(2, &[10, 9, 0, 101]), (4, &[10, 9, 0, 255]), (3, b"v1:x\0"), (11, &[18])]
            )
        );
        let peer = Address {
            peer: Some([10, 9, 1, 2].into()),
            flags: AddressFlags::HOME.with(AddressFlags::NO_PREFIX_ROUTE),
            ..plain("10.9.1.1", 32)
        };
        let flags = 0x210u32.to_ne_bytes();
        assert_eq!(
            encoded(&Request::AddAddress(peer)),
            message(
                20,
                [2, 32, 0, 0],
                &[(2, &[10, 9, 1, 1]), (8, &flags), (1, &[10, 9, 1, 2]), (11, &[18])]
            )
        );
    }

    #[test]
    fn ipv6_additions_are_those_of_the_original() {
        let address = Address {
            flags: AddressFlags::NO_DAD,
            preferred: Some(0),
            ..plain("fd00:9::101", 128)
        };
        let IpAddr::V6(octets) = address.local else { unreachable!() };
        let mut lifetime = [0; 16];
        lifetime[4..8].fill(0xff);
        let flags = 2u32.to_ne_bytes();
        assert_eq!(
            encoded(&Request::AddAddress(address.clone())),
            message(
                20,
                [10, 128, 0, 0],
                &[(6, &lifetime), (2, &octets.octets()), (8, &flags), (11, &[18])]
            )
        );
        assert_eq!(
            encoded(&Request::RemoveAddress(address)),
            message(21, [10, 128, 0, 0], &[(2, &octets.octets())])
        );
    }

    /// The original names the address itself instead of its peer, and the kernel then finds none to remove.
    #[test]
    fn ipv4_removals_name_the_peer() {
        let simple = plain("10.9.0.100", 24);
        assert_eq!(
            encoded(&Request::RemoveAddress(simple.clone())),
            message(21, [2, 24, 0, 0], &[(2, &[10, 9, 0, 100]), (1, &[10, 9, 0, 100])])
        );
        let peer = Address { peer: Some([10, 9, 1, 2].into()), ..simple };
        assert_eq!(
            encoded(&Request::RemoveAddress(peer)),
            message(21, [2, 24, 0, 0], &[(2, &[10, 9, 0, 100]), (1, &[10, 9, 1, 2])])
        );
    }
}
