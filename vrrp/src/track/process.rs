//! Tracked processes: which process is meant, and whether there are as many as there should be.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the parameters of a process must agree with those that were configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parameters {
    /// All are equal, and no more follow.
    Exact,
    /// They are the first; more may follow.
    Partial,
    /// As [`Parameters::Partial`], and the last one need only begin alike.
    Initial,
}

/// Which processes are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pattern {
    /// By the kernel's name of the command, at most 15 bytes.
    Name(String),
    /// By the command line as the process shows it.
    CommandLine {
        /// The command and the parameters that were configured.
        words: Vec<String>,
        /// How the parameters must agree.
        parameters: Parameters,
    },
}

impl Pattern {
    /// Whether a process with this kernel name and command line (words that end in NUL) is meant.
    pub fn matches(&self, name: &[u8], command_line: &[u8]) -> bool {
        match self {
            Self::Name(wanted) => wanted.as_bytes() == name,
            Self::CommandLine { words, parameters } => {
                let line = command_line.strip_suffix(&[0]).unwrap_or(command_line);
                let found: Vec<&[u8]> =
                    if line.is_empty() { vec![] } else { line.split(|&byte| byte == 0).collect() };
                let wanted: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
                match parameters {
                    Parameters::Exact => found == wanted,
                    Parameters::Partial => found.starts_with(&wanted),
                    Parameters::Initial => {
                        match (wanted.split_last(), found.get(wanted.len().wrapping_sub(1))) {
                            (Some((last, front)), Some(word)) if !front.is_empty() => {
                                found.starts_with(front) && word.starts_with(last)
                            }
                            (Some((command, _)), Some(word)) => word == command,
                            _ => false,
                        }
                    }
                }
            }
        }
    }
}

/// How many processes there should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    /// At least.
    pub least: u32,
    /// At most.
    pub most: u32,
    /// How long a gain by fork is waited out.
    pub fork_delay: Duration,
    /// How long a loss by exit is waited out.
    pub terminate_delay: Duration,
}

impl Quorum {
    /// Whether `count` processes are right.
    pub fn holds(&self, count: u32) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str], parameters: Parameters) -> Pattern {
        Pattern::CommandLine {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            parameters,
        }
    }

    #[test]
    fn a_name_is_compared_whole() {
        let pattern = Pattern::Name("nginx".to_owned());
        assert!(pattern.matches(b"nginx", b""));
        assert!(!pattern.matches(b"nginx2", b"nginx\0"));
    }

    #[test]
    fn parameters_agree_as_configured() {
        let line = b"/bin/d\0-a\0one\0";
        for (words, parameters, expected) in [
            (&["/bin/d", "-a", "one"][..], Parameters::Exact, true),
            (&["/bin/d", "-a"], Parameters::Exact, false),
            (&["/bin/d"], Parameters::Exact, false),
            (&["/bin/d", "-a"], Parameters::Partial, true),
            (&["/bin/d", "-a", "on"], Parameters::Partial, false),
            (&["/bin/d", "-a", "on"], Parameters::Initial, true),
            (&["/bin/d", "-b"], Parameters::Initial, false),
            (&["/bin/d", "-a", "one", "two"], Parameters::Initial, false),
            (&["/bin/"], Parameters::Initial, false),
        ] {
            assert_eq!(
                command(words, parameters).matches(b"d", line),
                expected,
                "{words:?} {parameters:?}"
            );
        }
        assert!(
            !command(&["/bin/d"], Parameters::Partial).matches(b"d", b""),
            "a zombie has no command line"
        );
    }

    #[test]
    fn a_quorum_of_none_means_that_it_must_not_run() {
        let quorum = Quorum {
            least: 0,
            most: 0,
            fork_delay: Duration::ZERO,
            terminate_delay: Duration::ZERO,
        };
        assert!(quorum.holds(0) && !quorum.holds(1));
    }
}
