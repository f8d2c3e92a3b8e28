//! Which instances belong to which sync group, and what the groups track.

use std::collections::HashMap;

use runtime::scripts::ScriptChecker;

use super::context::Context;
use super::instance_draft::InstanceDraft;
use super::instance_finish::Membership;
use super::sync_group::GroupDraft;
use super::trackables::{Trackables, number};
use super::{GroupId, InstanceId, SyncGroup};

/// The sync groups that have members.
pub(super) struct Groups {
    drafts: Vec<(GroupDraft, Vec<String>)>,
    memberships: HashMap<String, Membership>,
}

impl Groups {
    /// Assigns the instances. What does not fit is reported.
    pub(super) fn assign(
        drafts: Vec<GroupDraft>,
        instances: &[InstanceDraft],
        context: &mut Context<'_>,
    ) -> Self {
        let instances: HashMap<&str, &InstanceDraft> =
            instances.iter().map(|instance| (instance.name(), instance)).collect();
        let mut groups = Self { drafts: Vec::new(), memberships: HashMap::new() };
        for draft in drafts {
            let members = groups.members(&draft, &instances, context);
            if members.is_empty() {
                continue;
            }
            if members.len() == 1 {
                let text = format!(
                    "Sync group {} has only 1 virtual router(s) - this probably isn't what you want",
                    draft.name.value
                );
                context.report_later(draft.place(), text);
            }
            groups.drafts.push((draft, members));
        }
        groups
    }

    /// The group of an instance.
    pub(super) fn of(&self, instance: &str) -> Option<Membership> {
        self.memberships.get(instance).copied()
    }

    fn members(
        &mut self,
        draft: &GroupDraft,
        instances: &HashMap<&str, &InstanceDraft>,
        context: &mut Context<'_>,
    ) -> Vec<String> {
        let group = &draft.name.value;
        let Some(names) = &draft.members else {
            let text = format!("Sync group {group} has no members - removing");
            context.report_block(draft.block, text);
            return Vec::new();
        };
        let membership = Membership {
            id: GroupId(number(self.drafts.len())),
            tracking_weight: draft.tracking_weight,
            notify_priority_changes: draft.notify_priority_changes,
        };
        let mut members = Vec::new();
        let mut all_owners = true;
        for name in names {
            let Some(instance) = instances.get(name.value.as_str()) else {
                let text = format!(
                    "Virtual router {} specified in sync group {group} doesn't exist - ignoring",
                    name.value
                );
                context.report_later(name.place, text);
                continue;
            };
            if self.memberships.contains_key(&name.value) {
                let text = format!(
                    "Virtual router {} cannot exist in more than one sync group; ignoring {group}",
                    name.value
                );
                context.report_later(name.place, text);
                continue;
            }
            if all_owners && !members.is_empty() && instance.wants_master == Some(false) {
                let text = format!(
                    "Sync group {group} has some member(s) as address owner and some not as address owner. This won't work."
                );
                context.report_later(draft.place(), text);
            }
            all_owners &= instance.is_declared_owner();
            self.memberships.insert(name.value.clone(), membership);
            members.push(name.value.clone());
        }
        if members.is_empty() {
            let text = format!(
                "Sync group {group}, no matching virtual router found in group declaration - removing"
            );
            context.report_later(draft.place(), text);
        }
        members
    }

    /// The complete groups.
    pub(super) fn finish(
        self,
        ids: &HashMap<String, InstanceId>,
        trackables: &Trackables,
        checker: &mut ScriptChecker<'_>,
        context: &mut Context<'_>,
    ) -> Vec<SyncGroup> {
        let groups = self.drafts.into_iter().map(|(draft, members)| SyncGroup {
            members: members.iter().filter_map(|name| ids.get(name).copied()).collect(),
            trackers: trackables.of_group(&draft.track, &draft.name.value, context),
            notify: draft.notify.finish_group(checker, context),
            smtp_alert: draft.smtp_alert.unwrap_or_else(|| context.default_alert()),
            tracking_weight: draft.tracking_weight,
            notify_priority_changes: draft.notify_priority_changes,
            name: draft.name.value,
        });
        groups.collect()
    }
}
