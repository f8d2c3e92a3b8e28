//! Real servers, and the checks in their blocks.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Joined, Keyword, Statement, Value, Word, keyword, parse_address,
    parse_port, report_missing_parameter,
};
use runtime::global::{Global, Script};
use serde::{Deserialize, Serialize};

use super::block;
use super::checker::{self, Checker, Common, DELAY, HandedDown, PERIOD, TIMEOUT};
use super::dns::{DNS_CHECK, Dns, DnsDraft};
use super::forwarding::{Forwarding, METHOD, set_method};
use super::http::{HTTP_GET, Http, HttpDraft, SSL_GET};
use super::misc::{MISC_CHECK, Misc, MiscDraft};
use super::service::{Protocol, VirtualServer, trio};
use super::set_string;
use super::tracked::{BFD_CHECK, BfdDraft, FILE_CHECK, FileCheck, FileDraft};
use super::udp::{UDP_CHECK, Udp, UdpDraft};

/// A server that does the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RealServer {
    /// Its address, and its port or 0: IPVS then sends to the port that the client asked for.
    pub address: SocketAddr,
    /// Its share of the work before checks change it.
    pub weight: u32,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Above so many connections it gets no more; 0 is no limit.
    pub upper_threshold: u32,
    /// Below so many it gets some again.
    pub lower_threshold: u32,
    /// Whether it stays with weight 0 when it fails.
    pub inhibit_on_failure: bool,
    /// Run when it comes up.
    pub notify_up: Option<Box<Script>>,
    /// Run when it goes down.
    pub notify_down: Option<Box<Script>>,
    /// Whether e-mail is sent about it.
    pub smtp_alert: bool,
    /// Its name in SNMP.
    pub snmp_name: Option<String>,
    /// What it hands down to its checks, where that is not what its virtual server hands down.
    pub own: Option<Box<HandedDown>>,
    /// Its checks. Without any it is up for good.
    pub checkers: Box<[Checker]>,
}

impl RealServer {
    /// What it hands down to its checks. `service` is its virtual server.
    pub fn handed_down<'a>(&'a self, service: &'a VirtualServer) -> &'a HandedDown {
        self.own.as_deref().unwrap_or(&service.handed_down)
    }
}

/// The server that says sorry while there is no quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SorryServer {
    /// Its address, and its port or 0.
    pub address: SocketAddr,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Whether it stays with weight 0 while it is not needed.
    pub inhibit_on_failure: bool,
    /// Whether it is one of the real servers as well.
    pub is_real_server: bool,
}

/// An address, and a port unless it is written as zeros only or not at all.
pub(super) struct Target {
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
}

/// The target that the arguments of `statement` give from argument `at`; `None` when they give none.
pub(super) fn target(
    statement: &Statement,
    at: usize,
    diagnostics: &mut Diagnostics,
) -> Option<Target> {
    let address = parse_address(statement.arg(at)?.text);
    let given = |word: &Word<'_>| !word.text.bytes().all(|byte| byte == b'0');
    let port = match statement.arg(at + 1).filter(given) {
        Some(word) => Some(parse_port(word, diagnostics)?),
        None => None,
    };
    Some(Target { address: address?, port })
}

/// What the keywords of a block fill.
#[derive(Debug)]
pub(super) struct Draft {
    global: Rc<Global>,
    /// That of its virtual server as far as that had been read.
    protocol: Option<Protocol>,
    /// The BFD sessions that it watches.
    sessions: Vec<String>,
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) weight: Option<u32>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) upper_threshold: u32,
    pub(super) lower_threshold: u32,
    pub(super) inhibit: Option<bool>,
    pub(super) notify_up: Option<Box<Script>>,
    pub(super) notify_down: Option<Box<Script>>,
    pub(super) alpha: Option<bool>,
    pub(super) timeout: Option<Duration>,
    pub(super) delay_loop: Option<Duration>,
    pub(super) delay_before_retry: Option<Duration>,
    pub(super) retry: Option<u32>,
    pub(super) warmup: Option<Duration>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) virtualhost: Option<String>,
    pub(super) snmp_name: Option<String>,
    pub(super) checkers: Vec<CheckerDraft>,
}

/// A check that waits for what it inherits.
#[derive(Debug)]
pub(super) struct CheckerDraft {
    pub(super) common: Common,
    pub(super) kind: KindDraft,
}

#[derive(Debug)]
pub(super) enum KindDraft {
    Tcp,
    Http(Box<Http>),
    Smtp(String),
    Dns(Box<Dns>),
    Udp(Box<Udp>),
    Ping,
    Misc(Box<Misc>),
    File(FileCheck),
    Bfd(String),
}

