//! The virtual servers as they are now, without I/O: which real servers are alive, what they weigh, whether that makes a
//! quorum, and who says sorry otherwise.
//!
//! What checks find goes in, and [`Event`]s come out, in the order in which they are to be logged and notified. What
//! IPVS should have is not an event: it is a function of the state ([`Balance::share`], [`Balance::sorry_share`]), and
//! [`Balance::take_dirty`] says for which virtual servers it may have changed.

mod event;
mod load;
mod matching;
mod quorum;
mod stop;

use std::collections::BTreeSet;
use std::rc::Rc;

use runtime::global::FlushOnStop;

use crate::config::service::trio;
use crate::config::{Config, RealServer, SorryServer, VirtualServer};

pub(crate) use event::{
    Event, PoolRef, QuorumCause, QuorumChange, ServerCause, ServerChange, ServerRef,
};
pub(crate) use load::Continuation;

/// A virtual server, as its position in the configuration: valid until the next load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PoolId(pub usize);

/// A real server of a virtual server: valid until the next load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ServerId {
    /// The virtual server.
    pub pool: PoolId,
    /// The position among its real servers.
    pub place: usize,
}

/// Settings of the whole daemon that count here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Whether real servers that come up at the start are notified (`rs_init_notifies`).
    pub notify_start: bool,
    /// What is removed at the end (`lvs_flush_on_stop`).
    pub flush_on_stop: FlushOnStop,
}

/// What is known of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckState {
    /// Whether it has succeeded; true before it has run, unless it is to prove itself (`alpha`).
    pub up: bool,
    /// Whether it has come to a result.
    pub has_run: bool,
    /// What it adds to the weight of the server.
    pub contribution: i64,
}

/// The state of all virtual servers.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    config: Rc<Config>,
    settings: Settings,
    pools: Vec<Pool>,
    /// What [`prepare`](Self::prepare) has made, until it is complete.
    prepared: Option<load::Prepared>,
    events: Vec<Event>,
    dirty: BTreeSet<PoolId>,
}

#[derive(Clone, Debug, Default)]
struct Pool {
    quorum_up: bool,
    /// Whether the sorry server is in use.
    sorry_alive: bool,
    servers: Vec<Server>,
    /// Which entries of its group it had before the last load already, if it was there.
    kept_entries: Option<Box<[bool]>>,
}

#[derive(Clone, Debug)]
struct Server {
    /// Whether it should take traffic.
    alive: bool,
    /// Its effective weight, before it is limited to what IPVS takes.
    weight: i64,
    /// What it weighed before the last load, if it was there.
    weight_before: Option<i64>,
    checks: Box<[CheckState]>,
}

impl Server {
    fn failed_checks(&self) -> usize {
        self.checks.iter().filter(|check| !check.up).count()
    }

    /// The weight that IPVS is given and the quorum counts.
    fn limited_weight(&self) -> u32 {
        limited(self.weight)
    }
}

impl Pool {
    /// Whether the sorry server does the work, and real servers are kept out.
    fn is_sorry(&self) -> bool {
        !self.quorum_up && self.sorry_alive
    }

    /// The weight of all that is alive.
    fn live_weight(&self) -> i64 {
        let alive = self.servers.iter().filter(|server| server.alive);
        alive.map(|server| i64::from(server.limited_weight())).sum()
    }

    /// With which weight IPVS should have a server, if at all.
    fn share(&self, server: &Server, config: &RealServer) -> Option<u32> {
        if server.alive && !self.is_sorry() {
            Some(server.limited_weight())
        } else {
            config.inhibit_on_failure.then_some(0)
        }
    }
}

/// A weight within what IPVS takes.
fn limited(weight: i64) -> u32 {
    let most = i64::from(i32::MAX);
    u32::try_from(weight.clamp(0, most)).unwrap_or(0)
}

