//! Stopping: taking everything away, and telling those who want to know.

use std::time::{Duration, Instant};

use log::error;
use runtime::agentx::Offering;
use runtime::event_loop::EventLoop;

use super::Engine;

/// How long scripts have that are told about the end, and the mails that are not sent yet.
const GRACE: Duration = Duration::from_secs(1);

impl Engine {
    /// Ends all checks and removes what is ours.
    pub(super) fn stop(&mut self) {
        let now = Instant::now();
        self.forget_addresses();
        self.flush(now);
        // Those that were told something else before may run on until the process is gone; not so the runs of checks.
        let before = self.audience.mark();
        self.end_work();
        if !self.options.keep_ipvs {
            self.balance.stop();
            self.tell();
        }
        self.close_table();
        self.flush(now);
        self.stop_subagent();
        let late = self.audience.await_told(before, GRACE, &mut self.reactor);
        if late > 0 {
            error!("backstop thread invoked: shutdown timer not running, child count {late}");
        }
        self.audience.close(&mut self.reactor);
        self.ping_range.put_back();
    }
}
