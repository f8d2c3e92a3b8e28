//! SNMP and D-Bus.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
