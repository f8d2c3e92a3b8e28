//! The rules of GNU getopt_long over [`lexopt`]: grouped short options, long names cut short as long as they are unique,
//! optional arguments only where they are attached, and options anywhere between other words.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

/// Whether an option takes an argument; the text is what the usage calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// It takes none.
    None,
    /// It takes one, attached or as the next word.
    Required(&'static str),
    /// It may take one, which is attached.
    Optional(&'static str),
}

/// How an option is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spelling {
    /// The letter, where it has one.
    pub(crate) short: Option<char>,
    /// The long name.
    pub(crate) long: &'static str,
    /// Its argument.
    pub(crate) argument: Argument,
}

/// What stands on the command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An option, as its index in the list of spellings.
    Option(usize, Option<OsString>),
    /// A word that is no option.
    Word(OsString),
    /// A complaint.
    Wrong(String),
}

/// Goes through the words of a command line.
pub(crate) struct Scanner<'a> {
    spellings: &'a [Spelling],
    parser: Parser,
}

enum Name {
    Short(char),
    Long(String),
}

impl<'a> Scanner<'a> {
    /// The words are those behind the name of the program.
    pub(crate) fn new(
        spellings: &'a [Spelling],
        words: impl IntoIterator<Item = OsString>,
    ) -> Self {
        let words: Vec<OsString> = words.into_iter().collect();
        let mut parser = Parser::from_args(words);
        parser.set_short_equals(false);
        Self { spellings, parser }
    }

    /// All that has not been looked at yet, as words again.
    pub(crate) fn rest(mut self) -> Vec<OsString> {
        let mut rest = Vec::new();
        if let Some(letters) = self.parser.optional_value() {
            let mut word = OsString::from("-");
            word.push(letters);
            rest.push(word);
        }
        rest.extend(self.parser.raw_args().into_iter().flatten());
        rest
    }

    fn option(&mut self, name: &Name) -> Found {
        let index = match name {
            Name::Short(letter) => {
                self.spellings.iter().position(|spelling| spelling.short == Some(*letter))
            }
            Name::Long(name) => self.long(name),
        };
        let Some((index, spelling)) =
            index.and_then(|index| Some((index, self.spellings.get(index)?)))
        else {
            // The letters behind an unknown one are options still; what is attached to a long name goes with it.
            let value = match name {
                Name::Short(_) => None,
                Name::Long(_) => self.parser.optional_value(),
            };
            return unknown(name, value);
        };
        match (spelling.argument, name) {
            (Argument::None, Name::Short(_)) => Found::Option(index, None),
            (Argument::None, Name::Long(_)) => match self.parser.optional_value() {
                None => Found::Option(index, None),
                value => unknown(name, value),
            },
            (Argument::Optional(_), _) => Found::Option(index, self.parser.optional_value()),
            (Argument::Required(_), _) => match (self.parser.value(), name) {
                (Ok(value), Name::Short(_)) => Found::Option(index, Some(value)),
                (Ok(value), Name::Long(_)) if !value.is_empty() => {
                    Found::Option(index, Some(value))
                }
                (_, Name::Short(letter)) => {
                    Found::Wrong(format!("Missing parameter for option -{letter}"))
                }
                (_, Name::Long(_)) => {
                    Found::Wrong(format!("Missing parameter for option --{}", spelling.long))
                }
            },
        }
    }

    /// The option called `name`, or the only one whose name starts so.
    fn long(&self, name: &str) -> Option<usize> {
        let exact = self.spellings.iter().position(|spelling| spelling.long == name);
        exact.or_else(|| {
            let mut starting = self
                .spellings
                .iter()
                .enumerate()
                .filter(|(_, spelling)| spelling.long.starts_with(name));
            let (index, _) = starting.next()?;
            starting.next().is_none().then_some(index)
        })
    }
}

fn unknown(name: &Name, value: Option<OsString>) -> Found {
    let mut text = format!("Unknown option {}", shown(name));
    if let Some(value) = value {
        text.push('=');
        text.push_str(&value.to_string_lossy());
    }
    Found::Wrong(text)
}

