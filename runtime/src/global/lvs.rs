//! Settings of IPVS and of all checkers.

use std::net::IpAddr;
use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Reload, Statement, Value, Word, keyword,
    parse_address, parse_uint, report_missing_parameter,
};
use serde::{Deserialize, Serialize};

use super::buffers::{BUFFER, FORCE, buffer};
use super::{Draft, NetlinkBuffer};

/// What concerns IPVS as a whole, and defaults of the checkers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lvs {
    /// Time-outs of connections.
    pub timeouts: Timeouts,
    /// Whether the IPVS table is emptied at start.
    pub flush: bool,
    /// What is removed at stop besides the daemon's own.
    pub flush_on_stop: FlushOnStop,
    /// Synchronisation of connections between directors.
    pub sync_daemon: Option<SyncDaemon>,
    /// The socket for netlink requests.
    pub netlink_command: NetlinkBuffer,
    /// The socket for netlink events.
    pub netlink_monitor: NetlinkBuffer,
    /// Whether every failure of a check is logged.
    pub log_all_failures: bool,
    /// Whether the first state of a real server is notified.
    pub rs_init_notifies: bool,
}

/// Time-outs of IPVS connections; `None` is the kernel's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// Established TCP.
    pub tcp: Option<Duration>,
    /// TCP after FIN.
    pub tcp_fin: Option<Duration>,
    /// UDP.
    pub udp: Option<Duration>,
}

/// What is removed from the IPVS table at stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlushOnStop {
    /// Each configured server by itself.
    #[default]
    Off,
    /// Everything.
    Everything,
    /// The configured virtual servers, and their real servers with them.
    VirtualServers,
}

/// The kernel's connection synchronisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDaemon {
    /// The interface.
    pub interface: String,
    /// The VRRP instance whose state decides between master and backup; without one both roles run.
    pub instance: Option<String>,
    /// Which group of directors; `None` is the number of the virtual router, or 0.
    pub id: Option<u8>,
    /// Longest packet.
    pub max_length: Option<u16>,
    /// UDP port.
    pub port: Option<u16>,
    /// Time to live.
    pub ttl: Option<u8>,
    /// Multicast group.
    pub group: Option<IpAddr>,
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    keyword(
        "lvs_timeouts",
        Args::Words("[tcp SECS] [tcpfin SECS] [udp SECS] (0..2678400; at least one)"),
        "time-outs of IPVS connections",
        timeouts,
    ),
    keyword(
        "lvs_flush",
        Args::Flag,
        "empty the IPVS table at start",
        |draft: &mut Draft, _, _, _| {
            draft.lvs.flush = true;
        },
    )
    .reload(Reload::StartOnly),
    keyword(
        "lvs_flush_on_stop",
        Args::Words("[VS]"),
        "empty the IPVS table at stop, or only delete the virtual servers",
        flush_on_stop,
    ),
    keyword(
        "lvs_flush_onstop",
        Args::Words("[VS]"),
        "old name of lvs_flush_on_stop",
        flush_on_stop,
    ),
    keyword(
        "lvs_sync_daemon",
        Args::Words(
            "IFNAME [[inst] VRRP_INSTANCE] [id 0..255] [maxlen 1..65507] [port 1..65535] [ttl 1..255] [group MCAST_IP]",
        ),
        "synchronise connections between directors",
        sync_daemon,
    ),
    keyword(
        "lvs_netlink_cmd_rcv_bufs",
        BUFFER,
        "receive buffer for netlink requests",
        |draft: &mut Draft, _, statement, diagnostics| {
            buffer(&mut draft.lvs.netlink_command, statement, diagnostics);
        },
    ),
    keyword(
        "lvs_netlink_cmd_rcv_bufs_force",
        FORCE,
        "pass over the system's limit of that buffer",
        |draft: &mut Draft, value, _, _| draft.lvs.netlink_command.force = value.bool(),
    )
    .invalid("Invalid value '{}' for global lvs_netlink_cmd_rcv_bufs_force specified"),
    keyword(
        "lvs_netlink_monitor_rcv_bufs",
        BUFFER,
        "receive buffer for netlink events",
        |draft: &mut Draft, _, statement, diagnostics| {
            buffer(&mut draft.lvs.netlink_monitor, statement, diagnostics);
        },
    ),
    keyword(
        "lvs_netlink_monitor_rcv_bufs_force",
        FORCE,
        "pass over the system's limit of that buffer",
        |draft: &mut Draft, value, _, _| draft.lvs.netlink_monitor.force = value.bool(),
    )
    .invalid("Invalid value '{}' for global lvs_netlink_monitor_rcv_bufs_force specified"),
    keyword(
        "checker_log_all_failures",
        Args::Bool,
        "log every failure of a check",
        |draft: &mut Draft, value, _, _| draft.lvs.log_all_failures = value.bool(),
    )
    .invalid("Invalid value for checker_log_all_failures specified"),
    keyword(
        "rs_init_notifies",
        Args::Bool,
        "notify the first state of real servers",
        |draft: &mut Draft, value, _, _| draft.lvs.rs_init_notifies = value.bool(),
    )
    .invalid("Invalid value '{}' for global rs_init_notifies specified"),
];

