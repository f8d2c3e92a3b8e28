//! The VRRP part of the configuration: typed, complete and in range.
//!
//! The parent makes a [`Config`] from the statements of the configuration file; the VRRP child is given it and parses
//! nothing.

pub mod address;
mod address_entry;
pub mod auth;
mod auth_finish;
mod auth_keywords;
mod conflicts;
mod context;
mod effective;
mod encap_entry;
mod entry;
mod finish;
mod garp_keywords;
mod group_finish;
pub mod instance;
mod instance_draft;
mod instance_finish;
mod instance_keywords;
mod iproute_names;
mod keywords;
pub mod link;
mod notify;
mod own_interface;
mod place_keywords;
mod process;
pub mod route;
mod route_entry;
mod route_metrics;
pub mod rule;
mod rule_entry;
mod script;
pub mod sync_group;
pub mod track;
mod track_group;
mod track_rules;
mod trackables;
mod tracker_entry;
mod unicast_keywords;
mod unused;
mod virtual_addresses;

use std::borrow::Borrow;
use std::rc::Rc;

use conf_parser::{Diagnostics, Statement};
use runtime::global::{BfdName, Global, SyncDaemon, TrackFile};
use runtime::machine::Machine;
use serde::{Deserialize, Serialize};

pub use address::Address;
pub use instance::Instance;
pub use keywords::{Draft, ROOT};
pub use link::{GarpGroup, LinkDelay, Linkbeat, LinkbeatMethod};
pub use route::Route;
pub use rule::Rule;
pub use sync_group::SyncGroup;
pub use track::{Script, TrackProcess};
pub use track_group::TrackGroup;
pub use track_rules::longest_link_delay;

/// Makes the VRRP configuration from the statements of the top level; those of others are passed over.
///
/// `bfd_names` are the BFD sessions of the configuration. The result is complete even where something is wrong with the
/// file; [`Config::usable`] says whether the child can run with it.
pub fn load(
    statements: impl IntoIterator<Item: Borrow<Statement>>,
    global: &Global,
    machine: &Machine,
    bfd_names: &[BfdName],
    diagnostics: &mut Diagnostics,
) -> Config {
    let mut draft = Draft::default();
    for statement in statements {
        ROOT.apply(&mut draft, statement.borrow(), diagnostics);
    }
    let mut context = context::Context::new(global, machine, diagnostics);
    finish::finish(draft, bfd_names, &mut context)
}

/// Everything that the VRRP child is to do, besides the settings of the whole daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The virtual routers, in the order of the file.
    pub instances: Vec<Rc<Instance>>,
    /// Sync groups. All of them have members.
    pub groups: Vec<SyncGroup>,
    /// Scripts that somebody tracks.
    pub scripts: Vec<Script>,
    /// Files that somebody tracks.
    pub files: Vec<TrackFile>,
    /// Processes that somebody tracks.
    pub processes: Vec<TrackProcess>,
    /// The names of the BFD sessions that somebody tracks.
    pub sessions: Vec<String>,
    /// Addresses that are there while the daemon runs. All name their interface.
    pub static_addresses: Vec<Address>,
    /// Routes that are there while the daemon runs.
    pub static_routes: Vec<Route>,
    /// Policy rules that are there while the daemon runs.
    pub static_rules: Vec<Rule>,
    /// The number that marks addresses as ours (`IFAPROT_*`), where the machine has a name for it.
    pub address_protocol: Option<u8>,
    /// Who shares the fate of static addresses, routes and rules.
    pub track_groups: Vec<TrackGroup>,
    /// Pacing of announcements on some interfaces.
    pub garp_groups: Vec<GarpGroup>,
    /// Interfaces whose link is polled.
    pub linkbeat: Vec<Linkbeat>,
    /// Interfaces whose changes are looked at later.
    pub delays: Vec<LinkDelay>,
    /// The IPVS synchronisation that an instance asks for in the old way.
    pub sync_daemon: Option<SyncDaemon>,
    /// Whether the configuration asks for the VRRP child, even if nothing usable is left of what it says.
    pub wanted: bool,
    /// Whether the child can run with it. 2.4.3 ends with status 2 otherwise.
    pub usable: bool,
}

/// An instance, as its position in [`Config::instances`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceId(pub u32);

/// A sync group, as its position in [`Config::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub u32);

/// A track group, as its position in [`Config::track_groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrackGroupId(pub u32);

impl Config {
    /// Keeps once what instances have in common with the one before them, which is much where there are many.
    pub fn share(&mut self) {
        let mut before: Option<&Rc<Instance>> = None;
        for instance in &mut self.instances {
            if let (Some(before), Some(instance)) = (before, Rc::get_mut(instance)) {
                instance.share(before);
            }
            before = Some(instance);
        }
    }

    /// Whether the VRRP child is to run.
    pub fn needs_child(&self) -> bool {
        self.wanted
    }

    /// The instance with this number.
    pub fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.get(usize::try_from(id.0).ok()?).map(Rc::as_ref)
    }

    /// The sync group with this number.
    pub fn group(&self, id: GroupId) -> Option<&SyncGroup> {
        self.groups.get(usize::try_from(id.0).ok()?)
    }

    /// The script with this number.
    pub fn script(&self, id: track::ScriptId) -> Option<&Script> {
        self.scripts.get(usize::try_from(id.0).ok()?)
    }

    /// The file with this number.
    pub fn file(&self, id: track::FileId) -> Option<&TrackFile> {
        self.files.get(usize::try_from(id.0).ok()?)
    }

    /// The process with this number.
    pub fn process(&self, id: track::ProcessId) -> Option<&TrackProcess> {
        self.processes.get(usize::try_from(id.0).ok()?)
    }

    /// The name of the BFD session with this number.
    pub fn session(&self, id: track::SessionId) -> Option<&str> {
        self.sessions.get(usize::try_from(id.0).ok()?).map(String::as_str)
    }
}

#[cfg(test)]
mod tests;
