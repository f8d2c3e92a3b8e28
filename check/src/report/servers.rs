//! Virtual and real servers in dumps.

use runtime::global::Script;
use runtime::report::{Report, command, enabled, yes_no};

use super::{PoolState, ServerState, SorryState, bit, seconds};
use crate::config::checker::{HandedDown, Kind};
use crate::config::forwarding::{Checksum, TunnelKind};
use crate::config::service::{Granularity, trio};
use crate::config::{
    Config, Family, Forwarding, Protocol, RealServer, Service, SorryServer, VirtualServer,
};

/// Keys and certificates for checks over TLS, where there are such checks or any is configured.
pub(super) fn report_tls(config: &Config, out: &mut Report) {
    let servers = config.virtual_servers.iter().flat_map(|server| &server.real_servers);
    let mut checkers = servers.flat_map(|server| &server.checkers);
    let is_used = checkers.any(|checker| matches!(&checker.kind, Kind::Http(.., http) if http.tls));
    if config.ssl.is_none() && !is_used {
        return;
    }
    out.heading("SSL definitions");
    let ssl = config.ssl.clone().unwrap_or_default();
    let all = [
        ("Password", ssl.password),
        ("CA-file", ssl.ca),
        ("Certificate file", ssl.certificate),
        ("Key file", ssl.key),
    ];
    out.line_if(all.iter().all(|(_, value)| value.is_none()), "Using autogen SSL context");
    for (name, value) in all {
        if let Some(value) = value {
            out.line(format_args!("{name} : {value}"));
        }
    }
}

pub(super) fn report_virtual_server(
    config: &Config,
    server: &VirtualServer,
    state: &PoolState,
    out: &mut Report,
) {
    out.line("------< Virtual server >------");
    match server.service {
        Service::Group(_) => out.field("VS GROUP", &server.name),
        Service::Mark(mark) => out.field("VS FWMARK", mark),
        Service::Address(address, port) => {
            out.field("VS VIP", format_args!("{address}, VPORT = {}", port.unwrap_or(0)));
        }
    }
    out.inside(|out| {
        report_service(config, server, out);
        report_quorum(server, out);
        report_forwarding("default ", server.forwarding, out);
        if let Some(sorry) = &server.sorry_server {
            report_sorry_server(sorry, server.protocol, state.sorry, out);
        }
        out.field("VS alive", bit(state.alive));
        out.field("quorum_state_up", bit(state.quorum_up));
        out.field("reloaded", bit(state.reloaded));
        for (real, state) in server.real_servers.iter().zip(&state.servers) {
            report_real_server(server, real, state, out);
        }
    });
}

/// What packets belong to it, and how they are shared out.
fn report_service(config: &Config, server: &VirtualServer, out: &mut Report) {
    out.field_if_any("VirtualHost", server.handed_down.virtualhost.as_ref());
    if let Some(name) = &server.snmp_name {
        out.field("SNMP name", format_args!("'{name}'"));
    }
    out.field("Address family", family(config, server));
    out.field("connection timeout", seconds(server.handed_down.timeout));
    out.field("delay_loop", seconds(server.handed_down.delay_loop));
    let (scheduler, flags) = (server.scheduler.name(), server.flags);
    out.field("lvs_sched", scheduler);
    // The kernel sets this flag, and nobody asks for it.
    out.field("Hashed", enabled(false));
    match scheduler {
        "sh" | "mh" => {
            out.field(&format!("{scheduler}-port"), enabled(flags.second));
            out.field(&format!("{scheduler}-fallback"), enabled(flags.first));
        }
        _ => {
            let all = [flags.first, flags.second, flags.third];
            for (number, flag) in (1..).zip(all) {
                out.field(&format!("flag-{number}"), enabled(flag));
            }
        }
    }
    out.field("One packet scheduling", enabled(flags.one_packet));
    out.field_if_any("persistence timeout", server.persistence.map(|time| time.as_secs()));
    match server.granularity {
        Some(Granularity::Mask(mask)) => out.field("persistence granularity", mask),
        Some(Granularity::Prefix(bits)) => out.field("persistence granularity", bits),
        None => {}
    }
    out.field(
        "protocol",
        match server.protocol {
            Some(Protocol::Tcp) => "TCP",
            Some(Protocol::Udp) => "UDP",
            Some(Protocol::Sctp) => "SCTP",
            None => "none",
        },
    );
}

fn family(config: &Config, server: &VirtualServer) -> &'static str {
    match (server.family, &server.service) {
        (Some(Family::Inet), _) => "inet",
        (Some(Family::Inet6), _) => "inet6",
        (None, Service::Group(id)) => match config.group(*id) {
            Some(group) if group.has(Family::Inet) && group.has(Family::Inet6) => "IPv4 & IPv6",
            _ => "unknown",
        },
        (None, _) => "unknown",
    }
}

/// When it serves, and who hears of it.
fn report_quorum(server: &VirtualServer, out: &mut Report) {
    report_switch("alpha", server.handed_down.alpha, out);
    report_switch("omega", server.omega, out);
    report_retries(&server.handed_down, out);
    report_switch("Inhibit on failure", server.inhibit_on_failure, out);
    out.field("quorum", format_args!("{}, hysteresis = {}", server.quorum, server.hysteresis));
    report_script("Quorum up", server.quorum_up.as_deref(), out);
    report_script("Quorum down", server.quorum_down.as_deref(), out);
    out.line_if(server.ha_suspend, "Using HA suspend");
    out.field("Using smtp notification", yes_no(server.smtp_alert));
}

