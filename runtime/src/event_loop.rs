//! What all child processes do alike: their event loop, and hearing signals and the parent in it.

use std::hash::Hash;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use log::{error, info};

use crate::child::{ChildEnd, Received, ToChild, ToParent};
use crate::options::Options;
use crate::process::{self, Promotion};
use crate::reactor::{Reactor, Readiness};
use crate::signals::{Signal, Signals};

/// What tells a process what to do, and whether it goes on.
#[derive(Debug)]
pub struct Lead {
    control: ChildEnd,
    signals: Signals,
    running: bool,
}

impl Lead {
    /// Follows the parent at the other end of `control`, and signals. Made once in a process.
    pub fn new(control: ChildEnd, options: &Options) -> io::Result<Self> {
        let ignored = if options.ignore_interrupt { &[Signal::Interrupt][..] } else { &[][..] };
        Ok(Self { control, signals: Signals::new(ignored)?, running: true })
    }

    /// Has the event loop hear of the parent and of signals.
    pub fn attend<S, T>(&self, parent: S, signals: S, reactor: &mut Reactor<S, T>) -> io::Result<()>
    where
        S: Copy,
        T: Copy + Eq + Hash,
    {
        reactor.register(&self.control, parent, Readiness::Readable)?;
        reactor.register(&self.signals, signals, Readiness::Readable)?;
        Ok(())
    }

    /// Has the event loop end after this turn.
    pub fn end(&mut self) {
        self.running = false;
    }

    /// Tells the parent that the configuration is in force.
    pub fn report_loaded(&self) {
        if let Err(failure) = self.tell(ToParent::Loaded) {
            error!("cannot answer the parent: {failure}");
        }
    }

    /// Tells the parent something.
    pub fn tell(&self, message: ToParent) -> io::Result<()> {
        self.control.send(message)
    }

    fn next_signal(&mut self) -> Option<Signal> {
        match self.signals.take() {
            Ok(signal) => signal,
            Err(failure) => {
                error!("cannot read signals: {failure}");
                None
            }
        }
    }

    /// The next configuration that the parent has sent. Without a parent the process ends.
    fn next_configuration(&mut self) -> Option<OwnedFd> {
        match self.control.receive() {
            Ok(Received::Message(ToChild::Configuration(memory))) => return Some(memory),
            Ok(Received::Nothing) => return None,
            Ok(Received::End) => info!("the parent is gone"),
            Err(failure) => error!("cannot hear the parent: {failure}"),
        }
        self.end();
        None
    }
}

/// A child process: what is particular about it, and the event loop that follows from it.
///
/// A turn of the loop hears what is ready, then serves what is due, and at its end lets leave what was born in it.
pub trait EventLoop {
    /// What the loop hears from.
    type Source: Copy;
    /// What the loop waits for.
    type Timer: Copy + Eq + Hash;

    /// The event loop.
    fn reactor(&mut self) -> &mut Reactor<Self::Source, Self::Timer>;

    /// What raises the priority of the process when its timers are late.
    fn promotion(&mut self) -> &mut Promotion;

    /// What it is led by.
    fn lead(&mut self) -> &mut Lead;

    /// Hears from a source. An error ends the process; the parent starts it again.
    fn ready(&mut self, source: Self::Source, now: Instant) -> io::Result<()>;

    /// Serves a timer.
    fn expired(&mut self, timer: Self::Timer, now: Instant);

    /// Lets leave what was born in this turn.
    fn flush(&mut self, now: Instant);

    /// Does what a signal asks for, which is neither to end nor to be told of a child.
    fn signalled(&mut self, signal: Signal, now: Instant) -> io::Result<()>;

    /// Goes on with the configuration that the parent has sent.
    fn reload(&mut self, memory: OwnedFd, now: Instant) -> io::Result<()>;

    /// Removes what is the process's own, and says so.
    fn stop(&mut self);

