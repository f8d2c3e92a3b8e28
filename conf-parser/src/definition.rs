//! Definitions: `$NAME=VALUE`, and the references that stand for them.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use crate::limits::{Budget, Spent};
use crate::random::Random;
use crate::text::Text;
use crate::{Class, Diagnostics};

/// All definitions in force.
pub(crate) struct Definitions {
    named: HashMap<Box<str>, Definition>,
    random: Random,
}

#[derive(Clone)]
enum Definition {
    Text(Rc<str>),
    /// Several lines; there is at least one.
    Lines(Rc<[String]>),
    Predefined(Predefined),
}

/// A definition with a meaning of its own.
#[derive(Clone, Copy)]
enum Predefined {
    /// `_PWD`
    Directory,
    /// `_INSTANCE`
    Instance,
    /// `_RANDOM`
    Random,
    /// `_ENV`
    Environment,
    /// `_HASH`
    Hash,
    /// `_BANG`
    Bang,
}

/// What predefined definitions may depend on.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The directory of the file that is read.
    pub(crate) directory: &'a Path,
    /// The id that conditions are compared with.
    pub(crate) config_id: &'a str,
}

/// What expanding a text came to.
#[derive(Default)]
pub(crate) struct Expanded {
    /// Whether anything was replaced.
    pub(crate) changed: bool,
    /// Definitions of several lines whose first line was put in; the others follow the text, those of the last
    /// definition first.
    pub(crate) lines: Vec<Rc<[String]>>,
}

/// How often definitions may be put into a single line: far more than fit into one that is no trap.
const MAX_PER_LINE: usize = 1_000;

impl Default for Definitions {
    fn default() -> Self {
        let predefined = [
            ("_PWD", Predefined::Directory),
            ("_INSTANCE", Predefined::Instance),
            ("_RANDOM", Predefined::Random),
            ("_ENV", Predefined::Environment),
            ("_HASH", Predefined::Hash),
            ("_BANG", Predefined::Bang),
        ];
        let named =
            predefined.map(|(name, kind)| (Box::from(name), Definition::Predefined(kind))).into();
        Self { named, random: Random::from_clock() }
    }
}

/// The name and the start of the value, if `text` is a definition.
pub(crate) fn split_definition(text: &str) -> Option<(&str, usize)> {
    let name = name(text.strip_prefix('$')?)?;
    let after = text.get(1 + name.len()..)?.strip_prefix('=')?;
    Some((name, text.len() - after.trim_start_matches([' ', '\t']).len()))
}

/// The longest name that `text` starts with.
fn name(text: &str) -> Option<&str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = text.bytes().take_while(is_part).count();
    let digit_first = text.starts_with(|first: char| first.is_ascii_digit());
    text.get(..length).filter(|name| !name.is_empty() && !digit_first)
}

impl Definitions {
    /// Gives `name` the value `value`.
    pub(crate) fn define(&mut self, name: &str, value: &str) {
        self.insert(name, Definition::Text(value.into()));
    }

    /// Gives `name` several lines; none make it an ordinary, empty definition.
    pub(crate) fn define_lines(&mut self, name: &str, lines: Vec<String>) {
        let definition = match lines.as_slice() {
            [] => Definition::Text("".into()),
            _ => Definition::Lines(lines.into()),
        };
        self.insert(name, definition);
    }

    fn insert(&mut self, name: &str, definition: Definition) {
        match self.named.get_mut(name) {
            Some(known) => *known = definition,
            None => {
                self.named.insert(name.into(), definition);
            }
        }
    }

    /// Makes `${_RANDOM}` repeatable.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.random = Random::seeded(seed);
    }

    /// Puts in the values of all references, and of the references in those, up to `limit` bytes. Stops early where the
    /// text turned into a condition or sequence, whose rest is not to be expanded yet, and for good where a definition
    /// refers to itself or the text grows too long.
    pub(crate) fn expand(
        &mut self,
        text: &mut Text,
        limit: usize,
        surroundings: Surroundings<'_>,
        budget: &mut Budget,
        diagnostics: &mut Diagnostics,
    ) -> Result<Expanded, Spent> {
        let mut expanded = Expanded::default();
        let mut active: Vec<Active> = Vec::new();
        let mut at = 0;
        let mut count = 0;
        while let Some(found) = text.as_str().get(at..).and_then(|rest| rest.find('$')) {
            at += found;
            active.retain(|outer| text.as_str().len() - outer.left > at);
            let Some(reference) = Reference::parse(text.as_str(), at) else {
                at += 1;
                continue;
            };
            let range = reference.range.clone();
            let place = text.place_of(range.clone());
            let left = text.as_str().len() - range.end;
            if active.iter().any(|outer| *outer.name == *reference.name) {
                let message = format!("Definition {} refers to itself", reference.name);
                diagnostics.report(Class::GeneralError, place, message);
                text.settle();
                return Ok(expanded);
            }
            let name = Box::from(reference.name);
            let value = match self.value(&reference, surroundings) {
                Ok(value) => value,
                Err(refusal) => {
                    if let Some(message) = refusal {
                        diagnostics.report(Class::GeneralError, place, message);
                    }
                    at += 1;
                    continue;
                }
            };
            budget.replacement(place, diagnostics)?;
            count += 1;
            if text.as_str().len() - range.len() + value.text.len() > limit || count > MAX_PER_LINE
            {
                let message = format!(
                    "Parameter substitution on line '{}' would exceed maximum line length",
                    text.as_str()
                );
                diagnostics.report(Class::GeneralError, place, message);
                text.settle();
                return Ok(expanded);
            }
            if let Some(message) = value.complaint {
                diagnostics.report(Class::GeneralError, place, message);
            }
            text.replace(range, &value.text);
            expanded.changed = true;
            expanded.lines.extend(value.lines);
            active.push(Active { name, left });
            if at == 0 && starts_afresh(text.as_str()) {
                break;
            }
        }
        Ok(expanded)
    }
}

