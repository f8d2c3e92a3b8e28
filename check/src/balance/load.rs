//! A configuration comes into force: the first one, or another one by difference.
//!
//! It takes two steps. [`Balance::prepare`] finds out what goes on as what; then whoever runs the checks says in which
//! state those are that need no run ([`Balance::set_check`]); and [`Balance::complete`] draws the consequences, all at
//! once, so that nothing comes or goes that is the same in the end.

use std::collections::BTreeSet;
use std::rc::Rc;

use runtime::global::FlushOnStop;

use super::stop::Ending;
use super::{Balance, CheckState, Pool, PoolId, Server, ServerCause, ServerId, Settings};
use super::{matching, server_name, sorry_name};
use crate::config::checker::Kind;
use crate::config::group::Entry;
use crate::config::service::trio;
use crate::config::{Config, Group, RealServer, Service, VirtualServer};

/// A real server of the configuration before, and what it is in the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// What it was. Only for looking up what was kept under that identity.
    pub old: ServerId,
    /// What it is.
    pub new: ServerId,
    /// For each of its checks the old one whose state it takes over, by position.
    pub checks: Vec<Option<usize>>,
    /// Whether one failure is enough for the checks that are new, because the server is not known to be good.
    pub one_failure_is_enough: bool,
}

/// A configuration that is about to come into force.
#[derive(Debug)]
pub(super) struct Prepared {
    config: Rc<Config>,
    settings: Settings,
    pools: Vec<Pool>,
    /// For each virtual server of the old configuration what it is in the new one, and its real servers likewise.
    kept: Vec<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    new: usize,
    servers: Vec<Option<usize>>,
}

impl Balance {
    /// Takes a configuration in without putting it in force yet. Returns which real servers go on, so that their checks can.
    /// Until [`complete`](Self::complete), only [`set_check`](Self::set_check) may be called.
    pub(crate) fn prepare(&mut self, config: Rc<Config>, settings: Settings) -> Vec<Continuation> {
        let mut pools: Vec<Pool> = config.virtual_servers.iter().map(fresh_pool).collect();
        let mut continuations = Vec::new();
        let mut kept = Vec::new();
        let found = matching::pools(&self.config, &config);
        for (old, (new, before)) in found.into_iter().zip(&self.pools).enumerate() {
            let found = new.and_then(|new| {
                let virtual_server = self.config.virtual_servers.get(old)?;
                let next = config.virtual_servers.get(new)?;
                let pool = pools.get_mut(new)?;
                let servers = matching::servers(&virtual_server.real_servers, &next.real_servers);
                for (old_place, new_place) in servers.iter().enumerate() {
                    let Some(new_place) = *new_place else { continue };
                    let (one_failure_is_enough, checks) = carry_over(
                        (
                            virtual_server.real_servers.get(old_place)?,
                            before.servers.get(old_place)?,
                        ),
                        (next.real_servers.get(new_place)?, pool.servers.get_mut(new_place)?),
                    );
                    continuations.push(Continuation {
                        old: ServerId { pool: PoolId(old), place: old_place },
                        new: ServerId { pool: PoolId(new), place: new_place },
                        checks,
                        one_failure_is_enough,
                    });
                }
                Some(Kept { new, servers })
            });
            kept.push(found);
        }
        self.prepared = Some(Prepared { config, settings, pools, kept });
        continuations
    }

    /// Says in which state a check of the configuration that is being prepared is. Meant for those that need no run: files,
    /// and sessions whose state is known; and for what those add to the weight that are carried over.
    pub(crate) fn set_check(&mut self, id: ServerId, check: usize, state: CheckState) {
        let pool = self.prepared.as_mut().and_then(|prepared| prepared.pools.get_mut(id.pool.0));
        let server = pool.and_then(|pool| pool.servers.get_mut(id.place));
        if let Some(known) = server.and_then(|server| server.checks.get_mut(check)) {
            *known = state;
        }
    }

    /// The state of a check of the configuration that is being prepared.
    pub(crate) fn prepared_check(&self, id: ServerId, check: usize) -> Option<CheckState> {
        let pool = self.prepared.as_ref()?.pools.get(id.pool.0)?;
        pool.servers.get(id.place)?.checks.get(check).copied()
    }

