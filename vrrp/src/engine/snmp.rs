//! What the process offers to an SNMP master agent: its branch of KEEPALIVED-MIB, VRRP-MIB (RFC 2787) and VRRPv3-MIB
//! (RFC 6527). Each table is a list of columns, which are functions of a row; rows are read from what is there.

mod addresses;
mod groups;
mod instances;
mod rfc2787;
mod rfc6527;
mod routes;
mod rules;
mod set;
mod tracked;
mod trackers;
mod traps;

use std::time::Instant;

use runtime::agentx::mib::{Inclusive, Mib, Part};
use runtime::agentx::{Branch, Objects, Offer, Offering, Oid, SetError, Subagent, Value};
use runtime::global::{Global, Script, Snmp, mib};
use runtime::report::command;

use set::Change;
use tracked::By;
pub(super) use traps::Told;

use super::{Engine, Source, Timer};
use crate::track::Weighting;

/// The VRRP branch of KEEPALIVED-MIB.
const ROOT: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2];

static GLOBAL: Mib<Engine> = mib::mib();

static VRRP: Mib<Engine> = Mib {
    root: ROOT,
    parts: &[
        Part { prefix: &[1, 1], find: groups::table },
        Part { prefix: &[2, 1], find: groups::members },
        Part { prefix: &[3, 1], find: instances::table },
        Part {
            prefix: &[4, 1],
            find: |engine, ask| tracked::interfaces(engine, By::Instances, ask),
        },
        Part { prefix: &[5, 1], find: |engine, ask| tracked::scripts(engine, By::Instances, ask) },
        Part { prefix: &[6, 1], find: addresses::table },
        Part { prefix: &[7, 1], find: routes::table },
        Part { prefix: &[8, 1], find: rules::table },
        Part { prefix: &[9, 1], find: trackers::scripts },
        Part { prefix: &[11, 1], find: routes::next_hops },
        Part { prefix: &[12, 1], find: |engine, ask| tracked::files(engine, By::Instances, ask) },
        Part { prefix: &[13, 1], find: trackers::files },
        Part { prefix: &[14, 1], find: |engine, ask| tracked::interfaces(engine, By::Groups, ask) },
        Part { prefix: &[15, 1], find: |engine, ask| tracked::scripts(engine, By::Groups, ask) },
        Part { prefix: &[16, 1], find: |engine, ask| tracked::files(engine, By::Groups, ask) },
        Part {
            prefix: &[17, 1],
            find: |engine, ask| tracked::sessions(engine, By::Instances, ask),
        },
        Part { prefix: &[18, 1], find: trackers::sessions },
        Part { prefix: &[19, 1], find: |engine, ask| tracked::sessions(engine, By::Groups, ask) },
        Part {
            prefix: &[20, 1],
            find: |engine, ask| tracked::processes(engine, By::Instances, ask),
        },
        Part { prefix: &[21, 1], find: trackers::processes },
        Part { prefix: &[22, 1], find: |engine, ask| tracked::processes(engine, By::Groups, ask) },
    ],
};

/// All that may be offered, in the order of the names.
static MIBS: [&Mib<Engine>; 4] = [&rfc2787::MIB, &rfc6527::MIB, &GLOBAL, &VRRP];

/// The subagent, and what it is asked for.
#[derive(Debug, Default)]
pub(super) struct Managed {
    subagent: Subagent,
    /// What a manager has changed in this turn.
    changes: Vec<Change>,
}

impl mib::Configured for Engine {
    fn global(&self) -> &Global {
        &self.global
    }
}

impl Offering for Engine {
    const MASTER: Source = Source::Snmp;
    const MASTER_DUE: Timer = Timer::Snmp;

    fn subagent(&mut self) -> &mut Subagent {
        &mut self.managed.subagent
    }

    fn wanted_offer(&self) -> Option<Offer> {
        let wanted = &self.global.snmp;
        let is_wanted = wanted.vrrp || wanted.rfc_v2 || wanted.rfc_v3;
        is_wanted.then(|| Offer { socket: wanted.socket.clone(), branches: branches(wanted) })
    }

    fn perform_changes(&mut self, now: Instant) {
        for change in std::mem::take(&mut self.managed.changes) {
            self.perform_change(change, now);
        }
    }
}

impl Engine {
    /// Centiseconds from the start of the subagent to `at`.
    fn ticks(&self, at: Instant) -> u32 {
        let since = self.managed.subagent.since().unwrap_or(at);
        ticks(at.saturating_duration_since(since))
    }
}

impl Objects for Engine {
    fn get(&self, name: &[u32]) -> Option<Value> {
        MIBS.iter().find_map(|mib| mib.get(self, name))
    }

    fn next(&self, from: &[u32], inclusive: bool) -> Option<(Oid, Value)> {
        MIBS.iter().find_map(|mib| mib.next(self, from, Inclusive(inclusive)))
    }

    fn test(&self, name: &[u32], value: &Value) -> Result<(), SetError> {
        self.change(name, value).map(drop)
    }

    fn set(&mut self, name: &[u32], value: &Value) -> Result<(), SetError> {
        let change = self.change(name, value)?;
        self.managed.changes.push(change);
        Ok(())
    }
}

fn branches(wanted: &Snmp) -> Vec<Branch> {
    let described =
        |root, text| Branch { root, priority: Branch::PRIORITY, capabilities: Some((root, text)) };
    let all = [
        (true, mib::BRANCH),
        (wanted.vrrp, described(ROOT, "The MIB module for KEEPALIVED-VRRP")),
        (wanted.rfc_v2, described(rfc2787::MIB.root, "The MIB module for VRRP")),
        (wanted.rfc_v3, described(rfc6527::MIB.root, "The MIB module for VRRPV3")),
    ];
    all.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, branch)| branch).collect()
}

/// A time in centiseconds.
fn ticks(time: std::time::Duration) -> u32 {
    // The type wraps around after 497 days, as it must (RFC 2578 §7.1.8).
    u32::try_from(time.as_millis() / 10 % (1 << 32)).unwrap_or(u32::MAX)
}

/// Rows with their positions, from 1.
fn numbered<T>(rows: impl IntoIterator<Item = T>) -> impl Iterator<Item = ([u32; 1], T)> {
    (1..).map(|number| [number]).zip(rows)
}

/// A command, as far as there is one.
fn script(script: Option<&Script>) -> Option<Value> {
    script.map(|script| Value::text(command(script)))
}

/// A time in whole seconds.
fn seconds(time: std::time::Duration) -> Option<Value> {
    Some(Value::gauge(time.as_secs()))
}

fn weight(weighting: Weighting) -> Option<Value> {
    Some(Value::Integer(weighting.weight))
}

fn reverse(weighting: Weighting) -> Option<Value> {
    Some(Value::truth(weighting.reverse))
}

/// `RT_SCOPE_*` as `InetScopeType` has it.
fn scope(scope: u8) -> Option<Value> {
    Some(Value::Integer(match scope {
        0 => 14,
        200 => 5,
        253 => 2,
        254 => 1,
        _ => 0,
    }))
}

/// Rows of two indexes: 0 for what is static and the positions of instances, then the positions of what each has.
fn by_owner<T>(
    fixed: impl Iterator<Item = T>,
    owned: impl Iterator<Item = impl Iterator<Item = T>>,
) -> impl Iterator<Item = ([u32; 2], T)> {
    let fixed = (1..).zip(fixed).map(|(number, row)| ([0, number], row));
    let owned = (1..)
        .zip(owned)
        .flat_map(|(owner, rows)| (1..).zip(rows).map(move |(number, row)| ([owner, number], row)));
    fixed.chain(owned)
}
