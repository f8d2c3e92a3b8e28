//! One BFD session as a value (RFC 5880 §6.8): packets and deadlines go in, packets and state changes come out.
//!
//! It opens no socket and reads no clock. The engine performs the [`Action`]s and re-arms [`Session::deadline`] after
//! every event.

mod echo;
mod pulse;
mod report;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::packet::{ControlPacket, Diagnostic, Micros, State};
use echo::Echo;
pub(crate) use pulse::Pulse;

/// Deadlines are served that late at most by one that runs.
const PUNCTUAL: Duration = Duration::from_millis(2);

/// What the configuration says of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// How often to send while up, at most.
    pub min_tx: Micros,
    /// How often we can receive.
    pub min_rx: Micros,
    /// How often to send while not up; a second or more (RFC 5880 §6.8.3).
    pub idle_tx: Micros,
    /// How many missed packets make a failure.
    pub multiplier: u8,
    /// Whether to stay silent until the other side is heard (RFC 5880 §6.1).
    pub passive: bool,
    /// Demand mode: how often to ask whether the other side, which is to be silent while up, is still there.
    pub demand: Option<Micros>,
    /// How often to send echo packets, at most, if at all.
    pub echo_tx: Option<Micros>,
    /// How often we can reflect echo packets of the other side; 0: not at all.
    pub echo_rx: Micros,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A packet that belongs to this session came.
    Packet(ControlPacket),
    /// The echo packet of this number has come back.
    Echo(u32),
    /// [`Session::deadline`] has come.
    Deadline,
    /// The configuration changed.
    Reconfigure(Parameters),
    /// The operator, or the end of the daemon, takes the session down.
    Disable,
    /// The operator allows the session again.
    Enable,
}

/// What the engine has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send this packet.
    Send(ControlPacket),
    /// Send an echo packet of this number.
    Echo(u32),
    /// The state changed: log it, and tell those who watch the session.
    Enter {
        /// The new state.
        state: State,
        /// The state before.
        from: State,
        /// Why, if it fell.
        diagnostic: Diagnostic,
    },
    /// Nothing was heard for the detection time while up; for the log.
    Expired {
        /// How long it was in the end.
        after: Duration,
        /// How much of that is more than the detection time.
        overdue: Duration,
    },
    /// A poll sequence begins; for the log.
    Poll,
    /// How often the two sides send and receive has changed; for the log.
    Intervals,
    /// The detection time changed; for the log.
    DetectionTime {
        /// The new one.
        now: Duration,
        /// The one before.
        before: Duration,
    },
}

/// What the other side last said (RFC 5880 §6.8.1, `bfd.Remote…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Remote {
    state: State,
    discriminator: u32,
    min_tx: Micros,
    min_rx: Micros,
    multiplier: u8,
    min_echo_rx: Micros,
    demand: bool,
    diagnostic: Diagnostic,
}

impl Remote {
    /// RFC 5880 §6.8.1: nothing is known yet; one microsecond stands for "as often as you like".
    const UNKNOWN: Self = Self {
        state: State::Down,
        discriminator: 0,
        min_tx: Micros(0),
        min_rx: Micros(1),
        multiplier: 0,
        min_echo_rx: Micros(0),
        demand: false,
        diagnostic: Diagnostic::None,
    };
}

/// Demand mode at work (RFC 5880 §6.6). It lies apart, as echoes do, since most sessions have none.
#[derive(Clone, Debug, Default)]
struct Demand {
    /// When the first packet of the poll sequence left that is under way.
    poll_began: Option<Instant>,
    /// When the next one begins.
    next_poll: Option<Instant>,
}

