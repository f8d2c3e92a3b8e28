//! Blocks of virtual servers: what their keywords fill, and what must agree at their end.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Joined, Keyword, Limits, Statement, Value, fitting, keyword,
    parse_uint, report_missing_parameter,
};

use runtime::global::{Global, Script};

use super::checker::{DELAY, PERIOD, TIMEOUT};
use super::forwarding::{Forwarding, METHOD, set_method};
use super::real::{self, REAL_SERVER, Target, once, snmp_name, target};
use super::service::{Flags, Granularity, Protocol, Scheduler, trio};
use super::{Family, set_string};

/// What the keywords of a block fill.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) global: Rc<Global>,
    pub(super) service: ServiceDraft,
    pub(super) extent: Extent,
    pub(super) family: Option<Family>,
    pub(super) protocol: Option<Protocol>,
    pub(super) scheduler: Option<Scheduler>,
    pub(super) flags: Flags,
    pub(super) persistence: Option<Duration>,
    pub(super) granularity: Option<Granularity>,
    pub(super) engine: Option<String>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) quorum: u32,
    pub(super) hysteresis: u32,
    pub(super) quorum_up: Option<Box<Script>>,
    pub(super) quorum_down: Option<Box<Script>>,
    pub(super) alpha: bool,
    pub(super) omega: bool,
    pub(super) ha_suspend: bool,
    pub(super) inhibit: bool,
    pub(super) weight: u32,
    pub(super) timeout: Duration,
    pub(super) delay_loop: Duration,
    pub(super) delay_before_retry: Option<Duration>,
    pub(super) retry: Option<u32>,
    pub(super) warmup: Option<Duration>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) virtualhost: Option<String>,
    pub(super) snmp_name: Option<String>,
    pub(super) sorry: Option<SorryDraft>,
    pub(super) real_servers: Vec<real::Draft>,
}

#[derive(Debug)]
pub(super) enum ServiceDraft {
    Address(IpAddr, Option<u16>),
    Mark(u32),
    Group(String),
}

#[derive(Debug)]
pub(super) struct SorryDraft {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) inhibit: bool,
}

/// How long clients keep their server where no time is given.
pub(super) const PERSISTENCE: Duration = Duration::from_secs(360);

/// Reads a block; `None` when nothing in it can be used, which has been reported then.
pub(super) fn read(
    statement: &Statement,
    global: &Rc<Global>,
    diagnostics: &mut Diagnostics,
) -> Option<Draft> {
    let service = service(statement, diagnostics)?;
    let family = match service {
        ServiceDraft::Address(address, _) => Some(Family::of(address)),
        ServiceDraft::Mark(_) | ServiceDraft::Group(_) => None,
    };
    let mut draft = Draft {
        global: Rc::clone(global),
        service,
        extent: statement.extent(),
        family,
        protocol: None,
        scheduler: None,
        flags: Flags::default(),
        persistence: None,
        granularity: None,
        engine: None,
        forwarding: None,
        quorum: 1,
        hysteresis: 0,
        quorum_up: None,
        quorum_down: None,
        alpha: false,
        omega: false,
        ha_suspend: false,
        inhibit: false,
        weight: 1,
        timeout: Duration::from_secs(5),
        delay_loop: Duration::from_secs(60),
        delay_before_retry: None,
        retry: None,
        warmup: None,
        smtp_alert: None,
        virtualhost: None,
        snmp_name: None,
        sorry: None,
        real_servers: Vec::new(),
    };
    VIRTUAL_SERVER.fill(&mut draft, statement, diagnostics);
    draft.end(diagnostics)
}

