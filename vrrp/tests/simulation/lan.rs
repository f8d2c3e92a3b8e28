//! A LAN of routers with virtual time. Frames are lost, delayed and doubled as a seed says; the LAN can be parted, and
//! routers can stop, pause, lose their link, and have their clock jump.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use vrrp::fsm::{Action, Event, Fault, Heard, Router, Settings, State};
use vrrp::packet::Priority;

/// Frames that wait for a paused router; what a socket buffer would hold.
const SOCKET_BUFFER: usize = 200;

/// What the wire does to frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    /// Frames lost, in a thousand.
    pub(crate) loss: u64,
    /// Frames doubled, in a thousand.
    pub(crate) duplication: u64,
    /// The longest that a frame takes.
    pub(crate) delay: Duration,
}

/// SplitMix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub(crate) fn within(&mut self, longest: Duration) -> Duration {
        let micros = u64::try_from(longest.as_micros()).unwrap();
        Duration::from_micros(self.below(micros + 1))
    }
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    from: usize,
    priority: Priority,
    interval: Duration,
}

struct Node {
    router: Router,
    settings: Settings,
    /// Whether it runs at all.
    alive: bool,
    paused: bool,
    /// Which part of a parted LAN it is in.
    part: u64,
    /// How far its clock has jumped ahead.
    jumped: Duration,
    buffer: VecDeque<Frame>,
    holds_addresses: bool,
}

/// The LAN.
pub(crate) struct Lan {
    start: Instant,
    pub(crate) now: Instant,
    wire: Wire,
    pub(crate) random: Random,
    nodes: Vec<Node>,
    flying: BTreeMap<(Instant, u64), (usize, Frame)>,
    frames: u64,
    /// Since when two routers that could hear each other have both been master.
    two_since: Option<Instant>,
    /// The longest such time, and their sum.
    pub(crate) two_longest: Duration,
    pub(crate) two_total: Duration,
}

fn address(node: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, u8::try_from(node + 1).unwrap()).into()
}

