//! Where a story is played.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use lab::{
    Advert, Binary, Captured, Content, Daemon, Failover, Float, Lan, Listener, Mark, Node,
    PATIENCE, Scene, Scratch, Transcript, judge,
};
use serde_json::Value;

use crate::record::Seen;
use crate::scripts;
use crate::story::{Event, Step, Story};

/// How long nothing new is waited for when a record is made.
const QUIET: Duration = Duration::from_millis(1500);

/// For how long a machine may stand still.
const STANDSTILL: Duration = Duration::from_secs(3);

/// How late a failover may be on a loaded machine. `make bench` measures how late it is.
const LATENESS: Duration = Duration::from_millis(400);

/// How early: the time stamps of the wire and of the daemons are not the same.
const EARLINESS: Duration = Duration::from_millis(3);

/// What the nodes are called in configurations.
const NAMES: [&str; 3] = ["first", "second", "third"];

/// Settings that all stories share. `$DIR` is the directory of a node.
const COMMON: &str = "global_defs {
    script_user root
    notify_fifo $DIR/fifo
    vrrp_garp_master_delay 0
}
";

/// A network, and who plays on it.
pub(crate) struct Stage {
    nodes: Vec<Player>,
    routers: Vec<Float>,
    /// What the kernels held before anybody played.
    before: Vec<BTreeSet<String>>,
    lan: Lan,
}

struct Player {
    name: &'static str,
    binary: Binary,
    daemon: Option<Daemon>,
    listener: Listener,
    /// What its scripts tell.
    scripts: Listener,
    directory: Scratch,
    /// Whether it was killed, and left everything behind.
    killed: bool,
    /// The last thing that it said of each router, to each destination.
    last_said: HashMap<(usize, IpAddr), String>,
}

impl Stage {
    /// A stage with nobody on it yet.
    pub(crate) fn new(binaries: Vec<Binary>, story: &Story) -> Self {
        let lan = Lan::new(story.nodes);
        let routers = story.routers.clone();
        let nodes = NAMES.into_iter().zip(binaries).map(|(name, binary)| Player::new(name, binary));
        let mut stage = Self { nodes: nodes.collect(), routers, before: Vec::new(), lan };
        stage.before = stage.holdings();
        stage
    }

    /// Plays the story. What is seen must be as `expected`, where that is known.
    pub(crate) fn play(mut self, story: &Story, expected: Option<&Transcript>) -> Transcript {
        let mut transcript = Transcript::default();
        let mut masters = vec![Vec::new(); self.routers.len()];
        for (number, step) in story.steps.iter().enumerate() {
            let expected = expected.map(|transcript| &transcript.0[number]);
            let marks: Vec<[Mark; 2]> = self
                .nodes
                .iter()
                .map(|node| [&node.listener, &node.scripts].map(|one| one.told().mark()))
                .collect();
            let mark = self.lan.capture().frames().mark();
            let logs: Vec<Mark> = self.nodes.iter().map(Player::log_mark).collect();
            self.happen(step, story);
            self.settle(step);
            if let Some(adverts) = story.adverts {
                self.measure(step, &masters, mark, &logs, adverts);
            }
            masters.clone_from(&step.masters);
            let mut seen = Seen::new(&step.text, self.nodes.len());
            self.listen(step, &marks, expected, &mut seen);
            if let Some(expected) = expected {
                self.await_frames(mark, expected);
            }
            self.watch(mark, &step.masters, &mut seen);
            self.look(&mut seen);
            let seen = seen.scene();
            if let Some(expected) = expected {
                let equal = self.certain(step, &seen) == self.certain(step, expected);
                assert!(equal, "expected:\n{expected}\nseen:\n{seen}{}", self.logs());
            }
            transcript.0.push(seen);
        }
        if story.adverts.is_some() {
            let (count, complaints) = judge(self.lan.capture(), story.usual_checksum);
            assert!(count > 10, "tshark found only {count} adverts");
            assert_eq!(complaints, [] as [String; 0]);
        }
        transcript
    }

    /// What must be the same.
    fn certain(&self, step: &Step, scene: &Scene) -> Scene {
        let mut scene = scene.clone();
        scene.seen.retain(|(kind, what)| !self.may_differ(step, kind, what));
        scene
    }

    /// What depends on the moment: one of ours that was killed as master hears of another one within an interval and is
    /// told to be a backup, or goes on as it was. And what differs on purpose: the original does not call `notify_fault`
    /// for an instance that a reload removes.
    fn may_differ(&self, step: &Step, kind: &str, what: &str) -> bool {
        let is_own = what.starts_with(&format!("{} ", step.node + 1));
        let is_of = |words: [&str; 2]| is_own && words.iter().all(|word| what.contains(word));
        match (&step.event, kind) {
            (Event::Start, "told") if self.nodes[step.node].killed => {
                is_of(["INSTANCE ", " BACKUP "])
            }
            (Event::Start, "ran") if self.nodes[step.node].killed => {
                is_of(["'INSTANCE'", "'notify_backup'"]) || is_of(["'INSTANCE'", "'BACKUP'"])
            }
            (Event::Reload(_), "ran") => is_of(["'INSTANCE'", "'notify_fault'"]),
            _ => false,
        }
    }

