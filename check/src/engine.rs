//! The checker child: the event loop around the checks (`crate::check`), their [attempts](crate::probe), the
//! virtual servers (`crate::balance`) and the table of IPVS (`crate::table`).

mod addresses;
mod attempts;
mod files;
mod kernel;
mod live;
mod notify;
mod ping_range;
mod reload;
mod report;
mod runs;
mod schedule;
mod sessions;
mod snmp;
mod start;
mod stop;

use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Instant;

use log::{error, info};
use nix::unistd::getpid;
use runtime::agentx::Offering;
use runtime::audience::{self, Audience};
use runtime::bfd_event::Receiver;
use runtime::child::{self, Setup};
use runtime::dump::{Dumping, Dumps, Kept};
use runtime::event_loop::{EventLoop, Lead};
use runtime::global::Global;
use runtime::options::Options;
use runtime::process::Promotion;
use runtime::reactor::Reactor;
use runtime::signals::Signal;

use self::addresses::Addresses;
use self::files::Files;
use self::live::{CheckId, Checks};
use self::ping_range::PingRange;
use self::snmp::Managed;
use crate::balance::Balance;
use crate::config::Config;
use crate::probe::Tools;
use crate::table::Table;

/// Exit status of an orderly end.
const OK: i32 = 0;
/// Exit status when the process cannot work; the parent does not start it again.
const FATAL: i32 = 1;

/// What the loop hears from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The parent.
    Control,
    /// Signals.
    Signals,
    /// The connection of a check.
    Probe(CheckId),
    /// The end of the script of a check.
    Run(CheckId),
    /// Changes of tracked files.
    Files,
    /// Events of BFD sessions.
    Sessions,
    /// Changes of addresses.
    Monitor,
    /// Those who are told what has happened.
    Audience(audience::Member),
    /// The SNMP master agent.
    Snmp,
    /// The end of a dump.
    Dump,
}

impl From<audience::Member> for Source {
    fn from(member: audience::Member) -> Self {
        Self::Audience(member)
    }
}

/// What the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Timer {
    /// The next attempt of a check, or the end of the time that the one under way has.
    Check(CheckId),
    /// Those who are told what has happened.
    Audience(audience::Due),
    /// Time to try again what the kernel did not take, and to see whether its table is as it should be.
    Table,
    /// Time to call the SNMP master agent, or to ask whether it is there.
    Snmp,
}

impl From<audience::Due> for Timer {
    fn from(due: audience::Due) -> Self {
        Self::Audience(due)
    }
}

/// The checker process.
struct Engine {
    options: Options,
    global: Global,
    config: Rc<Config>,
    reactor: Reactor<Source, Timer>,
    /// Raises the priority of this process when its timers are late.
    promotion: Promotion,
    lead: Lead,
    checks: Checks,
    /// What attempts of this configuration share.
    tools: Tools,
    balance: Balance,
    /// IPVS, once there is a virtual server.
    table: Option<Table>,
    files: Files,
    addresses: Addresses,
    ping_range: PingRange,
    bfd_events: Option<Receiver>,
    audience: Audience,
    managed: Managed,
    dumps: Dumps<()>,
    /// Whether it ends because the process cannot work.
    fatal: bool,
}

/// Runs the checker process until it is told to end, and returns its exit status.
pub fn run(setup: Setup) -> i32 {
    let mut engine = match Engine::new(setup) {
        Ok(engine) => engine,
        Err(failure) => {
            error!("Healthcheck cannot start: {failure}");
            return FATAL;
        }
    };
    if !engine.begin() {
        engine.stop();
        return FATAL;
    }
    match engine.serve() {
        Ok(()) if engine.fatal => FATAL,
        Ok(()) => OK,
        Err(failure) => {
            error!("Healthcheck event loop: {failure}");
            engine.stop();
            child::LOOP_FAILED
        }
    }
}

impl EventLoop for Engine {
    type Source = Source;
    type Timer = Timer;

    fn reactor(&mut self) -> &mut Reactor<Source, Timer> {
        &mut self.reactor
    }

    fn promotion(&mut self) -> &mut Promotion {
        &mut self.promotion
    }

    fn lead(&mut self) -> &mut Lead {
        &mut self.lead
    }

    fn ready(&mut self, source: Source, now: Instant) -> io::Result<()> {
        match source {
            Source::Control => return self.hear_parent(now),
            Source::Signals => return self.hear_signals(now),
            Source::Probe(id) => self.advance(id, now),
            Source::Run(id) => self.run_ended(id, now),
            Source::Files => self.hear_files(),
            Source::Sessions => self.hear_sessions(),
            Source::Monitor => self.hear_addresses(),
            Source::Audience(member) => self.audience.hear(member, &mut self.reactor, now),
            Source::Snmp => self.serve_subagent(now),
            Source::Dump => self.dump_ended(),
        }
        Ok(())
    }

    fn expired(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Check(id) => self.due(id, now),
            Timer::Audience(due) => self.audience.due(due, &mut self.reactor, now),
            Timer::Table => self.look_at_table(now),
            Timer::Snmp => self.serve_subagent(now),
        }
    }

    /// What was born in this turn leaves: first the kernel learns of it, then those who are told.
    fn flush(&mut self, now: Instant) {
        self.reconcile(now);
        self.audience.flush(&mut self.reactor, now);
        self.send_traps(now);
    }

    fn signalled(&mut self, signal: Signal, now: Instant) -> io::Result<()> {
        match signal {
            Signal::Reload => self.repeat_configuration(now),
            Signal::CpuTime => info!(
                "Checker process has used too much CPU time, checker_rlimit_rttime may need to be increased"
            ),
            Signal::Data => {
                info!("Printing checker data for process({}) on signal", getpid());
                self.dump(());
            }
            // 2.4.3 has neither statistics nor JSON here.
            _ => {}
        }
        Ok(())
    }

    fn reload(&mut self, memory: OwnedFd, now: Instant) -> io::Result<()> {
        self.keep_state(Kept::Before);
        Engine::reload(self, &memory, now);
        self.keep_state(Kept::After);
        Ok(())
    }

    fn stop(&mut self) {
        Engine::stop(self);
    }
}
