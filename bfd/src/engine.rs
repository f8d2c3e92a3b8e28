//! The BFD child: sockets, clock and log around the sessions (`crate::session`).

mod echoing;
mod live;
mod report;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use log::{debug, error, info, warn};
use nix::unistd::getpid;
use runtime::bfd_event::{Present, Sender, Trackers};
use runtime::child::{self, Setup};
use runtime::dump::{Dumping, Dumps, Kept};
use runtime::event_loop::{EventLoop, Lead};
use runtime::global::Global;
use runtime::handover;
use runtime::process::{self, Promotion};
use runtime::reactor::{Reactor, Readiness, Registration};
use runtime::signals::Signal;
use runtime::sys::random::random;
use runtime::sys::receive::{Received as Datagram, RecvBatch};

use crate::config::{Config, Instance};
use crate::echo::Echoes;
use crate::packet::ControlPacket;
use crate::session::{Action, Event, Pulse};
use crate::socket::{Arrival, make_room};
use echoing::Family;
use live::Live;

/// Datagrams taken from a socket at once.
const BATCH: usize = 16;
/// So many packets of each session find room in a socket while we do not run: more than a detection time has as a rule.
const WAITING_OF_A_SESSION: usize = 8;
/// So many sessions send together: enough to be worth a wake-up, and no burst that a network would notice.
const SESSIONS_OF_A_PULSE: u32 = 16;
/// Longer than any control packet.
const ROOM: usize = 256;
/// How long a session waits before it tries again to open its socket.
const REOPEN: Duration = Duration::from_secs(1);

const EXIT_OK: i32 = 0;
const EXIT_FAILED: i32 = 1;

/// Who tracks sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tracker {
    Vrrp,
    Checker,
}

/// Where a packet came from, as the log has it.
struct Origin(IpAddr, u16);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]:{}", self.0, self.1)
    }
}

/// The number of a session in this process; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct SessionId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Signals,
    Control,
    Arrival(Arrival),
    /// Echo packets of a family.
    Echoes(Family),
    Tracker(Tracker),
    /// The end of a dump.
    Dump,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Timer {
    Session(SessionId),
    Reopen(SessionId),
}

struct Engine {
    reactor: Reactor<Source, Timer>,
    /// Raises the priority of this process when its timers are late.
    promotion: Promotion,
    lead: Lead,
    /// What the parent has sent last.
    config: OwnedFd,
    /// In boxes, since they are large and the nodes of a map are half empty.
    sessions: BTreeMap<SessionId, Box<Live>>,
    /// Room for what a session wants done.
    actions: Vec<Action>,
    by_discriminator: HashMap<u32, SessionId>,
    next_id: u32,
    /// What the moments are counted from at which sessions send.
    started: Instant,
    /// What those moments are drawn by.
    seed: u32,
    arrivals: HashMap<Arrival, (OwnedFd, Registration)>,
    echoes: HashMap<Family, (Echoes, Registration)>,
    trackers: Vec<(Tracker, Sender)>,
    /// Those of them who run.
    present: Present,
    received: RecvBatch,
    /// So many datagrams can wait in a socket.
    most_waiting: usize,
    /// The settings of the whole daemon.
    global: Box<Global>,
    dumps: Dumps<()>,
}

/// Runs the BFD child until it is told to stop; returns its exit status.
pub fn run(setup: Setup) -> i32 {
    let shows_configuration = setup.options.dump_configuration;
    let started = Engine::new(setup).and_then(|mut engine| {
        engine.load()?;
        if shows_configuration {
            engine.log_configuration();
        }
        Ok(engine)
    });
    let mut engine = match started {
        Ok(engine) => engine,
        Err(failure) => {
            error!("BFD cannot start: {failure}");
            return EXIT_FAILED;
        }
    };
    match engine.serve() {
        Ok(()) => EXIT_OK,
        Err(failure) => {
            error!("BFD event loop: {failure}");
            engine.stop();
            child::LOOP_FAILED
        }
    }
}