    fn happen(&mut self, step: &Step, story: &Story) {
        let node = &self.lan.nodes()[step.node];
        let player = &mut self.nodes[step.node];
        match &step.event {
            Event::Start => {
                let config = player.config(story.config("main"));
                player.last_said.clear();
                player.daemon = Some(Daemon::start_with(
                    &player.binary,
                    node.namespace(),
                    &config,
                    &["-i", player.name],
                ));
            }
            Event::Stop => {
                assert!(player.running().stop().success());
                (player.daemon, player.killed) = (None, false);
            }
            Event::Kill => (player.daemon, player.killed) = (None, true),
            Event::Cut => self.lan.cut(step.node),
            Event::Mend => self.lan.mend(step.node),
            Event::Reload(name) => {
                let config = player.config(story.config(name));
                player.running().reload(&config);
            }
            Event::Write(file, content) => drop(player.directory.write(file, content)),
            Event::Ip(batch) => node.namespace().ip(batch),
        }
    }

    /// Waits until each router has the masters that it should have, and no others.
    fn settle(&self, step: &Step) {
        for (router, masters) in self.routers.iter().zip(&step.masters) {
            for (number, node) in self.lan.nodes().iter().enumerate() {
                let there = masters.contains(&number);
                if !there && self.nodes[number].daemon.is_none() {
                    continue;
                }
                let settled = node.addresses().wait(&router.addresses, there, PATIENCE);
                assert!(
                    settled,
                    "{}: {router:?} at {}: {}{}",
                    step.text,
                    number + 1,
                    !there,
                    self.logs()
                );
            }
        }
        let (settled, mark) = (SystemTime::now(), self.lan.capture().frames().mark());
        for (router, masters) in self.routers.iter().zip(&step.masters) {
            if let Err(objection) = router.heard_from(&self.lan, masters, settled, mark) {
                panic!("{}: {router:?}: {objection}{}", step.text, self.logs());
            }
        }
    }

    /// What a node has lost is at the next one as soon as the protocol lets it, and not earlier.
    fn measure(
        &self,
        step: &Step,
        masters: &[Vec<usize>],
        mark: Mark,
        logs: &[Mark],
        adverts: u32,
    ) {
        if !matches!(step.event, Event::Stop | Event::Kill | Event::Ip(_)) {
            return;
        }
        for ((router, before), after) in self.routers.iter().zip(masters).zip(&step.masters) {
            let (&[old], &[new]) = (&before[..], &after[..]) else { continue };
            if old != step.node || new == old {
                continue;
            }
            let failover = Failover::seen(&self.lan, router, new, mark);
            let failover =
                failover.unwrap_or_else(|text| panic!("{}: {text}{}", step.text, self.logs()));
            let bound = failover.bound(adverts);
            // One of ours that stood still waits for a word of the master once more.
            let stood = self.nodes[new].stood_still(logs[new]);
            let latest = if stood.is_zero() { bound } else { bound * 2 + stood } + LATENESS;
            assert!(
                failover.silence < latest && failover.silence + EARLINESS > bound,
                "{}: not after {bound:?}: {failover:?}{}",
                step.text,
                self.logs()
            );
            let leaves = matches!(step.event, Event::Stop);
            assert!(failover.leave || !leaves, "no advert said that the master goes");
        }
    }

    /// What the listeners were told, and what the scripts were called with.
    fn listen(&self, step: &Step, marks: &[[Mark; 2]], expected: Option<&Scene>, seen: &mut Seen) {
        for (node, (player, &[told, ran])) in self.nodes.iter().zip(marks).enumerate() {
            let hear = |kind: &str, listener: &Listener, mark: Mark| {
                let timeline = listener.told();
                let counts = |line: &str| {
                    !is_noise(line) && !self.may_differ(step, kind, &format!("{} {line}", node + 1))
                };
                let Some(expected) = expected else {
                    timeline.wait_until(QUIET / 2, |_| false);
                    return timeline.since(mark);
                };
                let own = format!("{} ", node + 1);
                let lines = expected.of(kind).filter_map(|line| line.strip_prefix(&own));
                let mut missing = lines.filter(|line| counts(line)).count();
                if missing > 0 {
                    // What does not come is told by the comparison.
                    let _ = timeline.wait(mark, PATIENCE / 4, |line| {
                        missing -= usize::from(counts(line));
                        (missing == 0).then_some(())
                    });
                }
                timeline.since(mark)
            };
            // Each instance and group for itself: which of several is told of first is chance.
            let mut told = hear("told", &player.listener, told);
            told.retain(|line| !is_noise(line));
            told.sort_by_key(|line| line.split('"').nth(1).map(str::to_owned));
            seen.told[node] = told;
            seen.ran[node] = scripts::in_order(hear("ran", &player.scripts, ran));
        }
    }

