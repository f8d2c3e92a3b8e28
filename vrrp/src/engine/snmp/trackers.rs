//! Scripts, files, BFD sessions and processes that are tracked.

use runtime::agentx::Value;
use runtime::agentx::mib::{Ask, Column, Found, column, table as find};
use runtime::report::command;

use super::super::Engine;
use super::super::report::Pattern as Shown;
use super::super::tracking::{TrackedFile, TrackedProcess, TrackedScript};
use super::{numbered, reverse, weight};
use crate::track::Weighting;
use crate::track::process::Parameters;
use crate::track::script::Verdict;

/// `vrrpScriptTable`
pub(super) fn scripts(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&TrackedScript>] = &[
        column(2, |script| Some(Value::text(script.name()))),
        column(3, |script| Some(Value::text(command(&script.config().script)))),
        column(4, |script| Some(Value::integer(script.config().interval.as_secs()))),
        column(5, |script| weight(script.config().weighting)),
        column(6, |script| {
            Some(Value::Integer(match script.score().verdict() {
                Verdict::Unknown if script.config().init_fail => 5,
                Verdict::Unknown => 1,
                Verdict::Bad => 2,
                Verdict::Good => 3,
            }))
        }),
        column(7, |script| Some(Value::Gauge(script.config().rise))),
        column(8, |script| Some(Value::Gauge(script.config().fall))),
        column(9, |script| reverse(script.config().weighting)),
        column(10, |script| {
            let script = &script.config().script;
            let path = script.resolved().unwrap_or_else(|| script.program.to_string_lossy());
            Some(Value::text(path))
        }),
        column(11, |script| Some(Value::gauge(script.config().interval.as_micros()))),
        column(12, |script| {
            Some(Value::gauge(script.config().timeout.unwrap_or_default().as_micros()))
        }),
    ];
    find(columns, numbered(engine.tracked.scripts.iter()), ask)
}

/// `vrrpFileTable`
pub(super) fn files(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&TrackedFile>] = &[
        column(2, |file| Some(Value::text(file.name()))),
        column(3, |file| Some(Value::text(&file.config().path))),
        column(4, |file| Some(Value::integer(file.number()))),
        column(5, |file| Some(Value::Integer(file.config().weight))),
        column(6, |file| Some(Value::truth(file.config().reverse))),
    ];
    find(columns, numbered(engine.tracked.files.iter().map(|(_, file)| file)), ask)
}

struct Session<'a> {
    name: &'a str,
    is_up: bool,
    weighting: Weighting,
}

/// `vrrpBfdTable`
pub(super) fn sessions(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<Session<'_>>] = &[
        column(2, |session| Some(Value::text(session.name))),
        column(3, |session| Some(Value::Integer(session.is_up.into()))),
        column(4, |session| weight(session.weighting)),
        column(5, |session| reverse(session.weighting)),
    ];
    let rows = engine.tracked.sessions.iter().map(|session| {
        let known = engine.global.bfd_names.iter().find(|known| known.name == session.name());
        let (weight, reverse) = known.map_or((0, false), |known| (known.weight, known.reverse));
        let weighting = Weighting { weight, reverse };
        Session { name: session.name(), is_up: session.is_up(), weighting }
    });
    find(columns, numbered(rows), ask)
}

/// `vrrpProcessTable`
pub(super) fn processes(engine: &Engine, ask: Ask<'_>) -> Found {
    let columns: &[Column<&TrackedProcess>] = &[
        column(2, |process| Some(Value::text(process.name()))),
        column(3, |process| Some(Value::text(Shown::of(&process.config().pattern).command))),
        column(4, |process| {
            let parameters = Shown::of(&process.config().pattern).parameters;
            Some(Value::text(parameters.unwrap_or_default()))
        }),
        column(5, |process| {
            Some(Value::Integer(match process.config().comparison {
                None => 0,
                Some(Parameters::Exact) => 1,
                Some(Parameters::Partial) => 2,
                Some(Parameters::Initial) => 3,
            }))
        }),
        column(6, |process| weight(process.config().weighting)),
        column(7, |process| reverse(process.config().weighting)),
        column(8, |process| Some(Value::Gauge(process.config().quorum.least))),
        column(9, |process| {
            // Without a limit the original shows its largest number, which is -1 here.
            let most = process.config().quorum.most;
            Some(if most == u32::MAX { Value::Integer(-1) } else { Value::integer(most) })
        }),
        column(10, |process| Some(Value::gauge(process.config().quorum.fork_delay.as_micros()))),
        column(11, |process| {
            Some(Value::gauge(process.config().quorum.terminate_delay.as_micros()))
        }),
        column(12, |process| Some(Value::truth(Shown::of(&process.config().pattern).full_command))),
        column(13, |process| Some(Value::integer(process.census().count()))),
        column(14, |process| Some(Value::truth(process.has_quorum()))),
    ];
    find(columns, numbered(engine.tracked.processes.iter().map(|(_, process)| process)), ask)
}
