//! What the process offers to an SNMP master agent: the settings of the daemon, and the branch of KEEPALIVED-MIB for
//! virtual servers. Rows are read from what is there; what the kernel counts is kept for the time that is configured.

mod groups;
mod kernel;
mod real;
mod traps;
mod virtuals;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ipvs_sys::Statistics;
use runtime::agentx::mib::{Inclusive, Mib, Part};
use runtime::agentx::{Branch, Objects, Offer, Offering, Oid, SetError, Subagent, Value};
use runtime::global::{Global, Script, mib};
use runtime::report::command;

use super::{Engine, Source, Timer};
use crate::balance::{PoolId, ServerId};
use crate::config::forwarding::{Checksum, Forwarding, TunnelKind};
use crate::table::Figures;

const ROOT: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 3];
/// The column of weights, which can be changed.
const WEIGHT: u32 = 7;
/// VRRP offers the settings of the daemon too; it is this process that is asked where there are both.
const PREFERRED: u8 = Branch::PRIORITY - 1;

static GLOBAL: Mib<Engine> = mib::mib();

static CHECK: Mib<Engine> = Mib {
    root: ROOT,
    parts: &[
        Part { prefix: &[1, 1], find: groups::table },
        Part { prefix: &[2, 1], find: groups::members },
        Part { prefix: &[3, 1], find: virtuals::table },
        Part { prefix: &[4, 1], find: real::table },
        Part { prefix: &[6], find: kernel::sync_daemon },
        Part { prefix: &[7], find: kernel::timeouts },
    ],
};

/// The subagent, what it knows of the kernel's counters, and what it is asked for.
#[derive(Debug, Default)]
pub(super) struct Managed {
    subagent: Subagent,
    figures: RefCell<Figures>,
    /// The weights that a manager has changed in this turn.
    changes: Vec<(ServerId, u32)>,
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
        let branches = vec![
            Branch { priority: PREFERRED, ..mib::BRANCH },
            Branch {
                root: ROOT,
                priority: Branch::PRIORITY,
                capabilities: Some((ROOT, "The MIB module for Healthchecker")),
            },
        ];
        wanted.checker.then(|| Offer { socket: wanted.socket.clone(), branches })
    }

    fn perform_changes(&mut self, _: Instant) {
        for (id, weight) in std::mem::take(&mut self.managed.changes) {
            self.balance.change_weight(id, weight.into());
            self.tell();
        }
    }
}

impl Engine {
    /// Forgets what the kernel has counted for what was configured before.
    pub(super) fn forget_figures(&mut self) {
        self.managed.figures.get_mut().forget();
    }

    fn figures_of_pool(&self, pool: PoolId) -> Statistics {
        let Some(table) = &self.table else { return Statistics::default() };
        let age = self.global.snmp.virtual_server_interval;
        self.managed.figures.borrow_mut().of_pool(table, pool, age)
    }

    fn figures_of_server(&self, pool: PoolId, server: SocketAddr) -> Statistics {
        let Some(table) = &self.table else { return Statistics::default() };
        let snmp = &self.global.snmp;
        let age = snmp.real_server_interval.unwrap_or(snmp.virtual_server_interval);
        self.managed.figures.borrow_mut().of_server(table, pool, server, age)
    }

    /// The real server and the weight that giving an object a value means.
    fn change(&self, name: &[u32], value: &Value) -> Result<(ServerId, u32), SetError> {
        let Some([4, 1, WEIGHT, pool, row]) = name.strip_prefix(ROOT) else {
            return Err(SetError::NotWritable);
        };
        let position = |number: u32| usize::try_from(number).ok()?.checked_sub(1);
        let found = || {
            let pool = PoolId(position(*pool)?);
            let service = self.balance.virtual_server(pool)?;
            let place = position(*row)?.checked_sub(usize::from(service.sorry_server.is_some()))?;
            let id = ServerId { pool, place };
            self.balance.real_server(id).map(|_| id)
        };
        let id = found().ok_or(SetError::NotWritable)?;
        let Value::Integer(weight) = value else { return Err(SetError::WrongType) };
        match u32::try_from(*weight) {
            Ok(weight @ 0..=65535) => Ok((id, weight)),
            Ok(_) | Err(_) => Err(SetError::WrongValue),
        }
    }
}

impl Objects for Engine {
    fn get(&self, name: &[u32]) -> Option<Value> {
        [&GLOBAL, &CHECK].into_iter().find_map(|mib| mib.get(self, name))
    }

    fn next(&self, from: &[u32], inclusive: bool) -> Option<(Oid, Value)> {
        [&GLOBAL, &CHECK].into_iter().find_map(|mib| mib.next(self, from, Inclusive(inclusive)))
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

/// A time in whole seconds; 0 for what was not given.
fn seconds(time: Option<Duration>) -> Option<Value> {
    Some(Value::gauge(time.unwrap_or_default().as_secs()))
}

fn micros(time: Option<Duration>) -> Option<Value> {
    Some(Value::gauge(time.unwrap_or_default().as_micros()))
}

/// A command, as far as there is one.
fn script(script: Option<&Script>) -> Option<Value> {
    script.map(|script| Value::text(command(script)))
}

/// The program of a command.
fn path(script: Option<&Script>) -> Option<Value> {
    let script = script?;
    Some(Value::text(script.resolved().unwrap_or_else(|| script.program.to_string_lossy())))
}

/// The low half of a number.
fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// The high half of a number.
fn high(number: u64) -> u32 {
    u32::try_from(number >> 32).unwrap_or(u32::MAX)
}

fn method(forwarding: Forwarding) -> Option<Value> {
    Some(Value::Integer(match forwarding {
        Forwarding::Nat => 1,
        Forwarding::Direct => 2,
        Forwarding::Tunnel(_) => 3,
    }))
}

fn tunnel_type(forwarding: Forwarding) -> Option<Value> {
    let Forwarding::Tunnel(tunnel) = forwarding else { return None };
    Some(Value::Integer(match tunnel.kind {
        TunnelKind::Ipip => 1,
        TunnelKind::Gue(_) => 2,
        TunnelKind::Gre => 3,
    }))
}

fn tunnel_port(forwarding: Forwarding) -> Option<Value> {
    match forwarding {
        Forwarding::Tunnel(tunnel) => match tunnel.kind {
            TunnelKind::Gue(port) => Some(Value::Gauge(port.into())),
            TunnelKind::Ipip | TunnelKind::Gre => None,
        },
        Forwarding::Nat | Forwarding::Direct => None,
    }
}

fn tunnel_checksum(forwarding: Forwarding) -> Option<Value> {
    let Forwarding::Tunnel(tunnel) = forwarding else { return None };
    if tunnel.kind == TunnelKind::Ipip {
        return None;
    }
    Some(Value::Integer(match tunnel.checksum {
        Checksum::None => 1,
        Checksum::Full => 2,
        Checksum::Remote => 3,
    }))
}
