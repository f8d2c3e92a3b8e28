//! E-mail alerts.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
        }
    }
}