/// Reads a block; `None` when its address is wrong, which has been reported then. `parent` is the virtual server as far
/// as it has been read.
pub(super) fn read(
    statement: &Statement,
    parent: &block::Draft,
    diagnostics: &mut Diagnostics,
) -> Option<Draft> {
    let Some(word) = statement.arg(0) else {
        report_missing_parameter(statement, 0, diagnostics);
        return None;
    };
    let Some(target) = target(statement, 0, diagnostics) else {
        let port = statement.arg(1).map_or("(null)", |word| word.text);
        let text = format!("Invalid real server ip address/port {}/{port} - skipping", word.text);
        diagnostics.report(Class::GeneralError, word.place, text);
        return None;
    };
    let mut draft = Draft {
        global: Rc::clone(&parent.global),
        protocol: parent.protocol,
        sessions: Vec::new(),
        address: target.address,
        port: target.port,
        weight: None,
        forwarding: parent.forwarding,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: None,
        notify_up: None,
        notify_down: None,
        alpha: None,
        timeout: None,
        delay_loop: None,
        delay_before_retry: None,
        retry: None,
        warmup: None,
        smtp_alert: None,
        virtualhost: None,
        snmp_name: None,
        checkers: Vec::new(),
    };
    REAL_SERVER.fill(&mut draft, statement, diagnostics);
    Some(draft)
}

pub(super) static REAL_SERVER: Joined<Draft> = Joined(&[KEYWORDS, CHECKS]);

const COUNT: Args = Args::Uint { unit: "UINT", min: 0, max: 4_294_967_295, strict: false };

const KEYWORDS: &[Keyword<Draft>] = &[
    keyword(
        "weight",
        Args::Uint { unit: "UINT", min: 0, max: 2_147_483_647, strict: false },
        "its share of the work",
        |draft: &mut Draft, value, _, _| draft.weight = Some(value.u32()),
    )
    .invalid("Real server weight {} is outside range 0-2147483647"),
    keyword("lvs_method", METHOD, "how packets reach it", |draft, _, statement, diagnostics| {
        set_method(&mut draft.forwarding, "real", statement, diagnostics);
    }),
    keyword("uthreshold", COUNT, "most connections", |draft: &mut Draft, value, _, _| {
        draft.upper_threshold = value.u32();
    })
    .invalid("Invalid real_server uthreshold '{}' - ignoring"),
    keyword(
        "lthreshold",
        COUNT,
        "connections below which it gets some again",
        |draft: &mut Draft, value, _, _| draft.lower_threshold = value.u32(),
    )
    .invalid("Invalid real_server lthreshold '{}' - ignoring"),
    keyword(
        "inhibit_on_failure",
        Args::Bool,
        "keep it with weight 0 when it fails",
        |draft: &mut Draft, value, _, _| draft.inhibit = Some(value.bool()),
    )
    .invalid("Invalid inhibit_on_failure parameter {}"),
    keyword("notify_up", SCRIPT, "run when it comes up", |draft, _, statement, diagnostics| {
        let names = (draft.name(), "notify");
        once(&mut draft.notify_up, names, &draft.global, statement, diagnostics);
    }),
    keyword("notify_down", SCRIPT, "run when it goes down", |draft, _, statement, diagnostics| {
        let names = (draft.name(), "notify");
        once(&mut draft.notify_down, names, &draft.global, statement, diagnostics);
    }),
    keyword(
        "alpha",
        Args::Bool,
        "down until a check succeeds",
        |draft: &mut Draft, value, _, _| {
            draft.alpha = Some(value.bool());
        },
    )
    .invalid("Invalid alpha parameter {}"),
    keyword(
        "retry",
        Args::Uint { unit: "UINT", min: 1, max: 4_294_967_295, strict: true },
        "attempts of checks after the first",
        |draft: &mut Draft, value, _, _| draft.retry = Some(value.u32()),
    )
    .invalid("retry value invalid - {}"),
    keyword(
        "delay_before_retry",
        DELAY,
        "time between attempts of checks",
        |draft: &mut Draft, value, _, _| draft.delay_before_retry = Some(value.duration()),
    )
    .invalid("real server delay_before_retry '{}' invalid - ignoring"),
    keyword(
        "warmup",
        DELAY,
        "within what time the first run of checks comes",
        |draft: &mut Draft, value, _, _| draft.warmup = Some(value.duration()),
    )
    .invalid("real server warmup '{}' invalid - ignoring"),
    keyword(
        "connect_timeout",
        TIMEOUT,
        "how long connecting may take",
        |draft: &mut Draft, value, _, _| draft.timeout = Some(value.duration()),
    )
    .invalid("real server connect_timeout {} invalid - ignoring"),
    keyword(
        "delay_loop",
        PERIOD,
        "time between runs of checks",
        |draft: &mut Draft, value, _, _| draft.delay_loop = Some(value.duration()),
    )
    .invalid("real server delay_loop '{}' invalid - ignoring"),
    keyword("smtp_alert", Args::Bool, "send e-mail about it", |draft: &mut Draft, value, _, _| {
        draft.smtp_alert = Some(value.bool());
    })
    .invalid("Invalid real_server smtp_alert parameter {}"),
    keyword(
        "virtualhost",
        Args::Word("STRING"),
        "host that HTTP checks ask for",
        |draft: &mut Draft, value, statement, diagnostics| {
            let host = &mut draft.virtualhost;
            set_string(host, "rs virtualhost", value.word(), statement, diagnostics);
        },
    )
    .missing("real server virtualhost missing"),
    keyword(
        "snmp_name",
        Args::Words("STRING"),
        "its name in SNMP",
        |draft, _, statement, diagnostics| {
            snmp_name(&mut draft.snmp_name, ("real server", "rs"), statement, diagnostics);
        },
    ),
];

