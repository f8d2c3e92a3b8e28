//! What all health checks have in common: where they connect, and when they run.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use conf_parser::{Args, Class, Diagnostics, Extent, Keyword, Place, keyword, parse_address};
use serde::{Deserialize, Serialize};

use super::dns::Dns;
use super::http::Http;
use super::misc::Misc;
use super::tracked::FileCheck;
use super::udp::Udp;

/// One health check of a real server, complete: what was not given has been inherited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checker {
    /// What is checked.
    pub kind: Kind,
    /// Whether the server counts as failed until the check has succeeded.
    pub alpha: bool,
    /// Whether every failed attempt is logged, not the last one only.
    pub log_all_failures: bool,
}

/// The kinds of checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A TCP connection can be made.
    Tcp(Connection, Timing),
    /// Pages are served as expected, over TLS or without.
    Http(Connection, Timing, Box<Http>),
    /// A mail server greets.
    Smtp(Connection, Timing, Box<Smtp>),
    /// A name server answers.
    Dns(Connection, Timing, Box<Dns>),
    /// A datagram is answered, or at least not refused.
    Udp(Connection, Timing, Box<Udp>),
    /// An echo request is answered.
    Ping(Connection, Timing),
    /// A script ends with status 0.
    Misc(Timing, Box<Misc>),
    /// A tracked file says so.
    File(FileCheck),
    /// A BFD session, by its name, is up.
    Bfd(String),
}

impl Kind {
    /// Where it connects, unless it is decided elsewhere.
    pub fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Tcp(connection, _)
            | Self::Http(connection, ..)
            | Self::Smtp(connection, ..)
            | Self::Dns(connection, ..)
            | Self::Udp(connection, ..)
            | Self::Ping(connection, _) => Some(connection),
            Self::Misc(..) | Self::File(_) | Self::Bfd(_) => None,
        }
    }

    /// The time between attempts where nothing was said; `None` is the time between runs.
    pub(crate) fn usual_delay_before_retry(&self) -> Option<Duration> {
        let defaults = match self {
            Self::Http(..) => Defaults::HTTP,
            Self::Dns(..) => Defaults::DNS,
            Self::Misc(..) => Defaults::MISC,
            _ => Defaults::USUAL,
        };
        defaults.delay_before_retry
    }

    /// When it runs; `None` for what others decide.
    pub fn timing(&self) -> Option<Timing> {
        match *self {
            Self::Tcp(_, timing)
            | Self::Http(_, timing, _)
            | Self::Smtp(_, timing, _)
            | Self::Dns(_, timing, _)
            | Self::Udp(_, timing, _)
            | Self::Ping(_, timing)
            | Self::Misc(timing, _) => Some(timing),
            Self::File(_) | Self::Bfd(_) => None,
        }
    }
}

/// What a mail server is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smtp {
    /// The name in HELO.
    pub helo: String,
}

/// Where a check connects, and by which way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The destination.
    pub to: SocketAddr,
    /// How long each phase may take.
    pub timeout: Duration,
    /// The way there; nearly always the kernel finds it alone.
    pub way: Option<Box<Way>>,
}

/// By which way a check connects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// The source address and port; port 0 is any.
    pub from: Option<SocketAddr>,
    /// The interface to leave by.
    pub interface: Option<String>,
    /// Firewall mark of the packets; 0 is none.
    pub mark: u32,
}

/// When a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Time from one run to the next.
    pub delay_loop: Duration,
    /// The first run comes within this time, at random.
    pub warmup: Duration,
    /// Further attempts before the check has failed.
    pub retry: u32,
    /// Time between attempts.
    pub delay_before_retry: Duration,
}

/// What the keywords of a check fill: those that checks share, and those of its kind.
#[derive(Debug, Default)]
pub(super) struct Draft<K> {
    pub(super) common: Common,
    pub(super) special: K,
}

/// What checks share, as far as it was given.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    /// The address that is connected to as far as it is known, to compare families.
    pub(super) target: Option<IpAddr>,
    connect_ip: Option<IpAddr>,
    connect_port: Option<u16>,
    bind_ip: Option<IpAddr>,
    bind_port: Option<u16>,
    interface: Option<String>,
    timeout: Option<Duration>,
    mark: u32,
    pub(super) retry: Option<u32>,
    delay_before_retry: Option<Duration>,
    warmup: Option<Duration>,
    delay_loop: Option<Duration>,
    pub(super) alpha: Option<bool>,
    pub(super) log_all_failures: bool,
}

