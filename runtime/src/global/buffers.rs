//! Receive buffers of the sockets for adverts, for netlink and for process events.

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Statement, Value, Word, keyword, parse_uint,
};
use serde::{Deserialize, Serialize};

use super::Draft;

/// Receive buffer of a netlink socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetlinkBuffer {
    /// Bytes; `None` is the system's default.
    pub size: Option<u32>,
    /// Whether the system's limit is passed over.
    pub force: bool,
}

/// Receive buffer of the sockets for adverts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReceiveBuffer {
    /// The system's default.
    #[default]
    System,
    /// A number of largest packets of the interface.
    Mtu,
    /// A number of adverts of the largest instance.
    Advert,
    /// So many bytes.
    Bytes(u32),
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    keyword(
        "vrrp_rx_bufs_policy",
        Args::Words("MTU|ADVERT|BYTES"),
        "size of the sockets' receive buffers",
        receive_buffer,
    ),
    keyword(
        "vrrp_rx_bufs_multiplier",
        Args::Uint { unit: "UINT", min: 1, max: 4_294_967_295, strict: true },
        "how many packets a receive buffer holds",
        |draft: &mut Draft, value, statement, diagnostics| match statement.arg(1) {
            None => draft.vrrp.receive_buffer_multiplier = value.u32(),
            Some(more) => {
                let text = "Invalid vrrp_rx_bufs_multiplier";
                diagnostics.report(Class::GeneralError, more.place, text);
            }
        },
    )
    .missing("Invalid vrrp_rx_bufs_multiplier")
    .invalid("Invalid vrrp_rx_bufs_multiplier {}"),
    keyword(
        "vrrp_netlink_cmd_rcv_bufs",
        BUFFER,
        "receive buffer for netlink requests",
        |draft: &mut Draft, _, statement, diagnostics| {
            buffer(&mut draft.vrrp.netlink_command, statement, diagnostics);
        },
    ),
    keyword(
        "vrrp_netlink_cmd_rcv_bufs_force",
        FORCE,
        "pass over the system's limit of that buffer",
        |draft: &mut Draft, value, _, _| draft.vrrp.netlink_command.force = value.bool(),
    )
    .invalid("Invalid value '{}' for global vrrp_netlink_cmd_rcv_bufs_force specified"),
    keyword(
        "vrrp_netlink_monitor_rcv_bufs",
        BUFFER,
        "receive buffer for netlink events",
        |draft: &mut Draft, _, statement, diagnostics| {
            buffer(&mut draft.vrrp.netlink_monitor, statement, diagnostics);
        },
    ),
    keyword(
        "vrrp_netlink_monitor_rcv_bufs_force",
        FORCE,
        "pass over the system's limit of that buffer",
        |draft: &mut Draft, value, _, _| draft.vrrp.netlink_monitor.force = value.bool(),
    )
    .invalid("Invalid value '{}' for global vrrp_netlink_monitor_rcv_bufs_force specified"),
    keyword(
        "process_monitor_rcv_bufs",
        BUFFER,
        "receive buffer for process events",
        |draft: &mut Draft, _, statement, diagnostics| {
            buffer(&mut draft.vrrp.process_monitor, statement, diagnostics);
        },
    ),
    keyword(
        "process_monitor_rcv_bufs_force",
        FORCE,
        "pass over the system's limit of that buffer",
        |draft: &mut Draft, value, _, _| draft.vrrp.process_monitor.force = value.bool(),
    )
    .invalid("Invalid value '{}' for global process_monitor_rcv_bufs_force specified"),
];

pub(super) const BUFFER: Args = Args::Words("BYTES:0..4294967295");
pub(super) const FORCE: Args = Args::Bool;

fn receive_buffer(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let mut report = |text: &str| {
        diagnostics.report(Class::GeneralError, statement.place(), text);
    };
    if statement.arg(0).is_none() {
        return report("vrrp_rx_bufs_policy missing");
    }
    let is = |word: Word<'_>, name| word.text.eq_ignore_ascii_case(name);
    let mtu = statement.args().any(|word| is(word, "MTU"));
    let advert = statement.args().any(|word| is(word, "ADVERT"));
    let number = statement.args().find(|&word| !is(word, "MTU") && !is(word, "ADVERT"));
    if let Some(word) = number {
        let limits = Limits { min: 0, max: u64::from(u32::MAX), strict: true };
        match parse_uint(word, limits, diagnostics).and_then(|bytes| u32::try_from(bytes).ok()) {
            Some(bytes) => {
                draft.vrrp.receive_buffer = ReceiveBuffer::Bytes(bytes);
                if mtu || advert {
                    let text = "Cannot set vrrp_rx_bufs_policy size and policy, ignoring policy";
                    diagnostics.report(Class::GeneralError, statement.place(), text);
                }
                return;
            }
            None => {
                let text = format!("Invalid vrrp_rx_bufs_policy {}", word.text);
                diagnostics.report(Class::GeneralError, word.place, text);
            }
        }
    }
    if mtu && advert {
        let text = "Cannot set both vrrp_rx_bufs_policy MTU and ADVERT, ignoring ADVERT";
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    if mtu {
        draft.vrrp.receive_buffer = ReceiveBuffer::Mtu;
    } else if advert {
        draft.vrrp.receive_buffer = ReceiveBuffer::Advert;
    }
}

/// The size of a netlink socket's buffer; 0 leaves what was said before.
pub(super) fn buffer(
    buffer: &mut NetlinkBuffer,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let keyword = statement.keyword();
    let Some(word) = statement.arg(0) else {
        let text = format!("{keyword} size missing");
        return diagnostics.report(Class::GeneralError, statement.place(), text);
    };
    let limits = Limits { min: 0, max: u64::from(u32::MAX), strict: true };
    match parse_uint(word, limits, diagnostics).and_then(|bytes| u32::try_from(bytes).ok()) {
        Some(0) => {}
        Some(bytes) => buffer.size = Some(bytes),
        None => {
            let text = format!("{keyword} size ({}) invalid", word.text);
            diagnostics.report(Class::GeneralError, word.place, text);
        }
    }
}
