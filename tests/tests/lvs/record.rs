//! What was seen of a story.

use std::fmt;

/// What was seen, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record(pub(crate) Vec<Seen>);

/// What was seen of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What happened.
    pub(crate) event: String,
    /// What the log said, in order.
    pub(crate) log: Vec<String>,
    /// What listeners at the FIFO were told, in order.
    pub(crate) told: Vec<String>,
    /// Arguments of notify scripts, and mails. Which of several comes first is chance.
    pub(crate) notified: Vec<String>,
    /// What the kernel holds then.
    pub(crate) table: Vec<String>,
}

impl Seen {
    /// Whether everybody was told what they should be.
    pub(crate) fn is_told(&self, expected: &Self) -> bool {
        (&self.log, &self.told, &self.notified)
            == (&expected.log, &expected.told, &expected.notified)
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
            let list = match kind {
                "log" => &mut step.log,
                "told" => &mut step.told,
                "notified" => &mut step.notified,
                "table" => &mut step.table,
                _ => panic!("not understood: {line}"),
            };
            list.push(rest.to_owned());
        }
        Self(steps)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.event)?;
        let lists = [
            ("log", &self.log),
            ("told", &self.told),
            ("notified", &self.notified),
            ("table", &self.table),
        ];
        for (kind, lines) in lists {
            for line in lines {
                writeln!(f, "    {kind} {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|seen| write!(f, "{seen}"))
    }
}
