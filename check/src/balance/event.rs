//! What has happened to virtual and real servers, for logs, scripts, FIFOs, e-mail and traps.

use std::rc::Rc;

use super::{PoolId, server_name};
use crate::config::{Config, RealServer, VirtualServer};

/// Something that others are told.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A line for the log (info).
    Log(String),
    /// A real server came up or went down.
    Server(ServerChange),
    /// A virtual server gained or lost its quorum.
    Quorum(QuorumChange),
}

/// A real server came up or went down.
#[derive(Clone, Debug)]
pub(crate) struct ServerChange {
    /// Which.
    pub server: ServerRef,
    /// Whether it is up now.
    pub up: bool,
    /// Why.
    pub cause: ServerCause,
}

/// Why a real server came up or went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerCause {
    /// Its checks say so; the check that decided sends the e-mail.
    Checked,
    /// It came up at the start (`rs_init_notifies`).
    Started,
    /// It is in the configuration no more.
    Removed,
    /// The daemon ends.
    Shutdown,
}

impl ServerCause {
    /// The text of the e-mail, where the change itself sends one.
    pub(crate) fn mail(self) -> Option<&'static str> {
        match self {
            Self::Checked | Self::Started => None,
            Self::Removed => Some("=> Removing <="),
            Self::Shutdown => Some("=> Shutting down <="),
        }
    }
}

/// A virtual server gained or lost its quorum.
#[derive(Clone, Debug)]
pub(crate) struct QuorumChange {
    /// Which.
    pub pool: PoolRef,
    /// Whether it has it now.
    pub up: bool,
    /// Why.
    pub cause: QuorumCause,
}

/// Why a virtual server gained or lost its quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuorumCause {
    /// The weight of its live servers.
    Weight {
        /// Whether this was found at the start, or at the end of a reload.
        at_start: bool,
        /// The quorum that is asked for.
        quorum: i64,
        /// By how much it must be missed or exceeded.
        hysteresis: i64,
        /// The weight that decided.
        threshold: i64,
        /// The weight that there is.
        weight: i64,
    },
    /// The daemon ends.
    Shutdown,
}

impl QuorumChange {
    /// The text of the e-mail. The original puts a plus between quorum and hysteresis whatever happens, and has room for
    /// 79 characters.
    pub(crate) fn mail(&self) -> String {
        let QuorumCause::Weight { at_start, quorum, hysteresis, threshold, weight } = self.cause
        else {
            return "=> Shutting down <=".to_owned();
        };
        let what = match (self.up, at_start) {
            (true, true) => "Starting with quorum up",
            (true, false) => "Gained quorum",
            (false, true) => "Starting with quorum down",
            (false, false) => "Lost quorum",
        };
        let mut text = format!("=> {what} {quorum}+{hysteresis}={threshold} <= {weight} <=");
        text.truncate(79);
        text
    }

    /// The line for FIFOs.
    pub(crate) fn line(&self, service: &VirtualServer) -> String {
        format!("VS {} {}", service.name, state(self.up))
    }

    /// Whether only traps are sent: at the end, scripts, FIFOs and e-mail are for virtual servers with `omega`.
    pub(crate) fn is_quiet(&self, service: &VirtualServer) -> bool {
        self.cause == QuorumCause::Shutdown && !service.omega
    }
}

impl ServerChange {
    /// The line for FIFOs.
    pub(crate) fn line(&self, service: &VirtualServer, server: &RealServer) -> String {
        format!("RS {} {} {}", server_name(service, server), service.name, state(self.up))
    }

    /// Whether only traps are sent: at the end, scripts, FIFOs and e-mail are for virtual servers with `omega`.
    pub(crate) fn is_quiet(&self, service: &VirtualServer) -> bool {
        self.cause == ServerCause::Shutdown && !service.omega
    }
}

fn state(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

/// A virtual server in the configuration that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct PoolRef {
    pub(super) config: Rc<Config>,
    pub(super) id: PoolId,
}

impl PoolRef {
    /// Its position in that configuration.
    pub(crate) fn id(&self) -> PoolId {
        self.id
    }

    /// What that configuration says of it.
    pub(crate) fn virtual_server(&self) -> Option<&VirtualServer> {
        self.config.virtual_servers.get(self.id.0)
    }
}

/// A real server in the configuration that it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct ServerRef {
    pub(super) pool: PoolRef,
    pub(super) place: usize,
}

impl ServerRef {
    /// The virtual server that it works for.
    pub(crate) fn pool(&self) -> &PoolRef {
        &self.pool
    }

    /// What that configuration says of its virtual server and of it.
    pub(crate) fn servers(&self) -> Option<(&VirtualServer, &RealServer)> {
        let service = self.pool.virtual_server()?;
        Some((service, service.real_servers.get(self.place)?))
    }
}
