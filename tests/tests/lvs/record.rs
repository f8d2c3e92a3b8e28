//! What was seen of a step.

use lab::Scene;

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
    /// What a record says.
    pub(crate) fn recorded(scene: &Scene) -> Self {
        let [log, told, notified, table] = ["log", "told", "notified", "table"]
            .map(|kind| scene.of(kind).map(str::to_owned).collect());
        Self { event: scene.event.clone(), log, told, notified, table }
    }

    /// As it is recorded.
    pub(crate) fn scene(&self) -> Scene {
        let mut scene = Scene::new(&self.event);
        let lists = [
            ("log", &self.log),
            ("told", &self.told),
            ("notified", &self.notified),
            ("table", &self.table),
        ];
        for (kind, lines) in lists {
            for line in lines {
                scene.note(kind, line);
            }
        }
        scene
    }

    /// Whether everybody was told what they should be.
    pub(crate) fn is_told(&self, expected: &Self) -> bool {
        (&self.log, &self.told, &self.notified)
            == (&expected.log, &expected.told, &expected.notified)
    }
}
