//! Two routers on one network that share floating addresses, and the questions that every test of such a pair asks.

use std::net::IpAddr;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use crate::{Advert, Binary, Captured, Daemon, Frame, Lan, Mark, PATIENCE};

/// The addresses of one virtual router.
#[derive(Clone, Debug)]
pub struct Float {
    /// Its number.
    pub vrid: u8,
    /// The addresses that its master must have. The first is of the family of its adverts.
    pub addresses: Vec<IpAddr>,
}

/// Two nodes, each with a daemon that can be started, killed and stopped.
#[derive(Debug)]
pub struct Pair {
    binaries: [Binary; 2],
    configs: [String; 2],
    daemons: [Option<Daemon>; 2],
    silent: bool,
    lan: Lan,
}

/// A change of masters as the wire saw it.
#[derive(Clone, Copy, Debug)]
pub struct Failover {
    /// When the old master sent its last advert.
    pub ended: SystemTime,
    /// From the last advert of the old master to the first of the new one.
    pub silence: Duration,
    /// The interval that the old master announced.
    pub interval: Duration,
    /// The priority of the new master.
    pub priority: u8,
    /// 2 or 3.
    pub version: u8,
    /// Whether the old master took its leave with priority 0.
    pub leave: bool,
}

impl Float {
    /// The addresses of virtual router `vrid`.
    pub fn new(vrid: u8, addresses: &[&str]) -> Self {
        let parse = |text: &&str| text.parse().unwrap_or_else(|_| panic!("{text} is no address"));
        Self { vrid, addresses: addresses.iter().map(parse).collect() }
    }

    /// The advert in `frame`, if it is of this virtual router.
    pub fn advert<'a>(&self, frame: &'a Frame) -> Option<&'a Advert> {
        let same_family = |advert: &&Advert| {
            self.addresses.first().is_none_or(|first| first.is_ipv4() == advert.source.is_ipv4())
        };
        frame.advert().filter(|advert| advert.vrid == self.vrid).filter(same_family)
    }

    /// Waits until each of `masters` has sent three adverts since `settled`, or has been heard for a second, while nobody
    /// else sent any but to take leave.
    ///
    /// # Errors
    ///
    /// Who is heard besides them, or silent.
    pub fn heard_from(
        &self,
        lan: &Lan,
        masters: &[usize],
        settled: SystemTime,
        mark: Mark,
    ) -> Result<(), String> {
        let mut silent: Vec<(usize, u32)> = masters.iter().map(|&node| (node, 0)).collect();
        if silent.is_empty() {
            return Ok(());
        }
        let heard = lan.capture().frames().wait(mark, PATIENCE, |captured| {
            // What was sent before may be read only now.
            let age = captured.at.duration_since(settled).ok()?;
            self.advert(&captured.frame).filter(|advert| advert.priority != 0)?;
            let sender = lan.sender(captured);
            if !masters.iter().any(|&node| sender == Some(node)) {
                let sender =
                    sender.map_or_else(|| "nobody".to_owned(), |node| format!("node {}", node + 1));
                return Some(Err(format!("{sender} is a master too")));
            }
            silent.retain_mut(|(node, adverts)| {
                *adverts += u32::from(sender == Some(*node));
                let is_heard = *adverts == 3 || age > Duration::from_millis(900);
                sender != Some(*node) || !is_heard
            });
            silent.is_empty().then_some(Ok(()))
        });
        let numbers: Vec<usize> = silent.iter().map(|(node, _)| node + 1).collect();
        heard.unwrap_or_else(|| Err(format!("nodes {numbers:?} send no adverts")))
    }
}

impl Pair {
    /// A network with two nodes, and nothing running yet.
    pub fn new(binaries: [Binary; 2], configs: [String; 2]) -> Self {
        Self { binaries, configs, daemons: [None, None], silent: false, lan: Lan::new(2) }
    }

    /// Without logs, so that nothing but the work of the daemons is measured.
    pub fn silent(mut self) -> Self {
        self.silent = true;
        self
    }

    /// The network.
    pub fn lan(&self) -> &Lan {
        &self.lan
    }

    /// Starts the daemon of `node`. Its configuration id is `first` or `second`.
    pub fn start(&mut self, node: usize) {
        let namespace = self.lan.nodes()[node].namespace();
        let (binary, config) = (&self.binaries[node], &self.configs[node]);
        let daemon = if self.silent {
            Daemon::start_silent(binary, namespace, config)
        } else {
            Daemon::start_with(binary, namespace, config, &["-i", ["first", "second"][node]])
        };
        self.daemons[node] = Some(daemon);
    }

    /// The daemon of `node`.
    ///
    /// # Panics
    ///
    /// If it was not started, or ended.
    #[track_caller]
    pub fn daemon(&self, node: usize) -> &Daemon {
        self.daemons[node].as_ref().expect("the daemon of this node runs")
    }

    /// Kills the daemon of `node` with all its children: what its kernel has, it keeps.
    pub fn kill(&mut self, node: usize) {
        self.daemons[node] = None;
    }

    /// Asks the daemon of `node` to stop. [`Pair::ended`] waits for it.
    pub fn terminate(&self, node: usize) {
        self.daemon(node).process().signal(nix::sys::signal::Signal::SIGTERM);
    }

    /// Waits for the end of the daemon of `node`.
    #[track_caller]
    pub fn ended(&mut self, node: usize) -> ExitStatus {
        self.daemons[node].take().expect("the daemon of this node runs").wait()
    }

