//! What a turn of the event loop costs in CPU time: timers, wake-ups, datagrams, scripts. Prints one line for each.
//!
//! `cargo bench -p runtime`

use std::hint::black_box;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, socket};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{getgid, getuid};
use runtime::global::{Account, Script};
use runtime::machine::IfIndex;
use runtime::process::wait_for;
use runtime::reactor::{Reactor, Readiness};
use runtime::scripts;
use runtime::sys::receive::RecvBatch;
use runtime::sys::send::{Destination, SendBatch};

/// So many routers.
const ROUTERS: u32 = 1000;

fn main() {
    adverts_heard();
    adverts_due();
    wake_ups();
    datagrams_received();
    for size in [1, 8, 64, 500] {
        datagrams_sent(size);
    }
    scripts_started();
}

fn report(what: &str, count: u32, time: Duration) {
    println!("{what:<58} {:>9.0} ns", time.as_nanos() as f64 / f64::from(count));
}

/// What this process has used, whatever else the machine does.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("the kernel counts").into()
}

/// A backup moves its deadline with each advert.
fn adverts_heard() {
    let mut reactor = Reactor::<(), u32>::new().expect("a reactor");
    let mut at = Instant::now() + Duration::from_secs(3600);
    let start = cpu_time();
    for _ in 0..1000 {
        at += Duration::from_millis(1);
        for router in 0..ROUTERS {
            reactor.arm(router, at);
        }
    }
    report("move a deadline, of 1000", 1000 * ROUTERS, cpu_time() - start);
}

/// A master serves its deadline and arms it again.
fn adverts_due() {
    let mut reactor = Reactor::<(), u32>::new().expect("a reactor");
    let mut now = Instant::now();
    for router in 0..ROUTERS {
        reactor.arm(router, now + Duration::from_micros(u64::from(router)));
    }
    let start = cpu_time();
    for _ in 0..1000 {
        now += Duration::from_secs(1);
        while let Some(router) = reactor.expired(now) {
            reactor.arm(router, now + Duration::from_micros(u64::from(router) + 1));
        }
    }
    report("serve a deadline and arm it again, of 1000", 1000 * ROUTERS, cpu_time() - start);
}

fn wake_ups() {
    const WAKES: u32 = 5000;
    let mut reactor = Reactor::<(), u32>::new().expect("a reactor");
    let (mut ready, mut late) = (Vec::new(), Vec::new());
    let before = cpu_time();
    for _ in 0..WAKES {
        let due = Instant::now() + Duration::from_micros(200);
        reactor.arm(0, due);
        reactor.wait(&mut ready).expect("waiting works");
        let now = Instant::now();
        if reactor.expired(now).is_some() {
            late.push(now - due);
        }
    }
    report("a turn with one timer", WAKES, cpu_time() - before);
    late.sort_unstable();
    let at = |percent: usize| late[(late.len() - 1) * percent / 100];
    println!("{:<58} {:?} / {:?}", "lateness of a timer, median / 99 %", at(50), at(99));
}

fn datagrams_received() {
    const TURNS: u32 = 20_000;
    let mut reactor = Reactor::<(), u32>::new().expect("a reactor");
    let near = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let far = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    far.connect(near.local_addr().expect("an address")).expect("loopback");
    reactor.register(&near, (), Readiness::Readable).expect("a source");
    let (mut ready, mut batch) = (Vec::new(), RecvBatch::new(64, 1500));
    let mut turns = Duration::ZERO;
    for _ in 0..TURNS {
        far.send(&[0; 40]).expect("loopback");
        let start = cpu_time();
        ready.clear();
        reactor.wait(&mut ready).expect("waiting works");
        black_box(batch.receive(near.as_fd()).expect("a datagram"));
        for datagram in batch.datagrams() {
            black_box(datagram.data);
        }
        turns += cpu_time() - start;
    }
    report("a turn that receives one datagram", TURNS, turns);
}

fn datagrams_sent(size: u32) {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let protocol = nix::sys::socket::SockProtocol::Udp;
    let Ok(raw) = socket(AddressFamily::Inet, SockType::Raw, flags, protocol) else {
        println!("sending needs root");
        return;
    };
    let destination = Destination::V4 { to: Ipv4Addr::LOCALHOST, interface: Some(IfIndex(1)) };
    let mut batch = SendBatch::new();
    let rounds = 20_000 / size;
    let start = cpu_time();
    for _ in 0..rounds {
        for _ in 0..size {
            batch.push(destination, &[0; 40]);
        }
        black_box(batch.send(raw.as_fd(), MsgFlags::empty()));
    }
    report(&format!("send a datagram in a batch of {size}"), rounds * size, cpu_time() - start);
}

fn scripts_started() {
    const SCRIPTS: u32 = 200;
    let account = Account { uid: getuid().as_raw(), gid: getgid().as_raw(), groups: vec![] };
    let script = Script { program: "/bin/true".into(), argv: vec!["true".into()], account };
    let mut starts = Duration::ZERO;
    for _ in 0..SCRIPTS {
        let start = cpu_time();
        let running = scripts::start::<&str>(&script, &[]).expect("a script");
        starts += cpu_time() - start;
        wait_for(running.pid()).expect("it ends");
    }
    report("start a script", SCRIPTS, starts);
}
