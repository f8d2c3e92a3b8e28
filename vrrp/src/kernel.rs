//! What the engine wants to be in the kernel, and what it has put there.
//!
//! There is one operation: [`Ledger::reconcile`] compares what is desired with what is known to be there and asks for the
//! difference in one batch. Becoming master and leaving, a reload, an address that somebody else has taken away, shutdown
//! and the remains of a killed process are all the same to it; they differ in what is desired and in what is known.
//!
//! Everything is wanted by the union of all instances: what moves from one to another in a reload stays where it is.

mod addresses;
pub mod own_links;
pub mod sysctl;

use runtime::machine::{Address, AddressKey, IfIndex, Machine};
use runtime::netlink::{Event, NetlinkError, Request};

use addresses::Addresses;

use crate::config;

/// The protocol number that marks addresses, routes and rules as ours, where the machine gives us no other.
pub const PROTOCOL: u8 = 18;

/// What should be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Addresses, in the order in which they are to be added: the first one of a subnet is its primary one. Where two
    /// agree in their [`AddressKey`], the first counts.
    pub addresses: Vec<Address>,
}

/// What is there of ours, as far as we know.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    addresses: Addresses,
}

impl Ledger {
    /// Makes the kernel hold what is `desired`, and nothing else that is ours. `execute` asks the kernel
    /// ([`runtime::netlink::Client::execute`]); it is not called when all is as it should be.
    ///
    /// Returns what could not be done. It is tried again whenever this is called, but told only when the reason is new.
    pub fn reconcile(
        &mut self,
        desired: &Desired,
        execute: impl FnOnce(&[Request]) -> Vec<Result<(), NetlinkError>>,
    ) -> Vec<NetlinkError> {
        let requests = self.addresses.plan(&desired.addresses);
        if requests.is_empty() {
            return Vec::new();
        }
        let outcomes = execute(&requests);
        let mut failures = Vec::new();
        for (request, outcome) in requests.into_iter().zip(outcomes) {
            let failure = match request {
                Request::AddAddress(address) => self.addresses.added(address, outcome),
                Request::RemoveAddress(address) => self.addresses.removed(&address, outcome),
                Request::ConfigureIpv4 { .. }
                | Request::AddRoute(_)
                | Request::RemoveRoute(_)
                | Request::AddRule(_)
                | Request::RemoveRule(_)
                | Request::CreateLink(_)
                | Request::ChangeLink(..)
                | Request::RemoveLink(_) => outcome.err(),
            };
            failures.extend(failure);
        }
        failures
    }

    /// Takes in what the kernel has told. [`Event::Overrun`] asks for [`Ledger::resync`] and changes nothing here.
    pub fn on_event(&mut self, event: &Event) {
        match event {
            Event::AddressAdded(address) => self.addresses.appeared(address.key()),
            Event::AddressRemoved(address) => self.addresses.vanished(address.key()),
            Event::LinkGone { index, .. } => self.addresses.interface_gone(*index),
            Event::LinkChanged(_)
            | Event::RouteAdded(_)
            | Event::RouteRemoved(_)
            | Event::RuleAdded(_)
            | Event::RuleRemoved(_)
            | Event::Overrun => {}
        }
    }

    /// What somebody else has taken away since the last call, although it was wanted. [`Ledger::reconcile`] puts it
    /// back.
    pub fn take_lost(&mut self) -> Vec<Address> {
        self.addresses.take_lost()
    }

    /// Takes in a fresh snapshot, after messages of the kernel were lost.
    pub fn resync(&mut self, machine: &Machine) {
        self.addresses.resync(machine);
    }

    /// Takes for ours what a process before us has left behind: those of the `named` addresses that are there. What of
    /// it is not desired goes with the next [`Ledger::reconcile`], and the rest stays without a gap.
    pub fn adopt(&mut self, machine: &Machine, named: &[Address]) {
        self.addresses.adopt(machine, named);
    }

    /// Addresses that carry our mark although we know nothing of them. They may belong to another keepalived on this
    /// machine, so they are not touched.
    pub fn strangers<'a>(
        &'a self,
        machine: &'a Machine,
        protocol: u8,
    ) -> impl Iterator<Item = &'a Address> {
        let marked = machine.addresses.iter().filter(move |address| address.protocol == protocol);
        marked.filter(|address| !self.addresses.knows(address.key()))
    }

    /// Whether an address is there because we want it.
    pub fn holds(&self, key: AddressKey) -> bool {
        self.addresses.holds(key)
    }
}

/// A configured address as it is to be put on `interface`, marked with `protocol`.
pub fn on_interface(configured: &config::Address, interface: IfIndex, protocol: u8) -> Address {
    addresses::on_interface(configured, interface, protocol)
}

#[cfg(test)]
mod live;
#[cfg(test)]
mod tests;
