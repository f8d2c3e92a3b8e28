//! What the process tells about its work in dumps: functions over the configuration and a [`Snapshot`] of what became of it.
//!
//! Lines, their order and their indentation are those of 2.4.3, for whoever reads them by a program.

mod checks;
mod groups;
mod servers;

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use runtime::report::Report;

use crate::config::{Config, GroupId};

/// What became of the configuration so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// The virtual servers, as the configuration has them.
    pub(crate) pools: Vec<PoolState>,
    /// The marks that nftables sets for a group: for TCP, UDP and SCTP; 0 where there is none.
    pub(crate) marks: Vec<(GroupId, [u32; 3])>,
    /// The numbers in the tracked files, as the configuration has them.
    pub(crate) files: Vec<i64>,
}

/// What became of a virtual server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PoolState {
    /// Whether the kernel has its service.
    pub(crate) alive: bool,
    /// Whether it has its quorum.
    pub(crate) quorum_up: bool,
    /// Whether it was there before the last reload.
    pub(crate) reloaded: bool,
    /// Which entries of its group it had then already; none where it was not there.
    pub(crate) kept_entries: Vec<bool>,
    /// What became of its sorry server.
    pub(crate) sorry: SorryState,
    /// Its real servers, as the configuration has them.
    pub(crate) servers: Vec<ServerState>,
}

/// What became of a sorry server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SorryState {
    /// Whether the kernel has it.
    pub(crate) set: bool,
    /// Whether it is in use.
    pub(crate) alive: bool,
}

/// What became of a real server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerState {
    /// Its weight with what checks add; it may be negative.
    pub(crate) effective_weight: i64,
    /// The same before the last reload.
    pub(crate) previous_weight: i64,
    /// Whether it is to take traffic.
    pub(crate) alive: bool,
    /// How many of its checks have failed.
    pub(crate) failed_checks: u32,
    /// Whether the kernel has it.
    pub(crate) set: bool,
    /// Whether it was there before the last reload.
    pub(crate) reloaded: bool,
    /// Its checks, as the configuration has them.
    pub(crate) checks: Vec<CheckState>,
}

/// What became of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CheckState {
    /// Whether it runs; it does not while its virtual server is suspended.
    pub(crate) enabled: bool,
    /// Whether it counts as good.
    pub(crate) up: bool,
    /// Whether it has run.
    pub(crate) has_run: bool,
    /// What it adds to the weight of its server.
    pub(crate) weight: i64,
    /// Failed attempts since the last good one.
    pub(crate) failures: u32,
    /// The page that has failed.
    pub(crate) failed_url: Option<usize>,
    /// The number of the last echo request.
    pub(crate) sequence: u16,
    /// When its script was started.
    pub(crate) last_run: Option<SystemTime>,
    /// With what status it ended.
    pub(crate) last_status: u8,
}

/// Reports on everything that concerns load balancing.
pub(crate) fn report(config: &Config, snapshot: &Snapshot, out: &mut Report) {
    servers::report_tls(config, out);
    if !config.virtual_servers.is_empty() {
        out.heading("LVS Topology");
        out.line("System is compiled with LVS v1.2.1");
        for number in 0_u32.. {
            let id = GroupId(number);
            let Some(group) = config.group(id) else { break };
            groups::report_group(config, snapshot, id, group, out);
        }
        for (server, state) in config.virtual_servers.iter().zip(&snapshot.pools) {
            servers::report_virtual_server(config, server, state, out);
        }
    }
    checks::report_checks(config, snapshot, out);
    checks::report_files(config, snapshot, out);
    checks::report_sessions(config, out);
}

/// `1` or `0`.
fn bit(value: bool) -> u8 {
    u8::from(value)
}

/// Seconds with microseconds.
fn seconds(time: Duration) -> impl Display {
    format!("{}.{:06}", time.as_secs(), time.subsec_micros())
}

#[cfg(test)]
mod tests;
