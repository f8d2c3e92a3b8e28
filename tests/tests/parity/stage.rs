//! Where a story is played.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, SystemTime};

use lab::{
    Advert, Binary, Captured, Content, Daemon, Float, Lan, Mark, Node, PATIENCE, Scratch, Timeline,
};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;

use crate::record::{Record, Seen};
use crate::story::{Event, Story};

/// How long nothing new is waited for when a record is made.
const QUIET: Duration = Duration::from_millis(1500);

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
    binary: Binary,
    directory: Scratch,
    daemon: Option<Daemon>,
    told: Timeline<String>,
    /// The last thing that it said of each router, to each destination.
    last_said: HashMap<(usize, IpAddr), String>,
}

impl Stage {
    /// A stage with nobody on it yet.
    pub(crate) fn new(binaries: Vec<Binary>, story: &Story) -> Self {
        let lan = Lan::new(story.nodes);
        let routers = story.routers.iter();
        let routers = routers.map(|&(vrid, address)| Float { vrid, addresses: vec![address] });
        let routers: Vec<Float> = routers.collect();
        let nodes = binaries.into_iter().map(Player::new);
        let mut stage = Self { nodes: nodes.collect(), routers, before: Vec::new(), lan };
        stage.before = stage.holdings();
        stage
    }

    /// Plays the story. What is seen must be as `expected`, where that is known.
    pub(crate) fn play(mut self, story: &Story, expected: Option<&Record>) -> Record {
        let mut record = Record::default();
        for (number, step) in story.steps.iter().enumerate() {
            let expected = expected.map(|record| &record.0[number]);
            let told: Vec<Mark> = self.nodes.iter().map(|node| node.told.mark()).collect();
            let mark = self.lan.capture().frames().mark();
            self.happen(&step.event, story);
            self.settle(&step.masters, &step.text);
            let mut seen = Seen::new(&step.text, self.nodes.len());
            self.listen(&told, expected, &mut seen);
            if let Some(expected) = expected {
                self.await_said(mark, expected);
            }
            self.watch(mark, &step.masters, &mut seen);
            self.look(&mut seen);
            if let Some(expected) = expected {
                let (seen, expected) = (seen.to_string(), expected.to_string());
                assert!(seen == expected, "expected:\n{expected}\nseen:\n{seen}{}", self.logs());
            }
            record.0.push(seen);
        }
        record
    }

    fn happen(&mut self, event: &Event, story: &Story) {
        match event {
            Event::Start(node) => {
                let name = ["first", "second", "third"][*node];
                let config = self.nodes[*node].config(story.config("main"));
                let namespace = self.lan.nodes()[*node].namespace();
                let player = &mut self.nodes[*node];
                player.last_said.clear();
                player.daemon =
                    Some(Daemon::start_with(&player.binary, namespace, &config, &["-i", name]));
            }
            Event::Stop(node) => {
                let daemon = self.nodes[*node].daemon.as_mut().expect("it runs");
                assert!(daemon.stop().success());
                self.nodes[*node].daemon = None;
            }
            Event::Kill(node) => self.nodes[*node].daemon = None,
            Event::Cut(node) => self.lan.cut(*node),
            Event::Mend(node) => self.lan.mend(*node),
            Event::Reload(node, name) => {
                let config = self.nodes[*node].config(story.config(name));
                let daemon = self.nodes[*node].daemon.as_ref().expect("it runs");
                daemon.reload(&config);
            }
            Event::Write(node, file, content) => {
                self.nodes[*node].directory.write(file, content);
            }
            Event::Ip(node, batch) => self.lan.nodes()[*node].namespace().ip(batch),
        }
    }

    /// Waits until each router has the masters that it should have, and no others.
    fn settle(&self, masters: &[Vec<usize>], event: &str) {
        for (router, masters) in self.routers.iter().zip(masters) {
            for (number, node) in self.lan.nodes().iter().enumerate() {
                let there = masters.contains(&number);
                if !there && self.nodes[number].daemon.is_none() {
                    continue;
                }
                let settled = node.addresses().wait(&router.addresses, there, PATIENCE);
                assert!(
                    settled,
                    "{event}: {router:?} at {}: {}{}",
                    number + 1,
                    !there,
                    self.logs()
                );
            }
            let (now, mark) = (SystemTime::now(), self.lan.capture().frames().mark());
            for &master in masters {
                let mut count = 0;
                let heard = self.lan.capture().frames().wait(mark, PATIENCE, |captured| {
                    router.advert(&captured.frame)?;
                    captured.at.duration_since(now).ok()?;
                    count += usize::from(self.lan.sender(captured) == Some(master));
                    (count == 2).then_some(())
                });
                // One that is cut off speaks to nobody, and is not heard here either.
                assert!(
                    heard.is_some() || masters.len() > 1,
                    "{event}: {router:?} is silent at {}{}",
                    master + 1,
                    self.logs()
                );
            }
        }
    }

