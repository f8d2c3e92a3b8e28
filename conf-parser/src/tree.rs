//! From logical lines to the block tree, along the keyword tables.

use crate::diagnostic::Diagnostic;
use crate::expand::{Expander, Logical};
use crate::keyword::Shape;
use crate::suggest::suggest;
use crate::text::Text;
use crate::value::scan;
use crate::{Args, Body, Class, Diagnostics, Entry, Line, Place, Schema, Statement};

/// Builds the statements of a configuration.
pub(crate) struct Builder<'a> {
    lines: Expander<'a>,
    root: &'static dyn Schema,
    diagnostics: &'a mut Diagnostics,
    /// The `{` that are not closed yet: where each stands, and its keyword line if it has one.
    open: Vec<Place>,
    /// The `}` that was read last; `None` once there is nothing left to read.
    closed: Option<Place>,
    /// How many unknown keywords a way out may still be looked for.
    suggestions: u32,
    /// The statements so far of the blocks that are being read, those of the innermost last.
    statements: Vec<Statement>,
    /// The entries so far of the value block that is being read.
    entries: Vec<Line>,
}

/// The block whose lines are read.
#[derive(Clone, Copy)]
struct Block<'s> {
    schema: &'static dyn Schema,
    /// The keyword line of the block; `None` at the top level.
    statement: Option<&'s Line>,
    depth: usize,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(
        lines: Expander<'a>,
        root: &'static dyn Schema,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        Self {
            lines,
            root,
            diagnostics,
            open: Vec::new(),
            closed: None,
            suggestions: 100,
            statements: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// The statements of the top level.
    pub(crate) fn build(mut self) -> Vec<Statement> {
        let top = Block { schema: self.root, statement: None, depth: 0 };
        self.read(top);
        if let Some(&last) = self.open.last() {
            self.diagnostics.push(Diagnostic {
                class: Class::MissingEnd,
                message: format!("There are {} missing '}}'s or extra '{{'s", self.open.len()),
                place: None,
                hint: None,
                related: Some((last, "the block that is opened here is not closed".to_owned())),
            });
        }
        self.statements
    }

    /// The next logical line. Braces are counted whatever block they stand in.
    fn next(&mut self) -> Option<Logical> {
        let Some(next) = self.lines.next(self.diagnostics) else {
            self.closed = None;
            return None;
        };
        match next {
            Logical::Open(place) => self.open.push(place),
            Logical::Close(place) => {
                self.closed = Some(place);
                if self.open.pop().is_none() {
                    self.diagnostics.report(Class::UnexpectedEnd, place, "Extra '}' found");
                }
            }
            Logical::Line(_) | Logical::Unmatched(..) => {}
        }
        Some(next)
    }

    /// The statements of a block, up to its `}`.
    fn block(&mut self, block: Block<'_>) -> Box<[Statement]> {
        let outer = self.statements.len();
        self.read(block);
        self.statements.drain(outer..).collect()
    }

    /// Adds the statements of a block, up to its `}`.
    fn read(&mut self, block: Block<'_>) {
        let mut brace_due = block.statement.is_some();
        while let Some(next) = self.next() {
            let is_open = matches!(next, Logical::Open(_));
            if brace_due {
                brace_due = false;
                if is_open {
                    continue;
                }
                self.report_missing_brace(&next, block);
            }
            match next {
                Logical::Open(place) => {
                    let message = "Unexpected '{' - ignoring";
                    self.diagnostics.report(Class::UnexpectedBlock, place, message);
                }
                Logical::Close(_) if block.statement.is_some() => break,
                Logical::Close(place) => {
                    let message = "Unknown keyword '}'";
                    self.diagnostics.report(Class::UnknownKeyword, place, message);
                }
                Logical::Line(line) => self.add(line, block),
                Logical::Unmatched(line, place) => {
                    self.report_unmatched(&line, place, Some(block.schema));
                    self.add(line, block);
                }
            }
        }
    }

    fn add(&mut self, line: Line, block: Block<'_>) {
        let statement = self.statement(line, block);
        self.statements.extend(statement);
    }

    fn report_missing_brace(&mut self, found: &Logical, block: Block<'_>) {
        let place = match found {
            Logical::Open(place) | Logical::Close(place) | Logical::Unmatched(_, place) => *place,
            Logical::Line(line) => line.place(),
        };
        self.diagnostics.push(Diagnostic {
            class: Class::MissingBlock,
            message: "Missing '{' at beginning of configuration block".to_owned(),
            place: Some(place),
            hint: None,
            related: block
                .statement
                .map(|line| (line.place(), "this keyword must be followed by '{'".to_owned())),
        });
    }

    /// What a keyword line with all that belongs to it amounts to.
    fn statement(&mut self, line: Line, block: Block<'_>) -> Option<Statement> {
        let keyword = line.word(0)?;
        let Some(entry) = block.schema.find(keyword.text) else {
            self.report_unknown(&line, block);
            return None;
        };
        let place = keyword.place;
        self.follow(&line, entry, block);
        let body = match entry.args.shape() {
            Shape::Leaf => Body::None,
            Shape::Block(schema) => {
                let inner = Block { schema, statement: Some(&line), depth: block.depth + 1 };
                Body::Block(self.block(inner))
            }
            Shape::Lines(arguments) => Body::Lines(self.entries(&line, arguments)),
        };
        let end = match body {
            Body::None => place,
            Body::Block(_) | Body::Lines(_) => self.closed.unwrap_or(place),
        };
        Some(Statement { line, body, end })
    }

    /// The entries of a value block, up to the first `}`.
    fn entries(&mut self, keyword: &Line, arguments: usize) -> Box<[Line]> {
        let name = keyword.word(0).map_or("", |word| word.text);
        if let Some(extra) = keyword.word(arguments + 1) {
            let message = format!("Block {name} has extra parameters {} ...", extra.text);
            self.diagnostics.report(Class::GeneralError, extra.place, message);
        }
        let mut brace_due = true;
        while let Some(next) = self.next() {
            if brace_due {
                brace_due = false;
                if matches!(next, Logical::Open(_)) {
                    continue;
                }
                let message = format!("'{{' missing from beginning of block {name}");
                self.diagnostics.report(Class::Notice, keyword.place(), message);
            }
            match next {
                Logical::Open(place) => self.entries.push(brace(place)),
                Logical::Close(_) => break,
                Logical::Line(line) => self.entries.push(line),
                Logical::Unmatched(line, place) => {
                    self.report_unmatched(&line, place, None);
                    self.entries.push(line);
                }
            }
        }
        self.entries.drain(..).filter(|line| !line.is_empty()).collect()
    }

    /// Does at once what keywords say to the language itself.
    fn follow(&mut self, line: &Line, entry: &Entry, block: Block<'_>) {
        let is_global = || {
            let outer = block.statement.and_then(|line| line.word(0)).map(|word| word.text);
            block.depth == 1 && outer == Some("global_defs")
        };
        match entry.name {
            "include_check" if is_global() => self.lines.sources.checks.set(line, self.diagnostics),
            "random_seed" if is_global() => {
                let seed = line.word(1).map(|word| scan(word.text, 10));
                if let Some(seed) = seed.and_then(|seed| seed.magnitude) {
                    self.lines.definitions.seed(seed);
                }
            }
            _ => {}
        }
    }

    fn report_unknown(&mut self, line: &Line, block: Block<'_>) {
        let Some(keyword) = line.word(0) else { return };
        let mut diagnostic = Diagnostic {
            class: Class::UnknownKeyword,
            message: format!("Unknown keyword '{}'", keyword.text),
            place: Some(keyword.place),
            hint: None,
            related: None,
        };
        if self.suggestions > 0 {
            self.suggestions -= 1;
            let found = suggest(keyword.text, block.schema, self.root);
            let is_top = self.root.find(keyword.text).is_some();
            if let Some(outer) = block.statement.filter(|_| is_top) {
                let name = outer.word(0).map_or("", |word| word.text);
                let note = format!("it is read as part of this {name} block: is its '}}' missing?");
                diagnostic.related = Some((outer.place(), note));
            }
            diagnostic.hint = found;
        }
        self.diagnostics.push(diagnostic);
    }

    /// Reports a `"` that is not closed, unless the line is split anew by the rules for scripts.
    fn report_unmatched(&mut self, line: &Line, place: Place, schema: Option<&'static dyn Schema>) {
        let entry = line.word(0).and_then(|word| schema?.find(word.text));
        let is_script = entry.is_some_and(|entry| matches!(entry.args, Args::Script(_)));
        if !(is_script && line.len() > 1) {
            let message = format!("Unmatched quote: '{}'", line.raw());
            self.diagnostics.report(Class::UnmatchedQuote, place, message);
        }
    }
}

/// A `{` as an entry of a value block.
fn brace(place: Place) -> Line {
    Line::new(Text::standing_for("{", place))
}