/// One session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    parameters: Parameters,
    state: State,
    diagnostic: Diagnostic,
    discriminator: NonZeroU32,
    remote: Remote,
    /// A poll sequence is under way (RFC 5880 §6.5).
    polling: bool,
    /// Only while the other side is to be silent.
    demand: Option<Box<Demand>>,
    /// Only while echo packets are sent.
    echo: Option<Box<Echo>>,
    /// The intervals that are in force; a change to the slower side waits for the end of its poll sequence (§6.8.3).
    active_tx: Micros,
    active_rx: Micros,
    /// When the last periodic packet left.
    sent: Option<Instant>,
    next_send: Option<Instant>,
    expiry: Option<Instant>,
    /// How much later than that it is, since we stood still.
    grace: Duration,
    /// When the last packet came.
    heard: Option<Instant>,
    /// Until when a session that has just begun may come up before anybody is told that it is down.
    undecided: Option<Instant>,
    pulse: Pulse,
}

impl Session {
    /// A session that is down. `discriminator` is unique among the sessions of this system, and random.
    pub(crate) fn new(
        parameters: Parameters,
        discriminator: NonZeroU32,
        pulse: Pulse,
        now: Instant,
    ) -> Self {
        Self {
            parameters,
            state: State::Down,
            diagnostic: Diagnostic::None,
            discriminator,
            remote: Remote::UNKNOWN,
            polling: false,
            demand: None,
            echo: None,
            active_tx: parameters.idle_tx,
            active_rx: parameters.min_rx,
            sent: None,
            next_send: (!parameters.passive).then_some(now),
            expiry: None,
            grace: Duration::ZERO,
            heard: None,
            undecided: Some(now + micros(parameters.idle_tx) * u32::from(parameters.multiplier)),
            pulse,
        }
    }

    /// What the configuration says of it.
    pub(crate) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The state of our side.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// What those who track the session are to be told: whether it is up. `None` as long as it has only just begun and
    /// the other side has had no time to answer: that it is not up yet says nothing about the other side.
    pub(crate) fn verdict(&self) -> Option<bool> {
        self.undecided.is_none().then_some(self.state == State::Up)
    }

    /// Our number for the session.
    pub(crate) fn discriminator(&self) -> NonZeroU32 {
        self.discriminator
    }

    /// When the last packet came.
    pub(crate) fn heard(&self) -> Option<Instant> {
        self.heard
    }

    /// What the other side last said of itself.
    pub(crate) fn remote_diagnostic(&self) -> Diagnostic {
        self.remote.diagnostic
    }

    /// Whether the session has ended because nothing was heard for the detection time.
    pub(crate) fn is_silent(&self) -> bool {
        self.state != State::Up && self.diagnostic == Diagnostic::DetectionTimeExpired
    }

