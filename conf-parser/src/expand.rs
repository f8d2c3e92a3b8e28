//! From physical lines to logical ones: comments, conditions, definitions, sequences, includes and braces.

use std::rc::Rc;

use crate::comment::{strip, unescape};
use crate::definition::{Definitions, Surroundings, split_definition, starts_afresh};
use crate::include::split_include;
use crate::limits::{Budget, MAX_EXPANDED, MAX_NESTING, Spent};
use crate::sequence::{MAX_NUMBERS, Refusal, Sequence, number_seq, parse_lst, split_seq};
use crate::source::{Physical, Sources};
use crate::text::Text;
use crate::words::has_open_quote;
use crate::{Class, Diagnostics, FileId, Line, Options, Place};

/// A logical line.
pub(crate) enum Logical {
    /// `{`
    Open(Place),
    /// `}`
    Close(Place),
    /// Anything else.
    Line(Line),
    /// A line with a `"` that is not closed, which was not reported yet: the words before that, and where the line stands.
    Unmatched(Line, Place),
}

/// Makes logical lines.
pub(crate) struct Expander<'o> {
    options: &'o Options,
    pub(crate) sources: Sources,
    pub(crate) definitions: Definitions,
    pub(crate) budget: Budget,
    /// What follows the brace that came last.
    tail: Option<Text>,
    /// What comes before the next physical line, the innermost last.
    pending: Vec<Pending>,
    /// The last line whose open quote was reported.
    open_quote: Option<(FileId, u32)>,
}

/// Lines that are made, and not read.
enum Pending {
    /// A line for each item.
    Repeated { sequence: Sequence, body: Text },
    /// The lines of a definition that are left, from `next` on.
    Defined { lines: Rc<[String]>, next: usize, place: Place },
}

impl Pending {
    fn is_over(&self) -> bool {
        match self {
            Pending::Repeated { sequence, .. } => sequence.is_over(),
            Pending::Defined { lines, next, .. } => *next >= lines.len(),
        }
    }
}

/// How often a line may turn into a condition or sequence by expansion. Beyond that it does so for ever.
const MAX_ROUNDS: usize = 8;

impl<'o> Expander<'o> {
    pub(crate) fn new(options: &'o Options, sources: Sources, budget: Budget) -> Self {
        Self {
            options,
            sources,
            definitions: Definitions::default(),
            budget,
            tail: None,
            pending: Vec::new(),
            open_quote: None,
        }
    }

    /// The next logical line; `None` at the end, or when a bound was reached.
    pub(crate) fn next(&mut self, diagnostics: &mut Diagnostics) -> Option<Logical> {
        loop {
            let text = self.next_text(diagnostics)?;
            self.budget.line(&text, diagnostics).ok()?;
            if text.is_empty() {
                continue;
            }
            if let Some(text) = self.expand(text, diagnostics).ok()? {
                return Some(self.split(text));
            }
        }
    }