/// What a server hands down to its checks where they say nothing themselves: a virtual server by way of its real servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedDown {
    /// Whether they count as failed until they have succeeded.
    pub alpha: bool,
    /// How long each phase may take.
    pub timeout: Duration,
    /// Time from one run to the next.
    pub delay_loop: Duration,
    /// The first run comes within this time.
    pub warmup: Option<Duration>,
    /// Further attempts before they have failed.
    pub retry: Option<u32>,
    /// Time between attempts.
    pub delay_before_retry: Option<Duration>,
    /// The host that those of HTTP ask for.
    pub virtualhost: Option<String>,
}

/// What a kind of check falls back on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defaults {
    pub(super) retry: u32,
    /// `None` is the delay loop.
    pub(super) delay_before_retry: Option<Duration>,
}

impl Defaults {
    const ONE_SECOND: Option<Duration> = Some(Duration::from_secs(1));

    /// Those of most kinds.
    pub(super) const USUAL: Self = Self { retry: 1, delay_before_retry: Self::ONE_SECOND };
    pub(super) const HTTP: Self =
        Self { retry: 1, delay_before_retry: Some(Duration::from_secs(3)) };
    pub(super) const DNS: Self = Self { retry: 3, delay_before_retry: None };
    pub(super) const MISC: Self = Self { retry: 0, delay_before_retry: Self::ONE_SECOND };
}

impl Common {
    /// Whether anything was said about the connection.
    pub(super) fn says_where(&self) -> bool {
        self.connect_ip.is_some()
            || self.connect_port.is_some()
            || self.bind_ip.is_some()
            || self.bind_port.is_some()
            || self.interface.is_some()
            || self.timeout.is_some()
            || self.mark != 0
    }

    /// With the timing of `other` where it says nothing.
    pub(super) fn timed_like(self, other: &Self) -> Self {
        Self {
            retry: self.retry.or(other.retry),
            delay_before_retry: self.delay_before_retry.or(other.delay_before_retry),
            warmup: self.warmup.or(other.warmup),
            delay_loop: self.delay_loop.or(other.delay_loop),
            alpha: self.alpha.or(other.alpha),
            log_all_failures: self.log_all_failures || other.log_all_failures,
            ..self
        }
    }

    /// Whether a connection can be made at all; if not, it has been reported.
    pub(super) fn check(
        &self,
        server: IpAddr,
        block: Extent,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let target = self.connect_ip.unwrap_or(server);
        let link_local = matches!(target, IpAddr::V6(target) if target.is_unicast_link_local());
        if !link_local || self.interface.is_some() {
            return true;
        }
        let text = format!("Checker link local address {target} requires a bind_if");
        diagnostics.report_block(Class::GeneralError, block, text);
        false
    }

    /// `server` is the real server, with its port as written or else that of the virtual server.
    pub(super) fn connection(&self, server: SocketAddr, inherited: &HandedDown) -> Connection {
        let address = self.connect_ip.unwrap_or(server.ip());
        let port = self.connect_port.unwrap_or(server.port());
        let way = Way {
            from: self.bind_ip.map(|address| SocketAddr::new(address, self.bind_port.unwrap_or(0))),
            interface: self.interface.clone(),
            mark: self.mark,
        };
        Connection {
            to: SocketAddr::new(address, port),
            timeout: self.timeout.unwrap_or(inherited.timeout),
            way: (way != Way::default()).then(|| Box::new(way)),
        }
    }

    pub(super) fn timing(&self, inherited: &HandedDown, defaults: Defaults) -> Timing {
        let delay_loop = self.delay_loop.unwrap_or(inherited.delay_loop);
        Timing {
            delay_loop,
            warmup: self.warmup.or(inherited.warmup).unwrap_or(delay_loop),
            retry: self.retry.or(inherited.retry).unwrap_or(defaults.retry),
            delay_before_retry: self
                .delay_before_retry
                .or(inherited.delay_before_retry)
                .or(defaults.delay_before_retry)
                .unwrap_or(delay_loop),
        }
    }

    /// Takes `address` as source or destination unless it is of another family than `other`.
    fn address(
        text: &str,
        other: Option<IpAddr>,
        names: (&str, &str),
        place: Place,
        diagnostics: &mut Diagnostics,
    ) -> Option<IpAddr> {
        let (name, other_name) = names;
        let problem = match parse_address(text) {
            None => format!("Invalid {name} address {text} - ignoring"),
            Some(address) if other.is_some_and(|other| other.is_ipv4() != address.is_ipv4()) => {
                format!(
                    "{name} address {text} does not match address family of {other_name} - skipping"
                )
            }
            Some(address) => return Some(address),
        };
        diagnostics.report(Class::GeneralError, place, problem);
        None
    }
}