impl Engine {
    fn new(setup: Setup) -> io::Result<Self> {
        let mut reactor = Reactor::new()?;
        let lead = Lead::new(setup.control, &setup.options)?;
        lead.attend(Source::Control, Source::Signals, &mut reactor)?;
        let Trackers { vrrp, checker } = setup.links.bfd_trackers;
        let mut trackers = Vec::new();
        for (tracker, socket) in [(Tracker::Vrrp, vrrp), (Tracker::Checker, checker)] {
            let Some(sender) = socket.map(Sender::new) else { continue };
            reactor.register(&sender, Source::Tracker(tracker), Readiness::Both)?;
            trackers.push((tracker, sender));
        }
        Ok(Self {
            reactor,
            promotion: Promotion::default(),
            lead,
            config: setup.config,
            sessions: BTreeMap::new(),
            actions: Vec::new(),
            by_discriminator: HashMap::new(),
            next_id: 0,
            started: Instant::now(),
            seed: random()?,
            arrivals: HashMap::new(),
            echoes: HashMap::new(),
            trackers,
            present: Present::default(),
            received: RecvBatch::new(BATCH, ROOM),
            most_waiting: 0,
            global: Box::default(),
            dumps: Dumps::default(),
        })
    }

    /// Puts the configuration in force by difference: sessions that stay are not touched but for their parameters.
    fn load(&mut self) -> io::Result<()> {
        let (mut global, present, config): (Box<Global>, Present, Config) =
            handover::open(&self.config).map_err(io::Error::other)?;
        // They are for those who track them.
        global.bfd_names = Vec::new();
        self.present = present;
        let now = Instant::now();
        let known = self.known(&config);
        let kept: HashSet<SessionId> = known.iter().flatten().copied().collect();
        let gone = self.sessions.keys().copied().filter(|id| !kept.contains(id));
        let names: HashSet<&str> = config.sessions.iter().map(|one| &*one.ends.name).collect();
        for id in gone.collect::<Vec<SessionId>>() {
            let name = self.sessions.get(&id).map(|live| &*live.ends().name);
            // Under the name of one that was up there is one now that is not.
            if name.is_some_and(|name| names.contains(name)) {
                self.event(id, Event::Disable, now);
            }
            self.remove(id, now);
        }
        self.open_arrivals(&config)?;
        self.open_echoes(&config)?;
        self.make_room(config.sessions.len())?;
        for (instance, known) in config.sessions.into_iter().zip(known) {
            match known.and_then(|id| Some((id, self.sessions.get_mut(&id)?))) {
                Some((id, live)) => {
                    live.adopt(instance.ends, instance.authentication)?;
                    self.event(id, Event::Reconfigure(instance.parameters), now);
                }
                None => self.add(instance, now)?,
            }
        }
        for (tracker, sender) in &mut self.trackers {
            if !tracker.is_among(present) {
                sender.clear();
            }
        }
        for &id in self.sessions.keys() {
            tell(&mut self.trackers, present, &self.sessions, id);
        }
        process::take_on(&global.processes, global.processes.bfd.name.as_deref());
        for failure in process::schedule(&global.processes.bfd) {
            warn!("{failure}");
        }
        self.promotion = Promotion::new(&global.processes, &global.processes.bfd);
        self.global = global;
        // What the configuration was read into lies below what was made of it.
        process::trim_memory();
        self.lead.report_loaded();
        Ok(())
    }

    /// For each session of `config` the one that goes on as it.
    fn known(&self, config: &Config) -> Vec<Option<SessionId>> {
        let known: HashMap<_, SessionId> =
            self.sessions.iter().map(|(&id, live)| (live.ends().identity(), id)).collect();
        config.sessions.iter().map(|one| known.get(&one.ends.identity()).copied()).collect()
    }

    fn add(&mut self, instance: Instance, now: Instant) -> io::Result<()> {
        let id = SessionId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let pulse = Pulse::new(self.started, self.seed.wrapping_add(id.0 / SESSIONS_OF_A_PULSE));
        let live =
            Live::new(instance, |number| self.by_discriminator.contains_key(&number), pulse, now)?;
        self.by_discriminator.insert(live.discriminator(), id);
        self.sessions.insert(id, Box::new(live));
        self.open(id, now);
        Ok(())
    }

    /// Takes leave of the other side. Those who track the session learn of its end from the configuration: they may not have
    /// read it yet, and would take a fall for one.
    fn remove(&mut self, id: SessionId, now: Instant) {
        self.reactor.disarm(Timer::Session(id));
        self.reactor.disarm(Timer::Reopen(id));
        if let Some(mut live) = self.sessions.remove(&id) {
            live.event(Event::Disable, now, &mut self.actions);
            self.by_discriminator.remove(&live.discriminator());
        }
    }

