//! Instances that get into each other's way: the same virtual router on the same wire, the same VMAC.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;

use conf_parser::{Class, Place};

use super::context::Context;
use super::instance::{Instance, OwnInterface, Transport};
use super::{Address, Config};
use crate::packet::{Family, Vrid};

/// Reports the conflicts. Two of the same virtual router keep the child from running; a shared VMAC makes one of the
/// instances defective.
pub(super) fn check(config: &mut Config, places: &[Place], context: &mut Context<'_>) {
    check_vrids(config, places, context);
    check_vmacs(config, places, context);
}

/// What virtual routers that hear each other's adverts agree in.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Wire<'c> {
    Multicast { base: &'c str, group: IpAddr },
    Unicast { source: IpAddr },
}

fn check_vrids(config: &Config, places: &[Place], context: &mut Context<'_>) {
    let mut seen: HashMap<(Family, Vrid, Wire<'_>), Vec<usize>> =
        HashMap::with_capacity(config.instances.len());
    for (index, instance) in config.instances.iter().enumerate() {
        let Some(wire) = wire_of(instance, context) else { continue };
        let others = seen.entry((instance.family, instance.vrid, wire)).or_default();
        for &other in others.iter() {
            let Some(first) = config.instances.get(other) else { continue };
            let place = places.get(index).copied().unwrap_or_default();
            match conflict(first, instance, context) {
                Conflict::None => {}
                Conflict::Fatal(text) => context.refuse(place, text),
                Conflict::ForNow => {
                    let text = format!(
                        "({}) - warning, VRID {} for IPv{} is currently duplicated on {}",
                        first.name,
                        instance.vrid.0,
                        number_of(instance.family),
                        instance.name
                    );
                    context.note(place, text);
                }
            }
        }
        others.push(index);
    }
}

fn number_of(family: Family) -> u8 {
    if family == Family::V4 { 4 } else { 6 }
}

/// The wire of an instance, if it is known yet.
fn wire_of<'c>(instance: &'c Instance, context: &Context<'c>) -> Option<Wire<'c>> {
    match &instance.transport {
        Transport::Multicast { group } => {
            let base = context.base_of(instance.interface.as_deref()?);
            Some(Wire::Multicast { base, group: *group })
        }
        Transport::Unicast(_) => {
            let source = instance
                .source
                .or_else(|| context.first_address(instance.interface.as_deref()?, instance.family));
            Some(Wire::Unicast { source: source? })
        }
    }
}

enum Conflict {
    None,
    /// The child cannot run.
    Fatal(String),
    /// The interface may turn into another one. The daemon looks again whenever one does.
    ForNow,
}

fn conflict(first: &Instance, second: &Instance, context: &Context<'_>) -> Conflict {
    let vrid = second.vrid.0;
    let (Transport::Unicast(one), Transport::Unicast(other)) =
        (&first.transport, &second.transport)
    else {
        let interface = second.interface.as_deref().unwrap_or("");
        if context.global.vrrp.allow_if_changes {
            return Conflict::ForNow;
        }
        if context.link(interface).is_none() {
            return Conflict::None;
        }
        return Conflict::Fatal(format!(
            "{} and {} both use VRID {vrid} with IPv{} on interface {}",
            first.name,
            second.name,
            number_of(second.family),
            context.base_of(interface)
        ));
    };
    if let (Some(one), Some(other)) = (&first.interface, &second.interface) {
        if one != other {
            return Conflict::None;
        }
    }
    let peers: HashSet<IpAddr> = one.peers.iter().map(|peer| peer.address).collect();
    if other.peers.iter().any(|peer| peers.contains(&peer.address)) {
        return Conflict::Fatal(format!(
            "({}) duplicate VRID conflict with {} VRID {vrid}",
            first.name, second.name
        ));
    }
    Conflict::None
}

/// What makes two VMACs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct VmacKey<'c> {
    vrid: Vrid,
    base: &'c str,
    family: Family,
    mac: Option<[u8; 6]>,
}

impl<'c> VmacKey<'c> {
    fn of_instance(instance: &'c Instance) -> Option<Self> {
        let OwnInterface::Vmac(vmac) = &instance.own_interface else { return None };
        Some(Self {
            vrid: instance.vrid,
            base: instance.interface.as_deref()?,
            family: instance.family,
            mac: vmac.mac,
        })
    }

    fn of_address(instance: &'c Instance, address: &'c Address) -> Option<Self> {
        let mac = match &instance.own_interface {
            OwnInterface::Vmac(vmac) => vmac.mac,
            OwnInterface::None | OwnInterface::Ipvlan(_) => None,
        };
        let family = address.family();
        let own = address.interface.is_none() && family == instance.family && instance.has_vmac();
        if !own && !address.use_vmac {
            return None;
        }
        let base = address.interface.as_deref().or(instance.interface.as_deref())?;
        Some(Self { vrid: instance.vrid, base, family, mac })
    }
}

fn check_vmacs(config: &mut Config, places: &[Place], context: &mut Context<'_>) {
    let mut users: HashMap<VmacKey<'_>, Vec<(usize, &Address)>> = HashMap::new();
    let mut disabled = Vec::new();
    for (index, instance) in config.instances.iter().enumerate() {
        let mine = instance.all_addresses();
        let mine: Vec<_> = mine
            .filter_map(|address| Some((VmacKey::of_address(instance, address)?, address)))
            .collect();
        let keys: HashSet<_> = VmacKey::of_instance(instance)
            .into_iter()
            .chain(mine.iter().map(|(key, _)| *key))
            .collect();
        for key in keys {
            let others = users.get(&key).into_iter().flatten();
            let other = others
                .filter_map(|&(other, address)| Some((config.instances.get(other)?, address)))
                .find(|(other, _)| other.group.is_none() || other.group != instance.group);
            if let Some((other, address)) = other {
                let text = format!(
                    "({}) VIP/eVIP {} uses same VMAC as VRRP instance {}, disabling {}",
                    other.name, address.address, instance.name, instance.name
                );
                // A test of the original has no VMACs yet, and does not see it.
                let place = places.get(index).copied().unwrap_or_default();
                context.diagnostics.report_later(Class::Harmless, place, text);
                disabled.push(index);
            }
        }
        for (key, address) in mine {
            users.entry(key).or_default().push((index, address));
        }
    }
    for index in disabled {
        if let Some(instance) = config.instances.get_mut(index).map(Rc::make_mut) {
            instance.defective = true;
        }
    }
}
