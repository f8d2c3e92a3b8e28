//! What the kernel is asked to do with interfaces, and how that is written.

use std::fmt;

use super::attribute_writer::AttributeWriter;
use super::family;
use crate::machine::IfIndex;

/// The numbers of `linux/if_link.h` that libc does not have.
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;

/// A macvlan that does not see its siblings (`MACVLAN_MODE_PRIVATE`).
const PRIVATE: u32 = 1;
/// An ipvlan that works on frames (`IPVLAN_MODE_L2`).
const L2: u16 = 0;
/// No address is made from the hardware address (`IN6_ADDR_GEN_MODE_NONE`).
const GENERATE_NONE: u8 = 1;

const IFF_UP: u32 = 1;

/// An interface that is to be made on top of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    /// Its name.
    pub name: String,
    /// The interface below. The kernel takes the one below that where it is a virtual interface of the same kind.
    pub parent: IfIndex,
    /// What it is.
    pub kind: LinkKind,
    /// Administrative group of interfaces.
    pub group: u32,
    /// The VRF that it is to belong to.
    pub vrf: Option<IfIndex>,
}

/// The kinds of virtual interfaces that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A macvlan that does not see its siblings.
    PrivateMacvlan {
        /// Its hardware address.
        mac: [u8; 6],
    },
    /// An ipvlan that works on frames.
    Ipvlan {
        /// How it reaches its siblings (`IPVLAN_F_*`).
        flags: u16,
    },
}

impl LinkKind {
    /// What the kernel calls it.
    pub fn name(self) -> &'static str {
        match self {
            LinkKind::PrivateMacvlan { .. } => "macvlan",
            LinkKind::Ipvlan { .. } => "ipvlan",
        }
    }
}

/// What is to be different about an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// It is up.
    Up,
    /// It is a macvlan that does not see its siblings, with this hardware address.
    PrivateMacvlan {
        /// The hardware address.
        mac: [u8; 6],
    },
    /// It belongs to this administrative group. The kernel tells everybody about the interface, even if it did before.
    Group(u32),
    /// It belongs to this VRF, or to none.
    Vrf(Option<IfIndex>),
    /// The kernel makes no IPv6 address for it.
    NoGeneratedAddress,
}

impl fmt::Display for LinkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkChange::Up => f.write_str("set up"),
            LinkChange::PrivateMacvlan { .. } => f.write_str("set the hardware address of"),
            LinkChange::Group(_) => f.write_str("set the group of"),
            LinkChange::Vrf(_) => f.write_str("set the VRF of"),
            LinkChange::NoGeneratedAddress => f.write_str("keep the kernel from addressing"),
        }
    }
}

/// The body of a request for a new interface.
pub(super) fn created(link: &NewLink) -> Vec<u8> {
    let mut body = body(None, 0);
    body.put_u32(libc::IFLA_LINK, link.parent.0);
    body.put_text(libc::IFLA_IFNAME, &link.name);
    body.put_u32(libc::IFLA_GROUP, link.group);
    kind(&mut body, link.kind);
    if let Some(vrf) = link.vrf {
        body.put_u32(libc::IFLA_MASTER, vrf.0);
    }
    body.octets().to_vec()
}

/// The body of a request to change an interface.
pub(super) fn changed(index: IfIndex, change: &LinkChange) -> Vec<u8> {
    let flags = if *change == LinkChange::Up { IFF_UP } else { 0 };
    let mut body = body(Some(index), flags);
    match change {
        LinkChange::Up => {}
        LinkChange::PrivateMacvlan { mac } => {
            kind(&mut body, LinkKind::PrivateMacvlan { mac: *mac });
        }
        LinkChange::Group(group) => body.put_u32(libc::IFLA_GROUP, *group),
        LinkChange::Vrf(vrf) => body.put_u32(libc::IFLA_MASTER, vrf.map_or(0, |vrf| vrf.0)),
        LinkChange::NoGeneratedAddress => body.nest(IFLA_AF_SPEC, |spec| {
            spec.nest(family::INET6.into(), |inet6| {
                inet6.put_u8(IFLA_INET6_ADDR_GEN_MODE, GENERATE_NONE);
            });
        }),
    }
    body.octets().to_vec()
}

/// The body of a request to change the setting `number` of IPv4 on an interface.
pub(super) fn ipv4_configured(index: IfIndex, number: u16, value: u32) -> Vec<u8> {
    let mut body = body(Some(index), 0);
    body.nest(IFLA_AF_SPEC, |spec| {
        spec.nest(family::INET.into(), |inet| {
            inet.nest(IFLA_INET_CONF, |conf| conf.put_u32(number, value));
        });
    });
    body.octets().to_vec()
}

/// The body of a request to remove all interfaces of a group.
pub(super) fn group_removed(group: u32) -> Vec<u8> {
    let mut body = body(None, 0);
    body.put_u32(libc::IFLA_GROUP, group);
    body.octets().to_vec()
}

/// The body of a request to remove an interface.
pub(super) fn removed(index: IfIndex) -> Vec<u8> {
    body(Some(index), 0).octets().to_vec()
}

fn kind(body: &mut AttributeWriter, kind: LinkKind) {
    if let LinkKind::PrivateMacvlan { mac } = kind {
        body.put(libc::IFLA_ADDRESS, &mac);
    }
    body.nest(libc::IFLA_LINKINFO, |info| {
        info.put(libc::IFLA_INFO_KIND, kind.name().as_bytes());
        info.nest(libc::IFLA_INFO_DATA, |data| match kind {
            LinkKind::PrivateMacvlan { .. } => data.put_u32(IFLA_MACVLAN_MODE, PRIVATE),
            LinkKind::Ipvlan { flags } => {
                data.put(IFLA_IPVLAN_MODE, &L2.to_ne_bytes());
                data.put(IFLA_IPVLAN_FLAGS, &flags.to_ne_bytes());
            }
        });
    });
}

/// The header of a request about an interface. `flags` are to be set, the others stay as they are.
fn body(index: Option<IfIndex>, flags: u32) -> AttributeWriter {
    let mut header = vec![0; 4];
    header.extend(index.map_or(0, |index| index.0).to_ne_bytes());
    header.extend(flags.to_ne_bytes());
    header.extend(flags.to_ne_bytes());
    AttributeWriter::after(&header)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An attribute in the machine's order.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// There is not always a kernel at hand that knows them.
    #[test]
    fn an_ipvlan_says_mode_and_flags_in_sixteen_bits() {
        let body = created(&NewLink {
            name: "vrrp.51".to_owned(),
            parent: IfIndex(3),
            kind: LinkKind::Ipvlan { flags: 2 },
            group: 5,
            vrf: Some(IfIndex(9)),
        });
        let data = [attribute(1, &0u16.to_ne_bytes()), attribute(2, &2u16.to_ne_bytes())].concat();
        let info = [attribute(1, b"ipvlan"), attribute(2, &data)].concat();
        let expected = [
            vec![0; 16],
            attribute(5, &3u32.to_ne_bytes()),
            attribute(3, b"vrrp.51\0"),
            attribute(27, &5u32.to_ne_bytes()),
            attribute(18, &info),
            attribute(10, &9u32.to_ne_bytes()),
        ];
        assert_eq!(body, expected.concat());
    }

    #[test]
    fn leaving_a_vrf_is_joining_none() {
        let body = changed(IfIndex(4), &LinkChange::Vrf(None));
        let mut header = vec![0; 4];
        header.extend(4u32.to_ne_bytes());
        header.extend([0; 8]);
        assert_eq!(body, [header, attribute(10, &[0; 4])].concat());
    }
}