    /// Puts the configuration in force that was prepared, and draws the consequences.
    pub(crate) fn complete(&mut self) {
        let Some(Prepared { config, settings, pools, kept }) = self.prepared.take() else { return };
        let old_config = std::mem::replace(&mut self.config, config);
        let old_pools = std::mem::replace(&mut self.pools, pools);
        self.settings = settings;
        self.dirty = self.pools().collect();
        let mut earlier: Vec<Option<Earlier>> = self.pools.iter().map(|_| None).collect();
        let quietly = settings.flush_on_stop != FlushOnStop::Off;
        for (at, (mut pool, kept)) in old_pools.into_iter().zip(kept).enumerate() {
            let Some(old) = old_config.virtual_servers.get(at) else { continue };
            match kept {
                Some(kept) => {
                    self.go_on(&old_config, (PoolId(at), old), &mut pool, &kept);
                    let servers = kept.servers.into_iter().flatten().collect();
                    let group = group_of(&old_config, old);
                    if let Some(place) = earlier.get_mut(kept.new) {
                        *place = Some(Earlier { servers, group });
                    }
                }
                None => {
                    self.log(match group_of(&old_config, old) {
                        Some(Group { name, .. }) => {
                            format!("Removing Virtual Server Group [{name}]")
                        }
                        None => format!("Removing Virtual Server {}", old.name),
                    });
                    self.end_pool(&old_config, PoolId(at), &mut pool, Ending::Removal, quietly);
                }
            }
        }
        for (at, earlier) in earlier.into_iter().enumerate() {
            self.begin(PoolId(at), earlier.as_ref());
        }
    }

    /// The first difference of a virtual server that stays: what goes, and what its checks say by now.
    fn go_on(
        &mut self,
        old_config: &Rc<Config>,
        (old_id, old): (PoolId, &VirtualServer),
        before: &mut Pool,
        kept: &Kept,
    ) {
        let id = PoolId(kept.new);
        let config = Rc::clone(&self.config);
        let Some(new) = config.virtual_servers.get(id.0) else { return };
        let groups = (group_of(old_config, old), group_of(&config, new));
        if let Some(pool) = self.pools.get_mut(id.0) {
            pool.quorum_up = before.quorum_up;
            pool.sorry_alive = before.sorry_alive && same_sorry_server(old, new);
            pool.kept_entries = Some(match groups {
                (Some(before), Some(after)) => entries_kept(after, before),
                _ => Box::default(),
            });
        }
        if let (Some(before), Some(after)) = groups {
            for entry in missing(before, after) {
                let mark = |mark: u32| mark.to_string();
                let shown = entry_name(entry, old, mark);
                self.log(format!("VS [{shown}] in group {} no longer exists", before.name));
            }
        }
        for (place, after) in kept.servers.iter().enumerate() {
            let Some(server) = old.real_servers.get(place) else { continue };
            match *after {
                None => {
                    self.log(format!("service {} no longer exist", server_name(old, server)));
                    self.end_server(old_config, old_id, before, place, Ending::Removal);
                }
                Some(after) => {
                    let id = ServerId { pool: id, place: after };
                    let failed =
                        self.server(id).map(|server| (server.alive, server.failed_checks()));
                    match failed {
                        Some((false, 0)) => self.turn(id, true),
                        Some((true, 1..)) => self.turn(id, false),
                        _ => false,
                    };
                }
            }
        }
        // Whether it still has its quorum is seen when the servers are there that have taken the place of those.
        self.change_sorry_server(old, before, new);
    }

    /// Another sorry server, or none, or the same one that is kept in another way.
    fn change_sorry_server(&mut self, old: &VirtualServer, before: &Pool, new: &VirtualServer) {
        let Some(sorry) = &old.sorry_server else { return };
        let goes = match &new.sorry_server {
            Some(after) if after.address == sorry.address => {
                !before.sorry_alive && sorry.inhibit_on_failure && !after.inhibit_on_failure
            }
            _ => before.sorry_alive || sorry.inhibit_on_failure,
        };
        if !goes {
            return;
        }
        self.log(format!("Removing sorry server {} from VS {}", sorry_name(old, sorry), old.name));
        if before.sorry_alive && new.sorry_server.is_none() {
            self.log_pool(&new.name, true);
        }
    }