    /// Opens the sockets that are needed and closes the others.
    fn open_arrivals(&mut self, config: &Config) -> io::Result<()> {
        let wanted = |arrival: &Arrival| {
            config.sessions.iter().any(|Instance { ends, .. }| {
                ends.neighbor.is_ipv6() == arrival.ipv6 && ends.multihop == arrival.multihop
            })
        };
        for ipv6 in [false, true] {
            for multihop in [false, true] {
                let arrival = Arrival { ipv6, multihop };
                match (wanted(&arrival), self.arrivals.remove(&arrival)) {
                    (true, Some(open)) => {
                        self.arrivals.insert(arrival, open);
                    }
                    (true, None) => {
                        let kind = if multihop { "multihop listening" } else { "listening" };
                        let socket = arrival.open().inspect_err(|failure| {
                            error!("Unable to open {kind} socket ({failure})")
                        })?;
                        let source = Source::Arrival(arrival);
                        let registration =
                            self.reactor.register(&socket, source, Readiness::Readable)?;
                        self.arrivals.insert(arrival, (socket, registration));
                    }
                    (false, Some((socket, registration))) => {
                        self.reactor.deregister(&socket, registration)?;
                    }
                    (false, None) => {}
                }
            }
        }
        Ok(())
    }

    /// What arrives while we do not run is what `sessions` must not fall for lack of.
    fn make_room(&mut self, sessions: usize) -> io::Result<()> {
        let packets = sessions.saturating_mul(WAITING_OF_A_SESSION);
        let mut most = 0;
        for (socket, _) in self.arrivals.values() {
            most = most.max(make_room(socket, packets)?);
        }
        for (echoes, _) in self.echoes.values() {
            most = most.max(make_room(echoes, packets)?);
        }
        self.most_waiting = most;
        Ok(())
    }

    /// Opens the socket of a session, and lets it take part once that is done.
    fn open(&mut self, id: SessionId, now: Instant) {
        let Some(live) = self.sessions.get_mut(&id) else { return };
        if live.open() {
            self.event(id, Event::Enable, now);
        } else {
            self.event(id, Event::Disable, now);
            self.reactor.arm(Timer::Reopen(id), now + REOPEN);
        }
    }

    /// Takes all that waits, before timers have their turn: it may be what a session would fall for lack of. In a flood that
    /// is as much as the socket can hold.
    fn receive(&mut self, arrival: Arrival) {
        for _ in (0..self.most_waiting).step_by(BATCH) {
            let mut received = std::mem::replace(&mut self.received, RecvBatch::new(0, 0));
            let count = match self.arrivals.get(&arrival) {
                Some((socket, _)) => received.receive(socket.as_fd()),
                None => Ok(0),
            };
            let now = Instant::now();
            for datagram in received.datagrams() {
                self.take(arrival, &datagram, now);
            }
            self.received = received;
            match count {
                Ok(count) if count == BATCH => {}
                Ok(_) => return,
                Err(errno) => {
                    error!("BFD: recvmsg() error ({})", errno.desc());
                    return;
                }
            }
        }
        self.reactor.again(Source::Arrival(arrival));
    }

    fn take(&mut self, arrival: Arrival, datagram: &Datagram<'_>, now: Instant) {
        let Some(source) = datagram.source else { return };
        let from = Origin(source, datagram.source_port);
        let packet = match ControlPacket::decode(datagram.data) {
            Ok(packet) => packet,
            Err(refused) => {
                debug!("{refused}");
                debug!("Discarding bogus packet from {from}");
                return;
            }
        };
        let destination = datagram.destination;
        let Some(id) = self.find(arrival, source, destination, packet.your_discriminator) else {
            debug!(
                "Discarding packet from {from} (session is not found - your discriminator field is {:#010x})",
                packet.your_discriminator
            );
            return;
        };
        let Some(live) = self.sessions.get_mut(&id) else { return };
        let least = live.ends().accepted_ttl.unwrap_or(0);
        if let Some(ttl) = datagram.hop_limit.filter(|&ttl| ttl < least) {
            let field = if arrival.ipv6 { "hop_limit" } else { "ttl" };
            debug!("Packet {field}({ttl}) < {least} - discarding");
            return;
        }
        if live.is_disabled() {
            debug!("Discarding packet from {from} (session is in AdminDown state)");
            return;
        }
        match live.take(packet, datagram.data, now, &mut self.actions) {
            Ok(changed) => self.follow(id, changed),
            Err(rejected) => debug!("Discarding packet from {from} ({rejected})"),
        }
    }

