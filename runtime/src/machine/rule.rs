//! Policy rules as plain values.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::route::Prefix;

/// A policy rule, as it is or as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// Whether it is one of IPv6.
    pub ipv6: bool,
    /// Whether it applies to what does not match.
    pub invert: bool,
    /// Sources.
    pub from: Option<Prefix>,
    /// Destinations.
    pub to: Option<Prefix>,
    /// Its place among the rules.
    pub priority: u32,
    /// Type of service.
    pub tos: u8,
    /// Firewall mark, and which of its bits count.
    pub mark: Option<(u32, u32)>,
    /// Realms (IPv4).
    pub realms: Option<u32>,
    /// Routes with a prefix as short as this are passed over.
    pub suppress_prefix_len: Option<i32>,
    /// Routes over interfaces of this group are passed over.
    pub suppress_group: Option<u32>,
    /// Interface where packets come in.
    pub input: Option<String>,
    /// Interface where packets go out.
    pub output: Option<String>,
    /// Tunnel id.
    pub tunnel: Option<u64>,
    /// Users whose packets match.
    pub users: Option<RangeInclusive<u32>>,
    /// Who has made it (`RTPROT_*`).
    pub protocol: Option<u8>,
    /// IP protocol.
    pub ip_protocol: Option<u8>,
    /// Source ports.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// Destination ports.
    pub destination_ports: Option<RangeInclusive<u16>>,
    /// What happens to packets that match.
    pub action: RuleAction,
}

/// What happens to packets that match a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RuleAction {
    /// They are looked up in a table.
    Table(u32),
    /// They are looked up in the table of the VRF that they belong to.
    L3mdev,
    /// The rules go on at this priority.
    Goto(u32),
    /// Something else (`FR_ACT_*`): nothing, or they are dropped or refused.
    Other(u8),
}

impl RuleAction {
    /// Nothing (`FR_ACT_NOP`).
    pub const NOP: Self = Self::Other(3);
    /// They are dropped in silence (`FR_ACT_BLACKHOLE`).
    pub const BLACKHOLE: Self = Self::Other(6);
    /// They are refused as unreachable (`FR_ACT_UNREACHABLE`).
    pub const UNREACHABLE: Self = Self::Other(7);
    /// They are refused as prohibited (`FR_ACT_PROHIBIT`).
    pub const PROHIBIT: Self = Self::Other(8);
}

impl Rule {
    /// A rule that matches everything.
    pub fn plain(ipv6: bool, priority: u32, action: RuleAction) -> Self {
        Self {
            ipv6,
            invert: false,
            from: None,
            to: None,
            priority,
            tos: 0,
            mark: None,
            realms: None,
            suppress_prefix_len: None,
            suppress_group: None,
            input: None,
            output: None,
            tunnel: None,
            users: None,
            protocol: None,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            action,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.ipv6 { "IPv6" } else { "IPv4" };
        write!(f, "{} of {family}", self.priority)?;
        match self.action {
            RuleAction::Table(table) => write!(f, " for table {table}"),
            RuleAction::L3mdev | RuleAction::Goto(_) | RuleAction::Other(_) => Ok(()),
        }
    }
}
