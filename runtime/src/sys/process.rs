//! Processes: forking, watching, scheduling.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::unistd::{ForkResult, Pid};

/// Which side of a fork we are.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// The new process.
    Child,
    /// The old one, and the number of the new one.
    Parent(Pid),
}

/// Makes a copy of this process. Call it only while the process has a single thread.
pub fn fork() -> io::Result<Side> {
    // SAFETY: the daemon's processes have one thread each, so no lock can be held by a thread that is not copied.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => Ok(Side::Child),
        ForkResult::Parent { child } => Ok(Side::Parent(child)),
    }
}

/// Ends this process at once, without whatever its libraries would do at an orderly end: in a fork that would be done
/// twice.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: an integer goes in, and nothing comes back.
    unsafe { libc::_exit(status) }
}

/// The next child that has ended, or only `pid`, with its status as `WIFEXITED` and its kin read it; `None` when there is
/// none now. Unlike nix's it also tells of those that a real-time signal has ended.
pub fn wait(pid: Option<Pid>) -> nix::Result<Option<(Pid, i32)>> {
    let (found, status) = waitpid(pid.map_or(-1, Pid::as_raw), libc::WNOHANG)?;
    Ok((found != 0).then(|| (Pid::from_raw(found), status)))
}

/// Waits until `pid`, a child of this process, has ended: its status.
pub fn wait_for(pid: Pid) -> nix::Result<i32> {
    waitpid(pid.as_raw(), 0).map(|(_, status)| status)
}

fn waitpid(wanted: libc::pid_t, options: libc::c_int) -> nix::Result<(libc::pid_t, i32)> {
    let mut status = 0;
    // SAFETY: `status` is writable and lives through the call.
    let found = Errno::result(unsafe { libc::waitpid(wanted, &mut status, options) })?;
    Ok((found, status))
}

/// A descriptor that turns readable when `pid` ends (Linux 5.3).
pub fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: two integers go in, a descriptor or -1 comes out; no memory is shared with the kernel.
    let ret = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    let raw = RawFd::try_from(ret).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made the descriptor for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// How the scheduler treats a process: class with its flags, and priority within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheduling {
    policy: libc::c_int,
    priority: libc::c_int,
}

impl Scheduling {
    /// The real-time class SCHED_RR at `priority` (1 to 99). Processes forked from it start as normal ones.
    pub fn real_time(priority: u8) -> Self {
        let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
        Self { policy, priority: libc::c_int::from(priority) }
    }

    /// That of the calling process.
    pub fn current() -> io::Result<Self> {
        // SAFETY: an integer goes in, an integer comes out.
        let policy = unsafe { libc::sched_getscheduler(0) };
        // SAFETY: all-zero bytes are a valid `sched_param`: integers only.
        let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is valid for the call, which writes integers.
        if policy < 0 || unsafe { libc::sched_getparam(0, &mut parameters) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { policy, priority: parameters.sched_priority })
    }

    /// Has the calling process treated so.
    pub fn set(self) -> io::Result<()> {
        // SAFETY: all-zero bytes are a valid `sched_param`: integers only.
        let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
        parameters.sched_priority = self.priority;
        // SAFETY: the pointer is valid for the call, which only reads it.
        if unsafe { libc::sched_setscheduler(0, self.policy, &parameters) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

/// Sets the nice value of the calling process, -20 to 19.
pub(crate) fn set_nice(value: i32) -> io::Result<()> {
    // SAFETY: integers only.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The nice value of the calling process.
pub(crate) fn nice() -> io::Result<i32> {
    // -1 is a nice value as well as the sign of a failure.
    Errno::clear();
    // SAFETY: integers only.
    let value = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    match Errno::last_raw() {
        0 => Ok(value),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Locks what the process uses, and will use, into memory. Pages are locked when they are first touched, so libraries
/// that are never used cost nothing.
pub(crate) fn lock_memory() -> io::Result<()> {
    let flags = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    // SAFETY: an integer goes in; memory is only pinned.
    if unsafe { libc::mlockall(flags) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Undoes [`lock_memory`].
pub(crate) fn unlock_memory() -> io::Result<()> {
    // SAFETY: memory is only unpinned.
    if unsafe { libc::munlockall() } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Gives memory that the allocator keeps for later back to the system.
pub fn trim_memory() {
    // SAFETY: the allocator only releases pages that nothing uses.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