    /// Runs until the process is told to end, and stops.
    fn serve(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        while self.lead().running {
            self.reactor().wait(&mut ready)?;
            let now = Instant::now();
            let overdue = self.reactor().overdue(now);
            self.promotion().note(overdue);
            for source in ready.drain(..) {
                self.ready(source, now)?;
            }
            // What is due only now waits for the next turn: if it was us who stood still, there is more to hear first.
            while let Some(timer) = self.reactor().expired(now) {
                self.expired(timer, now);
            }
            self.flush(now);
        }
        self.stop();
        Ok(())
    }

    /// Signals have come.
    fn hear_signals(&mut self, now: Instant) -> io::Result<()> {
        while let Some(signal) = self.lead().next_signal() {
            match signal {
                Signal::Stop | Signal::Interrupt => self.lead().end(),
                // Whatever a process has started it hears of by a descriptor of its own.
                Signal::Child => {}
                _ => self.signalled(signal, now)?,
            }
        }
        Ok(())
    }

    /// The parent has spoken, or is gone.
    fn hear_parent(&mut self, now: Instant) -> io::Result<()> {
        while let Some(memory) = self.lead().next_configuration() {
            process::lift_real_time_limit();
            self.reload(memory, now)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::child::{self, ParentEnd};
    use crate::handover;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Source {
        Parent,
        Signals,
        Data,
    }

    /// Stands still while it hears of data, for longer than until its deadline, and ends at that.
    struct Sleeper {
        reactor: Reactor<Source, ()>,
        promotion: Promotion,
        lead: Lead,
        near: UnixStream,
        far: UnixStream,
        parent: Option<ParentEnd>,
        heard: Vec<&'static str>,
    }

    impl Sleeper {
        fn new() -> Self {
            let (parent, control) = child::channel().unwrap();
            let lead = Lead::new(control, &Options::default()).unwrap();
            let mut reactor = Reactor::new().unwrap();
            lead.attend(Source::Parent, Source::Signals, &mut reactor).unwrap();
            let (near, far) = UnixStream::pair().unwrap();
            near.set_nonblocking(true).unwrap();
            reactor.register(&near, Source::Data, Readiness::Readable).unwrap();
            let (promotion, parent) = (Promotion::default(), Some(parent));
            Self { reactor, promotion, lead, near, far, parent, heard: vec![] }
        }
    }

    impl EventLoop for Sleeper {
        type Source = Source;
        type Timer = ();

        fn reactor(&mut self) -> &mut Reactor<Source, ()> {
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
                Source::Parent => return self.hear_parent(now),
                Source::Signals => return self.hear_signals(now),
                Source::Data => {
                    let _ = self.near.read(&mut [0; 8])?;
                    self.heard.push("data");
                    if self.heard.len() == 1 {
                        thread::sleep(Duration::from_millis(30));
                        self.far.write_all(b"meanwhile")?;
                    }
                }
            }
            Ok(())
        }

        fn expired(&mut self, (): (), _: Instant) {
            self.heard.push("deadline");
            self.parent = None;
        }

        fn flush(&mut self, _: Instant) {}

        fn signalled(&mut self, _: Signal, _: Instant) -> io::Result<()> {
            Ok(())
        }

        fn reload(&mut self, memory: OwnedFd, _: Instant) -> io::Result<()> {
            assert_eq!(handover::open::<u8>(&memory).map_err(io::Error::other)?, 7);
            self.heard.push("configuration");
            Ok(())
        }

        fn stop(&mut self) {
            self.heard.push("stop");
        }
    }

    #[test]
    fn who_stood_still_hears_what_came_meanwhile_before_deadlines() {
        let mut sleeper = Sleeper::new();
        sleeper.far.write_all(b"a").unwrap();
        sleeper.reactor.arm((), Instant::now() + Duration::from_millis(15));
        sleeper.serve().unwrap();
        assert_eq!(sleeper.heard, ["data", "data", "deadline", "stop"]);
    }

    #[test]
    fn a_configuration_is_heard_and_the_end_of_the_parent_is_the_end() {
        let mut sleeper = Sleeper::new();
        let parent = sleeper.parent.take().unwrap();
        parent.send(&ToChild::Configuration(handover::seal(&7_u8).unwrap())).unwrap();
        drop(parent);
        sleeper.serve().unwrap();
        assert_eq!(sleeper.heard, ["configuration", "stop"]);
    }
}
