//! The settings of the whole daemon: `global_defs` and the daemon keywords of the top level, typed.
//!
//! The parent loads them once and hands every child the same [`Global`]. Each concept has a module that holds its type
//! beside the keywords that fill it.

mod account;
mod buffers;
mod child;
mod files;
mod firewall;
mod garp;
mod lvs;
mod mail;
pub mod mib;
mod processes;
mod reload;
mod report;
mod scripts;
mod snmp_dbus;
mod track_file;
mod umask;
mod vrrp_defaults;

use conf_parser::{Args, Diagnostics, Joined, Statement, keyword};
use serde::{Deserialize, Serialize};

pub use account::{Account, Script, find_account};
pub use buffers::{NetlinkBuffer, ReceiveBuffer};
pub use child::Child;
pub use files::{Files, ReloadFile};
pub use firewall::{Firewall, Ipsets, Iptables, IpvsNftables, Nftables};
pub use garp::{ExtraGarp, GarpDefaults};
pub use lvs::{FlushOnStop, Lvs, SyncDaemon, Timeouts};
pub use mail::Mail;
pub use processes::{IpvsNamespace, Processes};
pub use reload::Fixed;
pub use report::{Author, Reload};
pub use scripts::{Fifo, Scripts};
pub use snmp_dbus::{Dbus, Snmp};
pub use track_file::{InitialValue, TrackFile};
pub use vrrp_defaults::VrrpDefaults;

/// Everything that `global_defs` and the daemon keywords of the top level say, complete and in range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Global {
    /// Names, namespaces, priorities and limits of the processes.
    pub processes: Processes,
    /// Script accounts and security, startup and shutdown scripts, FIFOs.
    pub scripts: Scripts,
    /// E-mail alerts and the router's name.
    pub mail: Mail,
    /// What VRRP instances start from, and VRRP's own settings.
    pub vrrp: VrrpDefaults,
    /// Which firewall VRRP and IPVS use, and the names there.
    pub firewall: Firewall,
    /// IPVS and the checkers.
    pub lvs: Lvs,
    /// SNMP.
    pub snmp: Snmp,
    /// D-Bus.
    pub dbus: Dbus,
    /// Reload handling and files that are written.
    pub files: Files,
    /// The BFD sessions that others may track. The parent fills it from the BFD configuration.
    pub bfd_names: Vec<BfdName>,
    /// The files whose value others may track.
    pub track_files: Vec<TrackFile>,
}

/// A BFD session as those see it who track it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdName {
    /// The name of the `bfd_instance`.
    pub name: String,
    /// What an instance that gives no weight adds to its priority while the session is up or down; 0 means fault.
    pub weight: i32,
    /// Whether the weight counts while the session is up rather than down.
    pub reverse: bool,
    /// Whether VRRP hears of it.
    pub vrrp: bool,
    /// Whether the checkers hear of it.
    pub checker: bool,
}

/// What the keywords fill.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    processes: Processes,
    scripts: scripts::Draft,
    mail: Mail,
    vrrp: VrrpDefaults,
    vmac_prefix: Option<String>,
    vmac_addr_prefix: Option<String>,
    firewall: firewall::Draft,
    lvs: Lvs,
    snmp: Snmp,
    dbus: Dbus,
    files: Files,
    track_files: Vec<TrackFile>,
}

/// The keywords of the top level that are settings of the whole daemon.
pub static ROOT: Joined<Draft> = Joined(&[
    &[keyword(
        "global_defs",
        Args::Block("", &GLOBAL_DEFS),
        "settings of the whole daemon",
        |draft, _, statement, diagnostics| GLOBAL_DEFS.fill(draft, statement, diagnostics),
    )],
    processes::TOP,
    vrrp_defaults::TOP,
    track_file::TOP,
]);

static GLOBAL_DEFS: Joined<Draft> = Joined(&[
    processes::KEYWORDS,
    child::KEYWORDS,
    scripts::KEYWORDS,
    mail::KEYWORDS,
    vrrp_defaults::KEYWORDS,
    buffers::KEYWORDS,
    garp::KEYWORDS,
    firewall::KEYWORDS,
    lvs::KEYWORDS,
    snmp_dbus::KEYWORDS,
    files::KEYWORDS,
]);

/// Loads the settings from the statements of the top level; those of others are passed over.
pub fn load(statements: &[Statement], diagnostics: &mut Diagnostics) -> Global {
    let mut draft = Draft::default();
    for statement in statements {
        ROOT.apply(&mut draft, statement, diagnostics);
    }
    draft.finish(diagnostics)
}

impl Draft {
    fn finish(self, diagnostics: &mut Diagnostics) -> Global {
        let mut vrrp = self.vrrp;
        if let Some(prefix) = self.vmac_prefix {
            vrrp.vmac_addr_prefix.clone_from(&prefix);
            vrrp.vmac_prefix = prefix;
        }
        if let Some(prefix) = self.vmac_addr_prefix {
            vrrp.vmac_addr_prefix = prefix;
        }
        let mut processes = self.processes;
        processes.use_pid_dir |=
            processes.network_namespace.is_some() || processes.instance.is_some();
        Global {
            processes,
            scripts: self.scripts.finish(diagnostics),
            mail: self.mail,
            vrrp,
            firewall: self.firewall.finish(),
            lvs: self.lvs,
            snmp: self.snmp,
            dbus: self.dbus,
            files: self.files,
            bfd_names: Vec::new(),
            track_files: self.track_files,
        }
    }
}

#[cfg(test)]
mod tests;