fn service(statement: &Statement, diagnostics: &mut Diagnostics) -> Option<ServiceDraft> {
    let Some(word) = statement.arg(0) else {
        report_missing_parameter(statement, 0, diagnostics);
        return None;
    };
    match (word.text, statement.arg(1)) {
        ("group" | "fwmark", None) => {
            report_missing_parameter(statement, 1, diagnostics);
            None
        }
        ("group", Some(name)) => Some(ServiceDraft::Group(name.text.to_owned())),
        ("fwmark", Some(mark)) => {
            let limits = Limits { min: 0, max: u64::from(u32::MAX), strict: false };
            let number = parse_uint(mark, limits, diagnostics);
            let least = match number.and_then(|number| u32::try_from(number).ok()) {
                // It stands for "no mark"; 2.4.3 takes it and asks the kernel for a service without address.
                Some(0) => 1,
                Some(number) => return Some(ServiceDraft::Mark(number)),
                None => 0,
            };
            let text = format!(
                "virtual server fwmark '{}' must be in [{least}, 4294967295] - ignoring",
                mark.text
            );
            diagnostics.report(Class::GeneralError, mark.place, text);
            None
        }
        (address, port) => {
            if let Some(Target { address, port }) = target(statement, 0, diagnostics) {
                return Some(ServiceDraft::Address(address, port));
            }
            let given = port.filter(|port| !port.text.bytes().all(|byte| byte == b'0'));
            let text = match given {
                Some(port) => format!(
                    "Invalid virtual server IP address/port {address}/{} - skipping",
                    port.text
                ),
                None => format!("Invalid virtual server IP address {address} - skipping"),
            };
            diagnostics.report(Class::GeneralError, word.place, text);
            None
        }
    }
}

impl Draft {
    /// What logs call it while it is the `member`th of its group.
    pub(super) fn name(&self, member: u32) -> String {
        match &self.service {
            ServiceDraft::Address(address, port) => trio(*address, self.protocol, *port),
            ServiceDraft::Mark(mark) => format!("FWM {mark}"),
            ServiceDraft::Group(name) => format!("[{name}]:{member}"),
        }
    }

    /// At the end of the block: a service without servers is none, and families must agree.
    fn end(mut self, diagnostics: &mut Diagnostics) -> Option<Self> {
        if self.real_servers.is_empty() {
            let text = format!("Virtual server {} has no real servers - ignoring", self.name(0));
            diagnostics.report_block(Class::GeneralError, self.extent, text);
            return None;
        }
        if let Some(sorry) = self.sorry.as_ref().filter(|sorry| !is_tunnel(sorry.forwarding)) {
            let family = Family::of(sorry.address);
            if *self.family.get_or_insert(family) != family {
                let text = format!(
                    "Address family of virtual server and sorry server {} don't match - skipping sorry server.",
                    sorry.address
                );
                diagnostics.report_block(Class::GeneralError, self.extent, text);
                self.sorry = None;
            }
        }
        if self.family.is_none() && matches!(self.service, ServiceDraft::Mark(_)) {
            self.family = Some(self.common_family());
        }
        Some(self)
    }

    /// The family that all servers share; IPv4 if they share none.
    fn common_family(&self) -> Family {
        let sorry = self.sorry.iter().map(|sorry| sorry.address);
        let mut addresses = sorry.chain(self.real_servers.iter().map(|server| server.address));
        if addresses.all(|address| address.is_ipv6()) { Family::Inet6 } else { Family::Inet }
    }

    fn real_server(&mut self, statement: &Statement, diagnostics: &mut Diagnostics) {
        let Some(server) = real::read(statement, self, diagnostics) else { return };
        let family = Family::of(server.address);
        if !is_tunnel(server.forwarding) && *self.family.get_or_insert(family) != family {
            let text = format!(
                "Address family of virtual server and real server {} don't match - skipping real server.",
                server.address
            );
            return diagnostics.report_block(Class::GeneralError, statement.extent(), text);
        }
        self.real_servers.push(server);
    }
}

fn is_tunnel(forwarding: Option<Forwarding>) -> bool {
    forwarding.is_some_and(Forwarding::is_tunnel)
}

pub(super) static VIRTUAL_SERVER: Joined<Draft> = Joined(&[SERVICE, CHECKING, QUORUM, SERVERS]);

