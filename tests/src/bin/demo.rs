//! `make demo`: the quick-start pair in two network namespaces. The master is killed, its successor is stopped, and the
//! times that the address was away are printed beside what the protocol allows.

use std::io::{IsTerminal, Write, stdout};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use lab::{Binary, Failover, Float, Mark, Pair};

const FIRST: &str = include_str!("../../../doc/samples/quick-start/first.conf");
const SECOND: &str = include_str!("../../../doc/samples/quick-start/second.conf");
const ADDRESS: &str = "192.0.2.10";
const ROUTER: u8 = 51;

/// How late the address may be on a busy machine before the demo counts as failed.
const LATENESS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    // Caught, so that what was made is removed. Daemons start with an empty mask again.
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    let caught = signals
        .thread_block()
        .and_then(|()| SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK));
    let interrupted = match caught {
        Ok(descriptor) => descriptor,
        Err(error) => {
            eprintln!("demo: cannot catch signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    match Demo::new(interrupted).run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("\ndemo: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The pair, and what is shown of it.
struct Demo {
    pair: Pair,
    float: Float,
    began: Instant,
    running: [bool; 2],
    what: String,
    drawn: Option<String>,
    terminal: bool,
    interrupted: SignalFd,
}

/// A failover, and when its address was there.
struct Measured {
    failover: Failover,
    /// From the last advert of the old master until the address was at the new one.
    away: Duration,
}

impl Demo {
    fn new(interrupted: SignalFd) -> Self {
        let binary = Binary::under_test();
        println!("keepalived {} at {}\n", binary.version(), binary.path().display());
        let configs = [FIRST, SECOND].map(str::to_owned);
        Self {
            pair: Pair::new([binary.clone(), binary], configs),
            float: Float::new(ROUTER, &[ADDRESS]),
            began: Instant::now(),
            running: [false; 2],
            what: String::new(),
            drawn: None,
            terminal: stdout().is_terminal(),
            interrupted,
        }
    }

    fn run(&mut self) -> Result<(), String> {
        self.start(0, "node 1 starts");
        self.start(1, "both start: node 1 has the higher priority");
        self.until("node 1 did not become master", 8, |demo| demo.holds(0))?;
        self.listen(0, 3)?;

        let mark = self.pair.lan().capture().frames().mark();
        let shot = SystemTime::now();
        self.running[0] = false;
        self.pair.kill(0);
        self.show("SIGKILL to node 1, parent and children");
        self.until("the address did not move to node 2", 8, |demo| demo.holds_since(1, shot))?;
        let killed = self.measure(1, mark, shot)?;
        self.listen(1, 2)?;

        self.start(0, "node 1 comes back, as a backup");
        self.until("node 1 did not come back", 8, |demo| demo.state(0) == "BACKUP")?;
        let mark = self.pair.lan().capture().frames().mark();
        let asked = SystemTime::now();
        self.pair.terminate(1);
        self.show("SIGTERM to node 2: it takes its leave");
        self.until("the address did not move to node 1", 8, |demo| demo.holds_since(0, asked))?;
        let stopped = self.measure(0, mark, asked)?;
        let status = self.pair.ended(1);
        self.running[1] = false;
        self.show("node 2 has ended");
        self.until("node 2 kept the address", 2, |demo| !demo.holds(1))?;
        self.listen(0, 2)?;
        if !status.success() {
            return Err(format!("node 2 ended with {status}"));
        }
        report(&killed, &stopped)
    }

    fn start(&mut self, node: usize, what: &str) {
        self.pair.start(node);
        self.running[node] = true;
        self.show(what);
    }

    /// Lets `node` send `count` adverts, for the eye.
    fn listen(&mut self, node: usize, count: usize) -> Result<(), String> {
        let target = self.adverts(node) + count;
        self.until("the adverts stopped", 8, |demo| demo.adverts(node) >= target)
    }

    /// Redraws until `holds`, or fails for `reason` after some seconds.
    fn until(
        &mut self,
        reason: &str,
        seconds: u64,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            self.draw();
            if holds(self) {
                return Ok(());
            }
            if self.interrupted.read_signal().is_ok_and(|signal| signal.is_some()) {
                return Err("interrupted".to_owned());
            }
            if Instant::now() > deadline {
                return Err(format!("{reason}{}", self.pair.logs()));
            }
            let frames = self.pair.lan().capture().frames();
            frames.wait(frames.mark(), Duration::from_millis(50), |_| Some(()));
        }
    }

    fn measure(&self, node: usize, mark: Mark, since: SystemTime) -> Result<Measured, String> {
        let failover = self.pair.failover(&self.float, node, mark);
        let events = self.pair.lan().nodes()[node].addresses().events().all();
        let arrived = events.iter().find(|event| {
            event.present && event.at > since && self.float.addresses.contains(&event.address)
        });
        let arrived = arrived.ok_or("the address was never added")?.at;
        let away = arrived.duration_since(failover.ended).unwrap_or_default();
        Ok(Measured { failover, away })
    }

    fn holds(&self, node: usize) -> bool {
        let present = self.pair.lan().nodes()[node].addresses().present();
        self.float.addresses.iter().all(|address: &IpAddr| present.contains(address))
    }

    /// Whether `node` got the address after `since`, and has already said so.
    fn holds_since(&self, node: usize, since: SystemTime) -> bool {
        let frames = self.pair.lan().capture().frames().all();
        self.holds(node)
            && frames.iter().rev().take_while(|captured| captured.at > since).any(|captured| {
                self.pair.lan().sender(captured) == Some(node)
                    && self.float.advert(&captured.frame).is_some()
            })
    }

    fn adverts(&self, node: usize) -> usize {
        let frames = self.pair.lan().capture().frames().all();
        let ours = frames.iter().filter(|captured| self.float.advert(&captured.frame).is_some());
        ours.filter(|captured| self.pair.lan().sender(captured) == Some(node)).count()
    }

    /// The state that the log of `node` told last.
    fn state(&self, node: usize) -> String {
        if !self.running[node] {
            return "gone".to_owned();
        }
        let lines = self.pair.daemon(node).log().all();
        let state = lines
            .iter()
            .rev()
            .find_map(|line| line.text.split_once("Entering ")?.1.split(' ').next());
        state.unwrap_or("starting").to_owned()
    }

    /// Says what happens now.
    fn show(&mut self, what: &str) {
        self.what = what.to_owned();
        if !self.terminal {
            println!("{:7.3} s  {what}", self.began.elapsed().as_secs_f64());
        }
        self.draw();
    }

    /// The live view: redrawn in place on a terminal, else a line for each change of state or holder.
    fn draw(&mut self) {
        let nodes = [0, 1].map(|node| {
            let holds = if self.holds(node) { ADDRESS } else { "-" };
            (self.state(node), holds, self.adverts(node))
        });
        let elapsed = self.began.elapsed().as_secs_f64();
        if self.terminal {
            let up = if self.drawn.is_some() { "\x1b[4A" } else { "" };
            print!("{up}\r\x1b[K{elapsed:7.1} s  {}\n\x1b[K\n", self.what);
            for (index, (state, holds, adverts)) in nodes.iter().enumerate() {
                let colour = match state.as_str() {
                    "MASTER" => "\x1b[1;32m",
                    "BACKUP" => "\x1b[33m",
                    _ => "\x1b[31m",
                };
                let number = index + 1;
                println!(
                    "\x1b[K  node {number}  10.9.0.{number}   {colour}{state:9}\x1b[0m {holds:12} adverts sent: {adverts}"
                );
            }
            self.drawn = Some(String::new());
        } else {
            let states = nodes.iter().enumerate();
            let states: Vec<String> = states
                .map(|(index, (state, holds, _))| {
                    format!("node {} {state:8} {holds:10}", index + 1)
                })
                .collect();
            let line = states.join("   ");
            if self.drawn.as_ref() != Some(&line) {
                println!("{elapsed:7.3} s  {line}");
                self.drawn = Some(line);
            }
        }
        let _ = stdout().flush();
    }
}

/// Prints the measured times beside the bounds; an error if one is far beyond.
fn report(killed: &Measured, stopped: &Measured) -> Result<(), String> {
    println!("\n                    address away   the protocol waits");
    let mut late = Vec::new();
    for (name, measured) in [("master killed", killed), ("master stopped", stopped)] {
        let (failover, away) = (measured.failover, measured.away);
        let bound = failover.bound(3);
        let skew = Failover { leave: true, ..failover }.bound(3);
        let words = if failover.leave {
            "the skew time, after an advert of priority 0".to_owned()
        } else {
            format!(
                "3 adverts of {:.0} s and the skew time of {:.3} s",
                failover.interval.as_secs_f64(),
                skew.as_secs_f64()
            )
        };
        println!(
            "  {name:16} {:8.3} s     {:8.3} s   {words}",
            away.as_secs_f64(),
            bound.as_secs_f64()
        );
        if away > bound + LATENESS || away + LATENESS < bound {
            late.push(format!("{name}: away for {away:?}, not {bound:?}"));
        }
    }
    if late.is_empty() { Ok(()) } else { Err(late.join("; ")) }
}
