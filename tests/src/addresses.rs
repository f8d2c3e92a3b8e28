//! The addresses of a namespace, followed by the kernel's notifications.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, SystemTime};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt,
    socket, sockopt,
};

use crate::intake::{Intake, Source};
use crate::{Namespace, Timeline};

/// An address came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressEvent {
    /// When we were told.
    pub at: SystemTime,
    /// Which.
    pub address: IpAddr,
    /// The length of its prefix.
    pub length: u8,
    /// Whether it is there now.
    pub present: bool,
}

/// Follows the addresses of a namespace from its making until it is dropped.
#[derive(Debug)]
pub struct AddressWatch {
    events: Timeline<AddressEvent>,
    intake: Intake<Notifications>,
}

/// The socket on which the kernel tells.
#[derive(Debug)]
struct Notifications {
    socket: OwnedFd,
    buffer: Vec<u8>,
    record: Timeline<AddressEvent>,
}

/// `RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`
const GROUPS: u32 = 0x10 | 0x100;

impl AddressWatch {
    /// Begins to follow: every change after the return is seen.
    pub fn start(namespace: &Namespace) -> Self {
        let open = || {
            let kind = (SockType::Raw, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
            let socket =
                socket(AddressFamily::Netlink, kind.0, kind.1, SockProtocol::NetlinkRoute)?;
            setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20))?;
            bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
            Ok::<_, nix::Error>(socket)
        };
        let socket = namespace.enter(open).expect("a netlink socket needs no privilege");
        let events = Timeline::default();
        let record = events.clone();
        let intake = Intake::start(Notifications { socket, buffer: vec![0; 65_536], record });
        Self { events, intake }
    }

    /// What came and went until now.
    pub fn events(&self) -> &Timeline<AddressEvent> {
        self.intake.catch_up();
        &self.events
    }

    /// Those that are there now.
    pub fn present(&self) -> BTreeSet<IpAddr> {
        present(&self.events().all())
    }

    /// Waits until all of `addresses` are there (or none of them is); `false` if that takes longer than `within`.
    pub fn wait(&self, addresses: &[IpAddr], there: bool, within: Duration) -> bool {
        self.events().wait_until(within, |events| {
            let present = present(events);
            addresses.iter().all(|address| present.contains(address) == there)
        })
    }
}

fn present(events: &[AddressEvent]) -> BTreeSet<IpAddr> {
    let mut present = BTreeSet::new();
    for event in events {
        if event.present {
            present.insert(event.address);
        } else {
            present.remove(&event.address);
        }
    }
    present
}

impl AsFd for Notifications {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Source for Notifications {
    fn take_in(&mut self) -> bool {
        while let Ok(length) = recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
            let at = SystemTime::now();
            let mut messages = self.buffer.get(..length).unwrap_or_default();
            while let Some((message, rest)) = first_message(messages) {
                if let Some((address, length, present)) = address_change(message) {
                    self.record.push(AddressEvent { at, address, length, present });
                }
                messages = rest;
            }
        }
        true
    }
}

/// The first netlink message and what follows it.
fn first_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(*bytes.first_chunk::<4>()?)).ok()?;
    let message = bytes.get(..length.max(16))?;
    Some((message, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// Address, prefix length, and whether it came (RTM_NEWADDR) or went (RTM_DELADDR).
fn address_change(message: &[u8]) -> Option<(IpAddr, u8, bool)> {
    let present = match u16::from_ne_bytes([message[4], message[5]]) {
        20 => true,
        21 => false,
        _ => return None,
    };
    let length = *message.get(17)?;
    let mut attributes = message.get(24..)?;
    let (mut address, mut local) = (None, None);
    while let Some(&[l0, l1, k0, k1]) = attributes.first_chunk::<4>() {
        let size = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = attributes.get(4..size)?;
        match u16::from_ne_bytes([k0, k1]) {
            1 => address = ip(value),
            2 => local = ip(value),
            _ => {}
        }
        attributes = attributes.get(size.next_multiple_of(4)..).unwrap_or_default();
    }
    Some((local.or(address)?, length, present))
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(short) = <[u8; 4]>::try_from(value) {
        return Some(short.into());
    }
    <[u8; 16]>::try_from(value).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_seen_to_come_and_go() {
        let namespace = Namespace::new();
        let watch = AddressWatch::start(&namespace);
        namespace
            .ip("link add here type veth peer name there\nlink set here up\naddr add 192.0.2.1/24 dev here\n");
        let added: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(watch.wait(&[added], true, crate::PATIENCE));
        namespace.ip("addr del 192.0.2.1/24 dev here\naddr add 2001:db8::1/64 dev here\n");
        assert!(watch.wait(&[added], false, crate::PATIENCE));
        assert!(watch.wait(&["2001:db8::1".parse().unwrap()], true, crate::PATIENCE));
        let event = watch.events().all().into_iter().find(|event| event.address == added).unwrap();
        assert_eq!((event.length, event.present), (24, true));
    }
}
