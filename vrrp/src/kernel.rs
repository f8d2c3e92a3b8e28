//! What the engine wants to be in the kernel, and what it has put there.
//!
//! There is one operation: [`Ledger::reconcile`] compares what is desired with what is known to be there and asks for the
//! difference in one batch. Becoming master and leaving, a reload, an address that somebody else has taken away, shutdown
//! and the remains of a killed process are all the same to it; they differ in what is desired and in what is known.
//!
//! Everything is wanted by the union of all instances: what moves from one to another in a reload stays where it is.

pub(crate) mod address_protocol;
mod addresses;
pub(crate) mod firewall;
mod note;
mod objects;
pub(crate) mod own_links;
pub(crate) mod placement;
pub(crate) mod remains;
mod routes;
mod rules;
pub(crate) mod sysctl;

use runtime::machine::{Address, AddressKey, Machine, Route, Rule};
use runtime::netlink::{Event, NetlinkError, Request};

use addresses::Addresses;
use objects::{Object, Objects};

/// The protocol number that marks addresses, routes and rules as ours, where the machine gives us no other.
pub(crate) const PROTOCOL: u8 = 18;

/// What should be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Desired {
    /// Addresses, in the order in which they are to be added: the first one of a subnet is its primary one. Where two
    /// agree in their [`AddressKey`], the first counts.
    pub addresses: Vec<Address>,
    /// Routes, in the order in which they are to be added.
    pub routes: Vec<Route>,
    /// Policy rules.
    pub rules: Vec<Rule>,
}

/// What is there of ours, as far as we know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    addresses: Addresses,
    routes: Objects<Route>,
    rules: Objects<Rule>,
}

impl Ledger {
    /// Makes the kernel hold what is `desired`, and nothing else that is ours. `execute` asks the kernel
    /// ([`runtime::netlink::Client::execute`]); it is not called when all is as it should be.
    ///
    /// Returns what could not be done. It is tried again whenever this is called, but told only when the reason is new.
    pub(crate) fn reconcile(
        &mut self,
        desired: &Desired,
        execute: impl FnOnce(&[Request]) -> Vec<Result<(), NetlinkError>>,
    ) -> Vec<NetlinkError> {
        let requests = self.plan(desired);
        if requests.is_empty() {
            return Vec::new();
        }
        let outcomes = execute(&requests);
        let mut failures = Vec::new();
        for (request, outcome) in requests.into_iter().zip(outcomes) {
            let failure = match request {
                Request::AddAddress(address) => self.addresses.added(address, outcome),
                Request::RemoveAddress(address) => self.addresses.removed(&address, outcome),
                Request::AddRoute(route) => self.routes.added(*route, outcome),
                Request::RemoveRoute(route) => self.routes.removed(&route, outcome),
                Request::AddRule(rule) => self.rules.added(*rule, outcome),
                Request::RemoveRule(rule) => self.rules.removed(&rule, outcome),
                // They are none of what is planned here.
                Request::ConfigureIpv4 { .. }
                | Request::CreateLink(_)
                | Request::ChangeLink(..)
                | Request::RemoveLink(_)
                | Request::RemoveLinkGroup(_) => outcome.err(),
            };
            failures.extend(failure);
        }
        failures
    }

    /// A route may need an address, and a rule leads to routes: they come in this order and go in the opposite one. But
    /// while something is new, what is old goes last, so that packets find their way all the time.
    fn plan(&mut self, desired: &Desired) -> Vec<Request> {
        let rules = self.rules.plan(&desired.rules);
        let routes = self.routes.plan(&desired.routes);
        let removals = |rules: &[Rule], routes: &[Route]| -> Vec<Request> {
            let rules = rules.iter().map(Object::remove);
            rules.chain(routes.iter().map(Object::remove)).collect()
        };
        let mut requests = removals(&rules.before, &routes.before);
        let surplus = removals(&rules.surplus, &routes.surplus);
        let addresses = self.addresses.plan(&desired.addresses);
        if rules.add.is_empty() && routes.add.is_empty() {
            requests.extend(surplus);
            requests.extend(addresses);
            return requests;
        }
        requests.extend(addresses);
        requests.extend(routes.add.iter().map(Object::add));
        requests.extend(rules.add.iter().map(Object::add));
        requests.extend(surplus);
        requests
    }

