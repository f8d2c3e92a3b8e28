//! Asking a daemon for its dumps.

use std::fs;
use std::path::PathBuf;

use crate::{Daemon, await_file, run};

/// What a daemon can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// The state of VRRP.
    State,
    /// The state of the parent, which is its settings.
    Parent,
    /// The state of BFD.
    Bfd,
    /// The state of virtual servers and their checks.
    Checker,
    /// Counters.
    Statistics,
    /// JSON.
    Json,
}

impl Dump {
    /// The name of the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "keepalived.data",
            Self::Parent => "keepalived_parent.data",
            Self::Bfd => "keepalived_bfd.data",
            Self::Checker => "keepalived_check.data",
            Self::Statistics => "keepalived.stats",
            Self::Json => "keepalived.json",
        }
    }

    /// The name of the signal, as `--signum` knows it.
    pub fn signal(self) -> &'static str {
        match self {
            Self::State | Self::Parent | Self::Bfd | Self::Checker => "DATA",
            Self::Statistics => "STATS",
            Self::Json => "JSON",
        }
    }

    /// The number of the signal. Readers have that of JSON built in: SIGRTMIN+2 as glibc counts.
    pub fn number(self) -> i32 {
        match self {
            Self::State | Self::Parent | Self::Bfd | Self::Checker => 10,
            Self::Statistics => 12,
            Self::Json => 36,
        }
    }
}

impl Daemon {
    /// Where a dump goes.
    pub fn dump_path(&self, dump: Dump) -> PathBuf {
        self.directory().join(dump.name())
    }

    /// Asks the parent for a dump, without waiting for it.
    pub fn ask(&self, dump: Dump) {
        run("kill", &[&format!("-{}", dump.number()), &self.process().pid().to_string()]);
    }

    /// A fresh dump.
    ///
    /// # Panics
    ///
    /// If there is none in [`PATIENCE`](crate::PATIENCE).
    #[track_caller]
    pub fn dump(&self, dump: Dump) -> String {
        let path = self.dump_path(dump);
        // An old one may be there.
        let _ = fs::remove_file(&path);
        self.ask(dump);
        await_file(&path, |text| text.ends_with('\n').then(|| text.to_owned()))
    }
}
