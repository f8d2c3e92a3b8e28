//! Frames on the wire, recorded with the kernel's own time stamps.

use std::fs::File;
use std::io::{self, BufWriter, IoSliceMut, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType,
    recvmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;

use crate::intake::{Intake, Source};
use crate::{Frame, Namespace, PATIENCE, Timeline};

/// A frame, when it passed, and where it came in.
#[derive(Clone, Debug)]
pub struct Captured {
    /// When the kernel received it.
    pub at: SystemTime,
    /// The number of the interface that it came in by.
    pub interface: usize,
    /// The frame itself.
    pub frame: Frame,
}

/// Records what comes in by every interface of a namespace, until it is dropped.
#[derive(Debug)]
pub struct Capture {
    frames: Timeline<Captured>,
    intake: Intake<Wiretap>,
}

/// The socket by which frames come in.
#[derive(Debug)]
struct Wiretap {
    socket: OwnedFd,
    except: Option<usize>,
    buffer: Vec<u8>,
    control: Vec<u8>,
    record: Timeline<Captured>,
}

/// What the kernel keeps until it is read: a second of the greatest flood.
const ROOM: usize = 32 << 20;

impl Capture {
    /// Begins to record: whatever is sent after the return is seen. What comes in by the interface `except`, such as a
    /// bridge that repeats what its ports received, is left out.
    pub fn start(namespace: &Namespace, except: Option<&str>) -> Self {
        let open = || {
            let kind = (SockType::Raw, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
            let socket = socket(AddressFamily::Packet, kind.0, kind.1, SockProtocol::EthAll)?;
            setsockopt(&socket, sockopt::RcvBufForce, &ROOM)?;
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
            Ok::<_, nix::Error>(socket)
        };
        let socket = namespace.enter(open).expect("a packet socket needs root");
        let number =
            |name| namespace.enter(|| nix::net::if_::if_nametoindex(name)).expect("it is there");
        let except = except.map(|name| usize::try_from(number(name)).expect("interfaces are few"));
        let frames = Timeline::default();
        let record = frames.clone();
        let (buffer, control) = (vec![0; 65_536], cmsg_space!(TimeSpec));
        let intake = Intake::start(Wiretap { socket, except, buffer, control, record });
        Self { frames, intake }
    }

    /// What was recorded, as it grows: all that was sent until now is in it.
    pub fn frames(&self) -> &Timeline<Captured> {
        self.intake.catch_up();
        &self.frames
    }

    /// Asserts that adverts go on for `more`, and that none since the beginning was later than `latest` after the one
    /// before.
    #[track_caller]
    pub fn assert_steady(&self, more: Duration, latest: Duration) {
        let at = |captured: &Captured| captured.frame.advert().map(|_| captured.at);
        let end = SystemTime::now() + more;
        let frames = self.frames();
        let last = frames
            .wait(frames.mark(), more + PATIENCE, |captured| at(captured).filter(|&at| at >= end));
        assert!(last.is_some(), "no more adverts");
        let times: Vec<SystemTime> = self.frames().all().iter().filter_map(at).collect();
        let gaps = times.windows(2).filter_map(|pair| pair[1].duration_since(pair[0]).ok());
        let longest = gaps.max().unwrap_or_default();
        assert!(longest < latest, "an advert was {longest:?} after the one before");
    }

    /// Writes what was recorded where tshark can read it: a classic pcap file of Ethernet frames.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 0xffff, 1] {
            file.write_all(&word.to_le_bytes())?;
        }
        for captured in self.frames().all() {
            let since = captured.at.duration_since(UNIX_EPOCH).unwrap_or_default();
            let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
            let length = u32::try_from(captured.frame.bytes.len()).unwrap_or(u32::MAX);
            for word in [seconds, since.subsec_nanos(), length, length] {
                file.write_all(&word.to_le_bytes())?;
            }
            file.write_all(&captured.frame.bytes)?;
        }
        file.flush()
    }
}

/// `PACKET_OUTGOING`: what the namespace itself sends is left to those who receive it.
const OUTGOING: u8 = 4;

impl AsFd for Wiretap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Source for Wiretap {
    fn take_in(&mut self) -> bool {
        while let Some(captured) = receive_one(&self.socket, &mut self.buffer, &mut self.control) {
            if let Some(captured) =
                captured.filter(|captured| Some(captured.interface) != self.except)
            {
                self.record.push(captured);
            }
        }
        true
    }
}

/// The next frame; `None` when there is no further one for now, `Some(None)` when it is none of ours.
fn receive_one(
    socket: &OwnedFd,
    buffer: &mut [u8],
    control: &mut [u8],
) -> Option<Option<Captured>> {
    let mut parts = [IoSliceMut::new(buffer)];
    let got = recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut parts, Some(control), MsgFlags::empty())
        .ok()?;
    let (length, source) = (got.bytes, got.address?);
    let mut stamps = got.cmsgs().ok()?.filter_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
        _ => None,
    });
    let at = stamps.next().map_or_else(SystemTime::now, |since| UNIX_EPOCH + since);
    if source.pkttype() == OUTGOING {
        return Some(None);
    }
    let frame = Frame::new(buffer.get(..length)?.to_vec());
    Some(Some(Captured { at, interface: source.ifindex(), frame }))
}
