//! What the process tells about itself when it is asked by a signal: its state, statistics, and JSON.
//!
//! The files are written by a copy of the process, so that adverts leave in time however slow the disk is.

mod groups;
mod instance;
mod interfaces;
mod json;
mod objects;
mod pool;
mod statistics;
mod trackers;

use std::time::{Instant, SystemTime};

use log::{error, info};
use nix::unistd::getpid;
use runtime::dump::{self, Writer};
use runtime::global::Author;
use runtime::reactor::Readiness;
use runtime::report::{Moment, Report};

use super::{Engine, Source};
use crate::stats::Stats;

/// Who may read data and statistics: everybody whom the file creation mask allows it.
const SHARED: u32 = 0o666;
/// Only the administrator reads the JSON dump.
const PRIVATE: u32 = 0o600;
/// So many dumps may be on their way at once.
const MOST: usize = 8;

/// The two clocks at the same moment.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    now: Instant,
    wall: SystemTime,
}

impl Clocks {
    fn read() -> Self {
        Self { now: Instant::now(), wall: SystemTime::now() }
    }

    /// What the clock on the wall shows at `at`.
    fn moment(self, at: Instant) -> Moment {
        let ahead = at.checked_duration_since(self.now);
        let behind = self.now.saturating_duration_since(at);
        Moment(ahead.map_or(self.wall - behind, |ahead| self.wall + ahead))
    }
}

impl Engine {
    /// Writes everything that there is to know.
    pub(super) fn report_state(&mut self) {
        info!("Printing VRRP data for process({}) on signal", getpid());
        let path = dump::state_path(&self.global, Writer::Vrrp);
        let copy = self.may_dump().then(|| dump::write_apart(path, SHARED, || self.state()));
        self.await_dump(copy);
    }

    /// Writes the counters of all instances, and clears them where that is asked for.
    pub(super) fn report_statistics(&mut self, clear: bool) {
        let what = if clear { "Printing and clearing" } else { "Printing" };
        info!("{what} VRRP stats for process({}) on signal", getpid());
        let path = dump::statistics_path(&self.global);
        let copy = self.may_dump().then(|| dump::write_apart(path, SHARED, || self.statistics()));
        self.await_dump(copy);
        if clear {
            self.instances.iter_mut().for_each(|instance| instance.stats = Stats::default());
        }
    }

    /// Writes the instances as JSON, if there are any.
    pub(super) fn report_json(&mut self) {
        if self.instances.iter().next().is_none() {
            return;
        }
        let path = dump::json_path(&self.global);
        let copy = self.may_dump().then(|| dump::write_apart(path, PRIVATE, || self.json()));
        self.await_dump(copy);
    }

    /// Writes what was configured into the log.
    pub(super) fn log_configuration(&self) {
        let mut out = Report::of_configuration();
        self.report(&mut out);
        out.into_text().lines().for_each(|line| info!("{line}"));
    }

    fn state(&self) -> String {
        let mut out = Report::of_state();
        self.report(&mut out);
        out.into_text()
    }

    fn report(&self, out: &mut Report) {
        let clocks = Clocks::read();
        let real_time = self.promotion.real_time();
        self.global.report(&Author { real_time, ..Author::new(Writer::Vrrp) }, out);
        self.report_paces(clocks, out);
        self.report_static_objects(out);
        self.report_instances(clocks, out);
        if out.shows_state() {
            self.report_sockets(out);
        }
        self.report_groups(out);
        self.report_scripts(out);
        self.report_files(out);
        self.report_processes(out);
        self.report_sessions(out);
        self.report_interfaces(clocks, out);
    }

    fn may_dump(&self) -> bool {
        let may = self.dumps.len() < MOST;
        if !may {
            info!("{MOST} dumps are still being written, this one is left out");
        }
        may
    }

    fn await_dump(&mut self, copy: Option<std::io::Result<dump::Copy>>) {
        let number = self.next_script;
        let watched = copy.map(|copy| {
            let copy = copy?;
            let registration =
                self.reactor.register(&copy, Source::Dump(number), Readiness::Readable)?;
            Ok::<_, std::io::Error>((copy, registration))
        });
        match watched {
            None => {}
            Some(Ok(watched)) => {
                self.next_script = self.next_script.wrapping_add(1);
                self.dumps.insert(number, watched);
            }
            Some(Err(error)) => error!("cannot dump: {error}"),
        }
    }

    /// A dump is written, or failed.
    pub(super) fn dump_ended(&mut self, number: u32) {
        let Some((copy, _)) = self.dumps.get(&number) else { return };
        let Some(outcome) = copy.outcome() else { return };
        if let Err(failure) = outcome {
            info!("{failure}");
        }
        let Some((copy, registration)) = self.dumps.remove(&number) else { return };
        if let Err(error) = self.reactor.deregister(&copy, registration) {
            error!("cannot forget a dump: {error}");
        }
    }
}
