//! What checks find, and what follows: servers come and go, and with them the quorum.

use super::{
    Balance, Event, PoolId, QuorumCause, QuorumChange, ServerCause, ServerChange, ServerId,
    ServerRef, server_name, sorry_name,
};

impl Balance {
    /// A check has come to a result. `first_run`: it is its first one, which tells those who do not know the server yet.
    /// Returns whether the server came up or went down by it.
    pub(crate) fn report(&mut self, id: ServerId, check: usize, up: bool, first_run: bool) -> bool {
        let alpha = self.real_server(id).and_then(|server| server.checkers.get(check));
        let alpha = alpha.is_some_and(|checker| checker.alpha);
        let Some(server) = self.server_mut(id) else { return false };
        let failed = server.failed_checks();
        let Some(state) = server.checks.get_mut(check) else { return false };
        state.has_run = true;
        if state.up == up {
            let alive = server.alive;
            if first_run && (alpha || !up) {
                self.notify_server(id, alive, ServerCause::Checked);
            }
            return false;
        }
        state.up = up;
        // So it is counted by the original: nobody but this check may have kept the server down, or up.
        let decides = if up { failed <= 1 } else { failed == 0 };
        decides && self.turn(id, up)
    }

    /// What a check adds to the weight of a server has changed.
    pub(crate) fn set_contribution(&mut self, id: ServerId, check: usize, contribution: i64) {
        let Some(server) = self.server_mut(id) else { return };
        let Some(state) = server.checks.get_mut(check) else { return };
        state.contribution = contribution;
        if self.set_weight(id, self.sum(id)) {
            self.evaluate(id.pool, false);
        }
    }

    /// Somebody wants a server to weigh something else, until its checks or a load say otherwise.
    pub(crate) fn change_weight(&mut self, id: ServerId, weight: i64) {
        if self.set_weight(id, weight) {
            self.evaluate(id.pool, false);
        }
    }

    /// What a check adds has changed with its state: what the server weighs counts again when it comes back, so nothing is
    /// said of it.
    pub(crate) fn replace_contribution(&mut self, id: ServerId, check: usize, contribution: i64) {
        let Some(server) = self.server_mut(id) else { return };
        let Some(state) = server.checks.get_mut(check) else { return };
        state.contribution = contribution;
        let weight = self.sum(id);
        if let Some(server) = self.server_mut(id) {
            server.weight = weight;
        }
        self.dirty.insert(id.pool);
    }

    /// What a server weighs by its configuration and its checks.
    pub(super) fn sum(&self, id: ServerId) -> i64 {
        let configured = self.real_server(id).map_or(0, |server| i64::from(server.weight));
        let checks = self.server(id).map_or(&[][..], |server| &server.checks);
        checks.iter().map(|check| check.contribution).fold(configured, i64::saturating_add)
    }

    /// Gives a server its effective weight. Returns whether that makes a difference to IPVS.
    pub(super) fn set_weight(&mut self, id: ServerId, weight: i64) -> bool {
        let Some(server) = self.server_mut(id) else { return false };
        let before = server.limited_weight();
        server.weight = weight;
        let (after, alive) = (server.limited_weight(), server.alive);
        if before == after {
            return false;
        }
        let (name, pool) = self.names(id);
        let inactive = if alive { "" } else { "in" };
        self.log(format!(
            "Changing weight from {before} to {after} for {inactive}active service {name} of VS {pool}"
        ));
        self.dirty.insert(id.pool);
        true
    }

    /// A server comes up or goes down. Returns whether it was not so before.
    pub(super) fn turn(&mut self, id: ServerId, up: bool) -> bool {
        let Some(server) = self.server_mut(id).filter(|server| server.alive != up) else {
            return false;
        };
        server.alive = up;
        let inhibits = self.real_server(id).is_some_and(|server| server.inhibit_on_failure);
        let (name, pool) = self.names(id);
        self.log(match (inhibits, up) {
            (true, true) => format!("Enabling service {name} of VS {pool}"),
            (true, false) => format!("Disabling service {name} of VS {pool}"),
            (false, true) => format!("Adding service {name} to VS {pool}"),
            (false, false) => format!("Removing service {name} from VS {pool}"),
        });
        self.dirty.insert(id.pool);
        self.notify_server(id, up, ServerCause::Checked);
        self.evaluate(id.pool, false);
        true
    }