    /// A virtual server begins; or goes on from what was there `earlier`.
    fn begin(&mut self, id: PoolId, earlier: Option<&Earlier<'_>>) {
        let config = Rc::clone(&self.config);
        let Some(virtual_server) = config.virtual_servers.get(id.0) else { return };
        for place in 0..virtual_server.real_servers.len() {
            let id = ServerId { pool: id, place };
            let weight = self.sum(id);
            if earlier.is_some_and(|earlier| earlier.servers.contains(&place)) {
                self.set_weight(id, weight);
                continue;
            }
            let Some(state) = self.server_mut(id) else { continue };
            state.weight = weight;
            if state.failed_checks() == 0 {
                state.alive = true;
                if self.settings.notify_start {
                    self.notify_server(id, true, ServerCause::Started);
                }
            }
        }
        let groups = (earlier.and_then(|earlier| earlier.group), group_of(&config, virtual_server));
        if let (Some(before), Some(after)) = groups {
            for entry in missing(after, before) {
                let shown = entry_name(entry, virtual_server, |mark| format!("FWM {mark}"));
                self.log(format!("VS [{shown}] added into group {}", after.name));
            }
        }
        self.evaluate(id, true);
    }
}

/// What a virtual server was before.
struct Earlier<'a> {
    /// Which of its real servers are older than this load.
    servers: BTreeSet<usize>,
    group: Option<&'a Group>,
}

fn group_of<'a>(config: &'a Config, server: &VirtualServer) -> Option<&'a Group> {
    match server.service {
        Service::Group(group) => config.group(group),
        Service::Address(..) | Service::Mark(_) => None,
    }
}

/// The entries of a group that another one has not, those of addresses first.
fn missing<'a>(group: &'a Group, other: &'a Group) -> impl Iterator<Item = &'a Entry> {
    let addresses = group.entries.iter().filter(|entry| !entry.is_mark());
    let marks = group.entries.iter().filter(|entry| entry.is_mark());
    addresses.chain(marks).filter(|entry| !other.entries.contains(entry))
}

/// For each entry of a group whether another one has it.
fn entries_kept(group: &Group, other: &Group) -> Box<[bool]> {
    group.entries.iter().map(|entry| other.entries.contains(entry)).collect()
}

/// What logs call an entry of a group that `server` uses.
fn entry_name(entry: &Entry, server: &VirtualServer, mark: impl Fn(u32) -> String) -> String {
    match *entry {
        Entry::Mark { mark: number, .. } => mark(number),
        Entry::Range { first, last, port } => {
            let first_name = trio(first, server.protocol, port);
            if first == last { first_name } else { format!("{first_name}-{last}") }
        }
    }
}

fn same_sorry_server(old: &VirtualServer, new: &VirtualServer) -> bool {
    match (&old.sorry_server, &new.sorry_server) {
        (Some(old), Some(new)) => old.address == new.address,
        _ => false,
    }
}

/// A virtual server of which nothing is known yet.
fn fresh_pool(server: &VirtualServer) -> Pool {
    let servers = server.real_servers.iter().map(fresh_server).collect();
    Pool { quorum_up: false, sorry_alive: false, servers, kept_entries: None }
}

fn fresh_server(server: &RealServer) -> Server {
    let checks = server.checkers.iter().map(|checker| {
        // The state of a file is known without a run.
        let is_file = matches!(checker.kind, Kind::File(_));
        CheckState { up: is_file || !checker.alpha, has_run: is_file, contribution: 0 }
    });
    let weight = i64::from(server.weight);
    Server { alive: false, weight, weight_before: None, checks: checks.collect() }
}

/// Gives a server the state that it had in the configuration before. Returns whether one failure is enough for its new
/// checks, and which of its checks are older.
fn carry_over(
    (old, before): (&RealServer, &Server),
    (new, after): (&RealServer, &mut Server),
) -> (bool, Vec<Option<usize>>) {
    after.alive = before.alive;
    after.weight = before.weight;
    after.weight_before = Some(before.weight);
    let older = matching::checks(&old.checkers, &new.checkers);
    for ((check, checker), old) in after.checks.iter_mut().zip(&new.checkers).zip(&older) {
        // Only where the server turns out to be bad must new checks prove themselves.
        check.up = true;
        if let Some(old) = old.and_then(|old| before.checks.get(old)) {
            let unproven = checker.alpha && !old.has_run;
            *check = CheckState { up: old.up || !(old.has_run || unproven), ..*old };
        }
    }
    let failed = after.checks.iter().any(|check| check.has_run && !check.up);
    let is_unknown = !after.alive && !after.checks.iter().any(|check| check.has_run);
    let doubted = failed || is_unknown;
    if doubted {
        for (check, checker) in after.checks.iter_mut().zip(&new.checkers) {
            check.up &= check.has_run || !checker.alpha;
        }
    }
    (doubted, older)
}
