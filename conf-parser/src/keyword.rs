//! Keyword tables: each keyword is declared once, beside the type that it fills.

use crate::value::{parse_bool, parse_int, parse_micros, parse_uint};
use crate::{Class, Diagnostics, Limits, Statement, Word};

/// What a reload does with a changed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// The new value applies at once.
    Live,
    /// The reload is refused: a restart is needed.
    Refused,
    /// Only looked at when the daemon starts.
    StartOnly,
}

/// The arguments of a keyword. The text of the variants that carry one is what `--keywords` shows.
#[derive(Clone, Copy)]
pub enum Args {
    /// None; further words are ignored.
    Flag,
    /// `on`, `true`, `yes`, `off`, `false`, `no`; nothing means on.
    Bool,
    /// A signed decimal number. `strict` refuses trailing junk instead of warning.
    Int {
        /// Smallest accepted.
        min: i64,
        /// Greatest accepted.
        max: i64,
        /// Whether junk behind the number refuses it.
        strict: bool,
    },
    /// An unsigned decimal number; the text names its unit (`UINT`, `SECS`, `BYTES` …).
    Uint {
        /// Name of the value.
        unit: &'static str,
        /// Smallest accepted.
        min: u64,
        /// Greatest accepted.
        max: u64,
        /// Whether junk behind the number refuses it.
        strict: bool,
    },
    /// Seconds with up to six decimals; the limits are microseconds.
    Timer {
        /// Smallest accepted, in microseconds.
        min: u64,
        /// Greatest accepted, in microseconds.
        max: u64,
    },
    /// Exactly one word that must be there.
    Word(&'static str),
    /// Whatever words there are; the keyword looks at them itself.
    Words(&'static str),
    /// A command with optional user and group, split by the rules for scripts.
    Script(&'static str),
    /// A block of keywords.
    Block(&'static str, &'static dyn Schema),
    /// A block of entries, one per line.
    Lines(&'static str),
    /// A name, then a block of entries, one per line.
    NamedLines(&'static str, &'static str),
    /// A block of words, however they are spread over lines.
    WordList(&'static str),
}

/// What the tree builder must know of a keyword.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// No braces follow.
    Leaf,
    /// Braces with keywords follow.
    Block(&'static dyn Schema),
    /// Braces with entries follow, after so many arguments.
    Lines(usize),
}

impl Args {
    pub(crate) fn shape(&self) -> Shape {
        match *self {
            Args::Block(_, inner) => Shape::Block(inner),
            Args::Lines(_) | Args::WordList(_) => Shape::Lines(0),
            Args::NamedLines(..) => Shape::Lines(1),
            _ => Shape::Leaf,
        }
    }
}

/// One keyword, without the type that it fills: for listings, completions and the tree builder.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The keyword.
    pub name: &'static str,
    /// Its arguments.
    pub args: Args,
    /// What a reload does with it.
    pub reload: Reload,
    /// One line of help.
    pub help: &'static str,
}

/// The keywords of a block, whatever type they fill.
pub trait Schema: Sync {
    /// The keyword called `name`.
    fn find(&self, name: &str) -> Option<&'static Entry>;
    /// All keywords, in the order of the table.
    fn entries(&self) -> Vec<Entry>;
}

/// An argument that was checked against its [`Args`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// [`Args::Flag`], [`Args::Words`] and the blocks: look at the statement.
    Given,
    /// [`Args::Bool`].
    Bool(bool),
    /// [`Args::Int`].
    Int(i64),
    /// [`Args::Uint`].
    Uint(u64),
    /// [`Args::Timer`], in microseconds.
    Micros(u64),
    /// [`Args::Word`].
    Word(&'a str),
}

impl<'a> Value<'a> {
    /// The switch; `false` where the keyword takes none.
    pub fn bool(self) -> bool {
        matches!(self, Value::Bool(true))
    }

    /// The signed number; 0 where the keyword takes none.
    pub fn int(self) -> i64 {
        if let Value::Int(value) = self { value } else { 0 }
    }

    /// The unsigned number; 0 where the keyword takes none.
    pub fn uint(self) -> u64 {
        if let Value::Uint(value) = self { value } else { 0 }
    }

    /// The unsigned number, limited to what the type holds. The keyword's limits make sure that nothing is lost.
    pub fn u32(self) -> u32 {
        u32::try_from(self.uint()).unwrap_or(u32::MAX)
    }

    /// As [`Self::u32`].
    pub fn u16(self) -> u16 {
        u16::try_from(self.uint()).unwrap_or(u16::MAX)
    }

    /// As [`Self::u32`].
    pub fn u8(self) -> u8 {
        u8::try_from(self.uint()).unwrap_or(u8::MAX)
    }

    /// The signed number; 0 where the type cannot hold it, which the keyword's limits exclude.
    pub fn i32(self) -> i32 {
        i32::try_from(self.int()).unwrap_or(0)
    }

    /// As [`Self::i32`].
    pub fn i8(self) -> i8 {
        i8::try_from(self.int()).unwrap_or(0)
    }

    /// The unsigned number as whole seconds.
    pub fn seconds(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.uint())
    }

    /// The time; zero where the keyword takes none.
    pub fn duration(self) -> std::time::Duration {
        if let Value::Micros(value) = self {
            std::time::Duration::from_micros(value)
        } else {
            Default::default()
        }
    }

    /// The word; empty where the keyword takes none.
    pub fn word(self) -> &'a str {
        if let Value::Word(text) = self { text } else { "" }
    }
}

/// A keyword of the block that fills a `T`. Made by [`keyword`].
pub struct Keyword<T: 'static> {
    entry: Entry,
    missing: Missing,
    invalid: Option<Invalid<T>>,
    replaced_by: Option<&'static str>,
    apply: Apply<T>,
}

type Apply<T> = fn(&mut T, Value<'_>, &Statement, &mut Diagnostics);

/// What is said of an argument that is not there.
enum Missing {
    /// The configuration cannot be used.
    Fatal,
    /// This.
    Message(&'static str),
    /// Nothing.
    Silent,
}

/// What is said of an argument that was refused.
enum Invalid<T: 'static> {
    /// `{}` stands for the argument.
    Text(&'static str),
    /// Made from what the block is about and the argument.
    About(fn(&T, &str) -> String),
}

/// Declares a keyword: its name, its arguments, a line of help, and how it fills a `T`.
pub const fn keyword<T>(
    name: &'static str,
    args: Args,
    help: &'static str,
    apply: Apply<T>,
) -> Keyword<T> {
    let entry = Entry { name, args, reload: Reload::Live, help };
    Keyword { entry, missing: Missing::Fatal, invalid: None, replaced_by: None, apply }
}

impl<T> Keyword<T> {
    /// What a reload does with a changed value, where it is not [`Reload::Live`].
    pub const fn reload(mut self, reload: Reload) -> Self {
        self.entry.reload = reload;
        self
    }

    /// The message for an absent argument. Without one an absent argument is fatal ([`Class::MissingParameter`]).
    pub const fn missing(mut self, message: &'static str) -> Self {
        self.missing = Missing::Message(message);
        self
    }

    /// Passes over an absent argument without a word.
    pub const fn optional(mut self) -> Self {
        self.missing = Missing::Silent;
        self
    }

    /// The message for an argument that was refused, after what is wrong with it as a number or switch. `{}` stands
    /// for the argument.
    pub const fn invalid(mut self, message: &'static str) -> Self {
        self.invalid = Some(Invalid::Text(message));
        self
    }

    /// As [`Self::invalid`], for a message that names what the block is about.
    pub const fn invalid_for(mut self, message: fn(&T, &str) -> String) -> Self {
        self.invalid = Some(Invalid::About(message));
        self
    }

    /// Marks an old spelling: it works, and a diagnostic names the new one.
    pub const fn deprecated(mut self, by: &'static str) -> Self {
        self.replaced_by = Some(by);
        self
    }
}

/// The keywords of one block.
pub struct Table<T: 'static>(pub &'static [Keyword<T>]);

/// The keywords of one block, whose parts fill different types.
pub struct Schemas(pub &'static [&'static dyn Schema]);

impl Schema for Schemas {
    fn find(&self, name: &str) -> Option<&'static Entry> {
        self.0.iter().find_map(|part| part.find(name))
    }

