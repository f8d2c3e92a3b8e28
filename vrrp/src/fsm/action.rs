//! What an instance wants done, in the order in which it is to be done.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Fault, State};
use crate::packet::Priority;

/// One thing to do. The engine does them in order; it decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send an advert.
    Advertise(Priority),
    /// Send an advert with priority 0, count it and say so.
    Resign,
    /// Say that a state is entered, and why.
    Entering(Transition),
    /// Put the addresses, routes and rules in place and announce them.
    Acquire,
    /// Take rules, routes and addresses away. `forced` also takes what we do not remember to have put there.
    Release {
        /// Whether leftovers are looked for.
        forced: bool,
    },
    /// Tell scripts and listeners about a state.
    Notify(State),
    /// Announce the own source address, so that the master's neighbour entry is fresh.
    AnnounceSource,
    /// Announce the addresses again: somebody else claimed them for a while.
    Reannounce,
    /// Tell scripts and listeners that a lower-priority router believed to be master.
    LowerPriorityHeard,
    /// Tell listeners that the effective priority has changed.
    PriorityChanged,
    /// Refused adverts are worth a log line again.
    ForgetRefusals,
    /// Write a log line.
    Note(Note),
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state that is left.
    pub from: State,
    /// The state that is entered.
    pub to: State,
    /// Why.
    pub cause: Cause,
}

/// Why a state is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The engine starts.
    Start,
    /// We own the addresses.
    Owner,
    /// No advert came for so long.
    Silence(Duration),
    /// The master said that it leaves.
    MasterLeft(IpAddr),
    /// The master was found to be gone.
    MasterGone(IpAddr),
    /// The master has a lower priority than we.
    Preemption(IpAddr, Priority),
    /// Nobody took over what we had left for a moment.
    Unclaimed,
    /// Another router has a better claim.
    Outranked(IpAddr, Priority),
    /// Something failed.
    Fault(Fault),
    /// Nothing is wrong any more.
    Recovered,
    /// An address, route or rule was taken away by somebody else.
    ObjectLost,
    /// The sync group moves together.
    Group,
    /// We were not run for so long that somebody else must be master by now.
    Overslept(Duration),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Start => f.write_str("starting"),
            Cause::Owner => f.write_str("address owner"),
            Cause::Silence(waited) => {
                write!(f, "no advert for {}.{:03} s", waited.as_secs(), waited.subsec_millis())
            }
            Cause::MasterLeft(source) => write!(f, "{source} left"),
            Cause::MasterGone(source) => write!(f, "{source} is silent for BFD"),
            Cause::Preemption(source, priority) => {
                write!(f, "preempting {source} with priority {}", priority.0)
            }
            Cause::Unclaimed => f.write_str("nobody else took over"),
            Cause::Outranked(source, priority) => {
                write!(f, "{source} has priority {}", priority.0)
            }
            Cause::Fault(fault) => fault.fmt(f),
            Cause::Recovered => f.write_str("no fault remains"),
            Cause::ObjectLost => f.write_str("an address, route or rule was removed"),
            Cause::Group => f.write_str("sync group"),
            Cause::Overslept(late) => {
                write!(f, "ran late by {}.{:06} s", late.as_secs(), late.subsec_micros())
            }
        }
    }
}

/// A log line about an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The addresses of a killed master are in place.
    Resuming,
    /// The master down timer expired.
    Timeout,
    /// The master down timer expired so long ago, while we were not run.
    StoodStill(Duration),
    /// BACKUP heard the master leave.
    BackupHeardStop,
    /// MASTER heard another one leave.
    MasterHeardStop,
    /// Another router is master than before.
    MasterIs {
        /// The one before.
        before: Option<IpAddr>,
        /// The one now.
        now: IpAddr,
    },
    /// BACKUP heard a lower priority.
    LowerDiscarded(IpAddr, Priority),
    /// MASTER heard a lower priority.
    LowerHeard {
        /// Who.
        source: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Our priority.
        ours: Priority,
        /// Whether we contradict it.
        contradict: bool,
    },
    /// MASTER heard a higher priority.
    HigherHeard {
        /// Who.
        source: IpAddr,
        /// Its priority.
        theirs: Priority,
        /// Our priority.
        ours: Priority,
    },
    /// MASTER heard the same priority from a higher address.
    HigherAddressHeard(IpAddr, Priority),
    /// MASTER heard the same priority from its own address.
    OwnAddressHeard,
    /// Two address owners.
    TwoOwners(IpAddr),
    /// The other address owner does not give in.
    OwnerPersists(IpAddr),
    /// The other address owner is silent.
    OwnerGone,
    /// We are an address owner again, as the other one is gone.
    OwnerRestored,
    /// We are an address owner again, as the master is none.
    OwnerRestoredByAdvert,
    /// The master's interval is used.
    IntervalLearnt {
        /// Before.
        before: Duration,
        /// Now.
        now: Duration,
    },
    /// Our own interval is used again.
    IntervalOwn {
        /// Before.
        before: Duration,
        /// Now.
        now: Duration,
    },
    /// A lower-priority master may go on for so long.
    PreemptDelayStarted(Duration),
    /// No lower-priority master any more.
    PreemptDelayStopped,
    /// Tracking changed the priority.
    PriorityChanged(Priority, Priority),
}

