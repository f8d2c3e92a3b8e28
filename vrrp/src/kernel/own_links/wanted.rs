//! Which interfaces a configuration asks us to make.

use std::net::IpAddr;

use runtime::global::VrrpDefaults;
use runtime::netlink::LinkKind;

use crate::config::instance::{Ipvlan, IpvlanMode, OwnInterface, Vmac};
use crate::config::{Address, Config, Instance};
use crate::packet::Family;

/// What tells an interface of ours from the others: no two of them agree in this.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A VMAC. Whoever wants the same address on the same interface shares it.
    Vmac {
        /// The interface below, as the configuration calls it.
        parent: String,
        /// Its hardware address.
        mac: [u8; 6],
    },
    /// An ipvlan interface.
    Ipvlan {
        /// The interface below, as the configuration calls it.
        parent: String,
        /// Number of its virtual router.
        vrid: u8,
        /// Family of its virtual router.
        family: Family,
    },
}

impl Key {
    /// The interface that `instance` has for its adverts.
    pub(crate) fn of_instance(instance: &Instance) -> Option<Self> {
        let parent = instance.interface.clone()?;
        let (vrid, family) = (instance.vrid.0, instance.family);
        match &instance.own_interface {
            OwnInterface::None => None,
            OwnInterface::Vmac(_) => Some(Key::Vmac { parent, mac: mac(instance, family) }),
            OwnInterface::Ipvlan(_) => Some(Key::Ipvlan { parent, vrid, family }),
        }
    }

    /// The VMAC that `address` of `instance` has for itself.
    pub(crate) fn of_address(instance: &Instance, address: &Address) -> Option<Self> {
        if !address.use_vmac {
            return None;
        }
        let parent = address.interface.clone().or_else(|| instance.interface.clone())?;
        Some(Key::Vmac { parent, mac: mac(instance, address.family()) })
    }

    /// The interface below.
    pub(crate) fn parent(&self) -> &str {
        match self {
            Key::Vmac { parent, .. } | Key::Ipvlan { parent, .. } => parent,
        }
    }
}

/// The hardware address of the VMACs of `instance`: its own, or that of the protocol (RFC 9568 §7.3).
fn mac(instance: &Instance, family: Family) -> [u8; 6] {
    let configured = match &instance.own_interface {
        OwnInterface::Vmac(vmac) => vmac.mac,
        OwnInterface::None | OwnInterface::Ipvlan(_) => None,
    };
    let family = match family {
        Family::V4 => 1,
        Family::V6 => 2,
    };
    configured.unwrap_or([0x00, 0x00, 0x5e, 0x00, family, instance.vrid.0])
}

/// An interface that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What tells it from the others.
    pub key: Key,
    /// The first instance that asks for it, for the log.
    pub user: String,
    /// What it is.
    pub kind: LinkKind,
    /// Family of what it is for.
    pub family: Family,
    /// Name of the interface; `None` makes one from the prefix and the VRID.
    pub name: Option<String>,
    /// What made names begin with.
    pub prefix: String,
    /// What made names end with.
    pub vrid: u8,
    /// Interface group; `None` is that of the interface below.
    pub group: Option<u32>,
    /// Whether something is of the other family, too.
    pub both_families: bool,
    /// Whether the kernel is to tell about the interface below afterwards.
    pub notify: bool,
    /// Where it gets an IPv6 address of the link from.
    pub link_local: LinkLocal,
    /// An address that it is to have.
    pub address: Option<(IpAddr, u8)>,
}

impl Wanted {
    /// Whether a family is spoken on it.
    pub(crate) fn speaks(&self, family: Family) -> bool {
        self.both_families || family == self.family
    }
}

/// Where a VMAC gets an address for adverts over IPv6 from. It is not made from the virtual MAC address (RFC 9568
/// §7.4), since two routers would then have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkLocal {
    /// It needs none.
    None,
    /// From the interface below, or made from its hardware address.
    OfParent,
    /// From the configuration.
    Given(IpAddr),
}

/// The interfaces that `config` asks for. Those of the instances come before those of their addresses.
pub(crate) fn wanted(config: &Config, vrrp: &VrrpDefaults) -> Vec<Wanted> {
    let mut found = Vec::new();
    for instance in &config.instances {
        found.extend(of_instance(instance, vrrp));
        let addresses = instance.all_addresses();
        found.extend(addresses.filter_map(|address| of_address(instance, address, vrrp)));
    }
    found
}

fn of_instance(instance: &Instance, vrrp: &VrrpDefaults) -> Option<Wanted> {
    let key = Key::of_instance(instance)?;
    let other_family = |address: &Address| address.family() != instance.family;
    let wanted = Wanted {
        user: instance.name.clone(),
        kind: LinkKind::PrivateMacvlan { mac: mac(instance, instance.family) },
        family: instance.family,
        name: None,
        prefix: vrrp.vmac_prefix.clone(),
        vrid: instance.vrid.0,
        group: None,
        both_families: instance.excluded.iter().any(other_family),
        notify: false,
        link_local: LinkLocal::None,
        address: None,
        key,
    };
    match &instance.own_interface {
        OwnInterface::None => None,
        OwnInterface::Vmac(vmac) => {
            let Vmac { name, xmit_base, netlink_notify, group, .. } = &**vmac;
            let link_local = match (instance.family, xmit_base, instance.source) {
                (Family::V4, _, _) | (_, true, _) => LinkLocal::None,
                (Family::V6, false, None) => LinkLocal::OfParent,
                (Family::V6, false, Some(source)) => LinkLocal::Given(source),
            };
            let (name, group, notify) = (name.clone(), *group, *netlink_notify);
            Some(Wanted { name, group, notify, link_local, ..wanted })
        }
        OwnInterface::Ipvlan(ipvlan) => {
            let Ipvlan { name, address, mode, group } = &**ipvlan;
            let flags = match mode {
                IpvlanMode::Bridge => 0,
                IpvlanMode::Private => 1,
                IpvlanMode::Vepa => 2,
            };
            let kind = LinkKind::Ipvlan { flags };
            let (name, group, address) = (name.clone(), *group, *address);
            Some(Wanted { kind, name, group, address, ..wanted })
        }
    }
}

fn of_address(instance: &Instance, address: &Address, vrrp: &VrrpDefaults) -> Option<Wanted> {
    let family = address.family();
    Some(Wanted {
        key: Key::of_address(instance, address)?,
        user: instance.name.clone(),
        kind: LinkKind::PrivateMacvlan { mac: mac(instance, family) },
        family,
        name: None,
        prefix: vrrp.vmac_addr_prefix.clone(),
        vrid: instance.vrid.0,
        group: None,
        both_families: false,
        notify: false,
        link_local: if family == Family::V6 { LinkLocal::OfParent } else { LinkLocal::None },
        address: None,
    })
}
