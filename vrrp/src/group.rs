//! Sync groups: instances that are master, backup or in fault only together.
//!
//! A group looks at its members from outside: what they are and what they want. After each event of a member it says
//! what the others are to do. The engine does that without asking the group about each of them again.

#[cfg(test)]
mod tests;

use crate::fsm::{Event, Fault, Router, State};

/// What a group sees of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Where it stands.
    pub state: State,
    /// Where it would stand alone.
    pub wants: State,
    /// What keeps it out of service.
    pub trouble: Trouble,
    /// What it was told about the others.
    pub told: Trouble,
}

/// What keeps a member out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// A script has not given its first result.
    Waiting,
    /// A fault.
    Faulty,
}

impl Member {
    /// What can be seen of `router`.
    pub(crate) fn of(router: &Router) -> Self {
        let (mut trouble, mut told) = (Trouble::None, Trouble::None);
        for fault in router.faults().iter() {
            match fault {
                Fault::Group => told = Trouble::Faulty,
                Fault::GroupPending => told = told.max(Trouble::Waiting),
                Fault::Pending(_) => trouble = trouble.max(Trouble::Waiting),
                _ => trouble = Trouble::Faulty,
            }
        }
        Self { state: router.state(), wants: router.wants(), trouble, told }
    }
}

/// What a group wants done, in order. Members are known by their place in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Log that the members are brought to this state.
    Say(State),
    /// Log that the member has a fault, and the group with it.
    Blame(usize),
    /// Give the member this event.
    Drive(usize, Event),
    /// Call [`Group::settle`] and tell scripts and listeners of the group.
    Settle(State),
    /// Call [`Group::settle`], without telling anybody.
    SettleSilently(State),
}

/// A sync group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    state: State,
    /// Whether the world knows the state.
    told: bool,
}

impl Group {
    /// A group whose members have not started. It begins as master only when all of them own their addresses and want
    /// to begin so.
    pub(crate) fn new(members: &[Member]) -> Self {
        Self { state: standing(members, |member| member.wants == State::Master), told: false }
    }

    /// A group after a reload, known by what its members are. `before` is what it was, if there was such a group.
    pub(crate) fn resume(members: &[Member], before: Option<State>) -> Self {
        let state = standing(members, |member| member.state == State::Master);
        Self { state, told: before == Some(state) }
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// What to do before the members start, or go on after a reload.
    pub(crate) fn begin(&self, members: &[Member], out: &mut Vec<Step>) {
        let faulty = members.iter().position(|member| member.trouble == Trouble::Faulty);
        out.extend(faulty.map(Step::Blame));
        share(members, out);
        if self.state == State::Backup {
            drive(members, State::Master, &Event::FollowBackup, None, out);
        }
    }

    /// What to do once those members have started that have a fault, and before the others do. While a member waits for a
    /// script there is nothing to be told of the group.
    pub(crate) fn announce(&self, out: &mut Vec<Step>) {
        if !self.told && matches!(self.state, State::Backup | State::Fault) {
            out.push(Step::Settle(self.state));
        }
    }

    /// Whether the world knows the state.
    pub(crate) fn is_told(&self) -> bool {
        self.told
    }

    /// Notes that the group is brought to `state`.
    pub(crate) fn settle(&mut self, state: State) {
        self.state = state;
        self.told = true;
    }

    /// Whether the member at `place` may become master: the group is, or all the others want to.
    pub(crate) fn may_lead(&self, members: impl Iterator<Item = Member>, place: usize) -> bool {
        let mut others = members.enumerate().filter(|&(other, _)| other != place);
        self.state == State::Master || others.all(|(_, other)| other.wants == State::Master)
    }

    /// What follows from an event that took the member at `place` from `before` to where it is now. Nothing does where
    /// nothing of it has changed that a group can see, so then there is no need to ask.
    pub(crate) fn after(
        &self,
        members: &[Member],
        place: usize,
        before: State,
        out: &mut Vec<Step>,
    ) {
        let Some(mover) = members.get(place) else { return };
        let reached = match (before, mover.state) {
            (State::Backup | State::Fault, State::Master) => Some(State::Master),
            (State::Master | State::Fault, State::Backup) => Some(State::Backup),
            // A member that was about to be master again has heard that somebody else is.
            (State::Backup, State::Backup)
                if self.state == State::Master && mover.wants == State::Backup =>
            {
                Some(State::Backup)
            }
            (_, State::Fault) if mover.trouble == Trouble::Faulty => Some(State::Fault),
            _ => None,
        };
        let change = reached.filter(|&state| state != self.state || !self.told);
        if let Some(state) = change {
            out.push(Step::Say(state));
        }
        match change {
            Some(State::Master) => {
                drive(members, State::Backup, &Event::FollowMaster, Some(place), out);
            }
            Some(State::Backup) => {
                drive(members, State::Master, &Event::FollowBackup, Some(place), out);
            }
            _ => {}
        }
        share(members, out);
        if let Some(state) = change {
            out.push(Step::Settle(state));
        }
    }

    /// What follows when the member at `place` has lost an address, route or rule and is backup for a moment: so are
    /// all, and nobody is told about the group.
    pub(crate) fn after_loss(&self, members: &[Member], place: usize, out: &mut Vec<Step>) {
        drive(members, State::Master, &Event::ObjectLost, Some(place), out);
        out.push(Step::SettleSilently(State::Backup));
    }
}

/// Where a group stands whose members are so, if `leads` says of each that it leads or wants to.
fn standing(members: &[Member], leads: impl Fn(&Member) -> bool) -> State {
    match members.iter().map(|member| member.trouble).max() {
        Some(Trouble::Faulty) => State::Fault,
        Some(Trouble::Waiting) => State::Init,
        _ if members.iter().all(leads) => State::Master,
        _ => State::Backup,
    }
}

/// Gives `event` to all members in `state` but the one at `except`.
fn drive(
    members: &[Member],
    state: State,
    event: &Event,
    except: Option<usize>,
    out: &mut Vec<Step>,
) {
    for (place, member) in members.iter().enumerate() {
        if member.state == state && Some(place) != except {
            out.push(Step::Drive(place, event.clone()));
        }
    }
}

/// Tells each member what keeps the others out of service, where it does not know yet.
fn share(members: &[Member], out: &mut Vec<Step>) {
    let troubles = || members.iter().map(|member| member.trouble);
    let most = troubles().max().unwrap_or(Trouble::None);
    let is_alone = troubles().filter(|&trouble| trouble == most).count() == 1;
    let rest = troubles().filter(|&trouble| trouble < most).max().unwrap_or(Trouble::None);
    for (place, member) in members.iter().enumerate() {
        let trouble = if member.trouble == most && is_alone { rest } else { most };
        if trouble == member.told {
            continue;
        }
        // The new reason comes before the old one goes, so that the member does not recover in between.
        if let Some(fault) = fault(trouble) {
            out.push(Step::Drive(place, Event::Fault(fault)));
        }
        if let Some(fault) = fault(member.told) {
            out.push(Step::Drive(place, Event::Cleared(fault)));
        }
    }
}

fn fault(trouble: Trouble) -> Option<Fault> {
    match trouble {
        Trouble::None => None,
        Trouble::Waiting => Some(Fault::GroupPending),
        Trouble::Faulty => Some(Fault::Group),
    }
}