const SCRIPT: Args = Args::Script("SCRIPT [USER [[:]GROUP]]");

/// Keeps the first script of a keyword and reports any further one. `names` are what messages call the block and the
/// kind of script.
pub(super) fn once(
    place: &mut Option<Box<Script>>,
    names: (String, &str),
    global: &Global,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let (owner, kind) = names;
    if place.is_none() {
        *place =
            Script::from_line(&statement.line, kind, &global.scripts, diagnostics).map(Box::new);
        return;
    }
    let given = statement.arg(0).map_or("", |word| word.text);
    let keyword = statement.keyword();
    let text = format!("({owner}) {keyword} script already specified - ignoring {given}");
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

/// Takes exactly one word. `names` are what messages call the server, in full and short.
pub(super) fn snmp_name(
    place: &mut Option<String>,
    names: (&str, &str),
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let (name, short) = names;
    match (statement.arg(0), statement.arg(1)) {
        (Some(word), None) => {
            let what = format!("{short} snmp_name");
            set_string(place, &what, word.text, statement, diagnostics);
        }
        _ => {
            let text = format!("{name} snmp_name missing or extra parameters");
            diagnostics.report(Class::GeneralError, statement.place(), text);
        }
    }
}

const CHECKS: &[Keyword<Draft>] = &[
    keyword("TCP_CHECK", Args::Block("", &TCP_CHECK), "a connection can be made", Draft::tcp),
    keyword("HTTP_GET", Args::Block("", &HTTP_GET), "pages are served", Draft::http),
    keyword("SSL_GET", Args::Block("", &SSL_GET), "pages are served over TLS", Draft::https),
    keyword("SMTP_CHECK", Args::Block("", &SMTP_CHECK), "a mail server greets", Draft::smtp),
    keyword("DNS_CHECK", Args::Block("", &DNS_CHECK), "a name server answers", Draft::dns),
    keyword("UDP_CHECK", Args::Block("", &UDP_CHECK), "a datagram is answered", Draft::udp),
    keyword("PING_CHECK", Args::Block("", &PING_CHECK), "an echo request is answered", Draft::ping),
    keyword("MISC_CHECK", Args::Block("", &MISC_CHECK), "a script says so", Draft::misc),
    keyword("FILE_CHECK", Args::Block("", &FILE_CHECK), "a tracked file says so", Draft::file),
    keyword("BFD_CHECK", Args::Block("", &BFD_CHECK), "a BFD session is up", Draft::bfd),
];

type Plain = checker::Draft<()>;

static TCP_CHECK: Joined<Plain> = Joined(&[Plain::CONNECTION, Plain::TIMING]);
static PING_CHECK: Joined<Plain> = Joined(&[Plain::CONNECTION, Plain::TIMING]);

impl Draft {
    /// What messages call it.
    fn name(&self) -> String {
        trio(self.address, self.protocol, self.port)
    }

    fn add(&mut self, common: Common, kind: KindDraft) {
        // Nearly always it stays the only one.
        self.checkers.reserve_exact(1);
        self.checkers.push(CheckerDraft { common, kind });
    }

    /// Reads a block of a check that connects. `finish` makes the check of what the keywords of its kind have filled.
    fn check<K: Default + 'static>(
        &mut self,
        table: &Joined<checker::Draft<K>>,
        statement: &Statement,
        diagnostics: &mut Diagnostics,
        finish: impl FnOnce(K, &mut Diagnostics) -> Option<KindDraft>,
    ) {
        let mut draft = checker::Draft::<K>::default();
        draft.common.target = Some(self.address);
        table.fill(&mut draft, statement, diagnostics);
        let Some(kind) = finish(draft.special, diagnostics) else { return };
        if draft.common.check(self.address, statement.extent(), diagnostics) {
            self.add(draft.common, kind);
        }
    }

    fn tcp(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        self.check(&TCP_CHECK, statement, diagnostics, |(), _| Some(KindDraft::Tcp));
    }

    fn ping(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        self.check(&PING_CHECK, statement, diagnostics, |(), _| Some(KindDraft::Ping));
    }

    fn http(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        self.pages(&HTTP_GET, false, statement, diagnostics);
    }

    fn https(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        self.pages(&SSL_GET, true, statement, diagnostics);
    }

    fn pages(
        &mut self,
        table: &Joined<checker::Draft<HttpDraft>>,
        tls: bool,
        statement: &Statement,
        diagnostics: &mut Diagnostics,
    ) {
        self.check(table, statement, diagnostics, |http, diagnostics| {
            let http = http.finish(tls, statement, diagnostics)?;
            Some(KindDraft::Http(Box::new(http)))
        });
    }

    fn dns(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        self.check(&DNS_CHECK, statement, diagnostics, |dns: DnsDraft, _| {
            Some(KindDraft::Dns(Box::new(dns.finish())))
        });
    }

    fn udp(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        self.check(&UDP_CHECK, statement, diagnostics, |udp: UdpDraft, diagnostics| {
            Some(KindDraft::Udp(Box::new(udp.finish(statement, diagnostics))))
        });
    }

    fn misc(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        let mut draft = checker::Draft::<MiscDraft>::default();
        MISC_CHECK.fill(&mut draft, statement, diagnostics);
        let scripts = &self.global.scripts;
        if let Some(misc) = draft.special.finish(scripts, statement.extent(), diagnostics) {
            self.add(draft.common, KindDraft::Misc(Box::new(misc)));
        }
    }

    fn file(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        let mut draft = FileDraft::new(&self.global);
        FILE_CHECK.fill(&mut draft, statement, diagnostics);
        if let Some(file) = draft.finish(statement.extent(), diagnostics) {
            self.add(Common::default(), KindDraft::File(file));
        }
    }

    fn bfd(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        let mut draft = checker::Draft::<BfdDraft>::default();
        BFD_CHECK.fill(&mut draft, statement, diagnostics);
        let (names, watched) = (draft.special, &self.sessions);
        let block = statement.extent();
        let session = names.finish(&self.name(), watched, &self.global, block, diagnostics);
        if let Some(session) = session {
            self.sessions.push(session.clone());
            self.add(draft.common, KindDraft::Bfd(session));
        }
    }

    /// Reads a block of SMTP_CHECK. The blocks in it are checks of their own, which have the timing of the outer one where
    /// they say nothing; the outer one is a check itself if it says where to connect, or if it is alone.
    fn smtp(&mut self, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
        let mut draft = checker::Draft::<SmtpDraft>::default();
        SMTP_CHECK.fill(&mut draft, statement, diagnostics);
        let helo = draft.special.helo.unwrap_or_else(|| DEFAULT_HELO.to_owned());
        let hosts = draft.special.hosts;
        if !hosts.is_empty() {
            let text =
                "The SMTP_CHECK host block is deprecated. Please define additional checkers.";
            diagnostics.report_block(Class::Notice, statement.extent(), text);
        }
        let outer = draft.common;
        let mut all = Vec::new();
        if hosts.is_empty() || outer.says_where() {
            all.push(outer.clone());
        }
        all.extend(hosts.into_iter().map(|host| host.timed_like(&outer)));
        for common in all {
            if common.check(self.address, statement.extent(), diagnostics) {
                self.add(common, KindDraft::Smtp(helo.clone()));
            }
        }
    }
}