    /// Takes in what the kernel has told. [`Event::Overrun`] asks for [`Ledger::resync`] and changes nothing here.
    pub(crate) fn on_event(&mut self, event: &Event) {
        match event {
            Event::AddressAdded(address) => self.addresses.appeared(address.key()),
            Event::AddressRemoved(address) => {
                self.addresses.vanished(address.key());
                self.routes.doubt(|route| routes::after_removal_of(address, route));
            }
            Event::LinkGone { index, .. } => {
                self.addresses.interface_gone(*index);
                self.routes.doubt(|route| routes::after_loss_of(*index, route));
            }
            Event::LinkChanged(link) => {
                self.routes.doubt(|route| routes::after_change_of(link, route));
            }
            Event::RouteRemoved(route) => self.routes.vanished(route),
            Event::RuleRemoved(rule) => self.rules.vanished(rule),
            Event::RouteAdded(_) | Event::RuleAdded(_) | Event::Overrun => {}
        }
    }

    /// Whether asking again may change something: what was refused may be possible now, and what the kernel may have
    /// removed silently is to be put back.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.routes.is_unsettled() || self.rules.is_unsettled()
    }

    /// What somebody else has taken away since the last call, although it was wanted. [`Ledger::reconcile`] puts it
    /// back.
    pub(crate) fn take_lost(&mut self) -> Vec<Address> {
        self.addresses.take_lost()
    }

    /// Leaves a lost address to whoever has taken it away, until it is not wanted any more.
    pub(crate) fn give_up(&mut self, key: AddressKey) {
        self.addresses.give_up(key);
    }

    /// As [`Self::take_lost`], of routes.
    pub(crate) fn take_lost_routes(&mut self) -> Vec<Route> {
        self.routes.take_lost()
    }

    /// As [`Self::take_lost`], of rules.
    pub(crate) fn take_lost_rules(&mut self) -> Vec<Rule> {
        self.rules.take_lost()
    }

    /// What the kernel has shown of a lost route when it went.
    pub(crate) fn last_seen(&self, route: &Route) -> Option<&Route> {
        self.routes.last_seen(route)
    }

    /// Leaves a lost route to whoever has taken it away.
    pub(crate) fn give_up_route(&mut self, route: &Route) {
        self.routes.give_up(route);
    }

    /// Leaves a lost rule to whoever has taken it away.
    pub(crate) fn give_up_rule(&mut self, rule: &Rule) {
        self.rules.give_up(rule);
    }

    /// Whether there are routes of ours, or rules.
    pub(crate) fn has_routes_or_rules(&self) -> bool {
        !self.routes.is_empty() || !self.rules.is_empty()
    }

    /// Takes in a fresh snapshot, after messages of the kernel were lost.
    pub(crate) fn resync(&mut self, machine: &Machine) {
        self.addresses.resync(machine);
    }

    /// As [`Self::resync`], of all routes that are marked with `protocol`, and all rules.
    pub(crate) fn resync_routes(&mut self, protocol: u8, routes: &[Route], rules: &[Rule]) {
        self.routes.resync(routes, |route| route.protocol == protocol);
        self.rules.resync(rules, |_| true);
    }

    /// Takes for ours what a process before us has left behind: those of the `named` addresses that are there. What of
    /// it is not desired goes with the next [`Ledger::reconcile`], and the rest stays without a gap.
    pub(crate) fn adopt(&mut self, machine: &Machine, named: &[Address]) {
        self.addresses.adopt(machine, named);
    }

    /// As [`Self::adopt`], of routes and rules.
    pub(crate) fn adopt_routes(&mut self, routes: &[Route], rules: &[Rule], named: &Desired) {
        self.routes.adopt(routes, &named.routes);
        self.rules.adopt(rules, &named.rules);
    }

    /// Whether an address is there because we want it.
    pub(crate) fn holds(&self, key: AddressKey) -> bool {
        self.addresses.holds(key)
    }

    /// Whether a route is there because we want it.
    pub(crate) fn holds_route(&self, route: &Route) -> bool {
        self.routes.holds(route)
    }

    /// Whether what the kernel shows is this route, or part of it.
    pub(crate) fn is_shown_as(route: &Route, shown: &Route) -> bool {
        Object::is_shown_as(route, shown)
    }

    /// Whether a rule is there because we want it.
    pub(crate) fn holds_rule(&self, rule: &Rule) -> bool {
        self.rules.holds(rule)
    }
}

#[cfg(test)]
mod live;
#[cfg(test)]
mod tests;
