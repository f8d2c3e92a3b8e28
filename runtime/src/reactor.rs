//! The event loop: one [`mio::Poll`] per process, sources and timers as small values, no callbacks.
//!
//! ```ignore
//! loop {
//!     reactor.wait(&mut ready)?;
//!     for source in ready.drain(..) { … }
//!     let now = Instant::now();
//!     while let Some(timer) = reactor.expired(now) { … }
//!     // what was born in this turn leaves in batches
//! }
//! ```
//!
//! Sources come before timers in a turn: after a pause of the machine, the datagram that proves a peer alive is waiting
//! beside the timer that would declare it dead.

mod timers;

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use timers::Timers;

/// So many sources are reported in one turn; the rest follows in the next.
const EVENTS_PER_TURN: usize = 256;

/// What to be told about a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// There is something to read, or the other end is gone.
    Readable,
    /// There is room to write.
    Writable,
    /// Either.
    Both,
}

impl Readiness {
    fn interest(self) -> Interest {
        match self {
            Readiness::Readable => Interest::READABLE,
            Readiness::Writable => Interest::WRITABLE,
            Readiness::Both => Interest::READABLE | Interest::WRITABLE,
        }
    }
}

/// A registered source. Give it back with [`Reactor::deregister`] before the descriptor is closed.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Registration(Token);

/// The event loop. `S` names sources and `T` timers.
pub struct Reactor<S, T> {
    poll: Poll,
    events: Events,
    /// Tokens are never used again, so that an event on its way cannot be taken for one of a later source.
    sources: HashMap<Token, S>,
    next_token: usize,
    again: Vec<S>,
    timers: Timers<T>,
}

impl<S: Copy, T: Copy + Eq + Hash> Reactor<S, T> {
    /// A loop with nothing in it. Make it after the fork: it cannot be shared.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            sources: HashMap::new(),
            next_token: 0,
            again: Vec::new(),
            timers: Timers::default(),
        })
    }

    /// Reports `source` from now on when `fd` gets ready. Readiness is reported once for each time that it comes: read
    /// until the descriptor would block, or call [`Reactor::again`].
    pub fn register(
        &mut self,
        fd: &impl AsFd,
        source: S,
        readiness: Readiness,
    ) -> io::Result<Registration> {
        let token = Token(self.next_token);
        let raw = fd.as_fd().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&raw), token, readiness.interest())?;
        self.next_token = self.next_token.wrapping_add(1);
        self.sources.insert(token, source);
        Ok(Registration(token))
    }

    /// Changes what is reported about a source.
    pub fn reregister(
        &mut self,
        fd: &impl AsFd,
        registration: &Registration,
        readiness: Readiness,
    ) -> io::Result<()> {
        let raw = fd.as_fd().as_raw_fd();
        let interest = readiness.interest();
        self.poll.registry().reregister(&mut SourceFd(&raw), registration.0, interest)
    }

    /// Forgets a source. An event of it that was already on its way is dropped.
    pub fn deregister(&mut self, fd: &impl AsFd, registration: Registration) -> io::Result<()> {
        self.sources.remove(&registration.0);
        let raw = fd.as_fd().as_raw_fd();
        self.poll.registry().deregister(&mut SourceFd(&raw))
    }

    /// Reports `source` in the next turn whatever the kernel says: it was left while there was more to read.
    pub fn again(&mut self, source: S) {
        self.again.push(source);
    }

    /// Has `timer` expire at `at`, instead of when it would have.
    pub fn arm(&mut self, timer: T, at: Instant) {
        self.timers.arm(timer, at);
    }

    /// Has `timer` not expire.
    pub fn disarm(&mut self, timer: T) {
        self.timers.disarm(timer);
    }

    /// When `timer` expires.
    pub fn armed(&self, timer: T) -> Option<Instant> {
        self.timers.armed(timer)
    }

    /// A timer that has expired by `now`; the earliest first, each once.
    pub fn expired(&mut self, now: Instant) -> Option<T> {
        self.timers.expired(now)
    }

    /// Waits until a source is ready or a timer expires, and appends the sources that are ready to `ready`.
    pub fn wait(&mut self, ready: &mut Vec<S>) -> io::Result<()> {
        if self.again.is_empty() {
            self.sleep()?;
        }
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        ready.append(&mut self.again);
        let sources = &self.sources;
        ready.extend(self.events.iter().filter_map(|event| sources.get(&event.token()).copied()));
        Ok(())
    }

    /// Sleeps to the nanosecond where [`Poll::poll`] would round up to a millisecond: a takeover is measured by it.
    fn sleep(&mut self) -> io::Result<()> {
        let timeout = self.timers.next().map(|at| at.saturating_duration_since(Instant::now()));
        if timeout == Some(Duration::ZERO) {
            return Ok(());
        }
        let mut polled = [PollFd::new(self.poll.registry().as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut polled, timeout.map(TimeSpec::from), None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Name {
        First,
        Second,
    }
    use Name::{First, Second};

    fn turn(reactor: &mut Reactor<Name, Name>) -> Vec<Name> {
        let mut ready = vec![];
        reactor.wait(&mut ready).unwrap();
        ready
    }

    #[test]
    fn a_source_is_reported_once_for_each_arrival() {
        let mut reactor = Reactor::<Name, Name>::new().unwrap();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        reactor.register(&near, First, Readiness::Readable).unwrap();
        far.write_all(b"a").unwrap();
        assert_eq!(turn(&mut reactor), [First]);
        reactor.arm(Second, Instant::now());
        assert_eq!(turn(&mut reactor), [], "it was told already");
        far.write_all(b"b").unwrap();
        assert_eq!(turn(&mut reactor), [First]);
        let mut both = [0; 2];
        near.read_exact(&mut both).unwrap();
        reactor.again(First);
        assert_eq!(turn(&mut reactor), [First], "it was asked for");
    }

    #[test]
    fn a_forgotten_source_is_silent_even_with_an_event_on_its_way() {
        let mut reactor = Reactor::<Name, Name>::new().unwrap();
        let (near, mut far) = UnixStream::pair().unwrap();
        let registration = reactor.register(&near, First, Readiness::Readable).unwrap();
        far.write_all(b"a").unwrap();
        reactor.deregister(&near, registration).unwrap();
        reactor.register(&near, Second, Readiness::Both).unwrap();
        assert_eq!(turn(&mut reactor), [Second]);
    }

    #[test]
    fn a_timer_wakes_the_loop_in_time() {
        let mut reactor = Reactor::<Name, Name>::new().unwrap();
        let due = Instant::now() + Duration::from_micros(1_500);
        reactor.arm(Second, due);
        assert_eq!(reactor.expired(Instant::now()), None);
        assert_eq!(turn(&mut reactor), []);
        assert!(Instant::now() >= due);
        assert_eq!(reactor.expired(Instant::now()), Some(Second));
        assert_eq!(reactor.expired(Instant::now()), None);
    }
}
