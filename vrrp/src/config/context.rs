//! What the values of a configuration are held against: the machine, the settings of the daemon, names.

use std::collections::HashMap;
use std::net::IpAddr;

use conf_parser::{Class, Diagnostics, Extent, Place, Spanned, did_you_mean};
use runtime::global::Global;
use runtime::machine::{IfIndex, Link, Machine};

use super::TrackGroupId;
use super::iproute_names::Names;
use crate::packet::Family;

/// The priority of the first rule that gives none; the next one is one smaller.
const FIRST_RULE_PRIORITY: u32 = 16_384;

/// What the values of a configuration are held against.
pub(super) struct Context<'a> {
    pub(super) global: &'a Global,
    pub(super) machine: &'a Machine,
    pub(super) diagnostics: &'a mut Diagnostics,
    pub(super) names: Names,
    /// The track groups that static addresses, routes and rules may name.
    pub(super) track_groups: HashMap<String, TrackGroupId>,
    links: HashMap<&'a str, &'a Link>,
    by_index: HashMap<IfIndex, &'a Link>,
    interface_missing: bool,
    usable: bool,
    rule_priorities: [u32; 2],
}

impl<'a> Context<'a> {
    pub(super) fn new(
        global: &'a Global,
        machine: &'a Machine,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        let vrrp = &global.vrrp;
        Self {
            global,
            machine,
            diagnostics,
            names: Names::new(&vrrp.iproute_etc_dir, &vrrp.iproute_usr_dir),
            track_groups: HashMap::new(),
            links: machine.links.iter().map(|link| (link.name.as_str(), link)).collect(),
            by_index: machine.links.iter().map(|link| (link.index, link)).collect(),
            interface_missing: false,
            usable: true,
            rule_priorities: [FIRST_RULE_PRIORITY; 2],
        }
    }

    /// Reports an error in the configuration.
    pub(super) fn report(&mut self, place: Place, message: impl Into<String>) {
        self.diagnostics.report(Class::GeneralError, place, message);
    }

    /// Reports an error in the configuration, with a way out where there is one.
    pub(super) fn report_with_hint(&mut self, place: Place, message: String, hint: Option<String>) {
        match hint {
            Some(hint) => {
                self.diagnostics.report_with_hint(Class::GeneralError, place, message, hint);
            }
            None => self.report(place, message),
        }
    }

    /// Reports an error in what a block says as a whole.
    pub(super) fn report_block(&mut self, block: Extent, message: impl Into<String>) {
        self.diagnostics.report_block(Class::GeneralError, block, message);
    }

    /// Reports an error that shows only when everything is known.
    pub(super) fn report_later(&mut self, place: Place, message: impl Into<String>) {
        self.diagnostics.report_later(Class::GeneralError, place, message);
    }

    /// As [`Self::report_later`], for an error with which the VRRP child cannot run at all.
    pub(super) fn refuse(&mut self, place: Place, message: impl Into<String>) {
        self.usable = false;
        self.report_later(place, message);
    }

    /// Writes a line to the log that is no error of the configuration.
    pub(super) fn note(&mut self, place: Place, message: impl Into<String>) {
        self.diagnostics.report(Class::Notice, place, message);
    }

    /// The interface of this name, if it is there.
    pub(super) fn link(&self, name: &str) -> Option<&'a Link> {
        self.links.get(name).copied()
    }

    /// Whether an interface may be used: it is there, or may come later. Otherwise `message` is reported, and the
    /// configuration cannot be used.
    pub(super) fn interface_known(
        &mut self,
        name: &str,
        place: Place,
        message: impl FnOnce() -> String,
    ) -> bool {
        if self.links.contains_key(name) {
            return true;
        }
        if self.global.vrrp.dynamic_interfaces {
            let text = format!(
                "Configuration specifies interface {name} which doesn't currently exist - will use if created"
            );
            self.note(place, text);
            return true;
        }
        self.interface_missing = true;
        let hint = did_you_mean(name, self.links.keys().copied());
        self.report_with_hint(place, message(), hint);
        false
    }

    /// As [`Self::interface_known`], for a name that may not be given.
    pub(super) fn optional_interface_known(
        &mut self,
        name: Option<&Spanned<String>>,
        message: impl FnOnce(&str) -> String,
    ) -> bool {
        name.is_none_or(|name| {
            self.interface_known(&name.value, name.place, || message(&name.value))
        })
    }

    /// Whether the interface for what names none may be used.
    pub(super) fn default_interface_known(&mut self, name: &str) -> bool {
        let known = self.global.vrrp.dynamic_interfaces || self.links.contains_key(name);
        self.interface_missing |= !known;
        known
    }

    /// The first address of an interface that adverts of this family can come from.
    pub(super) fn first_address(&self, interface: &str, family: Family) -> Option<IpAddr> {
        let index = self.link(interface)?.index;
        let mut addresses = self.machine.addresses_of(index).map(|address| address.local);
        addresses.find(|address| match (address, family) {
            (IpAddr::V4(_), Family::V4) => true,
            (IpAddr::V6(address), Family::V6) => address.is_unicast_link_local(),
            _ => false,
        })
    }

    /// Whether changes of state are mailed where an object does not say.
    pub(super) fn default_alert(&self) -> bool {
        let mail = &self.global.mail;
        mail.alert_vrrp.or(mail.alert).unwrap_or(false)
    }

    /// Whether an interface was named that is not there and may not come later.
    pub(super) fn is_interface_missing(&self) -> bool {
        self.interface_missing
    }

    /// Whether the VRRP child can run with what was found.
    pub(super) fn is_usable(&self) -> bool {
        self.usable && !self.interface_missing
    }

    /// Whether an interface stands on another one and shares its wire.
    pub(super) fn is_vmac(&self, name: &str) -> bool {
        self.link(name).is_some_and(shares_wire)
    }

    /// The interface whose wire `name` uses: the parent of a VMAC, otherwise itself.
    pub(super) fn base_of<'n>(&self, name: &'n str) -> &'n str
    where
        'a: 'n,
    {
        let link = self.link(name).filter(|link| shares_wire(link));
        let parent = link.and_then(|link| link.parent);
        let parent = parent.and_then(|index| self.by_index.get(&index)).copied();
        parent.map_or(name, |link| link.name.as_str())
    }

    /// The priority of a rule that gives none.
    pub(super) fn next_rule_priority(&mut self, family: Family) -> u32 {
        let [v4, v6] = &mut self.rule_priorities;
        let next = match family {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        let priority = *next;
        *next = next.saturating_sub(1);
        priority
    }
}

fn shares_wire(link: &Link) -> bool {
    matches!(link.kind.as_str(), "macvlan" | "ipvlan")
}
