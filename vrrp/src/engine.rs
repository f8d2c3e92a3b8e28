//! The VRRP process: holds sockets, timers and the machine's state, and does what the elections decide.
//!
//! A turn of the loop reads what is ready, then serves what is due, and at its end sends what was born in it: adverts
//! first, then requests to the kernel, then announcements, then scripts. So a new master is heard before its addresses
//! are there, and its addresses are there before anybody is told.

mod conditions;
mod connection;
mod dbus;
mod dropped;
mod duplicates;
mod firewall;
mod grid;
mod identity;
mod instance;
mod links;
mod machine;
mod mail;
mod notify;
mod objects;
mod own_links;
mod receive;
mod refusals;
mod reload;
mod report;
mod send;
mod snmp;
mod sockets;
mod start;
mod stop;
mod sync_daemon;
mod table;
mod tracking;
mod transition;

use std::cell::OnceCell;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

use log::{error, info};
use runtime::agentx::Offering;
use runtime::audience::{self, Audience};
use runtime::bfd_event::Receiver;
use runtime::child::{self, Setup};
use runtime::dump::{Dumping, Dumps, Kept};
use runtime::event_loop::{EventLoop, Lead};
use runtime::global::Global;
use runtime::machine::{IfIndex, Route};
use runtime::netlink::{Client, Monitor};
use runtime::options::Options;
use runtime::process::Promotion;
use runtime::reactor::Reactor;
use runtime::signals::Signal;
use runtime::sys::receive::RecvBatch;

use self::dbus::Service;
use self::duplicates::Duplicates;
use self::firewall::{Firewall, TableWatch};
use self::grid::Grid;
use self::instance::Instance;
use self::links::Links;
use self::notify::News;
use self::own_links::SourceChecks;
use self::refusals::Chatter;
use self::report::Dump;
use self::snmp::Managed;
use self::sockets::{SocketId, Sockets};
use self::sync_daemon::Synchronisation;
use self::table::Table;
use self::tracking::Tracked;
use crate::announce::{Announcer, Frames};
use crate::config::track::{ProcessId, ScriptId};
use crate::config::{Config, GroupId, InstanceId, SyncGroup};
use crate::fsm::{Action, Event, State};
use crate::group::Group;
use crate::interfaces::Interfaces;
use crate::kernel::Ledger;
use crate::kernel::own_links::OwnLinks;
use crate::kernel::remains::Note;
use crate::kernel::sysctl::Settings;
use crate::socket::Sender;

/// Exit status of an orderly end.
const OK: i32 = 0;
/// Exit status when the process cannot work; the parent does not start it again.
const FATAL: i32 = 1;

/// How often a socket that has more is read before a deadline is served.
const LAST_LOOKS: usize = 16;

/// Largest packet where no interface tells.
const DEFAULT_MTU: u32 = 1500;

/// What the loop hears from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The parent.
    Control,
    /// Signals.
    Signals,
    /// Changes of interfaces and addresses.
    Monitor,
    /// Adverts.
    Socket(SocketId),
    /// Those who are told what has happened.
    Audience(audience::Member),
    /// The end of a run of a tracked script.
    Tracked(ScriptId),
    /// Changes of tracked files.
    Files,
    /// Process events.
    Processes,
    /// Events of BFD sessions.
    Sessions,
    /// Tables of the firewall that somebody removes.
    Tables,
    /// The end of a dump.
    Dump,
    /// The SNMP master agent.
    Snmp,
    /// The message bus of the machine.
    Bus,
}

/// What the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Timer {
    /// The deadline of an election.
    Deadline(InstanceId),
    /// Announcements.
    Announcements,
    /// The next run of a tracked script.
    Script(ScriptId),
    /// The end of the time that a run of a tracked script has.
    Patience(ScriptId),
    /// A change of an interface has lasted long enough.
    Link(IfIndex),
    /// Time to poll interfaces.
    Poll,
    /// A gain or loss of tracked processes has lasted long enough.
    Quorum(ProcessId),
    /// Time to look at all processes.
    Processes,
    /// The end of the start-up delay.
    Delayed,
    /// Those who are told what has happened.
    Audience(audience::Due),
    /// Time to call the SNMP master agent, or to ask whether it is there.
    Snmp,
    /// Time to call the message bus, or the end of the time that it has to answer.
    Bus,
}

impl From<audience::Member> for Source {
    fn from(member: audience::Member) -> Self {
        Self::Audience(member)
    }
}

impl From<audience::Due> for Timer {
    fn from(due: audience::Due) -> Self {
        Self::Audience(due)
    }
}

/// A sync group while it runs.
#[derive(Debug)]
struct RunningGroup {
    config: SyncGroup,
    group: Group,
    /// What the last mail about it said.
    mailed: Option<News>,
}

/// An advert on its way, for the case that it does not get far.
#[derive(Clone, Copy, Debug)]
struct Sent {
    instance: InstanceId,
    to: IpAddr,
    /// Whether it carries priority 0.
    stop: bool,
}

