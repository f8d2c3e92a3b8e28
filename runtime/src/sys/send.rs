//! Many datagrams in one system call.

use std::fmt;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::socket::MsgFlags;

use crate::machine::IfIndex;

/// Datagrams that one call takes (`UIO_MAXIOV`).
const MAX: usize = 1024;

/// Room for the control messages of a datagram: addresses and hop limit of IPv6 need the most.
const CONTROL_LEN: usize = 64;

/// Where a datagram goes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// From an IPv4 socket.
    V4 {
        /// The host or group.
        to: Ipv4Addr,
        /// The interface to leave by; `None` asks the routing table.
        interface: Option<IfIndex>,
    },
    /// From an IPv6 socket.
    V6 {
        /// The host or group.
        to: Ipv6Addr,
        /// The source address.
        source: Ipv6Addr,
        /// The interface to leave by; `None` asks the routing table.
        interface: Option<IfIndex>,
        /// Hop limit; `None` is that of the socket.
        hop_limit: Option<u8>,
    },
    /// A whole frame, from a packet socket.
    Frame {
        /// The interface to leave by.
        interface: IfIndex,
        /// Type of what the frame carries (`ETH_P_*`).
        protocol: u16,
    },
}

/// Datagrams that wait to be sent together. All room is used again, so that a batch that has been filled once costs no
/// allocation any more.
#[derive(Default)]
pub struct SendBatch {
    data: Vec<u8>,
    messages: Vec<Prepared>,
    /// Scratch of one call.
    slices: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBatch").field("waiting", &self.messages.len()).finish_non_exhaustive()
    }
}

/// A datagram that was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// Which one, counted from 0 in the order in which they were pushed.
    pub position: usize,
    /// Why not.
    pub errno: Errno,
}

impl SendBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a datagram, whose content `fill` appends to what it is given.
    pub fn push_with(&mut self, destination: Destination, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.data.len();
        fill(&mut self.data);
        self.messages.push(Prepared::new(start..self.data.len(), destination));
    }

    /// Adds a datagram.
    pub fn push(&mut self, destination: Destination, datagram: &[u8]) {
        self.push_with(destination, |data| data.extend_from_slice(datagram));
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Sends all of them through `socket` and empties the batch. One that cannot be sent does not hold up the others.
    pub fn send(&mut self, socket: BorrowedFd<'_>, flags: MsgFlags) -> Vec<Unsent> {
        let mut unsent = Vec::new();
        let mut done = 0;
        while done < self.messages.len() {
            match self.send_some(done, socket, flags) {
                Ok(sent) => done += sent.max(1),
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    unsent.push(Unsent { position: done, errno });
                    done += 1;
                }
            }
        }
        self.data.clear();
        self.messages.clear();
        unsent
    }

    /// One call: how many datagrams from `first` on were sent, or why that one was not.
    fn send_some(
        &mut self,
        first: usize,
        socket: BorrowedFd<'_>,
        flags: MsgFlags,
    ) -> nix::Result<usize> {
        let Self { data, messages, slices, headers } = self;
        let messages = messages.get_mut(first..).unwrap_or_default();
        slices.clear();
        slices.extend(messages.iter().take(MAX).map(|message| {
            let datagram = data.get(message.range.clone()).unwrap_or_default();
            libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() }
        }));
        headers.clear();
        headers.extend(messages.iter_mut().zip(slices).map(|(message, slice)| {
            // SAFETY: zeros are valid in every field, some of which have no name in every libc.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = (&raw mut message.name).cast();
            header.msg_hdr.msg_namelen = message.name_len;
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
            if message.control_len > 0 {
                header.msg_hdr.msg_control = message.control.0.as_mut_ptr().cast();
                header.msg_hdr.msg_controllen = message.control_len as _;
            }
            header
        }));
        let count = libc::c_uint::try_from(headers.len()).map_err(|_| Errno::EMSGSIZE)?;
        // SAFETY: `count` headers are there; each points to a name, a slice and control messages of the lengths that it
        // gives, all made just above and alive through the call, which writes to nothing but the headers' `msg_len`.
        let sent = unsafe {
            libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, flags.bits() as _)
        };
        Errno::result(sent).map(|sent| usize::try_from(sent).unwrap_or(0))
    }
}

