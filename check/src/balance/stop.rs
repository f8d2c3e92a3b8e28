//! The end of virtual servers: that of the daemon, and removal from the configuration.

use std::rc::Rc;

use runtime::global::FlushOnStop;

use super::quorum::needed;
use super::{
    Balance, Event, Pool, PoolId, PoolRef, QuorumCause, QuorumChange, ServerCause, ServerChange,
    ServerRef, server_name,
};
use crate::config::Config;

/// Why servers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// They are in the configuration no more.
    Removal,
    /// The daemon ends.
    Shutdown,
}

impl Balance {
    /// The daemon ends and takes its services with it: IPVS should have nothing of them any more.
    pub(crate) fn stop(&mut self) {
        let config = Rc::clone(&self.config);
        let mut pools = std::mem::take(&mut self.pools);
        let quietly = self.settings.flush_on_stop != FlushOnStop::Off;
        for (at, pool) in pools.iter_mut().enumerate() {
            self.end_pool(&config, PoolId(at), pool, Ending::Shutdown, quietly);
            self.dirty.insert(PoolId(at));
        }
    }

    /// Ends a virtual server of `config`. `quietly`: nothing is said of its real servers, which go with it.
    pub(super) fn end_pool(
        &mut self,
        config: &Rc<Config>,
        id: PoolId,
        pool: &mut Pool,
        ending: Ending,
        quietly: bool,
    ) {
        if !quietly {
            for place in 0..pool.servers.len() {
                self.end_server(config, id, pool, place, ending);
            }
        }
        self.note_lost_quorum(config, id, pool, ending);
        pool.sorry_alive = false;
    }

    /// Ends a real server of a virtual server of `config`.
    pub(super) fn end_server(
        &mut self,
        config: &Rc<Config>,
        id: PoolId,
        pool: &mut Pool,
        place: usize,
        ending: Ending,
    ) {
        let Some(virtual_server) = config.virtual_servers.get(id.0) else { return };
        let Some(server) = virtual_server.real_servers.get(place) else { return };
        let Some(state) = pool.servers.get(place) else { return };
        let is_set = pool.share(state, server).is_some();
        if is_set || ending == Ending::Shutdown {
            let what = match ending {
                Ending::Removal => "Removing",
                Ending::Shutdown => "Shutting down",
            };
            let inhibited =
                if server.inhibit_on_failure && !state.alive { "(inhibited) " } else { "" };
            let (name, pool) = (server_name(virtual_server, server), &virtual_server.name);
            self.log(format!("{what} {inhibited}service {name} from VS {pool}"));
        }
        // One that the sorry server keeps out of the pool goes without a word.
        if !is_set || !state.alive {
            return;
        }
        if let Some(state) = pool.servers.get_mut(place) {
            state.alive = false;
        }
        let cause = match ending {
            Ending::Removal => ServerCause::Removed,
            Ending::Shutdown => ServerCause::Shutdown,
        };
        let server = ServerRef { pool: PoolRef { config: Rc::clone(config), id }, place };
        self.events.push(Event::Server(ServerChange { server, up: false, cause }));
    }

    /// Tells that a virtual server of `config` has lost its quorum by what was removed, without a line in the log and
    /// without calling the sorry server.
    fn note_lost_quorum(
        &mut self,
        config: &Rc<Config>,
        id: PoolId,
        pool: &mut Pool,
        ending: Ending,
    ) {
        let Some(virtual_server) = config.virtual_servers.get(id.0) else { return };
        let quorum = needed(virtual_server.quorum);
        let hysteresis = i64::from(virtual_server.hysteresis);
        let threshold = quorum - hysteresis;
        let weight = pool.live_weight();
        let cause = match ending {
            Ending::Shutdown => QuorumCause::Shutdown,
            Ending::Removal if !pool.quorum_up || (weight != 0 && weight >= threshold) => return,
            Ending::Removal => {
                QuorumCause::Weight { at_start: false, quorum, hysteresis, threshold, weight }
            }
        };
        pool.quorum_up = false;
        let pool = PoolRef { config: Rc::clone(config), id };
        self.events.push(Event::Quorum(QuorumChange { pool, up: false, cause }));
    }
}
