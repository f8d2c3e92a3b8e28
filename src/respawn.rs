//! What becomes of a child that has ended: whether it may start again, and when.

use std::time::Duration;

use nix::sys::signal::Signal;
use runtime::process::Ending;

/// A child that ran this long starts again at once.
const STABLE: Duration = Duration::from_secs(60);
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(60);

/// Slows down the restarts of a child that does not live long: 0, 1, 2, 4 … 60 seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// How long to wait before the child starts again; `None` is not to wait, because it ran long enough.
    pub(crate) fn after(&mut self, ran: Duration) -> Option<Duration> {
        if ran >= STABLE {
            self.next = Duration::ZERO;
            return None;
        }
        let delay = self.next;
        self.next = match delay.as_secs() {
            0 => Duration::from_secs(1),
            1..=30 => delay * 2,
            _ => LONGEST,
        };
        Some(delay)
    }
}

/// Whether a child that has ended in this way had no time to remove what it had put into the kernel.
pub(crate) fn leaves_traces(ending: Ending) -> bool {
    ending != Ending::Exited(0) && Permanent::of(ending).is_none()
}

/// An end after which a new start would end in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permanent {
    /// It cannot work here at all.
    Fatal,
    /// It cannot work with its configuration.
    Config,
    /// It may not do what it has to.
    Permission,
}

impl Permanent {
    /// Whether `ending` is one.
    pub(crate) fn of(ending: Ending) -> Option<Self> {
        match ending {
            Ending::Exited(1) => Some(Self::Fatal),
            Ending::Exited(2) => Some(Self::Config),
            Ending::Exited(4) => Some(Self::Permission),
            Ending::Exited(_) | Ending::Signalled(_) => None,
        }
    }

    /// The exit status of child and daemon.
    pub(crate) fn status(self) -> i32 {
        match self {
            Self::Fatal => 1,
            Self::Config => 2,
            Self::Permission => 4,
        }
    }

    /// What the log calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fatal => "FATAL",
            Self::Config => "CONFIG",
            Self::Permission => "missing permission",
        }
    }

    /// What systemd is told.
    pub(crate) fn errno(self) -> nix::errno::Errno {
        match self {
            Self::Fatal | Self::Config => nix::errno::Errno::EINVAL,
            Self::Permission => nix::errno::Errno::EPERM,
        }
    }
}

/// How the log puts the end of a child; nothing for an ordinary one.
pub(crate) fn describe(process: &str, ending: Ending) -> Option<String> {
    match ending {
        Ending::Exited(0) => None,
        Ending::Signalled(Signal::SIGSEGV) => {
            Some(format!("{process} exited due to segmentation fault (SIGSEGV)."))
        }
        ending => Some(format!("{process} {ending}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As 2.4.3 was seen to do.
    #[test]
    fn restarts_slow_down_until_a_child_lives_long_enough() {
        let mut backoff = Backoff::default();
        let short = Duration::from_secs(59);
        let delays: Vec<u64> = (0..10).map(|_| backoff.after(short).unwrap().as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(backoff.after(STABLE), None);
        assert_eq!(backoff.after(short), Some(Duration::ZERO));
    }

    #[test]
    fn three_statuses_are_permanent() {
        let permanent: Vec<i32> =
            (0..=255).filter(|&status| Permanent::of(Ending::Exited(status)).is_some()).collect();
        assert_eq!(permanent, [1, 2, 4]);
        for status in permanent {
            assert_eq!(Permanent::of(Ending::Exited(status)).unwrap().status(), status);
        }
        assert_eq!(Permanent::of(Ending::Signalled(Signal::SIGHUP)), None);
    }

    #[test]
    fn endings_in_words() {
        let text = |ending| describe("pid 7", ending);
        assert_eq!(text(Ending::Exited(0)), None);
        assert_eq!(text(Ending::Exited(70)).unwrap(), "pid 7 exited with status 70");
        assert_eq!(
            text(Ending::Signalled(Signal::SIGKILL)).unwrap(),
            "pid 7 exited due to signal 9 (Killed) - has rlimit_rttime been exceeded?"
        );
    }
}
