//! Those whom a process tells what has happened: scripts that are run, programs that read FIFOs, and who gets its mails.
//!
//! All that is told in a turn of the event loop leaves at its end, and nobody is waited for; only when the process ends,
//! those who are told that are.

use std::hash::Hash;
use std::time::{Duration, Instant};

use log::error;
use nix::sys::signal::Signal;

use crate::fifo::{Listeners, Reader};
use crate::global::{self, Global, Script};
use crate::mail::{Alert, MailId, Outbox};
use crate::reactor::Reactor;
use crate::scripts::{NotifierId, Notifiers, Running};

/// One of whom the event loop hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// A script that was told something: its end.
    Script(NotifierId),
    /// The program that reads a FIFO: its end.
    Reader(Reader),
    /// The mail server, about a mail.
    Mail(MailId),
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Due {
    /// The end of the time that the mail server has.
    Mail(MailId),
    /// The end of the time that all have when the process ends.
    Grace,
}

/// All of them. `S` and `T`, which name what the event loop hears from and waits for, can name these.
#[derive(Debug, Default)]
pub struct Audience {
    scripts: Notifiers,
    fifos: Listeners,
    mails: Outbox,
}

/// What was told before it, and what after.
#[derive(Clone, Copy, Debug)]
pub struct Mark(NotifierId);

impl Audience {
    /// Has them be those that the configuration wants: the FIFO for all events, a `second` one with what goes before the
    /// word notify in messages about it, and the recipients of mails. Who is there before and after misses nothing.
    pub fn invite<S, T>(
        &mut self,
        global: &Global,
        second: (&Option<global::Fifo>, &'static str),
        reactor: &mut Reactor<S, T>,
    ) where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash,
    {
        self.fifos.open([(&global.scripts.notify_fifo, ""), second], reactor);
        self.mails.address(global);
    }

    /// Has `script` run at the end of the turn, with `arguments` behind its own.
    pub fn run(&mut self, script: Script, arguments: Vec<String>) {
        self.scripts.add(script, arguments);
    }

    /// Writes a line to the FIFOs.
    pub fn write(&mut self, line: &str) {
        self.fifos.write(line);
    }

    /// Sends an alert at the end of the turn, where mails are sent at all.
    pub fn mail(&mut self, alert: Alert) {
        self.mails.post(alert);
    }

    /// Takes leave of a script, once it has ended, that somebody else has started and does not care about any more.
    pub fn adopt<S, T>(&mut self, running: Running, reactor: &mut Reactor<S, T>)
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash,
    {
        self.scripts.adopt(running, reactor);
    }

    /// Tells what is to be told: the end of a turn.
    pub fn flush<S, T>(&mut self, reactor: &mut Reactor<S, T>, now: Instant)
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash + From<Due>,
    {
        self.scripts.start(reactor);
        self.fifos.flush();
        self.mails.flush(reactor, now);
    }

    /// One of them is to be heard.
    pub fn hear<S, T>(&mut self, member: Member, reactor: &mut Reactor<S, T>, now: Instant)
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash + From<Due>,
    {
        match member {
            Member::Script(id) => self.scripts.ended(id, reactor),
            Member::Reader(reader) => self.fifos.reader_ended(reader, reactor),
            Member::Mail(id) => self.mails.serve(id, reactor, now),
        }
    }

    /// What was waited for is due.
    pub fn due<S, T>(&mut self, due: Due, reactor: &mut Reactor<S, T>, now: Instant)
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash + From<Due>,
    {
        match due {
            Due::Mail(id) => self.mails.serve(id, reactor, now),
            // Whoever waits for it looks at the clock.
            Due::Grace => {}
        }
    }

    /// What is told from now on comes after it.
    pub fn mark(&self) -> Mark {
        Mark(self.scripts.next())
    }

    /// Waits until the scripts that were run since `mark` have ended and all mails are sent, for `grace` at most, and
    /// kills those scripts that have not ended by then: how many. Others may run on until the process is gone. What else
    /// the event loop hears meanwhile is lost.
    pub fn await_told<S, T>(
        &mut self,
        mark: Mark,
        grace: Duration,
        reactor: &mut Reactor<S, T>,
    ) -> usize
    where
        S: Copy + From<Member>,
        T: Copy + Eq + Hash + From<Due>,
    {
        let deadline = Instant::now() + grace;
        reactor.arm(T::from(Due::Grace), deadline);
        let mut ready = Vec::new();
        while (self.scripts.running_since(mark.0) > 0 || !self.mails.is_idle())
            && Instant::now() < deadline
        {
            if let Err(error) = reactor.wait(&mut ready) {
                error!("cannot wait for scripts and mails: {error}");
                break;
            }
            ready.clear();
            let now = Instant::now();
            while reactor.expired(now).is_some() {}
            self.scripts.some_ended(reactor);
            self.mails.serve_all(reactor, now);
            self.mails.flush(reactor, now);
        }
        let late = self.scripts.running_since(mark.0);
        self.scripts.signal_since(mark.0, Signal::SIGKILL);
        late
    }

    /// Closes the FIFOs. Their readers may take in the last lines.
    pub fn close<S: Copy, T: Copy + Eq + Hash>(&mut self, reactor: &mut Reactor<S, T>) {
        self.fifos.close(reactor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::global::Account;

    #[derive(Clone, Copy, Debug)]
    struct Source(#[expect(dead_code, reason = "nobody looks")] Member);

    impl From<Member> for Source {
        fn from(member: Member) -> Self {
            Self(member)
        }
    }

    fn shell(line: &str) -> Script {
        let argv = ["/bin/sh", "-c", line].map(Into::into).to_vec();
        let account = Account {
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
            groups: vec![],
        };
        Script { program: "/bin/sh".into(), argv, account }
    }

    #[test]
    fn those_who_are_told_of_the_end_have_some_time_and_others_are_not_waited_for() {
        let mut reactor = Reactor::<Source, Due>::new().unwrap();
        let mut audience = Audience::default();
        audience.run(shell("sleep 60"), vec![]);
        audience.flush(&mut reactor, Instant::now());
        let mark = audience.mark();
        let began = Instant::now();
        audience.run(shell("sleep 0.05"), vec![]);
        audience.flush(&mut reactor, Instant::now());
        assert_eq!(audience.await_told(mark, Duration::from_secs(10), &mut reactor), 0);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(40) && took < Duration::from_secs(5), "{took:?}");
        audience.run(shell("sleep 60"), vec![]);
        audience.flush(&mut reactor, Instant::now());
        assert_eq!(audience.await_told(mark, Duration::from_millis(50), &mut reactor), 1);
        audience.scripts.signal_since(NotifierId::default(), Signal::SIGKILL);
    }
}
