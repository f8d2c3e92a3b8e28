//! What attempts come to, against logs of 2.4.3.

use conf_parser::{Diagnostics, Options, parse_text};
use proptest::prelude::*;
use runtime::global::Global;

use super::*;
use crate::config::{Config, ROOT, load};
use crate::probe::{
    DnsFailure, HttpFailure, LastTest, PingFailure, SmtpFailure, UdpFailure, Unconnected,
};

/// One check of a server, at a time of our own.
struct Bench {
    config: Config,
    check: Check,
    now: Instant,
}

impl Bench {
    /// A check with `retry 2`, `delay_before_retry 1`, `delay_loop 10`, all failures logged, as the process starts.
    fn new(kind: &str, lines: &str) -> Self {
        Self::with(
            kind,
            &format!("retry 2\ndelay_before_retry 1\ndelay_loop 10\nlog_all_failures\n{lines}"),
        )
    }

    fn with(kind: &str, lines: &str) -> Self {
        let text = format!(
            "virtual_server 10.0.0.1 80 {{\nprotocol TCP\nlvs_sched rr\nlvs_method NAT\nreal_server 192.168.50.2 80 {{\nweight 10\n{kind} {{\n{lines}\n}}\n}}\n}}\n"
        );
        let mut diagnostics = Diagnostics::for_test();
        let options = Options { main: "test.conf".into(), ..Options::default() };
        let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
        let mut global = Global::default();
        global.scripts.security = true;
        let config = load(&statements, &global, &mut diagnostics);
        let messages: Vec<_> = diagnostics.items().iter().map(|item| &item.message).collect();
        assert!(messages.is_empty(), "{messages:?}");
        let checker = &subject(&config).checker;
        let check = Check::new(checker, !checker.alpha, true);
        Self { config, check, now: Instant::now() }
    }

    /// The end of an attempt: lines, report, mail, and after how many seconds the next one is due.
    fn end(&mut self, verdict: crate::probe::Verdict) -> Told {
        let outcome = Outcome { verdict, notices: Vec::new() };
        let conclusion = self.check.conclude(subject(&self.config), &outcome, true, self.now);
        self.told(conclusion)
    }

    fn run(&mut self, ended: Ended) -> Told {
        let conclusion = self.check.ended(subject(&self.config), ended, self.now);
        self.told(conclusion)
    }

