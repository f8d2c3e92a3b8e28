//! Checks, and what they watch, in dumps.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runtime::report::{Moment, Report, command, yes_no};

use super::servers::{report_groups, report_switch};
use super::{CheckState, Snapshot};
use crate::config::checker::{Checker, Connection, HandedDown, Kind, Timing};
use crate::config::dns::Dns;
use crate::config::http::{Http, HttpVersion, REGEX_OPTIONS, Regex, Url};
use crate::config::misc::Misc;
use crate::config::service::trio;
use crate::config::udp::Udp;
use crate::config::{Config, RealServer, VirtualServer};

/// What 2.4.3 has where nothing is set.
const UNSET_TIME: u64 = u64::MAX;
const UNSET_COUNT: u32 = u32::MAX;

/// A check with what it is about and what became of it.
type Placed<'a> = (&'a VirtualServer, &'a RealServer, &'a Checker, &'a CheckState);

fn all<'a>(config: &'a Config, snapshot: &'a Snapshot) -> impl Iterator<Item = Placed<'a>> {
    let pools = config.virtual_servers.iter().zip(&snapshot.pools);
    let servers = pools.flat_map(|(virtual_server, state)| {
        let servers = virtual_server.real_servers.iter().zip(&state.servers);
        servers.map(move |(server, state)| (virtual_server, server, state))
    });
    servers.flat_map(|(virtual_server, server, state)| {
        // 2.4.3 puts those that look at files behind the others.
        [false, true].into_iter().flat_map(move |file| {
            let checks = server.checkers.iter().zip(&state.checks);
            let checks =
                checks.filter(move |(check, _)| matches!(check.kind, Kind::File(_)) == file);
            checks.map(move |(checker, state)| (virtual_server, server, checker, state))
        })
    })
}

fn name(virtual_server: &VirtualServer, address: SocketAddr) -> String {
    trio(address.ip(), virtual_server.protocol, Some(address.port()))
}

fn relation(virtual_server: &VirtualServer, server: &RealServer) -> String {
    format!("{} -> {}", virtual_server.name, name(virtual_server, server.address))
}

pub(super) fn report_checks(config: &Config, snapshot: &Snapshot, out: &mut Report) {
    let mut checks = all(config, snapshot).peekable();
    if checks.peek().is_none() {
        return;
    }
    out.heading("Health checkers");
    for (virtual_server, server, checker, state) in checks {
        out.line(relation(virtual_server, server));
        let inherited = server.handed_down(virtual_server);
        out.inside(|out| report_check(config, inherited, checker, state, out));
    }
}

/// The tracked files that checks look at.
pub(super) fn report_files(config: &Config, snapshot: &Snapshot, out: &mut Report) {
    if config.files.is_empty() {
        return;
    }
    out.heading("Checker track files");
    for (file, status) in config.files.iter().zip(&snapshot.files) {
        out.field("Track file", &file.name);
        out.inside(|out| {
            out.field("File", &file.path);
            out.field("Status", status);
            out.field("Weight", weight(file.weight, file.reverse));
            let lines = all(config, snapshot).filter_map(|(virtual_server, server, checker, _)| {
                let Kind::File(check) = &checker.kind else { return None };
                let relation = relation(virtual_server, server);
                let weight = weight(check.weight, check.reverse);
                (check.file == file.name).then(|| format!("{relation}, weight {weight}"))
            });
            out.list("Tracking instances :", lines);
        });
    }
}

fn weight(weight: i32, reverse: bool) -> String {
    format!("{weight}{}", if reverse { " reverse" } else { "" })
}

/// The BFD sessions that checks may look at, each with the servers that do.
pub(super) fn report_sessions(config: &Config, out: &mut Report) {
    if config.sessions.is_empty() {
        return;
    }
    out.heading("Checker track BFDs");
    for session in &config.sessions {
        out.field("Checker Track BFD", session);
        out.inside(|out| {
            out.line("Tracking RS :");
            for server in &config.virtual_servers {
                for real in &server.real_servers {
                    let is_this = |checker: &&Checker| matches!(&checker.kind, Kind::Bfd(name) if name == session);
                    for _ in real.checkers.iter().filter(is_this) {
                        out.line(name(server, real.address));
                    }
                }
            }
        });
    }
}