/// 31 days.
const LONGEST_TIMEOUT: u64 = 2_678_400;

/// What is left of a UDP packet behind the headers of IP and UDP.
const LONGEST_PACKET: u64 = 65_507;

fn timeouts(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    if statement.arg(1).is_none() {
        let text = "lvs_timeouts requires at least one option";
        return diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    let timeouts = &mut draft.lvs.timeouts;
    let mut words = statement.args();
    while let Some(option) = words.next() {
        let place = match option.text {
            "tcp" => &mut timeouts.tcp,
            "tcpfin" => &mut timeouts.tcp_fin,
            "udp" => &mut timeouts.udp,
            other => {
                let text = format!("Unknown option {other} specified for lvs_timeouts");
                diagnostics.report(Class::GeneralError, option.place, text);
                continue;
            }
        };
        let Some(word) = words.next() else {
            let text = format!("No value specified for lvs_timeout {} - ignoring", option.text);
            return diagnostics.report(Class::GeneralError, option.place, text);
        };
        let limits = Limits { min: 0, max: LONGEST_TIMEOUT, strict: true };
        match parse_uint(word, limits, diagnostics) {
            // The kernel reads 0 as "leave it".
            Some(0) => *place = None,
            Some(seconds) => *place = Some(Duration::from_secs(seconds)),
            None => {
                let text =
                    format!("Invalid lvs_timeout {} ({}) - ignoring", option.text, word.text);
                diagnostics.report(Class::GeneralError, word.place, text);
            }
        }
    }
}

fn flush_on_stop(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    draft.lvs.flush_on_stop = match statement.arg(0) {
        None => FlushOnStop::Everything,
        Some(word) if word.text == "VS" => FlushOnStop::VirtualServers,
        Some(word) => {
            let text = format!("Unknown lvs_flush_on_stop type {}", word.text);
            return diagnostics.report(Class::GeneralError, word.place, text);
        }
    };
}

fn sync_daemon(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let mut report = |text: String| {
        diagnostics.report(Class::GeneralError, statement.place(), text);
    };
    if let Some(SyncDaemon { interface, instance, .. }) = &draft.lvs.sync_daemon {
        let instance = instance.as_deref().unwrap_or_default();
        return report(format!(
            "lvs_sync_daemon has already been specified as {interface} {instance} - ignoring"
        ));
    }
    let Some(interface) = statement.arg(0) else {
        return report("lvs_sync_daemon requires interface".to_owned());
    };
    if interface.text.len() >= 16 {
        return report(format!(
            "lvs_sync_daemon interface name '{}' too long - ignoring",
            interface.text
        ));
    }
    let mut daemon = SyncDaemon {
        interface: interface.text.to_owned(),
        instance: None,
        id: None,
        max_length: None,
        port: None,
        ttl: None,
        group: None,
    };
    let mut at = 1;
    while let Some(option) = statement.arg(at) {
        at += daemon.option(option, at, statement, diagnostics);
    }
    draft.lvs.sync_daemon = Some(daemon);
}

impl SyncDaemon {
    /// Takes the option at argument `at`, and returns how many words belong to it.
    fn option(
        &mut self,
        option: Word<'_>,
        at: usize,
        statement: &Statement,
        diagnostics: &mut Diagnostics,
    ) -> usize {
        if !matches!(option.text, "inst" | "id" | "maxlen" | "port" | "ttl" | "group") {
            self.positional(option, at, diagnostics);
            return 1;
        }
        let Some(value) = statement.arg(at + 1) else {
            match option.text {
                "inst" => report_missing_parameter(statement, at + 1, diagnostics),
                "id" => {
                    let text = "No value specified for lvs_sync_daemon id, defaulting to vrid";
                    diagnostics.report(Class::GeneralError, option.place, text);
                }
                name => {
                    let text = format!("No value specified for lvs_sync_daemon {name} - ignoring");
                    diagnostics.report(Class::GeneralError, option.place, text);
                }
            }
            return 1;
        };
        match option.text {
            "inst" => self.instance(value, diagnostics),
            "id" => self.id(value, diagnostics),
            "maxlen" => number(option, value, LONGEST_PACKET, &mut self.max_length, diagnostics),
            "port" => number(option, value, 65535, &mut self.port, diagnostics),
            "ttl" => number(option, value, 255, &mut self.ttl, diagnostics),
            _ => self.group(value, diagnostics),
        }
        2
    }

    fn instance(&mut self, value: Word<'_>, diagnostics: &mut Diagnostics) {
        match &self.instance {
            None => self.instance = Some(value.text.to_owned()),
            Some(instance) => {
                let text = format!(
                    "lvs_sync_daemon vrrp instance has already been specified as {instance} - ignoring"
                );
                diagnostics.report(Class::GeneralError, value.place, text);
            }
        }
    }

    fn id(&mut self, value: Word<'_>, diagnostics: &mut Diagnostics) {
        let limits = Limits { min: 0, max: 255, strict: true };
        match parse_uint(value, limits, diagnostics).and_then(|id| u8::try_from(id).ok()) {
            Some(id) => self.id = Some(id),
            None => {
                let text = format!("Invalid syncid ({}) - defaulting to vrid", value.text);
                diagnostics.report(Class::GeneralError, value.place, text);
            }
        }
    }

    fn group(&mut self, value: Word<'_>, diagnostics: &mut Diagnostics) {
        let text = match parse_address(value.text) {
            Some(group) if group.is_multicast() => {
                self.group = Some(group);
                return;
            }
            Some(_) => {
                format!("lvs_sync_daemon group address {} is not multicast - ignoring", value.text)
            }
            None => format!("Invalid lvs_sync_daemon group ({}) - ignoring", value.text),
        };
        diagnostics.report(Class::GeneralError, value.place, text);
    }

    /// The old form names instance and number by their position.
    fn positional(&mut self, word: Word<'_>, at: usize, diagnostics: &mut Diagnostics) {
        match at {
            1 => self.instance = Some(word.text.to_owned()),
            2 => {
                self.id(word, diagnostics);
                if self.id.is_some() {
                    let text = "Please use keyword \"id\" before lvs_sync_daemon SYNCID";
                    diagnostics.report(Class::GeneralError, word.place, text);
                }
            }
            _ => {
                let text = format!("Unknown option {} specified for lvs_sync_daemon", word.text);
                diagnostics.report(Class::GeneralError, word.place, text);
            }
        }
    }
}

fn number<N: TryFrom<u64>>(
    option: Word<'_>,
    value: Word<'_>,
    max: u64,
    place: &mut Option<N>,
    diagnostics: &mut Diagnostics,
) {
    let limits = Limits { min: 1, max, strict: true };
    match parse_uint(value, limits, diagnostics).and_then(|number| N::try_from(number).ok()) {
        Some(number) => *place = Some(number),
        None => {
            let text =
                format!("Invalid lvs_sync_daemon {} ({}) - ignoring", option.text, value.text);
            diagnostics.report(Class::GeneralError, value.place, text);
        }
    }
}