    fn entries(&self) -> Vec<Entry> {
        self.0.iter().flat_map(|part| part.entries()).collect()
    }
}

/// The keywords of one block, declared in several places.
pub struct Joined<T: 'static>(pub &'static [&'static [Keyword<T>]]);

impl<T> Schema for Table<T> {
    fn find(&self, name: &str) -> Option<&'static Entry> {
        self.0.iter().find(|keyword| keyword.entry.name == name).map(|keyword| &keyword.entry)
    }

    fn entries(&self) -> Vec<Entry> {
        self.0.iter().map(|keyword| keyword.entry).collect()
    }
}

impl<T> Schema for Joined<T> {
    fn find(&self, name: &str) -> Option<&'static Entry> {
        self.keywords().find(|keyword| keyword.entry.name == name).map(|keyword| &keyword.entry)
    }

    fn entries(&self) -> Vec<Entry> {
        self.keywords().map(|keyword| keyword.entry).collect()
    }
}

impl<T> Table<T> {
    /// Applies the statements in the braces of `block` to `target`, in order.
    pub fn fill(&self, target: &mut T, block: &Statement, diagnostics: &mut Diagnostics) {
        for statement in block.statements() {
            self.apply(target, statement, diagnostics);
        }
    }

    /// Applies one statement to `target`. Unknown keywords were reported when the tree was built and are passed over.
    pub fn apply(&self, target: &mut T, statement: &Statement, diagnostics: &mut Diagnostics) {
        let name = statement.keyword();
        if let Some(keyword) = self.0.iter().find(|keyword| keyword.entry.name == name) {
            keyword.run(target, statement, diagnostics);
        }
    }
}