const SERVICE: &[Keyword<Draft>] = &[
    keyword("ip_family", Args::Word("inet|inet6"), "address family of a mark", family),
    keyword(
        "protocol",
        Args::Word("TCP|UDP|SCTP"),
        "its protocol",
        |draft, value, statement, diagnostics| {
            let given = value.word();
            let known = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
            match known.into_iter().find(|known| known.to_string().eq_ignore_ascii_case(given)) {
                Some(protocol) => draft.protocol = Some(protocol),
                None => {
                    let text = format!("Unknown protocol {given} - ignoring");
                    diagnostics.report(Class::GeneralError, statement.place(), text);
                }
            }
        },
    ),
    keyword("lvs_sched", Args::Word("SCHEDULER"), "how a real server is chosen", scheduler),
    keyword("lb_algo", Args::Word("SCHEDULER"), "how a real server is chosen", scheduler),
    keyword("hashed", Args::Flag, "accepted; does nothing", scheduler_flag),
    keyword("ops", Args::Flag, "schedule every packet by itself", |draft, _, _, _| {
        draft.flags.one_packet = true;
    }),
    keyword("flag-1", Args::Flag, "first switch of the scheduler", |draft, _, _, _| {
        draft.flags.first = true;
    }),
    keyword("flag-2", Args::Flag, "second switch of the scheduler", |draft, _, _, _| {
        draft.flags.second = true;
    }),
    keyword("flag-3", Args::Flag, "third switch of the scheduler", |draft, _, _, _| {
        draft.flags.third = true;
    }),
    keyword("sh-port", Args::Flag, "let the port count for sh", scheduler_flag),
    keyword("sh-fallback", Args::Flag, "let sh choose another server", scheduler_flag),
    keyword("mh-port", Args::Flag, "let the port count for mh", scheduler_flag),
    keyword("mh-fallback", Args::Flag, "let mh choose another server", scheduler_flag),
    keyword("lvs_method", METHOD, "how packets reach real servers", forwarding),
    keyword("lb_kind", METHOD, "how packets reach real servers", forwarding),
    keyword(
        "persistence_timeout",
        Args::Words("[SECS:1..2678400]"),
        "how long clients keep their real server",
        persistence,
    ),
    keyword(
        "persistence_granularity",
        Args::Word("NETMASK|PREFIX:1..128"),
        "which clients count as one",
        granularity,
    ),
    keyword(
        "persistence_engine",
        Args::Word("NAME"),
        "what tells clients apart above the addresses",
        engine,
    ),
    keyword(
        "snmp_name",
        Args::Words("STRING"),
        "its name in SNMP",
        |draft, _, statement, diagnostics| {
            snmp_name(&mut draft.snmp_name, ("virtual server", "vs"), statement, diagnostics);
        },
    ),
];

const CHECKING: &[Keyword<Draft>] = &[
    keyword(
        "delay_loop",
        PERIOD,
        "time between runs of checks",
        |draft: &mut Draft, value, _, _| {
            draft.delay_loop = value.duration();
        },
    )
    .invalid("virtual server delay loop '{}' invalid - ignoring"),
    keyword(
        "delay_before_retry",
        DELAY,
        "time between attempts of checks",
        |draft: &mut Draft, value, _, _| draft.delay_before_retry = Some(value.duration()),
    )
    .invalid("virtual server delay before retry '{}' invalid - ignoring"),
    keyword(
        "retry",
        Args::Uint { unit: "UINT", min: 1, max: 4_294_967_295, strict: true },
        "attempts of checks after the first",
        |draft: &mut Draft, value, _, _| draft.retry = Some(value.u32()),
    )
    .invalid("retry value invalid - {}"),
    keyword(
        "warmup",
        DELAY,
        "within what time the first run of checks comes",
        |draft: &mut Draft, value, _, _| draft.warmup = Some(value.duration()),
    )
    .invalid("virtual server warmup '{}' invalid - ignoring"),
    keyword(
        "connect_timeout",
        TIMEOUT,
        "how long connecting may take",
        |draft: &mut Draft, value, _, _| draft.timeout = value.duration(),
    )
    .invalid("virtual server connect_timeout {} invalid - ignoring"),
    keyword("alpha", Args::Flag, "down until checks have succeeded", |draft, _, _, _| {
        draft.alpha = true;
    }),
    keyword("ha_suspend", Args::Flag, "check only while its address is here", |draft, _, _, _| {
        draft.ha_suspend = true;
    }),
    keyword(
        "virtualhost",
        Args::Word("STRING"),
        "host that HTTP checks ask for",
        |draft: &mut Draft, value, statement, diagnostics| {
            let host = &mut draft.virtualhost;
            set_string(host, "vs virtualhost", value.word(), statement, diagnostics);
        },
    )
    .missing("virtual server virtualhost missing"),
];

