//! MISC_CHECK: how a script ended, and what its exit status says of the server's weight.

use std::time::{Duration, Instant};

use super::{Check, Conclusion, Subject};
use crate::config::checker::Kind;
use crate::config::misc::Misc;

/// How a run of a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, with this status.
    Exited(u8),
    /// By this signal.
    Signalled(i32),
    /// We ended it when its time was up.
    TimedOut,
}

/// What a check keeps of its runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    /// When the last one began.
    begun: Option<Instant>,
    /// The status with which the last one that counted ended.
    status: Option<u8>,
    /// The status with which the last one ended that ended by itself.
    last_status: u8,
    /// What it contributes to the weight of the server.
    contribution: i64,
}

impl Runs {
    pub(super) fn begin(&mut self, now: Instant) {
        self.begun = Some(now);
    }

    pub(super) fn begun(&self) -> Option<Instant> {
        self.begun
    }

    pub(super) fn last_status(&self) -> u8 {
        self.last_status
    }

    pub(super) fn contribution(&self) -> i64 {
        self.contribution
    }

    pub(super) fn set_contribution(&mut self, contribution: i64) {
        self.contribution = contribution;
    }

    /// Goes on where `old` was. The configured weight may be another now.
    pub(super) fn adopt(&mut self, old: &Self, subject: Subject<'_>) {
        *self = old.clone();
        if let Kind::Misc(_, misc) = &subject.checker.kind {
            self.contribution = match old.status {
                Some(status) if old.contribution != 0 || status >= 2 => {
                    contribution(misc, status, subject.server.weight)
                }
                _ => 0,
            };
        }
    }
}

impl Check {
    /// A run of the script has ended.
    pub(crate) fn ended(&mut self, subject: Subject<'_>, ended: Ended, now: Instant) -> Conclusion {
        let Kind::Misc(timing, misc) = &subject.checker.kind else { return Conclusion::default() };
        if let Ended::Exited(status) = ended {
            self.runs.last_status = status;
        }
        let mut conclusion = match ended {
            Ended::Exited(status) if is_good(misc, status) => self.run_good(subject, misc, status),
            _ => self.run_bad(subject, misc, ended),
        };
        self.has_run = true;
        let retrying = self.failures > 0;
        let delay = if retrying { timing.delay_before_retry } else { timing.delay_loop };
        let due = self.runs.begun.unwrap_or(now) + delay;
        conclusion.next = Some(due.max(now + Duration::from_micros(1)));
        conclusion
    }

    fn run_good(&mut self, subject: Subject<'_>, misc: &Misc, status: u8) -> Conclusion {
        let mut conclusion = Conclusion::default();
        self.failures = 0;
        self.runs.status = Some(status);
        let contribution = contribution(misc, status, subject.server.weight);
        if contribution != self.runs.contribution {
            self.runs.contribution = contribution;
            conclusion.contribution = Some(contribution);
        }
        if !self.up || !self.has_run {
            conclusion.lines.push(line(subject, misc, "succeeded", ""));
            conclusion.mail = Some(mail("succeeded"));
            conclusion.report = Some(self.turn(true));
        }
        conclusion
    }

    fn run_bad(&mut self, subject: Subject<'_>, misc: &Misc, ended: Ended) -> Conclusion {
        let mut conclusion = Conclusion::default();
        if !self.up && self.has_run {
            return conclusion;
        }
        let retry = subject.timing().retry;
        let what = if ended == Ended::TimedOut { "timed out" } else { "failed" };
        let plural = |count: u32| if count == 1 { "retry" } else { "retries" };
        let reason = match ended {
            Ended::Exited(status) => format!(" (exited with status {status})"),
            Ended::Signalled(signal) => format!(" (due to signal {signal})"),
            Ended::TimedOut => String::new(),
        };
        if self.failures < retry {
            self.failures += 1;
            if subject.checker.log_all_failures {
                let count = match self.failures {
                    1 => format!(", will do {retry} {}", plural(retry)),
                    attempt => format!(" on retry {}/{retry}", attempt - 1),
                };
                let what = format!("{what}{count}");
                conclusion.lines.push(line(subject, misc, &what, &reason));
            }
            return conclusion;
        }
        self.failures = 0;
        let count = match retry {
            0 => " with retry disabled".to_owned(),
            retry => format!(" after {retry} {}", plural(retry)),
        };
        conclusion.lines.push(line(subject, misc, &format!("{what}{count}"), &reason));
        conclusion.mail = Some(mail(what));
        conclusion.report = Some(self.turn(false));
        self.runs.contribution = 0;
        self.runs.status = None;
        conclusion.quiet_contribution = Some(0);
        conclusion
    }
}

fn is_good(misc: &Misc, status: u8) -> bool {
    status == 0 || misc.dynamic && status >= 2
}

/// Status n stands for a weight of n − 2, and 0 for the configured one.
fn contribution(misc: &Misc, status: u8, weight: u32) -> i64 {
    match status {
        2.. if misc.dynamic => i64::from(status) - 2 - i64::from(weight),
        _ => 0,
    }
}

fn line(subject: Subject<'_>, misc: &Misc, what: &str, reason: &str) -> String {
    let script = misc.script.argv.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    let (name, service) = (subject.name(), &subject.service.name);
    format!("Misc check for [{name} VS {service}] by [{script}] {what}{reason}.")
}

fn mail(what: &str) -> String {
    format!("=> MISC CHECK {what} on service <=")
}
