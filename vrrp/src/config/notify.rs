//! `notify*` keywords of instances and sync groups.

use conf_parser::{Class, Diagnostics, Line, Statement, Value};
use runtime::global::Script;
use runtime::scripts::ScriptChecker;

use super::context::Context;
use super::instance::{Deleted, Notify};
use super::instance_draft::InstanceDraft;
use super::sync_group::{GroupDraft, GroupNotify};

/// The lines of the keywords; the first of each counts.
#[derive(Clone, Debug, Default)]
pub(super) struct NotifyDraft {
    master: Option<Line>,
    backup: Option<Line>,
    fault: Option<Line>,
    stop: Option<Line>,
    any: Option<Line>,
    lower_priority: Option<Line>,
    /// `Some(None)` reports the end of an instance without a script.
    deleted: Option<Option<Line>>,
}

impl NotifyDraft {
    /// Takes the line of a keyword; `about` is what messages start with.
    fn set(
        &mut self,
        about: impl FnOnce() -> String,
        statement: &Statement,
        diagnostics: &mut Diagnostics,
    ) {
        let keyword = statement.keyword();
        let slot = match keyword {
            "notify_master" => &mut self.master,
            "notify_backup" => &mut self.backup,
            "notify_fault" => &mut self.fault,
            "notify_stop" => &mut self.stop,
            "notify_master_rx_lower_pri" => &mut self.lower_priority,
            _ => &mut self.any,
        };
        if slot.is_none() {
            *slot = Some(statement.line.clone());
            return;
        }
        let ignored = statement.arg(0).map_or("", |word| word.text);
        let text = format!("{} {keyword} script already specified - ignoring {ignored}", about());
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }

    /// Finds the scripts of an instance, and drops those that must not run.
    pub(super) fn finish(
        self,
        checker: &mut ScriptChecker<'_>,
        context: &mut Context<'_>,
    ) -> Notify {
        let mut script =
            |line: Option<Line>| usable_script(line.as_ref()?, checker, context).map(Box::new);
        Notify {
            master: script(self.master),
            backup: script(self.backup),
            fault: script(self.fault),
            stop: script(self.stop),
            any: script(self.any),
            lower_priority: script(self.lower_priority),
            deleted: match self.deleted {
                None => Deleted::AsFault,
                Some(line) => Deleted::Reported(script(line)),
            },
        }
    }

    /// As [`Self::finish`], for a sync group.
    pub(super) fn finish_group(
        self,
        checker: &mut ScriptChecker<'_>,
        context: &mut Context<'_>,
    ) -> GroupNotify {
        let Notify { master, backup, fault, stop, any, .. } = self.finish(checker, context);
        GroupNotify { master, backup, fault, stop, any }
    }
}

fn usable_script(
    line: &Line,
    checker: &mut ScriptChecker<'_>,
    context: &mut Context<'_>,
) -> Option<Script> {
    let script = Script::from_line(line, "notify", &context.global.scripts, context.diagnostics)?;
    if context.is_interface_missing() {
        // The configuration cannot be used anyway, and the original does not look at scripts then.
        return Some(script);
    }
    checker.check(script, line.place(), context.diagnostics)
}

/// A `notify*` keyword of an instance, but for `notify_deleted`.
pub(super) fn of_instance(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let name = &draft.name.value;
    let notify = draft.notify.get_or_insert_default();
    notify.set(|| format!("({name})"), statement, diagnostics);
}

/// `notify_deleted`, whose script may be left out.
pub(super) fn deleted(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let script = statement.arg(0);
    let notify = draft.notify.get_or_insert_default();
    if notify.deleted.is_none() {
        notify.deleted = Some(script.map(|_| statement.line.clone()));
        return;
    }
    let ignored = script.map_or("", |word| word.text);
    let text = format!("({}) notify_deleted already specified - ignoring {ignored}", draft.name());
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

/// A `notify*` keyword of a sync group.
pub(super) fn of_group(
    draft: &mut GroupDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let name = &draft.name.value;
    draft.notify.set(|| format!("vrrp group {name}:"), statement, diagnostics);
}
