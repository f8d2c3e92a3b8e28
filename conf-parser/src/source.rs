//! The files of a configuration, as one stream of physical lines.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::vec;

use crate::diagnostic::{Origin, Source};
use crate::glob::{glob, has_brace};
use crate::include::{Checks, Problem};
use crate::limits::{Budget, MAX_LINE, MAX_NESTING, Spent};
use crate::text::{Text, Whole};
use crate::{Class, Diagnostics, FileId, Place};

/// The files that are being read, the innermost last.
pub(crate) struct Sources {
    stack: Vec<Files>,
    /// The problems with includes that are errors, whatever the include line says.
    pub(crate) checks: Checks,
    /// Where names are relative that do not come from a file.
    directory: Rc<Path>,
    /// Whether nothing but the text that was handed over is read.
    is_closed: bool,
}

/// The files that one include line, or the main pattern, stands for.
struct Files {
    rest: vec::IntoIter<OsString>,
    /// The include line.
    place: Option<Place>,
    letter: Checks,
    /// What [`Sources::checks`] were before.
    saved: Checks,
    /// Where the names are relative to.
    directory: Rc<Path>,
    open: Option<Open>,
}

/// A file that is being read.
struct Open {
    whole: Rc<Whole>,
    at: usize,
    file: FileId,
    line: u32,
    /// Whether it held bytes that are not UTF-8.
    is_mended: bool,
    directory: Rc<Path>,
    /// `None` where the text came from no file.
    identity: Option<Identity>,
}

/// Device and inode of a file.
type Identity = (u64, u64);

/// A physical line without its end. Empty where the line is refused.
pub(crate) struct Physical {
    pub(crate) text: Text,
    /// Whether its file held bytes that are not UTF-8.
    pub(crate) is_mended: bool,
}

impl Sources {
    /// Nothing to read yet. `checks` are errors with includes from the outset.
    pub(crate) fn new(checks: Checks) -> Self {
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self { stack: Vec::new(), checks, directory: directory.into(), is_closed: false }
    }

    /// Reads the files that the main pattern stands for. Any problem with them leaves nothing to read.
    pub(crate) fn open_main(
        &mut self,
        pattern: &Path,
        budget: &mut Budget,
        diagnostics: &mut Diagnostics,
    ) {
        let pattern = pattern.to_string_lossy();
        let mut main = Opening {
            checks: Checks::of_main(),
            place: None,
            directory: Rc::clone(&self.directory),
            failed: false,
            diagnostics,
        };
        let names = main.find(&pattern);
        let usable = names.iter().filter(|name| main.accepts(name)).count() == names.len();
        if main.failed || names.is_empty() || !usable {
            diagnostics.main_failed();
            return;
        }
        if names.len() > 1 {
            let first = names.first().map(|name| name.to_string_lossy()).unwrap_or_default();
            let text = format!(
                "WARNING, multiple configuration file matches of {pattern}, starting with {first}"
            );
            diagnostics.report_overall(Class::MultipleFiles, text);
        }
        self.push(names, None, Checks::of_main());
        let opened = self.open_next(budget, diagnostics);
        if opened.is_err() || self.stack.is_empty() {
            diagnostics.main_failed();
            self.stack.clear();
        }
    }

    /// Reads `text` as if it were a file called `name`, and nothing besides: includes find no files.
    pub(crate) fn open_text(
        &mut self,
        name: &str,
        text: &[u8],
        budget: &mut Budget,
        diagnostics: &mut Diagnostics,
    ) {
        self.is_closed = true;
        let mended = String::from_utf8_lossy(text);
        let is_mended = matches!(mended, std::borrow::Cow::Owned(_));
        let source = Source { name: name.to_owned(), origin: Origin::Text((&*mended).into()) };
        let file = diagnostics.add_source(source);
        if budget.file(text.len(), None, diagnostics).is_err() {
            return;
        }
        self.push(Vec::new(), None, Checks::of_main());
        let directory = Rc::clone(&self.directory);
        if let Some(files) = self.stack.last_mut() {
            let whole = Whole::written(mended.into_owned());
            let at = 0;
            files.open =
                Some(Open { whole, at, file, line: 0, is_mended, directory, identity: None });
        }
    }