const QUORUM: &[Keyword<Draft>] = &[
    keyword(
        "quorum",
        Args::Uint { unit: "UINT", min: 1, max: 4_294_967_295, strict: false },
        "weight of live real servers that is enough",
        |draft: &mut Draft, value, _, _| draft.quorum = value.u32(),
    )
    .invalid("Quorum {} must be in [1, 4294967295]. Setting to 1."),
    keyword(
        "hysteresis",
        Args::Uint { unit: "UINT", min: 0, max: 4_294_967_295, strict: false },
        "by how much the quorum must be missed or exceeded",
        |draft: &mut Draft, value, _, _| draft.hysteresis = value.u32(),
    )
    .invalid("Hysteresis {} must be in [0, 4294967295] - ignoring"),
    keyword(
        "quorum_up",
        SCRIPT,
        "run when the quorum is gained",
        |draft, _, statement, diagnostics| {
            let names = (draft.name(0), "quorum");
            once(&mut draft.quorum_up, names, &draft.global, statement, diagnostics);
        },
    ),
    keyword(
        "quorum_down",
        SCRIPT,
        "run when the quorum is lost",
        |draft, _, statement, diagnostics| {
            let names = (draft.name(0), "quorum");
            once(&mut draft.quorum_down, names, &draft.global, statement, diagnostics);
        },
    ),
    keyword("omega", Args::Flag, "notify its end", |draft, _, _, _| draft.omega = true),
    keyword(
        "smtp_alert",
        Args::Bool,
        "send e-mail about its quorum",
        |draft: &mut Draft, value, _, _| {
            draft.smtp_alert = Some(value.bool());
        },
    )
    .invalid("Invalid virtual_server smtp_alert parameter {}"),
];

const SERVERS: &[Keyword<Draft>] = &[
    keyword(
        "inhibit_on_failure",
        Args::Flag,
        "keep failed real servers with weight 0",
        |draft, _, _, _| draft.inhibit = true,
    ),
    keyword(
        "weight",
        Args::Uint { unit: "UINT", min: 1, max: 2_147_483_647, strict: false },
        "weight of real servers that give none",
        |draft: &mut Draft, value, _, _| draft.weight = value.u32(),
    )
    .invalid("Virtual server weight {} is outside range 1-2147483647"),
    keyword(
        "sorry_server",
        Args::Words("IPADDR [PORT]"),
        "what serves while there is no quorum",
        sorry_server,
    ),
    keyword(
        "sorry_server_inhibit",
        Args::Flag,
        "keep it with weight 0",
        |draft, _, statement, diagnostics| match &mut draft.sorry {
            Some(sorry) => sorry.inhibit = true,
            None => {
                let text = "Ignoring sorry_server inhibit used before or without sorry_server";
                diagnostics.report(Class::GeneralError, statement.place(), text);
            }
        },
    ),
    keyword(
        "sorry_server_lvs_method",
        METHOD,
        "how packets reach it",
        |draft, _, statement, diagnostics| match &mut draft.sorry {
            Some(sorry) => set_method(&mut sorry.forwarding, "sorry", statement, diagnostics),
            None => {
                let text = "sorry_server forwarding used without sorry_server";
                diagnostics.report(Class::GeneralError, statement.place(), text);
            }
        },
    ),
    keyword(
        "real_server",
        Args::Block("IPADDR [PORT]", &REAL_SERVER),
        "a server that does the work",
        |draft, _, statement, diagnostics| draft.real_server(statement, diagnostics),
    ),
];

