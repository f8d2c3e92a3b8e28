//! A process that shows its state when it is asked: one dump after the other, each written by a copy of the process.

use std::io;
use std::marker::Copy as Plain;

use log::info;

use super::{Copy, Dumps};
use crate::event_loop::EventLoop;
use crate::report::Report;

/// What is particular about the dumps of a process, and what follows from it.
pub trait Dumping: EventLoop {
    /// What can be asked for.
    type Dump: Plain + PartialEq;

    /// What the event loop hears when a dump is written.
    const WRITTEN: Self::Source;

    /// What was asked for.
    fn dumps(&mut self) -> &mut Dumps<Self::Dump>;

    /// Tells all that there is to know.
    fn report(&self, out: &mut Report);

    /// Starts to write a dump; `None` where there is nothing to write.
    fn begin_dump(&mut self, wanted: Self::Dump) -> Option<io::Result<Copy>>;

    /// What was begun last is written, or is not going to be.
    fn dump_is_over(&mut self) {}

    /// Writes a dump, as soon as what was asked for before is written.
    fn dump(&mut self, wanted: Self::Dump) {
        self.dumps().ask(wanted);
        self.write_next_dump();
    }

    /// A dump is written, or failed.
    fn dump_ended(&mut self) {
        let mut dumps = std::mem::take(self.dumps());
        dumps.ended(self.reactor());
        *self.dumps() = dumps;
        if !self.dumps().is_writing() {
            self.dump_is_over();
        }
        self.write_next_dump();
    }

    /// Writes what was asked for first, unless something is being written.
    fn write_next_dump(&mut self) {
        while let Some(next) = self.dumps().take_next() {
            if let Some(copy) = self.begin_dump(next) {
                let mut dumps = std::mem::take(self.dumps());
                dumps.begun(copy, Self::WRITTEN, self.reactor());
                *self.dumps() = dumps;
            }
            if !self.dumps().is_writing() {
                self.dump_is_over();
            }
        }
    }

    /// All that there is to know.
    fn state(&self) -> String {
        let mut out = Report::of_state();
        self.report(&mut out);
        out.into_text()
    }

    /// Writes what was configured into the log.
    fn log_configuration(&self) {
        let mut out = Report::of_configuration();
        self.report(&mut out);
        out.into_text().lines().for_each(|line| info!("{line}"));
    }
}
