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

pub(super) use trackers::Shown as Pattern;

use std::io;
use std::time::{Instant, SystemTime};

use log::info;
use nix::unistd::getpid;
use runtime::dump::{self, Copy, Dumping, Dumps, PRIVATE, SHARED, Writer};
use runtime::global::{Author, Global};
use runtime::report::{Moment, Report};

use super::{Engine, Source};
use crate::stats::Stats;

/// Something that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dump {
    /// Everything that there is to know.
    State,
    /// The counters of all instances, which may start anew afterwards.
    Statistics { clear: bool },
    /// The instances as JSON.
    Json,
}

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
    /// Writes what a signal asks for.
    pub(super) fn dump_on_signal(&mut self, wanted: Dump) {
        let pid = getpid();
        match wanted {
            Dump::State => info!("Printing VRRP data for process({pid}) on signal"),
            Dump::Statistics { clear: false } => {
                info!("Printing VRRP stats for process({pid}) on signal");
            }
            Dump::Statistics { clear: true } => {
                info!("Printing and clearing VRRP stats for process({pid}) on signal");
            }
            // It is asked for too often to be mentioned.
            Dump::Json => {}
        }
        self.dump(wanted);
    }
}

impl Dumping for Engine {
    type Dump = Dump;

    const WRITTEN: Source = Source::Dump;
    const WRITER: Writer = Writer::Vrrp;

    fn global(&self) -> &Global {
        &self.global
    }

    fn dumps(&mut self) -> &mut Dumps<Dump> {
        &mut self.dumps
    }

    /// Without instances there is no JSON.
    fn begin_dump(&mut self, wanted: Dump) -> Option<io::Result<Copy>> {
        self.service.begun(wanted);
        let global = &self.global;
        let copy = match wanted {
            Dump::State => {
                let path = dump::state_path(global, Self::WRITER);
                dump::write_apart(path, SHARED, || {
                    self.look_at_routes();
                    self.state()
                })
            }
            Dump::Statistics { .. } => {
                dump::write_apart(dump::statistics_path(global), SHARED, || self.statistics())
            }
            Dump::Json if self.instances.iter().next().is_none() => return None,
            Dump::Json => dump::write_apart(dump::json_path(global), PRIVATE, || {
                self.look_at_routes();
                self.json()
            }),
        };
        if wanted == (Dump::Statistics { clear: true }) {
            self.instances.iter_mut().for_each(|instance| instance.stats = Stats::default());
        }
        Some(copy)
    }

    fn dump_is_over(&mut self) {
        self.answer_dump();
    }

    fn report(&self, out: &mut Report) {
        let clocks = Clocks::read();
        let real_time = self.promotion.real_time();
        self.global.report(&Author { real_time, ..Author::new(Self::WRITER) }, out);
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
}
