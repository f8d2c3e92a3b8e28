//! Batches of datagrams over the loopback interface of a network of their own.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, socket};

use super::receive::RecvBatch;
use super::send::{Destination, SendBatch, Unsent};
use super::socket::set_option;
use crate::machine::IfIndex;

const LOOPBACK: Option<IfIndex> = Some(IfIndex(1));

/// Runs `work` in a thread with a network of its own, of which only the loopback interface is up.
fn in_namespace(work: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("a namespace needs root");
        let status = Command::new("ip").args(["link", "set", "lo", "up"]).status();
        assert!(status.expect("ip is installed").success());
        work();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn raw(family: AddressFamily) -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(family, SockType::Raw, flags, SockProtocol::Udp).unwrap()
}

fn to_loopback(to: Ipv4Addr) -> Destination {
    Destination::V4 { to, interface: LOOPBACK }
}

#[test]
fn one_that_cannot_be_sent_holds_up_no_other() {
    in_namespace(|| {
        let (sender, receiver) = (raw(AddressFamily::Inet), raw(AddressFamily::Inet));
        let mut batch = SendBatch::new();
        let mut received = RecvBatch::new(4, 64);
        // Twice, for the second time in the room of the first.
        for _ in 0..2 {
            batch.push(to_loopback(Ipv4Addr::LOCALHOST), b"first 12");
            batch.push(to_loopback(Ipv4Addr::BROADCAST), b"not allowed");
            batch.push_with(to_loopback(Ipv4Addr::LOCALHOST), |data| data.extend(b"third 12"));
            let unsent = batch.send(sender.as_fd(), MsgFlags::empty());
            assert_eq!(unsent, [Unsent { position: 1, errno: Errno::EACCES }]);
            assert!(batch.is_empty());
            assert_eq!(received.receive(receiver.as_fd()), Ok(2));
            let payloads: Vec<&[u8]> =
                received.datagrams().map(|datagram| &datagram.data[20..]).collect();
            assert_eq!(payloads, [b"first 12", b"third 12"]);
        }
        assert_eq!(received.receive(receiver.as_fd()), Ok(0));
        assert_eq!(received.datagrams().count(), 0, "those of the call before are forgotten");
    });
}

#[test]
fn ipv6_carries_source_interface_and_hop_limit() {
    in_namespace(|| {
        let (sender, receiver) = (raw(AddressFamily::Inet6), raw(AddressFamily::Inet6));
        for option in [libc::IPV6_RECVPKTINFO, libc::IPV6_RECVHOPLIMIT] {
            set_option(receiver.as_fd(), libc::IPPROTO_IPV6, option, 1).unwrap();
        }
        let mut batch = SendBatch::new();
        for hop_limit in [Some(255), None] {
            let (to, source) = (Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
            let destination = Destination::V6 { to, source, interface: LOOPBACK, hop_limit };
            batch.push(destination, b"12345678");
        }
        assert_eq!(batch.len(), 2);
        assert_eq!(batch.send(sender.as_fd(), MsgFlags::empty()), []);
        let mut received = RecvBatch::new(4, 64);
        assert_eq!(received.receive(receiver.as_fd()), Ok(2));
        let limits: Vec<Option<u8>> =
            received.datagrams().map(|datagram| datagram.hop_limit).collect();
        assert_eq!(limits, [Some(255), Some(64)]);
        for datagram in received.datagrams() {
            assert_eq!(datagram.data, b"12345678");
            assert_eq!(datagram.source, Some(Ipv6Addr::LOCALHOST.into()));
            assert_eq!(datagram.destination, Some(Ipv6Addr::LOCALHOST.into()));
            assert_eq!(datagram.interface, LOOPBACK);
        }
    });
}

#[test]
fn more_than_one_call_takes() {
    in_namespace(|| {
        let (sender, receiver) = (raw(AddressFamily::Inet), raw(AddressFamily::Inet));
        set_option(receiver.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, 4 << 20).unwrap();
        let mut batch = SendBatch::new();
        for _ in 0..1500 {
            batch.push(to_loopback(Ipv4Addr::LOCALHOST), b"12345678");
        }
        let unsent = batch.send(sender.as_fd(), MsgFlags::empty());
        assert_eq!(unsent, []);
        let mut received = RecvBatch::new(64, 64);
        let mut total = 0;
        loop {
            match received.receive(receiver.as_fd()).unwrap() {
                0 => break,
                count => total += count,
            }
        }
        // The limit of the system for buffers may not let all of them in.
        assert!(total > 64 && total <= 1500, "{total}");
    });
}

#[test]
fn a_longer_datagram_than_expected_is_marked() {
    let (sender, receiver) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    set_option(receiver.as_fd(), libc::IPPROTO_IP, libc::IP_RECVTTL, 1).unwrap();
    sender.send_to(b"12345", receiver.local_addr().unwrap()).unwrap();
    sender.send_to(b"1234", receiver.local_addr().unwrap()).unwrap();
    let mut received = RecvBatch::new(2, 0);
    received.grow(4);
    assert_eq!(received.receive(receiver.as_fd()), Ok(2));
    let seen: Vec<(&[u8], bool, Option<u8>)> = received
        .datagrams()
        .map(|datagram| (datagram.data, datagram.truncated, datagram.hop_limit))
        .collect();
    assert_eq!(seen, [(&b"1234"[..], true, Some(64)), (&b"1234"[..], false, Some(64))]);
}
