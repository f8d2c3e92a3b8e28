//! Virtual and static policy rules.

use std::ops::RangeInclusive;

use runtime::machine::route::Prefix;
use runtime::machine::rule::RuleAction;
use serde::{Deserialize, Serialize};

use super::TrackGroupId;
use crate::packet::Family;

/// A policy rule (`virtual_rules`, `static_rules`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its family.
    pub family: Family,
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
    /// Firewall mark.
    pub mark: Option<u32>,
    /// Which bits of the mark count.
    pub mask: Option<u32>,
    /// Realms (`FRA_FLOW`).
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
    /// Who is said to have made it (`RTPROT_*`).
    pub protocol: Option<u8>,
    /// IP protocol.
    pub ip_protocol: Option<u8>,
    /// Source ports.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// Destination ports.
    pub destination_ports: Option<RangeInclusive<u16>>,
    /// What happens to packets that match.
    pub action: RuleAction,
    /// Whether the loss of the rule, or of its interfaces, matters.
    pub tracked: bool,
    /// Who shares the fate of a static rule.
    pub track_group: Option<TrackGroupId>,
}
