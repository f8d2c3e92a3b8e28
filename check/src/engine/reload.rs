//! Putting a configuration in force, by its difference to the one before.
//!
//! A check that looks at the same thing as before goes on as it was, but its timers start anew. Attempts that are under way
//! are dropped, and scripts that run are asked to end.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Instant;

use log::{error, info};
use nix::sys::signal::Signal;
use runtime::agentx::Offering;
use runtime::event_loop::EventLoop;
use runtime::global::Global;
use runtime::handover;

use super::live::{CheckId, Checks, Live, Run, Work};
use super::start::schedule;
use super::{Engine, Timer};
use crate::balance::{CheckState, Continuation, ServerId, Settings};
use crate::check::Check;
use crate::config::checker::Kind;
use crate::config::{Checker, Config};

impl Engine {
    /// Goes on with the configuration that the parent has sent.
    pub(super) fn reload(&mut self, memory: &OwnedFd, now: Instant) {
        info!("Reloading");
        match handover::open::<(Global, Config)>(memory) {
            Ok((global, config)) => self.apply(global, Rc::new(config), now),
            Err(failure) => {
                error!("cannot read the new configuration, going on with the old one: {failure}");
                self.lead.report_loaded();
            }
        }
    }

    /// There is nothing new, but it is loaded as any other.
    pub(super) fn repeat_configuration(&mut self, now: Instant) {
        info!("Reloading");
        self.apply(self.global.clone(), Rc::clone(&self.config), now);
    }

    fn apply(&mut self, global: Global, config: Rc<Config>, now: Instant) {
        self.end_work();
        if global.processes != self.global.processes {
            self.promotion = schedule(&global);
        }
        self.global = global;
        self.config = config;
        self.prepare();
        if !self.make_tools() || !self.open_table(now) {
            self.fatal = true;
            self.lead.end();
            return;
        }
        self.forget_figures();
        self.offer_objects(now);
        self.load(false);
        self.flush(now);
        self.lead.report_loaded();
        self.activate(now);
    }

    /// Ends what checks are doing, without a result.
    pub(super) fn end_work(&mut self) {
        for id in self.checks.ids() {
            self.reactor.disarm(Timer::Check(id));
            self.drop_work(id);
        }
    }

    fn drop_work(&mut self, id: CheckId) {
        let Some(live) = self.checks.get_mut(id) else { return };
        match std::mem::take(&mut live.work) {
            Work::Nothing => {}
            Work::Attempt(_, registration) => self.reactor.forget(registration),
            Work::Run(run) => {
                let Run { running, registration, .. } = *run;
                // It may have ended just now.
                let _ = running.signal(Signal::SIGTERM);
                if let Err(failure) = self.reactor.deregister(&running, registration) {
                    error!("cannot forget what a check was doing: {failure}");
                }
                self.audience.adopt(running, &mut self.reactor);
            }
        }
    }

    /// Puts the configuration in force. `fresh` is true when the process starts.
    pub(super) fn load(&mut self, fresh: bool) {
        let settings = Settings {
            notify_start: self.global.lvs.rs_init_notifies,
            flush_on_stop: self.global.lvs.flush_on_stop,
        };
        let continuations = self.balance.prepare(Rc::clone(&self.config), settings);
        self.track_files(fresh);
        self.prepare_files();
        self.carry_checks_over(&continuations, fresh);
        self.watch_addresses();
        self.balance.complete();
        self.tell();
        if self.has(|kind| matches!(kind, Kind::Ping(..))) {
            self.ping_range.widen();
        }
        if self.has(|kind| matches!(kind, Kind::Bfd(_))) {
            self.ask_for_sessions();
        }
    }

    /// Whether some check is of a kind.
    fn has(&self, kind: impl Fn(&Kind) -> bool) -> bool {
        let servers = self.config.virtual_servers.iter().flat_map(|server| &server.real_servers);
        servers.flat_map(|server| &server.checkers).any(|checker| kind(&checker.kind))
    }

    /// Makes the checks of the configuration that is being prepared.
    fn carry_checks_over(&mut self, continuations: &[Continuation], fresh: bool) {
        let before: HashMap<(ServerId, usize), Check> = std::mem::take(&mut self.checks)
            .into_iter()
            .map(|live| ((live.server, live.place), live.check))
            .collect();
        let known: HashMap<ServerId, &Continuation> =
            continuations.iter().map(|one| (one.new, one)).collect();
        let config = Rc::clone(&self.config);
        let servers = config.virtual_servers.iter().flat_map(|service| &service.real_servers);
        let mut checks = Vec::with_capacity(servers.map(|server| server.checkers.len()).sum());
        for (pool, service) in config.virtual_servers.iter().enumerate() {
            for (place, server) in service.real_servers.iter().enumerate() {
                let id = ServerId { pool: crate::balance::PoolId(pool), place };
                let known = known.get(&id).copied();
                for (place, checker) in server.checkers.iter().enumerate() {
                    let old = known.and_then(|known| {
                        let old = known.checks.get(place).copied().flatten()?;
                        before.get(&(known.old, old))
                    });
                    let doubted = known.map_or(fresh, |known| known.one_failure_is_enough);
                    checks.push(self.make_check(id, place, checker, doubted, old));
                }
            }
        }
        self.checks = checks.into_iter().collect::<Checks>();
    }

    fn make_check(
        &mut self,
        server: ServerId,
        place: usize,
        checker: &Checker,
        doubted: bool,
        old: Option<&Check>,
    ) -> Live {
        let unknown = CheckState { up: !checker.alpha, has_run: false, contribution: 0 };
        let state = self.balance.prepared_check(server, place).unwrap_or(unknown);
        let mut live = Live::new(Check::new(checker, state.up, doubted), server, place);
        let config = Rc::clone(&self.config);
        let Some(subject) = live.subject(&config) else { return live };
        if matches!(checker.kind, Kind::File(_)) {
            live.check.file(state.up, state.contribution);
        } else if let Some(old) = old {
            live.check.adopt(old, subject);
            let contribution = live.check.contribution();
            self.balance.set_check(server, place, CheckState { contribution, ..state });
        }
        live
    }
}