    /// RFC 5880 §6.8.6 and §6.3. A number alone is not enough: the packet must come from the session's other side.
    fn find(
        &self,
        arrival: Arrival,
        source: IpAddr,
        destination: Option<IpAddr>,
        discriminator: u32,
    ) -> Option<SessionId> {
        let fits = |live: &Live| {
            let ends = live.ends();
            let to_us = ends.source.is_none_or(|ours| destination.is_none_or(|to| to == ours));
            ends.neighbor == source && ends.multihop == arrival.multihop && to_us
        };
        if discriminator != 0 {
            let id = *self.by_discriminator.get(&discriminator)?;
            return self.sessions.get(&id).filter(|live| fits(live)).map(|_| id);
        }
        self.sessions.iter().find(|(_, live)| fits(live)).map(|(&id, _)| id)
    }

    /// Gives a session an event, does what it asks for, and arms its timer again.
    fn event(&mut self, id: SessionId, event: Event, now: Instant) {
        let Some(live) = self.sessions.get_mut(&id) else { return };
        let changed = live.event(event, now, &mut self.actions);
        self.follow(id, changed);
    }

    /// Arms the timer of a session again, and tells those who track it if its state has `changed`.
    fn follow(&mut self, id: SessionId, changed: bool) {
        let Some(live) = self.sessions.get(&id) else { return };
        match live.deadline() {
            Some(deadline) => self.reactor.arm(Timer::Session(id), deadline),
            None => self.reactor.disarm(Timer::Session(id)),
        }
        self.send_echo(id);
        if changed {
            tell(&mut self.trackers, self.present, &self.sessions, id);
        }
    }

    /// A tracker has made room for what waits, or asks for the state of all sessions.
    fn hear_tracker(&mut self, tracker: Tracker) {
        let Some((_, sender)) = self.trackers.iter_mut().find(|(known, _)| *known == tracker)
        else {
            return;
        };
        match sender.take_question() {
            Ok(true) => {
                let all = self.sessions.values().filter(|live| tracker.hears_of(live));
                // What finds no room is sent when the tracker has made some.
                all.filter_map(|live| live.report()).for_each(|event| {
                    sender.send(event);
                });
            }
            Ok(false) => {
                sender.flush();
            }
            Err(error) => error!("cannot hear a tracker of BFD sessions: {error}"),
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
            Source::Signals => return self.hear_signals(now),
            Source::Control => return self.hear_parent(now),
            Source::Arrival(arrival) => self.receive(arrival),
            Source::Echoes(family) => self.hear_echoes(family),
            Source::Tracker(tracker) => self.hear_tracker(tracker),
            Source::Dump => self.dump_ended(),
        }
        Ok(())
    }

    fn expired(&mut self, timer: Timer, now: Instant) {
        match timer {
            Timer::Session(id) => self.event(id, Event::Deadline, now),
            Timer::Reopen(id) => self.open(id, now),
        }
    }

    /// Packets have left when they were born: each has a socket of its own.
    fn flush(&mut self, _: Instant) {}

    fn signalled(&mut self, signal: Signal, _: Instant) -> io::Result<()> {
        match signal {
            Signal::Reload => return self.load(),
            Signal::CpuTime => {
                info!(
                    "BFD process has used too much CPU time, bfd_rlimit_rttime may need to be increased"
                );
            }
            Signal::Data => {
                info!("Printing BFD data for process({}) on signal", getpid());
                self.dump(());
            }
            _ => {}
        }
        Ok(())
    }

    fn reload(&mut self, memory: OwnedFd, _: Instant) -> io::Result<()> {
        info!("Reloading");
        self.keep_state(Kept::Before);
        self.config = memory;
        self.load()?;
        self.keep_state(Kept::After);
        Ok(())
    }

    /// Says good-bye on every session, so that nobody need wait for a detection time.
    fn stop(&mut self) {
        let now = Instant::now();
        let all: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in all {
            self.remove(id, now);
        }
    }
}

impl Tracker {
    /// Whether it runs.
    fn is_among(self, present: Present) -> bool {
        match self {
            Tracker::Vrrp => present.vrrp,
            Tracker::Checker => present.checker,
        }
    }

    /// Whether a session is of interest to it.
    fn hears_of(self, live: &Live) -> bool {
        match self {
            Tracker::Vrrp => live.ends().vrrp,
            Tracker::Checker => live.ends().checker,
        }
    }
}

/// Tells the trackers the state of a session. What finds no room is sent when they have made some.
fn tell(
    trackers: &mut [(Tracker, Sender)],
    present: Present,
    sessions: &BTreeMap<SessionId, Box<Live>>,
    id: SessionId,
) {
    let Some(live) = sessions.get(&id) else { return };
    let Some(event) = live.report() else { return };
    for (tracker, sender) in trackers {
        if tracker.is_among(present) && tracker.hears_of(live) {
            sender.send(event.clone());
        }
    }
}

#[cfg(test)]
mod tests;
