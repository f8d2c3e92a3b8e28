//! Tracked processes: which process is meant, and whether there are as many as there should be.

use std::collections::HashSet;
use std::time::{Duration, Instant};

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

/// Why a count has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Fork,
    Exit,
    /// Another program, another name, or a look at all of them.
    Sight,
}

/// The processes that are meant, and whether there are as many as there should be.
///
/// What a fork or an exit changes may have to last for some time before it counts.
#[derive(Clone, Debug)]
pub(crate) struct Census {
    quorum: Quorum,
    processes: HashSet<u32>,
    holds: bool,
    /// When what changed counts, and what it was.
    due: Option<(Instant, Cause)>,
}

impl Census {
    /// The census of those `processes` that are there now.
    pub(crate) fn new(quorum: Quorum, processes: HashSet<u32>) -> Self {
        let mut census = Self { quorum, processes, holds: false, due: None };
        census.holds = census.holds_now();
        census
    }

    /// Whether there are as many as there should be, for those who track it.
    pub(crate) fn holds(&self) -> bool {
        self.holds
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.processes.len()
    }

    /// When [`Census::expired`] is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due.map(|(due, _)| due)
    }

    /// Whether a fork is being waited out.
    pub(crate) fn waits_for_fork(&self) -> bool {
        self.due.is_some_and(|(_, cause)| cause == Cause::Fork)
    }

    /// Whether an exit is being waited out.
    pub(crate) fn waits_for_exit(&self) -> bool {
        self.due.is_some_and(|(_, cause)| cause == Cause::Exit)
    }

    /// `parent` has made `child`, which is the same program for now. True when [`Census::holds`] has changed; the same
    /// holds for the functions below.
    pub(crate) fn forked(&mut self, parent: u32, child: u32, now: Instant) -> bool {
        self.processes.contains(&parent)
            && self.processes.insert(child)
            && self.changed(Cause::Fork, now)
    }

    /// `process` was looked at: whether it `is_meant`.
    pub(crate) fn seen(&mut self, process: u32, is_meant: bool, now: Instant) -> bool {
        let changed =
            if is_meant { self.processes.insert(process) } else { self.processes.remove(&process) };
        changed && self.changed(Cause::Sight, now)
    }

    /// `process` has ended.
    pub(crate) fn exited(&mut self, process: u32, now: Instant) -> bool {
        self.processes.remove(&process) && self.changed(Cause::Exit, now)
    }

    /// All were looked at, and these are there. A change that is being waited out and still stands must last on.
    pub(crate) fn counted(&mut self, processes: HashSet<u32>, now: Instant) -> bool {
        self.processes = processes;
        let still_waits = self.due.is_some() && self.holds_now() != self.holds;
        !still_waits && self.changed(Cause::Sight, now)
    }

    /// Goes on under another quorum.
    pub(crate) fn set_quorum(&mut self, quorum: Quorum) {
        self.quorum = quorum;
    }

    /// The deadline has come.
    pub(crate) fn expired(&mut self, now: Instant) -> bool {
        self.deadline().is_some_and(|due| due <= now) && self.changed(Cause::Sight, now)
    }

    fn holds_now(&self) -> bool {
        self.quorum.holds(u32::try_from(self.processes.len()).unwrap_or(u32::MAX))
    }

    fn changed(&mut self, cause: Cause, now: Instant) -> bool {
        if self.holds_now() == self.holds {
            self.due = None;
            return false;
        }
        let delay = match cause {
            Cause::Fork => self.quorum.fork_delay,
            Cause::Exit => self.quorum.terminate_delay,
            Cause::Sight => Duration::ZERO,
        };
        if delay.is_zero() {
            self.due = None;
            self.holds = !self.holds;
            return true;
        }
        self.due.get_or_insert((now + delay, cause));
        false
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

    fn quorum(least: u32, most: u32, delay: u64) -> Quorum {
        let delay = Duration::from_secs(delay);
        Quorum { least, most, fork_delay: delay, terminate_delay: delay }
    }

    #[test]
    fn children_count_until_they_become_something_else() {
        let now = Instant::now();
        let mut census = Census::new(quorum(2, 9, 0), [1].into());
        assert!(!census.holds());
        assert!(!census.forked(5, 6, now), "a stranger");
        assert!(census.forked(1, 2, now) && census.holds());
        assert!(!census.seen(2, true, now), "it was counted already");
        assert_eq!(census.count(), 2);
        assert!(census.seen(2, false, now) && !census.holds());
        assert!(!census.exited(2, now));
    }

    #[test]
    fn what_does_not_last_does_not_count() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut census = Census::new(quorum(1, 9, 2), [1].into());
        assert!(!census.exited(1, now) && census.holds());
        assert_eq!(census.deadline(), Some(now + 2 * second));
        assert!(!census.seen(3, true, now + second) && census.holds());
        assert_eq!(census.deadline(), None);
        assert!(!census.exited(3, now + second));
        assert!(!census.counted([].into(), now + second), "a look at all ends no delay");
        assert!(!census.expired(now + 2 * second), "not yet");
        assert!(census.expired(now + 3 * second) && !census.holds());
        assert!(census.seen(4, true, now + 3 * second), "another program counts at once");
    }
}
