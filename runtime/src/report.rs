//! The text of dumps: lines with an indentation, for files and for the log.

mod command;
mod time;

use std::fmt::{Display, Write};

pub use command::command;
pub use time::Moment;

/// Blanks that each level is indented by.
const STEP: usize = 2;

/// A text that grows line by line.
#[derive(Debug)]
pub struct Report {
    text: String,
    depth: usize,
    shows_state: bool,
}

impl Report {
    /// A report on everything, for a file.
    pub fn of_state() -> Self {
        Self { text: String::new(), depth: 0, shows_state: true }
    }

    /// A report on what was configured, for the log: without what changes while the daemon runs.
    pub(crate) fn of_configuration() -> Self {
        Self { text: String::new(), depth: 0, shows_state: false }
    }

    /// Whether what changes while the daemon runs belongs into it.
    pub fn shows_state(&self) -> bool {
        self.shows_state
    }

    /// Begins a section.
    pub fn heading(&mut self, title: &str) {
        self.text.extend(["------< ", title, " >------\n"]);
    }

    /// A line by itself.
    pub fn line(&mut self, text: impl Display) {
        self.indent();
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{text}");
    }

    /// `name = value`.
    pub fn field(&mut self, name: &str, value: impl Display) {
        self.indent();
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{name} = {value}");
    }

    /// `name = value`, if there is a value.
    pub fn field_if_any(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.field(name, value);
        }
    }

    /// A line, if `condition` holds.
    pub fn line_if(&mut self, condition: bool, text: &str) {
        if condition {
            self.line(text);
        }
    }

    /// What belongs to the line before, one level deeper.
    pub fn inside(&mut self, content: impl FnOnce(&mut Self)) {
        self.depth += 1;
        content(self);
        self.depth -= 1;
    }

    /// A title with a list below it, one level deeper each; nothing without entries.
    pub fn list(&mut self, title: &str, entries: impl IntoIterator<Item = impl Display>) {
        let mut entries = entries.into_iter().peekable();
        if entries.peek().is_none() {
            return;
        }
        self.line(title);
        self.inside(|report| entries.for_each(|entry| report.line(entry)));
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.text
    }

    /// The lowest level has one blank.
    fn indent(&mut self) {
        let blanks = 1 + STEP * self.depth;
        self.text.extend(std::iter::repeat_n(' ', blanks));
    }
}

/// `yes` or `no`.
pub fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// `enabled` or `disabled`.
pub fn enabled(value: bool) -> &'static str {
    if value { "enabled" } else { "disabled" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_indented_by_what_they_belong_to() {
        let mut report = Report::of_state();
        report.heading("Things");
        report.field("Name", "one");
        report.inside(|report| {
            report.field_if_any("Weight", Some(3));
            report.field_if_any("Colour", None::<&str>);
            report.list("Parts :", ["a", "b"]);
            report.list("Leftovers :", [""; 0]);
        });
        report.line_if(true, "end");
        let expected = "------< Things >------\n Name = one\n   Weight = 3\n   Parts :\n     a\n     b\n end\n";
        assert_eq!(report.into_text(), expected);
    }
}