/// What the kernel reads for one datagram, but for the datagram itself.
struct Prepared {
    range: Range<usize>,
    name: Name,
    name_len: libc::socklen_t,
    control: Control,
    control_len: usize,
}

#[repr(C)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
    link: libc::sockaddr_ll,
}

/// Control messages, aligned as their headers ask for.
#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

impl Prepared {
    fn new(range: Range<usize>, destination: Destination) -> Self {
        let mut prepared = Self {
            range,
            // SAFETY: zeros are valid in every field of every variant.
            name: unsafe { mem::zeroed() },
            name_len: 0,
            control: Control([0; CONTROL_LEN]),
            control_len: 0,
        };
        match destination {
            Destination::V4 { to, interface } => prepared.set_v4(to, interface),
            Destination::V6 { to, source, interface, hop_limit } => {
                prepared.set_v6(to, source, interface, hop_limit);
            }
            Destination::Frame { interface, protocol } => prepared.set_frame(interface, protocol),
        }
        prepared
    }

    fn set_v4(&mut self, to: Ipv4Addr, interface: Option<IfIndex>) {
        self.name.v4 = libc::sockaddr_in {
            sin_family: family(libc::AF_INET),
            sin_port: 0,
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.octets()) },
            sin_zero: [0; 8],
        };
        self.name_len = name_len::<libc::sockaddr_in>();
        if let Some(interface) = interface {
            let info = libc::in_pktinfo {
                ipi_ifindex: signed(interface),
                ipi_spec_dst: libc::in_addr { s_addr: 0 },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            self.control(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
        }
    }

    fn set_v6(
        &mut self,
        to: Ipv6Addr,
        source: Ipv6Addr,
        interface: Option<IfIndex>,
        hop_limit: Option<u8>,
    ) {
        let index = interface.unwrap_or(IfIndex(0));
        self.name.v6 = libc::sockaddr_in6 {
            sin6_family: family(libc::AF_INET6),
            sin6_port: 0,
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr { s6_addr: to.octets() },
            sin6_scope_id: index.0,
        };
        self.name_len = name_len::<libc::sockaddr_in6>();
        let info = libc::in6_pktinfo {
            ipi6_addr: libc::in6_addr { s6_addr: source.octets() },
            ipi6_ifindex: index.0,
        };
        self.control(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
        if let Some(limit) = hop_limit {
            self.control(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, libc::c_int::from(limit));
        }
    }

    fn set_frame(&mut self, interface: IfIndex, protocol: u16) {
        self.name.link = libc::sockaddr_ll {
            sll_family: family(libc::AF_PACKET),
            sll_protocol: protocol.to_be(),
            sll_ifindex: signed(interface),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        self.name_len = name_len::<libc::sockaddr_ll>();
    }

    /// Appends a control message; two fit.
    fn control<T>(&mut self, level: libc::c_int, kind: libc::c_int, value: T) {
        let size = u32::try_from(mem::size_of::<T>()).expect("a few words");
        // SAFETY: these only compute.
        let (length, space) = unsafe { (libc::CMSG_LEN(size), libc::CMSG_SPACE(size)) };
        let space = usize::try_from(space).expect("a few words");
        let room = self.control.0.get_mut(self.control_len..self.control_len + space);
        let room = room.expect("CONTROL_LEN is that of the largest pair");
        let header = room.as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: `room` is writable, holds a header and a `T` as CMSG_SPACE says, and is aligned for a header, since
        // the buffer is and every space before it is a multiple of that alignment. The data behind the header may not
        // be aligned for `T`.
        unsafe {
            (*header).cmsg_len = length as _;
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        self.control_len += space;
    }
}

fn name_len<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(mem::size_of::<T>()).expect("an address has a few words")
}

fn family(family: libc::c_int) -> libc::sa_family_t {
    libc::sa_family_t::try_from(family).expect("families are small")
}

/// The index as the kernel's structures have it. What does not fit is no interface, and neither is -1.
fn signed(interface: IfIndex) -> libc::c_int {
    libc::c_int::try_from(interface.0).unwrap_or(-1)
}
