//! Which firewall keeps traffic for virtual addresses away, and the names there.

use serde::{Deserialize, Serialize};

/// Names in the firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// iptables for VRRP.
    pub iptables: Option<Iptables>,
    /// Whether and by which names iptables uses sets.
    pub ipsets: Ipsets,
    /// nftables for VRRP.
    pub nftables: Option<Nftables>,
    /// nftables for groups of virtual servers.
    pub ipvs_nftables: Option<IpvsNftables>,
    /// Whether rules count.
    pub counters: bool,
}

/// The chains that rules go into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iptables {
    /// For what comes in.
    pub input: String,
    /// For what goes out.
    pub output: Option<String>,
}

/// Sets of addresses for iptables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ipsets {
    /// Where the kernel has them, by the default names.
    #[default]
    Default,
    /// None.
    Off,
    /// By these names.
    Named {
        /// IPv4 addresses.
        address: String,
        /// IPv6 addresses.
        address6: String,
        /// IPv6 addresses with their interface.
        address_interface6: String,
        /// IGMP.
        igmp: String,
        /// MLD.
        mld: String,
        /// Neighbour discovery of VMACs.
        vmac_nd: String,
    },
}

/// The table for VRRP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nftables {
    /// Its name.
    pub table: String,
    /// Priority of its base chains.
    pub priority: i32,
    /// Whether interfaces are matched by index.
    pub ifindex: bool,
}

/// The table for groups of virtual servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpvsNftables {
    /// Its name.
    pub table: String,
    /// Priority of its base chains.
    pub priority: i32,
    /// The first mark that is given out.
    pub start_fwmark: u32,
}
