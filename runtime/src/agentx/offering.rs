//! A process that offers objects, to whom and as many as its configuration says.

use std::time::Instant;

use log::warn;

use super::{Address, Agent, Branch, Objects, Oid, Settings, Value};
use crate::event_loop::EventLoop;

/// What is offered, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Where the master agent is; `None`: in the usual place.
    pub socket: Option<String>,
    /// Parts of the tree.
    pub branches: Vec<Branch>,
}

/// The subagent of a process, while something is offered.
#[derive(Debug, Default)]
pub struct Subagent {
    agent: Option<Agent>,
    /// What it offers.
    offer: Option<Offer>,
    since: Option<Instant>,
}

impl Subagent {
    /// Whether something is offered.
    pub fn is_there(&self) -> bool {
        self.agent.is_some()
    }

    /// Since when, counted from the first one in this process.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Tells the master agent that something has happened, at the end of the turn.
    pub fn notify(&mut self, trap: &[u32], objects: Vec<(Oid, Value)>) {
        if let Some(agent) = &mut self.agent {
            agent.notify(trap, objects);
        }
    }
}

/// What is particular about what a process offers, and what follows from it.
pub trait Offering: EventLoop + Objects + Sized {
    /// What the event loop hears of when the master agent says something.
    const MASTER: Self::Source;
    /// What it waits for when the master agent is to be called, or asked whether it is there.
    const MASTER_DUE: Self::Timer;

    /// The subagent.
    fn subagent(&mut self) -> &mut Subagent;

    /// What the configuration wants to be offered, if anything.
    fn wanted_offer(&self) -> Option<Offer>;

    /// Does what managers have asked for by giving objects values.
    fn perform_changes(&mut self, now: Instant);

    /// Starts the subagent, ends it, or starts it anew, as the configuration wants. It goes on where nothing has changed.
    fn offer_objects(&mut self, now: Instant) {
        let wanted = self.wanted_offer();
        if self.subagent().offer != wanted {
            self.stop_subagent();
        }
        let Some(offer) = wanted else { return };
        let subagent = self.subagent();
        if subagent.agent.is_some() {
            return;
        }
        let address = offer.socket.as_deref().map_or_else(|| Ok(Address::default()), str::parse);
        match address {
            Ok(address) => {
                let branches = offer.branches.clone();
                let settings = Settings { description: "Keepalived", branches };
                subagent.agent = Some(Agent::new(address, settings, now));
                subagent.since.get_or_insert(now);
            }
            Err(failure) => warn!("SNMP: {failure}"),
        }
        subagent.offer = Some(offer);
        self.serve_subagent(now);
    }

    /// Does what there is to do for the master agent.
    fn serve_subagent(&mut self, now: Instant) {
        let Some(mut agent) = self.subagent().agent.take() else { return };
        agent.serve(self, now);
        agent.attend(Self::MASTER, Self::MASTER_DUE, self.reactor());
        self.subagent().agent = Some(agent);
        // What follows from it may be worth a notification.
        self.perform_changes(now);
    }

    /// Sends the notifications of this turn.
    fn send_traps(&mut self, now: Instant) {
        if self.subagent().agent.as_ref().is_some_and(Agent::has_news) {
            self.serve_subagent(now);
        }
    }

    /// Takes leave of the master agent.
    fn stop_subagent(&mut self) {
        let subagent = self.subagent();
        subagent.offer = None;
        if let Some(agent) = subagent.agent.take() {
            agent.close(Self::MASTER_DUE, self.reactor());
        }
    }
}
