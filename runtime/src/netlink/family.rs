//! Address families, as messages carry them.

/// `AF_INET`
pub(super) const INET: u8 = octet(libc::AF_INET);
/// `AF_INET6`
pub(super) const INET6: u8 = octet(libc::AF_INET6);

/// The number of one of both.
pub(super) fn number(ipv6: bool) -> u8 {
    if ipv6 { INET6 } else { INET }
}

/// Whether `family` is that of IPv6; nothing where it is neither.
pub(super) fn is_ipv6(family: u8) -> Option<bool> {
    match family {
        INET => Some(false),
        INET6 => Some(true),
        _ => None,
    }
}

const fn octet(family: libc::c_int) -> u8 {
    let [octet, 0, 0, 0] = family.to_le_bytes() else { panic!("it takes more than an octet") };
    octet
}
