//! The children: which there are, what each is called where, and what a new one does before its engine takes over.

use std::panic::{AssertUnwindSafe, catch_unwind};

use log::{debug, info};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::unistd::{chdir, getpid};
use runtime::child::Setup;
use runtime::global::Global;
use runtime::logging;

use crate::command_line::{Children, Options, PidFileNames};
use crate::config::Needs;
use crate::log_target;
use crate::pid_file::PidFile;

/// A kind of child. There is at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Health checks and IPVS.
    Checker,
    /// VRRP.
    Vrrp,
    /// BFD.
    Bfd,
}

impl Kind {
    /// All kinds, in the order in which they start.
    pub(crate) const ALL: [Self; 3] = [Self::Checker, Self::Vrrp, Self::Bfd];

    /// What the log calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Checker => "Healthcheck",
            Self::Vrrp => "VRRP",
            Self::Bfd => "BFD",
        }
    }

    /// What the log calls it when it does not stop.
    pub(crate) fn short_name(self) -> &'static str {
        match self {
            Self::Checker => "checker",
            Self::Vrrp => "vrrp",
            Self::Bfd => "bfd",
        }
    }

    /// Its name in the log of the system.
    pub(crate) fn ident(self) -> &'static str {
        match self {
            Self::Checker => "Keepalived_healthcheckers",
            Self::Vrrp => "Keepalived_vrrp",
            Self::Bfd => "Keepalived_bfd",
        }
    }

    /// What the names of its log and dump files have added.
    fn file_suffix(self) -> &'static str {
        match self {
            Self::Checker => "check",
            Self::Vrrp => "vrrp",
            Self::Bfd => "bfd",
        }
    }

    /// The name of its pid file, without extension.
    pub(crate) fn pid_stem(self) -> &'static str {
        match self {
            Self::Checker => "checkers",
            Self::Vrrp => "vrrp",
            Self::Bfd => "bfd",
        }
    }

    /// Its pid file, where the command line names one.
    pub(crate) fn pid_option(self, names: &PidFileNames) -> Option<&std::path::PathBuf> {
        match self {
            Self::Checker => names.checker.as_ref(),
            Self::Vrrp => names.vrrp.as_ref(),
            Self::Bfd => names.bfd.as_ref(),
        }
    }

    /// Whether the command line allows it.
    pub(crate) fn is_allowed(self, children: Children) -> bool {
        match self {
            Self::Checker => children.checker,
            Self::Vrrp => children.vrrp,
            Self::Bfd => children.bfd,
        }
    }

    /// Whether the configuration asks for it.
    pub(crate) fn is_needed(self, needs: Needs) -> bool {
        match self {
            Self::Checker => needs.checker,
            Self::Vrrp => needs.vrrp,
            Self::Bfd => needs.bfd,
        }
    }

    /// Whether it puts anything into the kernel that outlives it.
    pub(crate) fn changes_kernel(self) -> bool {
        match self {
            Self::Checker | Self::Vrrp => true,
            Self::Bfd => false,
        }
    }

    /// What does its work.
    fn engine(self) -> fn(Setup) -> i32 {
        match self {
            Self::Checker => check::engine::run,
            Self::Vrrp => vrrp::engine::run,
            Self::Bfd => bfd::engine::run,
        }
    }

    /// Exit status when it cannot write its number. The original gives up over that of the checker only.
    fn without_pid_file(self) -> i32 {
        match self {
            Self::Checker => 1,
            Self::Vrrp | Self::Bfd => 0,
        }
    }
}

/// A child that has just been forked, with all that it keeps of its parent.
#[derive(Debug)]
pub(crate) struct Born {
    /// What it is.
    pub(crate) kind: Kind,
    /// What its engine starts with.
    pub(crate) setup: Setup,
    /// Its pid file, where it could be had.
    pub(crate) pid_file: Option<PidFile>,
    /// How it logs.
    pub(crate) log: logging::Settings,
}

/// Exit status of an engine that a bug has stopped.
const BUG: i32 = 70;

impl Born {
    /// Lives the life of the child; returns its exit status. Whatever belonged to the parent must be gone by now.
    pub(crate) fn live(mut self) -> i32 {
        logging::direct(&self.log);
        if let Some(Err(_)) = self.pid_file.as_mut().map(|file| file.write(getpid())) {
            info!("{} child process: cannot write pidfile", self.kind.title());
            return self.kind.without_pid_file();
        }
        if self.kind == Kind::Bfd {
            // It has nothing to do with files, and keeps no directory busy.
            let _ = chdir("/");
        }
        let engine = self.kind.engine();
        let setup = self.setup;
        let status = catch_unwind(AssertUnwindSafe(|| engine(setup))).unwrap_or(BUG);
        if let Some(file) = &self.pid_file {
            file.remove();
        }
        report_end();
        status
    }
}

/// The last line of a child's log.
fn report_end() {
    let times = |who| getrusage(who).map(|usage| [usage.user_time(), usage.system_time()]);
    match (times(UsageWho::RUSAGE_SELF), times(UsageWho::RUSAGE_CHILDREN)) {
        (Ok(own), Ok(children)) if log::log_enabled!(log::Level::Debug) => {
            debug!("{}", used(own, children));
        }
        _ => info!("Stopped"),
    }
}

/// User and system time of a child, and of its scripts where they have used any.
fn used(own: [TimeVal; 2], children: [TimeVal; 2]) -> String {
    let seconds = |time: TimeVal| format!("{}.{:06}", time.tv_sec(), time.tv_usec());
    let ([user, system], [their_user, their_system]) = (own.map(seconds), children.map(seconds));
    if children[0] == TimeVal::new(0, 0) {
        return format!("Stopped - used {user} user time, {system} system time");
    }
    format!(
        "Stopped - used (self/children) {user}/{their_user} user time, {system}/{their_system} system time"
    )
}

/// How a child logs.
pub(crate) fn log_settings(kind: Kind, options: &Options, global: &Global) -> logging::Settings {
    log_target::settings(kind.ident(), Some(kind.file_suffix()), options, &global.processes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the original says it.
    #[test]
    fn the_time_of_scripts_is_told_where_there_is_any() {
        let [none, some] = [TimeVal::new(0, 0), TimeVal::new(1, 2178)];
        assert_eq!(
            used([some, none], [none, some]),
            "Stopped - used 1.002178 user time, 0.000000 system time"
        );
        assert_eq!(
            used([none, some], [some, none]),
            "Stopped - used (self/children) 0.000000/1.002178 user time, 1.002178/0.000000 system time"
        );
    }
}
