//! What real servers have from their virtual server, and checks from their real server.

use std::net::SocketAddr;

use super::block::{self, ServiceDraft};
use super::checker::{Checker, Defaults, HandedDown, Kind, Smtp};
use super::forwarding::Forwarding;
use super::real::{self, CheckerDraft, KindDraft, RealServer};

/// Completes a real server, whose port is still as written. `inherited` is what its virtual server hands down.
pub(super) fn real_server(
    mut draft: real::Draft,
    parent: &block::Draft,
    inherited: &HandedDown,
) -> RealServer {
    let mail = &parent.global.mail;
    // Unlike every other alert this one is on by default, as it always was.
    let smtp_alert = draft.smtp_alert.or(mail.alert_checker).or(mail.alert).unwrap_or(true);
    let drafts = std::mem::take(&mut draft.checkers);
    let checks = Checks::new(&draft, parent, inherited);
    RealServer {
        address: SocketAddr::new(draft.address, draft.port.unwrap_or(0)),
        weight: draft.weight.unwrap_or(parent.weight),
        forwarding: draft.forwarding.unwrap_or(Forwarding::Nat),
        upper_threshold: draft.upper_threshold,
        lower_threshold: draft.lower_threshold,
        inhibit_on_failure: draft.inhibit.unwrap_or(parent.inhibit),
        notify_up: draft.notify_up,
        notify_down: draft.notify_down,
        smtp_alert,
        snmp_name: draft.snmp_name,
        checkers: drafts.into_iter().map(|draft| checks.complete(draft)).collect(),
        own: (checks.inherited != *inherited).then(|| Box::new(checks.inherited)),
    }
}

/// What the checks of one real server inherit.
struct Checks<'a> {
    parent: &'a block::Draft,
    server: SocketAddr,
    inherited: HandedDown,
}

impl<'a> Checks<'a> {
    fn new(draft: &real::Draft, parent: &'a block::Draft, inherited: &HandedDown) -> Self {
        let service_port = match parent.service {
            ServiceDraft::Address(_, port) => port,
            ServiceDraft::Mark(_) | ServiceDraft::Group(_) => None,
        };
        // 2.4.3 connects to port 0 where the real server has its port from the virtual server.
        let port = draft.port.or(service_port).unwrap_or(0);
        Self {
            parent,
            server: SocketAddr::new(draft.address, port),
            inherited: HandedDown {
                alpha: draft.alpha.unwrap_or(inherited.alpha),
                timeout: draft.timeout.unwrap_or(inherited.timeout),
                delay_loop: draft.delay_loop.unwrap_or(inherited.delay_loop),
                warmup: draft.warmup.or(inherited.warmup),
                retry: draft.retry.or(inherited.retry),
                delay_before_retry: draft.delay_before_retry.or(inherited.delay_before_retry),
                virtualhost: draft.virtualhost.clone().or(inherited.virtualhost.clone()),
            },
        }
    }

    fn complete(&self, draft: CheckerDraft) -> Checker {
        let CheckerDraft { common, kind } = draft;
        let to = common.connection(self.server, &self.inherited);
        let timing = |defaults| common.timing(&self.inherited, defaults);
        let kind = match kind {
            KindDraft::Tcp => Kind::Tcp(to, timing(Defaults::USUAL)),
            KindDraft::Http(mut http) => {
                http.virtualhost = http.virtualhost.or(self.inherited.virtualhost.clone());
                Kind::Http(to, timing(Defaults::HTTP), http)
            }
            KindDraft::Smtp(helo) => {
                Kind::Smtp(to, timing(Defaults::USUAL), Box::new(Smtp { helo }))
            }
            KindDraft::Dns(dns) => Kind::Dns(to, timing(Defaults::DNS), dns),
            KindDraft::Udp(udp) => Kind::Udp(to, timing(Defaults::USUAL), udp),
            KindDraft::Ping => Kind::Ping(to, timing(Defaults::USUAL)),
            KindDraft::Misc(mut misc) => {
                if misc.timeout.is_zero() {
                    misc.timeout = self.parent.delay_loop;
                }
                Kind::Misc(timing(Defaults::MISC), misc)
            }
            KindDraft::File(file) => Kind::File(file),
            KindDraft::Bfd(session) => Kind::Bfd(session),
        };
        Checker {
            kind,
            alpha: common.alpha.unwrap_or(self.inherited.alpha),
            log_all_failures: common.log_all_failures || self.parent.global.lvs.log_all_failures,
        }
    }
}
