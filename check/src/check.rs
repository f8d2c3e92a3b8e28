//! One health check: what its attempts come to. It makes none itself, reads no clock and writes no log.
//!
//! The engine makes an attempt, tells how it ended, and does what the [`Conclusion`] says. What counts as failed, when the
//! next attempt comes and what is logged is as in 2.4.3, down to the words; the kinds of checks differ in all three.

mod connections;
mod http;
mod misc;

use std::time::{Duration, Instant};

use log::Level;

use crate::balance::server_name;
use crate::config::checker::{Kind, Timing};
use crate::config::{Checker, RealServer, VirtualServer};
use crate::probe::{Failure, Notice, Outcome};

pub(crate) use misc::Ended;

/// What a check is about: its settings, and what messages call its server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The virtual server.
    pub service: &'a VirtualServer,
    /// The real server.
    pub server: &'a RealServer,
    /// The check.
    pub checker: &'a Checker,
}

impl Subject<'_> {
    /// The name of the real server.
    pub(crate) fn name(&self) -> String {
        server_name(self.service, self.server)
    }

    fn timing(&self) -> Timing {
        self.checker.kind.timing().unwrap_or(Timing {
            delay_loop: Duration::ZERO,
            warmup: Duration::ZERO,
            retry: 0,
            delay_before_retry: Duration::ZERO,
        })
    }
}

/// The state of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    up: bool,
    has_run: bool,
    /// Failed attempts in a row, as far as they are counted.
    failures: u32,
    round: http::Round,
    runs: misc::Runs,
}

/// What the end of an attempt comes to: to be done in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conclusion {
    /// What the attempt itself had to say, for the log.
    pub notices: Vec<(Level, String)>,
    /// What the check contributes to the weight of its server from now on, where that may have changed.
    pub contribution: Option<i64>,
    /// Lines for the log.
    pub lines: Vec<String>,
    /// What it contributes from now on, where that changes with its state and nothing is said of it.
    pub quiet_contribution: Option<i64>,
    /// What to tell the server.
    pub report: Option<Verdict>,
    /// The body of a mail about it, where the server wants mails.
    pub mail: Option<String>,
    /// When the next attempt is due; checks that others decide have none.
    pub next: Option<Instant>,
}

/// What a check says of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether it is up.
    pub up: bool,
    /// Whether the check says so for the first time.
    pub first: bool,
}

impl Check {
    /// A check that has not run, and counts as `up` or not until it has. `one_failure_is_enough`: as when the process
    /// starts, its server is not known to be good.
    pub(crate) fn new(checker: &Checker, up: bool, one_failure_is_enough: bool) -> Self {
        let timing = checker.kind.timing();
        let enough = timing.map_or(0, |timing| timing.retry);
        // A mail server has all its attempts at the start too.
        let counts = one_failure_is_enough && !matches!(checker.kind, Kind::Smtp(..));
        Self {
            up,
            // What a file says is known at once.
            has_run: matches!(checker.kind, Kind::File(_)),
            failures: if counts { enough } else { 0 },
            round: http::Round::default(),
            runs: misc::Runs::default(),
        }
    }

    /// Whether the server counts as up for it.
    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// Whether it has come to a conclusion yet.
    pub(crate) fn has_run(&self) -> bool {
        self.has_run
    }

    /// Failed attempts in a row, as far as they are counted.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The page that is fetched next.
    pub(crate) fn url(&self) -> usize {
        self.round.url()
    }

    /// The page that has failed.
    pub(crate) fn failed_url(&self) -> Option<usize> {
        self.round.failed()
    }

    /// When its script was last started.
    pub(crate) fn last_run(&self) -> Option<Instant> {
        self.runs.begun()
    }

    /// With what status its script last ended.
    pub(crate) fn last_status(&self) -> u8 {
        self.runs.last_status()
    }

    /// What it contributes to the weight of its server.
    pub(crate) fn contribution(&self) -> i64 {
        self.runs.contribution()
    }

    /// Goes on where `old` was before a reload.
    pub(crate) fn adopt(&mut self, old: &Self, subject: Subject<'_>) {
        let retry = subject.checker.kind.timing().map_or(0, |timing| timing.retry);
        self.has_run = old.has_run;
        if matches!(subject.checker.kind, Kind::Smtp(..)) {
            self.failures = 0;
        } else if old.has_run {
            self.failures = if self.up { old.failures.min(retry) } else { retry.saturating_add(1) };
        }
        if !self.up {
            self.round.adopt(&old.round);
        }
        self.runs.adopt(&old.runs, subject);
    }

