//! The interface of an instance: whether it will do, and whether there is one of its own upon it.

use conf_parser::Spanned;
use runtime::machine::{Hardware, LinkFlags};

use super::{Finish, Workshop};
use crate::config::instance::{Ipvlan, OwnInterface, Vmac};
use crate::config::own_interface::{VmacDraft, find_group, usable_ipvlan_name, usable_vmac_name};
use crate::packet::Family;

impl Finish<'_, '_, '_> {
    pub(super) fn own_interface(&mut self) -> OwnInterface {
        let wants_vmac = self.draft.vmac.is_some();
        let wants_own = wants_vmac || self.draft.ipvlan.is_some();
        let mut xmit_base = self.draft.xmit_base;
        if wants_own && self.draft.unicast.configured {
            if self.interface.is_none() {
                let text = format!(
                    "({}): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac",
                    self.draft.name()
                );
                self.workshop.context.report_block(self.draft.block, text);
                self.draft.vmac = None;
                self.draft.ipvlan = None;
            } else if !xmit_base {
                let text = format!(
                    "({}) unicast with use_vmac requires vmac_xmit_base - setting",
                    self.draft.name()
                );
                self.workshop.context.report_block(self.draft.block, text);
                xmit_base = true;
            }
        }
        if wants_own && self.link.is_some_and(|link| link.hardware != Hardware::ETHERNET) {
            let text = format!(
                "({}): vmacs are only supported on Ethernet type interfaces",
                self.draft.name()
            );
            self.workshop.context.report_later(self.draft.place(), text);
            self.draft.vmac = None;
            self.draft.ipvlan = None;
            self.defective = true;
        }
        if xmit_base && self.draft.vmac.is_none() {
            self.report("vmac_xmit_base is only valid with a vmac");
        }
        if self.draft.ipvlan.is_some() {
            return self.ipvlan();
        }
        match self.draft.vmac.take() {
            None => OwnInterface::None,
            Some(vmac) => OwnInterface::Vmac(Box::new(self.vmac(*vmac, xmit_base))),
        }
    }

    fn vmac(&mut self, vmac: VmacDraft, xmit_base: bool) -> Vmac {
        let mut mac = vmac.mac.map(|mac| mac.finish(self.vrid.0));
        if self.strict && mac.is_some() {
            let text = format!(
                "({}): cannot specify MAC address with strict mode - clearing",
                self.draft.name()
            );
            self.workshop.context.report_later(self.draft.place(), text);
            mac = None;
        }
        if self.strict && xmit_base {
            self.report("xmit_base is incompatible with strict mode - resetting");
        }
        let name = vmac.name.filter(|name| self.claim(name));
        let context = &mut *self.workshop.context;
        Vmac {
            name: name.and_then(|name| usable_vmac_name(name, self.draft.name(), context)),
            mac,
            xmit_base: xmit_base && !self.strict,
            netlink_notify: vmac.netlink_notify,
            group: find_group(vmac.group.as_ref(), "VMAC", context),
        }
    }

    fn ipvlan(&mut self) -> OwnInterface {
        let Some(ipvlan) = self.draft.ipvlan.take() else { return OwnInterface::None };
        match ipvlan.address {
            None if self.family == Family::V4 => {
                self.report(
                    "IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state",
                );
                self.defective = true;
            }
            Some((address, _)) if Family::of(address) != self.family => {
                self.report(
                    "IPv4 ipvlan address family does not match instance. setting instance to fault state",
                );
                self.defective = true;
            }
            _ => {}
        }
        let name = ipvlan.name.filter(|name| self.claim(name));
        let context = &mut *self.workshop.context;
        OwnInterface::Ipvlan(Box::new(Ipvlan {
            name: name.and_then(|name| usable_ipvlan_name(name, self.draft.name(), context)),
            address: ipvlan.address,
            mode: ipvlan.mode.unwrap_or_default(),
            group: find_group(ipvlan.group.as_ref(), "ipvlan", context),
        }))
    }

    /// Whether no other instance has an interface of this name.
    fn claim(&mut self, interface: &Spanned<String>) -> bool {
        let Workshop { own_interfaces, context, .. } = &mut *self.workshop;
        if let Some(other) = own_interfaces.get(&interface.value) {
            let text = format!(
                "({}) VRRP instance {other} is already using {} - ignoring name",
                self.draft.name(),
                interface.value
            );
            context.report(interface.place, text);
            return false;
        }
        own_interfaces.insert(interface.value.clone(), self.draft.name().to_owned());
        true
    }

    pub(super) fn link_has(&self, flags: LinkFlags) -> bool {
        self.link.is_some_and(|link| link.flags.contains(flags))
    }

    pub(super) fn check_link(&mut self) {
        let Some(link) = self.link else { return };
        if !link.flags.contains(LinkFlags::MULTICAST) && !self.unicast {
            let message = format!(
                "interface {} does not support multicast, specify unicast peers - disabling",
                link.name
            );
            self.report(&message);
            self.defective = true;
        }
        if link.flags.contains(LinkFlags::NO_ARP) && !link.flags.contains(LinkFlags::POINT_TO_POINT)
        {
            self.note("disabling ARP since interface does not support it");
        }
    }

    pub(super) fn vrf(&mut self) -> Option<String> {
        let vrf = self.draft.vrf.take()?;
        let name = self.draft.name();
        let context = &mut *self.workshop.context;
        context
            .interface_known(&vrf.value, vrf.place, || {
                format!("({name}) WARNING - VRF interface {} doesn't exist", vrf.value)
            })
            .then_some(())?;
        if context.link(&vrf.value).is_some_and(|link| link.hardware == Hardware::LOOPBACK) {
            let text = format!(
                "({name}) cannot use a loopback interface ({}) for VRF - ignoring",
                vrf.value
            );
            context.report(vrf.place, text);
            return None;
        }
        let wrong = match (&self.interface, self.unicast) {
            (Some(_), _) => "vrf can only be specified without interface - clearing",
            (None, false) => "vrf can only be specified with unicast - clearing",
            (None, true) => return Some(vrf.value),
        };
        self.report(wrong);
        None
    }
}