impl Note {
    /// Whether it is only written when details are asked for.
    pub fn is_detail(&self) -> bool {
        match self {
            Note::Timeout
            | Note::BackupHeardStop
            | Note::MasterHeardStop
            | Note::MasterIs { .. }
            | Note::IntervalLearnt { .. }
            | Note::IntervalOwn { .. }
            | Note::PreemptDelayStarted(_)
            | Note::PreemptDelayStopped => true,
            Note::Resuming
            | Note::StoodStill(_)
            | Note::LowerDiscarded(..)
            | Note::LowerHeard { .. }
            | Note::HigherHeard { .. }
            | Note::HigherAddressHeard(..)
            | Note::OwnAddressHeard
            | Note::TwoOwners(_)
            | Note::OwnerPersists(_)
            | Note::OwnerGone
            | Note::OwnerRestored
            | Note::OwnerRestoredByAdvert
            | Note::PriorityChanged(..) => false,
        }
    }
}

impl Note {
    /// Whether adverts cause it, as often as somebody sends them.
    pub fn is_about_an_advert(&self) -> bool {
        matches!(
            self,
            Note::BackupHeardStop
                | Note::MasterHeardStop
                | Note::MasterIs { .. }
                | Note::LowerDiscarded(..)
                | Note::LowerHeard { .. }
                | Note::OwnAddressHeard
                | Note::IntervalLearnt { .. }
                | Note::TwoOwners(_)
        )
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Resuming => f.write_str("was master when it was killed, resuming"),
            Note::Timeout => f.write_str("Receive advertisement timeout"),
            Note::StoodStill(late) => write!(
                f,
                "ran late by {}.{:03} s, waiting one more interval for the master",
                late.as_secs(),
                late.subsec_millis()
            ),
            Note::BackupHeardStop => f.write_str("Backup received priority 0 advertisement"),
            Note::MasterHeardStop => f.write_str("Master received priority 0 message"),
            Note::MasterIs { before: None, now } => write!(f, "master set to {now}"),
            Note::MasterIs { before: Some(before), now } => {
                write!(f, "master changed from {before} to {now}")
            }
            Note::LowerDiscarded(source, priority) => write!(
                f,
                "received lower priority ({}) advert from {source} - discarding",
                priority.0
            ),
            Note::LowerHeard { source, theirs, ours, contradict } => {
                let suffix = if *contradict { ", forcing new election" } else { "" };
                let (theirs, ours) = (theirs.0, ours.0);
                write!(
                    f,
                    "Received advert from {source} with lower priority {theirs}, ours {ours}{suffix}"
                )
            }
            Note::HigherHeard { source, theirs, ours } => write!(
                f,
                "Master received advert from {source} with higher priority {}, ours {}",
                theirs.0, ours.0
            ),
            Note::HigherAddressHeard(source, priority) => write!(
                f,
                "Master received advert from {source} with same priority {} but higher IP address than ours",
                priority.0
            ),
            Note::OwnAddressHeard => f.write_str(
                "WARNING - equal priority advert received from remote host with our IP address.",
            ),
            Note::TwoOwners(source) => write!(
                f,
                "CONFIGURATION ERROR: local instance and {source} are both configured as address owner, please resolve"
            ),
            Note::OwnerPersists(source) => write!(
                f,
                "{source} is still advertising as address owner, please resolve - reducing our priority"
            ),
            Note::OwnerGone => {
                f.write_str("rogue address owner appears to have stopped advertising")
            }
            Note::OwnerRestored => f.write_str(
                "Restoring our priority to 255 since other address owner has disappeared",
            ),
            Note::OwnerRestoredByAdvert => f.write_str(
                "Restoring our priority to 255 since received advert with lower priority",
            ),
            Note::IntervalLearnt { before, now } => write!(
                f,
                "advertisement interval updated from {}ms to {}ms by master",
                before.as_millis(),
                now.as_millis()
            ),
            Note::IntervalOwn { before, now } => write!(
                f,
                "changing advert interval from {}ms to locally configured {}ms",
                before.as_millis(),
                now.as_millis()
            ),
            Note::PreemptDelayStarted(delay) => {
                write!(f, "start preempt delay ({}.{:06})", delay.as_secs(), delay.subsec_micros())
            }
            Note::PreemptDelayStopped => f.write_str("stop preempt delay"),
            Note::PriorityChanged(from, to) => {
                write!(f, "Changing effective priority from {} to {}", from.0, to.0)
            }
        }
    }
}