fn report_check(
    config: &Config,
    inherited: &HandedDown,
    checker: &Checker,
    state: &CheckState,
    out: &mut Report,
) {
    out.field("Enabled", yes_no(state.enabled));
    out.field("Up", yes_no(state.up));
    out.field("Has run", yes_no(state.has_run));
    out.field("Current weight", state.weight);
    if !matches!(checker.kind, Kind::File(_)) {
        out.field("Alpha", yes_no(checker.alpha));
        report_timing(checker.kind.timing(), state.failures, out);
        let usual = checker.kind.usual_delay_before_retry().unwrap_or_default();
        out.field("Default delay before retry", microseconds(usual));
    }
    out.field("Log all failures", yes_no(checker.log_all_failures));
    if let Some(connection) = checker.kind.connection() {
        out.line("Connection");
        out.inside(|out| report_connection(connection, out));
    }
    report_kind(config, inherited, checker, state, out);
}

fn microseconds(time: Duration) -> String {
    format!("{} us", time.as_micros())
}

fn report_timing(timing: Option<Timing>, failures: u32, out: &mut Report) {
    let Some(timing) = timing else {
        out.field("Delay loop", format_args!("{UNSET_TIME} us"));
        out.field("Warmup", format_args!("{UNSET_TIME} us"));
        out.field("Retries", UNSET_COUNT);
        out.field("Delay before retry", format_args!("{UNSET_TIME} us"));
        return out.field("Retries iterations", UNSET_COUNT);
    };
    out.field("Delay loop", microseconds(timing.delay_loop));
    out.field("Warmup", microseconds(timing.warmup));
    out.field("Retries", timing.retry);
    if timing.retry > 0 {
        out.field("Delay before retry", microseconds(timing.delay_before_retry));
        out.field("Retries iterations", failures);
    }
}

fn report_connection(connection: &Connection, out: &mut Report) {
    let pair = |address: SocketAddr| format!("[{}]:{}", address.ip(), address.port());
    out.field("Dest", pair(connection.to));
    if let Some(way) = &connection.way {
        out.field_if_any("Bind to", way.from.map(pair));
        out.field_if_any("Bind i/f", way.interface.as_ref());
        out.field_if_any("Mark", Some(way.mark).filter(|&mark| mark != 0));
    }
    out.field("Timeout", super::seconds(connection.timeout));
}

fn report_kind(
    config: &Config,
    inherited: &HandedDown,
    checker: &Checker,
    state: &CheckState,
    out: &mut Report,
) {
    let method = |name: &str, out: &mut Report| out.field("Keepalive method", name);
    match &checker.kind {
        Kind::Tcp(..) => method("TCP_CHECK", out),
        Kind::Http(_, _, http) => report_http(config, inherited, http, state, out),
        Kind::Smtp(_, _, smtp) => {
            method("SMTP_CHECK", out);
            out.field("helo", &smtp.helo);
        }
        Kind::Dns(_, _, dns) => {
            method("DNS_CHECK", out);
            report_dns(dns, out);
        }
        Kind::Udp(_, _, udp) => {
            method("UDP_CHECK", out);
            report_udp(udp, out);
        }
        Kind::Ping(..) => {
            method("PING_CHECK", out);
            out.inside(|out| out.field("ICMP seq no", state.sequence));
        }
        Kind::Misc(_, misc) => {
            method("MISC_CHECK", out);
            report_misc(misc, state, out);
        }
        Kind::File(check) => {
            method("FILE_CHECK", out);
            out.inside(|out| {
                out.field("Tracked file", &check.file);
                // The original never says anything else.
                out.field("Reloaded", "No");
            });
        }
        Kind::Bfd(session) => {
            method("BFD_CHECK", out);
            out.field("Name", session);
            // The same again, in other words.
            report_switch("Alpha", checker.alpha, out);
        }
    }
}

fn report_dns(dns: &Dns, out: &mut Report) {
    out.field("Type", dns.kind.name());
    out.field("Name", if dns.name == "." { "" } else { &dns.name });
}

fn report_udp(udp: &Udp, out: &mut Report) {
    match &udp.payload {
        Some(payload) => out.field("Payload len", payload.len()),
        None => out.field("Payload specified", yes_no(false)),
    }
    out.field("Require reply", yes_no(udp.reply.is_some()));
    let Some(reply) = &udp.reply else { return };
    out.inside(|out| {
        out.field("Min reply length", reply.min_length);
        out.field("Max reply length", reply.max_length);
        out.field("Reply data len", reply.pattern.len());
        if !reply.pattern.is_empty() {
            let masked = reply.pattern.iter().any(|byte| byte.mask != u8::MAX);
            out.field("Reply data mask", yes_no(masked));
        }
    });
}

