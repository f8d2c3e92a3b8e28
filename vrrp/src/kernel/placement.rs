//! Where the things of a configuration are to be on this machine.

use runtime::machine::{Address, IfIndex, LinkFlags, Route};

use super::own_links::{Key, OwnLinks};
use super::{Desired, addresses, routes};
use crate::config::{self, Config};
use crate::interfaces::{Interface, Interfaces};
use crate::packet::Family;

/// An instance, and its interfaces as far as they are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    /// Its configuration.
    pub config: &'a config::Instance,
    /// The interface that it is on.
    pub base: Option<IfIndex>,
    /// The interface that is made for its adverts.
    pub own: Option<IfIndex>,
}

impl Owner<'_> {
    /// Where addresses of a family live that name no interface: those of the adverts' family on the VMAC.
    pub(crate) fn home(&self, family: Family) -> Option<IfIndex> {
        let on_vmac = self.config.has_vmac() && family == self.config.family;
        if on_vmac { self.own } else { self.base }
    }
}

/// What the interfaces of this machine say about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placement<'a> {
    /// All interfaces.
    pub interfaces: &'a Interfaces,
    /// Those that we have made.
    pub own_links: &'a OwnLinks,
    /// The number that marks addresses as ours.
    pub protocol: u8,
}

impl Placement<'_> {
    /// What is to be there for the static part of `config`, and for the instances that hold what is theirs.
    pub(crate) fn desired(&self, config: &Config, holders: &[Owner<'_>]) -> Desired {
        let fixed = config.static_addresses.iter().map(|address| (address, None));
        let held = holders.iter().flat_map(|&owner| {
            owner.config.all_addresses().map(move |address| (address, Some(owner)))
        });
        let placed = fixed.chain(held).filter_map(|(address, owner)| self.address(address, owner));
        let addresses = self.own_links.addresses(self.interfaces).into_iter().chain(placed);
        let routes = holders.iter().flat_map(|owner| &owner.config.routes);
        let routes = config.static_routes.iter().chain(routes);
        let rules = holders.iter().flat_map(|owner| &owner.config.rules);
        let rules = config.static_rules.iter().chain(rules);
        Desired {
            addresses: addresses.collect(),
            routes: routes.filter_map(|route| self.route(route)).collect(),
            rules: rules.map(|rule| rule.wanted.clone()).collect(),
        }
    }

    /// A configured address as it is to be in the kernel; `None` while its interface is missing.
    pub(crate) fn address(
        &self,
        address: &config::Address,
        owner: Option<Owner<'_>>,
    ) -> Option<Address> {
        let interface = match (&address.interface, owner) {
            (_, Some(owner)) if address.use_vmac => {
                self.own_links.index(&Key::of_address(owner.config, address)?)
            }
            (Some(name), _) => Some(self.interfaces.by_name(name)?.link().index),
            (None, owner) => owner?.home(address.family()),
        };
        Some(addresses::on_interface(address, interface?, self.protocol))
    }

    /// A configured route as it is to be in the kernel; `None` while its interface is missing or down, since the kernel
    /// has no routes there.
    pub(crate) fn route(&self, route: &config::Route) -> Option<Route> {
        let link = |name: &str| self.interfaces.by_name(name).map(Interface::link);
        let single = route.interface.as_deref().filter(|_| route.next_hops.is_empty());
        if single
            .is_some_and(|name| !link(name).is_some_and(|one| one.flags.contains(LinkFlags::UP)))
        {
            return None;
        }
        routes::on_machine(route, |name| link(name).map(|one| one.index))
    }
}
