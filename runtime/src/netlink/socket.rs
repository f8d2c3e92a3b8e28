//! The socket below [`super::Client`] and [`super::Monitor`].

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname,
    recvmsg, sendto, setsockopt, socket, sockopt,
};

use crate::global::NetlinkBuffer;
use crate::sys;

/// What the receive buffer is asked to hold where the configuration does not say.
pub(super) const BUFFER: u32 = 64 * 1024;
/// Longer than any datagram that the kernel makes up.
const DATAGRAM: usize = 64 * 1024;

/// A non-blocking netlink socket. It belongs to the network namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Socket {
    descriptor: OwnedFd,
    datagram: Vec<u8>,
}

/// What one receive call gave.
#[derive(Debug)]
pub(super) enum Received<'a> {
    /// A datagram of the kernel.
    Datagram(&'a [u8]),
    /// Nothing, as nothing is there.
    Nothing,
    /// Something was there, but did not fit.
    Overrun,
}

impl Socket {
    /// Opens an rtnetlink socket that hears the multicast `groups` (a mask of `RTMGRP_*`).
    pub(super) fn open(buffer: NetlinkBuffer, groups: u32) -> Result<Self, Errno> {
        Self::open_for(SockProtocol::NetlinkRoute, buffer, groups)
    }

    /// Opens a socket for a protocol of netlink that hears the multicast `groups`.
    pub(super) fn open_for(
        protocol: SockProtocol,
        buffer: NetlinkBuffer,
        groups: u32,
    ) -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let descriptor = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        set_buffer(&descriptor, buffer)?;
        // These came with Linux 4.2, 4.12 and 4.20; without them answers are only longer, terser and less to the point.
        for option in [libc::NETLINK_CAP_ACK, libc::NETLINK_EXT_ACK, libc::NETLINK_GET_STRICT_CHK] {
            let _ = sys::socket::set_option(descriptor.as_fd(), libc::SOL_NETLINK, option, 1);
        }
        bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self { descriptor, datagram: vec![0; DATAGRAM] })
    }

    /// Lets datagrams be longer than the system allows by itself. It needs privilege.
    pub(super) fn grow_send_buffer(&self, octets: libc::c_int) -> Result<(), Errno> {
        let (level, option) = (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE);
        sys::socket::set_option(self.descriptor.as_fd(), level, option, octets)
    }

    /// Hears a multicast group (`RTNLGRP_*`) from now on, or no longer.
    pub(super) fn hear(&self, group: libc::c_int, wanted: bool) -> Result<(), Errno> {
        let option =
            if wanted { libc::NETLINK_ADD_MEMBERSHIP } else { libc::NETLINK_DROP_MEMBERSHIP };
        sys::socket::set_option(self.descriptor.as_fd(), libc::SOL_NETLINK, option, group)
    }

    /// The number that the kernel knows it by.
    pub(super) fn port(&self) -> Result<u32, Errno> {
        getsockname::<NetlinkAddr>(self.descriptor.as_raw_fd()).map(|address| address.pid())
    }

    /// Sends `datagram` to the kernel, which works it off before this returns.
    pub(super) fn send(&self, datagram: &[u8]) -> Result<(), Errno> {
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.descriptor.as_raw_fd(), datagram, &kernel, MsgFlags::empty())?;
        Ok(())
    }

    /// Sends `datagram` to whoever hears one of `groups`, as anybody can.
    #[cfg(test)]
    pub(super) fn send_to_group(&self, datagram: &[u8], groups: u32) -> Result<(), Errno> {
        let listeners = NetlinkAddr::new(0, groups);
        sendto(self.descriptor.as_raw_fd(), datagram, &listeners, MsgFlags::empty())?;
        Ok(())
    }

    /// Receives without waiting. What does not come from the kernel is dropped: other processes may send here too.
    pub(super) fn receive(&mut self) -> Result<Received<'_>, Errno> {
        let (length, truncated) = loop {
            let mut slices = [IoSliceMut::new(&mut self.datagram)];
            let received = recvmsg::<NetlinkAddr>(
                self.descriptor.as_raw_fd(),
                &mut slices,
                None,
                MsgFlags::empty(),
            );
            match received {
                Ok(message) if message.address.is_some_and(|sender| sender.pid() == 0) => {
                    break (message.bytes, message.flags.contains(MsgFlags::MSG_TRUNC));
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(Received::Nothing),
                Err(Errno::ENOBUFS) => return Ok(Received::Overrun),
                Err(errno) => return Err(errno),
            }
        };
        if truncated {
            return Ok(Received::Overrun);
        }
        Ok(Received::Datagram(self.datagram.get(..length).unwrap_or_default()))
    }

    /// Waits until there is something to receive; false when `deadline` comes first.
    pub(super) fn wait(&self, deadline: Instant) -> Result<bool, Errno> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut descriptors = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
            match poll(&mut descriptors, timeout) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn set_buffer(descriptor: &OwnedFd, buffer: NetlinkBuffer) -> Result<(), Errno> {
    let size = usize::try_from(buffer.size.unwrap_or(BUFFER)).unwrap_or(usize::MAX);
    if buffer.force && setsockopt(descriptor, sockopt::RcvBufForce, &size).is_ok() {
        return Ok(());
    }
    setsockopt(descriptor, sockopt::RcvBuf, &size)
}