/// A replacement that is being expanded.
struct Active {
    name: Box<str>,
    /// How much of the text follows it.
    left: usize,
}

/// Whether an expanded text must be looked at anew before the rest of it is expanded.
pub(crate) fn starts_afresh(text: &str) -> bool {
    text.starts_with(['@', '~']) || split_definition(text).is_some()
}

/// A use of a definition: `$NAME`, `${NAME}` or `${NAME PARAMETER…}`.
struct Reference<'a> {
    name: &'a str,
    parameters: Vec<&'a str>,
    range: Range<usize>,
    /// Whether nothing follows it.
    is_last: bool,
}

impl<'a> Reference<'a> {
    /// The reference at `at`, where there is a `$`.
    fn parse(text: &'a str, at: usize) -> Option<Self> {
        let rest = text.get(at + 1..)?;
        let Some(inner) = rest.strip_prefix('{') else {
            let name = name(rest)?;
            let end = at + 1 + name.len();
            let follows = text.get(end..)?.chars().next();
            let ends = matches!(follows, None | Some(' ' | '\t' | ',' | ')'));
            let is_last = follows.is_none();
            return ends.then_some(Self { name, parameters: vec![], range: at..end, is_last });
        };
        let name = name(inner)?;
        let (inside, _) = inner.split_once('}')?;
        let parameters = inside.get(name.len()..)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '\t');
        if !parameters.chars().all(plain) || inside.ends_with([' ', '\t']) {
            return None;
        }
        let end = at + 2 + inside.len() + 1;
        let parameters = parameters.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        Some(Self { name, parameters, range: at..end, is_last: end == text.len() })
    }
}

/// What a reference stands for.
struct Value {
    text: Rc<str>,
    lines: Option<Rc<[String]>>,
    complaint: Option<String>,
}

impl Value {
    fn plain(text: &str) -> Self {
        Self { text: text.into(), lines: None, complaint: None }
    }
}

impl Definitions {
    /// What `reference` stands for; otherwise it stays as it is, which may deserve a message.
    fn value(
        &mut self,
        reference: &Reference<'_>,
        surroundings: Surroundings<'_>,
    ) -> Result<Value, Option<String>> {
        let kind = match self.named.get(reference.name).ok_or(None)? {
            Definition::Predefined(kind) => *kind,
            _ if !reference.parameters.is_empty() => return Err(None),
            Definition::Text(text) => {
                return Ok(Value { text: Rc::clone(text), lines: None, complaint: None });
            }
            Definition::Lines(lines) if reference.is_last => {
                let text = lines.first().map_or("", String::as_str).into();
                return Ok(Value { text, lines: Some(Rc::clone(lines)), complaint: None });
            }
            Definition::Lines(_) => return Err(None),
        };
        kind.check(reference)?;
        match kind {
            Predefined::Directory => {
                let directory = surroundings.directory;
                let real = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
                Ok(Value::plain(&real.to_string_lossy()))
            }
            Predefined::Instance => Ok(Value::plain(surroundings.config_id)),
            Predefined::Random => Ok(self.draw(&reference.parameters)),
            Predefined::Environment => {
                let name = reference.parameters.first().copied().unwrap_or_default();
                let value = std::env::var_os(name).unwrap_or_default();
                Ok(Value::plain(&value.to_string_lossy()))
            }
            Predefined::Hash => Ok(Value::plain("#")),
            Predefined::Bang => Ok(Value::plain("!")),
        }
    }

    fn draw(&mut self, parameters: &[&str]) -> Value {
        let bound = |index: usize, default| match parameters.get(index) {
            Some(text) => text.parse().unwrap_or(u64::MAX),
            None => default,
        };
        let (min, max) = (bound(0, 0), bound(1, 32_767));
        let complaint =
            (min > max).then(|| format!("${{_RANDOM}}: min {min} exceeds max {max}, using {min}"));
        let drawn = self.random.between(min, max.max(min));
        Value { text: Rc::from(drawn.to_string()), lines: None, complaint }
    }
}

impl Predefined {
    /// Whether a reference has the parameters that it needs.
    fn check(self, reference: &Reference<'_>) -> Result<(), Option<String>> {
        let name = reference.name;
        let count = reference.parameters.len();
        let (min, max) = match self {
            Predefined::Random => (0, 2),
            Predefined::Environment => (1, 1),
            _ if count > 0 => return Err(None),
            _ => return Ok(()),
        };
        let digits = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
        if matches!(self, Predefined::Random) && !reference.parameters.iter().all(digits) {
            return Err(Some(format!("Definition {name} requires numeric parameters only.")));
        }
        if !(min..=max).contains(&count) {
            return Err(Some(format!(
                "Definition {name} requires between {min} and {max} parameters, {count} specified."
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
