//! What was seen of a story.

use std::fmt;

/// What was seen, step by step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Record(pub(crate) Vec<Seen>);

/// What was seen of a step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What happened.
    pub(crate) event: String,
    /// What the kernels hold then.
    pub(crate) kernel: Vec<String>,
    /// What listeners were told, in order, node by node.
    pub(crate) told: Vec<Vec<String>>,
    /// What routers said that they had not said before, in order, node by node.
    pub(crate) said: Vec<Vec<String>>,
    /// Which addresses were announced.
    pub(crate) announced: Vec<String>,
}

impl Seen {
    /// A step of which nothing was seen yet.
    pub(crate) fn new(event: &str, nodes: usize) -> Self {
        Self {
            event: event.to_owned(),
            told: vec![Vec::new(); nodes],
            said: vec![Vec::new(); nodes],
            ..Self::default()
        }
    }
}

impl Record {
    /// Reads what [`fmt::Display`] wrote.
    ///
    /// # Panics
    ///
    /// If it is not that.
    pub(crate) fn parse(text: &str) -> Self {
        let mut steps: Vec<Seen> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let Some(seen) = line.strip_prefix("    ") else {
                steps.push(Seen { event: line.to_owned(), ..Seen::default() });
                continue;
            };
            let step = steps.last_mut().expect("a step begins with what happened");
            let (kind, rest) = seen.split_once(' ').expect("a line says what it is about");
            let by_node = |lists: &mut Vec<Vec<String>>| {
                let (node, text) = rest.split_once(' ').expect("a line names its node");
                let node: usize = node.parse().expect("nodes have numbers");
                if lists.len() < node {
                    lists.resize(node, Vec::new());
                }
                lists[node - 1].push(text.to_owned());
            };
            match kind {
                "kernel" => step.kernel.push(rest.to_owned()),
                "told" => by_node(&mut step.told),
                "said" => by_node(&mut step.said),
                "announced" => step.announced.push(rest.to_owned()),
                _ => panic!("not understood: {line}"),
            }
        }
        Self(steps)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.event)?;
        for line in &self.kernel {
            writeln!(f, "    kernel {line}")?;
        }
        for (kind, lists) in [("told", &self.told), ("said", &self.said)] {
            for (node, lines) in (1..).zip(lists) {
                for line in lines {
                    writeln!(f, "    {kind} {node} {line}")?;
                }
            }
        }
        self.announced.iter().try_for_each(|line| writeln!(f, "    announced {line}"))
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|seen| write!(f, "{seen}"))
    }
}
