//! What the parent tells about itself when it is asked by a signal: the settings of the daemon.

use log::info;
use nix::unistd::getpid;
use runtime::dump::{self, Writer};
use runtime::global::{Author, ReloadFile};
use runtime::report::Report;

use super::Supervisor;
use crate::reload_file;

/// Everybody may read it whom the file creation mask allows it.
const SHARED: u32 = 0o666;

impl Supervisor {
    /// Writes the settings. Nothing that is urgent waits for the parent.
    pub(super) fn report_state(&self) {
        info!("Printing parent data for process({}) on signal", getpid());
        let path = dump::state_path(&self.global, Writer::Parent);
        if let Err(error) = dump::write(&path, SHARED, self.state().as_bytes()) {
            info!("Can't open dump file {} ({error})", path.display());
        }
    }

    fn state(&self) -> String {
        let reload = self.monitor.as_ref().and_then(|(monitor, _)| monitor.schedule());
        let mut out = Report::of_state();
        let mut global = self.global.clone();
        // Only the parent knows where the file is that has no name of its own.
        let path = reload_file::path(&global.files, &self.pid_path);
        global.files.reload_file =
            path.map(|path| ReloadFile::Path(path.to_string_lossy().into_owned()));
        global.report(&Author { reload, ..Author::new(Writer::Parent) }, &mut out);
        out.into_text()
    }
}
