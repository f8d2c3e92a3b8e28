//! The VRRP keywords of the top level.

use std::collections::HashSet;

use conf_parser::{
    Args, Class, Diagnostics, Line, Place, Spanned, Statement, Table, Value, keyword,
};

use super::address_entry::{AddressDraft, Owner, owned};
use super::instance_draft::InstanceDraft;
use super::link::{GARP_GROUP, GarpGroupDraft};
use super::process::{self, ProcessDraft};
use super::script::{self, ScriptDraft};
use super::sync_group::{self, GroupDraft};
use super::track_group::{self, TrackGroupDraft};
use super::{instance_keywords, link};

/// What the keywords fill.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub(super) instances: Vec<InstanceDraft>,
    pub(super) groups: Vec<GroupDraft>,
    pub(super) scripts: Vec<ScriptDraft>,
    pub(super) processes: Vec<ProcessDraft>,
    pub(super) static_addresses: Vec<AddressDraft>,
    pub(super) static_routes: Vec<Line>,
    pub(super) static_rules: Vec<Line>,
    pub(super) track_groups: Vec<TrackGroupDraft>,
    pub(super) garp_groups: Vec<GarpGroupDraft>,
    pub(super) linkbeat: Vec<Line>,
    pub(super) delays: Vec<Line>,
    pub(super) wanted: bool,
    names: HashSet<(&'static str, String)>,
}

/// The VRRP keywords of the top level.
pub static ROOT: Table<Draft> = Table(&[
    keyword(
        "vrrp_instance",
        Args::Block("NAME", &instance_keywords::TABLE),
        "a virtual router",
        instance,
    ),
    keyword(
        "vrrp_sync_group",
        Args::Block("NAME", &sync_group::TABLE),
        "virtual routers that change state together",
        group,
    ),
    keyword(
        "vrrp_script",
        Args::Block("NAME", &script::TABLE),
        "a script whose result is tracked",
        |draft, _, statement, diagnostics| {
            let Some(name) = block_name(statement, diagnostics) else { return };
            let mut script = ScriptDraft::new(name, statement.extent());
            script::TABLE.fill(&mut script, statement, diagnostics);
            draft.scripts.push(script);
        },
    ),
    keyword(
        "vrrp_track_process",
        Args::Block("NAME", &process::TABLE),
        "processes that are counted",
        |draft, _, statement, diagnostics| {
            let Some(name) = block_name(statement, diagnostics) else { return };
            let mut process = ProcessDraft::new(name, statement.extent());
            process::TABLE.fill(&mut process, statement, diagnostics);
            draft.processes.push(process);
        },
    ),
    keyword(
        "static_ipaddress",
        Args::Lines(""),
        "addresses that are there while the daemon runs",
        |draft, _, statement, diagnostics| {
            draft.wanted = true;
            let entries = statement.lines().iter();
            draft.static_addresses.extend(
                entries.filter_map(|line| AddressDraft::parse(line, Owner::Static, diagnostics)),
            );
        },
    ),
    keyword(
        "static_routes",
        Args::Lines(""),
        "routes that are there while the daemon runs",
        |draft, _, statement, _| {
            draft.wanted = true;
            draft.static_routes.extend_from_slice(statement.lines());
        },
    ),
    keyword(
        "static_rules",
        Args::Lines(""),
        "policy rules that are there while the daemon runs",
        |draft, _, statement, _| {
            draft.wanted = true;
            draft.static_rules.extend_from_slice(statement.lines());
        },
    ),
    keyword(
        "track_group",
        Args::Block("NAME", &track_group::TABLE),
        "who shares the fate of static addresses, routes and rules",
        track_group,
    ),
    keyword(
        "garp_group",
        Args::Block("", &link::GARP_GROUP),
        "pacing of announcements on some interfaces",
        |draft, _, statement, diagnostics| {
            let mut group = GarpGroupDraft::new(statement.extent());
            GARP_GROUP.fill(&mut group, statement, diagnostics);
            draft.garp_groups.push(group);
        },
    ),
    keyword(
        "linkbeat_interfaces",
        Args::Lines("IFNAME [MII|ETHTOOL|IOCTL]"),
        "interfaces whose link is polled",
        |draft, _, statement, _| draft.linkbeat.extend_from_slice(statement.lines()),
    ),
    keyword(
        "interface_up_down_delays",
        Args::Lines("IFNAME DOWN_TIMER:0..255 [UP_TIMER:0..255]"),
        "how long a change of an interface must last",
        |draft, _, statement, _| draft.delays.extend_from_slice(statement.lines()),
    ),
]);

fn instance(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    draft.wanted = true;
    let missing = "vrrp_instance must have a name";
    let Some(name) = only_name(statement, missing, diagnostics) else { return };
    if !draft.is_new("vrrp instance", &name.value, name.place, diagnostics) {
        return;
    }
    let mut instance = InstanceDraft::new(name, statement.extent());
    instance_keywords::TABLE.fill(&mut instance, statement, diagnostics);
    instance.end();
    draft.instances.push(instance);
}

fn group(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let missing = "vrrp_sync_group must have a name - skipping";
    let Some(name) = only_name(statement, missing, diagnostics) else { return };
    if !draft.is_new("vrrp sync group", &name.value, name.place, diagnostics) {
        return;
    }
    let mut group = GroupDraft::new(name, statement.extent());
    sync_group::TABLE.fill(&mut group, statement, diagnostics);
    draft.groups.push(group);
}

fn track_group(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let missing = "track_group must have a name - skipping";
    let Some(name) = only_name(statement, missing, diagnostics) else { return };
    if !draft.is_new("track_group", &name.value, name.place, diagnostics) {
        return;
    }
    let mut group = TrackGroupDraft { name, members: None };
    track_group::TABLE.fill(&mut group, statement, diagnostics);
    if group.members.is_some() {
        draft.track_groups.push(group);
        return;
    }
    let text = format!("Static track group {} has no members - removing", group.name.value);
    diagnostics.report_block(Class::GeneralError, statement.extent(), text);
}

impl Draft {
    /// Whether this is the first block of its kind and name; another one is reported.
    fn is_new(
        &mut self,
        kind: &'static str,
        name: &str,
        place: Place,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let new = self.names.insert((kind, name.to_owned()));
        if !new {
            diagnostics.report(
                Class::GeneralError,
                place,
                format!("{kind} {name} already defined"),
            );
        }
        new
    }
}

/// The one word behind the keyword; otherwise `message` is reported.
fn only_name(
    statement: &Statement,
    message: &str,
    diagnostics: &mut Diagnostics,
) -> Option<Spanned<String>> {
    match (statement.arg(0), statement.arg(1)) {
        (Some(name), None) => Some(owned(name)),
        _ => {
            diagnostics.report(Class::GeneralError, statement.place(), message);
            None
        }
    }
}

/// The word behind the keyword, without which the configuration cannot be used.
fn block_name(statement: &Statement, diagnostics: &mut Diagnostics) -> Option<Spanned<String>> {
    let name = statement.arg(0).map(owned);
    if name.is_none() {
        conf_parser::report_missing_parameter(statement, 0, diagnostics);
    }
    name
}
