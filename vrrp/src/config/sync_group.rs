//! Groups of instances that change state together.

use conf_parser::{
    Args, Class, Diagnostics, Extent, Place, Spanned, Statement, Table, Value, keyword,
};
use runtime::global::Script;
use serde::{Deserialize, Serialize};

use super::InstanceId;
use super::instance_draft::TrackLines;
use super::notify::{self, NotifyDraft};
use super::track::Trackers;

/// Instances that change state together (`vrrp_sync_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncGroup {
    /// Its name.
    pub name: String,
    /// Its members; at least one.
    pub members: Vec<InstanceId>,
    /// What changes the priority of all members, or makes them faulty.
    pub trackers: Trackers,
    /// Who is told about changes.
    pub notify: GroupNotify,
    /// Whether changes of state are mailed.
    pub smtp_alert: bool,
    /// Whether members may have weighted trackers of their own.
    pub tracking_weight: bool,
    /// Whether the members' changes of priority are written to the FIFOs; `None` leaves it to the members.
    pub notify_priority_changes: Option<bool>,
}

/// Scripts that are started when something happens to a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupNotify {
    /// The group became master.
    pub master: Option<Box<Script>>,
    /// The group became backup.
    pub backup: Option<Box<Script>>,
    /// The group became faulty.
    pub fault: Option<Box<Script>>,
    /// The daemon stops.
    pub stop: Option<Box<Script>>,
    /// Any of these, with what happened as further arguments.
    pub any: Option<Box<Script>>,
}

/// What a `vrrp_sync_group` block says.
#[derive(Clone, Debug)]
pub(super) struct GroupDraft {
    pub(super) name: Spanned<String>,
    pub(super) block: Extent,
    pub(super) members: Option<Vec<Spanned<String>>>,
    pub(super) track: TrackLines,
    pub(super) notify: NotifyDraft,
    pub(super) notify_priority_changes: Option<bool>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) tracking_weight: bool,
}

const SCRIPT: Args = Args::Script("SCRIPT [USER [[:]GROUP]]");

/// The keywords of a `vrrp_sync_group` block.
pub(super) static TABLE: Table<GroupDraft> = Table(&[
    keyword("group", Args::WordList("VRRP_INSTANCE..."), "the members", members),
    keyword(
        "track_interface",
        Args::Lines("IFNAME [weight -253..253 [reverse]]"),
        "interfaces that matter to all members",
        |draft, _, statement, _| draft.track.interfaces.extend_from_slice(statement.lines()),
    ),
    keyword(
        "track_script",
        Args::Lines("NAME [weight -253..253 [reverse|noreverse]]"),
        "scripts that matter to all members",
        |draft, _, statement, _| draft.track.scripts.extend_from_slice(statement.lines()),
    ),
    keyword(
        "track_file",
        Args::Lines("NAME [weight -254..254 [reverse|noreverse]]"),
        "files that matter to all members",
        |draft, _, statement, _| draft.track.files.extend_from_slice(statement.lines()),
    ),
    keyword(
        "track_process",
        Args::Lines("NAME [weight -254..254 [reverse|noreverse]]"),
        "processes that matter to all members",
        |draft, _, statement, _| draft.track.processes.extend_from_slice(statement.lines()),
    ),
    keyword(
        "track_bfd",
        Args::Lines("NAME [weight -253..253 [reverse|noreverse]]"),
        "BFD sessions that matter to all members",
        |draft, _, statement, _| draft.track.sessions.extend_from_slice(statement.lines()),
    ),
    keyword("notify_master", SCRIPT, "run on becoming master", notify::of_group),
    keyword("notify_backup", SCRIPT, "run on becoming backup", notify::of_group),
    keyword("notify_fault", SCRIPT, "run on becoming faulty", notify::of_group),
    keyword("notify_stop", SCRIPT, "run when the daemon stops", notify::of_group),
    keyword("notify", SCRIPT, "run on each of these", notify::of_group),
    keyword(
        "notify_priority_changes",
        Args::Bool,
        "write the members' changes of priority to the FIFOs",
        |draft: &mut GroupDraft, value, _, _| draft.notify_priority_changes = Some(value.bool()),
    )
    .invalid_for(|draft, text| {
        format!(
            "({}) Invalid value '{text}' for sync group notify_priority_changes specified",
            draft.name.value
        )
    }),
    keyword(
        "smtp_alert",
        Args::Bool,
        "mail changes of state",
        |draft: &mut GroupDraft, value, _, _| {
            draft.smtp_alert = Some(value.bool());
        },
    )
    .invalid("Invalid vrrp_group smtp_alert parameter {}"),
    keyword(
        "sync_group_tracking_weight",
        Args::Flag,
        "members may have weighted trackers of their own",
        |draft, _, _, _| draft.tracking_weight = true,
    ),
    keyword(
        "global_tracking",
        Args::Flag,
        "old name of sync_group_tracking_weight",
        |draft, _, statement, diagnostics| {
            let text = format!(
                "({}) global_tracking is deprecated. Use track_interface/script/file on the sync group",
                draft.name.value
            );
            diagnostics.report(Class::GeneralError, statement.place(), text);
            draft.tracking_weight = true;
        },
    ),
]);

fn members(
    draft: &mut GroupDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let GroupDraft { name, members, .. } = draft;
    name_members(members, "sync group", &name.value, statement, diagnostics);
}

/// Reads the instances that belong to `kind` of group `name`, unless they were named before.
pub(super) fn name_members(
    members: &mut Option<Vec<Spanned<String>>>,
    kind: &str,
    name: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if members.is_some() {
        // The original calls both kinds so.
        let text = format!("Group list already specified for sync group {name}");
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    }
    let words = word_list(statement);
    if words.is_empty() {
        let text = format!("Warning - {kind} {name} has empty group block");
        diagnostics.report_block(Class::GeneralError, statement.extent(), text);
        return;
    }
    *members = Some(words);
}

/// The words in the braces of a statement, however they are spread over lines.
pub(super) fn word_list(statement: &Statement) -> Vec<Spanned<String>> {
    let words = statement.lines().iter().flat_map(|line| line.words());
    words.map(|word| Spanned::new(word.text.to_owned(), word.place)).collect()
}

impl GroupDraft {
    /// A block of which nothing is known but its name.
    pub(super) fn new(name: Spanned<String>, block: Extent) -> Self {
        Self {
            name,
            block,
            members: None,
            track: TrackLines::default(),
            notify: NotifyDraft::default(),
            notify_priority_changes: None,
            smtp_alert: None,
            tracking_weight: false,
        }
    }

    /// Where the block stands.
    pub(super) fn place(&self) -> Place {
        self.name.place
    }
}