    /// No attempt is made now. Returns when the next one is due.
    pub(crate) fn pass_over(&mut self, subject: Subject<'_>, now: Instant) -> Instant {
        if matches!(subject.checker.kind, Kind::Smtp(..)) {
            self.failures = 0;
        }
        now + subject.timing().delay_loop
    }

    /// A run of the script begins.
    pub(crate) fn begin_run(&mut self, now: Instant) {
        self.runs.begin(now);
    }

    /// An attempt over the network has ended. `details`: whether they are logged.
    pub(crate) fn conclude(
        &mut self,
        subject: Subject<'_>,
        outcome: &Outcome,
        details: bool,
        now: Instant,
    ) -> Conclusion {
        let notices = lines(subject, &outcome.notices, details);
        let conclusion = match (&outcome.verdict, &subject.checker.kind) {
            (Ok(good), Kind::Http(_, timing, http)) => {
                self.page_good(subject, *timing, http, *good, now)
            }
            (Ok(_), _) => self.succeed(subject, now),
            (Err(failure), _) => self.fail(subject, failure, now),
        };
        Conclusion { notices, ..conclusion }
    }

    fn succeed(&mut self, subject: Subject<'_>, now: Instant) -> Conclusion {
        let timing = subject.timing();
        self.failures = 0;
        let next = Some(now + timing.delay_loop);
        let mut conclusion = Conclusion { next, ..Conclusion::default() };
        if !self.up || !self.has_run {
            let name = subject.name();
            let (line, mail) = match subject.checker.kind {
                Kind::Udp(..) => {
                    (format!("UDP connection to {name} success."), connections::UDP_UP)
                }
                Kind::Ping(..) => {
                    (format!("ICMP connection to {name} success."), connections::PING_UP)
                }
                Kind::Smtp(..) => {
                    (format!("Remote SMTP server {name} succeed on service."), connections::UP)
                }
                Kind::Dns(..) => (String::new(), connections::DNS_UP),
                _ => (format!("TCP connection to {name} success."), connections::TCP_UP),
            };
            conclusion.lines.extend(Some(line).filter(|line| !line.is_empty()));
            conclusion.mail = (!self.up).then(|| mail.to_owned());
            conclusion.report = Some(self.turn(true));
        }
        conclusion
    }

    fn fail(&mut self, subject: Subject<'_>, failure: &Failure, now: Instant) -> Conclusion {
        match &subject.checker.kind {
            Kind::Http(_, timing, http) => self.page_bad(subject, *timing, http, failure, now),
            Kind::Smtp(_, timing, _) => self.mail_server_bad(subject, *timing, failure, now),
            Kind::Dns(_, timing, _) => self.name_server_bad(subject, *timing, failure, now),
            _ => self.connection_bad(subject, failure, now),
        }
    }

    /// Takes a state as its own; what to report.
    fn turn(&mut self, up: bool) -> Verdict {
        let first = !self.has_run;
        self.up = up;
        self.has_run = true;
        Verdict { up, first }
    }

    /// A session of BFD is up, or not. `None` when that is known.
    pub(crate) fn session(
        &mut self,
        subject: Subject<'_>,
        session: &str,
        up: bool,
    ) -> Option<Conclusion> {
        if up == self.up && self.has_run {
            return None;
        }
        let (state, result) = if up { ("UP", "succeeded") } else { ("DOWN", "failed") };
        let line = format!("BFD check of [{session}] RS({}) is {state}", subject.name());
        let mail = format!("=> BFD CHECK {session} {result} on service <=");
        let changed = up != self.up;
        Some(Conclusion {
            lines: vec![line],
            mail: changed.then_some(mail),
            report: Some(self.turn(up)),
            ..Conclusion::default()
        })
    }

    /// The number in a tracked file says that the server is up, or not, and contributes to its weight.
    pub(crate) fn file(&mut self, up: bool, contribution: i64) -> Conclusion {
        let changed = up != self.up;
        self.runs.set_contribution(contribution);
        if !changed {
            return Conclusion { contribution: Some(contribution), ..Conclusion::default() };
        }
        Conclusion {
            quiet_contribution: Some(contribution),
            report: Some(self.turn(up)),
            ..Conclusion::default()
        }
    }
}

/// The lines of an attempt.
fn lines(subject: Subject<'_>, notices: &[Notice], details: bool) -> Vec<(Level, String)> {
    if notices.is_empty() {
        return Vec::new();
    }
    let (name, service) = (subject.name(), &subject.service.name);
    notices.iter().filter_map(|notice| notice.line(&name, service, details)).collect()
}

#[cfg(test)]
mod tests;
