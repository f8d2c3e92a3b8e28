//! Names of machines.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ptr;

/// The canonical name that the resolver has for `node`. It may ask a name server, and wait for it.
pub(crate) fn canonical_name(node: &CStr) -> Option<String> {
    // SAFETY: all-zero bytes are valid hints: integers and null pointers.
    let mut hints: libc::addrinfo = unsafe { MaybeUninit::zeroed().assume_init() };
    hints.ai_flags = libc::AI_CANONNAME;
    let mut found = ptr::null_mut();
    // SAFETY: all pointers are valid for the call; a list comes out where it returns 0.
    if unsafe { libc::getaddrinfo(node.as_ptr(), ptr::null(), &hints, &mut found) } != 0 {
        return None;
    }
    // SAFETY: the list is ours until it is freed below; only its first entry has the name, which ends in a zero octet or
    // is null.
    let name = unsafe {
        let name = found.as_ref().map(|first| first.ai_canonname).filter(|name| !name.is_null());
        name.map(|name| CString::from(CStr::from_ptr(name)))
    };
    if !found.is_null() {
        // SAFETY: it came from getaddrinfo, and nothing refers to it any more.
        unsafe { libc::freeaddrinfo(found) };
    }
    Some(name?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_its_own_name() {
        assert_eq!(canonical_name(c"127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(canonical_name(c"no.such.name.invalid"), None);
    }
}
