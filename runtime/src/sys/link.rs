//! Asking drivers for the state of a link.

use std::mem;
use std::os::fd::{AsFd, AsRawFd};

use nix::Result;
use nix::errno::Errno;

const SIOCGMIIPHY: libc::c_ulong = 0x8947;
const SIOCGMIIREG: libc::c_ulong = 0x8948;
const SIOCETHTOOL: libc::c_ulong = 0x8946;
const SIOCGIFFLAGS: libc::c_ulong = 0x8913;

/// Registers of a transceiver (IEEE 802.3 clause 22): control and status.
const CONTROL: u16 = 0;
const STATUS: u16 = 1;
/// The bit of the status that says that there is a link.
const LINK: u16 = 1 << 2;
/// What a register that is not there reads as.
const ABSENT: u16 = 0xffff;

/// `ETHTOOL_GLINK`.
const GET_LINK: u32 = 0x0a;

/// `struct ifreq` with `T` in the place of its union, which takes 24 octets.
#[repr(C)]
struct Request<T> {
    name: [libc::c_char; libc::IFNAMSIZ],
    value: T,
    padding: [u64; 3],
}

/// `struct mii_ioctl_data`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Mii {
    phy: u16,
    register: u16,
    input: u16,
    output: u16,
}

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Whether the transceiver of the interface `name` sees a link.
pub fn by_transceiver(socket: impl AsFd, name: &str) -> Result<bool> {
    let mut request = Request::new(name, Mii::default())?;
    call(&socket, SIOCGMIIPHY, &mut request)?;
    let phy = request.value.phy;
    let mut read = |register| {
        request.value = Mii { phy, register, ..Mii::default() };
        call(&socket, SIOCGMIIREG, &mut request)?;
        Ok::<u16, Errno>(request.value.output)
    };
    if read(CONTROL)? == ABSENT || read(STATUS)? == 0 {
        return Err(Errno::ENODEV);
    }
    // The bit stays cleared after a loss until it has been read.
    Ok(read(STATUS)? & LINK != 0)
}

/// Whether the driver of the interface `name` says that there is a link.
pub fn by_driver(socket: impl AsFd, name: &str) -> Result<bool> {
    let mut value = EthtoolValue { command: GET_LINK, data: 0 };
    // The kernel writes its answer through this pointer.
    let mut request = Request::new(name, &raw mut value)?;
    call(&socket, SIOCETHTOOL, &mut request)?;
    Ok(value.data != 0)
}

/// Whether the flags of the interface `name` say that it is up and running.
pub fn by_flags(socket: impl AsFd, name: &str) -> Result<bool> {
    let mut request = Request::new(name, 0 as libc::c_short)?;
    call(&socket, SIOCGIFFLAGS, &mut request)?;
    let wanted = libc::IFF_UP | libc::IFF_RUNNING;
    Ok(libc::c_int::from(request.value) & wanted == wanted)
}

impl<T> Request<T> {
    fn new(name: &str, value: T) -> Result<Self> {
        let mut request = Self { name: [0; libc::IFNAMSIZ], value, padding: [0; 3] };
        if name.len() >= request.name.len() {
            return Err(Errno::ENODEV);
        }
        for (to, from) in request.name.iter_mut().zip(name.bytes()) {
            *to = libc::c_char::from_ne_bytes([from]);
        }
        Ok(request)
    }
}

fn call<T>(socket: impl AsFd, number: libc::c_ulong, request: &mut Request<T>) -> Result<()> {
    const { assert!(mem::size_of::<Request<T>>() >= mem::size_of::<libc::ifreq>()) };
    // SAFETY: the kernel reads and writes at most a `struct ifreq`, which fits into the request, and for ethtool the
    // value behind its pointer, which lives as long as the request.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), number, &raw mut *request) };
    Errno::result(result).map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn loopback_has_flags_and_a_driver_but_no_transceiver() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(by_flags(&socket, "lo"), Ok(true));
        assert_eq!(by_driver(&socket, "lo"), Ok(true));
        assert!(by_transceiver(&socket, "lo").is_err());
        assert_eq!(by_flags(&socket, "no such one"), Err(Errno::ENODEV));
        assert_eq!(by_flags(&socket, "a name that is far too long"), Err(Errno::ENODEV));
    }
}
