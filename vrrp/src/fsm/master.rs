//! What a master does (RFC 9568 §6.4.3): it speaks, contradicts lower claims and gives in to better ones.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use super::{
    Action, Cause, Expecting, Fault, Heard, Note, RIVAL_ADVERTS, Rival, Router, State, timers,
};
use crate::packet::{Priority, Version};

/// So many adverts answer others between two that are sent on time.
const MOST_ANSWERS: u8 = 32;

impl Router {
    /// RFC 9568 §6.4.3.
    pub(super) fn master_heard(&mut self, heard: Heard, now: Instant, out: &mut Vec<Action>) {
        if heard.priority == Priority::STOP {
            self.answer(now, out);
            out.push(Action::Note(Note::MasterHeardStop));
            return;
        }
        // What has come meanwhile is heard before the timer.
        if let Some(late) = self.overslept(now) {
            self.leave_master(Cause::Overslept(late), now, out);
            return;
        }
        let rank = heard.priority.cmp(&self.effective).then(heard.order);
        if rank == Ordering::Greater && self.settings.higher_prio_send_advert {
            self.advertise(now, out);
        }
        let equal = heard.priority == self.effective;
        if equal && rank != Ordering::Equal && self.effective == Priority::OWNER {
            self.face_rival(heard, rank, now, out);
        }
        match heard.priority.cmp(&self.effective).then(heard.order) {
            Ordering::Equal => out.push(Action::Note(Note::OwnAddressHeard)),
            Ordering::Less => self.contradict(heard, now, out),
            Ordering::Greater => self.yield_to(heard, now, out),
        }
    }

    /// Two address owners: the lower address gives in at once. The higher one waits for the other to do so, and gives
    /// in itself when it does not, so that there are not two masters for ever.
    fn face_rival(&mut self, heard: Heard, rank: Ordering, now: Instant, out: &mut Vec<Action>) {
        let two_owners = Action::Note(Note::TwoOwners(heard.source));
        match self.rival {
            _ if rank == Ordering::Greater => out.push(two_owners),
            Rival::Watched { until } if until > now => {
                out.push(Action::Note(Note::OwnerPersists(heard.source)));
                self.rival = Rival::None;
                self.effective = Priority::CONTESTED_OWNER;
            }
            Rival::Warned { adverts, .. } => {
                self.rival = Rival::Warned { adverts, interval: heard.interval };
            }
            Rival::None | Rival::Watched { .. } => {
                out.push(two_owners);
                self.rival = Rival::Warned { adverts: RIVAL_ADVERTS, interval: heard.interval };
            }
        }
    }

    fn contradict(&mut self, heard: Heard, now: Instant, out: &mut Vec<Action>) {
        let contradict = !self.settings.lower_prio_no_advert;
        let (source, theirs, ours) = (heard.source, heard.priority, self.effective);
        out.push(Action::Note(Note::LowerHeard { source, theirs, ours, contradict }));
        if contradict {
            self.answer(now, out);
        }
        out.push(Action::Reannounce);
        out.push(Action::LowerPriorityHeard);
    }

    /// Speaks at once, but not for ever: whoever sends a flood gets no flood in return.
    fn answer(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.answers < MOST_ANSWERS {
            self.answers += 1;
            self.advertise(now, out);
        }
    }

    fn yield_to(&mut self, heard: Heard, now: Instant, out: &mut Vec<Action>) {
        let Heard { source, priority: theirs, .. } = heard;
        let ours = self.effective;
        out.push(Action::Note(if theirs > ours && self.settings.priority != Priority::OWNER {
            Note::HigherHeard { source, theirs, ours }
        } else {
            Note::HigherAddressHeard(source, theirs)
        }));
        self.learn_interval(heard.interval, out);
        self.master = Some(source);
        self.master_priority = Some(theirs);
        self.leave_master(Cause::Outranked(source, theirs), now, out);
    }

    pub(super) fn master_due(&mut self, now: Instant, out: &mut Vec<Action>) {
        if let Rival::Watched { until } = self.rival {
            if until <= now {
                out.push(Action::Note(Note::OwnerGone));
                self.rival = Rival::None;
            }
        }
        let Some(due) = self.deadline.filter(|&due| due <= now) else { return };
        if let Some(late) = self.overslept(now) {
            self.leave_master(Cause::Overslept(late), now, out);
            return;
        }
        self.answers = 0;
        self.advertise(now, out);
        // Keep the beat: what one wake-up was late is not added to all that follow.
        if now.duration_since(due) < self.settings.interval {
            self.deadline = Some(due + self.settings.interval);
        }
        if let Rival::Warned { adverts, interval } = self.rival {
            self.rival = if adverts > 1 {
                Rival::Warned { adverts: adverts - 1, interval }
            } else {
                Rival::Watched { until: now + interval.max(self.settings.interval) * 12 / 10 }
            };
        }
    }

    /// By how much we are late, if that was long enough for the others to have elected a new master.
    fn overslept(&self, now: Instant) -> Option<Duration> {
        let others = self.settings.timer_expired_backup?;
        let interval = self.settings.interval;
        let silent = now.saturating_duration_since(self.last_sent?);
        let skew = match self.settings.version {
            Version::V2 => timers::skew(Version::V2, interval, others),
            Version::V3 => interval * (256 - u32::from(others.0)) / 256,
        };
        (silent >= interval * 3 + skew).then(|| silent.saturating_sub(interval))
    }

    /// MASTER to BACKUP.
    pub(super) fn leave_master(&mut self, cause: Cause, now: Instant, out: &mut Vec<Action>) {
        out.push(Action::ForgetRefusals);
        out.push(self.entering(State::Backup, cause));
        out.push(Action::Release { forced: false });
        self.enter_backup(now);
        out.push(Action::Notify(State::Backup));
    }

    /// The priority 0 makes somebody else take over at once; nobody being there, we are back after the skew time.
    pub(super) fn lose_object(&mut self, now: Instant, out: &mut Vec<Action>) {
        out.push(Action::ForgetRefusals);
        out.push(self.entering(State::Backup, Cause::ObjectLost));
        out.push(Action::Resign);
        out.push(Action::Release { forced: false });
        self.enter_backup(now);
        self.expecting = Expecting::Return;
        self.arm(now, self.skew());
        out.push(Action::Notify(State::Backup));
    }

    pub(super) fn master_fails(&mut self, fault: Fault, out: &mut Vec<Action>) {
        out.push(Action::ForgetRefusals);
        out.push(self.entering(State::Fault, Cause::Fault(fault.clone())));
        out.push(Action::Advertise(Priority::STOP));
        // Only the member that failed itself says it twice.
        if fault != Fault::Group {
            out.push(Action::Resign);
        }
        out.push(Action::Release { forced: false });
        self.note_fault(fault);
        self.enter_fault();
        out.push(Action::Notify(State::Fault));
    }
}