    /// Looks whether the quorum is gained or lost. `at_start`: a sorry server that is not needed yet may be.
    pub(super) fn evaluate(&mut self, id: PoolId, at_start: bool) {
        let Some(server) = self.config.virtual_servers.get(id.0) else { return };
        let Some(pool) = self.pools.get_mut(id.0) else { return };
        let (quorum, hysteresis) = (needed(server.quorum), i64::from(server.hysteresis));
        let weight = pool.live_weight();
        let has_idle_sorry = server.sorry_server.is_some() && !pool.sorry_alive;
        let was_up = pool.quorum_up;
        let threshold = if was_up { quorum - hysteresis } else { quorum + hysteresis };
        let gained = !was_up && weight >= threshold;
        let lost = was_up && (weight == 0 || weight < threshold);
        let starts_sorry = at_start && !was_up && has_idle_sorry;
        if !(gained || lost || starts_sorry) {
            return;
        }
        pool.quorum_up = gained;
        let name = server.name.clone();
        self.log(if gained {
            format!("Gained quorum {quorum}+{hysteresis}={threshold} <= {weight} for VS {name}")
        } else {
            let what = if at_start { "Starting with quorum down" } else { "Lost quorum" };
            format!("{what} {quorum}-{hysteresis}={threshold} > {weight} for VS {name}")
        });
        self.use_sorry_server(id, !gained);
        self.dirty.insert(id);
        let cause = QuorumCause::Weight { at_start, quorum, hysteresis, threshold, weight };
        let change = QuorumChange { pool: self.pool_ref(id), up: gained, cause };
        self.events.push(Event::Quorum(change));
    }

    /// The sorry server, if there is one, takes over from the live servers, or gives back.
    fn use_sorry_server(&mut self, id: PoolId, used: bool) {
        let Some(server) = self.config.virtual_servers.get(id.0) else { return };
        let Some(sorry) = &server.sorry_server else { return };
        let Some(pool) = self.pools.get_mut(id.0).filter(|pool| pool.sorry_alive != used) else {
            return;
        };
        pool.sorry_alive = used;
        let (shown, name) = (sorry_name(server, sorry), server.name.clone());
        let (act, link) = match (used, sorry.inhibit_on_failure) {
            (true, false) => ("Adding", "to"),
            (true, true) => ("Enabling", "to"),
            (false, false) => ("Removing", "from"),
            (false, true) => ("Disabling", "from"),
        };
        self.log(format!("{act} sorry server {shown} {link} VS {name}"));
        self.log_pool(&name, !used);
    }

    /// The line about live servers that go into the pool or leave it.
    pub(super) fn log_pool(&mut self, name: &str, adds: bool) {
        let what = if adds { "Adding alive servers to" } else { "Removing alive servers from" };
        self.log(format!("{what} the pool for VS {name}"));
    }

    pub(super) fn notify_server(&mut self, id: ServerId, up: bool, cause: ServerCause) {
        let server = ServerRef { pool: self.pool_ref(id.pool), place: id.place };
        self.events.push(Event::Server(ServerChange { server, up, cause }));
    }

    /// What logs call a real server and its virtual server.
    pub(super) fn names(&self, id: ServerId) -> (String, String) {
        match (self.virtual_server(id.pool), self.real_server(id)) {
            (Some(pool), Some(server)) => (server_name(pool, server), pool.name.clone()),
            _ => Default::default(),
        }
    }
}

/// The least live weight that makes a quorum. Where all weights are 0 the configuration has reduced the quorum to that, but
/// servers that get no connections are none; checks may give them weight later.
pub(super) fn needed(quorum: u32) -> i64 {
    i64::from(quorum.max(1))
}
