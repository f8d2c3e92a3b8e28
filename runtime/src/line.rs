//! The line to another program of the machine, in an event loop. It never waits: what cannot be sent at once is sent later,
//! and a program that is not there is called again later.
//!
//! [`Line`] is the connection; what is said on it is decided by a session without I/O, which implements [`Talk`].

mod stream;

use std::hash::Hash;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use log::error;

use crate::reactor::{Reactor, Readiness, Registration};
use stream::Stream;
pub use stream::Target;

/// The first pause before a program is called again; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(10);
/// For so long what was heard is answered at a time.
const TURN: Duration = Duration::from_millis(1);
/// Whoever has asked for all of that time is heard again after this: the processor is not for strangers.
const REST: Duration = Duration::from_millis(4);

/// What is said on a line, without I/O: octets and the time go in, octets come out.
pub trait Talk {
    /// There is a connection now.
    fn begin(&mut self, now: Instant);

    /// There is none any more.
    fn end(&mut self);

    /// A deadline of the session may have come. An error ends the connection.
    fn due(&mut self, now: Instant) -> io::Result<()>;

    /// Takes what stands first in `data`, and returns how long it is; 0 if it has not arrived whole. An error ends the
    /// connection.
    fn receive(&mut self, data: &[u8], now: Instant) -> io::Result<usize>;

    /// What is to be sent; taken out as it is.
    fn unsent(&mut self) -> &mut Vec<u8>;

    /// Whether the other side is to take answers before it may ask more.
    fn is_full(&self) -> bool;
}

/// A connection that comes back.
#[derive(Debug)]
pub struct Line {
    target: Target,
    state: State,
    pause: Duration,
    /// A connection that is over, which the event loop still watches.
    discarded: Option<(Stream, Registration)>,
}

#[derive(Debug)]
enum State {
    /// To be called then.
    Down(Instant),
    Up(Connection),
}

#[derive(Debug)]
struct Connection {
    stream: Stream,
    registration: Option<Registration>,
    /// Until when it may come about; `None` once it has.
    connecting: Option<Instant>,
    input: Vec<u8>,
    /// Nothing is read before.
    rest: Option<Instant>,
}

impl Line {
    /// A line to `target`, which is called in the first turn ([`Line::serve`]).
    pub fn new(target: Target, now: Instant) -> Self {
        Self { target, state: State::Down(now), pause: FIRST_PAUSE, discarded: None }
    }

    /// Where it leads.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Until when nothing is read.
    #[cfg(test)]
    pub(crate) fn rest(&self) -> Option<Instant> {
        match &self.state {
            State::Up(connection) => connection.rest,
            State::Down(_) => None,
        }
    }

    /// Whether there is a connection.
    pub fn is_up(&self) -> bool {
        matches!(&self.state, State::Up(connection) if connection.connecting.is_none())
    }

    /// The other side is what it should be: if it gets lost, it is called again after the first pause.
    pub fn proven(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    /// Does what there is to do: after the descriptor has got ready, after the timer, or when there is something to send.
    /// An error says why the connection is lost, or has not come about; the other side will be called again. Call
    /// [`Line::attend`] afterwards.
    pub fn serve(&mut self, talk: &mut impl Talk, now: Instant) -> io::Result<()> {
        let served = self.try_to_serve(talk, now);
        if served.is_err() {
            talk.end();
            self.discard();
            self.state = State::Down(now + self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        served
    }

    fn try_to_serve(&mut self, talk: &mut impl Talk, now: Instant) -> io::Result<()> {
        if let State::Down(at) = self.state {
            if at > now {
                return Ok(());
            }
            let connecting = Some(now + PATIENCE);
            let stream = self.target.call()?;
            let input = Vec::new();
            let connection =
                Connection { stream, registration: None, connecting, input, rest: None };
            self.state = State::Up(connection);
        }
        match &mut self.state {
            State::Up(connection) => connection.converse(talk, now),
            State::Down(_) => Ok(()),
        }
    }

    fn discard(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Down(Instant::now()));
        if let State::Up(Connection { stream, registration: Some(registration), .. }) = state {
            self.discarded = Some((stream, registration));
        }
    }

    /// Has the event loop watch the connection as `source`, and wait as `timer` for what the line or the session
    /// (`deadline`) waits for.
    pub fn attend<S, T>(
        &mut self,
        deadline: Option<Instant>,
        source: S,
        timer: T,
        reactor: &mut Reactor<S, T>,
    ) where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        self.forget_discarded(reactor);
        let deadline = match &mut self.state {
            State::Down(at) => Some(*at),
            State::Up(connection) => {
                if connection.registration.is_none() {
                    match reactor.register(&connection.stream, source, Readiness::Both) {
                        Ok(registration) => connection.registration = Some(registration),
                        Err(error) => error!("cannot watch the line to {}: {error}", self.target),
                    }
                }
                let deadline = connection.connecting.or(deadline);
                deadline.into_iter().chain(connection.rest).min()
            }
        };
        match deadline {
            Some(at) => reactor.arm(timer, at),
            None => reactor.disarm(timer),
        }
    }

    /// Hangs up: what was to be said is said if it can be said at once.
    pub fn close<S, T>(mut self, unsent: &mut Vec<u8>, timer: T, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        if let State::Up(connection) = &mut self.state {
            // Whether it hears it makes no difference any more.
            let _ = connection.stream.send(unsent);
        }
        self.forget_discarded(reactor);
        self.discard();
        self.forget_discarded(reactor);
        reactor.disarm(timer);
    }

    fn forget_discarded<S, T>(&mut self, reactor: &mut Reactor<S, T>)
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        if let Some((stream, registration)) = self.discarded.take() {
            if let Err(error) = reactor.deregister(&stream, registration) {
                error!("cannot forget the line to {}: {error}", self.target);
            }
        }
    }
}

impl Connection {
    fn converse(&mut self, talk: &mut impl Talk, now: Instant) -> io::Result<()> {
        if let Some(until) = self.connecting {
            if !self.stream.is_connected()? {
                return if now < until { Ok(()) } else { Err(ErrorKind::TimedOut.into()) };
            }
            self.connecting = None;
            talk.begin(now);
        }
        talk.due(now)?;
        self.stream.send(talk.unsent())?;
        if self.rest.is_some_and(|until| now < until) {
            return Ok(());
        }
        self.rest = None;
        let end = Instant::now() + TURN;
        while !talk.is_full() {
            let taken = talk.receive(&self.input, now)?;
            self.input.drain(..taken);
            if taken == 0 && !self.stream.receive(&mut self.input)? {
                break;
            }
            let now = Instant::now();
            if now >= end {
                self.rest = Some(now + REST);
                break;
            }
        }
        self.stream.send(talk.unsent())
    }
}

#[cfg(test)]
mod tests;
