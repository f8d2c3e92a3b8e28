//! File descriptors: handing them over, sealing memory, locking files.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// Marks all descriptors from `first` on as closed by `exec` (Linux 5.11).
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 1 << 2;
    // SAFETY: three integers go in; descriptors are only marked, none is closed under its owner.
    let ret = unsafe {
        libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC)
    };
    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Closes all descriptors from `first` on. Only for a copy of a process that uses none of them any more and leaves by
/// [`exit_now`](super::process::exit_now), so that nothing closes them again.
pub(crate) fn close_from(first: u32) {
    // SAFETY: three integers go in. The caller promises that nobody uses what is closed.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
}

/// Sends `bytes` as one packet, with a descriptor beside it.
pub fn send_packet(
    socket: impl AsFd,
    bytes: &[u8],
    descriptor: Option<&OwnedFd>,
) -> io::Result<()> {
    let descriptors: Vec<RawFd> =
        descriptor.iter().map(|descriptor| descriptor.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let control: &[ControlMessage<'_>] = if descriptors.is_empty() { &[] } else { &rights };
    sendmsg::<()>(
        socket.as_fd().as_raw_fd(),
        &[IoSlice::new(bytes)],
        control,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )?;
    Ok(())
}

/// Receives one packet and the descriptor beside it. An empty packet is the end: the other side is gone.
pub fn receive_packet(socket: impl AsFd, limit: usize) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![0; limit];
    let mut space = nix::cmsg_space!([RawFd; 4]);
    let mut slices = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_fd().as_raw_fd(), &mut slices, Some(&mut space), flags)?;
    let mut received = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = control {
            // SAFETY: the kernel has just made these descriptors for us, and nobody else knows them.
            received
                .extend(descriptors.into_iter().map(|raw| unsafe { OwnedFd::from_raw_fd(raw) }));
        }
    }
    let length = message.bytes;
    bytes.truncate(length);
    Ok((bytes, received.into_iter().next()))
}

/// Takes an exclusive open-file-description lock on the whole file; `false` when somebody else holds it.
pub fn lock_file(file: impl AsFd) -> io::Result<bool> {
    // SAFETY: all-zero bytes are a valid `flock`: integers only.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::c_short::try_from(libc::F_WRLCK).unwrap_or_default();
    lock.l_whence = libc::c_short::try_from(libc::SEEK_SET).unwrap_or_default();
    // SAFETY: the pointer is valid for the call, which only reads it.
    let ret = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_SETLK, &lock) };
    if ret == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}
