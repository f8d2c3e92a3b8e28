//! HTTP_GET and SSL_GET: one page an attempt, in rounds.
//!
//! While a page has failed, only that one is fetched; when it is good again all are, before the server comes back.

use std::time::{Duration, Instant};

use super::{Check, Conclusion, Subject};
use crate::config::checker::Timing;
use crate::config::http::Http;
use crate::probe::{Failure, Good};

/// Where a check is in its pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Round {
    /// The page that is fetched next.
    url: usize,
    /// The page that has failed.
    failed: Option<usize>,
}

impl Round {
    pub(super) fn url(&self) -> usize {
        self.url
    }

    pub(super) fn failed(&self) -> Option<usize> {
        self.failed
    }

    /// Goes on with the page that has failed.
    pub(super) fn adopt(&mut self, old: &Self) {
        self.failed = old.failed;
        self.url = old.failed.unwrap_or(0);
    }
}

impl Check {
    pub(super) fn page_good(
        &mut self,
        subject: Subject<'_>,
        timing: Timing,
        http: &Http,
        good: Good,
        now: Instant,
    ) -> Conclusion {
        let mut conclusion = Conclusion::default();
        if let (Good::Page(test), false) = (good, self.up) {
            let (name, path) = (subject.name(), path(http, self.round.url));
            conclusion.lines.push(format!("{test} success to {name} url({path})"));
        }
        self.failures = 0;
        if self.round.failed.take().is_some() {
            self.round.url = 0;
        } else if self.round.url + 1 < http.urls.len() {
            self.round.url += 1;
        } else {
            self.round.url = 0;
            if !self.up || !self.has_run {
                let line = format!("Remote Web server {} succeed on service.", subject.name());
                conclusion.lines.push(line);
                conclusion.mail = (!self.up).then(|| super::connections::UP.to_owned());
                conclusion.report = Some(self.turn(true));
            }
        }
        if !self.has_run {
            self.failures = timing.retry;
        }
        let hurries = http.fast_recovery && (!self.has_run || !self.up);
        conclusion.next = Some(now + if hurries { Duration::ZERO } else { timing.delay_loop });
        conclusion
    }

    pub(super) fn page_bad(
        &mut self,
        subject: Subject<'_>,
        timing: Timing,
        http: &Http,
        failure: &Failure,
        now: Instant,
    ) -> Conclusion {
        let mut conclusion = Conclusion::default();
        if self.up || !self.has_run {
            if subject.checker.log_all_failures {
                let text = failure.text(subject.server.address);
                conclusion.lines.push(format!("{text} server {}.", subject.name()));
            }
            self.has_run = true;
            self.failures = self.failures.saturating_add(1);
            if self.failures > timing.retry {
                if self.up {
                    conclusion.lines.push(down_line(subject, http, timing));
                    conclusion.mail =
                        Some("=> CHECK failed on service : HTTP/SSL request failed <=".to_owned());
                    conclusion.report = Some(self.turn(false));
                }
                self.round.failed = Some(self.round.url);
            }
        }
        // In 2.4.3 `fast_recovery` lets one that fails on the way back be fetched again and again without a pause.
        let delay = match self.round.failed {
            Some(_) => timing.delay_before_retry.max(timing.delay_loop),
            None => timing.delay_before_retry,
        };
        conclusion.next = Some(now + delay);
        conclusion
    }
}

fn path(http: &Http, url: usize) -> &str {
    http.urls.get(url).map_or("", |url| &url.path)
}

fn down_line(subject: Subject<'_>, http: &Http, timing: Timing) -> String {
    let (kind, name) = (if http.tls { "SSL" } else { "HTTP" }, subject.name());
    match timing.retry {
        0 => format!("{kind}_CHECK on service {name} failed."),
        retry => format!("{kind}_CHECK on service {name} failed after {retry} retries."),
    }
}
