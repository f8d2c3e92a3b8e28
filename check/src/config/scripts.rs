//! Which scripts may run: those that are found, and that nobody but root can change where they run with root's rights.

use conf_parser::{Class, Diagnostics, Place};
use runtime::global::{Script, Scripts};
use runtime::scripts::ScriptChecker;

use super::checker::{Checker, Kind};
use super::misc::words;
use super::service::VirtualServer;

/// Takes out the scripts that must not or cannot run, and the checks that would run them. `places` are those of the blocks
/// of the virtual servers.
pub(super) fn check(
    servers: &mut [VirtualServer],
    places: &[Place],
    settings: &Scripts,
    diagnostics: &mut Diagnostics,
) {
    let mut checker = ScriptChecker::new(settings);
    for (server, place) in servers.iter_mut().zip(places) {
        for server in &mut server.real_servers {
            let runs_scripts = |checker: &Checker| matches!(checker.kind, Kind::Misc(..));
            if server.checkers.iter().any(runs_scripts) {
                let checks = std::mem::take(&mut server.checkers).into_iter();
                let allowed =
                    checks.filter_map(|one| check_one(one, &mut checker, *place, diagnostics));
                server.checkers = allowed.collect();
            }
        }
    }
    for (server, place) in servers.iter_mut().zip(places) {
        let mut settle = |script: &mut Option<Box<Script>>| {
            let checked = script.take().and_then(|one| checker.check(*one, *place, diagnostics));
            *script = checked.map(Box::new);
        };
        settle(&mut server.quorum_up);
        settle(&mut server.quorum_down);
        for server in &mut server.real_servers {
            settle(&mut server.notify_up);
            settle(&mut server.notify_down);
        }
    }
    if !servers.is_empty() {
        checker.count_reader(settings.notify_fifo.as_ref());
        checker.count_reader(settings.lvs_notify_fifo.as_ref());
    }
    checker.finish("check ", diagnostics);
}

/// The check, unless it is one whose script may not run.
fn check_one(
    mut one: Checker,
    checker: &mut ScriptChecker<'_>,
    place: Place,
    diagnostics: &mut Diagnostics,
) -> Option<Checker> {
    let Kind::Misc(_, misc) = &mut one.kind else { return Some(one) };
    let insecure = checker.insecure();
    if let Some(checked) = checker.check(misc.script.clone(), place, diagnostics) {
        misc.script = checked;
        return Some(one);
    }
    let cause = if checker.insecure() > insecure {
        "due to insecure"
    } else {
        "since not found/accessible"
    };
    let text = format!("Disabling misc script {} {cause}", words(&misc.script.argv));
    diagnostics.report_later(Class::Harmless, place, text);
    None
}
