//! Whom scripts run as, the scripts of the daemon itself, and the FIFOs for notifications.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings for all scripts, and the scripts and FIFOs of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scripts {
    /// Whom scripts run as that name no user; `None` when there is no such account, and those scripts are ignored.
    pub account: Option<Account>,
    /// Whether insecure scripts that would run as root are refused.
    pub security: bool,
    /// Whether scripts have the supplementary groups of their user.
    pub supplementary_groups: bool,
    /// Whether symbolic links in script paths are kept.
    pub symlink_paths: bool,
    /// Run before the first child is started.
    pub startup: Option<Script>,
    /// How long it may take; `None` is 10 s.
    pub startup_timeout: Option<Duration>,
    /// Run after the last child has ended.
    pub shutdown: Option<Script>,
    /// How long it may take; `None` is 10 s.
    pub shutdown_timeout: Option<Duration>,
    /// For all notifications.
    pub notify_fifo: Option<Fifo>,
    /// For those of VRRP.
    pub vrrp_notify_fifo: Option<Fifo>,
    /// For those of the checkers.
    pub lvs_notify_fifo: Option<Fifo>,
    /// Whether all VRRP states are written to the FIFOs after a reload.
    pub write_vrrp_states_on_reload: bool,
}

/// The ids that a script runs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups; usually none.
    pub groups: Vec<u32>,
}

/// A program with its arguments, and whom it runs as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The program and its arguments; there is at least the program.
    pub argv: Vec<String>,
    /// Whom it runs as.
    pub account: Account,
}

/// A FIFO that notifications are written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifo {
    /// Where it is, or is made.
    pub path: String,
    /// Whom it belongs to.
    pub owner: Account,
    /// A program that reads it, started with the path as last argument.
    pub script: Option<Script>,
}
