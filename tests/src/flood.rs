//! Somebody who floods the network with adverts, and somebody who only reads them.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::Namespace;

/// How often packets are sent, many at a time.
const TICK: Duration = Duration::from_millis(5);

/// Sends IPv4 packets, one after the other and over again, until it is dropped.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Floods from `namespace`, with `rate` packets a second. Each is a whole IPv4 packet, whatever its header says,
    /// with where it goes.
    pub fn start(
        namespace: &Namespace,
        device: &str,
        packets: Vec<(Ipv4Addr, Vec<u8>)>,
        rate: u64,
    ) -> Self {
        let socket = open(namespace, device);
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = thread::spawn(move || {
            let start = Instant::now();
            let mut next = packets.iter().cycle();
            while !stopped.load(Ordering::Relaxed) {
                let due = u128::from(rate) * start.elapsed().as_micros() / 1_000_000;
                while u128::from(count.load(Ordering::Relaxed)) < due {
                    let Some((to, packet)) = next.next() else { return };
                    send(&socket, *to, packet);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(TICK);
            }
        });
        Self { stop, sent, thread: Some(thread) }
    }

    /// So many packets were sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Reads what comes in, one packet after the other, and does nothing with it: what hearing of a packet costs on this
/// machine at this time.
#[derive(Debug)]
pub struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Reader {
    /// Reads all packets of `namespace`.
    pub fn start(namespace: &Namespace) -> Self {
        let open = || {
            let flags = SockFlag::SOCK_CLOEXEC;
            let all = SockProtocol::EthAll;
            let socket = socket(AddressFamily::Packet, SockType::Datagram, flags, all)?;
            // It looks up now and then whether that is enough.
            setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(50))?;
            Ok::<OwnedFd, nix::Error>(socket)
        };
        let socket = namespace.enter(open).expect("a packet socket needs root");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (mut buffer, mut packets) = ([0; 2048], 0_u32);
            while !stopped.load(Ordering::Relaxed) {
                let read = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty());
                packets += u32::from(read.is_ok());
            }
            crate::process::time_in("/proc/thread-self/schedstat") / packets.max(1)
        });
        Self { stop, thread }
    }

    /// The processor time that a packet has cost.
    pub fn cost(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it only reads")
    }
}

/// A socket that sends whole IPv4 packets by `device` of `namespace`.
pub(crate) fn open(namespace: &Namespace, device: &str) -> OwnedFd {
    let open = || {
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Raw)?;
        setsockopt(&socket, sockopt::BindToDevice, &device.into())?;
        Ok::<OwnedFd, nix::Error>(socket)
    };
    namespace.enter(open).expect("a raw socket needs root")
}

/// Sends a packet. What the kernel refuses to send was not worth sending.
pub(crate) fn send(socket: &OwnedFd, to: Ipv4Addr, packet: &[u8]) {
    let to = SockaddrIn::from(std::net::SocketAddrV4::new(to, 0));
    let _ = sendto(socket.as_raw_fd(), packet, &to, MsgFlags::empty());
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
