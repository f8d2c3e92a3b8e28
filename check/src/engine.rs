//! The checker child: the event loop around the [checks](crate::check), their [attempts](crate::probe), the
//! [virtual servers](crate::balance) and the [table of IPVS](crate::table).

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

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Instant;

use log::{error, info, warn};
use runtime::bfd_event::Receiver;
use runtime::child::{self, ChildEnd, Received, Setup, ToChild, ToParent};
use runtime::dump::Dumps;
use runtime::fifo::{self, Listeners};
use runtime::global::Global;
use runtime::mail::{MailId, Outbox};
use runtime::options::Options;
use runtime::process::Promotion;
use runtime::reactor::{Reactor, Registration};
use runtime::scripts::{NotifierId, Notifiers};
use runtime::signals::{Signal, Signals};

use self::addresses::Addresses;
use self::files::Files;
use self::live::{CheckId, Checks};
use self::ping_range::PingRange;
use self::report::State;
use self::snmp::Subagent;
use crate::balance::{Balance, ServerId};
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
    /// The end of a script that was told something.
    Script(NotifierId),
    /// The end of the program that reads a FIFO.
    Reader(fifo::Reader),
    /// A mail on its way.
    Mail(MailId),
    /// The SNMP master agent.
    Snmp,
    /// The end of a dump.
    Dump,
}

impl From<MailId> for Source {
    fn from(id: MailId) -> Self {
        Self::Mail(id)
    }
}

impl From<NotifierId> for Source {
    fn from(id: NotifierId) -> Self {
        Self::Script(id)
    }
}

impl From<fifo::Reader> for Source {
    fn from(reader: fifo::Reader) -> Self {
        Self::Reader(reader)
    }
}

/// What the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Timer {
    /// The next attempt of a check.
    Attempt(CheckId),
    /// The end of the time that an attempt has.
    Deadline(CheckId),
    /// The end of the time that the mail server has.
    Mail(MailId),
    /// Time to try again what the kernel did not take, and to see whether its table is as it should be.
    Table,
    /// Time to call the SNMP master agent, or to ask whether it is there.
    Snmp,
    /// The end of the time that scripts and mails have when the process stops.
    Grace,
}

impl From<MailId> for Timer {
    fn from(id: MailId) -> Self {
        Self::Mail(id)
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
    control: ChildEnd,
    signals: Signals,
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
    notifiers: Notifiers,
    listeners: Listeners,
    mails: Outbox,
    subagent: Subagent,
    dumps: Dumps<State>,
    /// What the real servers that were there before the last reload weighed then.
    weights_before: HashMap<ServerId, i64>,
    /// Kept for as long as the loop lives.
    _registrations: Vec<Registration>,
    /// Whether the loop goes on.
    running: bool,
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

impl Engine {
    fn serve(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        while self.running {
            self.reactor.wait(&mut ready)?;
            let now = Instant::now();
            self.promotion.note(self.reactor.overdue(now));
            for source in ready.drain(..) {
                self.ready(source, now);
            }
            // What is due only now waits for the next turn: if it was us who stood still, there is more to hear first.
            while let Some(timer) = self.reactor.expired(now) {
                self.expired(timer, now);
            }
            self.flush(now);
        }
        self.stop();
        Ok(())
    }

    fn ready(&mut self, source: Source, now: Instant) {
        match source {
            Source::Control => self.hear_parent(now),
            Source::Signals => self.hear_signals(now),
            Source::Probe(id) => self.advance(id, now),
            Source::Run(id) => self.run_ended(id, now),
            Source::Files => self.hear_files(),
            Source::Sessions => self.hear_sessions(),
            Source::Monitor => self.hear_addresses(),
            Source::Script(id) => self.notifiers.ended(id, &mut self.reactor),
            Source::Reader(reader) => self.listeners.reader_ended(reader, &mut self.reactor),
            Source::Mail(id) => self.mails.serve(id, &mut self.reactor, now),
            Source::Snmp => self.serve_subagent(now),
            Source::Dump => self.dump_ended(),
        }
    }

    fn expired(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Attempt(id) => self.attempt(id, now),
            Timer::Deadline(id) => self.deadline(id, now),
            Timer::Mail(id) => self.mails.serve(id, &mut self.reactor, now),
            Timer::Table => self.look_at_table(now),
            Timer::Snmp => self.serve_subagent(now),
            // Whoever waits for it looks at the clock.
            Timer::Grace => {}
        }
    }

    /// What was born in this turn leaves: first the kernel learns of it, then those who are told.
    fn flush(&mut self, now: Instant) {
        self.reconcile(now);
        self.notifiers.start(&mut self.reactor);
        self.listeners.flush();
        self.mails.flush(&mut self.reactor, now);
        self.send_traps(now);
    }

    fn hear_signals(&mut self, now: Instant) {
        loop {
            match self.signals.take() {
                Ok(Some(signal)) => self.signalled(signal, now),
                Ok(None) => return,
                Err(failure) => {
                    error!("cannot read signals: {failure}");
                    return;
                }
            }
        }
    }

    fn signalled(&mut self, signal: Signal, now: Instant) {
        match signal {
            Signal::Stop | Signal::Interrupt => self.running = false,
            Signal::Reload => self.repeat_configuration(now),
            Signal::CpuTime => warn!(
                "Healthcheck process has used too much CPU time, checker_rlimit_rttime may need to be increased"
            ),
            Signal::Data => self.dump(),
            // Scripts have descriptors of their own, and 2.4.3 has neither statistics nor JSON here.
            Signal::Child | Signal::Statistics | Signal::ClearStatistics | Signal::Json => {}
        }
    }

    fn hear_parent(&mut self, now: Instant) {
        loop {
            match self.control.receive() {
                Ok(Received::Message(ToChild::Configuration(memory))) => self.reload(&memory, now),
                Ok(Received::Nothing) => return,
                Ok(Received::End) => {
                    info!("the parent is gone");
                    self.running = false;
                    return;
                }
                Err(failure) => {
                    error!("cannot hear the parent: {failure}");
                    self.running = false;
                    return;
                }
            }
        }
    }

    /// Tells the parent that the configuration is in force.
    fn report_loaded(&self) {
        if let Err(failure) = self.control.send(ToParent::Loaded) {
            error!("cannot answer the parent: {failure}");
        }
    }
}