const DEFAULT_HELO: &str = "smtpchecker.keepalived.org";

/// What the keywords of SMTP_CHECK fill.
#[derive(Debug, Default)]
struct SmtpDraft {
    helo: Option<String>,
    hosts: Vec<Common>,
}

static SMTP_CHECK: Joined<checker::Draft<SmtpDraft>> = Joined(&[
    checker::Draft::<SmtpDraft>::CONNECTION,
    checker::Draft::<SmtpDraft>::TIMING,
    SMTP_KEYWORDS,
]);

const SMTP_KEYWORDS: &[Keyword<checker::Draft<SmtpDraft>>] = &[
    keyword(
        "helo_name",
        Args::Word("STRING"),
        "name in HELO",
        |draft: &mut checker::Draft<SmtpDraft>, value, statement, diagnostics| {
            if draft.special.helo.is_some() {
                let text = "SMTP_CHECK helo name already specified";
                diagnostics.report(Class::GeneralError, statement.place(), text);
            }
            draft.special.helo = Some(value.word().to_owned());
        },
    )
    .missing("SMTP_CHECK helo name missing"),
    keyword(
        "host",
        Args::Block("", &HOST),
        "a further check",
        |draft, _, statement, diagnostics| {
            let mut host = Plain::default();
            HOST.fill(&mut host, statement, diagnostics);
            draft.special.hosts.push(host.common);
        },
    ),
];

static HOST: Joined<Plain> = Joined(&[Plain::CONNECTION, Plain::TIMING]);
