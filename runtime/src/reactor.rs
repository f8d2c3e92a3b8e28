//! The event loop: one [`mio::Poll`] per process, sources and timers as small values, no callbacks.
//!
//! ```text
//! loop {
//!     reactor.wait(&mut ready)?;
//!     let now = Instant::now();
//!     for source in ready.drain(..) { … }
//!     while let Some(timer) = reactor.expired(now) { … }
//!     // what was born in this turn leaves in batches
//! }
//! ```
//!
//! Sources come before timers in a turn: after a pause of the machine, the datagram that proves a peer alive is waiting
//! beside the timer that would declare it dead. Only those timers are served that had expired when the sources were looked
//! at: the pause may be in the turn.

mod clock;
mod timers;

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::logging;
use clock::Clock;
use timers::Timers;

/// So many events are fetched by one system call.
const EVENTS_PER_CALL: usize = 256;
/// The reactor's own source.
const CLOCK: Token = Token(usize::MAX);

/// How long a syslog daemon that has fallen behind is left alone. Some systems queue no more than ten lines for it.
const LOG_AGAIN: Duration = Duration::from_millis(10);

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

/// A registered source. Give it back with [`Reactor::deregister`] before the descriptor is closed, or with
/// [`Reactor::forget`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Registration(Token);

/// The event loop. `S` names sources and `T` timers.
pub struct Reactor<S, T> {
    poll: Poll,
    events: Events,
    clock: Clock,
    /// Tokens are never used again, so that an event on its way cannot be taken for one of a later source.
    sources: HashMap<Token, S>,
    next_token: usize,
    again: Vec<S>,
    timers: Timers<T>,
}

impl<S: Copy, T: Copy + Eq + Hash> Reactor<S, T> {
    /// A loop with nothing in it. Make it after the fork: it cannot be shared.
    pub fn new() -> io::Result<Self> {
        let (poll, clock) = (Poll::new()?, Clock::new()?);
        let raw = clock.as_fd().as_raw_fd();
        poll.registry().register(&mut SourceFd(&raw), CLOCK, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_CALL),
            clock,
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

    /// Forgets a source. An event of it that was already on its way is dropped.
    pub fn deregister(&mut self, fd: &impl AsFd, registration: Registration) -> io::Result<()> {
        self.sources.remove(&registration.0);
        let raw = fd.as_fd().as_raw_fd();
        self.poll.registry().deregister(&mut SourceFd(&raw))
    }

    /// Forgets a source whose descriptor is closed now, which the kernel then forgets by itself. An event of it that was
    /// already on its way is dropped. There must be no copy of the descriptor.
    pub fn forget(&mut self, registration: Registration) {
        self.sources.remove(&registration.0);
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

    /// How long ago the first timer that waits to be served has expired: how far the process is behind.
    pub fn overdue(&mut self, now: Instant) -> Duration {
        self.timers.next().map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// Waits until a source is ready or a timer expires, and appends all sources that are ready to `ready`. With a timer
    /// overdue it waits for nothing, but looks at the sources all the same. It may also return without reason.
    pub fn wait(&mut self, ready: &mut Vec<S>) -> io::Result<()> {
        let timeout = self.timeout()?;
        ready.append(&mut self.again);
        // One call may not fetch all of them, and a timer must not be served while a source has something to say. A
        // source may come up once more meanwhile: so many calls at most, or a flood would hold up the timers.
        let calls = self.sources.len() / EVENTS_PER_CALL + 1;
        for call in 0..calls {
            let mut timeout = if call == 0 { timeout } else { Some(Duration::ZERO) };
            // Whoever is stopped and goes on is interrupted here, without having been told what has come meanwhile.
            while let Err(error) = self.poll.poll(&mut self.events, timeout) {
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
                timeout = Some(Duration::ZERO);
            }
            let sources = &self.sources;
            let named = self.events.iter().filter_map(|event| sources.get(&event.token()));
            ready.extend(named.copied());
            if self.events.iter().count() < EVENTS_PER_CALL {
                break;
            }
        }
        Ok(())
    }

    /// How long the kernel may wait: not at all, or until something happens, which includes the clock.
    fn timeout(&mut self) -> io::Result<Option<Duration>> {
        if !self.again.is_empty() {
            return Ok(Some(Duration::ZERO));
        }
        let log = logging::is_behind().then(|| Instant::now() + LOG_AGAIN);
        let Some(at) = self.timers.next().into_iter().chain(log).min() else { return Ok(None) };
        let now = Instant::now();
        if at <= now {
            return Ok(Some(Duration::ZERO));
        }
        self.clock.ring_at(at, now)?;
        Ok(None)
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
        let now = Instant::now();
        assert!(now >= due);
        assert_eq!(reactor.overdue(now), now - due);
        assert_eq!(reactor.expired(now), Some(Second));
        assert_eq!(reactor.expired(now), None);
        assert_eq!(reactor.overdue(now), Duration::ZERO);
    }

    #[test]
    fn a_timer_that_moves_is_waited_for_where_it_is() {
        let mut reactor = Reactor::<Name, Name>::new().unwrap();
        let start = Instant::now();
        let mut wakes = 0;
        // The clock is set to 1 ms by the first wait and left there by the move to later.
        reactor.arm(First, start + Duration::from_millis(1));
        turn(&mut reactor);
        reactor.arm(First, start + Duration::from_millis(20));
        while reactor.expired(Instant::now()).is_none() {
            turn(&mut reactor);
            wakes += 1;
        }
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(wakes <= 2, "{wakes} wake-ups");
        // And to earlier.
        reactor.arm(First, Instant::now() + Duration::from_secs(60));
        reactor.arm(Second, Instant::now() + Duration::from_millis(1));
        turn(&mut reactor);
        assert_eq!(reactor.expired(Instant::now()), Some(Second));
    }

    #[test]
    fn every_source_is_heard_before_an_overdue_timer() {
        const SOURCES: usize = 2 * EVENTS_PER_CALL + 10;
        let mut reactor = Reactor::<usize, Name>::new().unwrap();
        let pairs: Vec<_> = (0..SOURCES).map(|_| UnixStream::pair().unwrap()).collect();
        for (index, (near, _)) in pairs.iter().enumerate() {
            reactor.register(near, index, Readiness::Readable).unwrap();
        }
        for (_, far) in &pairs {
            (&*far).write_all(b"a").unwrap();
        }
        reactor.arm(First, Instant::now());
        let mut ready = vec![];
        reactor.wait(&mut ready).unwrap();
        ready.sort_unstable();
        assert_eq!(ready, (0..SOURCES).collect::<Vec<_>>());
        assert_eq!(reactor.expired(Instant::now()), Some(First));
    }
}
