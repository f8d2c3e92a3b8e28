//! Tracked BFD sessions: up or down, as the BFD process tells.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use log::{error, info};

use super::super::Engine;
use super::super::table::Table;
use crate::config::InstanceId;
use crate::config::track::SessionId;
use crate::fsm::Event;

/// The sessions by their numbers.
pub(in super::super) type TrackedSessions = Table<SessionId, TrackedSession>;

/// A tracked session. It is down until the BFD process says otherwise.
#[derive(Debug)]
pub(in super::super) struct TrackedSession {
    name: String,
    up: bool,
}

impl TrackedSession {
    /// What is called by its name.
    pub(in super::super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is up.
    pub(in super::super) fn is_up(&self) -> bool {
        self.up
    }
}

impl Engine {
    /// Tracks the sessions that the configuration wants tracked.
    pub(super) fn track_sessions(&mut self) {
        let before = std::mem::take(&mut self.tracked.sessions);
        let sessions = self.config.sessions.iter().map(|name| {
            let known = before.iter().find(|session| session.name == *name);
            TrackedSession { name: name.clone(), up: known.is_some_and(TrackedSession::is_up) }
        });
        self.tracked.sessions = sessions.collect();
        if self.config.sessions.is_empty() {
            return;
        }
        if let Some(Err(error)) = self.bfd_events.as_ref().map(|events| events.ask()) {
            error!("cannot ask for the state of BFD sessions: {error}");
        }
    }

    /// The BFD process tells of sessions. That a neighbour is silent counts only where nothing newer says that it is back.
    pub(in super::super) fn hear_sessions(&mut self, now: Instant) {
        let mut silent = BTreeMap::new();
        loop {
            let Some(events) = &self.bfd_events else { return };
            match events.receive() {
                Ok(Some(event)) => {
                    self.session_told(&event.name, event.up, now);
                    if event.silent {
                        silent.insert(event.name, event.neighbor);
                    } else {
                        silent.remove(&event.name);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    error!("cannot hear of BFD sessions: {error}");
                    break;
                }
            }
        }
        for (name, neighbor) in silent {
            self.session_silent(&name, neighbor, now);
        }
    }

    /// Nothing is heard from `neighbor` any more: those who have it for their master need not wait for its adverts.
    fn session_silent(&mut self, name: &str, neighbor: IpAddr, now: Instant) {
        let concerned: Vec<(InstanceId, bool)> = self
            .instances
            .keys()
            .filter_map(|id| {
                let takeover = self.instances.get(id)?.config.bfd_takeover.as_ref()?;
                (takeover.session == name).then_some((id, takeover.only_backup))
            })
            .collect();
        for (id, only_backup) in concerned {
            self.take(id, Event::MasterGone { source: neighbor, only_backup }, now);
        }
    }

    fn session_told(&mut self, name: &str, up: bool, now: Instant) {
        let sessions = &mut self.tracked.sessions;
        let keys = sessions.keys();
        let found = keys.zip(sessions.iter_mut()).find(|(_, session)| session.name == name);
        let Some((id, session)) = found.filter(|(_, session)| session.up != up) else { return };
        session.up = up;
        let state = if up { "UP" } else { "DOWN" };
        for instance in self.dependants(|trackers| &trackers.sessions, id) {
            let Some(instance) = self.instances.get(instance) else { continue };
            info!("VRRP_Instance({}) Tracked BFD instance {name} is {state}", instance.name());
        }
        self.meet_dependants(|trackers| &trackers.sessions, id, now);
    }
}
