//! Virtual and static policy rules.

use runtime::machine;
use serde::{Deserialize, Serialize};

use super::TrackGroupId;

/// A policy rule (`virtual_rules`, `static_rules`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// As it is to be in the kernel. It may name interfaces that are not there.
    pub wanted: machine::Rule,
    /// The firewall mark, as far as the configuration says it.
    pub mark: Option<u32>,
    /// Which bits of the mark count, as far as the configuration says it.
    pub mask: Option<u32>,
    /// Whether the loss of the rule, or of its interfaces, matters.
    pub tracked: bool,
    /// Who shares the fate of a static rule.
    pub track_group: Option<TrackGroupId>,
}