    /// What was said on the network, and what the masters have announced.
    fn watch(&mut self, mark: Mark, masters: &[Vec<usize>], seen: &mut Seen) {
        let frames = self.lan.capture().frames().since(mark);
        let mut announced = BTreeSet::new();
        // Which of two masters speaks first when they can hear each other again is chance, and so is who contradicts.
        let chance = seen.event.starts_with("mend");
        for captured in &frames {
            let Some(node) = self.lan.sender(captured) else { continue };
            self.note_said(node, captured, seen);
            let Some((address, text)) = self.announcement(captured) else { continue };
            // What is still to be heard of who was master before is chance too.
            let carried: Vec<bool> =
                self.routers.iter().map(|router| router.addresses.contains(&address)).collect();
            let anywhere = !carried.contains(&true);
            let mut leads = masters.iter().zip(carried).filter(|(_, carries)| *carries || anywhere);
            if !chance && leads.any(|(masters, _)| masters.contains(&node)) {
                announced.insert(text);
            }
        }
        seen.announced = announced.into_iter().collect();
    }

    /// Waits for what is to be on the network: who takes leave is told of before the wire has it, and announcements go on
    /// after the first adverts.
    fn await_frames(&self, mark: Mark, expected: &Scene) {
        let said_by = |line| str::split_once(line, ' ').map(|(_, text)| text);
        let mut said: Vec<&str> = expected.of("said").filter_map(said_by).collect();
        let mut announced: Vec<&str> = expected.of("announced").collect();
        if said.is_empty() && announced.is_empty() {
            return;
        }
        // What does not come is told by the comparison.
        let _ = self.lan.capture().frames().wait(mark, PATIENCE / 4, |captured| {
            let adverts = self.routers.iter().filter_map(|router| router.advert(&captured.frame));
            for text in adverts.map(said_line) {
                said.retain(|&line| line != text);
            }
            if let Some((_, text)) = self.announcement(captured) {
                announced.retain(|&line| line != text);
            }
            (said.is_empty() && announced.is_empty()).then_some(())
        });
    }

    /// The address that is announced, if it is one of those that move, and the announcement as it is compared.
    fn announcement(&self, captured: &Captured) -> Option<(IpAddr, String)> {
        let node = self.lan.sender(captured)?;
        let (Content::Arp(claim) | Content::NeighbourAdvert(claim)) = &captured.frame.content
        else {
            return None;
        };
        let holder = claim.holder.map(|byte| format!("{byte:02x}")).join(":");
        (claim.gratuitous && is_floating(claim.address))
            .then(|| (claim.address, format!("{} at {holder} by {}", claim.address, node + 1)))
    }

    fn note_said(&mut self, node: usize, captured: &Captured, seen: &mut Seen) {
        for (number, router) in self.routers.iter().enumerate() {
            let Some(advert) = router.advert(&captured.frame) else { continue };
            let text = said_line(advert);
            let key = (number, advert.destination);
            let last = self.nodes[node].last_said.insert(key, text.clone());
            if last.as_ref() != Some(&text) {
                seen.said[node].push(text);
            }
        }
        // Each router for itself: which of several speaks first is chance.
        seen.said[node].sort_by_key(|text| {
            let word = |place| text.split(' ').nth(place).map(str::to_owned);
            (word(3), word(11))
        });
    }

    /// What the kernels hold that they did not hold before the story, and the other way round.
    fn look(&self, seen: &mut Seen) {
        for (number, (now, before)) in (1..).zip(self.holdings().iter().zip(&self.before)) {
            let lines = now.difference(before).map(|line| format!("{number} {line}"));
            seen.kernel.extend(lines);
            let lines = before.difference(now).map(|line| format!("{number} no {line}"));
            seen.kernel.extend(lines);
        }
    }

    fn holdings(&self) -> Vec<BTreeSet<String>> {
        self.lan.nodes().iter().map(|node| self.holdings_of(node)).collect()
    }