    fn next_text(&mut self, diagnostics: &mut Diagnostics) -> Option<Text> {
        if self.budget.is_spent() {
            return None;
        }
        if let Some(tail) = self.tail.take() {
            return Some(tail);
        }
        if let Some(text) = self.next_pending() {
            self.budget.text(text.as_str().len(), Some(text.place()), diagnostics).ok()?;
            return Some(text);
        }
        loop {
            let physical = self.sources.next_line(&mut self.budget, diagnostics)?;
            let text = self.strip_physical(physical, diagnostics);
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    /// The next line that is made. What made the line before stays until then, so that lines that make themselves again
    /// nest, and are noticed.
    fn next_pending(&mut self) -> Option<Text> {
        while self.pending.last()?.is_over() {
            self.pending.pop();
        }
        match self.pending.last_mut()? {
            Pending::Repeated { sequence, body } => {
                for (name, value) in sequence.advance() {
                    self.definitions.define(&name, &value);
                }
                Some(body.clone())
            }
            Pending::Defined { lines, next, place } => {
                let line = lines.get(*next).map_or("", String::as_str);
                *next += 1;
                Some(Text::standing_for(line, *place))
            }
        }
    }

    /// The text of a physical line, without comment and surrounding blanks.
    fn strip_physical(&mut self, line: Physical, diagnostics: &mut Diagnostics) -> Text {
        let Physical { mut text, is_mended } = line;
        let stripped = strip(text.as_str());
        stripped.apply(&mut text);
        if stripped.open_quote {
            self.report_open_quote(&text, diagnostics);
        }
        if is_mended && text.as_str().contains(char::REPLACEMENT_CHARACTER) {
            diagnostics.report(
                Class::Warning,
                text.place(),
                "line is not valid UTF-8: the wrong bytes are replaced",
            );
        }
        text
    }

    fn report_open_quote(&mut self, text: &Text, diagnostics: &mut Diagnostics) {
        let place = text.place();
        if self.open_quote != Some((place.file, place.line)) {
            self.open_quote = Some((place.file, place.line));
            let message = format!("Unterminated quote '{}'", text.as_str());
            diagnostics.report(Class::GeneralError, place, message);
        }
    }

    /// Follows conditions, definitions, sequences and includes. `None` when nothing is left of the text itself.
    fn expand(
        &mut self,
        mut text: Text,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Text>, Spent> {
        for _ in 0..MAX_ROUNDS {
            if text.as_str().starts_with('@') {
                let Some(start) = self.condition(text.as_str()) else { return Ok(None) };
                text = text.tail(start);
            }
            if let Some((name, value)) = split_definition(text.as_str()) {
                self.define(name, text.as_str().get(value..).unwrap_or_default(), diagnostics);
                return Ok(None);
            }
            if text.as_str().starts_with("~SEQ") || text.as_str().starts_with("~LST") {
                self.repeat(text, diagnostics)?;
                return Ok(None);
            }
            if text.as_str().starts_with('~') || !self.replace(&mut text, diagnostics)? {
                return self.include(text, diagnostics);
            }
            if text.is_empty() {
                return Ok(None);
            }
            if !starts_afresh(text.as_str()) {
                return self.include(text, diagnostics);
            }
        }
        let message = format!("'{}' expands without end", text.as_str());
        diagnostics.report(Class::GeneralError, text.place(), message);
        Ok(None)
    }

    /// Where the text starts that a condition lets pass; `None` when it does not, or when there is none.
    fn condition(&self, text: &str) -> Option<usize> {
        let rest = text.strip_prefix('@')?;
        let (id, negated) = match rest.strip_prefix('^') {
            Some(id) => (id, true),
            None => (rest, false),
        };
        let (id, after) = id.split_at(id.find([' ', '\t'])?);
        let matches = id == self.options.config_id;
        (matches != negated).then(|| text.len() - after.trim_start_matches([' ', '\t']).len())
    }

    /// Makes a definition. A backslash at the end of its value takes in the physical lines that follow, up to one without
    /// a backslash, or an empty one.
    fn define(&mut self, name: &str, value: &str, diagnostics: &mut Diagnostics) {
        let Some(first) = value.strip_suffix('\\') else {
            self.definitions.define(name, value);
            return;
        };
        let mut lines = vec![first.trim_end_matches([' ', '\t']).to_owned()];
        while let Some(physical) = self.sources.next_line(&mut self.budget, diagnostics) {
            if physical.text.is_empty() {
                break;
            }
            let text = self.strip_physical(physical, diagnostics);
            if text.is_empty() {
                continue;
            }
            match text.as_str().strip_suffix('\\') {
                Some(line) => lines.push(line.trim_end_matches([' ', '\t']).to_owned()),
                None => {
                    lines.push(text.as_str().to_owned());
                    break;
                }
            }
        }
        lines.retain(|line| !line.is_empty());
        self.definitions.define_lines(name, lines);
    }

    /// Starts a `~SEQ` or `~LST`.
    fn repeat(&mut self, text: Text, diagnostics: &mut Diagnostics) -> Result<(), Spent> {
        let started = if text.as_str().starts_with("~SEQ") {
            self.start_seq(&text, diagnostics)?
        } else {
            parse_lst(text.as_str())
        };
        match started {
            Ok((sequence, body)) => {
                let body = text.tail(body);
                self.push(Pending::Repeated { sequence, body }, text.place(), diagnostics)?;
            }
            Err(refusal) => {
                let kind = text.as_str().get(..4).unwrap_or_default();
                let message = format!("Invalid {kind} specification '{}'", text.as_str());
                for message in refusal.into_iter().chain([message]) {
                    diagnostics.report(Class::GeneralError, text.place(), message);
                }
            }
        }
        Ok(())
    }

    fn start_seq(
        &mut self,
        text: &Text,
        diagnostics: &mut Diagnostics,
    ) -> Result<Result<(Sequence, usize), Refusal>, Spent> {
        let head = match split_seq(text.as_str()) {
            Ok(head) => head,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut numbers = text.tail(head.numbers.start);
        numbers.keep(0..head.numbers.len());
        let surroundings = Surroundings {
            directory: self.sources.directory(),
            config_id: &self.options.config_id,
        };
        let expanded = self.definitions.expand(
            &mut numbers,
            MAX_NUMBERS,
            surroundings,
            &mut self.budget,
            diagnostics,
        )?;
        if !expanded.lines.is_empty() {
            let message = format!("~SEQ parameter is multiline definition '{}'", text.as_str());
            return Ok(Err(Some(message)));
        }
        let sequence = number_seq(text.as_str(), &head, numbers.as_str());
        Ok(sequence.map(|sequence| (sequence, head.body)))
    }

    fn push(
        &mut self,
        pending: Pending,
        place: Place,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Spent> {
        if self.pending.len() >= MAX_NESTING {
            return self.budget.nesting(place, diagnostics);
        }
        self.pending.push(pending);
        Ok(())
    }

    /// Puts in definitions; whether there were any.
    fn replace(&mut self, text: &mut Text, diagnostics: &mut Diagnostics) -> Result<bool, Spent> {
        if text.is_settled() || !text.as_str().contains('$') {
            return Ok(false);
        }
        let place = text.place();
        let surroundings = Surroundings {
            directory: self.sources.directory(),
            config_id: &self.options.config_id,
        };
        let expanded = self.definitions.expand(
            text,
            MAX_EXPANDED,
            surroundings,
            &mut self.budget,
            diagnostics,
        )?;
        if !expanded.changed {
            return Ok(false);
        }
        self.budget.text(text.as_str().len(), Some(place), diagnostics)?;
        for lines in expanded.lines.into_iter().filter(|lines| lines.len() > 1) {
            self.push(Pending::Defined { lines, next: 1, place }, place, diagnostics)?;
        }
        let stripped = strip(text.as_str());
        stripped.apply(text);
        if stripped.open_quote {
            self.report_open_quote(text, diagnostics);
        }
        Ok(true)
    }

    /// Goes on in the files of an include line; hands back any other.
    fn include(
        &mut self,
        mut text: Text,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Text>, Spent> {
        if !text.as_str().starts_with("include") {
            return Ok(Some(text));
        }
        if split_include(text.as_str()).is_none() {
            return Ok(Some(text));
        }
        unescape(&mut text);
        let place = text.place();
        if let Some((pattern, letter)) = split_include(text.as_str()) {
            self.sources.include(pattern, letter, place, &mut self.budget, diagnostics)?;
        }
        Ok(None)
    }

    /// Takes a logical line off the front. A brace outside of `"…"` is one of its own.
    fn split(&mut self, mut text: Text) -> Logical {
        let Some(at) = find_brace(text.as_str()) else { return self.finish(text) };
        if at > 0 {
            self.tail = Some(text.tail(at));
            text.keep(0..at);
            return self.finish(text);
        }
        let place = text.place_of(0..1);
        let rest = text.as_str().get(1..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if blanks < rest.len() {
            self.tail = Some(text.tail(1 + blanks));
        }
        if text.as_str().starts_with('{') { Logical::Open(place) } else { Logical::Close(place) }
    }

    fn finish(&mut self, mut text: Text) -> Logical {
        let end = text.as_str().trim_end_matches([' ', '\t']).len();
        text.keep(0..end);
        if text.as_str().contains('\\') {
            unescape(&mut text);
        }
        if has_open_quote(text.as_str()) {
            let place = text.place();
            if self.open_quote != Some((place.file, place.line)) {
                return Logical::Unmatched(Line::new(text), place);
            }
        }
        Logical::Line(Line::new(text))
    }
}

/// The first brace outside of `"…"`, unless a quote is open before it.
fn find_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'}' => return Some(at),
            b'"' => at += 1 + bytes.get(at + 1..)?.iter().position(|&byte| byte == b'"')?,
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests;
