//! The interfaces, addresses, routes and rules of the machine, as plain values.
//!
//! [`Machine`] is a snapshot, against which a configuration is validated; tests write one by hand.

pub mod route;
pub mod rule;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

pub use route::Route;
pub use rule::Rule;
use serde::{Deserialize, Serialize};

/// The kernel's number of an interface. A name may move to another interface, a number does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IfIndex(pub u32);

impl fmt::Display for IfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// State and abilities of an interface (`IFF_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFlags(pub u32);

impl LinkFlags {
    /// The administrator wants it up.
    pub const UP: LinkFlags = LinkFlags(0x1);
    /// It reaches many hosts at once.
    pub const BROADCAST: LinkFlags = LinkFlags(0x2);
    /// It is a loopback interface.
    pub const LOOPBACK: LinkFlags = LinkFlags(0x8);
    /// It is a tunnel with one other end.
    pub const POINT_TO_POINT: LinkFlags = LinkFlags(0x10);
    /// It has a carrier, and the kernel uses it.
    pub const RUNNING: LinkFlags = LinkFlags(0x40);
    /// No addresses are resolved on it.
    pub const NO_ARP: LinkFlags = LinkFlags(0x80);
    /// It reaches groups.
    pub const MULTICAST: LinkFlags = LinkFlags(0x1000);

    /// Whether all of `flags` are set.
    pub fn contains(self, flags: LinkFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags and `flags`.
    pub fn with(self, flags: LinkFlags) -> Self {
        Self(self.0 | flags.0)
    }

    /// These flags without `flags`.
    pub fn without(self, flags: LinkFlags) -> Self {
        Self(self.0 & !flags.0)
    }
}

/// What kind of hardware an interface is (`ARPHRD_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hardware(pub u16);

impl Hardware {
    /// Ethernet, and all that looks like it.
    pub const ETHERNET: Hardware = Hardware(1);
    /// InfiniBand.
    pub const INFINIBAND: Hardware = Hardware(32);
    /// Loopback.
    pub const LOOPBACK: Hardware = Hardware(772);
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: String,
    /// The name of the driver behind a virtual interface, such as `macvlan` or `vrf`; empty for hardware.
    pub kind: String,
    /// State and abilities.
    pub flags: LinkFlags,
    /// Kind of hardware.
    pub hardware: Hardware,
    /// Hardware address; empty where there is none.
    pub mac: Vec<u8>,
    /// Hardware address of everybody on the link; empty where there is none.
    pub broadcast: Vec<u8>,
    /// Largest packet, in octets.
    pub mtu: u32,
    /// The bridge, bond or VRF that it belongs to.
    pub master: Option<IfIndex>,
    /// The interface that it stands on: the parent of a VLAN or macvlan.
    pub parent: Option<IfIndex>,
    /// Administrative group of interfaces.
    pub group: u32,
    /// The routing table of a VRF.
    pub vrf_table: Option<u32>,
    /// How a macvlan reaches its siblings (`MACVLAN_MODE_*`).
    pub macvlan_mode: Option<u32>,
    /// What an ipvlan does.
    pub ipvlan: Option<Ipvlan>,
}

/// What an ipvlan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipvlan {
    /// What it works on (`IPVLAN_MODE_*`); 0 is frames.
    pub mode: u16,
    /// How it reaches its siblings (`IPVLAN_F_*`).
    pub flags: u16,
}

impl Link {
    /// An Ethernet interface that is up.
    pub fn ethernet(index: IfIndex, name: &str) -> Self {
        let [_, _, high, low] = index.0.to_be_bytes();
        Self {
            index,
            name: name.to_owned(),
            kind: String::new(),
            flags: LinkFlags::UP
                .with(LinkFlags::BROADCAST)
                .with(LinkFlags::RUNNING)
                .with(LinkFlags::MULTICAST),
            hardware: Hardware::ETHERNET,
            mac: vec![0x02, 0, 0, 0, high, low],
            broadcast: vec![0xff; 6],
            mtu: 1500,
            master: None,
            parent: None,
            group: 0,
            vrf_table: None,
            macvlan_mode: None,
            ipvlan: None,
        }
    }

    /// Whether packets can pass: up, and with a carrier.
    pub fn is_up(&self) -> bool {
        self.flags.contains(LinkFlags::UP.with(LinkFlags::RUNNING))
    }

