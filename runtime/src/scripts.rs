//! Running scripts: the one place where the daemon starts foreign programs.
//!
//! A script runs as its configured user, in a process group of its own, with default signals, the daemon's standard
//! input and output closed off, and it is told to stop when the daemon's process ends.

mod notifiers;
mod patience;
mod security;

use std::ffi::{CString, OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use log::error;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::unistd::{
    Gid, Pid, Uid, dup2_stderr, dup2_stdin, dup2_stdout, execve, getpid, getppid, setgid,
    setgroups, setpgid, setuid,
};

use crate::global::{Account, Script};
use crate::process::{self, Ending, Side, fork, pidfd_open, reap_one, wait_for};
use crate::sys::{self, process::exit_now};

pub use notifiers::NotifierId;
pub(crate) use notifiers::Notifiers;
pub use patience::{Patience, Step};
pub use security::ScriptChecker;

/// Exit status of a script that could not be started, as shells have it.
const NOT_STARTED: i32 = 127;
/// Exit status of the test whether a file can be opened, when it cannot.
const NOT_OPENED: i32 = 2;
/// Variables that could change what a script's interpreter does.
const UNWANTED: [&str; 3] = ["IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"];

/// A script that was started. Its descriptor turns readable when it ends; keep this until then and ask for the
/// [ending](Running::ending), or the system keeps an entry for it.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    descriptor: OwnedFd,
}

impl Running {
    /// Its process number, which is its group's as well.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended; `None` while it runs. A process whose children are waited for elsewhere, by
    /// [`process::reap`], hears of it there and not here.
    pub fn ending(&self) -> io::Result<Option<Ending>> {
        reap_one(self.pid)
    }

    /// Sends a signal to the script and whatever it started in its group.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(killpg(self.pid, signal)?)
    }
}

impl AsFd for Running {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Starts `script` with `arguments` behind its own, and does not wait for it: not even for the file to be opened, which
/// could take as long as a file server likes. So it is a plain fork, after which all happens in the new process; the
/// daemon's processes have one thread and little memory, which makes that safe and quick. What `vfork` and `posix_spawn`
/// would save, they would lose by holding up the daemon until the program is loaded.
pub fn start<A: AsRef<OsStr>>(script: &Script, arguments: &[A]) -> io::Result<Running> {
    let daemon = getpid();
    match fork()? {
        Side::Child => exit_now(become_script(script, arguments, daemon)),
        Side::Parent(pid) => match pidfd_open(pid) {
            Ok(descriptor) => {
                // Here as well as there, so that the group exists for whoever signals it first.
                let _ = setpgid(pid, pid);
                Ok(Running { pid, descriptor })
            }
            Err(error) => {
                // Nobody could watch it. It has hardly begun.
                let _ = kill(pid, Signal::SIGKILL);
                wait_for(pid)?;
                Err(error)
            }
        },
    }
}

/// The file whose opening is all that a "script" of the form `</path` tests.
pub(crate) fn file_to_open(script: &Script) -> Option<&OsStr> {
    let rest = script.argv.first()?.as_bytes().strip_prefix(b"<")?;
    let path = rest.trim_ascii_start();
    path.starts_with(b"/").then(|| OsStr::from_bytes(path))
}

/// In the new process: gives up what belongs to the daemon and runs the program. It returns only an exit status.
fn become_script<A: AsRef<OsStr>>(script: &Script, arguments: &[A], daemon: Pid) -> i32 {
    let name = script.argv.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    if let Err(error) = leave_daemon(&script.account, daemon) {
        error!("Couldn't set up the process of script {name}: {error}");
        return NOT_STARTED;
    }
    if let Some(path) = file_to_open(script) {
        return if File::open(path).is_ok() { 0 } else { NOT_OPENED };
    }
    let words =
        script.argv.iter().map(OsString::as_os_str).chain(arguments.iter().map(AsRef::as_ref));
    let Ok(argv) = words.map(|word| CString::new(word.as_bytes())).collect::<Result<Vec<_>, _>>()
    else {
        return NOT_STARTED;
    };
    let Ok(program) = CString::new(script.program.as_bytes()) else { return NOT_STARTED };
    let environment = environment();
    let Err(mut refusal) = execve(&program, &argv, &environment);
    if refusal == Errno::ENOEXEC {
        // No `#!` line: as shells do, it is taken for a shell script.
        let shell: Vec<CString> =
            [c"sh".into(), program].into_iter().chain(argv.into_iter().skip(1)).collect();
        Err(refusal) = execve(c"/bin/sh", &shell, &environment);
    }
    error!("Error exec-ing command '{name}', error {}: {}", refusal as i32, refusal.desc());
    NOT_STARTED
}

fn leave_daemon(account: &Account, daemon: Pid) -> io::Result<()> {
    process::restore();
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    sys::descriptor::close_on_exec_from(3)?;
    let groups: Vec<Gid> = account.groups.iter().copied().map(Gid::from_raw).collect();
    if Uid::effective().is_root() {
        setgroups(&groups)?;
    }
    setgid(Gid::from_raw(account.gid))?;
    setuid(Uid::from_raw(account.uid))?;
    // A change of user takes the parent-death signal away.
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    if getppid() != daemon {
        return Err(io::Error::other("the daemon is gone"));
    }
    sys::signal::reset_dispositions();
    Ok(SigSet::empty().thread_set_mask()?)
}

fn environment() -> Vec<CString> {
    let wanted =
        std::env::vars_os().filter(|(name, _)| !UNWANTED.iter().any(|unwanted| name == unwanted));
    wanted
        .filter_map(|(name, value)| {
            CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests;
