//! Starting the TLS library.

/// Has it not read the system's configuration file, which could forbid what servers speak. Only before its first use.
pub fn ignore_configuration() {
    /// `OPENSSL_INIT_NO_LOAD_CONFIG`, which the bindings lack.
    const NO_LOAD_CONFIG: u64 = 0x80;
    // SAFETY: a flag and no settings go in; the library may be initialised from anywhere, and only once does it act.
    unsafe {
        openssl_sys::OPENSSL_init_ssl(NO_LOAD_CONFIG, std::ptr::null());
    }
}
