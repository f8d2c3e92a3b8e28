//! The clock that ends the loop's sleep.
//!
//! The time-outs of `poll` and `epoll_wait` may run over by a thousandth of their length, so that the kernel can join
//! wake-ups: after a master down interval of 3.6 s that is 3.6 ms. A timerfd is not stretched.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// Turns readable, as its edge, when the time has come. It need not be read.
#[derive(Debug)]
pub(super) struct Clock {
    descriptor: TimerFd,
    rings_at: Option<Instant>,
}

impl Clock {
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let descriptor = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Self { descriptor, rings_at: None })
    }

    /// Has it ring at `at`, which is after `now`, or before: where deadlines move to later, as a backup's do with each
    /// advert, one early ring now and then is cheaper than a system call each time.
    pub(super) fn ring_at(&mut self, at: Instant, now: Instant) -> io::Result<()> {
        if self.rings_at.is_some_and(|rings_at| now < rings_at && rings_at <= at) {
            return Ok(());
        }
        let wait = at.saturating_duration_since(now).max(Duration::from_nanos(1));
        self.descriptor
            .set(Expiration::OneShot(TimeSpec::from(wait)), TimerSetTimeFlags::empty())?;
        self.rings_at = Some(at);
        Ok(())
    }
}

impl AsFd for Clock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