const SCRIPT: Args = Args::Script("SCRIPT [USER [[:]GROUP]]");

fn family(
    draft: &mut Draft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let given = value.word();
    let text = match Family::parse(given) {
        None => format!("unknown address family {given}"),
        Some(family) if *draft.family.get_or_insert(family) == family => return,
        Some(_) => {
            format!("Virtual server specified family {given} conflicts with server family")
        }
    };
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

fn scheduler(
    draft: &mut Draft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    match Scheduler::named(value.word()) {
        Some(scheduler) => draft.scheduler = Some(scheduler),
        None => {
            let text = format!("Invalid lvs_scheduler '{}' - ignoring", value.word());
            diagnostics.report(Class::GeneralError, statement.place(), text);
        }
    }
}

/// A switch of the scheduler that was set before it.
fn scheduler_flag(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let keyword = statement.keyword();
    match (draft.scheduler.as_ref().map(Scheduler::name), keyword) {
        (Some("sh"), "sh-port") | (Some("mh"), "mh-port") => draft.flags.second = true,
        (Some("sh"), "sh-fallback") | (Some("mh"), "mh-fallback") => draft.flags.first = true,
        (Some("sh" | "mh"), _) => {}
        _ => {
            let text = format!("{keyword} only applies to sh scheduler - ignoring");
            diagnostics.report(Class::GeneralError, statement.place(), text);
        }
    }
}

fn forwarding(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    set_method(&mut draft.forwarding, "virtual", statement, diagnostics);
}

fn persistence(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else {
        draft.persistence = Some(PERSISTENCE);
        return;
    };
    let limits = Limits { min: 1, max: 2_678_400, strict: true };
    match parse_uint(word, limits, diagnostics) {
        Some(seconds) => draft.persistence = Some(Duration::from_secs(seconds)),
        None => {
            let text = "persistence_timeout invalid";
            diagnostics.report(Class::GeneralError, word.place, text);
        }
    }
}

fn granularity(
    draft: &mut Draft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let open = if word.text.contains('.') { Family::Inet } else { Family::Inet6 };
    let family = draft.family.unwrap_or(open);
    let (granularity, version) = match family {
        Family::Inet => (value.word().parse().ok().map(Granularity::Mask), "IPv4"),
        Family::Inet6 => {
            let limits = Limits { min: 1, max: 128, strict: true };
            let prefix = parse_uint(word, limits, diagnostics);
            let prefix = prefix.and_then(|prefix| u8::try_from(prefix).ok());
            (prefix.map(Granularity::Prefix), "IPv6")
        }
    };
    if granularity.is_none() {
        let text = format!("Invalid {version} persistence_granularity specified - {}", word.text);
        return diagnostics.report(Class::GeneralError, word.place, text);
    }
    draft.granularity = granularity;
    draft.family = Some(family);
    draft.persistence.get_or_insert(PERSISTENCE);
}

/// The kernel keeps 16 bytes of the name.
const ENGINE_MAX: usize = 16;

fn engine(
    draft: &mut Draft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let given = value.word();
    if given.len() > ENGINE_MAX {
        let text = format!("persistence_name too long, truncating - {given}");
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    draft.engine = Some(fitting(given, ENGINE_MAX).to_owned());
}

fn sorry_server(
    draft: &mut Draft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else {
        return report_missing_parameter(statement, 0, diagnostics);
    };
    let Some(Target { address, port }) = target(statement, 0, diagnostics) else {
        let text = format!("Invalid sorry server IP address {} - skipping", word.text);
        return diagnostics.report(Class::GeneralError, word.place, text);
    };
    let forwarding = draft.forwarding;
    draft.sorry = Some(SorryDraft { address, port, forwarding, inhibit: false });
}
