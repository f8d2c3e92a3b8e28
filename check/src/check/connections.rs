//! Checks that connect: what a failed attempt comes to. Pages are elsewhere, they come in rounds.

use std::time::Instant;

use super::{Check, Conclusion, Subject};
use crate::config::checker::{Kind, Timing};
use crate::probe::{Failure, PingFailure, UdpFailure, Unconnected};

pub(super) const UP: &str = "=> CHECK succeed on service <=";
pub(super) const TCP_UP: &str = "=> TCP CHECK succeed on service <=";
pub(super) const UDP_UP: &str = "=> UDP CHECK succeed on service <=";
pub(super) const PING_UP: &str = "=> ICMP CHECK succeed on service <=";
pub(super) const DNS_UP: &str = "=> DNS_CHECK: succeed on service <=";

impl Check {
    /// TCP_CHECK, UDP_CHECK and PING_CHECK: attempts count while the check is up.
    pub(super) fn connection_bad(
        &mut self,
        subject: Subject<'_>,
        failure: &Failure,
        now: Instant,
    ) -> Conclusion {
        let timing = subject.timing();
        let mut conclusion = Conclusion::default();
        if self.up && subject.checker.log_all_failures {
            conclusion.lines.extend(attempt_line(subject, failure));
        }
        let mut delay = timing.delay_loop;
        if (self.up || !self.has_run) && self.failures >= timing.retry {
            let (line, mail) = self.down_line(subject, timing);
            conclusion.lines.push(line);
            conclusion.mail = self.up.then(|| mail.to_owned());
            conclusion.report = Some(self.turn(false));
            self.failures = 0;
        } else if self.up {
            self.failures += 1;
            delay = timing.delay_before_retry;
        }
        self.has_run = true;
        conclusion.next = Some(now + delay);
        conclusion
    }

    /// What is said, and mailed, when the last attempt of a check has failed.
    fn down_line(&self, subject: Subject<'_>, timing: Timing) -> (String, &'static str) {
        let name = subject.name();
        let retried = self.has_run && timing.retry != 0;
        let after =
            if retried { format!(" after {} retries", timing.retry) } else { String::new() };
        match subject.checker.kind {
            Kind::Udp(..) => (
                format!("UDP_CHECK on service {name} failed{after}."),
                "=> UDP CHECK failed on service <=",
            ),
            Kind::Ping(..) => {
                let of =
                    if retried { format!(" of {}", subject.service.name) } else { after.clone() };
                (
                    format!("ICMP CHECK on service {name}{of} failed{after}."),
                    "=> ICMP CHECK failed on service <=",
                )
            }
            _ => (
                format!("TCP_CHECK on service {name} failed{after}."),
                "=> TCP CHECK failed on service <=",
            ),
        }
    }

    /// SMTP_CHECK: a cycle of attempts, also while it is down.
    pub(super) fn mail_server_bad(
        &mut self,
        subject: Subject<'_>,
        timing: Timing,
        failure: &Failure,
        now: Instant,
    ) -> Conclusion {
        let mut conclusion = Conclusion::default();
        let matters = self.up || !self.has_run;
        let last = self.failures >= timing.retry;
        let text = failure.text(subject.server.address);
        if matters && (subject.checker.log_all_failures || last) {
            conclusion.lines.push(format!("SMTP_CHECK {text}"));
        }
        if !last {
            self.failures += 1;
            conclusion.next = Some(now + timing.delay_before_retry);
            return conclusion;
        }
        self.failures = 0;
        if matters {
            conclusion.mail = self.up.then(|| format!("=> CHECK failed on service : {text} <="));
            conclusion.report = Some(self.turn(false));
        }
        conclusion.next = Some(now + timing.delay_loop);
        conclusion
    }

    /// DNS_CHECK: attempts count until it is down.
    pub(super) fn name_server_bad(
        &mut self,
        subject: Subject<'_>,
        timing: Timing,
        failure: &Failure,
        now: Instant,
    ) -> Conclusion {
        let next = Some(now + timing.delay_loop);
        let mut conclusion = Conclusion { next, ..Conclusion::default() };
        if self.up || !self.has_run {
            let last = self.failures >= timing.retry;
            if subject.checker.log_all_failures || last {
                let name = subject.name();
                let after = if last && self.has_run {
                    format!(" after {} retries", timing.retry)
                } else {
                    String::new()
                };
                let text = failure.text(subject.server.address);
                conclusion.lines.push(format!("DNS_CHECK ({name}) {text}{after}"));
            }
            if !last {
                self.failures += 1;
                self.has_run = true;
                conclusion.next = Some(now + timing.delay_before_retry);
                return conclusion;
            }
            conclusion.mail = self.up.then(|| "=> DNS_CHECK: failed on service <=".to_owned());
            conclusion.report = Some(self.turn(false));
        }
        self.failures = 0;
        conclusion
    }
}

/// What is said of a failed attempt where every one is to be told of.
fn attempt_line(subject: Subject<'_>, failure: &Failure) -> Option<String> {
    let name = subject.name();
    Some(match failure {
        // Those that fail at once say nothing, or have said something.
        Failure::Tcp(Unconnected::Unreachable) | Failure::Ping(PingFailure::Send) => return None,
        Failure::Udp(UdpFailure::Mismatch) => {
            format!("UDP check to {name} reply data mismatch.")
        }
        Failure::Udp(UdpFailure::Connection) => format!("UDP connection to {name} failed."),
        Failure::Ping(PingFailure::Timeout) => {
            format!("ICMP connection to address {name} timeout.")
        }
        Failure::Ping(PingFailure::Reply) => {
            format!("ICMP connection to {name} of {} failed.", subject.service.name)
        }
        _ => format!("TCP connection to {name} {}.", failure.text(subject.server.address)),
    })
}