    fn told(&mut self, conclusion: Conclusion) -> Told {
        let next = conclusion.next.unwrap();
        let after = next - self.now;
        self.now = next;
        let report = conclusion.report.map(|verdict| verdict.up);
        Told { lines: conclusion.lines, report, mail: conclusion.mail, after: after.as_secs() }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Told {
    lines: Vec<String>,
    report: Option<bool>,
    mail: Option<String>,
    after: u64,
}

fn told(lines: &[&str], report: Option<bool>, mail: Option<&str>, after: u64) -> Told {
    let lines = lines.iter().map(|&line| line.to_owned()).collect();
    Told { lines, report, mail: mail.map(str::to_owned), after }
}

fn subject(config: &Config) -> Subject<'_> {
    let service = &config.virtual_servers[0];
    let server = &service.real_servers[0];
    Subject { service, server, checker: &server.checkers[0] }
}

use crate::probe::Good::{Answered, Page};

const TCP: Failure = Failure::Tcp(Unconnected::Refused);
const PAGE: Failure = Failure::Http(HttpFailure::Status);

#[test]
fn tcp_goes_down_after_its_retries_and_comes_back_at_once() {
    let mut bench = Bench::new("TCP_CHECK", "");
    let up = "TCP connection to [192.168.50.2]:tcp:80 success.";
    assert_eq!(bench.end(Ok(Answered)), told(&[up], Some(true), None, 10));
    assert_eq!(bench.end(Ok(Answered)), told(&[], None, None, 10));
    let failed = "TCP connection to [192.168.50.2]:tcp:80 failed.";
    assert_eq!(bench.end(Err(TCP)), told(&[failed], None, None, 1));
    let timeout = "TCP connection to [192.168.50.2]:tcp:80 timeout.";
    let late = Failure::Tcp(Unconnected::Timeout);
    assert_eq!(bench.end(Err(late)), told(&[timeout], None, None, 1));
    let down = "TCP_CHECK on service [192.168.50.2]:tcp:80 failed after 2 retries.";
    let mail = "=> TCP CHECK failed on service <=";
    assert_eq!(bench.end(Err(TCP)), told(&[failed, down], Some(false), Some(mail), 10));
    assert_eq!(bench.end(Err(TCP)), told(&[], None, None, 10));
    let mail = "=> TCP CHECK succeed on service <=";
    assert_eq!(bench.end(Ok(Answered)), told(&[up], Some(true), Some(mail), 10));
}

#[test]
fn one_failure_is_enough_at_the_start() {
    let mut bench = Bench::new("TCP_CHECK", "");
    let failed = "TCP connection to [192.168.50.2]:tcp:80 failed.";
    let down = "TCP_CHECK on service [192.168.50.2]:tcp:80 failed.";
    let mail = Some("=> TCP CHECK failed on service <=");
    assert_eq!(bench.end(Err(TCP)), told(&[failed, down], Some(false), mail, 10));
    let mut bench = Bench::new("TCP_CHECK", "alpha");
    assert_eq!(bench.end(Err(TCP)), told(&[down], Some(false), None, 10));
}

#[test]
fn udp_and_ping_have_words_of_their_own() {
    let mut bench = Bench::with("UDP_CHECK", "retry 1\nlog_all_failures");
    bench.end(Ok(Answered));
    let bad = Failure::Udp(UdpFailure::Mismatch);
    let mismatch = "UDP check to [192.168.50.2]:tcp:80 reply data mismatch.";
    assert_eq!(bench.end(Err(bad)).lines, [mismatch]);
    let failed = "UDP connection to [192.168.50.2]:tcp:80 failed.";
    let down = "UDP_CHECK on service [192.168.50.2]:tcp:80 failed after 1 retries.";
    assert_eq!(bench.end(Err(Failure::Udp(UdpFailure::Connection))).lines, [failed, down]);

    let mut bench = Bench::with("PING_CHECK", "retry 1\nlog_all_failures");
    let up = "ICMP connection to [192.168.50.2]:tcp:80 success.";
    assert_eq!(bench.end(Ok(Answered)).lines, [up]);
    let late = "ICMP connection to address [192.168.50.2]:tcp:80 timeout.";
    assert_eq!(bench.end(Err(Failure::Ping(PingFailure::Timeout))).lines, [late]);
    let down =
        "ICMP CHECK on service [192.168.50.2]:tcp:80 of [10.0.0.1]:tcp:80 failed after 1 retries.";
    assert_eq!(bench.end(Err(Failure::Ping(PingFailure::Send))).lines, [down]);
}

#[test]
fn a_mail_server_has_all_its_attempts_also_at_the_start_and_while_it_is_down() {
    let mut bench = Bench::new("SMTP_CHECK", "");
    let to = "192.168.50.2:80".parse().unwrap();
    let bad = Failure::Smtp(SmtpFailure::Unconnected(Unconnected::Refused), to);
    let line = "SMTP_CHECK Could not connect to server [192.168.50.2]:80";
    assert_eq!(bench.end(Err(bad)), told(&[line], None, None, 1));
    assert_eq!(bench.end(Err(bad)), told(&[line], None, None, 1));
    let mail = "=> CHECK failed on service : Could not connect to server [192.168.50.2]:80 <=";
    assert_eq!(bench.end(Err(bad)), told(&[line], Some(false), Some(mail), 10));
    assert_eq!(bench.end(Err(bad)), told(&[], None, None, 1));
    assert_eq!(bench.end(Err(bad)), told(&[], None, None, 1));
    assert_eq!(bench.end(Err(bad)), told(&[], None, None, 10));
    let up = "Remote SMTP server [192.168.50.2]:tcp:80 succeed on service.";
    let mail = Some("=> CHECK succeed on service <=");
    assert_eq!(bench.end(Ok(Answered)), told(&[up], Some(true), mail, 10));
}

#[test]
fn a_name_server_says_nothing_when_it_is_good() {
    let mut bench = Bench::new("DNS_CHECK", "");
    assert_eq!(bench.end(Ok(Answered)), told(&[], Some(true), None, 10));
    let bad = Failure::Dns(DnsFailure::Code(3));
    let line = "DNS_CHECK ([192.168.50.2]:tcp:80) read error occurred. (rcode = 3)";
    assert_eq!(bench.end(Err(bad)), told(&[line], None, None, 1));
    assert_eq!(bench.end(Err(bad)), told(&[line], None, None, 1));
    let last = format!("{line} after 2 retries");
    let mail = Some("=> DNS_CHECK: failed on service <=");
    assert_eq!(bench.end(Err(bad)), told(&[&last], Some(false), mail, 10));
    assert_eq!(bench.end(Err(bad)), told(&[], None, None, 10));
}

const TWO_PAGES: &str = "url {\npath /a\n}\nurl {\npath /b\n}";

#[test]
fn pages_are_fetched_one_by_one_and_all_must_be_good() {
    let mut bench = Bench::new("HTTP_GET", &format!("alpha\n{TWO_PAGES}"));
    let good = Ok(Page(LastTest::Status));
    let first = "HTTP status code success to [192.168.50.2]:tcp:80 url(/a)";
    let second = "HTTP status code success to [192.168.50.2]:tcp:80 url(/b)";
    let up = "Remote Web server [192.168.50.2]:tcp:80 succeed on service.";
    let mail = Some("=> CHECK succeed on service <=");
    assert_eq!(bench.end(good), told(&[first], None, None, 10));
    assert_eq!(bench.end(good), told(&[second, up], Some(true), mail, 10));
    assert_eq!(bench.end(good), told(&[], None, None, 10));
    // The second page fails.
    let bad = "HTTP status code error to server [192.168.50.2]:tcp:80.";
    let down = "HTTP_CHECK on service [192.168.50.2]:tcp:80 failed after 2 retries.";
    let mail_down = Some("=> CHECK failed on service : HTTP/SSL request failed <=");
    assert_eq!(bench.end(Err(PAGE)), told(&[bad], None, None, 1));
    assert_eq!(bench.end(Err(PAGE)), told(&[bad], None, None, 1));
    assert_eq!(bench.end(Err(PAGE)), told(&[bad, down], Some(false), mail_down, 10));
    assert_eq!(bench.check.url(), 1);
    assert_eq!(bench.end(Err(PAGE)), told(&[], None, None, 10));
    // It is good again: now all of them, of which one may fail on the way.
    assert_eq!(bench.end(good), told(&[second], None, None, 10));
    assert_eq!(bench.check.url(), 0);
    assert_eq!(bench.end(Err(PAGE)), told(&[], None, None, 1));
    assert_eq!(bench.end(good), told(&[first], None, None, 10));
    assert_eq!(bench.end(good), told(&[second, up], Some(true), mail, 10));
}

#[test]
fn a_page_that_fails_in_alpha_mode_is_not_mentioned() {
    let mut bench = Bench::with("HTTP_GET", "alpha\nretry 2\ndelay_loop 10\nurl {\npath /\n}");
    assert_eq!(bench.end(Err(PAGE)), told(&[], None, None, 10));
    let good = Ok(Page(LastTest::Digest));
    let first = "MD5 digest success to [192.168.50.2]:tcp:80 url(/)";
    assert_eq!(bench.end(good), told(&[first], None, None, 10), "the page was remembered");
    assert_eq!(bench.end(good).report, Some(true));
}

#[test]
fn fast_recovery_does_not_wait_between_good_pages() {
    let mut bench = Bench::new("HTTP_GET", &format!("fast_recovery\n{TWO_PAGES}"));
    let good = Ok(Page(LastTest::Status));
    assert_eq!(bench.end(good).after, 0);
    assert_eq!(bench.end(good).after, 10);
    assert_eq!(bench.end(good).after, 10);
    (0..3).for_each(|_| drop(bench.end(Err(PAGE))));
    assert_eq!(bench.end(good).after, 0, "the page that had failed");
    // In 2.4.3 it is fetched again and again without a pause.
    assert_eq!(bench.end(Err(PAGE)).after, 1);
    assert_eq!(bench.end(good).after, 0);
    assert_eq!(bench.end(good).after, 10);
}

fn script(lines: &str) -> Bench {
    Bench::with("MISC_CHECK", &format!("misc_path /bin/true\nuser root\ndelay_loop 10\n{lines}"))
}

#[test]
fn a_script_is_said_to_have_failed_with_its_reason() {
    let mut bench = script("retry 2\nlog_all_failures");
    let line = |what: &str| {
        format!(
            "Misc check for [[192.168.50.2]:tcp:80 VS [10.0.0.1]:tcp:80] by [/bin/true] {what}."
        )
    };
    let mail = Some("=> MISC CHECK succeeded on service <=");
    assert_eq!(bench.run(Ended::Exited(0)), told(&[&line("succeeded")], Some(true), mail, 10));
    assert_eq!(bench.run(Ended::Exited(0)), told(&[], None, None, 10));
    let first = line("failed, will do 2 retries (exited with status 1)");
    assert_eq!(bench.run(Ended::Exited(1)), told(&[&first], None, None, 1));
    let second = line("timed out on retry 1/2");
    assert_eq!(bench.run(Ended::TimedOut), told(&[&second], None, None, 1));
    let last = line("failed after 2 retries (due to signal 15)");
    let mail = Some("=> MISC CHECK failed on service <=");
    assert_eq!(bench.run(Ended::Signalled(15)), told(&[&last], Some(false), mail, 10));
    assert_eq!(bench.run(Ended::Exited(1)), told(&[], None, None, 10));
    let mut bench = script("");
    let only = line("failed with retry disabled (exited with status 1)");
    assert_eq!(bench.run(Ended::Exited(1)).lines, [only]);
}

#[test]
fn the_next_run_is_counted_from_the_start_of_the_last() {
    let mut bench = script("");
    bench.check.begin_run(bench.now);
    bench.now += Duration::from_secs(4);
    assert_eq!(bench.run(Ended::Exited(0)).after, 6);
    bench.check.begin_run(bench.now);
    bench.now += Duration::from_secs(14);
    assert_eq!(bench.run(Ended::Exited(0)).after, 0);
}

#[test]
fn a_status_may_stand_for_a_weight() {
    let mut bench = script("misc_dynamic");
    let mut end = |status| {
        let conclusion =
            bench.check.ended(subject(&bench.config), Ended::Exited(status), bench.now);
        let report = conclusion.report.map(|verdict| verdict.up);
        (conclusion.contribution, conclusion.quiet_contribution, report)
    };
    assert_eq!(end(22), (Some(10), None, Some(true)));
    assert_eq!(end(22), (None, None, None));
    assert_eq!(end(2), (Some(-10), None, None));
    assert_eq!(end(1), (None, Some(0), Some(false)));
    assert_eq!(end(2), (Some(-10), None, Some(true)));
    assert_eq!(end(0), (Some(0), None, None));
}

#[test]
fn what_is_carried_over_a_reload_needs_no_new_proof() {
    let mut old = Bench::new("TCP_CHECK", "");
    old.end(Ok(Answered));
    old.end(Err(TCP));
    let adopted = |old: &Bench, up| {
        let config = &old.config;
        let mut check = Check::new(subject(config).checker, up, false);
        check.adopt(&old.check, subject(config));
        check
    };
    let check = adopted(&old, true);
    assert_eq!((check.is_up(), check.has_run(), check.failures()), (true, true, 1));
    old.end(Err(TCP));
    old.end(Err(TCP));
    let check = adopted(&old, false);
    assert_eq!((check.is_up(), check.failures()), (false, 3));
}

#[test]
fn a_page_that_has_failed_is_the_first_after_a_reload() {
    let mut old = Bench::new("HTTP_GET", TWO_PAGES);
    old.end(Ok(Page(LastTest::Status)));
    (0..3).for_each(|_| drop(old.end(Err(PAGE))));
    let mut check = Check::new(subject(&old.config).checker, false, false);
    check.adopt(&old.check, subject(&old.config));
    assert_eq!((check.url(), check.failed_url()), (1, Some(1)));
}

/// A check of every kind that connects.
fn kinds() -> [(&'static str, &'static str, Failure); 6] {
    let to = "192.168.50.2:25".parse().unwrap();
    [
        ("TCP_CHECK", "", TCP),
        ("HTTP_GET", TWO_PAGES, PAGE),
        ("SMTP_CHECK", "", Failure::Smtp(SmtpFailure::Banner, to)),
        ("DNS_CHECK", "", Failure::Dns(DnsFailure::Timeout)),
        ("UDP_CHECK", "", Failure::Udp(UdpFailure::Connection)),
        ("PING_CHECK", "", Failure::Ping(PingFailure::Timeout)),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_next_attempt_comes_in_time_and_reports_are_changes(
        kind in 0..6_usize,
        alpha: bool,
        results in prop::collection::vec(any::<bool>(), 1..60),
    ) {
        let (kind, lines, bad) = kinds()[kind];
        let alpha_word = if alpha { "alpha\n" } else { "" };
        let mut bench = Bench::new(kind, &format!("{alpha_word}{lines}"));
        let mut state = !alpha;
        let mut first = true;
        let mut in_a_row = 0;
        for good in results {
            let verdict = if good { Ok(if kind == "HTTP_GET" { Page(LastTest::Status) } else { Answered }) } else { Err(bad) };
            in_a_row = if good { 0 } else { in_a_row + 1 };
            let told = bench.end(verdict);
            prop_assert!((1..=10).contains(&told.after), "{told:?}");
            if let Some(up) = told.report {
                prop_assert!(up != state || first, "no news");
                prop_assert_eq!(up, good, "it is said of what has just happened");
                state = up;
                first = false;
            } else {
                prop_assert_eq!(told.mail, None);
            }
            prop_assert_eq!(bench.check.is_up(), state);
            // As many failures as it takes, and never more.
            prop_assert!(in_a_row <= 2 || !state, "{in_a_row} failures");
            if good && kind != "HTTP_GET" {
                prop_assert!(state, "one success is enough");
            }
        }
    }
}
