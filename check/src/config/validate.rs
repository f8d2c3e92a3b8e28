//! From blocks to the configuration: names are resolved, contradictions reported and settled.

use conf_parser::{Class, Diagnostics};

use super::block::{self, PERSISTENCE, ServiceDraft};
use super::checker::{HandedDown, Kind};
use super::inherit;
use super::real::{self, RealServer, SorryServer};
use super::scripts;
use super::service::{Protocol, Service, VirtualServer, trio};
use super::{Config, Draft, Family, Forwarding, Group, GroupId};

/// Makes the configuration of what the blocks have filled.
pub(super) fn finish(draft: Draft, diagnostics: &mut Diagnostics) -> Config {
    let (groups, global) = (draft.groups, draft.global);
    let mut joined = Vec::new();
    for server in draft.virtual_servers {
        joined.extend(join(server, &groups, diagnostics));
    }
    let mut members = vec![0_u32; groups.len()];
    let (mut virtual_servers, mut places) = (Vec::new(), Vec::new());
    for (server, service) in joined {
        places.push(server.extent.begin);
        let (mut group, mut number) = (None, 0);
        if let Service::Group(GroupId(at)) = service {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            group = groups.get(at);
            if let Some(member) = members.get_mut(at) {
                number = *member;
                *member += 1;
            }
        }
        let settling = Settling { server, service, number, group, diagnostics };
        virtual_servers.push(settling.finish());
    }
    scripts::check(&mut virtual_servers, &places, &global.scripts, diagnostics);
    let watched = |name: &str| {
        let servers = virtual_servers.iter().flat_map(|server| &server.real_servers);
        let mut kinds = servers.flat_map(|server| &server.checkers).map(|checker| &checker.kind);
        kinds.any(|kind| matches!(kind, Kind::File(check) if check.file == name))
    };
    let files = global.track_files.iter().filter(|file| watched(&file.name)).cloned().collect();
    let sessions = global.bfd_names.iter().filter(|session| session.checker);
    let sessions = sessions.map(|session| session.name.clone()).collect();
    Config { ssl: draft.ssl, groups, virtual_servers, files, sessions, wanted: draft.wanted }
}

/// Finds the group of a virtual server, and settles the family; `None` when the server cannot be used.
fn join(
    mut server: block::Draft,
    groups: &[Group],
    diagnostics: &mut Diagnostics,
) -> Option<(block::Draft, Service)> {
    let name = match &server.service {
        ServiceDraft::Group(name) => name,
        &ServiceDraft::Mark(mark) => return Some((server, Service::Mark(mark))),
        &ServiceDraft::Address(address, port) => {
            return Some((server, Service::Address(address, port)));
        }
    };
    let shown = server.name(0);
    let mut report = |text| diagnostics.report_later(Class::Notice, server.extent.begin, text);
    let Some(at) = groups.iter().position(|group| group.name == *name) else {
        report(format!(
            "Virtual server group {name} specified but not configured - ignoring virtual server {shown}"
        ));
        return None;
    };
    let group = groups.get(at)?;
    match (group.has(Family::Inet), group.has(Family::Inet6), server.family) {
        (true, true, Some(_)) => {
            report(format!(
                "{name}: virtual server group with IPv4 & IPv6 doesn't match virtual server {shown} - ignoring"
            ));
            return None;
        }
        (true, false, Some(Family::Inet6)) | (false, true, Some(Family::Inet)) => {
            report(format!(
                "{name}: address family doesn't match virtual server {shown} - ignoring"
            ));
            return None;
        }
        (true, false, _) => server.family = Some(Family::Inet),
        (false, true, _) => server.family = Some(Family::Inet6),
        (false, false, None) => {
            report(format!(
                "{name}: Virtual server {shown} address family cannot be determined, defaulting to IPv4"
            ));
        }
        (false, false, Some(_)) | (true, true, None) => {}
    }
    let id = GroupId(u32::try_from(at).ok()?);
    Some((server, Service::Group(id)))
}

/// A virtual server that is being checked.
struct Settling<'a> {
    server: block::Draft,
    service: Service,
    /// Its number among those of its group.
    number: u32,
    group: Option<&'a Group>,
    diagnostics: &'a mut Diagnostics,
}