    fn holdings_of(&self, node: &Node) -> BTreeSet<String> {
        let namespace = node.namespace();
        let ask = |arguments: &[&str]| namespace.ip_json(arguments).as_array().cloned();
        let mut lines = BTreeSet::new();
        for interface in ask(&["addr", "show"]).unwrap_or_default() {
            for address in interface["addr_info"].as_array().into_iter().flatten() {
                lines.extend(self.address_line(&interface, address));
            }
        }
        for interface in ask(&["-d", "link", "show", "type", "macvlan"]).unwrap_or_default() {
            lines.insert(link_line(&interface));
        }
        for (what, arguments) in [
            ("route", &["route", "show", "table", "all", "proto", "18"][..]),
            ("route", &["-6", "route", "show", "table", "all", "proto", "18"]),
            ("rule", &["rule", "show"]),
            ("rule", &["-6", "rule", "show"]),
        ] {
            let found = ask(arguments).unwrap_or_default();
            lines.extend(found.iter().map(|one| format!("{what} {one}")));
        }
        lines
    }

    /// An address as it is compared: nothing of loopback, nothing that the kernel made itself.
    fn address_line(&self, interface: &Value, address: &Value) -> Option<String> {
        let name = interface["ifname"].as_str().filter(|name| *name != "lo")?;
        let local = address["local"].as_str()?;
        let floats = |router: &Float| router.addresses.iter().any(|one| one.to_string() == local);
        if local.starts_with("fe80::") && !self.routers.iter().any(floats) {
            return None;
        }
        let secondary = if address["secondary"] == true { " secondary" } else { "" };
        let label = address["label"].as_str().filter(|label| *label != name).unwrap_or_default();
        let scope = address["scope"].as_str().unwrap_or_default();
        let length = &address["prefixlen"];
        let line = format!("address {name} {local}/{length} {scope}{secondary} {label}");
        Some(line.trim_end().to_owned())
    }

    fn logs(&self) -> String {
        let log = |(number, player): (usize, &Player)| {
            let text =
                player.daemon.as_ref().map_or("  (not running)\n".to_owned(), Daemon::log_text);
            format!("\nnode {number} ({}):\n{text}", player.binary.version())
        };
        (1..).zip(&self.nodes).map(log).collect()
    }
}

impl Player {
    fn new(name: &'static str, binary: Binary) -> Self {
        let directory = Scratch::new();
        let listener = Listener::new(directory.path());
        let scripts = scripts::listener(&directory);
        Self {
            name,
            binary,
            daemon: None,
            listener,
            scripts,
            directory,
            killed: false,
            last_said: HashMap::new(),
        }
    }

    /// `$NODE` is the name of the node, `$DIR` its directory, `$SAMPLES` that of the documentation's examples.
    fn config(&self, text: &str) -> String {
        let directory = self.directory.path().display().to_string();
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../doc/samples");
        let text = scripts::with_scripts(text, self.directory.path());
        (COMMON.to_owned() + &text)
            .replace("$DIR", &directory)
            .replace("$NODE", self.name)
            .replace("$SAMPLES", &samples.display().to_string())
    }

    fn running(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("it runs")
    }

    fn log_mark(&self) -> Mark {
        self.daemon.as_ref().map_or_else(Mark::default, |daemon| daemon.log().mark())
    }

    /// How long it was not run by its own account: while others make and remove namespaces, the kernel may leave who wants
    /// to change an address waiting for seconds.
    fn stood_still(&self, mark: Mark) -> Duration {
        let lines = self.daemon.as_ref().map_or_else(Vec::new, |daemon| daemon.log().since(mark));
        let told = lines.iter().filter_map(|line| {
            let timer = line.text.strip_prefix("A thread timer expired ");
            let late = timer.or_else(|| Some(line.text.split_once(" ran late by ")?.1))?;
            late.split(' ').next()?.parse::<f64>().ok()
        });
        Duration::from_secs_f64(told.sum()).min(STANDSTILL)
    }
}

/// An advert as it is compared.
fn said_line(advert: &Advert) -> String {
    let addresses: Vec<String> = advert.addresses.iter().map(IpAddr::to_string).collect();
    format!(
        "version {} router {} priority {} interval {:?} ttl {} from {} to {} [{}]",
        advert.version,
        advert.vrid,
        advert.priority,
        advert.interval,
        advert.ttl,
        advert.source,
        advert.destination,
        addresses.join(" ")
    )
}

/// Whether a line is about an advert of lower priority: whether one is heard depends on who speaks first.
fn is_noise(line: &str) -> bool {
    line.contains("MASTER_RX_LOWER_PRI")
}

/// Whether an address is one of those that move between nodes in the stories.
fn is_floating(address: IpAddr) -> bool {
    !matches!(address.to_string().as_str(), "10.9.0.1" | "10.9.0.2" | "10.9.0.3")
        && !address.to_string().starts_with("fe80::ff:fe00:")
}

/// A VMAC as it is compared.
fn link_line(interface: &Value) -> String {
    let [name, mac, parent] =
        ["ifname", "address", "link"].map(|key| interface[key].as_str().unwrap_or_default());
    let mode = interface["linkinfo"]["info_data"]["mode"].as_str().unwrap_or_default();
    format!("link {name} {mac} {mode} on {parent}")
}
