//! What was seen of a story, as text that lies beside it.

use std::fmt;

/// What was seen, event by event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript(pub Vec<Scene>);

/// What was seen of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// What happened.
    pub event: String,
    /// What was seen then: of what kind, and what.
    pub seen: Vec<(String, String)>,
}

impl Transcript {
    /// Reads what [`fmt::Display`] wrote.
    ///
    /// # Panics
    ///
    /// If it is not that.
    pub fn parse(text: &str) -> Self {
        let mut scenes: Vec<Scene> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let Some(seen) = line.strip_prefix("    ") else {
                scenes.push(Scene::new(line));
                continue;
            };
            let scene = scenes.last_mut().expect("a scene begins with what happened");
            let (kind, rest) = seen.split_once(' ').expect("a line says what it is about");
            scene.note(kind, rest);
        }
        Self(scenes)
    }
}

impl Scene {
    /// Nothing was seen of `event` yet.
    pub fn new(event: &str) -> Self {
        Self { event: event.to_owned(), seen: Vec::new() }
    }

    /// Something of this kind was seen.
    pub fn note(&mut self, kind: &str, what: impl Into<String>) {
        self.seen.push((kind.to_owned(), what.into()));
    }

    /// What was seen of this kind, in order.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.seen.iter().filter(move |(known, _)| known == kind).map(|(_, what)| what.as_str())
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.event)?;
        self.seen.iter().try_for_each(|(kind, what)| writeln!(f, "    {kind} {what}"))
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|scene| write!(f, "{scene}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut scene = Scene::new("start 1");
        scene.note("told", "1 INSTANCE \"web\" MASTER 150");
        scene.note("kernel", "1 address eth0");
        let transcript = Transcript(vec![scene, Scene::new("stop 1")]);
        assert_eq!(Transcript::parse(&transcript.to_string()), transcript);
        assert_eq!(transcript.0[0].of("kernel").collect::<Vec<_>>(), ["1 address eth0"]);
    }
}
