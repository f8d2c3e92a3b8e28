//! Many datagrams from one system call.

use std::fmt;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use nix::errno::Errno;

use crate::machine::IfIndex;

/// Room for the control messages of a datagram: addresses and hop limit of IPv6.
const CONTROL_LEN: usize = 128;

/// Room for datagrams, used again and again: receiving allocates nothing.
pub struct RecvBatch {
    data: Vec<u8>,
    size: usize,
    received: Vec<Header>,
    capacity: usize,
    places: Vec<Place>,
    /// Scratch of one call.
    headers: Vec<libc::mmsghdr>,
}

impl fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { capacity, size, received, .. } = self;
        write!(f, "RecvBatch({} of {capacity} datagrams of {size} octets)", received.len())
    }
}

/// What is known about a datagram besides its content.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    length: usize,
    truncated: bool,
    source: Option<IpAddr>,
    source_port: u16,
    destination: Option<IpAddr>,
    interface: Option<IfIndex>,
    hop_limit: Option<u8>,
}

/// A received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Its content, as far as there was room.
    pub data: &'a [u8],
    /// Whether there was more.
    pub truncated: bool,
    /// Who sent it.
    pub source: Option<IpAddr>,
    /// The port that it was sent from; 0 where the protocol has none.
    pub source_port: u16,
    /// Whom it was sent to, where the socket was asked to say so.
    pub destination: Option<IpAddr>,
    /// The interface that it arrived on, where the socket was asked to say so.
    pub interface: Option<IfIndex>,
    /// Time to live or hop limit, where the socket was asked to say so.
    pub hop_limit: Option<u8>,
}

impl RecvBatch {
    /// Room for `capacity` datagrams of up to `size` octets.
    pub fn new(capacity: usize, size: usize) -> Self {
        Self {
            data: vec![0; capacity * size],
            size,
            received: Vec::with_capacity(capacity),
            capacity,
            places: (0..capacity).map(|_| Place::new()).collect(),
            headers: Vec::with_capacity(capacity),
        }
    }

    /// The longest datagram that there is room for.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Makes room for datagrams of `size` octets; never less than before.
    pub fn grow(&mut self, size: usize) {
        if size > self.size {
            *self = Self::new(self.capacity, size);
        }
    }

    /// Receives what is there, without waiting: how many datagrams. Those of the call before are forgotten.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> nix::Result<usize> {
        self.received.clear();
        loop {
            match self.receive_once(socket) {
                Ok(()) => return Ok(self.received.len()),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(0),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// What the last call received.
    pub fn datagrams(&self) -> impl Iterator<Item = Received<'_>> {
        self.data.chunks(self.size.max(1)).zip(&self.received).map(|(data, header)| Received {
            data: data.get(..header.length).unwrap_or(data),
            truncated: header.truncated,
            source: header.source,
            source_port: header.source_port,
            destination: header.destination,
            interface: header.interface,
            hop_limit: header.hop_limit,
        })
    }

    fn receive_once(&mut self, socket: BorrowedFd<'_>) -> nix::Result<()> {
        let Self { data, size, received: found, places, headers, .. } = self;
        headers.clear();
        let rooms = data.chunks_mut((*size).max(1));
        headers.extend(places.iter_mut().zip(rooms).map(|(place, room)| place.header(room)));
        let count = libc::c_uint::try_from(headers.len()).map_err(|_| Errno::EMSGSIZE)?;
        let flags = libc::MSG_DONTWAIT;
        // SAFETY: `count` headers are there; each points to a name, a slice and a control buffer of the lengths that
        // it gives, all of which are writable and live through the call. There is no time-out.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count,
                flags as _,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(Errno::result(received)?).unwrap_or(0);
        found.extend(headers.iter().zip(places).take(received).map(|(header, place)| {
            let (source, source_port) = place.source().unzip();
            let mut found = Header {
                length: usize::try_from(header.msg_len).unwrap_or(usize::MAX),
                truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                source,
                source_port: source_port.unwrap_or(0),
                ..Header::default()
            };
            read_control(&header.msg_hdr, &mut found);
            found
        }));
        Ok(())
    }
}

/// Where one datagram is put.
struct Place {
    slice: libc::iovec,
    name: Name,
    control: Control,
}

#[repr(C)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

#[repr(C, align(8))]
struct Control([u8; CONTROL_LEN]);

impl Place {
    fn new() -> Self {
        Self {
            slice: libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 },
            // SAFETY: zeros are valid in every field of both variants.
            name: unsafe { mem::zeroed() },
            control: Control([0; CONTROL_LEN]),
        }
    }

    /// What the kernel is told of this place, to put the datagram itself into `room`.
    fn header(&mut self, room: &mut [u8]) -> libc::mmsghdr {
        self.slice = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
        self.name.v4.sin_family = 0; // in case the kernel gives no name this time
        // SAFETY: zeros are valid in every field, some of which have no name in every libc.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_name = (&raw mut self.name).cast();
        header.msg_hdr.msg_namelen =
            libc::socklen_t::try_from(mem::size_of::<Name>()).expect("an address has a few words");
        header.msg_hdr.msg_iov = &raw mut self.slice;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_control = self.control.0.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = CONTROL_LEN as _;
        header
    }

    /// Who sent it, and from which port.
    fn source(&self) -> Option<(IpAddr, u16)> {
        // SAFETY: all bytes of the union were zero at first, the kernel wrote to some of them, both variants begin with
        // the family, and any bytes make valid numbers.
        unsafe {
            let (v4, v6) = (&self.name.v4, &self.name.v6);
            match libc::c_int::from(v4.sin_family) {
                libc::AF_INET => Some((address4(v4.sin_addr), u16::from_be(v4.sin_port))),
                libc::AF_INET6 => Some((address6(v6.sin6_addr), u16::from_be(v6.sin6_port))),
                _ => None,
            }
        }
    }
}

fn read_control(header: &libc::msghdr, found: &mut Header) {
    // SAFETY: `header` is as the kernel left it, its control buffer alive and as long as it says; CMSG_FIRSTHDR and
    // CMSG_NXTHDR stay within it, and each message holds the type that belongs to its level and kind. The data may not
    // be aligned for that type.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while let Some(message) = next.as_ref() {
            let data = libc::CMSG_DATA(message);
            match (message.cmsg_level, message.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    found.destination = Some(address4(info.ipi_addr));
                    found.interface = u32::try_from(info.ipi_ifindex).ok().map(IfIndex);
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    found.destination = Some(address6(info.ipi6_addr));
                    found.interface = Some(IfIndex(info.ipi6_ifindex));
                }
                (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    found.hop_limit =
                        u8::try_from(data.cast::<libc::c_int>().read_unaligned()).ok();
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(header, message);
        }
    }
}

fn address4(address: libc::in_addr) -> IpAddr {
    Ipv4Addr::from(address.s_addr.to_ne_bytes()).into()
}

fn address6(address: libc::in6_addr) -> IpAddr {
    Ipv6Addr::from(address.s6_addr).into()
}
