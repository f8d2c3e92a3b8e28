//! Diagnostics as text: one line each for the log, source and carets for a terminal.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::fs;

use crate::diagnostic::Origin;
use crate::{Class, Diagnostic, Diagnostics, FileId, Place};

impl Diagnostics {
    /// A diagnostic as one line of the log: `(Line n) …` while a single file is read, `(file: Line n) …` otherwise.
    pub fn log_line(&self, item: &Diagnostic) -> String {
        self.line(item, self.source_count() > 1)
    }

    fn line(&self, item: &Diagnostic, names_file: bool) -> String {
        let Some(place) = item.place.filter(|place| place.line > 0) else {
            return item.message.clone();
        };
        match self.source(place.file) {
            Some(source) if names_file => {
                format!("({}: Line {}) {}", source.name, place.line, item.message)
            }
            _ => format!("(Line {}) {}", place.line, item.message),
        }
    }

    /// All that is to be shown, as lines of the log.
    pub fn render_log(&self) -> impl Iterator<Item = String> {
        self.shown().map(|item| self.log_line(item)).chain(self.more())
    }

    /// The same for a daemon that runs, which names the file in each line.
    pub fn render_daemon_log(&self) -> impl Iterator<Item = String> {
        self.shown().map(|item| self.line(item, true)).chain(self.more())
    }

    fn more(&self) -> Option<String> {
        (self.dropped() > 0).then(|| format!("{} more problems", self.dropped()))
    }

    /// All that is to be shown, for a terminal: each with its place, the line itself, a mark below the culprit and the
    /// way out. The files are read again for it.
    pub fn render_terminal(&self, color: bool) -> String {
        let mut page =
            Page { diagnostics: self, paint: Paint { color }, loaded: None, out: String::new() };
        for item in self.shown() {
            page.item(item);
            page.out.push('\n');
        }
        if self.dropped() > 0 {
            page.line(format_args!("{} more problems are not shown", self.dropped()));
        }
        page.out
    }
}

/// What is written to a terminal, with the file that was read last.
struct Page<'a> {
    diagnostics: &'a Diagnostics,
    paint: Paint,
    loaded: Option<Loaded<'a>>,
    out: String,
}

/// The lines of a file.
struct Loaded<'a> {
    file: FileId,
    text: Cow<'a, str>,
    starts: Vec<usize>,
}

impl Page<'_> {
    fn line(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.out.write_fmt(text);
        self.out.push('\n');
    }

    fn item(&mut self, item: &Diagnostic) {
        let (severity, message) = severity(item);
        let name = self.paint.bold(severity.color(), severity.name());
        let message = self.paint.bold("", &format!(": {}", printable(message)));
        self.line(format_args!("{name}{message}"));
        if let Some(place) = item.place {
            self.place(place, severity.color());
        }
        if let Some(hint) = &item.hint {
            let help = self.paint.bold(GREEN, "help");
            self.line(format_args!("{help}: {}", printable(hint)));
        }
        if let Some((place, text)) = &item.related {
            let note = self.paint.bold(CYAN, "note");
            self.line(format_args!("{note}: {}", printable(text)));
            self.place(*place, CYAN);
        }
    }

    fn place(&mut self, place: Place, color: &str) {
        let Some(source) = self.diagnostics.source(place.file).filter(|_| place.line > 0) else {
            return;
        };
        let number = place.line.to_string();
        let gutter = " ".repeat(number.len());
        let arrow = self.paint.bold(BLUE, "-->");
        let name = printable(&source.name);
        match place.column {
            0 => self.line(format_args!("{gutter}{arrow} {name}:{number}")),
            column => self.line(format_args!("{gutter}{arrow} {name}:{number}:{column}")),
        }
        let Some(text) = self.source_line(place) else { return };
        let bar = self.paint.bold(BLUE, "|");
        let shown = self.paint.bold(BLUE, &number);
        self.line(format_args!("{gutter} {bar}"));
        self.line(format_args!("{shown} {bar} {}", printable(text.trim_end())));
        if place.column > 0 {
            let (indent, width) = marked(&text, place);
            let marks = self.paint.bold(color, &"^".repeat(width));
            self.line(format_args!("{gutter} {bar} {}{marks}", " ".repeat(indent)));
        }
    }

    fn source_line(&mut self, place: Place) -> Option<String> {
        if self.loaded.as_ref().is_none_or(|loaded| loaded.file != place.file) {
            self.loaded = Some(Loaded::new(self.diagnostics, place.file)?);
        }
        let loaded = self.loaded.as_ref()?;
        let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
        let text = loaded.text.get(*loaded.starts.get(index)?..)?;
        text.split('\n').next().map(str::to_owned)
    }
}

impl<'a> Loaded<'a> {
    fn new(diagnostics: &'a Diagnostics, file: FileId) -> Option<Self> {
        let text = match &diagnostics.source(file)?.origin {
            Origin::Text(text) => Cow::Borrowed(&**text),
            Origin::File(path) => {
                Cow::Owned(String::from_utf8_lossy(&fs::read(path).ok()?).into_owned())
            }
        };
        let ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(index, _)| index + 1)).collect();
        Some(Self { file, text, starts })
    }
}

