//! Telling what has happened to servers: the log, scripts, FIFOs and mails.

use log::info;
use runtime::global::Script;
use runtime::mail::Alert;

use super::Engine;
use crate::balance::{Event, QuorumChange, ServerChange, ServerId, server_name};
use crate::config::{RealServer, VirtualServer};

impl Engine {
    /// Tells what has happened since the last call.
    pub(super) fn tell(&mut self) {
        for event in self.balance.take_events() {
            match event {
                Event::Log(line) => info!("{line}"),
                Event::Server(change) => self.tell_of_server(&change),
                Event::Quorum(change) => self.tell_of_quorum(&change),
            }
        }
    }

    fn tell_of_server(&mut self, change: &ServerChange) {
        let Some((service, server)) = change.server.servers() else { return };
        self.trap_server(change, service, server);
        if change.is_quiet(service) {
            return;
        }
        let script = if change.up { &server.notify_up } else { &server.notify_down };
        self.notify(script.as_deref(), &change.line(service, server));
        let Some(body) = change.cause.mail().filter(|_| server.smtp_alert) else { return };
        self.audience.mail(server_alert(service, server, change.up, body.to_owned()));
    }

    fn tell_of_quorum(&mut self, change: &QuorumChange) {
        let Some(service) = change.pool.virtual_server() else { return };
        self.trap_quorum(change, service);
        if change.is_quiet(service) {
            return;
        }
        let script = if change.up { &service.quorum_up } else { &service.quorum_down };
        self.notify(script.as_deref(), &change.line(service));
        if service.smtp_alert {
            let about = format!("Virtualserver {}", service.name);
            self.audience.mail(Alert { about, event: event(change.up), body: change.mail() });
        }
    }

    /// Starts a script, and writes to the FIFOs.
    fn notify(&mut self, script: Option<&Script>, line: &str) {
        if let Some(script) = script {
            self.audience.run(script.clone(), Vec::new());
        }
        self.audience.write(&format!("{line}\n"));
    }

    /// Mails the result of a check. `turned`: its server came up or went down by it.
    pub(super) fn mail_result(&mut self, id: ServerId, turned: bool, body: String) {
        let Some(service) = self.balance.virtual_server(id.pool) else { return };
        let Some(server) = self.balance.real_server(id) else { return };
        if !server.smtp_alert || !turned && self.global.mail.no_checkers {
            return;
        }
        self.audience.mail(server_alert(service, server, self.balance.is_alive(id), body));
    }
}

fn server_alert(service: &VirtualServer, server: &RealServer, up: bool, body: String) -> Alert {
    let name = server_name(service, server);
    let about = format!("Realserver {name} of virtual server {}", service.name);
    Alert { about, event: event(up), body }
}

fn event(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}