    /// Whether it is a loopback interface.
    pub fn is_loopback(&self) -> bool {
        self.flags.contains(LinkFlags::LOOPBACK)
    }

    /// Whether it is a VRF.
    pub fn is_vrf(&self) -> bool {
        self.kind == "vrf"
    }
}

/// Options and state of an address (`IFA_F_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressFlags(pub u32);

impl AddressFlags {
    /// Not searched for duplicates (IPv6).
    pub const NO_DAD: AddressFlags = AddressFlags(0x02);
    /// A duplicate was found.
    pub const DAD_FAILED: AddressFlags = AddressFlags(0x08);
    /// A mobile node's home address.
    pub const HOME: AddressFlags = AddressFlags(0x10);
    /// Not yet known to be unique.
    pub const TENTATIVE: AddressFlags = AddressFlags(0x40);
    /// Valid for ever.
    pub const PERMANENT: AddressFlags = AddressFlags(0x80);
    /// The kernel makes temporary addresses of it.
    pub const MANAGE_TEMPORARY: AddressFlags = AddressFlags(0x100);
    /// The kernel adds no route to its prefix.
    pub const NO_PREFIX_ROUTE: AddressFlags = AddressFlags(0x200);
    /// The kernel joins the multicast group of this address.
    pub const AUTOJOIN: AddressFlags = AddressFlags(0x400);

    /// Whether all of `flags` are set.
    pub fn contains(self, flags: AddressFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags and `flags`.
    pub fn with(self, flags: AddressFlags) -> Self {
        Self(self.0 | flags.0)
    }

    /// These flags but for `flags`.
    pub fn without(self, flags: AddressFlags) -> Self {
        Self(self.0 & !flags.0)
    }

    /// The flags that are in both.
    pub fn common(self, flags: AddressFlags) -> Self {
        Self(self.0 & flags.0)
    }
}

/// Which addresses the kernel takes for the same one: no interface holds two that agree in this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddressKey {
    /// The interface.
    pub interface: IfIndex,
    /// The address.
    pub local: IpAddr,
    /// Length of its prefix.
    pub prefix_len: u8,
}

/// An address on an interface, as it is or as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The interface.
    pub interface: IfIndex,
    /// The address itself.
    pub local: IpAddr,
    /// Length of its prefix, or of the peer's where there is one.
    pub prefix_len: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// Broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// Scope (`RT_SCOPE_*`).
    pub scope: u8,
    /// The label that `ip` shows (IPv4); the kernel's default is the name of the interface.
    pub label: Option<String>,
    /// Options and state.
    pub flags: AddressFlags,
    /// Seconds for which new connections use the address; `None` is for ever.
    pub preferred: Option<u32>,
    /// Who put it there (`IFAPROT_*`); 0 is unknown.
    pub protocol: u8,
}

impl Address {
    /// A plain address, without any options.
    pub fn plain(interface: IfIndex, local: IpAddr, prefix_len: u8) -> Self {
        Self {
            interface,
            local,
            prefix_len,
            peer: None,
            broadcast: None,
            scope: 0,
            label: None,
            flags: AddressFlags::default(),
            preferred: None,
            protocol: 0,
        }
    }

    /// What tells it from others.
    pub fn key(&self) -> AddressKey {
        let Self { interface, local, prefix_len, .. } = *self;
        AddressKey { interface, local, prefix_len }
    }

    /// Whether it may still turn out to be somebody else's.
    pub fn is_tentative(&self) -> bool {
        self.flags.contains(AddressFlags::TENTATIVE)
            || self.flags.contains(AddressFlags::DAD_FAILED)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.local, self.prefix_len)
    }
}

/// A snapshot of the machine's interfaces and addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Interfaces, in the order of the kernel.
    pub links: Vec<Link>,
    /// Addresses, in the order of the kernel.
    pub addresses: Vec<Address>,
}

impl Machine {
    /// A machine with Ethernet interfaces of these names, all up.
    pub fn with_interfaces(names: &[&str]) -> Self {
        let links = (1..).zip(names).map(|(index, name)| Link::ethernet(IfIndex(index), name));
        Self { links: links.collect(), addresses: Vec::new() }
    }

    /// The interface of this name.
    pub fn by_name(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The interface of this number.
    pub fn by_index(&self, index: IfIndex) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// The addresses of an interface.
    pub fn addresses_of(&self, index: IfIndex) -> impl Iterator<Item = &Address> {
        self.addresses.iter().filter(move |address| address.interface == index)
    }
}