impl Lan {
    /// Routers with these settings; the later in the list, the higher the address.
    pub(crate) fn new(settings: Vec<Settings>, wire: Wire, seed: u64) -> Self {
        let start = Instant::now();
        let node = |settings: Settings| Node {
            router: Router::new(settings.clone()),
            settings,
            alive: false,
            paused: false,
            part: 0,
            jumped: Duration::ZERO,
            buffer: VecDeque::new(),
            holds_addresses: false,
        };
        Self {
            start,
            now: start,
            wire,
            random: Random::new(seed),
            nodes: settings.into_iter().map(node).collect(),
            flying: BTreeMap::new(),
            frames: 0,
            two_since: None,
            two_longest: Duration::ZERO,
            two_total: Duration::ZERO,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub(crate) fn start(&mut self, node: usize) {
        if !self.nodes[node].alive {
            let settings = self.nodes[node].settings.clone();
            self.nodes[node].router = Router::new(settings);
            self.nodes[node].alive = true;
            self.event(node, Event::Start);
        }
    }

    /// An orderly end.
    pub(crate) fn stop(&mut self, node: usize) {
        if self.nodes[node].alive {
            self.set_paused(node, false);
            self.event(node, Event::Stop);
            self.nodes[node].alive = false;
            assert!(!self.nodes[node].holds_addresses, "router {node} left its addresses behind");
        }
    }

    /// The power fails. What it held goes with it.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].alive = false;
        self.nodes[node].paused = false;
        self.nodes[node].buffer.clear();
        self.nodes[node].holds_addresses = false;
        self.watch();
    }

    pub(crate) fn set_link(&mut self, node: usize, up: bool) {
        if self.nodes[node].alive && !self.nodes[node].paused {
            let fault = Fault::InterfaceDown("eth0".into());
            self.event(node, if up { Event::Cleared(fault) } else { Event::Fault(fault) });
        }
    }

    /// A paused router does nothing. When it goes on, it reads what waits for it before it looks at its timers.
    pub(crate) fn set_paused(&mut self, node: usize, paused: bool) {
        self.nodes[node].paused = paused && self.nodes[node].alive;
        if !paused {
            while let Some(frame) = self.nodes[node].buffer.pop_front() {
                self.hear(node, frame);
            }
        }
        self.watch();
    }

    pub(crate) fn set_part(&mut self, node: usize, part: u64) {
        self.nodes[node].part = part;
        self.watch();
    }

    pub(crate) fn jump_clock(&mut self, node: usize, by: Duration) {
        self.nodes[node].jumped += by;
    }

    pub(crate) fn masters(&self) -> Vec<usize> {
        let masters =
            self.nodes.iter().enumerate().filter(|(_, node)| node.alive && node.holds_addresses);
        masters.map(|(index, _)| index).collect()
    }

    /// The router that must be master when nothing is wrong.
    pub(crate) fn best(&self) -> Option<usize> {
        let alive = self.nodes.iter().enumerate().filter(|(_, node)| node.alive);
        alive.max_by_key(|(index, node)| (node.settings.priority, *index)).map(|(index, _)| index)
    }

    /// Lets time pass, in steps of what is next.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, node)) = self.next().filter(|&(at, _)| at <= end) {
            self.now = self.now.max(at);
            match node {
                Some(node) => self.event(node, Event::Deadline { may_lead: true }),
                None => self.deliver(),
            }
        }
        self.now = end;
    }

    /// Runs until there is exactly one master, in `part` of the LAN; how long that took.
    pub(crate) fn until_one_master(&mut self, limit: Duration) -> Option<Duration> {
        let begin = self.now;
        while self.masters().len() != 1 {
            let (at, _) = self.next()?;
            if at > begin + limit {
                return None;
            }
            self.run(at.saturating_duration_since(self.now));
        }
        Some(self.now - begin)
    }

    /// The time of what comes next: a frame, or the deadline of a router. Frames come first.
    fn next(&self) -> Option<(Instant, Option<usize>)> {
        let frame = self.flying.keys().next().map(|&(at, _)| (at, None));
        let running = self.nodes.iter().enumerate().filter(|(_, node)| node.alive && !node.paused);
        let deadlines = running.filter_map(|(index, node)| {
            let at = node.router.deadline()?;
            Some((at.checked_sub(node.jumped).unwrap_or(self.now), Some(index)))
        });
        frame.into_iter().chain(deadlines).min()
    }

    fn deliver(&mut self) {
        let Some((_, (to, frame))) = self.flying.pop_first() else { return };
        let reached = self.nodes[to].part == self.nodes[frame.from].part;
        if !reached || !self.nodes[to].alive {
            return;
        }
        if !self.nodes[to].paused {
            self.hear(to, frame);
        } else if self.nodes[to].buffer.len() < SOCKET_BUFFER {
            self.nodes[to].buffer.push_back(frame);
        }
    }

    fn hear(&mut self, node: usize, frame: Frame) {
        let heard = Heard {
            source: address(frame.from),
            order: address(frame.from).cmp(&address(node)),
            priority: frame.priority,
            interval: frame.interval,
        };
        self.event(node, Event::Advert(heard));
    }

    fn event(&mut self, node: usize, event: Event) {
        let now = self.now + self.nodes[node].jumped;
        let mut actions = vec![];
        self.nodes[node].router.on_event(event, now, &mut actions);
        for action in actions {
            match action {
                Action::Advertise(priority) => self.broadcast(node, priority),
                Action::Resign => self.broadcast(node, Priority::STOP),
                Action::Acquire => {
                    assert!(
                        !self.nodes[node].holds_addresses,
                        "router {node} took its addresses twice"
                    );
                    self.nodes[node].holds_addresses = true;
                }
                Action::Release { forced } => {
                    assert!(
                        forced || self.nodes[node].holds_addresses,
                        "router {node} held nothing"
                    );
                    self.nodes[node].holds_addresses = false;
                }
                _ => {}
            }
        }
        let master = self.nodes[node].router.state() == State::Master;
        assert_eq!(
            master, self.nodes[node].holds_addresses,
            "router {node}: a master has the addresses"
        );
        self.watch();
    }

    fn broadcast(&mut self, from: usize, priority: Priority) {
        let frame = Frame { from, priority, interval: self.nodes[from].settings.interval };
        for to in (0..self.nodes.len()).filter(|&to| to != from) {
            if self.random.below(1000) < self.wire.loss {
                continue;
            }
            let copies = if self.random.below(1000) < self.wire.duplication { 2 } else { 1 };
            for _ in 0..copies {
                let at = self.now + self.random.within(self.wire.delay);
                self.flying.insert((at, self.frames), (to, frame));
                self.frames += 1;
            }
        }
    }

    /// Keeps the account of two masters that could hear each other.
    fn watch(&mut self) {
        let active: Vec<u64> = self
            .nodes
            .iter()
            .filter(|node| node.alive && !node.paused && node.holds_addresses)
            .map(|node| node.part)
            .collect();
        let two = (1..active.len()).any(|index| active[..index].contains(&active[index]));
        match (two, self.two_since) {
            (true, None) => self.two_since = Some(self.now),
            (false, Some(since)) => {
                let lasted = self.now - since;
                self.two_longest = self.two_longest.max(lasted);
                self.two_total += lasted;
                self.two_since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
}
