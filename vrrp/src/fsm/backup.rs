//! What a backup does (RFC 9568 §6.4.2): it listens, and takes over when nobody with a better claim speaks.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Action, BUSY, Cause, Expecting, Fault, Heard, Note, PUNCTUAL, Preempt, Router, State};
use crate::packet::Priority;

impl Router {
    /// RFC 9568 §6.4.2.
    pub(super) fn backup_heard(&mut self, heard: Heard, now: Instant, out: &mut Vec<Action>) {
        let new_source = self.master() != Some(heard.source);
        if new_source {
            out.push(Action::ForgetRefusals);
        }
        let contested = self.settings.priority == Priority::OWNER
            && self.effective == Priority::CONTESTED_OWNER;
        if contested && (new_source || heard.priority != Priority::OWNER) {
            out.push(Action::Note(Note::OwnerRestoredByAdvert));
            self.effective = Priority::OWNER;
        }
        if heard.priority == Priority::STOP {
            out.push(Action::Note(Note::BackupHeardStop));
            self.expecting = Expecting::MasterLeft(heard.source);
            self.arm(now, self.skew());
            return;
        }
        if self.resuming {
            // Whoever it is has the addresses too.
            self.start_as_backup(now, out);
        }
        if !self.accepts_as_master(heard.priority, now) {
            out.push(Action::Note(Note::LowerDiscarded(heard.source, heard.priority)));
            self.expecting = Expecting::Preemption(heard.source, heard.priority);
            self.set_master(heard.source, out);
            return;
        }
        self.learn_interval(heard.interval, out);
        self.set_master(heard.source, out);
        self.master_priority = Some(heard.priority);
        self.delay_preemption(heard.priority, now, out);
        self.wants = State::Backup;
        self.listen(now);
    }

    /// As if the master had taken its leave: several backups agree by their skew times, a single one waits for nobody.
    /// An advert that still comes has the last word.
    pub(super) fn master_gone(&mut self, source: IpAddr, only_backup: bool, now: Instant) {
        let silent = matches!(self.expecting, Expecting::Silence | Expecting::FirstWord);
        if self.master() != Some(source) || !silent {
            return;
        }
        let wait = if only_backup { Duration::ZERO } else { self.skew() };
        if self.deadline.is_none_or(|deadline| deadline > now + wait) {
            self.expecting = Expecting::MasterGone(source);
            self.arm(now, wait);
        }
    }

    fn accepts_as_master(&self, theirs: Priority, now: Instant) -> bool {
        let tolerated = match self.settings.preempt {
            Preempt::Never => true,
            Preempt::AtOnce => false,
            Preempt::After(_) => self.preempt_at.is_none_or(|at| at > now),
        };
        tolerated || theirs >= self.effective
    }

    /// The delay runs from the first advert of a lower-priority master.
    fn delay_preemption(&mut self, theirs: Priority, now: Instant, out: &mut Vec<Action>) {
        let Preempt::After(delay) = self.settings.preempt else { return };
        if theirs >= self.effective {
            if self.preempt_at.take().is_some() {
                out.push(Action::Note(Note::PreemptDelayStopped));
            }
        } else if self.preempt_at.is_none() {
            out.push(Action::Note(Note::PreemptDelayStarted(delay)));
            self.preempt_at = Some(now + delay);
        }
    }

    pub(super) fn backup_due(&mut self, may_lead: bool, now: Instant, out: &mut Vec<Action>) {
        let Some(late) = self.deadline.and_then(|deadline| now.checked_duration_since(deadline))
        else {
            return;
        };
        if self.is_delayed(now) {
            self.arm(now, Duration::ZERO);
            return;
        }
        let punctual = late <= BUSY.max(self.master_interval / PUNCTUAL);
        if self.expecting == Expecting::Silence && !punctual {
            self.await_first_word(late, now, out);
            return;
        }
        out.push(Action::Note(Note::Timeout));
        self.wants = State::Master;
        if !may_lead {
            self.arm(now, self.master_down());
            return;
        }
        let cause = match self.expecting {
            Expecting::Silence | Expecting::FirstWord => {
                let since = self.silent_since.unwrap_or(now);
                Cause::Silence(now.saturating_duration_since(since))
            }
            Expecting::MasterLeft(source) => Cause::MasterLeft(source),
            Expecting::MasterGone(source) => Cause::MasterGone(source),
            Expecting::Preemption(source, priority) => Cause::Preemption(source, priority),
            Expecting::Ownership => Cause::Owner,
            Expecting::Return => Cause::Unclaimed,
        };
        self.become_master(cause, now, out);
    }

    /// What was sent to a machine that stood still may be lost. A master that is there speaks within its interval, so that
    /// much longer is waited, once in each silence.
    fn await_first_word(&mut self, late: Duration, now: Instant, out: &mut Vec<Action>) {
        out.push(Action::Note(Note::StoodStill(late)));
        self.expecting = Expecting::FirstWord;
        self.arm(now, self.master_interval + self.skew());
    }

    /// The advert goes first, so that the old master has taken the addresses away when we announce them.
    pub(super) fn become_master(&mut self, cause: Cause, now: Instant, out: &mut Vec<Action>) {
        if self.is_delayed(now) {
            self.arm(now, Duration::ZERO);
            return;
        }
        self.wants = State::Master;
        self.resuming = false;
        out.push(Action::ForgetRefusals);
        self.advertise(now, out);
        out.push(self.entering(State::Master, cause));
        self.state = State::Master;
        if self.settings.priority == Priority::OWNER && self.effective != Priority::OWNER {
            out.push(Action::Note(Note::OwnerRestored));
            self.effective = Priority::OWNER;
        }
        if self.master_interval != self.settings.interval {
            let (before, now) = (self.master_interval, self.settings.interval);
            out.push(Action::Note(Note::IntervalOwn { before, now }));
            self.master_interval = now;
        }
        out.push(Action::Acquire);
        out.push(Action::Notify(State::Master));
    }

    pub(super) fn backup_fails(&mut self, fault: Fault, out: &mut Vec<Action>) {
        // What another member of the group has logged is not logged again.
        if fault != Fault::Group {
            out.push(self.entering(State::Fault, Cause::Fault(fault.clone())));
        }
        self.note_fault(fault);
        if self.give_up_resuming() {
            out.push(Action::Release { forced: true });
        }
        self.enter_fault();
        out.push(Action::Notify(State::Fault));
    }
}