    /// What the listeners were told.
    fn listen(&self, marks: &[Mark], expected: Option<&Seen>, seen: &mut Seen) {
        for (number, (player, &mark)) in self.nodes.iter().zip(marks).enumerate() {
            match expected {
                Some(expected) => {
                    let mut missing = expected.told.get(number).map_or(0, Vec::len);
                    let _ = (missing > 0).then(|| {
                        player.told.wait(mark, PATIENCE / 4, |line| {
                            missing -= usize::from(!is_chance(line));
                            (missing == 0).then_some(())
                        })
                    });
                }
                None => drop(player.told.wait_until(QUIET / 2, |_| false)),
            }
            let mut told = player.told.since(mark);
            // Each instance and group for itself: which of several is told of first is chance.
            told.retain(|line| !is_chance(line));
            told.sort_by_key(|line| line.split('"').nth(1).map(str::to_owned));
            seen.told[number] = told;
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
            let (Content::Arp(claim) | Content::NeighbourAdvert(claim)) = &captured.frame.content
            else {
                continue;
            };
            let leads = masters.iter().any(|masters| masters.contains(&node));
            if leads && !chance && claim.gratuitous && is_floating(claim.address) {
                let holder = claim.holder.map(|byte| format!("{byte:02x}")).join(":");
                announced.insert(format!("{} at {holder} by {}", claim.address, node + 1));
            }
        }
        seen.announced = announced.into_iter().collect();
    }

    /// Waits for what is to be said: who takes leave is told of before the wire has it.
    fn await_said(&self, mark: Mark, expected: &Seen) {
        let mut missing: Vec<&String> = expected.said.iter().flatten().collect();
        if missing.is_empty() {
            return;
        }
        // What does not come is told by the comparison.
        let _ = self.lan.capture().frames().wait(mark, PATIENCE / 4, |captured| {
            let adverts = self.routers.iter().filter_map(|router| router.advert(&captured.frame));
            for text in adverts.map(said) {
                missing.retain(|&line| *line != text);
            }
            missing.is_empty().then_some(())
        });
    }

    fn note_said(&mut self, node: usize, captured: &Captured, seen: &mut Seen) {
        for (number, router) in self.routers.iter().enumerate() {
            let Some(advert) = router.advert(&captured.frame) else { continue };
            let text = said(advert);
            let key = (number, advert.destination);
            let last = self.nodes[node].last_said.insert(key, text.clone());
            if last.as_ref() != Some(&text) {
                seen.said[node].push(text);
            }
        }
        // Each router for itself: which of several speaks first is chance.
        seen.said[node].sort_by_key(|text| text.split(' ').nth(3).map(str::to_owned));
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
    fn new(binary: Binary) -> Self {
        let directory = Scratch::new();
        let told = Timeline::default();
        let path = directory.path().join("fifo");
        mkfifo(&path, Mode::from_bits_truncate(0o600)).expect("the directory is ours");
        // Open for writing too, so that there is no end while nobody else writes.
        let fifo = OpenOptions::new().read(true).write(true).open(&path);
        let fifo = fifo.expect("we have just made it");
        read_lines(fifo, told.clone());
        Self { binary, directory, daemon: None, told, last_said: HashMap::new() }
    }

    fn config(&self, text: &str) -> String {
        let directory = self.directory.path().display().to_string();
        (COMMON.to_owned() + text).replace("$DIR", &directory)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.daemon = None;
        // Its reader ends with this line.
        let _ = fs::write(self.directory.path().join("fifo"), END);
    }
}

/// What ends the reader of a FIFO.
const END: &str = "end of the story\n";

fn read_lines(fifo: File, told: Timeline<String>) {
    thread::spawn(move || {
        for line in BufReader::new(fifo).lines().map_while(Result::ok) {
            if line == END.trim_end() {
                return;
            }
            told.push(line);
        }
    });
}

/// An advert as it is compared.
fn said(advert: &Advert) -> String {
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
fn is_chance(line: &str) -> bool {
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
