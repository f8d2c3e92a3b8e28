//! Starting: from the configuration that the parent has handed over to checks that run.

use std::error::Error;
use std::rc::Rc;
use std::time::Instant;

use log::info;
use runtime::agentx::Offering;
use runtime::audience::Audience;
use runtime::bfd_event::Receiver;
use runtime::child::Setup;
use runtime::dump::{Dumping, Dumps};
use runtime::event_loop::{EventLoop, Lead};
use runtime::global::Global;
use runtime::handover;
use runtime::process::{self, Promotion};
use runtime::reactor::{Reactor, Readiness};

use super::addresses::Addresses;
use super::files::Files;
use super::live::Checks;
use super::ping_range::PingRange;
use super::snmp::Managed;
use super::{Engine, Source};
use crate::balance::Balance;
use crate::config::Config;
use crate::probe::Tools;

/// Descriptors besides those of the checks.
const SPARE_FILES: u64 = 64;

impl Engine {
    /// Opens what the process works with.
    pub(super) fn new(setup: Setup) -> Result<Self, Box<dyn Error>> {
        let (global, config): (Global, Config) = handover::open(&setup.config)?;
        let lead = Lead::new(setup.control, &setup.options)?;
        let promotion = schedule(&global);
        let mut reactor = Reactor::new()?;
        let bfd_events = setup.links.bfd_events.map(Receiver::new);
        lead.attend(Source::Control, Source::Signals, &mut reactor)?;
        if let Some(events) = &bfd_events {
            reactor.register(events, Source::Sessions, Readiness::Readable)?;
        }
        Ok(Self {
            options: setup.options,
            global,
            config: Rc::new(config),
            reactor,
            promotion,
            lead,
            checks: Checks::default(),
            tools: Tools::default(),
            balance: Balance::new(),
            table: None,
            files: Files::default(),
            addresses: Addresses::default(),
            bfd_events,
            audience: Audience::default(),
            managed: Managed::default(),
            dumps: Dumps::default(),
            ping_range: PingRange::default(),
            fatal: false,
        })
    }

    /// Puts the first configuration in force. `false` where that is impossible, which has been logged then.
    pub(super) fn begin(&mut self) -> bool {
        let now = Instant::now();
        if !self.open_table(now) {
            self.log_given_up();
            return false;
        }
        self.prepare();
        self.forget_figures();
        self.offer_objects(now);
        if !self.make_tools() {
            return false;
        }
        self.flush_table();
        self.load(true);
        self.flush(now);
        if self.options.dump_configuration {
            self.log_configuration();
        }
        self.lead.report_loaded();
        self.activate(now);
        true
    }

    /// Brings what follows from the configuration, besides the checks, up to date.
    pub(super) fn prepare(&mut self) {
        let checks: usize = self
            .config
            .virtual_servers
            .iter()
            .flat_map(|service| &service.real_servers)
            .map(|server| server.checkers.len())
            .sum();
        let wanted = u64::try_from(checks).unwrap_or(u64::MAX).saturating_add(SPARE_FILES);
        if let Err(failure) = process::allow_files(wanted) {
            info!("Unable to set the limit of open files: {failure}");
        }
        let fifo = (&self.global.scripts.lvs_notify_fifo, "lvs ");
        self.audience.invite(&self.global, fifo, &mut self.reactor);
    }

    /// Makes what attempts share. `false` where that is impossible, which has been logged then.
    pub(super) fn make_tools(&mut self) -> bool {
        match Tools::new(&self.config) {
            Ok(tools) => {
                self.tools = tools;
                true
            }
            Err(failure) => {
                failure.lines().iter().for_each(|line| info!("{line}"));
                false
            }
        }
    }

    /// What is said of services that never were.
    fn log_given_up(&self) {
        for service in &self.config.virtual_servers {
            for server in &service.real_servers {
                let name = crate::balance::server_name(service, server);
                info!("Shutting down service {name} from VS {}", service.name);
            }
        }
    }
}

/// Gives the process its name, its priorities and its processors.
pub(super) fn schedule(global: &Global) -> Promotion {
    process::take_on(&global.processes, global.processes.checker.name.as_deref());
    for failure in process::schedule(&global.processes.checker) {
        info!("{failure}");
    }
    Promotion::new(&global.processes, &global.processes.checker)
}
