//! Why an instance cannot take part. Each reason is named and counted for itself, so that one interface coming back
//! does not end the fault of another.

use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use crate::packet::Family;

/// One reason to be in FAULT.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// An interface that it depends on is down or missing.
    InterfaceDown(Rc<str>),
    /// There is no address to send adverts from.
    NoSourceAddress(Family, Rc<str>),
    /// The machine lacks the configured source address.
    SourceMissing(IpAddr),
    /// The configured source address cannot be bound.
    SourceNotConfigured,
    /// Another instance of the same virtual router runs on the interface.
    DuplicateVrid,
    /// The configuration does not allow it to run.
    Configuration,
    /// A tracked script fails.
    Script(Rc<str>),
    /// A tracked file says so.
    File(Rc<str>),
    /// A tracked process has no quorum.
    Process(Rc<str>),
    /// A tracked BFD session is down.
    Bfd(Rc<str>),
    /// A tracked script has not given a result yet.
    Pending(Rc<str>),
    /// Another member of the sync group is in FAULT.
    Group,
    /// Another member of the sync group waits for a script.
    GroupPending,
}

impl Fault {
    /// Waiting is no failure: nobody is told about it.
    pub fn is_pending(&self) -> bool {
        matches!(self, Fault::Pending(_) | Fault::GroupPending)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::InterfaceDown(name) => write!(f, "interface {name} down"),
            Fault::NoSourceAddress(Family::V4, _) => f.write_str("no IPv4 address for interface"),
            Fault::NoSourceAddress(Family::V6, _) => f.write_str("no IPv6 address for interface"),
            Fault::SourceMissing(address) => write!(f, "source address {address} missing"),
            Fault::SourceNotConfigured => f.write_str("src address not configured"),
            Fault::DuplicateVrid => f.write_str("duplicate VRID"),
            Fault::Configuration => f.write_str("configuration error"),
            Fault::Script(name) => write!(f, "script {name} failed"),
            Fault::File(name) => write!(f, "tracked file {name}"),
            Fault::Process(name) => write!(f, "tracked process {name} quorum not achieved"),
            Fault::Bfd(name) => write!(f, "BFD instance {name} down"),
            Fault::Pending(name) => write!(f, "waiting for script {name}"),
            Fault::Group => f.write_str("sync group"),
            Fault::GroupPending => f.write_str("waiting for the sync group"),
        }
    }
}

/// The reasons that hold now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// The reasons, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether anybody should be told.
    pub(super) fn any_told(&self) -> bool {
        self.0.iter().any(|fault| !fault.is_pending())
    }

    pub(super) fn insert(&mut self, fault: Fault) {
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    pub(super) fn remove(&mut self, fault: &Fault) {
        self.0.retain(|held| held != fault);
    }
}