impl Settling<'_> {
    fn report(&mut self, text: String) {
        self.diagnostics.report_later(Class::GeneralError, self.server.extent.begin, text);
    }

    /// What messages call it; the protocol in it may change on the way.
    fn name(&self) -> String {
        self.server.name(self.number)
    }

    fn finish(mut self) -> VirtualServer {
        self.settle_suspension();
        self.settle_protocol();
        self.settle_scheduler();
        self.remove_duplicates();
        let handed_down = self.handed_down();
        let mut real_servers = self.real_servers(&handed_down);
        let mut sorry_server = self.sorry_server(&mut real_servers);
        self.settle_quorum(&real_servers);
        if self.group.is_some() {
            self.warn_of_ports(&real_servers, sorry_server.as_ref());
        } else {
            self.settle_ports(&mut real_servers, sorry_server.as_mut());
        }
        let name = self.name();
        let server = self.server;
        let mail = &server.global.mail;
        VirtualServer {
            service: self.service,
            name,
            family: server.family,
            protocol: server.protocol,
            scheduler: server.scheduler.unwrap_or_default(),
            flags: server.flags,
            persistence: server.persistence,
            granularity: server.granularity,
            persistence_engine: server.engine,
            quorum: server.quorum,
            hysteresis: server.hysteresis,
            quorum_up: server.quorum_up,
            quorum_down: server.quorum_down,
            omega: server.omega,
            ha_suspend: server.ha_suspend,
            smtp_alert: server.smtp_alert.or(mail.alert_checker).or(mail.alert).unwrap_or(false),
            snmp_name: server.snmp_name,
            handed_down,
            forwarding: server.forwarding.unwrap_or(Forwarding::Nat),
            inhibit_on_failure: server.inhibit,
            weight: server.weight,
            sorry_server,
            real_servers,
        }
    }

    fn settle_suspension(&mut self) {
        let mark = matches!(self.server.service, ServiceDraft::Mark(_));
        if self.server.ha_suspend && (mark || self.group.is_some_and(Group::has_mark)) {
            let name = self.name();
            self.report(format!(
                "Virtual server {name}: cannot use ha_suspend with fwmarks - clearing ha_suspend"
            ));
            self.server.ha_suspend = false;
        }
    }

    fn settle_protocol(&mut self) {
        let by_address = match self.server.service {
            ServiceDraft::Address(..) => true,
            ServiceDraft::Mark(_) => false,
            ServiceDraft::Group(_) => self.group.is_some_and(Group::has_address),
        };
        if !by_address {
            if self.server.protocol.is_some() {
                let name = self.name();
                self.report(format!(
                    "Warning: Virtual server {name}: protocol specified for fwmark - protocol will be ignored"
                ));
                self.server.protocol = None;
            }
            return;
        }
        if self.server.protocol.is_none() {
            let name = self.name();
            // So does the kernel.
            self.report(format!("Virtual server {name}: no protocol set - defaulting to UDP"));
            self.server.protocol = Some(Protocol::Udp);
        }
        if self.server.flags.one_packet && self.server.protocol != Some(Protocol::Udp) {
            let name = self.name();
            self.report(format!(
                "Virtual server {name}: one packet scheduling requires UDP - resetting"
            ));
            self.server.flags.one_packet = false;
        }
        let any_port = match self.server.service {
            ServiceDraft::Address(_, port) => port.is_none(),
            ServiceDraft::Mark(_) => false,
            ServiceDraft::Group(_) => self.group.is_some_and(Group::has_any_port),
        };
        if any_port && self.server.persistence.is_none() {
            let name = self.name();
            self.report(format!(
                "Virtual server {name}: zero port only valid for persistent services - setting"
            ));
            self.server.persistence = Some(PERSISTENCE);
        }
    }

    fn settle_scheduler(&mut self) {
        if self.server.scheduler.is_none() {
            let name = self.name();
            self.report(format!("Virtual server {name}: no scheduler set, setting default 'wlc'"));
        }
    }

    fn remove_duplicates(&mut self) {
        let mut kept: Vec<real::Draft> = Vec::new();
        for server in std::mem::take(&mut self.server.real_servers) {
            let same =
                |other: &real::Draft| other.address == server.address && other.port == server.port;
            if !kept.iter().any(same) {
                kept.push(server);
                continue;
            }
            let name = self.name();
            let shown = trio(server.address, self.server.protocol, server.port);
            self.report(format!(
                "VS {name}: real server {shown} is duplicated - removing second rs"
            ));
        }
        self.server.real_servers = kept;
    }

    /// The forwarding method of a server that gives none.
    fn forwarding(&mut self, given: Option<Forwarding>) -> Forwarding {
        if let Some(forwarding) = given.or(self.server.forwarding) {
            return forwarding;
        }
        let name = self.name();
        self.report(format!(
            "Virtual server {name}: no forwarding method set, setting default NAT"
        ));
        self.server.forwarding = Some(Forwarding::Nat);
        Forwarding::Nat
    }

    fn handed_down(&mut self) -> HandedDown {
        let server = &mut self.server;
        HandedDown {
            alpha: server.alpha,
            timeout: server.timeout,
            delay_loop: server.delay_loop,
            warmup: server.warmup,
            retry: server.retry,
            delay_before_retry: server.delay_before_retry,
            virtualhost: server.virtualhost.take(),
        }
    }

    fn real_servers(&mut self, handed_down: &HandedDown) -> Box<[RealServer]> {
        let mut servers = Vec::with_capacity(self.server.real_servers.len());
        for mut draft in std::mem::take(&mut self.server.real_servers) {
            draft.forwarding = Some(self.forwarding(draft.forwarding));
            servers.push(inherit::real_server(draft, &self.server, handed_down));
        }
        servers.into()
    }

    fn sorry_server(&mut self, real_servers: &mut [RealServer]) -> Option<SorryServer> {
        let draft = self.server.sorry.take()?;
        let address = (draft.address, draft.port.unwrap_or(0)).into();
        let forwarding = self.forwarding(draft.forwarding);
        let mut sorry = SorryServer {
            address,
            forwarding,
            inhibit_on_failure: draft.inhibit,
            is_real_server: false,
        };
        if let Some(twin) = real_servers.iter().find(|server| server.address == address) {
            sorry.is_real_server = true;
            let inhibit = twin.inhibit_on_failure;
            if sorry.inhibit_on_failure != inhibit {
                let name = self.name();
                let shown = trio(draft.address, self.server.protocol, draft.port);
                let what = if inhibit { "sett" } else { "clear" };
                self.report(format!(
                    "Virtual server {name}: real server {shown} matches sorry server, but inhibit setting differs, {what}ing on sorry server"
                ));
                sorry.inhibit_on_failure = inhibit;
            }
        }
        Some(sorry)
    }

    fn settle_quorum(&mut self, real_servers: &[RealServer]) {
        let sum = real_servers.iter().fold(0_u32, |sum, server| sum.saturating_add(server.weight));
        let quorum = self.server.quorum;
        if quorum > sum {
            let name = self.name();
            self.report(format!(
                "Warning - quorum {quorum} for {name} exceeds total weight of real servers {sum}, reducing quorum to {sum}"
            ));
            self.server.quorum = sum;
        }
        let (quorum, hysteresis) = (self.server.quorum, self.server.hysteresis);
        if hysteresis >= quorum {
            // Where all weights are 0 so is the quorum; 2.4.3 then makes the hysteresis so great that nothing meets it.
            let lowered = quorum.saturating_sub(1);
            let name = self.name();
            self.report(format!(
                "Virtual server {name}: hysteresis {hysteresis} >= quorum {quorum}; setting hysteresis to {lowered}"
            ));
            self.server.hysteresis = lowered;
        }
    }

    /// With a group the port that counts is that of the entry.
    fn warn_of_ports(&mut self, real_servers: &[RealServer], sorry: Option<&SorryServer>) {
        let Some(group) = self.group else { return };
        let name = self.name();
        let protocol = self.server.protocol;
        let shown =
            |server: &RealServer| trio(server.address.ip(), protocol, Some(server.address.port()));
        let fixed = |forwarding, port| forwarding != Forwarding::Nat && port != 0;
        let real = |server: &&RealServer| fixed(server.forwarding, server.address.port());
        let sorry = sorry.filter(|sorry| fixed(sorry.forwarding, sorry.address.port()));
        let mut texts = Vec::new();
        if group.has_mark() {
            texts.extend(real_servers.iter().filter(real).map(|server| {
                format!(
                    "WARNING - fwmark virtual server {name}, real server {} has port specified - port will be ignored",
                    shown(server)
                )
            }));
            texts.extend(sorry.map(|_| {
                format!(
                    "WARNING - fwmark virtual server {name}, sorry server has port specified - port will be ignored"
                )
            }));
        }
        for (entry, port) in group.ports() {
            let differs = |server: &&RealServer| server.address.port() != port;
            let others = real_servers.iter().filter(real).filter(differs);
            texts.extend(others.map(|server| {
                format!(
                    "virtual server {name}:[{entry}] and real server {} ports don't match",
                    shown(server)
                )
            }));
            texts.extend(sorry.filter(|sorry| sorry.address.port() != port).map(|_| {
                format!(
                    "WARNING - virtual server {name}, sorry server has port specified - port will be ignored"
                )
            }));
        }
        for text in texts {
            self.report(text);
        }
    }

    /// Where addresses are not translated the port of a server is that of the service, and a mark has none.
    fn settle_ports(&mut self, real_servers: &mut [RealServer], sorry: Option<&mut SorryServer>) {
        let service_port = match self.server.service {
            ServiceDraft::Address(_, port) => Some(port.unwrap_or(0)),
            ServiceDraft::Mark(_) | ServiceDraft::Group(_) => None,
        };
        for server in real_servers {
            let port = server.address.port();
            if server.forwarding == Forwarding::Nat {
                server.address.set_port(if port == 0 { service_port.unwrap_or(0) } else { port });
                continue;
            }
            if port != 0 && service_port != Some(port) {
                let name = self.name();
                let shown = trio(server.address.ip(), self.server.protocol, Some(port));
                self.report(match service_port {
                    None => format!(
                        "WARNING - fwmark virtual server {name}, real server {shown} has port specified - clearing"
                    ),
                    Some(_) => format!(
                        "WARNING - virtual server {name} and real server {shown} ports don't match - resetting"
                    ),
                });
            }
            server.address.set_port(service_port.unwrap_or(0));
        }
        let Some(sorry) = sorry.filter(|sorry| sorry.forwarding != Forwarding::Nat) else { return };
        let port = sorry.address.port();
        if port != 0 && service_port != Some(port) {
            let name = self.name();
            self.report(match service_port {
                None => format!(
                    "WARNING - virtual server {name}, sorry server has port specified - clearing"
                ),
                Some(_) => format!(
                    "WARNING - virtual server {name} and sorry server ports don't match - resetting"
                ),
            });
        }
        sorry.address.set_port(service_port.unwrap_or(0));
    }
}
