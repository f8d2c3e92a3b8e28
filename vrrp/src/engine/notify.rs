//! Who is told about a state, and in which words.

use std::borrow::Cow;

use runtime::global::Script;

use crate::config::instance::{Deleted, Notify};
use crate::config::sync_group::GroupNotify;
use crate::fsm::State;
use crate::packet::Priority;

/// What scripts and listeners hear about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A state was entered.
    Entered(State),
    /// The daemon stops.
    Stopped,
    /// A reload removed the instance.
    Deleted,
    /// A master heard an advert of lower priority.
    LowerPriority,
}

impl News {
    /// The word in arguments and FIFO lines.
    pub(super) fn word(self) -> &'static str {
        match self {
            News::Entered(state) => state.name(),
            News::Stopped => "STOP",
            News::Deleted => "DELETED",
            News::LowerPriority => "MASTER_RX_LOWER_PRI",
        }
    }
}

/// A script to start, with what is appended to its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Launch<'a> {
    pub(super) script: &'a Script,
    pub(super) arguments: Vec<Cow<'a, str>>,
}

impl Launch<'_> {
    /// The script and what is appended to its arguments.
    pub(super) fn into_owned(self) -> (Script, Vec<String>) {
        (self.script.clone(), self.arguments.into_iter().map(Cow::into_owned).collect())
    }
}

/// The scripts that hear `news` about the instance called `name`: the one for this news, then the one for all.
pub(super) fn for_instance<'a>(
    notify: &'a Notify,
    name: &'a str,
    priority: Priority,
    news: News,
) -> Vec<Launch<'a>> {
    let specific = match news {
        News::Entered(State::Master) => &notify.master,
        News::Entered(State::Backup) => &notify.backup,
        News::Entered(State::Fault) => &notify.fault,
        News::Entered(State::Init) => &None,
        News::Stopped => &notify.stop,
        News::LowerPriority => &notify.lower_priority,
        News::Deleted => match &notify.deleted {
            Deleted::Reported(script) => script,
            Deleted::AsFault => &notify.fault,
        },
    };
    let any = notify.any.as_deref().filter(|_| news != News::LowerPriority);
    let priority = priority.0.to_string();
    launches(
        specific.as_deref(),
        any,
        ["INSTANCE".into(), name.into(), word(news, notify).into(), priority.into()],
    )
}

/// The scripts that hear `news` about the group called `name`.
pub(super) fn for_group<'a>(notify: &'a GroupNotify, name: &'a str, news: News) -> Vec<Launch<'a>> {
    let specific = match news {
        News::Entered(State::Master) => &notify.master,
        News::Entered(State::Backup) => &notify.backup,
        News::Entered(State::Fault) => &notify.fault,
        News::Stopped => &notify.stop,
        News::Entered(State::Init) | News::Deleted | News::LowerPriority => &None,
    };
    let arguments = ["GROUP".into(), name.into(), news.word().into(), "0".into()];
    launches(specific.as_deref(), notify.any.as_deref(), arguments)
}

/// The line for FIFOs about an instance.
pub(super) fn instance_line(name: &str, word: &str, priority: Priority) -> String {
    format!("INSTANCE \"{name}\" {word} {}\n", priority.0)
}

/// The line for FIFOs about a sync group.
pub(super) fn group_line(name: &str, word: &str) -> String {
    format!("GROUP \"{name}\" {word} 0\n")
}

/// A deletion that nobody asked to hear about looks like a fault.
pub(super) fn word(news: News, notify: &Notify) -> &'static str {
    match (news, &notify.deleted) {
        (News::Deleted, Deleted::AsFault) => News::Entered(State::Fault).word(),
        _ => news.word(),
    }
}

fn launches<'a>(
    specific: Option<&'a Script>,
    any: Option<&'a Script>,
    arguments: [Cow<'a, str>; 4],
) -> Vec<Launch<'a>> {
    let specific = specific.map(|script| Launch { script, arguments: Vec::new() });
    let any = any.map(|script| Launch { script, arguments: arguments.into() });
    specific.into_iter().chain(any).collect()
}

#[cfg(test)]
mod tests {
    use runtime::global::Account;

    use super::*;

    fn script(path: &str) -> Option<Box<Script>> {
        let account = Account { uid: 0, gid: 0, groups: vec![] };
        Some(Box::new(Script { program: path.into(), argv: vec![path.into()], account }))
    }

    fn told(launches: &[Launch<'_>]) -> Vec<String> {
        let line = |launch: &Launch<'_>| {
            let own = launch.script.argv.iter().map(|word| word.to_string_lossy());
            own.chain(launch.arguments.iter().cloned()).collect::<Vec<_>>().join(" ")
        };
        launches.iter().map(line).collect()
    }

    #[test]
    fn the_specific_script_comes_before_the_one_for_all() {
        let notify = Notify { master: script("m"), any: script("a"), ..Notify::default() };
        let launches = for_instance(&notify, "V I", Priority(150), News::Entered(State::Master));
        assert_eq!(told(&launches), ["m", "a INSTANCE V I MASTER 150"]);
        assert_eq!(launches[1].arguments.len(), 4, "a name is one argument");
        let launches = for_instance(&notify, "VI", Priority(1), News::Stopped);
        assert_eq!(told(&launches), ["a INSTANCE VI STOP 1"]);
    }

    #[test]
    fn a_lower_priority_is_told_to_its_own_script_alone() {
        let notify = Notify { lower_priority: script("l"), any: script("a"), ..Notify::default() };
        let launches = for_instance(&notify, "VI", Priority(150), News::LowerPriority);
        assert_eq!(told(&launches), ["l"]);
    }

    #[test]
    fn a_deletion_looks_like_a_fault_unless_asked_for() {
        let mut notify = Notify { fault: script("f"), any: script("a"), ..Notify::default() };
        let launches = for_instance(&notify, "VI", Priority(9), News::Deleted);
        assert_eq!(told(&launches), ["f", "a INSTANCE VI FAULT 9"]);
        notify.deleted = Deleted::Reported(script("d"));
        let launches = for_instance(&notify, "VI", Priority(9), News::Deleted);
        assert_eq!(told(&launches), ["d", "a INSTANCE VI DELETED 9"]);
    }

    #[test]
    fn groups_have_no_priority() {
        let notify =
            GroupNotify { backup: script("b"), any: script("a"), ..GroupNotify::default() };
        let launches = for_group(&notify, "VG", News::Entered(State::Backup));
        assert_eq!(told(&launches), ["b", "a GROUP VG BACKUP 0"]);
    }
}