impl Balance {
    /// Nothing yet: the first [`prepare`](Self::prepare) and [`complete`](Self::complete) are the start.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> &Rc<Config> {
        &self.config
    }

    /// Whether everything has [ended](Self::stop).
    pub(crate) fn is_stopped(&self) -> bool {
        self.pools.len() < self.config.virtual_servers.len()
    }

    /// The virtual servers.
    pub(crate) fn pools(&self) -> impl Iterator<Item = PoolId> + use<> {
        (0..self.config.virtual_servers.len()).map(PoolId)
    }

    /// The events since this was last called. After a load the identities in them may be older than that load: each event
    /// carries the configuration that it speaks of.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The virtual servers for which IPVS may have to change since this was last called.
    pub(crate) fn take_dirty(&mut self) -> Vec<PoolId> {
        std::mem::take(&mut self.dirty).into_iter().collect()
    }

    /// With which weight IPVS should have a real server; `None` where it should not have it.
    pub(crate) fn share(&self, id: ServerId) -> Option<u32> {
        let pool = self.pools.get(id.pool.0)?;
        pool.share(pool.servers.get(id.place)?, self.real_server(id)?)
    }

    /// With which weight IPVS should have the sorry server of a virtual server; `None` where it should not have it.
    pub(crate) fn sorry_share(&self, id: PoolId) -> Option<u32> {
        let sorry = self.virtual_server(id)?.sorry_server.as_ref()?;
        if self.pools.get(id.0)?.sorry_alive {
            return Some(1);
        }
        // One that is a real server as well has the share of that one.
        (sorry.inhibit_on_failure && !sorry.is_real_server).then_some(0)
    }

    /// The configuration of a virtual server.
    pub(crate) fn virtual_server(&self, id: PoolId) -> Option<&VirtualServer> {
        self.config.virtual_servers.get(id.0)
    }

    /// The configuration of a real server.
    pub(crate) fn real_server(&self, id: ServerId) -> Option<&RealServer> {
        self.virtual_server(id.pool)?.real_servers.get(id.place)
    }

    /// Which entries of its group a virtual server had before the last load already; `None` where it was not there.
    pub(crate) fn kept_entries(&self, id: PoolId) -> Option<&[bool]> {
        self.pools.get(id.0)?.kept_entries.as_deref()
    }

    /// Whether a real server should take traffic.
    pub(crate) fn is_alive(&self, id: ServerId) -> bool {
        self.server(id).is_some_and(|server| server.alive)
    }

    /// How many checks of a real server have failed.
    pub(crate) fn failed_checks(&self, id: ServerId) -> usize {
        self.server(id).map_or(0, Server::failed_checks)
    }

    /// The weight of a real server with what its checks add, before it is limited to what IPVS takes.
    pub(crate) fn weight(&self, id: ServerId) -> i64 {
        self.server(id).map_or(0, |server| server.weight)
    }

    /// What a real server weighed before the last load; `None` where that has brought it.
    pub(crate) fn weight_before(&self, id: ServerId) -> Option<i64> {
        self.server(id)?.weight_before
    }

    /// Whether a virtual server has its quorum.
    pub(crate) fn has_quorum(&self, id: PoolId) -> bool {
        self.pools.get(id.0).is_some_and(|pool| pool.quorum_up)
    }

    /// Whether the sorry server of a virtual server is in use.
    pub(crate) fn uses_sorry_server(&self, id: PoolId) -> bool {
        self.pools.get(id.0).is_some_and(|pool| pool.sorry_alive)
    }

    /// The state of a check of a real server, by its position.
    pub(crate) fn check(&self, id: ServerId, check: usize) -> Option<CheckState> {
        self.server(id)?.checks.get(check).copied()
    }

    fn server(&self, id: ServerId) -> Option<&Server> {
        self.pools.get(id.pool.0)?.servers.get(id.place)
    }

    fn server_mut(&mut self, id: ServerId) -> Option<&mut Server> {
        self.pools.get_mut(id.pool.0)?.servers.get_mut(id.place)
    }

    fn log(&mut self, line: String) {
        self.events.push(Event::Log(line));
    }

    fn pool_ref(&self, id: PoolId) -> PoolRef {
        PoolRef { config: Rc::clone(&self.config), id }
    }
}

/// What logs call a real server of `virtual_server`.
pub(crate) fn server_name(virtual_server: &VirtualServer, server: &RealServer) -> String {
    trio(server.address.ip(), virtual_server.protocol, Some(server.address.port()))
}

fn sorry_name(virtual_server: &VirtualServer, sorry: &SorryServer) -> String {
    trio(sorry.address.ip(), virtual_server.protocol, Some(sorry.address.port()))
}

#[cfg(test)]
mod tests;
