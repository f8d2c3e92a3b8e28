//! The table of IPVS, brought in line with what the virtual servers are.

use std::time::Instant;

use log::error;

use super::{Engine, Timer};
use crate::table::Table;

impl Engine {
    /// Opens the table, once there is a virtual server, and puts the settings for it in force. `false` where that is
    /// impossible, which has been logged then.
    pub(super) fn open_table(&mut self, now: Instant) -> bool {
        let is_new = self.table.is_none();
        if is_new && self.config.virtual_servers.is_empty() {
            return true;
        }
        if is_new {
            match Table::open(&self.global) {
                Ok(table) => self.table = Some(table),
                Err(failure) => {
                    error!("{failure}");
                    return false;
                }
            }
        }
        if let Some(table) = &mut self.table {
            table.configure(&self.global);
            self.reactor.arm(Timer::Table, now + table.until_look());
        }
        true
    }

    /// Empties the table when the process starts, where that is wanted.
    pub(super) fn flush_table(&mut self) {
        if let Some(table) = self.table.as_mut().filter(|_| self.global.lvs.flush) {
            table.flush();
        }
    }

    /// Has the kernel have what the virtual servers want.
    pub(super) fn reconcile(&mut self, now: Instant) {
        let Some(table) = &mut self.table else { return };
        table.reconcile(&mut self.balance);
        let soon = now + table.until_look();
        if table.is_out_of_reach() && self.reactor.armed(Timer::Table).is_none_or(|at| at > soon) {
            self.reactor.arm(Timer::Table, soon);
        }
    }

    /// Looks whether somebody else has changed the table.
    pub(super) fn look_at_table(&mut self, now: Instant) {
        if let Some(table) = &mut self.table {
            table.look();
            self.reactor.arm(Timer::Table, now + table.until_look());
        }
    }

    /// Leaves the table as it is to be when the process is gone.
    pub(super) fn close_table(&mut self) {
        if let Some(mut table) = self.table.take() {
            table.close(&mut self.balance, &self.global, self.options.keep_ipvs);
        }
    }
}
