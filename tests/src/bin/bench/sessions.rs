//! What BFD sessions cost, and whether they hold.

use std::collections::HashMap;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, SystemTime};

use lab::{Binary, Capture, Control, Daemon, LogLine, Mark, PATIENCE, Pair, Wire};

use crate::stalls::Stalls;

const PERIOD: Duration = Duration::from_secs(5);

/// What the BFD child of one side costs.
pub(crate) struct Cost {
    /// Processor time for each packet that it has sent or received.
    pub(crate) packet: Duration,
    /// Packets sent and received in a second.
    pub(crate) rate: u64,
    /// Its share of memory, in kB.
    pub(crate) memory: u64,
    /// Sessions that fell though both sides were there.
    pub(crate) falls: usize,
}

/// Packets of the first node, in both directions.
fn packets(wire: &Wire) -> u64 {
    let shown = wire.nodes()[0].ip_json(&["-s", "link", "show", "dev", "eth0"]);
    let count = |way: &str| shown[0]["stats64"][way]["packets"].as_u64().unwrap_or(0);
    count("rx") + count("tx")
}

fn count(daemon: &Daemon, mark: Mark, text: &str) -> usize {
    let says = |line: &&LogLine| line.text.contains(text);
    daemon.log().since(mark).iter().filter(says).count()
}

/// Starts `sessions` between `binary` and one of ours, and waits until all are up.
fn up(wire: &Wire, binary: &Binary, sessions: usize, interval: u32, globals: &str) -> [Daemon; 2] {
    let start = |side, binary: &Binary| wire.start(side, binary, interval, globals);
    let daemons = [start(0, binary), start(1, &Binary::under_test())];
    for daemon in &daemons {
        let mut up = 0;
        let all = daemon.log().wait(Mark::default(), 3 * PATIENCE, |line| {
            up += usize::from(line.text.contains("Entering Up state"));
            (up >= sessions).then_some(())
        });
        if all.is_none() {
            println!("only {up} of {sessions} sessions came up");
        }
    }
    // What belongs to the start is over by then.
    thread::sleep(Duration::from_secs(1));
    daemons
}

/// What `sessions` at `interval` milliseconds cost `binary`.
pub(crate) fn cost(binary: &Binary, sessions: usize, interval: u32) -> Cost {
    let wire = Wire::new(sessions);
    let [daemon, _other] = up(&wire, binary, sessions, interval, "");
    let process = daemon.bfd().expect("it has written its pid file");
    let (mark, before) = (daemon.log().mark(), (process.processor_time(), packets(&wire)));
    thread::sleep(PERIOD);
    let used = process.processor_time() - before.0;
    let packets = packets(&wire) - before.1;
    Cost {
        packet: used / u32::try_from(packets.max(1)).unwrap_or(u32::MAX),
        rate: packets / PERIOD.as_secs(),
        memory: process.memory(),
        falls: count(&daemon, mark, "Entering Down state"),
    }
}

/// How much later than the detection time that was agreed on each of 20 sessions falls when the other side is killed, in
/// milliseconds, the earliest first. Less than nothing is too early.
pub(crate) fn lateness(binary: &Binary) -> Vec<f64> {
    const SESSIONS: usize = 20;
    const DETECTION: f64 = 250.0;
    let wire = Wire::new(SESSIONS);
    let capture = Capture::start(&wire.nodes()[0], None);
    let [daemon, mut other] = up(&wire, binary, SESSIONS, 50, "");
    let mark = daemon.log().mark();
    other.kill();
    let mut fell: HashMap<String, SystemTime> = HashMap::new();
    daemon.log().wait(mark, PATIENCE, |line| {
        let name = fallen(line)?;
        fell.insert(name.to_owned(), line.at);
        (fell.len() == SESSIONS).then_some(())
    });
    let frames = capture.frames().all();
    let mut heard: HashMap<IpAddr, SystemTime> = HashMap::new();
    for captured in &frames {
        if let Some(said) = Control::read(&captured.frame.bytes) {
            heard.insert(said.source, captured.at);
        }
    }
    let mut late: Vec<f64> = (0..SESSIONS)
        .filter_map(|number| {
            let heard = heard.get(&Wire::address(1, number))?;
            let fell = fell.get(&format!("session{number}"))?;
            Some(fell.duration_since(*heard).ok()?.as_secs_f64() * 1e3 - DETECTION)
        })
        .collect();
    late.sort_by(f64::total_cmp);
    late
}

