//! Signals by number: real-time signals have no name in safe crates.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;

use nix::sys::signal::{SigSet, Signal};

/// The set of these signals. Numbers that the system does not know are left out.
pub(crate) fn signal_set(numbers: &[i32]) -> SigSet {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `sigemptyset` initialises the set, `sigaddset` changes an initialised one or refuses the number.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &number in numbers {
            libc::sigaddset(set.as_mut_ptr(), number);
        }
        SigSet::from_sigset_t_unchecked(set.assume_init())
    }
}

/// How a process takes a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// As the system has it.
    Default,
    /// Not at all.
    Ignore,
}

/// Sets how this process takes signal `number`.
pub fn set_disposition(number: i32, disposition: Disposition) -> io::Result<()> {
    let handler = match disposition {
        Disposition::Default => libc::SIG_DFL,
        Disposition::Ignore => libc::SIG_IGN,
    };
    // SAFETY: no code is installed as a handler, only one of the two constants.
    if unsafe { libc::signal(number, handler) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Lets this process take every signal as the system has it.
pub(crate) fn reset_dispositions() {
    let (_, last) = real_time_range();
    for number in 1..=last {
        // KILL, STOP and the C library's own refuse, and are as they should be.
        let _ = set_disposition(number, Disposition::Default);
    }
}

/// The first and last real-time signal of the C library.
pub fn real_time_range() -> (i32, i32) {
    (libc::SIGRTMIN(), libc::SIGRTMAX())
}

/// What the C library calls a signal, such as `Terminated`.
pub fn describe(signal: Signal) -> String {
    // SAFETY: the C library gives null, or a text that stays until the next call, and is copied before.
    unsafe {
        let text = libc::strsignal(signal as i32);
        if text.is_null() {
            return signal.as_str().to_owned();
        }
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// Sends signal `number` to a process.
pub fn send(pid: nix::unistd::Pid, number: i32) -> io::Result<()> {
    // SAFETY: two integers go in; no memory is shared with the kernel.
    if unsafe { libc::kill(pid.as_raw(), number) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
