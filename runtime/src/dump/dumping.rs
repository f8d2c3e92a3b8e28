//! A process that shows its state when it is asked: one dump after the other, each written by a copy of the process.

use std::io;
use std::marker::Copy as Plain;
use std::path::Path;

use log::info;

use super::{Copy, Dumps, Kept, SHARED, Writer, kept_name, write_apart};
use crate::event_loop::EventLoop;
use crate::global::Global;
use crate::report::Report;

/// What is particular about the dumps of a process, and what follows from it.
pub trait Dumping: EventLoop {
    /// What can be asked for.
    type Dump: Plain + PartialEq;

    /// What the event loop hears when a dump is written.
    const WRITTEN: Self::Source;

    /// Which process it is.
    const WRITER: Writer;

    /// The settings of the daemon.
    fn global(&self) -> &Global;

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
        let was_writing = dumps.is_writing();
        dumps.ended(self.reactor());
        *self.dumps() = dumps;
        if was_writing && !self.dumps().is_writing() {
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

    /// Keeps all that there is to know of this moment, where that is wanted (`config_save_dir`).
    fn keep_state(&mut self, moment: Kept) {
        let Some(directory) = self.global().files.config_save_dir.clone() else { return };
        let number = self.dumps().number(moment);
        let path = Path::new(&directory).join(kept_name(Self::WRITER, number, moment));
        let copy = write_apart(path, SHARED, || self.state());
        let mut dumps = std::mem::take(self.dumps());
        dumps.keep(copy, Self::WRITTEN, self.reactor());
        *self.dumps() = dumps;
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
