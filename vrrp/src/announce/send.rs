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

/// So many frames wait at most.
const BATCH: usize = 64;

/// Frames that leave together. They are given to the interfaces as they are, so the socket must be of the same network
/// namespace.
#[derive(Debug)]
pub(crate) struct Frames {
    socket: OwnedFd,
    batch: SendBatch,
    targets: Vec<Target>,
    /// What could not be sent since the last [`Frames::send`].
    failures: Vec<(Target, Errno)>,
    forwarding: Forwarding,
}

impl Frames {
    /// Opens the socket.
    pub(crate) fn open() -> Result<Self, Errno> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // Without a protocol nothing is received, so there is nothing to filter.
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, None)?;
        Ok(Self {
            socket,
            batch: SendBatch::new(),
            targets: Vec::new(),
            failures: Vec::new(),
            forwarding: Forwarding::default(),
        })
    }

    /// When it was last looked at whether IPv6 packets are forwarded on an interface, and the answer.
    pub(crate) fn forwarding(&self, interface: &str) -> Option<(Instant, bool)> {
        self.forwarding.last(interface)
    }

    /// Makes the frame that announces `target` and has it wait for [`Frames::send`], or until there are many. False where
    /// there is none: the interface is gone, or knows no announcements.
    pub(crate) fn push(&mut self, target: Target, interfaces: &Interfaces, now: Instant) -> bool {
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
        if self.targets.len() >= BATCH {
            self.send_batch();
        }
        true
    }

    /// Sends what waits. Returns what could not be sent, now or earlier.
    pub(crate) fn send(&mut self) -> Vec<(Target, Errno)> {
        self.send_batch();
        std::mem::take(&mut self.failures)
    }

    fn send_batch(&mut self) {
        let unsent = self.batch.send(self.socket.as_fd(), MsgFlags::empty());
        let told = unsent
            .into_iter()
            .filter_map(|unsent| Some((*self.targets.get(unsent.position)?, unsent.errno)));
        self.failures.extend(told);
        self.targets.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;

    use runtime::machine::{IfIndex, Link};

    use super::*;
    use crate::cable::{Side, ip, link, machine, with_cable};

    #[test]
    fn frames_leave_by_their_interface_with_its_address() {
        with_cable(|cable| {
            let tap = cable.tap("v2");
            cable.on(Side::Left, || {
                ip("link add vrrp.51 link v1 address 00:00:5e:00:01:33 type macvlan mode private");
                ip("link set vrrp.51 up");
                fs::write("/proc/sys/net/ipv6/conf/v1/forwarding", "1").unwrap();
                let interfaces = Interfaces::new(&machine(), HashSet::new());
                let (v1, own) = (link("v1"), link("vrrp.51"));
                let mut frames = Frames::open().unwrap();
                let target = |address: &str, link: &Link| Target {
                    address: address.parse().unwrap(),
                    interface: link.index,
                    paced_by: v1.index,
                };
                let now = Instant::now();
                let targets = [("10.9.0.100", &v1), ("10.9.0.100", &own), ("fe80::100", &v1)];
                for (address, link) in targets {
                    assert!(frames.push(target(address, link), &interfaces, now));
                }
                assert_eq!(frames.send(), []);
                let heard = |mac: &[u8], length| {
                    tap.next(|frame| frame.get(6..12) == Some(mac) && frame.len() == length)
                };
                let vip4 = [10, 9, 0, 100].into();
                assert_eq!(Some(heard(&v1.mac, 42)), gratuitous_arp(&v1, vip4));
                assert_eq!(Some(heard(&own.mac, 42)), gratuitous_arp(&own, vip4));
                let vip6 = "fe80::100".parse().unwrap();
                assert_eq!(Some(heard(&v1.mac, 86)), neighbour_advertisement(&v1, vip6, true));

                let lost = Target { interface: IfIndex(4711), ..target("10.9.0.100", &v1) };
                assert!(!frames.push(lost, &interfaces, now));
                ip("link del vrrp.51");
                assert!(frames.push(target("10.9.0.100", &own), &interfaces, now));
                assert!(frames.push(target("10.9.0.101", &v1), &interfaces, now));
                assert_eq!(frames.send(), [(target("10.9.0.100", &own), Errno::ENXIO)]);
                let next = gratuitous_arp(&v1, [10, 9, 0, 101].into());
                assert_eq!(Some(heard(&v1.mac, 42)), next);
            });
        });
    }
}
