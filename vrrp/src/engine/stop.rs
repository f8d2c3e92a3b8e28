//! Stopping: handing over, taking everything away, saying so.

use std::thread;
use std::time::{Duration, Instant};

use runtime::agentx::Offering;

use super::Engine;
use super::notify::News;
use crate::fsm::Event;

/// How long scripts have that are told about the end, and the mails that are not sent yet.
const GRACE: Duration = Duration::from_secs(1);

/// How long interfaces of ours stay after they have left their groups: the kernel reports that some of its ticks later,
/// of which each is ten milliseconds at most.
const FAREWELL: Duration = Duration::from_millis(40);

impl Engine {
    /// Ends all elections and removes what is ours. Scripts are told when that has happened.
    pub(super) fn stop(&mut self) {
        let now = Instant::now();
        self.end_runs();
        if !self.options.keep_vrrp {
            for id in self.instances.keys() {
                self.drive(id, Event::Stop, now);
            }
        }
        self.config.static_addresses.clear();
        self.config.static_routes.clear();
        self.config.static_rules.clear();
        self.dirty = true;
        self.flush(now);
        // Those that were told something else before may run on until the process is gone.
        let before = self.audience.mark();
        for id in self.instances.keys() {
            self.tell(id, News::Stopped);
        }
        for id in self.groups.keys() {
            self.tell_group(id, News::Stopped);
        }
        self.flush(now);
        self.stop_subagent();
        self.stop_service();
        // Groups are left while their interfaces are there to say so.
        self.sockets.leave_all();
        self.sockets.close_idle(&mut self.reactor);
        self.audience.await_told(before, GRACE, &mut self.reactor);
        if !self.options.keep_vrrp {
            if !self.own_links.is_empty() {
                thread::sleep(FAREWELL);
            }
            self.remove_links();
            self.restore_settings();
        }
        self.remove_firewall();
        if !self.options.keep_vrrp {
            self.note.remove();
        }
        self.stop_synchronisation();
        self.audience.close(&mut self.reactor);
    }
}
