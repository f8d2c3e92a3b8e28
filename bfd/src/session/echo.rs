//! The echo function of a session (RFC 5880 §6.4): packets that the other side's forwarding plane sends back to us.

use std::time::{Duration, Instant};

/// What is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Echo {
    number: u32,
    next: Option<Instant>,
    expiry: Option<Instant>,
    /// Whether that is later than it was at first.
    forborne: bool,
}

impl Echo {
    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.next, self.expiry].into_iter().flatten().min()
    }

    /// Begins, or goes on.
    pub(super) fn run(&mut self, now: Instant) {
        self.next.get_or_insert(now);
    }

    /// Waits until this time at least for what is under way, once until something comes back.
    pub(super) fn forbear(&mut self, until: Instant) {
        let later = self.expiry.filter(|&at| at < until && !self.forborne).map(|_| until);
        self.forborne |= later.is_some();
        self.expiry = later.or(self.expiry);
    }

    /// Whether nothing has come back for too long.
    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.expiry.is_some_and(|at| at <= now)
    }

    /// The number of the packet that is due, if one is; the one after it is due at `next`. What is missing for `patience`
    /// from now on, where nothing was awaited yet, is lost.
    pub(super) fn take_due(
        &mut self,
        now: Instant,
        next: Instant,
        patience: Duration,
    ) -> Option<u32> {
        self.next.filter(|&at| at <= now)?;
        self.next = Some(next);
        self.expiry.get_or_insert(now + patience);
        self.number = self.number.wrapping_add(1);
        Some(self.number)
    }

    /// Packet `number` has come back. One that is older than the last `window` proves nothing. With the latest one nothing
    /// is missing any more: whoever stands still then, and sends none, need not wait for any.
    pub(super) fn came_back(&mut self, number: u32, window: u8, now: Instant, patience: Duration) {
        let age = self.number.wrapping_sub(number);
        if age < u32::from(window) {
            self.expiry = (age > 0).then_some(now + patience);
            self.forborne = false;
        }
    }
}
