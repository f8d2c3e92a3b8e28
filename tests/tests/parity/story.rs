//! What happens in a story.

use std::net::IpAddr;

/// A configuration, and what happens to the nodes that have it.
#[derive(Debug)]
pub(crate) struct Story {
    /// How many nodes there are.
    pub(crate) nodes: usize,
    /// Whether it is about something that 2.2 does not have.
    pub(crate) recent: bool,
    /// The virtual routers: number, and the address that tells who is master.
    pub(crate) routers: Vec<(u8, IpAddr)>,
    /// The configuration, and those that a reload may bring.
    pub(crate) configs: Vec<(String, String)>,
    /// What happens, one after the other.
    pub(crate) steps: Vec<Step>,
}

/// Something happens, and then there are these masters.
#[derive(Debug)]
pub(crate) struct Step {
    /// As it is written.
    pub(crate) text: String,
    /// What happens.
    pub(crate) event: Event,
    /// Who is master of each router then.
    pub(crate) masters: Vec<Vec<usize>>,
}

/// Something that can happen. Nodes are counted from 0.
#[derive(Debug)]
pub(crate) enum Event {
    /// The daemon starts.
    Start(usize),
    /// The daemon is asked to stop.
    Stop(usize),
    /// The daemon and its children are killed.
    Kill(usize),
    /// The node hears nobody, and nobody hears it.
    Cut(usize),
    /// It does again.
    Mend(usize),
    /// The daemon reads another configuration.
    Reload(usize, String),
    /// A file of the node gets another content.
    Write(usize, String, String),
    /// Lines of `ip -batch` are run.
    Ip(usize, String),
}

impl Story {
    /// Reads a story.
    ///
    /// # Panics
    ///
    /// If it is not written as it should be.
    pub(crate) fn parse(text: &str) -> Self {
        let mut sections = text.split("\n-- ");
        let mut story = Self {
            nodes: 2,
            recent: false,
            routers: Vec::new(),
            configs: Vec::new(),
            steps: Vec::new(),
        };
        for line in sections.next().into_iter().flat_map(str::lines) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["nodes", count] => story.nodes = count.parse().expect("a number of nodes"),
                ["recent"] => story.recent = true,
                ["router", vrid, address] => story
                    .routers
                    .push((vrid.parse().expect("a number"), address.parse().expect("an address"))),
                _ => panic!("not understood: {line}"),
            }
        }
        for section in sections {
            let (title, body) = section.split_once('\n').expect("a section has a title line");
            match title.split_whitespace().collect::<Vec<_>>()[..] {
                ["config", name] => story.configs.push((name.to_owned(), body.to_owned())),
                ["events"] => {
                    let lines = body.lines().filter(|line| !line.trim().is_empty());
                    story.steps = lines.map(Step::parse).collect();
                }
                _ => panic!("not understood: {title}"),
            }
        }
        story
    }

    /// The configuration called `name`.
    pub(crate) fn config(&self, name: &str) -> &str {
        let found = self.configs.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("there is no configuration {name}")).1
    }
}

impl Step {
    /// `EVENT -> MASTER MASTER …`, where a master is the number of a node, `-` for none, or several with `+` between.
    fn parse(line: &str) -> Self {
        let (text, masters) = line.split_once("->").unwrap_or_else(|| panic!("no masters: {line}"));
        let masters = masters.split_whitespace().map(|word| match word {
            "-" => Vec::new(),
            nodes => nodes.split('+').map(node).collect(),
        });
        let text = text.trim();
        let (verb, rest) = text.split_once(' ').expect("an event has an object");
        let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (number, rest) = (node(number), rest.trim().to_owned());
        let event = match verb {
            "start" => Event::Start(number),
            "stop" => Event::Stop(number),
            "kill" => Event::Kill(number),
            "cut" => Event::Cut(number),
            "mend" => Event::Mend(number),
            "reload" => Event::Reload(number, rest),
            "ip" => Event::Ip(number, rest.replace(';', "\n") + "\n"),
            "write" => {
                let (file, content) = rest.split_once(' ').expect("a file and its content");
                Event::Write(number, file.to_owned(), content.to_owned())
            }
            _ => panic!("not understood: {line}"),
        };
        Self { text: text.to_owned(), event, masters: masters.collect() }
    }
}

fn node(word: &str) -> usize {
    word.parse::<usize>().ok().and_then(|number| number.checked_sub(1)).expect("nodes count from 1")
}
