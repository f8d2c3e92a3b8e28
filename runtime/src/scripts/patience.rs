//! How long a script may run, and what happens to one that does not end.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

/// Between asking a script to end and ending it.
const GRACE: Duration = Duration::from_secs(2);
/// Between further attempts on one that cannot be ended.
const RETRY: Duration = Duration::from_secs(10);

/// What is to be done with a script whose time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask it to end.
    Terminate,
    /// End it.
    Kill,
    /// It is still there: say so, and try again.
    KillAgain,
}

impl Step {
    /// The signal for the script's group.
    pub fn signal(self) -> Signal {
        match self {
            Self::Terminate => Signal::SIGTERM,
            Self::Kill | Self::KillAgain => Signal::SIGKILL,
        }
    }
}

/// The time-out of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    due: Instant,
    next: Step,
}

impl Patience {
    /// A run that starts at `now` and may take `limit`.
    pub fn new(now: Instant, limit: Duration) -> Self {
        Self { due: now + limit, next: Step::Terminate }
    }

    /// When something has to be done.
    pub fn deadline(&self) -> Instant {
        self.due
    }

    /// Whether the script has been signalled.
    pub fn is_over(&self) -> bool {
        self.next != Step::Terminate
    }

    /// Whether it has been sent the signal that no process survives.
    pub fn is_killing(&self) -> bool {
        self.next == Step::KillAgain
    }

    /// What has to be done at `now`.
    pub fn step(&mut self, now: Instant) -> Option<Step> {
        if now < self.due {
            return None;
        }
        let step = self.next;
        let (next, wait) = match step {
            Step::Terminate => (Step::Kill, GRACE),
            Step::Kill => (Step::KillAgain, GRACE),
            Step::KillAgain => (Step::KillAgain, RETRY),
        };
        *self = Self { due: now + wait, next };
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_then_killed_then_killed_again() {
        let start = Instant::now();
        let mut patience = Patience::new(start, Duration::from_secs(5));
        assert_eq!(patience.step(start + Duration::from_secs(4)), None);
        let mut steps = vec![];
        while steps.len() < 5 {
            let at = patience.deadline();
            steps.push(((at - start).as_secs(), patience.step(at).unwrap()));
        }
        assert_eq!(
            steps,
            [
                (5, Step::Terminate),
                (7, Step::Kill),
                (9, Step::KillAgain),
                (19, Step::KillAgain),
                (29, Step::KillAgain)
            ]
        );
    }
}
