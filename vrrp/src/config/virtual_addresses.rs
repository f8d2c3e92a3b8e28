//! On which interface each address of an instance is put.

use conf_parser::Place;

use super::Address;
use super::address_entry::{AddressDraft, longest_prefix};
use super::context::Context;
use super::garp_keywords::ExtraInterfaces;
use crate::packet::Family;

/// What decides where the addresses of an instance are put.
pub(super) struct Placing<'p, 'm> {
    pub(super) instance: &'p str,
    pub(super) family: Family,
    pub(super) interface: Option<&'p str>,
    pub(super) has_vmac: bool,
    /// Whether all addresses that are not on the instance's own VMAC get one of their own.
    pub(super) address_vmacs: bool,
    /// What interfaces the addresses are on, other than that of the adverts.
    pub(super) extra: ExtraInterfaces,
    pub(super) context: &'p mut Context<'m>,
}

impl Placing<'_, '_> {
    /// The addresses that have an interface. `kind` is what messages call them.
    pub(super) fn finish(&mut self, drafts: Vec<AddressDraft>, kind: &str) -> Vec<Address> {
        let mut addresses = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let place = draft.place();
            let Some(mut address) = draft.finish(self.context) else { continue };
            if address.interface.as_deref() == self.interface {
                address.interface = None;
            }
            self.settle_vmac(&mut address, place);
            if self.interface.is_none() && address.interface.is_none() {
                address.interface = self.default_interface(&address, kind, place);
                if address.interface.is_none() {
                    continue;
                }
            }
            self.note_interface(&address);
            addresses.push(address);
        }
        addresses
    }

    /// Whether an address is on the VMAC that the instance has anyway.
    fn is_on_own_vmac(&self, address: &Address) -> bool {
        self.has_vmac && address.interface.is_none() && address.family() == self.family
    }

    /// Whether the address gets a VMAC of its own.
    fn settle_vmac(&mut self, address: &mut Address, place: Place) {
        let elsewhere = address.interface.is_some() || address.family() != self.family;
        let by_instance = self.address_vmacs && elsewhere;
        if address.use_vmac {
            let text = if self.is_on_own_vmac(address) {
                format!(
                    "({}) use_vmac specified for VIP/eVIP {} and vrrp instance",
                    self.instance,
                    Shown(address)
                )
            } else if by_instance {
                format!(
                    "({}) use_vmac_addr specified and use_vmac specified for VIP/eVIP {}",
                    self.instance,
                    Shown(address)
                )
            } else {
                return;
            };
            self.context.report_later(place, text);
        }
        address.use_vmac = by_instance;
    }

    /// The interface of an address where neither it nor the instance has one.
    fn default_interface(&mut self, address: &Address, kind: &str, place: Place) -> Option<String> {
        let vrrp = &self.context.global.vrrp;
        let name = vrrp.default_interface.clone();
        if vrrp.dynamic_interfaces || self.context.link(&name).is_some() {
            return Some(name);
        }
        let text =
            format!("({}): no interface for {kind} {} - removing", self.instance, Shown(address));
        self.context.report_later(place, text);
        None
    }

    fn note_interface(&mut self, address: &Address) {
        let on_adverts_interface =
            if self.has_vmac { self.is_on_own_vmac(address) } else { address.interface.is_none() };
        if address.use_vmac {
            self.extra.vmac = true;
        } else if !on_adverts_interface {
            self.extra.plain = true;
        }
    }
}

/// An address as messages show it: the length of its prefix only where it is not all of it.
struct Shown<'a>(&'a Address);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Address { address, prefix_len, .. } = self.0;
        write!(f, "{address}")?;
        if *prefix_len != longest_prefix(*address) {
            write!(f, "/{prefix_len}")?;
        }
        Ok(())
    }
}
