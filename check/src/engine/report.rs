//! What the process tells about itself when it is asked by a signal, or by `-d`.

use std::collections::HashMap;
use std::io;
use std::time::{Instant, SystemTime};

use runtime::dump::{self, Copy, Dumping, Dumps, SHARED, Writer};
use runtime::global::{Author, Global};
use runtime::report::Report;

use super::live::Live;
use super::{Engine, Source};
use crate::balance::{PoolId, ServerId};
use crate::config::{SorryServer, VirtualServer};
use crate::report::{CheckState, PoolState, ServerState, Snapshot, SorryState, report};

impl Dumping for Engine {
    /// Everything that there is to know is the only thing that can be asked for.
    type Dump = ();

    const WRITTEN: Source = Source::Dump;
    const WRITER: Writer = Writer::Checker;

    fn global(&self) -> &Global {
        &self.global
    }

    fn dumps(&mut self) -> &mut Dumps<()> {
        &mut self.dumps
    }

    fn begin_dump(&mut self, (): ()) -> Option<io::Result<Copy>> {
        let path = dump::state_path(&self.global, Self::WRITER);
        Some(dump::write_apart(path, SHARED, || self.state()))
    }

    fn report(&self, out: &mut Report) {
        let real_time = self.promotion.real_time();
        self.global.report(&Author { real_time, ..Author::new(Self::WRITER) }, out);
        report(&self.config, &self.snapshot(), out);
    }
}

impl Engine {
    fn snapshot(&self) -> Snapshot {
        let mut checks: HashMap<ServerId, Vec<CheckState>> = HashMap::new();
        for live in self.checks.iter() {
            checks.entry(live.server).or_default().push(self.check_state(live));
        }
        let pools = self.config.virtual_servers.iter().enumerate();
        let pools: Vec<PoolState> = pools
            .map(|(number, service)| self.pool_state(PoolId(number), service, &mut checks))
            .collect();
        Snapshot {
            pools,
            marks: self.table.as_ref().map(|table| table.marks(&self.config)).unwrap_or_default(),
            files: self.files.numbers().collect(),
        }
    }

    fn pool_state(
        &self,
        id: PoolId,
        service: &VirtualServer,
        checks: &mut HashMap<ServerId, Vec<CheckState>>,
    ) -> PoolState {
        let places = 0..service.real_servers.len();
        let servers: Vec<ServerState> = places
            .map(|place| ServerId { pool: id, place })
            .map(|id| self.server_state(id, checks.remove(&id).unwrap_or_default()))
            .collect();
        let inhibits = |sorry: &SorryServer| sorry.inhibit_on_failure;
        let kept_entries = self.balance.kept_entries(id);
        PoolState {
            alive: self.table.is_some(),
            quorum_up: self.balance.has_quorum(id),
            reloaded: kept_entries.is_some(),
            kept_entries: kept_entries.unwrap_or_default().to_vec(),
            sorry: SorryState {
                // One that is a real server as well is where that is.
                set: self.balance.sorry_share(id).is_some()
                    || service.sorry_server.as_ref().is_some_and(inhibits),
                alive: self.balance.uses_sorry_server(id),
            },
            servers,
        }
    }

    fn server_state(&self, id: ServerId, checks: Vec<CheckState>) -> ServerState {
        let failed = self.balance.failed_checks(id);
        let before = self.balance.weight_before(id);
        ServerState {
            effective_weight: self.balance.weight(id),
            previous_weight: before.unwrap_or(0),
            alive: self.balance.is_alive(id),
            failed_checks: u32::try_from(failed).unwrap_or(u32::MAX),
            set: self.balance.share(id).is_some(),
            reloaded: before.is_some(),
            checks,
        }
    }

    fn check_state(&self, live: &Live) -> CheckState {
        let check = &live.check;
        CheckState {
            enabled: live.enabled,
            up: check.is_up(),
            has_run: check.has_run(),
            weight: check.contribution(),
            failures: check.failures(),
            failed_url: check.failed_url(),
            sequence: live.kept.sequence(),
            last_run: check.last_run().map(on_the_wall),
            last_status: check.last_status(),
        }
    }
}

/// What the clock on the wall showed.
fn on_the_wall(at: Instant) -> SystemTime {
    SystemTime::now() - Instant::now().saturating_duration_since(at)
}
