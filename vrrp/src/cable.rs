//! A network for tests: two machines, each a network namespace of its own, with a cable between them.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket,
    sockopt,
};
use runtime::global::NetlinkBuffer;
use runtime::machine::{IfIndex, Link, Machine};
use runtime::netlink::Client;

/// How long something may take that takes no time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Left has `v1` with 02:00:00:00:00:01, 10.9.0.1/24, fe80::ff:fe00:1/64 and fd00:9::1/64; right has `v2` with 2 for 1.
pub(crate) struct Cable {
    left: File,
    right: File,
}

/// One of the machines.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Runs `work` in a thread of its own, with a cable.
pub(crate) fn with_cable(work: impl FnOnce(&Cable) + Send + 'static) {
    let thread = thread::spawn(|| work(&Cable::new()));
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn path(namespace: &File) -> String {
    format!("/proc/{}/fd/{}", process::id(), namespace.as_raw_fd())
}

/// Runs `ip` in the namespace of this thread.
pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.expect("ip is installed").success(), "ip {arguments}");
}

impl Cable {
    fn new() -> Self {
        let [left, right] = [(); 2].map(|()| {
            unshare(CloneFlags::CLONE_NEWNET).expect("a namespace needs root");
            // Addresses are there at once.
            for family in ["default", "all"] {
                let setting = format!("/proc/sys/net/ipv6/conf/{family}/accept_dad");
                fs::write(setting, "0").expect("it can be set");
            }
            ip("link set lo up");
            File::open("/proc/thread-self/ns/net").expect("every thread has one")
        });
        let peer = "type veth peer name v2 address 02:00:00:00:00:02";
        let netns = path(&left);
        ip(&format!(
            "link add v1 netns {netns} address 02:00:00:00:00:01 {peer} netns {}",
            path(&right)
        ));
        let cable = Self { left, right };
        for (side, interface, number) in [(Side::Left, "v1", 1), (Side::Right, "v2", 2)] {
            cable.on(side, || {
                ip(&format!("addr add 10.9.0.{number}/24 dev {interface}"));
                ip(&format!("link set {interface} up"));
                ip(&format!("addr add fd00:9::{number}/64 dev {interface}"));
            });
        }
        for side in [Side::Left, Side::Right] {
            cable.on(side, || {
                await_true(|| {
                    machine().links.iter().all(|link| link.is_loopback() || link.is_up())
                });
                await_true(|| machine().addresses.iter().all(|address| !address.is_tentative()));
            });
        }
        cable
    }

    /// Runs `work` on one of the machines. What it opens belongs there for ever.
    pub(crate) fn on<T>(&self, side: Side, work: impl FnOnce() -> T) -> T {
        setns(self.file(side), CloneFlags::CLONE_NEWNET).expect("it is alive");
        work()
    }

    /// The namespace of a machine, as `ip` takes it.
    pub(crate) fn netns(&self, side: Side) -> String {
        path(self.file(side))
    }

    fn file(&self, side: Side) -> &File {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    /// Listens to all that arrives at the right end, or another interface there.
    pub(crate) fn tap(&self, interface: &str) -> Tap {
        self.on(Side::Right, || Tap::new(link(interface).index))
    }
}

/// Hears all frames that pass an interface.
pub(crate) struct Tap {
    socket: OwnedFd,
    index: usize,
}

impl Tap {
    fn new(index: IfIndex) -> Self {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let protocol = SockProtocol::EthAll;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, protocol).unwrap();
        setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).unwrap();
        Self { socket, index: usize::try_from(index.0).unwrap() }
    }

    /// Waits for the next frame that `wanted` wants.
    pub(crate) fn next(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(readable(&self.socket, deadline), "a frame was to arrive");
            if let Some(frame) = self.receive().filter(|frame| wanted(frame)) {
                return frame;
            }
        }
    }

    fn receive(&self) -> Option<Vec<u8>> {
        let mut frame = vec![0; 65_536];
        let (length, from) = recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut frame).ok()?;
        frame.truncate(length);
        (from?.ifindex() == self.index).then_some(frame)
    }
}

/// Waits until there is something to read; false when `deadline` comes first.
pub(crate) fn readable(descriptor: &impl AsFd, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    let mut descriptors = [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, PollTimeout::try_from(left).unwrap()).unwrap() > 0
}

/// Waits until `condition` holds.
pub(crate) fn await_true(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it does not come true");
        thread::yield_now();
    }
}

/// The machine of this thread.
pub(crate) fn machine() -> Machine {
    Client::open(NetlinkBuffer::default()).unwrap().machine().unwrap()
}

/// An interface of the machine of this thread.
pub(crate) fn link(name: &str) -> Link {
    machine().by_name(name).expect("it is there").clone()
}
