//! The line to another program of the machine, in an event loop. It never waits: what cannot be sent at once is sent later,
//! and a program that is not there is called again later.
//!
//! [`Line`] is the connection; what is said on it is decided by a session without I/O, which is a [`Talk`].

mod stream;

use std::fmt;
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

/// What is said on a line, without I/O: octets and the time go in, octets and a deadline come out.
pub trait Talk {
    /// Why there is nothing more to say.
    type Loss: fmt::Display;
    /// What has been heard that is worth telling.
    type News;

    /// There is a connection now.
    fn begin(&mut self, now: Instant);

    /// There is none any more. What nobody could be told is forgotten.
    fn end(&mut self);

    /// When [`Talk::due`] is to be called.
    fn deadline(&self) -> Option<Instant>;

    /// The deadline may have come. An error ends the connection.
    fn due(&mut self, now: Instant) -> Result<(), Self::Loss>;

    /// What is to be sent; taken out as it is.
    fn unsent(&mut self) -> &mut Vec<u8>;

    /// Whether something is to be sent.
    fn has_unsent(&self) -> bool;

    /// Whether the other side is to take answers before it may ask more.
    fn is_full(&self) -> bool;
}

/// A talk in which the other side asks for what `O` knows.
pub trait TalkOf<O>: Talk {
    /// Takes what stands first in `data`, and returns how long it is; 0 if it has not arrived whole. An error ends the
    /// connection.
    fn receive(
        &mut self,
        data: &[u8],
        objects: &mut O,
        now: Instant,
        news: &mut Vec<Self::News>,
    ) -> Result<usize, Self::Loss>;
}

/// A connection that comes back, and what is said on it.
#[derive(Debug)]
pub struct Line<T> {
    /// What is said.
    pub talk: T,
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

impl<T: Talk> Line<T> {
    /// A line to `target`, which is called in the first turn ([`Line::serve`]).
    pub fn new(talk: T, target: Target, now: Instant) -> Self {
        Self { talk, target, state: State::Down(now), pause: FIRST_PAUSE, discarded: None }
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

    /// Whether something waits to be sent that can be.
    pub fn has_news(&self) -> bool {
        self.is_up() && self.talk.has_unsent()
    }

    /// The other side is what it should be: if it gets lost, it is called again after the first pause.
    pub fn proven(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    /// Does what there is to do: after the descriptor has got ready, after the timer, or when there is something to send.
    /// An error says why the connection is lost, or has not come about; the other side will be called again. Call
    /// [`Line::attend`] afterwards.
    pub fn serve<O>(
        &mut self,
        objects: &mut O,
        now: Instant,
        news: &mut Vec<T::News>,
    ) -> io::Result<()>
    where
        T: TalkOf<O>,
    {
        let served = self.try_to_serve(objects, now, news);
        if served.is_err() {
            self.talk.end();
            self.discard();
            self.state = State::Down(now + self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        served
    }

    fn try_to_serve<O>(
        &mut self,
        objects: &mut O,
        now: Instant,
        news: &mut Vec<T::News>,
    ) -> io::Result<()>
    where
        T: TalkOf<O>,
    {
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
            State::Up(connection) => connection.converse(&mut self.talk, objects, now, news),
            State::Down(_) => Ok(()),
        }
    }

    fn discard(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Down(Instant::now()));
        if let State::Up(Connection { stream, registration: Some(registration), .. }) = state {
            self.discarded = Some((stream, registration));
        }
    }

    /// Has the event loop watch the connection as `source`, and wait as `timer` for what the line or the session waits for.
    pub fn attend<S, D>(&mut self, source: S, timer: D, reactor: &mut Reactor<S, D>)
    where
        S: Copy,
        D: Copy + Eq + Hash,
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
                let deadline = connection.connecting.or(self.talk.deadline());
                deadline.into_iter().chain(connection.rest).min()
            }
        };
        match deadline {
            Some(at) => reactor.arm(timer, at),
            None => reactor.disarm(timer),
        }
    }

    /// Hangs up: what was to be said is said if it can be said at once.
    pub fn close<S, D>(mut self, timer: D, reactor: &mut Reactor<S, D>)
    where
        S: Copy,
        D: Copy + Eq + Hash,
    {
        if let State::Up(connection) = &mut self.state {
            // Whether it hears it makes no difference any more.
            let _ = connection.stream.send(self.talk.unsent());
        }
        self.forget_discarded(reactor);
        self.discard();
        self.forget_discarded(reactor);
        reactor.disarm(timer);
    }

    fn forget_discarded<S, D>(&mut self, reactor: &mut Reactor<S, D>)
    where
        S: Copy,
        D: Copy + Eq + Hash,
    {
        if let Some((stream, registration)) = self.discarded.take() {
            if let Err(error) = reactor.deregister(&stream, registration) {
                error!("cannot forget the line to {}: {error}", self.target);
            }
        }
    }
}

impl Connection {
    fn converse<O, T: TalkOf<O>>(
        &mut self,
        talk: &mut T,
        objects: &mut O,
        now: Instant,
        news: &mut Vec<T::News>,
    ) -> io::Result<()> {
        if let Some(until) = self.connecting {
            if !self.stream.is_connected()? {
                return if now < until { Ok(()) } else { Err(ErrorKind::TimedOut.into()) };
            }
            self.connecting = None;
            talk.begin(now);
        }
        talk.due(now).map_err(over)?;
        self.stream.send(talk.unsent())?;
        if self.rest.is_some_and(|until| now < until) {
            return Ok(());
        }
        self.rest = None;
        let end = Instant::now() + TURN;
        while !talk.is_full() {
            let taken = talk.receive(&self.input, objects, now, news).map_err(over)?;
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

fn over(why: impl fmt::Display) -> io::Error {
    io::Error::other(why.to_string())
}

#[cfg(test)]
mod tests;
