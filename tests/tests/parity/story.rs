//! What happens in a story.

use lab::{Float, Script};

/// A configuration, and what happens to the nodes that have it.
#[derive(Debug)]
pub(crate) struct Story {
    /// How many nodes there are.
    pub(crate) nodes: usize,
    /// Whether it is about something that 2.2 does not have.
    pub(crate) recent: bool,
    /// How many adverts may get lost (`down_timer_adverts`), where it is measured how long nobody is master.
    pub(crate) adverts: Option<u32>,
    /// Whether the checksum of adverts is one that tshark knows.
    pub(crate) usual_checksum: bool,
    /// The virtual routers: their addresses tell who is master.
    pub(crate) routers: Vec<Float>,
    /// What happens, one after the other.
    pub(crate) steps: Vec<Step>,
    script: Script,
}

/// Something happens to a node, and then there are these masters. Nodes are counted from 0.
#[derive(Debug)]
pub(crate) struct Step {
    /// As it is written.
    pub(crate) text: String,
    /// To whom it happens.
    pub(crate) node: usize,
    /// What happens.
    pub(crate) event: Event,
    /// Who is master of each router then.
    pub(crate) masters: Vec<Vec<usize>>,
}

/// Something that can happen to a node.
#[derive(Debug)]
pub(crate) enum Event {
    /// The daemon starts.
    Start,
    /// The daemon is asked to stop.
    Stop,
    /// The daemon and its children are killed.
    Kill,
    /// The node hears nobody, and nobody hears it.
    Cut,
    /// It does again.
    Mend,
    /// The daemon reads another configuration.
    Reload(String),
    /// A file of the node gets another content.
    Write(String, String),
    /// Lines of `ip -batch` are run.
    Ip(String),
}

impl Story {
    /// Reads a story.
    ///
    /// # Panics
    ///
    /// If it is not written as it should be.
    pub(crate) fn parse(text: &str) -> Self {
        let script = Script::parse(text);
        let mut story = Self {
            nodes: 2,
            recent: false,
            adverts: None,
            usual_checksum: true,
            routers: Vec::new(),
            steps: Vec::new(),
            script: Script::default(),
        };
        for line in &script.settings {
            match line.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["nodes", count] => story.nodes = count.parse().expect("a number of nodes"),
                ["recent"] => story.recent = true,
                ["adverts", count] => {
                    story.adverts = Some(count.parse().expect("a number of adverts"));
                }
                ["unusual", "checksum"] => story.usual_checksum = false,
                ["router", vrid, ref addresses @ ..] => story
                    .routers
                    .push(Float::new(vrid.parse().expect("a number of a router"), addresses)),
                _ => panic!("not understood: {line:?}"),
            }
        }
        let steps = script.events.iter().map(|line| Step::parse(line, story.routers.len()));
        story.steps = steps.collect();
        story.script = script;
        story
    }

    /// The configuration called `name`.
    pub(crate) fn config(&self, name: &str) -> &str {
        self.script.config(name)
    }
}

impl Step {
    /// `EVENT NODE [ARGUMENT…] -> MASTERS …`, where masters are the number of a node, `-` for none, or several numbers with
    /// `+` between. One word is for all routers, where there is not one for each.
    fn parse(line: &str, routers: usize) -> Self {
        let (text, masters) = line.split_once("->").unwrap_or_else(|| panic!("no masters: {line}"));
        let mut masters: Vec<Vec<usize>> = masters
            .split_whitespace()
            .map(|word| match word {
                "-" => Vec::new(),
                nodes => nodes.split('+').map(node).collect(),
            })
            .collect();
        if let [all] = &masters[..] {
            masters = vec![all.clone(); routers];
        }
        assert_eq!(masters.len(), routers, "masters: {line}");
        let text = text.trim();
        let (verb, rest) = text.split_once(' ').expect("an event has an object");
        let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let rest = rest.trim();
        let event = match verb {
            "start" => Event::Start,
            "stop" => Event::Stop,
            "kill" => Event::Kill,
            "cut" => Event::Cut,
            "mend" => Event::Mend,
            "reload" => Event::Reload(rest.to_owned()),
            "ip" => Event::Ip(rest.replace(';', "\n") + "\n"),
            "write" => {
                let (file, content) = rest.split_once(' ').expect("a file and its content");
                Event::Write(file.to_owned(), content.to_owned())
            }
            _ => panic!("not understood: {line}"),
        };
        Self { text: text.to_owned(), node: node(number), event, masters }
    }
}

fn node(word: &str) -> usize {
    word.parse::<usize>().ok().and_then(|number| number.checked_sub(1)).expect("nodes count from 1")
}
