//! The environment of this process.

/// Removes a variable. Call it only while the process has a single thread.
pub fn remove(name: &str) {
    // SAFETY: the daemon's processes have one thread each, so nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) };
}
