//! The options of the command line that the children need.

/// Name, version and date, as at the start of the log.
pub const BANNER: &str = concat!("Keepalived v", env!("CARGO_PKG_VERSION"), " (11/28,2026)");

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// What everybody wants to know.
    #[default]
    Normal,
    /// `-D`: more.
    Detailed,
    /// `-D -D`: every packet of BFD too.
    Extra,
}

/// Options of the command line for the children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How much is logged (`-D`).
    pub detail: Detail,
    /// Log the configuration as it was understood (`-d`).
    pub dump_configuration: bool,
    /// Keep addresses, routes and rules at the end (`-V`).
    pub keep_vrrp: bool,
    /// Keep the IPVS table at the end (`-I`).
    pub keep_ipvs: bool,
    /// Log every address that comes or goes (`-a`).
    pub monitor_addresses: bool,
    /// Do nothing on SIGINT (`--ignore-sigint`).
    pub ignore_interrupt: bool,
    /// Enable all parts of SNMP (`-x`).
    pub snmp: bool,
}