fn report_misc(misc: &Misc, state: &CheckState, out: &mut Report) {
    let account = &misc.script.account;
    out.field_if_any("path", misc.script.resolved());
    out.field("script", command(&misc.script));
    out.field("timeout", misc.timeout.as_secs());
    out.field("dynamic", if misc.dynamic { "YES" } else { "NO" });
    out.field("uid:gid", format_args!("{}:{}", account.uid, account.gid));
    report_groups(&account.groups, out);
    let last: SystemTime = state.last_run.unwrap_or(UNIX_EPOCH);
    out.field("Last ran", Moment(last).dated_before_fraction());
    out.field("Last status", state.last_status);
}

fn report_http(
    config: &Config,
    inherited: &HandedDown,
    http: &Http,
    state: &CheckState,
    out: &mut Report,
) {
    let scheme = if http.tls { "SSL" } else { "HTTP" };
    let version = match http.version {
        HttpVersion::Http10 => "1.0",
        HttpVersion::Http10Connection => "1.0C",
        HttpVersion::Http11 => "1.1",
    };
    out.field("Keepalive method", format_args!("{scheme}_GET, http protocol {version}"));
    // What it has from its server is shown there.
    let own = http.virtualhost.as_ref().filter(|_| http.virtualhost != inherited.virtualhost);
    out.field_if_any("Virtualhost", own);
    report_set("Enable SNI", http.sni, out);
    if let Some(name) = &http.sni_name {
        out.inside(|out| out.field("SNI name", name));
    }
    report_set("Fast recovery", http.fast_recovery, out);
    if http.tls {
        report_set("tls_compliant", http.tls_compliant, out);
    }
    for url in &http.urls {
        out.field("Checked url", &url.path);
        out.inside(|out| report_url(config, url, out));
    }
    let failed = state.failed_url.and_then(|at| http.urls.get(at));
    out.field_if_any("Failed URL", failed.map(|url| &url.path));
}

fn report_set(name: &str, set: bool, out: &mut Report) {
    out.line(format_args!("{name} {}set", if set { "" } else { "un" }));
}

fn report_url(config: &Config, url: &Url, out: &mut Report) {
    let digest = url.digest.map(|digest| digest.map(|byte| format!("{byte:02x}")).concat());
    out.field_if_any("digest", digest);
    report_set("tls_compliant", url.tls_compliant, out);
    out.list("HTTP Status Code(s)", ranges(&url.status));
    out.field_if_any("Virtual host", url.virtualhost.as_ref());
    if let Some(regex) = &url.regex {
        report_regex(config, regex, out);
    }
}

/// Statuses in order, those that follow one another as a range.
pub(super) fn ranges(status: &[RangeInclusive<u16>]) -> Vec<String> {
    let mut sorted: Vec<(u16, u16)> =
        status.iter().map(|range| (*range.start(), *range.end())).collect();
    sorted.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (first, last) in sorted {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    let text = |(first, last): (u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    joined.into_iter().map(text).collect()
}

fn report_regex(config: &Config, regex: &Regex, out: &mut Report) {
    let pattern = String::from_utf8_lossy(&regex.pattern);
    out.field("Regex", format_args!("\"{pattern}\""));
    out.line_if(regex.negated, "Regex no match");
    match (regex.min_offset, regex.max_offset) {
        (min, Some(max)) => {
            out.field("Regex min offset", format_args!("{min}, max_offset = {max}"));
        }
        (0, None) => {}
        (min, None) => out.field("Regex min offset", min),
    }
    let names = (0_u32..).zip(REGEX_OPTIONS);
    let set = names.filter(|(at, _)| regex.options & 1_u32.checked_shl(*at).unwrap_or(0) != 0);
    let options: String = set.map(|(_, name)| format!(" {name}")).collect();
    out.line(format_args!("Regex options:{options}"));
    out.field("Regex ref count", users(config, regex));
    if let Some((start, max)) = regex.stack {
        out.line(format_args!("Regex stack start {start}, max {max}"));
    }
}

/// How many pages are tested by the same pattern.
fn users(config: &Config, regex: &Regex) -> usize {
    let servers = config.virtual_servers.iter().flat_map(|server| &server.real_servers);
    let checkers = servers.flat_map(|server| &server.checkers);
    let urls = checkers.flat_map(|checker| match &checker.kind {
        Kind::Http(_, _, http) => http.urls.as_slice(),
        _ => &[],
    });
    let patterns = urls.filter_map(|url| url.regex.as_ref());
    let equal = |other: &&Regex| (&other.pattern, other.options) == (&regex.pattern, regex.options);
    patterns.filter(equal).count()
}
