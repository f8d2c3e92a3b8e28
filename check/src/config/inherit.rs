//! What real servers have from their virtual server, and checks from their real server.

use std::net::SocketAddr;
use std::time::Duration;

use conf_parser::{Diagnostics, Statement};
use runtime::global::{Global, Script};

use super::block::{self, ServiceDraft};
use super::checker::{Checker, Common, Defaults, Inherited, Kind, Smtp};
use super::forwarding::Forwarding;
use super::real::{self, CheckerDraft, KindDraft, RealServer};
use super::service::trio;

/// What a real server inherits from.
pub(super) struct Parent<'a> {
    pub(super) server: &'a block::Draft,
    pub(super) global: &'a Global,
}

const ONE_SECOND: Option<Duration> = Some(Duration::from_secs(1));

/// What most kinds of checks fall back on.
const USUAL: Defaults = Defaults { retry: 1, delay_before_retry: ONE_SECOND };
const HTTP: Defaults = Defaults { retry: 1, delay_before_retry: Some(Duration::from_secs(3)) };
const DNS: Defaults = Defaults { retry: 3, delay_before_retry: None };
const MISC: Defaults = Defaults { retry: 0, delay_before_retry: ONE_SECOND };

/// Completes a real server, whose port is still as written.
pub(super) fn real_server(
    mut draft: real::Draft,
    parent: &Parent<'_>,
    diagnostics: &mut Diagnostics,
) -> RealServer {
    let mut script = |statement: Option<Statement>| {
        let line = statement?.line;
        Script::from_line(&line, "notify", &parent.global.scripts, diagnostics)
    };
    let notify_up = script(draft.notify_up.take());
    let notify_down = script(draft.notify_down.take());
    let mail = &parent.global.mail;
    // Unlike every other alert this one is on by default, as it always was.
    let smtp_alert = draft.smtp_alert.or(mail.alert_checker).or(mail.alert).unwrap_or(true);
    let checkers = Checks::new(&draft, parent).finish(&mut draft.checkers, diagnostics);
    RealServer {
        address: SocketAddr::new(draft.address, draft.port.unwrap_or(0)),
        weight: draft.weight.unwrap_or(parent.server.weight),
        forwarding: draft.forwarding.unwrap_or(Forwarding::Nat),
        upper_threshold: draft.upper_threshold,
        lower_threshold: draft.lower_threshold,
        inhibit_on_failure: draft.inhibit.unwrap_or(parent.server.inhibit),
        notify_up,
        notify_down,
        smtp_alert,
        snmp_name: draft.snmp_name,
        checkers,
    }
}

/// The checks of one real server, while they are completed.
struct Checks<'a> {
    parent: &'a Parent<'a>,
    inherited: Inherited,
    alpha: bool,
    virtualhost: Option<String>,
    /// What messages call the real server.
    name: String,
    /// The BFD sessions that it watches so far.
    sessions: Vec<String>,
}

impl<'a> Checks<'a> {
    fn new(draft: &real::Draft, parent: &'a Parent<'a>) -> Self {
        let server = parent.server;
        let service_port = match server.service {
            ServiceDraft::Address(_, port) => port,
            ServiceDraft::Mark(_) | ServiceDraft::Group(_) => None,
        };
        // 2.4.3 connects to port 0 where the real server has its port from the virtual server.
        let port = draft.port.or(service_port).unwrap_or(0);
        Self {
            parent,
            inherited: Inherited {
                server: SocketAddr::new(draft.address, port),
                timeout: draft.timeout.unwrap_or(server.timeout),
                delay_loop: draft.delay_loop.unwrap_or(server.delay_loop),
                warmup: draft.warmup.or(server.warmup),
                retry: draft.retry.or(server.retry),
                delay_before_retry: draft.delay_before_retry.or(server.delay_before_retry),
            },
            alpha: draft.alpha.unwrap_or(server.alpha),
            virtualhost: draft.virtualhost.clone().or(server.virtualhost.clone()),
            name: trio(draft.address, server.protocol, draft.port),
            sessions: Vec::new(),
        }
    }

    fn finish(
        mut self,
        drafts: &mut Vec<CheckerDraft>,
        diagnostics: &mut Diagnostics,
    ) -> Vec<Checker> {
        let mut checkers = Vec::new();
        for draft in drafts.drain(..) {
            let CheckerDraft { common, kind, block } = draft;
            let alpha = common.alpha.unwrap_or(self.alpha);
            let log_all_failures =
                common.log_all_failures || self.parent.global.lvs.log_all_failures;
            let global = self.parent.global;
            let kind = match kind {
                KindDraft::Misc(misc) => {
                    let timing = common.timing(&self.inherited, MISC);
                    let delay_loop = self.parent.server.delay_loop;
                    let misc = misc.finish(&global.scripts, delay_loop, block, diagnostics);
                    misc.map(|misc| Kind::Misc(timing, misc))
                }
                KindDraft::File(file) => file.finish(global, block, diagnostics).map(Kind::File),
                KindDraft::Bfd(bfd) => {
                    let watched = &self.sessions;
                    let session = bfd.finish(&self.name, watched, global, block, diagnostics);
                    self.sessions.extend(session.clone());
                    session.map(Kind::Bfd)
                }
                connecting => self.connecting(connecting, &common),
            };
            checkers.extend(kind.map(|kind| Checker { kind, alpha, log_all_failures }));
        }
        checkers
    }

    /// The kinds of checks that connect; `None` for any other.
    fn connecting(&self, kind: KindDraft, common: &Common) -> Option<Kind> {
        let to = common.connection(&self.inherited);
        let timing = |defaults| common.timing(&self.inherited, defaults);
        Some(match kind {
            KindDraft::Tcp => Kind::Tcp(to, timing(USUAL)),
            KindDraft::Http(mut http) => {
                http.virtualhost = http.virtualhost.or(self.virtualhost.clone());
                Kind::Http(to, timing(HTTP), http)
            }
            KindDraft::Smtp(helo) => Kind::Smtp(to, timing(USUAL), Smtp { helo }),
            KindDraft::Dns(dns) => Kind::Dns(to, timing(DNS), dns),
            KindDraft::Udp(udp) => Kind::Udp(to, timing(USUAL), udp),
            KindDraft::Ping => Kind::Ping(to, timing(USUAL)),
            KindDraft::Misc(_) | KindDraft::File(_) | KindDraft::Bfd(_) => return None,
        })
    }
}
