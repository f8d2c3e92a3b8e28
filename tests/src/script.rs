//! What stories are written as: what is said of the whole, configurations, and what happens, one line after the other.

/// The text of a story, in its parts.
///
/// Lines at the beginning say what holds for all of it; those that begin with `#` say it to the reader. Then come parts
/// that begin with `-- config NAME` or `-- events`.
#[derive(Debug, Default)]
pub struct Script {
    /// What holds for all of it, a line each, in words.
    pub settings: Vec<Vec<String>>,
    /// What happens.
    pub events: Vec<String>,
    configs: Vec<(String, String)>,
}

impl Script {
    /// Takes a text apart.
    ///
    /// # Panics
    ///
    /// If a part is neither of the two.
    pub fn parse(text: &str) -> Self {
        let mut script = Self::default();
        let mut parts = text.split("\n-- ");
        for line in parts.next().into_iter().flat_map(str::lines) {
            if !line.trim().is_empty() && !line.starts_with('#') {
                script.settings.push(line.split_whitespace().map(str::to_owned).collect());
            }
        }
        for part in parts {
            let (title, body) = part.split_once('\n').expect("a part has a title line");
            match title.split_whitespace().collect::<Vec<_>>()[..] {
                ["config", name] => script.configs.push((name.to_owned(), body.to_owned())),
                ["events"] => {
                    let lines = body.lines().map(str::trim).filter(|line| !line.is_empty());
                    script.events = lines.map(str::to_owned).collect();
                }
                _ => panic!("not understood: {title}"),
            }
        }
        script
    }

    /// The configuration called `name`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn config(&self, name: &str) -> &str {
        let found = self.configs.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("there is no configuration {name}")).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_settings_configurations_and_events() {
        let script = Script::parse(
            "# For the reader.\nnodes 3\n\n-- config main\nglobal_defs {\n}\n\n-- events\nstart 1\n  stop 1\n",
        );
        assert_eq!(script.settings, [["nodes", "3"]]);
        assert_eq!(script.config("main"), "global_defs {\n}\n");
        assert_eq!(script.events, ["start 1", "stop 1"]);
    }
}