    /// Goes on with the files that an include line stands for.
    pub(crate) fn include(
        &mut self,
        pattern: &str,
        letter: Checks,
        place: Place,
        budget: &mut Budget,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Spent> {
        if self.stack.len() >= MAX_NESTING {
            let text = format!("includes are nested more than {MAX_NESTING} deep");
            diagnostics.report(Class::GeneralError, place, text);
            return Ok(());
        }
        let mut opening = Opening {
            checks: self.checks.with(letter),
            place: Some(place),
            directory: Rc::from(self.directory()),
            failed: false,
            diagnostics,
        };
        if self.is_closed {
            opening.problem(Problem::Match, format!("Config files missing '{pattern}'."));
            return Ok(());
        }
        let names = opening.find(pattern);
        if names.is_empty() {
            return Ok(());
        }
        self.push(names, Some(place), letter);
        self.open_next(budget, diagnostics)
    }

    fn push(&mut self, names: Vec<OsString>, place: Option<Place>, letter: Checks) {
        let directory = Rc::from(self.directory());
        let rest = names.into_iter();
        let saved = self.checks;
        self.stack.push(Files { rest, place, letter, saved, directory, open: None });
    }

    /// The directory that names in the current line are relative to.
    pub(crate) fn directory(&self) -> &Path {
        let open = self.stack.iter().rev().find_map(|files| files.open.as_ref());
        open.map_or(&*self.directory, |open| &*open.directory)
    }

    /// The next line, of whatever file.
    pub(crate) fn next_line(
        &mut self,
        budget: &mut Budget,
        diagnostics: &mut Diagnostics,
    ) -> Option<Physical> {
        loop {
            let files = self.stack.last_mut()?;
            if let Some(line) = files.open.as_mut().and_then(Open::next_line) {
                return Some(line.checked(diagnostics));
            }
            files.open = None;
            self.checks = files.saved;
            self.open_next(budget, diagnostics).ok()?;
        }
    }

    /// Opens the next of the innermost files; without one, these are done.
    fn open_next(
        &mut self,
        budget: &mut Budget,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Spent> {
        loop {
            let active: Vec<_> = self.stack.iter().filter_map(Files::identity).collect();
            let Some(files) = self.stack.last_mut() else { return Ok(()) };
            let Some(name) = files.rest.next() else {
                self.stack.pop();
                return Ok(());
            };
            let mut opening = Opening {
                checks: self.checks.with(files.letter),
                place: files.place,
                directory: Rc::clone(&files.directory),
                failed: false,
                diagnostics,
            };
            files.open = opening.open(&name, &active, budget)?;
            if files.open.is_some() {
                return Ok(());
            }
        }
    }
}

impl Files {
    fn identity(&self) -> Option<Identity> {
        self.open.as_ref()?.identity
    }
}

impl Open {
    fn next_line(&mut self) -> Option<Physical> {
        let rest = self.whole.as_str().get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n').unwrap_or(rest.len());
        let range = self.at..self.at + length;
        self.at += (length + 1).min(rest.len());
        self.line = self.line.saturating_add(1);
        let text = Text::written(&self.whole, range, self.file, self.line);
        Some(Physical { text, is_mended: self.is_mended })
    }
}

impl Physical {
    /// The line without carriage returns at its end; empty, and reported, if it cannot be one.
    fn checked(mut self, diagnostics: &mut Diagnostics) -> Self {
        let text = self.text.as_str();
        let message = if text.len() > MAX_LINE {
            "line too long - ignoring"
        } else if text.contains('\0') {
            "configuration appears to have embedded NULs - ignoring line"
        } else {
            let end = text.trim_end_matches('\r').len();
            self.text.keep(0..end);
            return self;
        };
        let place = Place { length: 0, column: 0, ..self.text.place() };
        diagnostics.report(Class::GeneralError, place, message);
        self.text.keep(0..0);
        self
    }
}

/// What is needed to find and open files, and to report what is wrong with them.
struct Opening<'a> {
    checks: Checks,
    place: Option<Place>,
    directory: Rc<Path>,
    /// Whether a problem was an error.
    failed: bool,
    diagnostics: &'a mut Diagnostics,
}

impl Opening<'_> {
    fn problem(&mut self, problem: Problem, message: String) {
        let class = if self.checks.has(problem) {
            self.failed = true;
            self.diagnostics.include_failed();
            Class::FileNotFound
        } else {
            Class::Harmless
        };
        match self.place {
            Some(place) => self.diagnostics.report(class, place, message),
            None => self.diagnostics.report_overall(class, message),
        }
    }