/// The name of the session that a line of the log says has fallen.
fn fallen(line: &LogLine) -> Option<&str> {
    let (name, event) = line.text.strip_prefix('(')?.split_once(')')?;
    event.starts_with(" Entering Down state").then_some(name)
}

/// What became of sessions while every processor was busy.
pub(crate) struct Hold {
    /// How often one fell.
    pub(crate) falls: usize,
    /// How many of those did so while the machine ran.
    pub(crate) unexcused: usize,
    /// How long a processor stood still within a fifth of a second, at most.
    pub(crate) stall: Duration,
}

/// How 100 sessions at 10 ms × 5 fare for a minute while every processor is busy and the BFD child is scheduled in real
/// time.
pub(crate) fn hold_under_load(binary: &Binary) -> Hold {
    /// Half a detection time: with the other half on the other side, or behind it, packets are missing for all of it.
    const EXCUSE: Duration = Duration::from_millis(25);
    let wire = Wire::new(100);
    let daemons = up(&wire, binary, 100, 10, "    bfd_rt_priority 50\n    bfd_no_swap\n");
    let mark = daemons[1].log().mark();
    let stalls = Stalls::watch(Duration::from_millis(5));
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut busy: Vec<_> = (0..2 * processors)
        .filter_map(|_| {
            std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().ok()
        })
        .collect();
    thread::sleep(Duration::from_secs(60));
    for child in &mut busy {
        let _ = child.kill();
        let _ = child.wait();
    }
    let stalls = stalls.end();
    // Both sides of a session fall, and the other side is ours in any case.
    let lines = daemons[1].log().since(mark);
    let falls: Vec<SystemTime> =
        lines.iter().filter(|line| fallen(line).is_some()).map(|line| line.at).collect();
    Hold {
        falls: falls.len(),
        unexcused: falls.iter().filter(|&&at| stalls.stood_still(at) < EXCUSE).count(),
        stall: stalls.worst(),
    }
}

/// How long after the death of its master a backup has the address, at 10 ms × 3 and `advert_int 1`; ours with
/// `bfd_takeover`, which the original does not have.
pub(crate) fn takeover(binary: &Binary, extension: bool, rounds: usize) -> Vec<Duration> {
    let text = |own: u8, priority: u8, takeover: &str| {
        format!(
            "bfd_instance other {{
    neighbor_ip 10.9.0.{}
    source_ip 10.9.0.{own}
    min_rx 10
    min_tx 10
    multiplier 3
}}
vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 1
{takeover}
    virtual_ipaddress {{
        10.9.0.100/24
    }}
}}\n",
            3 - own
        )
    };
    let takeover = if extension { "    bfd_takeover other only_backup" } else { "" };
    let configs = [text(1, 150, ""), text(2, 100, takeover)];
    let float = lab::Float::new(51, &["10.9.0.100"]);
    (0..rounds)
        .map(|_| {
            let mut pair = Pair::new([binary.clone(), binary.clone()], configs.clone());
            pair.start(0);
            pair.await_addresses(&float, 0, true);
            pair.start(1);
            let backup = pair.daemon(1);
            // It is up, and no longer at the idle interval.
            backup.await_log(Mark::default(), "Detection time is 30000 us");
            let adverts = pair.lan().capture().frames();
            // The backup knows its master by then.
            let mut count = 0;
            adverts.wait(adverts.mark(), PATIENCE, |captured| {
                count += usize::from(float.advert(&captured.frame).is_some());
                (count == 2).then_some(())
            });
            let killed = SystemTime::now();
            pair.kill(0);
            pair.await_addresses(&float, 1, true);
            let events = pair.lan().nodes()[1].addresses().events().all();
            let there = events.iter().find(|event| {
                event.present && event.at > killed && float.addresses.contains(&event.address)
            });
            there.and_then(|event| event.at.duration_since(killed).ok()).unwrap_or_default()
        })
        .collect()
}
