//! Processes: forking, watching, scheduling.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

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

/// Gives the calling process the real-time class SCHED_RR at `priority` (1 to 99); its children start as normal ones.
pub fn set_real_time(priority: i32) -> io::Result<()> {
    schedule(libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, priority)
}

/// Takes the calling process out of any real-time class.
pub fn set_time_sharing() -> io::Result<()> {
    schedule(libc::SCHED_OTHER, 0)
}

fn schedule(policy: libc::c_int, priority: i32) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sched_param`: integers only.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: the pointer is valid for the call, which only reads it.
    if unsafe { libc::sched_setscheduler(0, policy, &parameters) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sets the nice value of the calling process, -20 to 19.
pub fn set_nice(value: i32) -> io::Result<()> {
    // SAFETY: integers only.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Locks what the process uses, and will use, into memory. Pages are locked when they are first touched, so libraries
/// that are never used cost nothing.
pub fn lock_memory() -> io::Result<()> {
    let flags = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    // SAFETY: an integer goes in; memory is only pinned.
    if unsafe { libc::mlockall(flags) } < 0 {
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