    /// The names that match `pattern`; none when they must not be read.
    fn find(&mut self, pattern: &str) -> Vec<OsString> {
        let Ok(found) = glob(&self.directory, pattern) else {
            let text = format!(
                "Error reading config file(s): glob(\"{pattern}\") goes through too many names, skipping."
            );
            self.problem(Problem::Read, text);
            return Vec::new();
        };
        match (found.names.is_empty(), found.missing) {
            (true, true) => {
                let brace = has_brace(pattern);
                let problem = if brace { Problem::Brace } else { Problem::Match };
                self.problem(problem, format!("Config files missing '{pattern}'."));
            }
            (true, false) if found.searched && self.checks.has(Problem::Wildcard) => {
                self.problem(Problem::Wildcard, format!("No config files matched '{pattern}'."));
            }
            (false, true) => {
                self.problem(Problem::Brace, format!("Some config files missing: \"{pattern}\"."));
                if self.checks.has(Problem::Brace) {
                    return Vec::new();
                }
            }
            (true, false) | (false, false) => {}
        }
        found.names
    }

    fn path(&self, name: &OsStr) -> PathBuf {
        self.directory.join(name)
    }

    /// Whether a file may be read at all.
    fn accepts(&mut self, name: &OsStr) -> bool {
        let shown = name.to_string_lossy();
        if name.as_bytes().ends_with(b"/") {
            let text = format!("Configuration file '{shown}' is a directory - skipping");
            self.problem(Problem::Read, text);
            return false;
        }
        let metadata = self.path(name).metadata();
        let regular = metadata.is_ok_and(|data| data.is_file() && data.mode() & 0o111 == 0);
        if !regular {
            let text = format!(
                "Configuration file '{shown}' is not a regular non-executable file - skipping"
            );
            self.problem(Problem::Read, text);
        }
        regular
    }

    /// Opens a file, unless it is not usable or already being read.
    fn open(
        &mut self,
        name: &OsStr,
        active: &[Identity],
        budget: &mut Budget,
    ) -> Result<Option<Open>, Spent> {
        if !self.accepts(name) {
            return Ok(None);
        }
        let shown = name.to_string_lossy();
        let path = self.path(name);
        let (bytes, identity) = match read(&path, budget.text_left()) {
            Ok((Some(bytes), identity)) => (bytes, identity),
            Ok((None, _)) => {
                budget.file(usize::MAX, self.place, self.diagnostics)?;
                return Ok(None);
            }
            Err(error) => {
                let text =
                    format!("Configuration file '{shown}' open problem ({error}) - skipping");
                self.problem(Problem::Read, text);
                return Ok(None);
            }
        };
        if active.contains(&identity) {
            let text = format!("Configuration file '{shown}' includes itself - skipping");
            match self.place {
                Some(place) => self.diagnostics.report(Class::GeneralError, place, text),
                None => self.diagnostics.report_overall(Class::GeneralError, text),
            }
            return Ok(None);
        }
        budget.file(bytes.len(), self.place, self.diagnostics)?;
        let (text, is_mended) = match String::from_utf8(bytes) {
            Ok(text) => (text, false),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
        };
        let parent = path.parent().filter(|_| name.as_bytes().contains(&b'/'));
        let directory = parent.map_or_else(|| Rc::clone(&self.directory), Rc::from);
        let origin = Origin::File(path);
        let file = self.diagnostics.add_source(Source { name: shown.into_owned(), origin });
        let identity = Some(identity);
        let whole = Whole::written(text);
        Ok(Some(Open { whole, at: 0, file, line: 0, is_mended, directory, identity }))
    }
}

/// A file's bytes, unless there are more than `limit`, and which file it is.
fn read(path: &Path, limit: usize) -> std::io::Result<(Option<Vec<u8>>, Identity)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let identity = (metadata.dev(), metadata.ino());
    let Some(length) = usize::try_from(metadata.len()).ok().filter(|length| *length <= limit)
    else {
        return Ok((None, identity));
    };
    // A file may be longer than it says.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::with_capacity(length.saturating_add(1));
    file.take(most).read_to_end(&mut bytes)?;
    Ok((Some(bytes).filter(|bytes| bytes.len() <= limit), identity))
}
