//! Random numbers from the kernel.

use std::io;

/// A random number that nobody can foresee.
pub fn random() -> io::Result<u32> {
    let mut bytes = [0; 4];
    // SAFETY: the kernel writes at most as many bytes as the buffer has.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got != 4 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::from_ne_bytes(bytes))
}