    /// Waits until `float` is at `node` and, unless that is dead, not at the other one; then until `node` has sent three
    /// adverts, or has been heard for a second, while the other one sent none.
    #[track_caller]
    pub fn await_master(&self, float: &Float, node: usize) {
        self.await_masters([(float, node)]);
    }

    /// Waits for the masters of several floats, which are listened to side by side.
    #[track_caller]
    pub fn await_masters<'a>(&self, masters: impl IntoIterator<Item = (&'a Float, usize)> + Clone) {
        for (float, node) in masters.clone() {
            let other = 1 - node;
            self.await_addresses(float, node, true);
            if self.daemons[other].is_some() {
                self.await_addresses(float, other, false);
            }
        }
        let (settled, mark) = (SystemTime::now(), self.lan.capture().frames().mark());
        for (float, node) in masters {
            self.assert_heard_alone(float, node, settled, mark);
        }
    }

    /// Waits until `node` has been heard as the master of `float`, and asserts that the other one has not.
    #[track_caller]
    fn assert_heard_alone(&self, float: &Float, node: usize, settled: SystemTime, mark: Mark) {
        if let Err(objection) = float.heard_from(&self.lan, &[node], settled, mark) {
            panic!("{objection}{}", self.logs());
        }
        self.assert_held(float, node);
    }

    /// Waits until the addresses of `float` are at `node`, or gone from it.
    #[track_caller]
    pub fn await_addresses(&self, float: &Float, node: usize, there: bool) {
        let addresses = self.lan.nodes()[node].addresses();
        if addresses.wait(&float.addresses, there, PATIENCE) {
            return;
        }
        let (present, verb) =
            (addresses.present(), if there { "has not all of" } else { "keeps some of" });
        panic!("node {} {verb} {:?}: {present:?}{}", node + 1, float.addresses, self.logs());
    }

    /// Asks the kernels themselves: all of `float` is at `node`, and nothing of it at the other one, unless that is dead.
    #[track_caller]
    pub fn assert_held(&self, float: &Float, node: usize) {
        let held = self.lan.nodes()[node].holds(&float.addresses);
        assert_eq!(
            held.len(),
            float.addresses.len(),
            "node {} has only {held:?}{}",
            node + 1,
            self.logs()
        );
        if self.daemons[1 - node].is_some() {
            let elsewhere = self.lan.nodes()[1 - node].holds(&float.addresses);
            assert_eq!(
                elsewhere,
                [] as [IpAddr; 0],
                "node {} has addresses too{}",
                2 - node,
                self.logs()
            );
        }
    }

    /// The change of masters of `float` to `node` that came after `mark`.
    #[track_caller]
    pub fn failover(&self, float: &Float, node: usize, mark: Mark) -> Failover {
        let seen = Failover::seen(&self.lan, float, node, mark);
        seen.unwrap_or_else(|text| panic!("{text}{}", self.logs()))
    }

    /// The logs of both daemons, for the message of a failed test.
    pub fn logs(&self) -> String {
        let log = |(node, daemon): (usize, &Option<Daemon>)| {
            let text = daemon.as_ref().map_or("  (not running)\n".to_owned(), Daemon::log_text);
            format!("\nnode {}:\n{text}", node + 1)
        };
        self.daemons.iter().enumerate().map(log).collect()
    }
}

impl Failover {
    /// The change of masters of `float` to `node` that came after `mark`.
    ///
    /// # Errors
    ///
    /// Which of the two masters has sent nothing.
    pub fn seen(lan: &Lan, float: &Float, node: usize, mark: Mark) -> Result<Self, String> {
        let frames = lan.capture().frames();
        let of_float = |captured: Captured| {
            let advert = float.advert(&captured.frame)?.clone();
            Some((captured.at, lan.sender(&captured)?, advert))
        };
        let is_first = |captured: &Captured| {
            let ours =
                lan.sender(captured) == Some(node) && float.advert(&captured.frame).is_some();
            ours.then_some(captured.at)
        };
        let began = frames.since(mark).iter().find_map(is_first);
        let began = began.ok_or("the new master sent nothing")?;
        let adverts: Vec<(SystemTime, usize, Advert)> =
            frames.all().into_iter().filter_map(of_float).collect();
        let (old, new): (Vec<_>, Vec<_>) =
            adverts.into_iter().partition(|(_, sender, _)| *sender != node);
        let mut old = old.into_iter().rev().skip_while(|(at, _, _)| *at > began).peekable();
        let (ended, _, last) = old.peek().cloned().ok_or("the old master sent nothing")?;
        let interval =
            old.find(|(_, _, advert)| advert.priority != 0).map(|(_, _, advert)| advert.interval);
        Ok(Self {
            ended,
            silence: began.duration_since(ended).unwrap_or_default(),
            interval: interval.unwrap_or(last.interval),
            priority: new
                .iter()
                .find(|(at, _, _)| *at == began)
                .map_or(0, |(_, _, advert)| advert.priority),
            version: last.version,
            leave: last.priority == 0,
        })
    }

    /// How long the backup had to wait after the last advert (RFC 9568 §6.1): `adverts` intervals and the skew time, or
    /// only the skew time where the master took its leave. Version 2 takes the skew from one second.
    pub fn bound(&self, adverts: u32) -> Duration {
        let unit = if self.version == 2 { Duration::from_secs(1) } else { self.interval };
        let skew = unit * (256 - u32::from(self.priority)) / 256;
        if self.leave { skew } else { self.interval * adverts + skew }
    }
}