/// The VRRP process.
struct Engine {
    options: Options,
    global: Global,
    config: Config,
    reactor: Reactor<Source, Timer>,
    /// Raises the priority of this process when its timers are late.
    promotion: Promotion,
    lead: Lead,
    netlink: Client,
    monitor: Monitor,
    interfaces: Interfaces,
    links: Links,
    ledger: Ledger,
    firewall: Firewall,
    /// Hears of tables of the firewall that somebody removes.
    table_watch: Option<TableWatch>,
    /// The interfaces that we make.
    own_links: OwnLinks,
    /// Instances that are on the wire of another one.
    duplicates: Duplicates,
    /// The settings of the kernel that we have changed.
    settings: Settings,
    /// What VMACs changed about the checks of all interfaces, while there are any.
    source_checks: Option<SourceChecks>,
    /// Where we note what we may leave behind.
    note: Note,
    /// While a reload changes what priorities depend on, they are not told: it is at its end.
    settling: bool,
    /// Whether what should be in the kernel may differ from what is there.
    dirty: bool,
    sockets: Sockets,
    sender: Sender<Sent>,
    batch: RecvBatch,
    chatter: Chatter,
    announcer: Announcer<InstanceId>,
    frames: Frames,
    /// Masters whose addresses are to be announced once they are in place.
    entered: Vec<InstanceId>,
    /// Masters whose addresses a reload, or an interface that came back, may have changed.
    changed: Vec<InstanceId>,
    instances: Table<InstanceId, Instance>,
    groups: Table<GroupId, RunningGroup>,
    started: Instant,
    grid: Grid,
    /// The end of the start-up delay.
    delayed_until: Option<Instant>,
    /// Those who are told of states.
    audience: Audience,
    dumps: Dumps<Dump>,
    /// Our routes as the kernel shows them. Only a copy that writes a dump has looked.
    shown_routes: OnceCell<Vec<Route>>,
    tracked: Tracked,
    synchronisation: Synchronisation,
    managed: Managed,
    service: Service,
    /// Where process events come from, where the kernel has them.
    process_events: Option<OwnedFd>,
    bfd_events: Option<Receiver>,
    /// Room for the actions of an election.
    actions: Vec<Action>,
}

/// Runs the VRRP process until it is told to end, and returns its exit status.
pub fn run(setup: Setup) -> i32 {
    let mut engine = match Engine::new(setup) {
        Ok(engine) => engine,
        Err(error) => {
            error!("VRRP cannot start: {error}");
            return FATAL;
        }
    };
    match engine.serve() {
        Ok(()) => OK,
        Err(error) => {
            error!("VRRP event loop: {error}");
            engine.stop();
            child::LOOP_FAILED
        }
    }
}

impl Engine {
    /// Serves the deadline of an election. A backup listens once more before it declares its master dead: when it was
    /// us who stood still, the adverts that prove the master alive are waiting, perhaps behind those of a flood.
    fn due(&mut self, id: InstanceId, now: Instant) {
        let Some(instance) = self.instances.get(id) else { return };
        if instance.router.state() == State::Backup {
            if let Some(socket) = instance.socket {
                let _ = (0..LAST_LOOKS).try_for_each(|_| self.receive(socket, now));
            }
        }
        let Some(instance) = self.instances.get(id) else { return };
        if instance.router.deadline().is_none_or(|deadline| deadline > now) {
            self.rearm(id);
            return;
        }
        let may_lead = instance.group.is_none_or(|(group, place)| {
            let members = self.members(group);
            self.groups.get(group).is_none_or(|running| running.group.may_lead(members, place))
        });
        self.take(id, Event::Deadline { may_lead }, now);
    }

    /// Has the reactor wait for what the election waits for.
    fn rearm(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get(id) else { return };
        let timer = Timer::Deadline(id);
        let Some(deadline) = instance.router.deadline() else {
            self.reactor.disarm(timer);
            return;
        };
        let at = match instance.router.state() {
            State::Master => self.grid.place(id, deadline, instance.config.advert_interval),
            _ => deadline,
        };
        self.reactor.arm(timer, at);
    }

    /// Whether nothing is to be sent or heard yet.
    fn is_delayed(&self, now: Instant) -> bool {
        self.delayed_until.is_some_and(|until| until > now)
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
            Source::Socket(socket) => {
                if self.receive(socket, now).is_continue() {
                    self.reactor.again(source);
                }
            }
            Source::Monitor => self.hear_machine(now),
            Source::Control => return self.hear_parent(now),
            Source::Signals => return self.hear_signals(now),
            Source::Audience(member) => self.audience.hear(member, &mut self.reactor, now),
            Source::Tracked(id) => self.run_ended(id, now),
            Source::Files => self.hear_files(now),
            Source::Processes => self.hear_processes(now),
            Source::Sessions => self.hear_sessions(now),
            Source::Tables => self.hear_tables(),
            Source::Dump => self.dump_ended(),
            Source::Snmp => self.serve_subagent(now),
            Source::Bus => self.serve_bus(now),
        }
        Ok(())
    }

    fn expired(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Deadline(id) => self.due(id, now),
            Timer::Script(id) => self.run_script(id, now),
            Timer::Patience(id) => self.lose_patience(id, now),
            Timer::Audience(due) => self.audience.due(due, &mut self.reactor, now),
            Timer::Link(index) => self.link_counts(index, now),
            Timer::Poll => self.poll_links(now),
            Timer::Quorum(id) => self.quorum_due(id, now),
            Timer::Processes => self.count_processes(now),
            // They leave at the end of the turn.
            Timer::Announcements => {}
            Timer::Snmp => self.serve_subagent(now),
            Timer::Bus => self.serve_bus(now),
            Timer::Delayed => {
                info!("Delayed start completed");
                self.delayed_until = None;
            }
        }
    }

    fn flush(&mut self, now: Instant) {
        Engine::flush(self, now);
    }

    fn signalled(&mut self, signal: Signal, now: Instant) -> io::Result<()> {
        match signal {
            Signal::Reload => self.repeat_configuration(now),
            Signal::Statistics => self.dump_on_signal(Dump::Statistics { clear: false }),
            Signal::ClearStatistics => self.dump_on_signal(Dump::Statistics { clear: true }),
            Signal::Data => self.dump_on_signal(Dump::State),
            Signal::Json => self.dump_on_signal(Dump::Json),
            Signal::CpuTime => info!(
                "VRRP process has used too much CPU time, vrrp_rlimit_rttime may need to be increased"
            ),
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
