//! What was seen of a step.

use lab::Scene;

/// What was seen of a step.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What happened.
    pub(crate) event: String,
    /// What the kernels hold then.
    pub(crate) kernel: Vec<String>,
    /// What listeners were told, in order, node by node.
    pub(crate) told: Vec<Vec<String>>,
    /// What scripts were called with, in order, node by node.
    pub(crate) ran: Vec<Vec<String>>,
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
            ran: vec![Vec::new(); nodes],
            said: vec![Vec::new(); nodes],
            ..Self::default()
        }
    }

    /// As it is recorded.
    pub(crate) fn scene(&self) -> Scene {
        let mut scene = Scene::new(&self.event);
        for line in &self.kernel {
            scene.note("kernel", line);
        }
        for (kind, lists) in [("told", &self.told), ("ran", &self.ran), ("said", &self.said)] {
            for (node, lines) in (1..).zip(lists) {
                for line in lines {
                    scene.note(kind, format!("{node} {line}"));
                }
            }
        }
        for line in &self.announced {
            scene.note("announced", line);
        }
        scene
    }
}
