//! Include lines, and which of their problems are errors.

use crate::words::is_space;
use crate::{Class, Diagnostics, Line};

/// A problem with an include.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A file is of the wrong kind or cannot be read.
    Read = 1,
    /// A file named without wildcards is missing.
    Match = 2,
    /// Wildcards match nothing.
    Wildcard = 4,
    /// An alternative in braces is missing.
    Brace = 8,
}

/// The problems that are errors. The others are mentioned only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checks(u8);

impl Checks {
    /// All of them.
    pub(crate) const ALL: Self = Self(15);

    fn of(problems: &[Problem]) -> Self {
        Self(problems.iter().fold(0, |bits, &problem| bits | problem as u8))
    }

    /// What a main file is held to.
    pub(crate) fn of_main() -> Self {
        Self::of(&[Problem::Read, Problem::Match, Problem::Wildcard])
    }

    /// Whether `problem` is an error.
    pub(crate) fn has(self, problem: Problem) -> bool {
        self.0 & problem as u8 != 0
    }

    /// The errors of both.
    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Follows an `include_check` line.
    pub(crate) fn set(&mut self, line: &Line, diagnostics: &mut Diagnostics) {
        if line.len() < 2 {
            *self = Self::ALL;
        }
        for (index, word) in line.words().enumerate().skip(1) {
            let (sign, name) = match word.text.split_at_checked(1) {
                Some((sign @ ("+" | "-"), name)) => (sign, name),
                _ => ("", word.text),
            };
            if sign.is_empty() && index > 1 {
                let text = format!("Duplicate include_check '{name}' specified - ignoring");
                diagnostics.report(Class::GeneralError, word.place, text);
                continue;
            }
            if sign.is_empty() {
                *self = Self::default();
            }
            let Some(problem) = problem_called(name) else {
                let text = format!("Unknown include_check type '{name}' - ignoring");
                let hint = "the types are read, match, wildcard_match and brace_match";
                diagnostics.report_with_hint(Class::GeneralError, word.place, text, hint);
                continue;
            };
            *self = match sign {
                "+" => self.with(Self::of(&[problem])),
                "-" => self.without(Self::of(&[problem])),
                _ => Self::of(&[Problem::Read, problem]),
            };
        }
    }
}

fn problem_called(name: &str) -> Option<Problem> {
    match name {
        "read" => Some(Problem::Read),
        "match" => Some(Problem::Match),
        "wildcard_match" => Some(Problem::Wildcard),
        "brace_match" => Some(Problem::Brace),
        _ => None,
    }
}

/// The pattern of an include line, and the problems that its letter makes errors.
pub(crate) fn split_include(text: &str) -> Option<(&str, Checks)> {
    let rest = text.strip_prefix("include")?;
    let bytes = rest.as_bytes();
    let (letter, blank) = match (bytes.first()?, bytes.get(1)) {
        (&blank, _) if is_space(blank) => (b' ', 0),
        (&letter, Some(&blank)) if is_space(blank) => (letter, 1),
        _ => return None,
    };
    let checks = match letter {
        b' ' => &[][..],
        b'r' => &[Problem::Read],
        b'm' => &[Problem::Read, Problem::Match],
        b'w' => &[Problem::Read, Problem::Match, Problem::Wildcard],
        b'b' => &[Problem::Read, Problem::Brace],
        b'a' => &[Problem::Read, Problem::Match, Problem::Wildcard, Problem::Brace],
        _ => return None,
    };
    let pattern = rest.get(blank + 1..)?.trim_start_matches([' ', '\t']);
    Some((pattern, Checks::of(checks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn include_lines() {
        assert_eq!(split_include("include a b.conf"), Some(("a b.conf", Checks(0))));
        assert_eq!(split_include("include\t x"), Some(("x", Checks(0))));
        for (line, bits) in [
            ("includer x", 1),
            ("includem x", 3),
            ("includew x", 7),
            ("includeb x", 9),
            ("includea x", 15),
        ] {
            assert_eq!(split_include(line), Some(("x", Checks(bits))), "{line}");
        }
        for line in ["include", "includer", "includex a", "include_check read", "includera x"] {
            assert_eq!(split_include(line), None, "{line}");
        }
    }

    fn set(line: &str) -> (u8, Vec<String>) {
        let mut checks = Checks::of(&[Problem::Match]);
        let mut diagnostics = Diagnostics::default();
        checks.set(&Line::from_raw(line), &mut diagnostics);
        (checks.0, diagnostics.items().iter().map(|item| item.message.clone()).collect())
    }

    #[test]
    fn include_check_lines() {
        for (line, bits) in [
            ("include_check", 15),
            ("include_check read", 1),
            ("include_check match", 3),
            ("include_check +brace_match", 10),
            ("include_check read +wildcard_match", 5),
            ("include_check -match", 0),
        ] {
            assert_eq!(set(line), (bits, vec![]), "{line}");
        }
        let message = "Duplicate include_check 'match' specified - ignoring";
        assert_eq!(set("include_check read match"), (1, vec![message.to_owned()]));
        let message = "Unknown include_check type 'readable' - ignoring";
        assert_eq!(set("include_check readable"), (0, vec![message.to_owned()]));
    }
}
