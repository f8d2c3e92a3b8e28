//! E-mail alerts.

use std::ffi::CString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Statement, Value, keyword, parse_address, parse_port,
    report_missing_parameter,
};
use nix::sys::utsname::uname;
use serde::{Deserialize, Serialize};

use super::Draft;
use crate::sys::name::canonical_name;

/// Who is told of changes by e-mail, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The mail server. Without one no mail is sent.
    pub server: Option<SocketAddr>,
    /// What to say in HELO; `None` is the canonical name of this machine.
    pub helo: Option<String>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// Sender; `None` is the user at the canonical name of this machine.
    pub from: Option<String>,
    /// Recipients.
    pub to: Vec<String>,
    /// Default for all alerts.
    pub alert: Option<bool>,
    /// Default for VRRP, before that for all.
    pub alert_vrrp: Option<bool>,
    /// Default for the checkers, before that for all.
    pub alert_checker: Option<bool>,
    /// Whether the FAULT state is not worth a mail.
    pub no_faults: bool,
    /// Whether the changes of single checkers are not worth a mail.
    pub no_checkers: bool,
    /// The name of this machine in mails and SNMP; `None` is its canonical name.
    pub router_id: Option<String>,
    /// The canonical name of this machine, where something above is `None` that it stands for.
    pub machine: Option<String>,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            server: None,
            helo: None,
            connect_timeout: Duration::from_secs(30),
            from: None,
            to: Vec::new(),
            alert: None,
            alert_vrrp: None,
            alert_checker: None,
            no_faults: false,
            no_checkers: false,
            router_id: None,
            machine: None,
        }
    }
}

impl Mail {
    /// Looks the name of this machine up, where it is needed. It may ask a name server, and wait for it.
    pub fn look_up_machine(&mut self) {
        let named = self.router_id.is_some();
        let mails = self.server.is_some() && (self.helo.is_none() || self.from.is_none());
        if named && !mails {
            return;
        }
        let node = uname().map(|name| name.nodename().to_owned()).unwrap_or_default();
        let canonical = CString::new(node.as_bytes()).ok().and_then(|name| canonical_name(&name));
        self.machine = Some(canonical.unwrap_or_else(|| node.to_string_lossy().into_owned()));
    }
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    keyword("notification_email", Args::WordList("EMAIL..."), "who is told", recipients),
    keyword(
        "notification_email_from",
        Args::Word("EMAIL"),
        "sender",
        |draft: &mut Draft, value, statement, diagnostics| {
            if let Some(more) = statement.arg(1) {
                let text = format!("emailfrom - ignoring extra entries '{}' ...", more.text);
                diagnostics.report(Class::GeneralError, more.place, text);
            }
            draft.mail.from = Some(mailbox(value.word(), statement, diagnostics));
        },
    )
    .missing("emailfrom missing - ignoring"),
    keyword("smtp_server", Args::Words("HOST [PORT:25]"), "mail server", server),
    keyword(
        "smtp_helo_name",
        Args::Word("STRING"),
        "what to say in HELO",
        |draft: &mut Draft, value, _, _| draft.mail.helo = Some(value.word().to_owned()),
    )
    .optional(),
    keyword(
        "smtp_connect_timeout",
        Args::Uint { unit: "SECS", min: 0, max: 4294, strict: false },
        "how long connecting may take",
        |draft: &mut Draft, value, statement, diagnostics| {
            if value.uint() == 0 {
                let text = "smtp_conect_timeout must be greater than 0, setting to 1";
                diagnostics.report(Class::GeneralError, statement.place(), text);
            }
            draft.mail.connect_timeout = Duration::from_secs(value.uint().max(1));
        },
    )
    .invalid("smtp_connect_timeout '{}' must be in [0, 4294] - ignoring"),
    keyword(
        "smtp_alert",
        Args::Bool,
        "default for all alerts",
        |draft: &mut Draft, value, _, _| {
            draft.mail.alert = Some(value.bool());
        },
    )
    .invalid("Invalid value '{}' for global smtp_alert specified"),
    keyword(
        "smtp_alert_vrrp",
        Args::Bool,
        "default for alerts of VRRP",
        |draft: &mut Draft, value, _, _| {
            draft.mail.alert_vrrp = Some(value.bool());
        },
    )
    .invalid("Invalid value '{}' for global smtp_alert_vrrp specified"),
    keyword(
        "smtp_alert_checker",
        Args::Bool,
        "default for alerts of the checkers",
        |draft: &mut Draft, value, _, _| draft.mail.alert_checker = Some(value.bool()),
    )
    .invalid("Invalid value '{}' for global smtp_alert_checker specified"),
    keyword(
        "no_email_faults",
        Args::Flag,
        "no mail for the FAULT state",
        |draft: &mut Draft, _, _, _| {
            draft.mail.no_faults = true;
        },
    ),
    keyword(
        "no_checker_emails",
        Args::Bool,
        "no mail for changes of single checkers",
        |draft: &mut Draft, value, _, _| draft.mail.no_checkers = value.bool(),
    )
    .invalid("Invalid value '{}' for global no_checker_emails specified"),
    keyword(
        "router_id",
        Args::Word("STRING"),
        "name of this machine in mails and SNMP",
        |draft: &mut Draft, value, _, _| draft.mail.router_id = Some(value.word().to_owned()),
    )
    .missing("routerid name missing - ignoring"),
];

const SMTP_PORT: u16 = 25;

fn recipients(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let mut words = statement.lines().iter().flat_map(|line| line.words()).peekable();
    if words.peek().is_none() {
        let text = "Warning - empty notification_email block";
        diagnostics.report_block(Class::GeneralError, statement.extent(), text);
    }
    for word in words {
        draft.mail.to.push(mailbox(word.text, statement, diagnostics));
    }
}

fn server(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let Some(host) = statement.arg(0) else {
        return report_missing_parameter(statement, 0, diagnostics);
    };
    let port = match statement.arg(1) {
        Some(word) => parse_port(word, diagnostics),
        None => Some(SMTP_PORT),
    };
    draft.mail.server = port.and_then(|port| resolve(host.text, port));
    if draft.mail.server.is_none() {
        let port = statement.arg(1).map_or("25", |word| word.text);
        let text = format!("Invalid smtp server {} {port}", host.text);
        diagnostics.report(Class::GeneralError, host.place, text);
    }
}

/// The address itself, or the first one that the resolver knows for the name. What has a `-` or a `/` in it is a name.
fn resolve(host: &str, port: u16) -> Option<SocketAddr> {
    if !host.contains(['-', '/']) {
        if let Some(address) = parse_address(host) {
            return Some(SocketAddr::new(address, port));
        }
    }
    (host, port).to_socket_addrs().ok()?.next()
}

/// The mailbox as a mail header needs it: a display name with characters that mean something there is quoted
/// (RFC 5322 §3.2.3).
fn mailbox(text: &str, statement: &Statement, diagnostics: &mut Diagnostics) -> String {
    if !text.ends_with('>') {
        return text.to_owned();
    }
    let Some(start) = text.rfind('<') else {
        let message = format!("email address '{text}' invalid");
        diagnostics.report(Class::Notice, statement.place(), message);
        return text.to_owned();
    };
    let (before, address) = text.split_at(start);
    let name = before.trim_end_matches([' ', '\t']);
    if !name.contains(['(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '.']) {
        return text.to_owned();
    }
    let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"{}{address}", &before[name.len()..])
}