/// The longest name of an interface, in bytes.
const INTERFACE_MAX: usize = 15;

const PORT: Args = Args::Uint { unit: "UINT", min: 1, max: 65535, strict: false };
const NUMBER: Args = Args::Uint { unit: "UINT", min: 0, max: 4_294_967_295, strict: false };
/// From a microsecond to what 32 bits of them hold.
pub(super) const TIMEOUT: Args = Args::Timer { min: 1, max: 4_294_967_295 };
/// A microsecond or more.
pub(super) const PERIOD: Args = Args::Timer { min: 1, max: u64::MAX - 1 };
/// Any time.
pub(super) const DELAY: Args = Args::Timer { min: 0, max: u64::MAX - 1 };

impl<K: 'static> Draft<K> {
    /// The keywords about the connection.
    pub(super) const CONNECTION: &'static [Keyword<Self>] = &[
        keyword(
            "connect_ip",
            Args::Word("IPADDR"),
            "where to connect instead of the real server",
            |draft: &mut Self, value, statement, diagnostics| {
                let names = ("connect_ip", "bindto");
                let common = &mut draft.common;
                let place = statement.place();
                let bound = common.bind_ip;
                common.connect_ip = Common::address(value.word(), bound, names, place, diagnostics);
                common.target = common.connect_ip;
            },
        ),
        keyword("connect_port", PORT, "port to connect to", |draft: &mut Self, value, _, _| {
            draft.common.connect_port = Some(value.u16());
        })
        .invalid("Invalid checker connect_port '{}'"),
        keyword(
            "bindto",
            Args::Word("IPADDR"),
            "source address",
            |draft: &mut Self, value, statement, diagnostics| {
                let names = ("bindto", "connect_ip");
                let target = draft.common.target;
                draft.common.bind_ip =
                    Common::address(value.word(), target, names, statement.place(), diagnostics);
            },
        ),
        keyword("bind_port", PORT, "source port", |draft: &mut Self, value, _, _| {
            draft.common.bind_port = Some(value.u16());
        })
        .invalid("Invalid checker bind_port '{}'"),
        keyword(
            "bind_if",
            Args::Word("IFNAME"),
            "interface to leave by",
            |draft: &mut Self, value, statement, diagnostics| {
                if value.word().len() <= INTERFACE_MAX {
                    draft.common.interface = Some(value.word().to_owned());
                    return;
                }
                let text = format!("Interface name {} is too long - ignoring", value.word());
                diagnostics.report(Class::GeneralError, statement.place(), text);
            },
        ),
        keyword(
            "connect_timeout",
            TIMEOUT,
            "how long each phase may take",
            |draft: &mut Self, value, _, _| draft.common.timeout = Some(value.duration()),
        )
        .invalid("connect_timeout {} invalid - ignoring"),
        keyword(
            "fwmark",
            NUMBER,
            "firewall mark of the packets",
            |draft: &mut Self, value, _, _| {
                draft.common.mark = value.u32();
            },
        )
        .invalid("Invalid fwmark connection value '{}'"),
    ];

    /// The keywords about when the check runs.
    pub(super) const TIMING: &'static [Keyword<Self>] = &[
        keyword("retry", NUMBER, "attempts after the first", |draft: &mut Self, value, _, _| {
            draft.common.retry = Some(value.u32());
        })
        .invalid("Invalid retry connection value '{}'"),
        keyword(
            "delay_before_retry",
            DELAY,
            "time between attempts",
            |draft: &mut Self, value, _, _| {
                draft.common.delay_before_retry = Some(value.duration());
            },
        )
        .invalid("Invalid delay_before_retry connection value '{}'"),
        keyword(
            "warmup",
            DELAY,
            "within what time the first run comes",
            |draft: &mut Self, value, _, _| draft.common.warmup = Some(value.duration()),
        )
        .invalid("Invalid warmup connection value '{}'"),
        keyword(
            "delay_loop",
            PERIOD,
            "time from one run to the next",
            |draft: &mut Self, value, _, _| draft.common.delay_loop = Some(value.duration()),
        )
        .invalid("delay_loop '{}' is invalid - ignoring"),
        keyword("alpha", Args::Bool, "failed until proven", |draft: &mut Self, value, _, _| {
            draft.common.alpha = Some(value.bool());
        })
        .invalid("Invalid alpha parameter {}"),
        keyword(
            "log_all_failures",
            Args::Bool,
            "log every failed attempt",
            |draft: &mut Self, value, _, _| draft.common.log_all_failures = value.bool(),
        )
        .invalid("Invalid log_all_failures parameter {}"),
    ];
}