/// How a terminal calls a diagnostic.
#[derive(Clone, Copy)]
enum Severity {
    Error,
    Warning,
    Note,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }

    fn color(self) -> &'static str {
        match self {
            Severity::Error => RED,
            Severity::Warning => YELLOW,
            Severity::Note => CYAN,
        }
    }
}

fn severity(item: &Diagnostic) -> (Severity, &str) {
    if let Some(message) = item.message.strip_prefix("WARNING - ") {
        return (Severity::Warning, message);
    }
    let severity = match item.class {
        Class::Notice | Class::Harmless => Severity::Note,
        Class::MultipleFiles | Class::Warning | Class::Deprecated | Class::Security => {
            Severity::Warning
        }
        _ => Severity::Error,
    };
    (severity, &item.message)
}

const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BLUE: &str = "34";
const CYAN: &str = "36";

/// Whether and how text is coloured (ECMA-48 SGR).
#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn bold(self, color: &str, text: &str) -> String {
        match (self.color, color) {
            (false, _) => text.to_owned(),
            (true, "") => format!("\x1b[1m{text}\x1b[0m"),
            (true, color) => format!("\x1b[1;{color}m{text}\x1b[0m"),
        }
    }
}

/// The text without anything that could move the cursor. Every character stays one column wide.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// How far the marks below a line are indented, and how many there are.
fn marked(text: &str, place: Place) -> (usize, usize) {
    let column = usize::try_from(place.column.saturating_sub(1)).unwrap_or(0);
    let length = usize::try_from(place.length).unwrap_or(0);
    let count = |range: std::ops::Range<usize>| {
        text.char_indices().filter(|(index, _)| range.contains(index)).count()
    };
    (count(0..column), count(column..column.saturating_add(length)).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    fn diagnostics(files: &[(&str, &str)]) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        for (name, text) in files {
            diagnostics.add_source(Source {
                name: (*name).to_owned(),
                origin: Origin::Text((*text).into()),
            });
        }
        diagnostics
    }

    fn place(file: u32, line: u32, column: u32, length: u32) -> Place {
        Place { file: FileId(file), line, column, length }
    }

    #[test]
    fn the_log_names_the_file_when_there_are_several() {
        let mut one = diagnostics(&[("a.conf", "")]);
        one.report(Class::UnknownKeyword, place(0, 3, 1, 1), "Unknown keyword 'x'");
        one.report_overall(Class::MissingEnd, "There are 1 missing '}'s or extra '{'s");
        let lines: Vec<_> = one.render_log().collect();
        assert_eq!(
            lines,
            ["(Line 3) Unknown keyword 'x'", "There are 1 missing '}'s or extra '{'s"]
        );

        let mut two = diagnostics(&[("a.conf", ""), ("b.conf", "")]);
        two.report(Class::UnknownKeyword, place(1, 3, 1, 1), "Unknown keyword 'x'");
        assert_eq!(two.render_log().next().unwrap(), "(b.conf: Line 3) Unknown keyword 'x'");
    }

    #[test]
    fn a_test_hides_notices() {
        let mut testing = Diagnostics::for_test();
        testing.report_overall(Class::Notice, "quiet");
        testing.report_overall(Class::Harmless, "odd");
        assert_eq!(testing.render_log().collect::<Vec<_>>(), ["odd"]);
    }

    #[test]
    fn the_terminal_shows_line_mark_hint_and_related_place() {
        let mut found = diagnostics(&[("k.conf", "vrrp_instance VI {\n\tnopremept on\n")]);
        found.push(Diagnostic {
            class: Class::UnknownKeyword,
            message: "Unknown keyword 'nopremept'".to_owned(),
            place: Some(place(0, 2, 2, 9)),
            hint: Some("did you mean 'nopreempt'?".to_owned()),
            related: Some((place(0, 1, 18, 1), "the block is opened here".to_owned())),
        });
        assert_eq!(
            found.render_terminal(false),
            "error: Unknown keyword 'nopremept'\n \
             --> k.conf:2:2\n  \
             |\n\
             2 |  nopremept on\n  \
             |  ^^^^^^^^^\n\
             help: did you mean 'nopreempt'?\n\
             note: the block is opened here\n \
             --> k.conf:1:18\n  \
             |\n\
             1 | vrrp_instance VI {\n  \
             |                  ^\n\n"
        );
        assert!(found.render_terminal(true).starts_with("\x1b[1;31merror\x1b[0m"));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut found = diagnostics(&[("k.conf", "\x1b[2J")]);
        found.report(Class::UnknownKeyword, place(0, 1, 1, 4), "Unknown keyword '\x1b[2J'");
        assert!(!found.render_terminal(false).contains('\x1b'));
    }

    #[test]
    fn an_accepted_number_is_a_warning() {
        let mut found = Diagnostics::default();
        found.report_overall(Class::InvalidNumber, "WARNING - invalid number '3x'");
        assert_eq!(found.render_terminal(false), "warning: invalid number '3x'\n\n");
    }
}
