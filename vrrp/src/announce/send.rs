//! Sending announcements.

use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, socket};
use runtime::sys::send::{Destination, SendBatch};

use super::{Forwarding, Target, gratuitous_arp, neighbour_advertisement};
use crate::interfaces::Interfaces;

const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;

/// Frames that leave together. They are given to the interfaces as they are, so the socket must be of the same network
/// namespace.
#[derive(Debug)]
pub struct Frames {
    socket: OwnedFd,
    batch: SendBatch,
    targets: Vec<Target>,
    forwarding: Forwarding,
}

impl Frames {
    /// Opens the socket.
    pub fn open() -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Without a protocol nothing is received, so there is nothing to filter.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        Ok(Self {
            socket,
            batch: SendBatch::new(),
            targets: Vec::new(),
            forwarding: Forwarding::default(),
        })
    }

    /// Makes the frame that announces `target` and has it wait for [`Frames::send`]. False where there is none: the
    /// interface is gone, or knows no announcements.
    pub fn push(&mut self, target: Target, interfaces: &Interfaces, now: Instant) -> bool {
        let Some(interface) = interfaces.get(target.interface) else { return false };
        let link = interface.link();
        let (protocol, frame) = match target.address {
            IpAddr::V4(address) => (ETH_P_ARP, gratuitous_arp(link, address)),
            IpAddr::V6(address) => {
                let base = interfaces.get(target.paced_by).unwrap_or(interface);
                let router = self.forwarding.is_router(&base.link().name, now);
                (ETH_P_IPV6, neighbour_advertisement(link, address, router))
            }
        };
        let Some(frame) = frame else { return false };
        self.batch.push(Destination::Frame { interface: link.index, protocol }, &frame);
        self.targets.push(target);
        true
    }

    /// Sends what waits. Returns what could not be sent.
    pub fn send(&mut self) -> Vec<(Target, Errno)> {
        let targets = std::mem::take(&mut self.targets);
        let unsent = self.batch.send(self.socket.as_fd(), MsgFlags::empty());
        unsent
            .into_iter()
            .filter_map(|unsent| Some((*targets.get(unsent.position)?, unsent.errno)))
            .collect()
    }
}
