//! `track_group`: who shares the fate of static addresses, routes and rules.

use conf_parser::{Args, Diagnostics, Spanned, Statement, Table, Value, keyword};
use serde::{Deserialize, Serialize};

use super::InstanceId;
use super::sync_group::name_members;

/// Instances that go to FAULT while the interface of a static address, route or rule is down (`track_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackGroup {
    /// Its name.
    pub name: String,
    /// The instances.
    pub members: Vec<InstanceId>,
}

/// What a `track_group` block says.
#[derive(Clone, Debug)]
pub(super) struct TrackGroupDraft {
    pub(super) name: Spanned<String>,
    pub(super) members: Option<Vec<Spanned<String>>>,
}

/// The keywords of a `track_group` block.
pub(super) static TABLE: Table<TrackGroupDraft> =
    Table(&[keyword("group", Args::WordList("VRRP_INSTANCE..."), "the instances", members)]);

fn members(
    draft: &mut TrackGroupDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let TrackGroupDraft { name, members } = draft;
    name_members(members, "track group", &name.value, statement, diagnostics);
}
