//! `track_group`: who shares the fate of static addresses, routes and rules.

use conf_parser::{Args, Class, Diagnostics, Spanned, Statement, Table, Value, keyword};
use serde::{Deserialize, Serialize};

use super::InstanceId;
use super::sync_group::word_list;

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
    let name = &draft.name.value;
    if draft.members.is_some() {
        let text = format!("Group list already specified for sync group {name}");
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    }
    let members = word_list(statement);
    if members.is_empty() {
        let text = format!("Warning - track group {name} has empty group block");
        diagnostics.report_block(Class::GeneralError, statement.extent(), text);
        return;
    }
    draft.members = Some(members);
}