fn shown(name: &Name) -> String {
    match name {
        Name::Short(letter) => format!("-{letter}"),
        Name::Long(name) => format!("--{name}"),
    }
}

impl Iterator for Scanner<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let name = match self.parser.next() {
            Ok(None) => return None,
            Ok(Some(Arg::Value(word))) => return Some(Found::Word(word)),
            Ok(Some(Arg::Short(letter))) => Name::Short(letter),
            Ok(Some(Arg::Long(name))) => Name::Long(name.to_owned()),
            Err(error) => return Some(Found::Wrong(error.to_string())),
        };
        Some(self.option(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPELLINGS: &[Spelling] = &[
        Spelling { short: Some('f'), long: "use-file", argument: Argument::Required("FILE") },
        Spelling { short: Some('n'), long: "dont-fork", argument: Argument::None },
        Spelling { short: Some('R'), long: "dont-respawn", argument: Argument::None },
        Spelling { short: Some('t'), long: "config-test", argument: Argument::Optional("FILE") },
        Spelling { short: None, long: "all", argument: Argument::None },
        Spelling { short: Some('e'), long: "all-config", argument: Argument::None },
    ];

    /// The options found as `n` or `f=VALUE`, words as they are, complaints behind a `!`.
    fn scan(line: &str) -> Vec<String> {
        let words = line.split(' ').filter(|word| !word.is_empty());
        let words = words.map(|word| OsString::from(word.replace('_', " ")));
        let name = |index: usize| match SPELLINGS[index].short {
            Some(letter) => letter.to_string(),
            None => SPELLINGS[index].long.to_owned(),
        };
        let found = Scanner::new(SPELLINGS, words).map(|found| match found {
            Found::Option(index, None) => name(index),
            Found::Option(index, Some(value)) => {
                format!("{}={}", name(index), value.to_string_lossy())
            }
            Found::Word(word) => word.to_string_lossy().into_owned(),
            Found::Wrong(text) => format!("!{text}"),
        });
        found.collect()
    }

    #[test]
    fn short_options_may_be_grouped() {
        assert_eq!(scan("-nR -nfx"), ["n", "R", "n", "f=x"]);
        assert_eq!(scan("-f x -fy -f -n"), ["f=x", "f=y", "f=-n"]);
        assert_eq!(scan("-f=x"), ["f==x"]);
        assert_eq!(scan("-nZR"), ["n", "!Unknown option -Z", "R"]);
        assert_eq!(scan("-nf"), ["n", "!Missing parameter for option -f"]);
    }

    #[test]
    fn long_names_may_be_cut_short() {
        assert_eq!(scan("--use=x --u y"), ["f=x", "f=y"]);
        assert_eq!(scan("--all --all-c"), ["all", "e"]);
        assert_eq!(scan("--dont"), ["!Unknown option --dont"]);
        assert_eq!(scan("--dont-f"), ["n"]);
        assert_eq!(scan("--none=1 -n"), ["!Unknown option --none=1", "n"]);
    }

    #[test]
    fn an_optional_argument_is_attached() {
        assert_eq!(scan("-tx -t x --config-test=y --config-test"), ["t=x", "t", "x", "t=y", "t"]);
    }

    #[test]
    fn arguments_are_missed_and_refused() {
        assert_eq!(scan("--use-file"), ["!Missing parameter for option --use-file"]);
        assert_eq!(scan("--use= -n"), ["!Missing parameter for option --use-file", "n"]);
        assert_eq!(scan("--dont-fork=x"), ["!Unknown option --dont-fork=x"]);
    }

    #[test]
    fn words_are_left_over() {
        assert_eq!(scan("a -n b -- -R"), ["a", "n", "b", "-R"]);
        assert_eq!(scan("- -n"), ["-", "n"]);
    }

    #[test]
    fn the_rest_can_be_had_as_words() {
        let words = ["-n", "-Rnf", "x", "y"].map(OsString::from);
        let mut scanner = Scanner::new(SPELLINGS, words);
        assert_eq!(scanner.next(), Some(Found::Option(1, None)));
        assert_eq!(scanner.next(), Some(Found::Option(2, None)));
        assert_eq!(scanner.rest(), ["-nf", "x", "y"]);
    }
}
