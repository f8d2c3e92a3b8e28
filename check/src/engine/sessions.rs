//! BFD_CHECK: sessions are up or down, as the BFD process tells.

use log::error;

use super::Engine;
use super::live::CheckId;
use crate::config::checker::Kind;

impl Engine {
    /// Asks the BFD process for the state of its sessions, where some check wants to know.
    pub(super) fn ask_for_sessions(&self) {
        let is_session = |kind: &Kind| matches!(kind, Kind::Bfd(_));
        let servers = self.config.virtual_servers.iter().flat_map(|server| &server.real_servers);
        let mut checkers = servers.flat_map(|server| &server.checkers);
        if !checkers.any(|checker| is_session(&checker.kind)) {
            return;
        }
        if let Some(Err(failure)) = self.bfd_events.as_ref().map(|events| events.ask()) {
            error!("cannot ask for the state of BFD sessions: {failure}");
        }
    }

    /// The BFD process tells of sessions. What it says is taken in any case, or it would wait for us.
    pub(super) fn hear_sessions(&mut self) {
        loop {
            let Some(events) = &self.bfd_events else { return };
            match events.receive() {
                Ok(Some(event)) => self.session_told(&event.name, event.up),
                Ok(None) => return,
                Err(failure) => {
                    error!("cannot hear of BFD sessions: {failure}");
                    return;
                }
            }
        }
    }

    fn session_told(&mut self, name: &str, up: bool) {
        let ids: Vec<CheckId> = self.checks.ids().collect();
        for id in ids {
            let Some(live) = self.checks.get_mut(id) else { continue };
            let Some(subject) = live.subject(&self.config) else { continue };
            if !matches!(&subject.checker.kind, Kind::Bfd(session) if session == name) {
                continue;
            }
            if let Some(conclusion) = live.check.session(subject, name, up) {
                self.conclude(id, conclusion);
            }
        }
    }
}
