//! SNMP and D-Bus.

use std::time::Duration;

use conf_parser::{Args, Class, Diagnostics, Keyword, Reload, Statement, Value, keyword};
use serde::{Deserialize, Serialize};

use super::Draft;

/// What is offered to an SNMP master agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snmp {
    /// Where the master agent listens; `None` is the usual place.
    pub socket: Option<String>,
    /// keepalived's MIB, its VRRP part.
    pub vrrp: bool,
    /// keepalived's MIB, its LVS part.
    pub checker: bool,
    /// The MIB of RFC 2787.
    pub rfc_v2: bool,
    /// The MIB of RFC 6527.
    pub rfc_v3: bool,
    /// Whether traps are sent.
    pub traps: bool,
    /// For how long figures of a virtual server are good.
    pub virtual_server_interval: Duration,
    /// For how long figures of a real server are good; `None` is as for virtual servers.
    pub real_server_interval: Option<Duration>,
}

impl Default for Snmp {
    fn default() -> Self {
        Self {
            socket: None,
            vrrp: false,
            checker: false,
            rfc_v2: false,
            rfc_v3: false,
            traps: false,
            virtual_server_interval: Duration::from_secs(5),
            real_server_interval: None,
        }
    }
}

/// The D-Bus service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dbus {
    /// Whether it is offered.
    pub enabled: bool,
    /// Its name on the bus.
    pub service_name: String,
    /// The part of a path that stands for an instance without interface.
    pub no_interface_name: String,
}

impl Default for Dbus {
    fn default() -> Self {
        Self {
            enabled: false,
            service_name: "org.keepalived.Vrrp1".to_owned(),
            no_interface_name: "none".to_owned(),
        }
    }
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    keyword("snmp_socket", Args::Words("SPEC"), "where the SNMP master agent listens", socket)
        .reload(Reload::StartOnly),
    keyword(
        "enable_snmp_vrrp",
        Args::Flag,
        "offer keepalived's MIB for VRRP",
        |draft: &mut Draft, _, _, _| {
            draft.snmp.vrrp = true;
        },
    ),
    keyword(
        "enable_snmp_keepalived",
        Args::Flag,
        "old name of enable_snmp_vrrp",
        |draft: &mut Draft, _, _, _| {
            draft.snmp.vrrp = true;
        },
    ),
    keyword(
        "enable_snmp_checker",
        Args::Flag,
        "offer keepalived's MIB for LVS",
        |draft: &mut Draft, _, _, _| {
            draft.snmp.checker = true;
        },
    ),
    keyword(
        "enable_snmp_rfc",
        Args::Flag,
        "offer the MIBs of RFC 2787 and RFC 6527",
        |draft: &mut Draft, _, _, _| {
            draft.snmp.rfc_v2 = true;
            draft.snmp.rfc_v3 = true;
        },
    ),
    keyword(
        "enable_snmp_rfcv2",
        Args::Flag,
        "offer the MIB of RFC 2787",
        |draft: &mut Draft, _, _, _| {
            draft.snmp.rfc_v2 = true;
        },
    ),
    keyword(
        "enable_snmp_rfcv3",
        Args::Flag,
        "offer the MIB of RFC 6527",
        |draft: &mut Draft, _, _, _| {
            draft.snmp.rfc_v3 = true;
        },
    ),
    keyword("enable_traps", Args::Flag, "send SNMP traps", |draft: &mut Draft, _, _, _| {
        draft.snmp.traps = true;
    }),
    keyword(
        "snmp_vs_stats_update_interval",
        INTERVAL,
        "for how long figures of a virtual server are good",
        |draft: &mut Draft, value, _, _| draft.snmp.virtual_server_interval = value.duration(),
    )
    .invalid("snmp stats vs update interval '{}' invalid - ignoring"),
    keyword(
        "snmp_rs_stats_update_interval",
        INTERVAL,
        "for how long figures of a real server are good",
        |draft: &mut Draft, value, _, _| draft.snmp.real_server_interval = Some(value.duration()),
    )
    .invalid("snmp stats vs update interval '{}' invalid - ignoring"),
    keyword("enable_dbus", Args::Flag, "offer a D-Bus service", |draft: &mut Draft, _, _, _| {
        draft.dbus.enabled = true;
    }),
    keyword(
        "dbus_service_name",
        Args::Word("NAME"),
        "name of the D-Bus service",
        |draft: &mut Draft, value, _, _| value.word().clone_into(&mut draft.dbus.service_name),
    )
    .missing("dbus_service_name missing - ignoring"),
    keyword(
        "dbus_no_interface_name",
        Args::Word("NAME"),
        "what stands in D-Bus paths for an instance without interface",
        |draft: &mut Draft, value, _, _| value.word().clone_into(&mut draft.dbus.no_interface_name),
    )
    .missing("dbus_no_interface_name missing - ignoring"),
];

const INTERVAL: Args = Args::Timer { min: 1_000, max: 30_000_000 };

fn socket(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let text = match (statement.arg(0), statement.arg(1), &draft.snmp.socket) {
        (None, ..) => "SNMP error : snmp socket name missing".to_owned(),
        (_, Some(_), _) => "Too many parameters specified for snmp_socket - ignoring".to_owned(),
        (Some(_), None, Some(socket)) => format!("SNMP socket already set to {socket} - ignoring"),
        (Some(word), None, None) => {
            draft.snmp.socket = Some(word.text.to_owned());
            return;
        }
    };
    diagnostics.report(Class::GeneralError, statement.place(), text);
}
