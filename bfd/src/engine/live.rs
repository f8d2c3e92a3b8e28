//! A session at work: its value, its socket, and what is logged about it.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use log::{Level, debug, error, info, log_enabled, trace, warn};
use nix::errno::Errno;
use runtime::bfd_event::{self, BfdEvent};
use runtime::sys::random::random;

use crate::auth::{Authentication, Guard, Rejected};
use crate::config::{Ends, Instance};
use crate::echo::Payload;
use crate::packet::{ControlPacket, Datagram, Diagnostic, State};
use crate::session::{Action, Event, Pulse, Session};
use crate::socket::Departure;

/// A session at work.
#[derive(Debug)]
pub(super) struct Live {
    ends: Ends,
    session: Session,
    /// In a box, since most sessions have none.
    guard: Option<Box<Guard>>,
    socket: Option<Departure>,
    /// The last packet could not be sent; the next failure is not worth a line.
    failing: bool,
    /// The echo packet that is to be sent.
    echo: Option<u32>,
}

impl Live {
    /// A session that is down. `taken` tells which numbers are in use.
    pub(super) fn new(
        instance: Instance,
        taken: impl Fn(u32) -> bool,
        pulse: Pulse,
        now: Instant,
    ) -> io::Result<Self> {
        let discriminator = loop {
            match NonZeroU32::new(random()?) {
                Some(number) if !taken(number.get()) => break number,
                _ => {}
            }
        };
        let Instance { ends, parameters, authentication } = instance;
        let session = Session::new(parameters, discriminator, pulse, now);
        let number = random()?;
        let guard = authentication.map(|auth| Box::new(Guard::new(auth, number)));
        Ok(Self { ends, session, guard, socket: None, failing: false, echo: None })
    }

    pub(super) fn ends(&self) -> &Ends {
        &self.ends
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// The number of the descriptor that it sends with, if it has one.
    pub(super) fn descriptor(&self) -> Option<RawFd> {
        self.socket.as_ref().map(|socket| socket.as_fd().as_raw_fd())
    }

    /// Whether the last packet could not be sent.
    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    pub(super) fn discriminator(&self) -> u32 {
        self.session.discriminator().get()
    }

    /// The echo packet that is to be sent, once.
    pub(super) fn take_echo(&mut self) -> Option<Payload> {
        let discriminator = self.discriminator();
        self.echo.take().map(|number| Payload { discriminator, number })
    }

    /// Whether it takes no part at present.
    pub(super) fn is_disabled(&self) -> bool {
        self.session.state() == State::AdminDown
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.session.deadline()
    }

    /// Takes over settings that the session itself does not know.
    pub(super) fn adopt(
        &mut self,
        ends: Ends,
        authentication: Option<Authentication>,
    ) -> io::Result<()> {
        let number = random()?;
        self.guard = authentication.map(|authentication| match self.guard.take() {
            Some(mut guard) => {
                guard.adopt(authentication);
                guard
            }
            None => Box::new(Guard::new(authentication, number)),
        });
        self.ends = ends;
        Ok(())
    }

    /// Takes a packet that was assigned to the session, if it is to be believed. Whether those who track it are to be
    /// told.
    pub(super) fn take(
        &mut self,
        packet: ControlPacket,
        data: &[u8],
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> Result<bool, Rejected> {
        match (&mut self.guard, packet.authenticated) {
            (None, false) => {}
            (None, true) => return Err(Rejected::Unexpected),
            (Some(_), false) => return Err(Rejected::Missing),
            (Some(guard), true) => guard.check(&packet, data, now)?,
        }
        let changed = self.event(Event::Packet(packet), now, actions);
        if let Some(guard) = &mut self.guard {
            guard.hold(self.session.detection_time(), now);
        }
        Ok(changed)
    }

    /// Opens the socket; `false` when it cannot be had now.
    pub(super) fn open(&mut self) -> bool {
        let Ends { name, neighbor, source, multihop, ttl, .. } = &self.ends;
        let port = u16::try_from(self.discriminator() & 0xffff).unwrap_or_default();
        match Departure::open(*neighbor, *source, *multihop, *ttl, port) {
            Ok(socket) => self.socket = Some(socket),
            Err(failure) => {
                if !std::mem::replace(&mut self.failing, true) {
                    error!("({name}) {failure}");
                    error!("({name}) Unable to open output socket, disabling instance");
                }
                return false;
            }
        }
        self.failing = false;
        true
    }

    /// Gives the session an event and does what it asks for; there is room for that in `actions`. Whether those who track
    /// it are to be told.
    pub(super) fn event(&mut self, event: Event, now: Instant, actions: &mut Vec<Action>) -> bool {
        let before = self.session.verdict();
        self.session.on_event(event, now, actions);
        for action in actions.drain(..) {
            match action {
                Action::Send(packet) => {
                    let datagram = match &mut self.guard {
                        Some(guard) => guard.sign(&packet),
                        None => Datagram::from(packet.encode()),
                    };
                    self.send(datagram.as_bytes());
                }
                Action::Echo(number) => self.echo = Some(number),
                Action::Enter { state, from, diagnostic } => {
                    self.log_entry(state, from, diagnostic);
                }
                Action::Expired { after, overdue } => {
                    let (name, overdue) = (&self.ends.name, overdue.as_micros());
                    let after = after.as_millis();
                    warn!("({name}) Expired after {after} ms ({overdue} usec overdue)");
                }
                Action::Poll => debug!("({}) Starting poll sequence", self.ends.name),
                Action::Intervals => {
                    if log_enabled!(Level::Debug) {
                        let table = self.session.interval_table(&self.ends.name);
                        table.iter().for_each(|line| debug!("{line}"));
                    }
                }
                Action::DetectionTime { now, before } => self.log_detection_time(now, before),
            }
        }
        self.session.verdict() != before
    }

    /// The state for those who track it, if there is anything to say yet.
    pub(super) fn report(&self) -> Option<BfdEvent> {
        Some(BfdEvent {
            up: self.session.verdict()?,
            name: self.ends.name.clone(),
            neighbor: self.ends.neighbor,
            silent: self.session.is_silent(),
            sent: bfd_event::now(),
        })
    }

    fn send(&mut self, packet: &[u8]) {
        let Some(socket) = &self.socket else { return };
        match socket.send(packet, self.ends.neighbor) {
            Ok(()) => self.failing = false,
            Err(failure) => self.failed(&failure),
        }
    }

    /// A packet could not be sent: the first of a row is worth the lines of the original.
    pub(super) fn failed(&mut self, failure: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            let reason = Errno::from_raw(failure.raw_os_error().unwrap_or_default()).desc();
            error!("sendto() error ({reason})");
            error!("({}) Error sending packet", self.ends.name);
        }
    }

    fn log_entry(&self, state: State, from: State, diagnostic: Diagnostic) {
        let name = &self.ends.name;
        match state {
            State::Up => info!("({name}) Entering Up state"),
            State::Init => trace!("({name}) Entering Init state"),
            State::AdminDown => warn!("({name}) Entering AdminDown state"),
            State::Down => {
                let remote = self.session.remote_diagnostic();
                let text = format!(
                    "({name}) Entering Down state (Local diagnostic - {diagnostic}, Remote diagnostic - {remote})"
                );
                if from == State::Up { warn!("{text}") } else { trace!("{text}") }
            }
        }
    }

    fn log_detection_time(&self, now: Duration, before: Duration) {
        let indent = " ".repeat(self.ends.name.len() + 3);
        info!("{indent}Detection time is {} us (was {} us)", now.as_micros(), before.as_micros());
    }
}