    /// When [`Event::Deadline`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let poll = self.demand.as_ref().and_then(|demand| demand.next_poll);
        let echo = self.echo.as_ref().and_then(|echo| echo.deadline());
        [self.next_send, self.expires(), poll, self.undecided, echo].into_iter().flatten().min()
    }

    fn expires(&self) -> Option<Instant> {
        self.expiry.map(|at| at + self.grace)
    }

    /// After how long without a packet the session falls (RFC 5880 §6.8.4); zero before anything was heard.
    pub(crate) fn detection_time(&self) -> Duration {
        detection_time(self.active_rx, &self.remote)
    }

    /// How often we send now, before jitter (RFC 5880 §6.8.7).
    pub(crate) fn transmit_interval(&self) -> Duration {
        micros(self.active_tx.max(self.remote.min_rx))
    }

    /// Takes an event at `now`; what has to be done is added to `out`.
    pub(crate) fn on_event(&mut self, event: Event, now: Instant, out: &mut Vec<Action>) {
        let detection_before = self.detection_time();
        let intervals_before = self.intervals();
        self.undecided = self.undecided.filter(|&until| until > now);
        match event {
            Event::Packet(_) | Event::Echo(_) | Event::Deadline
                if self.state == State::AdminDown => {}
            Event::Packet(packet) => self.receive(&packet, now, out),
            Event::Echo(number) => {
                let (window, patience) = (self.parameters.multiplier, self.echo_patience());
                if let Some(echo) = &mut self.echo {
                    echo.came_back(number, window, now, patience);
                }
            }
            Event::Deadline => self.serve_deadlines(now, out),
            Event::Reconfigure(parameters) => self.reconfigure(parameters, now, out),
            Event::Disable => self.disable(out),
            Event::Enable => self.enable(now, out),
        }
        let is_packet = matches!(event, Event::Packet(_));
        if is_packet && self.intervals() != intervals_before {
            out.push(Action::Intervals);
        }
        let detection_now = self.detection_time();
        if detection_now != detection_before && (is_packet || self.state == State::Up) {
            out.push(Action::DetectionTime { now: detection_now, before: detection_before });
        }
    }

    /// What the two sides have agreed on.
    fn intervals(&self) -> (Micros, Micros, u8, Duration) {
        let Remote { min_tx, min_rx, multiplier, .. } = self.remote;
        (min_tx, min_rx, multiplier, self.transmit_interval())
    }

    /// RFC 5880 §6.8.6, from where the packet has been assigned to this session.
    fn receive(&mut self, packet: &ControlPacket, now: Instant, out: &mut Vec<Action>) {
        self.heard = Some(now);
        self.remote = Remote {
            state: packet.state,
            discriminator: packet.my_discriminator.get(),
            min_tx: packet.desired_min_tx,
            min_rx: packet.required_min_rx,
            multiplier: packet.detect_multiplier,
            min_echo_rx: packet.required_min_echo_rx,
            demand: packet.demand,
            diagnostic: packet.diagnostic,
        };
        if packet.final_ {
            self.end_poll();
        }
        match (self.state, packet.state) {
            (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => {
                self.enter(State::Down, Diagnostic::NeighborSignaledDown, out);
            }
            (State::Down, State::Down) => self.enter(State::Init, Diagnostic::None, out),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.enter(State::Up, Diagnostic::None, out);
            }
            (State::Down, State::AdminDown | State::Up) | (State::Init, State::Down) => {}
            (State::Up, State::Init | State::Up) | (State::AdminDown, _) => {}
        }
        (self.expiry, self.grace) = (Some(now + self.detection_time()), Duration::ZERO);
        if packet.poll {
            out.push(Action::Send(self.packet(Answer::Final)));
        }
        self.settle(now);
    }

    fn serve_deadlines(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.deadline().is_some_and(|at| now - at > PUNCTUAL) {
            self.forbear(now);
        }
        if let (true, Some(at)) = (self.expires().is_some_and(|at| at <= now), self.expiry) {
            self.expire(now - at, out);
        }
        if self.echo.as_ref().is_some_and(|echo| echo.has_expired(now)) {
            self.enter(State::Down, Diagnostic::EchoFailed, out);
        }
        let next_poll = self.demand.as_ref().and_then(|demand| demand.next_poll);
        self.polling |= next_poll.is_some_and(|at| at <= now);
        // What that has changed may be due at once.
        self.settle(now);
        if self.next_send.is_some_and(|at| at <= now) {
            out.push(Action::Send(self.packet(Answer::None)));
            self.sent = Some(now);
            self.next_send = None;
            if let Some(demand) = self.demand.as_mut().filter(|_| self.polling) {
                demand.poll_began.get_or_insert(now);
            }
        }
        let next = self.pulse.next(now, self.echo_interval(), self.parameters.multiplier);
        let patience = self.echo_patience();
        if let Some(number) = self.echo.as_mut().and_then(|echo| echo.take_due(now, next, patience))
        {
            out.push(Action::Echo(number));
        }
        self.settle(now);
    }

    /// Whoever stood still does not know how long the other side was silent: it may have stood still along with us, and
    /// speaks as soon as it runs. So it has one more interval for that, once in each silence.
    fn forbear(&mut self, now: Instant) {
        let until = now + self.remote_interval();
        if let Some(expiry) = self.expiry.filter(|_| self.grace.is_zero()) {
            self.grace = until.saturating_duration_since(expiry);
        }
        let until = now + self.echo_interval();
        if let Some(echo) = &mut self.echo {
            echo.forbear(until);
        }
    }

    /// Brings into line with the state what runs beside packets in both directions.
    fn settle(&mut self, now: Instant) {
        match self.parameters.demand.filter(|_| self.demands()) {
            // RFC 5880 §6.8.4: only the answer to a poll is awaited, from the first packet of the poll on. One from before
            // counts from the next packet on.
            Some(rest) => {
                let patience = self.transmit_interval() * u32::from(self.parameters.multiplier);
                let demand = self.demand.get_or_insert_default();
                self.expiry = demand.poll_began.filter(|_| self.polling).map(|at| at + patience);
                demand.next_poll = match self.polling {
                    true => None,
                    false => demand.next_poll.or(Some(now + micros(rest))),
                };
            }
            None => self.demand = None,
        }
        if self.echoes() {
            self.echo.get_or_insert_default().run(now);
        } else {
            self.echo = None;
        }
        self.schedule(now);
    }

    /// Whether the other side is to be silent but for answers (§6.6).
    fn demands(&self) -> bool {
        let both_up = self.state == State::Up && self.remote.state == State::Up;
        self.parameters.demand.is_some() && both_up
    }

    /// Whether echo packets are sent (§6.8.9).
    fn echoes(&self) -> bool {
        let can = self.parameters.echo_tx.is_some() && self.remote.min_echo_rx != Micros(0);
        can && self.state == State::Up && self.remote.state == State::Up
    }

    /// How often echo packets are sent, before jitter.
    fn echo_interval(&self) -> Duration {
        micros(self.parameters.echo_tx.unwrap_or_default().max(self.remote.min_echo_rx))
    }

    /// How long an echo may be missing.
    fn echo_patience(&self) -> Duration {
        self.echo_interval() * u32::from(self.parameters.multiplier)
    }

    /// The other side was silent for the detection time (RFC 5880 §6.8.4). In Down only its number is forgotten (§6.8.1).
    fn expire(&mut self, overdue: Duration, out: &mut Vec<Action>) {
        (self.expiry, self.grace) = (None, Duration::ZERO);
        if self.state == State::Up {
            out.push(Action::Expired { after: self.detection_time() + overdue, overdue });
        }
        let Remote { min_tx, min_rx, multiplier, .. } = self.remote;
        // Whoever comes back can receive again.
        let min_rx = min_rx.max(Remote::UNKNOWN.min_rx);
        self.remote = Remote { min_tx, min_rx, multiplier, ..Remote::UNKNOWN };
        if matches!(self.state, State::Init | State::Up) {
            self.enter(State::Down, Diagnostic::DetectionTimeExpired, out);
        }
    }

    fn enter(&mut self, state: State, diagnostic: Diagnostic, out: &mut Vec<Action>) {
        let from = self.state;
        self.state = state;
        self.diagnostic = diagnostic;
        (self.demand, self.echo) = (None, None);
        match state {
            // Faster from now on; the poll tells the other side, which may still expect the idle interval. Slower only
            // once it has answered (§6.8.3).
            State::Up => {
                self.undecided = None;
                self.active_tx = self.active_tx.min(self.parameters.min_tx);
                self.polling = self.parameters.min_tx != self.parameters.idle_tx;
            }
            State::Down | State::Init | State::AdminDown => {
                self.active_tx = self.parameters.idle_tx;
                self.active_rx = self.parameters.min_rx;
                self.polling = false;
            }
        }
        out.push(Action::Enter { state, from, diagnostic });
        if self.polling {
            out.push(Action::Poll);
        }
    }

    /// RFC 5880 §6.8.3: while up, sending less often and receiving more often wait until the other side has agreed.
    fn reconfigure(&mut self, parameters: Parameters, now: Instant, out: &mut Vec<Action>) {
        let intervals = |p: &Parameters| (p.min_tx, p.min_rx, p.demand.is_some(), p.echo_rx);
        let changed = intervals(&self.parameters) != intervals(&parameters);
        self.parameters = parameters;
        if self.state == State::Up {
            if changed {
                self.polling = true;
                out.push(Action::Poll);
            }
            self.active_tx = self.active_tx.min(parameters.min_tx);
            self.active_rx = self.active_rx.max(parameters.min_rx);
        } else {
            self.active_tx = parameters.idle_tx;
            self.active_rx = parameters.min_rx;
        }
        // Who is told to send less often may do so from its next packet on.
        if let (Some(expiry), Some(heard)) = (&mut self.expiry, self.heard) {
            *expiry = heard + detection_time(self.active_rx, &self.remote);
        }
        // Who was to be silent until now will speak once it has heard of the change.
        if self.state == State::Up && self.expiry.is_none() {
            self.expiry = Some(now + self.detection_time());
        }
        self.demand = None;
        self.settle(now);
    }

    fn disable(&mut self, out: &mut Vec<Action>) {
        if self.state == State::AdminDown {
            return;
        }
        self.enter(State::AdminDown, Diagnostic::AdministrativelyDown, out);
        // RFC 5880 §6.8.16: said once, so that the other side need not wait for its detection time.
        out.push(Action::Send(self.packet(Answer::None)));
        self.next_send = None;
        self.expiry = None;
        self.sent = None;
    }

    fn enable(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.state != State::AdminDown {
            return;
        }
        self.remote = Remote::UNKNOWN;
        self.enter(State::Down, Diagnostic::None, out);
        self.settle(now);
    }

    /// The other side has agreed to our intervals.
    fn end_poll(&mut self) {
        if !std::mem::take(&mut self.polling) {
            return;
        }
        if let Some(demand) = &mut self.demand {
            demand.poll_began = None;
        }
        if self.state == State::Up {
            self.active_tx = self.parameters.min_tx;
        }
        self.active_rx = self.parameters.min_rx;
    }

    /// Whether periodic packets leave at all (RFC 5880 §6.8.7).
    fn transmits(&self) -> bool {
        let unheard_passive = self.parameters.passive && self.remote.discriminator == 0;
        let quiet_by_demand = self.remote.demand
            && self.state == State::Up
            && self.remote.state == State::Up
            && !self.polling;
        let refused = self.remote.min_rx == Micros(0);
        self.state != State::AdminDown && !unheard_passive && !quiet_by_demand && !refused
    }

    /// Moves the next periodic packet nearer when the interval shrank; a longer one counts from that packet on.
    fn schedule(&mut self, now: Instant) {
        if !self.transmits() {
            self.next_send = None;
            return;
        }
        let (interval, multiplier) = (self.transmit_interval(), self.parameters.multiplier);
        let due = self.sent.map_or(now, |sent| self.pulse.next(sent, interval, multiplier));
        self.next_send = Some(self.next_send.map_or(due, |planned| planned.min(due)));
    }

    fn packet(&self, answer: Answer) -> ControlPacket {
        let desired_min_tx =
            if self.state == State::Up { self.parameters.min_tx } else { self.parameters.idle_tx };
        ControlPacket {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: self.polling && answer == Answer::None,
            final_: answer == Answer::Final,
            control_plane_independent: false,
            authenticated: false,
            demand: self.demands(),
            detect_multiplier: self.parameters.multiplier,
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.discriminator,
            desired_min_tx,
            required_min_rx: self.parameters.min_rx,
            required_min_echo_rx: self.parameters.echo_rx,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    None,
    Final,
}

fn detection_time(active_rx: Micros, remote: &Remote) -> Duration {
    micros(active_rx.max(remote.min_tx)) * u32::from(remote.multiplier)
}

fn micros(value: Micros) -> Duration {
    Duration::from_micros(u64::from(value.0))
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