impl<T> Joined<T> {
    fn keywords(&self) -> impl Iterator<Item = &'static Keyword<T>> {
        self.0.iter().copied().flatten()
    }

    /// Applies the statements in the braces of `block` to `target`, in order.
    pub fn fill(&self, target: &mut T, block: &Statement, diagnostics: &mut Diagnostics) {
        for statement in block.statements() {
            self.apply(target, statement, diagnostics);
        }
    }

    /// Applies one statement to `target`. Unknown keywords were reported when the tree was built and are passed over.
    pub fn apply(&self, target: &mut T, statement: &Statement, diagnostics: &mut Diagnostics) {
        let name = statement.keyword();
        if let Some(keyword) = self.keywords().find(|keyword| keyword.entry.name == name) {
            keyword.run(target, statement, diagnostics);
        }
    }
}

impl<T> Keyword<T> {
    fn run(&self, target: &mut T, statement: &Statement, diagnostics: &mut Diagnostics) {
        if let Some(new) = self.replaced_by {
            let old = self.entry.name;
            let text = format!("'{old}' is deprecated - please use '{new}'");
            diagnostics.report(Class::Deprecated, statement.place(), text);
        }
        if let Some(value) = self.value(target, statement, diagnostics) {
            (self.apply)(target, value, statement, diagnostics);
        }
    }

    /// Checks the arguments; `None` when they were refused, which has been reported then.
    fn value<'a>(
        &self,
        target: &T,
        statement: &'a Statement,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value<'a>> {
        let word = match (self.entry.args, statement.arg(0)) {
            (Args::Bool, None) => return Some(Value::Bool(true)),
            (
                Args::Flag
                | Args::Words(_)
                | Args::Block(..)
                | Args::Lines(_)
                | Args::NamedLines(..)
                | Args::WordList(_),
                _,
            ) => return Some(Value::Given),
            // A quote that is not closed leaves no words: what is wrong with it is told where the command is split.
            (Args::Script(_), None) if statement.line.raw().trim() != statement.keyword() => {
                return Some(Value::Given);
            }
            (_, None) => {
                self.report_missing(statement, diagnostics);
                return None;
            }
            (_, Some(word)) => word,
        };
        let value = match self.entry.args {
            Args::Bool => parse_bool(word.text).map(Value::Bool),
            Args::Int { min, max, strict } => {
                parse_int(word, Limits { min, max, strict }, diagnostics).map(Value::Int)
            }
            Args::Uint { min, max, strict, .. } => {
                parse_uint(word, Limits { min, max, strict }, diagnostics).map(Value::Uint)
            }
            Args::Timer { min, max } => {
                let limits = Limits { min, max, strict: false };
                parse_micros(word, limits, diagnostics).map(Value::Micros)
            }
            _ => Some(Value::Word(word.text)),
        };
        if value.is_none() {
            self.report_invalid(target, word, diagnostics);
        }
        value
    }

    fn report_invalid(&self, target: &T, word: Word<'_>, diagnostics: &mut Diagnostics) {
        let text = match (&self.invalid, self.entry.args) {
            (Some(Invalid::Text(message)), _) => message.replace("{}", word.text),
            (Some(Invalid::About(message)), _) => message(target, word.text),
            (None, Args::Bool) => {
                format!("Invalid value '{}' for {} specified", word.text, self.entry.name)
            }
            (None, _) => return,
        };
        diagnostics.report(Class::GeneralError, word.place, text);
    }

    fn report_missing(&self, statement: &Statement, diagnostics: &mut Diagnostics) {
        match self.missing {
            Missing::Fatal => report_missing_parameter(statement, 0, diagnostics),
            Missing::Message(text) => {
                diagnostics.report(Class::GeneralError, statement.place(), text);
            }
            Missing::Silent => {}
        }
    }
}

/// Reports that argument `index`, from 0, is not there where the configuration cannot be used without it.
pub fn report_missing_parameter(
    statement: &Statement,
    index: usize,
    diagnostics: &mut Diagnostics,
) {
    let start = statement.keyword();
    let before = statement.line.word(index).map_or("", |word| word.text);
    let text = format!(
        "*** Configuration line starting `{start}` is missing a parameter after keyword `{before}` at word position {}",
        index + 2
    );
    diagnostics.report(Class::MissingParameter, statement.place(), text);
}
