//! The other sides of a session, each made to do the same things.

use std::net::IpAddr;

use lab::bfd::idle_instance;
use lab::{Binary, Bird, Daemon, Frr, LogLine, Namespace, PATIENCE};

/// How many packets in a row may be missed by either side: a machine that stands still for a moment is not to be noticed.
pub(crate) const MULTIPLIER: u32 = 6;

/// Both ends of a session as one of them sees them.
#[derive(Clone, Copy)]
pub(crate) struct Side {
    pub own: IpAddr,
    pub other: IpAddr,
}

/// Who is on the other side of a session, up and running at 50 ms from its making on.
pub(crate) trait Other {
    /// Whether it says that it takes the session down.
    const SAYS_GOODBYE: bool;
    fn set_interval(&mut self, interval: u32);
    fn kill(&mut self);
    fn start(&mut self);
    fn leave(&mut self);
    fn return_(&mut self);
    fn await_up(&self, up: bool);
}

/// A session of keepalived.
pub(crate) fn session(side: Side, interval: u32) -> String {
    let Side { own, other } = side;
    format!(
        "bfd_instance other {{
    neighbor_ip {other}
    source_ip {own}
    min_rx {interval}
    min_tx {interval}
    idle_tx 1000
    multiplier {MULTIPLIER}
}}\n"
    )
}

pub(crate) struct BirdSide<'a> {
    namespace: &'a Namespace,
    side: Side,
    bird: Option<Bird>,
}

impl<'a> BirdSide<'a> {
    pub(crate) fn new(namespace: &'a Namespace, side: Side) -> Self {
        let mut new = Self { namespace, side, bird: None };
        new.start();
        new
    }

    fn bird(&self) -> &Bird {
        self.bird.as_ref().expect("it runs")
    }
}

impl Other for BirdSide<'_> {
    const SAYS_GOODBYE: bool = false;

    fn set_interval(&mut self, interval: u32) {
        self.bird().set_interval(interval);
    }

    fn kill(&mut self) {
        self.bird = None;
    }

    fn start(&mut self) {
        let ends = [self.side.own, self.side.other];
        let more = format!("multiplier {MULTIPLIER};");
        self.bird = Some(Bird::start(self.namespace, ends, 50, &more));
    }

    fn leave(&mut self) {
        self.bird().ask(&["disable", "bfd1"]);
    }

    fn return_(&mut self) {
        self.bird().ask(&["enable", "bfd1"]);
    }

    fn await_up(&self, up: bool) {
        self.bird().await_up(up);
    }
}

pub(crate) struct FrrSide<'a> {
    namespace: &'a Namespace,
    side: Side,
    frr: Option<Frr>,
}

impl<'a> FrrSide<'a> {
    pub(crate) fn new(namespace: &'a Namespace, side: Side) -> Self {
        let mut new = Self { namespace, side, frr: None };
        new.start();
        new
    }

    fn frr(&self) -> &Frr {
        self.frr.as_ref().expect("it runs")
    }
}

impl Other for FrrSide<'_> {
    const SAYS_GOODBYE: bool = true;

    fn set_interval(&mut self, interval: u32) {
        let lines = ["receive", "transmit"].map(|which| format!("{which}-interval {interval}"));
        self.frr().configure(&lines.each_ref().map(String::as_str));
    }

    fn kill(&mut self) {
        self.frr = None;
    }

    fn start(&mut self) {
        let ends = [self.side.own, self.side.other];
        let more = format!("  detect-multiplier {MULTIPLIER}");
        self.frr = Some(Frr::start(self.namespace, ends, 50, &more));
    }

    fn leave(&mut self) {
        self.frr().configure(&["shutdown"]);
    }

    fn return_(&mut self) {
        self.frr().configure(&["no shutdown"]);
    }

    fn await_up(&self, up: bool) {
        self.frr().await_up(up);
    }
}

/// A keepalived; one of ours says good-bye, the original does not.
pub(crate) struct Keepalived<'a, const OURS: bool> {
    binary: Binary,
    namespace: &'a Namespace,
    side: Side,
    daemon: Option<Daemon>,
}

impl<'a, const OURS: bool> Keepalived<'a, OURS> {
    pub(crate) fn new(namespace: &'a Namespace, side: Side) -> Self {
        let binary = if OURS { Binary::under_test() } else { Binary::peer() };
        let mut new = Self { binary, namespace, side, daemon: None };
        new.start();
        new
    }

    pub(crate) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().expect("it runs")
    }

    /// Takes the session out of its configuration.
    pub(crate) fn forget(&self) {
        self.reload(&idle_instance(52));
    }

    /// One reload after the other: one whose processes are killed is never over for the original, and keeps it from any
    /// other.
    fn reload(&self, config: &str) {
        let mark = self.daemon().log().mark();
        self.daemon().reload(config);
        // Ours says that it is complete.
        let over = if self.binary.is_original() { "Reload finished" } else { "Reload complete" };
        self.daemon().await_log(mark, over);
    }

    fn config(&self, interval: u32) -> String {
        // The original does nothing at all without another engine.
        session(self.side, interval) + &idle_instance(52)
    }
}

impl<const OURS: bool> Drop for Keepalived<'_, OURS> {
    fn drop(&mut self) {
        // What went wrong may be seen on the other side only.
        if let Some(daemon) = self.daemon.as_ref().filter(|_| std::thread::panicking()) {
            eprintln!("the other side:\n{}", daemon.log_text());
        }
    }
}

impl<const OURS: bool> Other for Keepalived<'_, OURS> {
    const SAYS_GOODBYE: bool = OURS;

    fn set_interval(&mut self, interval: u32) {
        self.reload(&self.config(interval));
    }

    fn kill(&mut self) {
        self.daemon = None;
    }

    fn start(&mut self) {
        self.daemon = Some(Daemon::start(&self.binary, self.namespace, &self.config(50)));
    }

    fn leave(&mut self) {
        self.daemon.take().expect("it runs").stop();
    }

    fn return_(&mut self) {
        self.start();
    }

    fn await_up(&self, up: bool) {
        let states = [false, true]
            .map(|up| format!("(other) Entering {} state", if up { "Up" } else { "Down" }));
        let says = |line: &LogLine| states.iter().position(|state| line.text.starts_with(state));
        let log = self.daemon().log();
        let mark = log.mark();
        let now = log.all().iter().rev().find_map(says).unwrap_or(0);
        if now != usize::from(up) {
            let found = log.wait(mark, PATIENCE, |line| says(line).filter(|&s| s != now));
            assert!(found.is_some(), "up is not {up}:\n{}", self.daemon().log_text());
        }
    }
}