fn report_sorry_server(
    sorry: &SorryServer,
    protocol: Option<Protocol>,
    state: SorryState,
    out: &mut Report,
) {
    let shared = if sorry.is_real_server { "(duplicates rs) " } else { "" };
    let name = trio(sorry.address.ip(), protocol, Some(sorry.address.port()));
    out.line(format_args!("sorry server {shared}= {name}"));
    report_forwarding("  ", sorry.forwarding, out);
    out.inside(|out| {
        report_switch("Inhibit on failure", sorry.inhibit_on_failure, out);
        out.field("set", bit(state.set));
        out.field("alive", bit(state.alive));
    });
}

fn report_real_server(
    parent: &VirtualServer,
    server: &RealServer,
    state: &ServerState,
    out: &mut Report,
) {
    let (address, port) = (server.address.ip(), server.address.port());
    let effective = state.effective_weight;
    let used = effective.clamp(0, i64::from(i32::MAX));
    out.line("------< Real server >------");
    out.field(
        "RIP",
        format_args!("{address}, RPORT = {port}, WEIGHT = {used} EFF WEIGHT = {effective}"),
    );
    report_forwarding("", server.forwarding, out);
    let handed_down = server.handed_down(parent);
    report_switch("Alpha", handed_down.alpha, out);
    out.field("connection timeout", seconds(handed_down.timeout));
    let (lower, upper) = (server.lower_threshold, server.upper_threshold);
    out.field("connection limit range", format_args!("{lower} -> {upper}"));
    out.field("Delay loop", seconds(handed_down.delay_loop));
    report_retries(handed_down, out);
    report_switch("Inhibit on failure", server.inhibit_on_failure, out);
    report_script("RS up", server.notify_up.as_deref(), out);
    report_script("RS down", server.notify_down.as_deref(), out);
    // What it has from its virtual server is shown there.
    let host = &handed_down.virtualhost;
    if let Some(host) = host.as_ref().filter(|_| *host != parent.handed_down.virtualhost) {
        out.field(" VirtualHost", format_args!("'{host}'"));
    }
    out.field_if_any("SNMP name", server.snmp_name.as_ref());
    out.field("Using smtp notification", yes_no(server.smtp_alert));
    out.field("initial weight", server.weight);
    out.field("effective weight", effective);
    out.field("previous effective_weight", state.previous_weight);
    out.field("alive", bit(state.alive));
    out.field("num failed checkers", state.failed_checks);
    out.field("RS set", bit(state.set));
    out.field("reloaded", bit(state.reloaded));
    report_watched(server, out);
}

/// The files and sessions that decide over a server.
fn report_watched(server: &RealServer, out: &mut Report) {
    let kinds = || server.checkers.iter().map(|checker| &checker.kind);
    let files = kinds().filter_map(|kind| match kind {
        Kind::File(check) => {
            let reverse = if check.reverse { " reverse" } else { "" };
            Some(format!("{}, weight {}{reverse}", check.file, check.weight))
        }
        _ => None,
    });
    out.list("Tracked Files", files);
    let sessions = kinds().filter_map(|kind| match kind {
        Kind::Bfd(name) => Some(name),
        _ => None,
    });
    out.list("Tracked BFDs", sessions);
}

pub(super) fn report_switch(name: &str, on: bool, out: &mut Report) {
    out.line(format_args!("{name} is {}", if on { "ON" } else { "OFF" }));
}

fn report_retries(handed_down: &HandedDown, out: &mut Report) {
    out.field_if_any("Retry count", handed_down.retry);
    out.field_if_any("Retry delay", handed_down.delay_before_retry.map(seconds));
    out.field_if_any("Warmup", handed_down.warmup.map(seconds));
}

/// A script that is run when something comes `what`: up or down.
fn report_script(what: &str, script: Option<&Script>, out: &mut Report) {
    let Some(script) = script else { return };
    let account = &script.account;
    let path = script.resolved().map(|path| format!("{path}, params = ")).unwrap_or_default();
    let (command, user, group) = (command(script), account.uid, account.gid);
    out.field(
        &format!("{what} notify script"),
        format_args!("{path}{command}, uid:gid {user}:{group}"),
    );
    report_groups(&account.groups, out);
}

/// The further groups of the user that a script runs as.
pub(super) fn report_groups(groups: &[u32], out: &mut Report) {
    out.inside(|out| out.list("Supplementary groups:", groups));
}

/// What stands before the words may be an indentation too. 2.4.3 leaves it out where a tunnel is none of IP in IP.
fn report_forwarding(prefix: &str, forwarding: Forwarding, out: &mut Report) {
    let tunnel = match forwarding {
        Forwarding::Nat => return out.field(&format!("{prefix}forwarding method"), "NAT"),
        Forwarding::Direct => return out.field(&format!("{prefix}forwarding method"), "DR"),
        Forwarding::Tunnel(tunnel) => tunnel,
    };
    let checksum = match tunnel.checksum {
        Checksum::None => ", no checksum",
        Checksum::Full => ", checksum",
        Checksum::Remote => ", remote checksum",
    };
    let method = match tunnel.kind {
        TunnelKind::Ipip => {
            return out.field(&format!("{prefix}forwarding method"), "TUN, type = IPIP");
        }
        TunnelKind::Gue(port) => format!("GUE, port = {port}{checksum}"),
        TunnelKind::Gre => format!("GRE{checksum}"),
    };
    out.field("forwarding method", format_args!("TUN, type = {method}"));
}
