//! What the kernel tells about interfaces, addresses, routes and rules.

use std::net::IpAddr;

use super::attribute::{Attribute, Attributes};
use super::message::Message;
use super::{family, route, rule};
use crate::machine::{
    Address, AddressFlags, Hardware, IfIndex, Ipvlan, Link, LinkFlags, Route, Rule,
};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
pub(super) const RTM_NEWROUTE: u16 = 24;
pub(super) const RTM_DELROUTE: u16 = 25;
pub(super) const RTM_NEWRULE: u16 = 32;
pub(super) const RTM_DELRULE: u16 = 33;

const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An interface is new, or something about it is.
    LinkChanged(Link),
    /// An interface is gone.
    LinkGone {
        /// Its number.
        index: IfIndex,
        /// The last name that it had.
        name: String,
    },
    /// An address is there, or something about it has changed.
    AddressAdded(Address),
    /// An address is gone.
    AddressRemoved(Address),
    /// A route is there, or something about it has changed.
    RouteAdded(Box<Route>),
    /// A route is gone.
    RouteRemoved(Box<Route>),
    /// A rule is there.
    RuleAdded(Box<Rule>),
    /// A rule is gone.
    RuleRemoved(Box<Rule>),
    /// The kernel had more to say than our buffer holds: what we know must be read afresh ([`super::Client::machine`]).
    Overrun,
}

/// Appends what a datagram says to `out`. Any `datagram` is taken; what makes no sense, and what is about
/// something else, is left out.
pub fn decode(datagram: &[u8], out: &mut Vec<Event>) {
    out.extend(Message::all(datagram).filter_map(event));
}

/// What a message says.
pub(super) fn event(message: Message<'_>) -> Option<Event> {
    match message.kind {
        RTM_NEWLINK => link(message.payload).map(Event::LinkChanged),
        RTM_DELLINK => {
            let Link { index, name, .. } = link(message.payload)?;
            Some(Event::LinkGone { index, name })
        }
        RTM_NEWADDR => address(message.payload).map(Event::AddressAdded),
        RTM_DELADDR => address(message.payload).map(Event::AddressRemoved),
        RTM_NEWROUTE => route::decode(message.payload).map(Box::new).map(Event::RouteAdded),
        RTM_DELROUTE => route::decode(message.payload).map(Box::new).map(Event::RouteRemoved),
        RTM_NEWRULE => rule::decode(message.payload).map(Box::new).map(Event::RuleAdded),
        RTM_DELRULE => rule::decode(message.payload).map(Box::new).map(Event::RuleRemoved),
        _ => None,
    }
}

fn link(payload: &[u8]) -> Option<Link> {
    let (&[family, _, h0, h1, i0, i1, i2, i3, f0, f1, f2, f3, ..], rest) =
        payload.split_first_chunk::<LINK_HEADER>()?;
    // A bridge says with its own family that a port has left it; the interface lives on.
    if i32::from(family) != libc::AF_UNSPEC {
        return None;
    }
    let index = u32::try_from(i32::from_ne_bytes([i0, i1, i2, i3])).ok()?;
    let mut found = Link {
        index: IfIndex(index),
        name: String::new(),
        kind: String::new(),
        flags: LinkFlags(u32::from_ne_bytes([f0, f1, f2, f3])),
        hardware: Hardware(u16::from_ne_bytes([h0, h1])),
        mac: Vec::new(),
        broadcast: Vec::new(),
        mtu: 0,
        master: None,
        parent: None,
        group: 0,
        vrf_table: None,
        macvlan_mode: None,
        ipvlan: None,
    };
    let mut parent_elsewhere = false;
    for attribute in Attributes(rest) {
        match attribute.kind {
            libc::IFLA_IFNAME => found.name = attribute.text(),
            libc::IFLA_ADDRESS => found.mac = attribute.value.to_vec(),
            libc::IFLA_BROADCAST => found.broadcast = attribute.value.to_vec(),
            libc::IFLA_MTU => found.mtu = attribute.u32()?,
            libc::IFLA_LINK => found.parent = attribute.u32().map(IfIndex),
            libc::IFLA_LINK_NETNSID => parent_elsewhere = true,
            libc::IFLA_MASTER => found.master = attribute.u32().map(IfIndex),
            libc::IFLA_GROUP => found.group = attribute.u32()?,
            libc::IFLA_LINKINFO => link_info(attribute, &mut found),
            _ => {}
        }
    }
    // The number of an interface in another namespace says nothing here, and the other end of a veth carries nothing.
    if parent_elsewhere || found.kind == "veth" {
        found.parent = None;
    }
    (!found.name.is_empty()).then_some(found)
}

fn link_info(attribute: Attribute<'_>, link: &mut Link) {
    const IFLA_VRF_TABLE: u16 = 1;
    const IFLA_MACVLAN_MODE: u16 = 1;
    const IFLA_IPVLAN_MODE: u16 = 1;
    const IFLA_IPVLAN_FLAGS: u16 = 2;
    let mut data = None;
    for inner in attribute.nested() {
        match inner.kind {
            libc::IFLA_INFO_KIND => link.kind = inner.text(),
            libc::IFLA_INFO_DATA => data = Some(inner.nested()),
            _ => {}
        }
    }
    let data = data.unwrap_or(Attributes(&[]));
    let find = |kind| {
        let mut data = data;
        data.find(|inner| inner.kind == kind)
    };
    let number = |kind| find(kind).and_then(Attribute::u32);
    let short = |kind| find(kind).and_then(Attribute::u16);
    match link.kind.as_str() {
        "vrf" => link.vrf_table = number(IFLA_VRF_TABLE),
        "macvlan" => link.macvlan_mode = number(IFLA_MACVLAN_MODE),
        // Kernels before 4.15 know no flags.
        "ipvlan" => {
            link.ipvlan = short(IFLA_IPVLAN_MODE)
                .map(|mode| Ipvlan { mode, flags: short(IFLA_IPVLAN_FLAGS).unwrap_or(0) });
        }
        _ => {}
    }
}

fn address(payload: &[u8]) -> Option<Address> {
    const IFA_PROTO: u16 = 11;
    let (&[family, prefix_len, flags, scope, i0, i1, i2, i3], rest) =
        payload.split_first_chunk::<ADDRESS_HEADER>()?;
    let interface = IfIndex(u32::from_ne_bytes([i0, i1, i2, i3]));
    let (mut local, mut other) = (None, None);
    let mut found = Address::plain(interface, IpAddr::from([0; 4]), prefix_len);
    found.scope = scope;
    found.flags = AddressFlags(u32::from(flags));
    for attribute in Attributes(rest) {
        match attribute.kind {
            libc::IFA_LOCAL => local = attribute.address(),
            libc::IFA_ADDRESS => other = attribute.address(),
            libc::IFA_BROADCAST => {
                found.broadcast = match attribute.address() {
                    Some(IpAddr::V4(broadcast)) => Some(broadcast),
                    _ => None,
                };
            }
            libc::IFA_LABEL => found.label = Some(attribute.text()),
            libc::IFA_CACHEINFO => {
                found.preferred = attribute.u32().filter(|&seconds| seconds != u32::MAX);
            }
            libc::IFA_FLAGS => found.flags = AddressFlags(attribute.u32()?),
            IFA_PROTO => found.protocol = attribute.u8()?,
            _ => {}
        }
    }
    // The address attribute holds the peer where there is one; IPv6 has the local attribute only then.
    found.local = local.or(other)?;
    found.peer = other.filter(|&other| other != found.local);
    (family == family::number(found.local.is_ipv6())).then_some(found)
}
