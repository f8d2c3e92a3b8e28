//! The measurements, each of one binary.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use lab::{Binary, Capture, Daemon, Float, PATIENCE, Pair, Process, Scratch};

use crate::subject::{Network, address, config, sync_group};

/// Owners are masters at once.
const OWNER: u8 = 255;

/// From exec until the first advert, and until every router has sent its first.
pub(crate) struct Startup {
    pub(crate) first: Duration,
    pub(crate) last: Duration,
}

/// What a process costs.
pub(crate) struct Load {
    /// Its processor time in ten seconds.
    pub(crate) processor: Duration,
    /// Its share of memory, in kB.
    pub(crate) memory: u64,
}

/// How long `-t` takes.
pub(crate) fn check(binary: &Binary, instances: usize) -> Duration {
    let network = Network::new(instances);
    let scratch = Scratch::new();
    let file = scratch.write("keepalived.conf", &config(instances, "1", 100));
    let began = Instant::now();
    let verdict = Daemon::check(binary, &network.node, &file, &[]);
    let took = began.elapsed();
    assert_eq!(verdict.status, Some(0), "{:?}", verdict.complaints);
    took
}

/// How long from exec to adverts.
pub(crate) fn startup(binary: &Binary, instances: usize) -> Startup {
    let network = Network::new(instances);
    let capture = Capture::start(&network.outside, None);
    let began = SystemTime::now();
    let _daemon = Daemon::start_silent(binary, &network.node, &config(instances, "1", OWNER));
    let (mut seen, mut first) = (HashSet::new(), None);
    let last = capture.frames().wait(Default::default(), 3 * PATIENCE, |captured| {
        let advert = captured.frame.advert()?;
        first.get_or_insert(captured.at);
        seen.insert((captured.interface, advert.vrid));
        (seen.len() == instances).then_some(captured.at)
    });
    let since = |at: Option<SystemTime>| at.and_then(|at| at.duration_since(began).ok());
    let missing = || panic!("{} of {instances} routers sent adverts", seen.len());
    Startup {
        first: since(first).unwrap_or_else(missing),
        last: since(last).unwrap_or_else(missing),
    }
}

/// What parent and VRRP child cost while every router sends its adverts, each for itself or all in one sync group.
pub(crate) fn load(binary: &Binary, instances: usize, interval: &str, grouped: bool) -> [Load; 2] {
    const PERIOD: Duration = Duration::from_secs(5);
    let network = Network::new(instances);
    let mut text = config(instances, interval, OWNER);
    if grouped {
        text.push_str(&sync_group(instances));
    }
    let daemon = Daemon::start_silent(binary, &network.node, &text);
    let addresses: Vec<IpAddr> = (0..instances).map(address).collect();
    let settled = network.addresses.wait(&addresses, true, 3 * PATIENCE);
    assert!(settled, "not all of {instances} routers have their address");
    // What belongs to the start is over by then.
    thread::sleep(Duration::from_secs(1));
    let vrrp = daemon.vrrp().expect("it has written its pid file");
    let processes: [&Process; 2] = [daemon.process(), &vrrp];
    let before = processes.map(Process::processor_time);
    thread::sleep(PERIOD);
    let after = processes.map(Process::processor_time);
    let cost = |index: usize| Load {
        processor: (after[index] - before[index]) * 2,
        memory: processes[index].memory(),
    };
    [cost(0), cost(1)]
}

/// How regularly adverts leave.
pub(crate) struct Rhythm {
    /// 99 of 100 gaps between two adverts of a router are no farther from the interval than this.
    pub(crate) p99: Duration,
    /// The longest gap.
    pub(crate) longest: Duration,
}

/// How regularly the adverts of `instances` masters leave at a tenth of a second, `dumping` their state meanwhile or not.
pub(crate) fn rhythm(binary: &Binary, instances: usize, dumping: bool) -> Rhythm {
    const INTERVAL: Duration = Duration::from_millis(100);
    const PERIOD: Duration = Duration::from_secs(5);
    const DUMPS: u32 = 10;
    let network = Network::new(instances);
    let daemon = Daemon::start_silent(binary, &network.node, &config(instances, "0.1", OWNER));
    let addresses: Vec<IpAddr> = (0..instances).map(address).collect();
    let settled = network.addresses.wait(&addresses, true, 3 * PATIENCE);
    assert!(settled, "not all of {instances} routers have their address");
    thread::sleep(Duration::from_secs(1));
    let capture = Capture::start(&network.outside, None);
    for _ in 0..DUMPS {
        if dumping {
            daemon.process().signal(nix::sys::signal::Signal::SIGUSR1);
        }
        thread::sleep(PERIOD / DUMPS);
    }
    let mut last: HashMap<(usize, u8), SystemTime> = HashMap::new();
    let mut gaps = Vec::new();
    for captured in capture.frames().all() {
        let Some(advert) = captured.frame.advert() else { continue };
        let before = last.insert((captured.interface, advert.vrid), captured.at);
        gaps.extend(before.and_then(|before| captured.at.duration_since(before).ok()));
    }
    let mut off: Vec<Duration> = gaps.iter().map(|gap| gap.abs_diff(INTERVAL)).collect();
    off.sort_unstable();
    let p99 = off.get(off.len() * 99 / 100).copied().unwrap_or_default();
    Rhythm { p99, longest: gaps.into_iter().max().unwrap_or_default() }
}

/// How long a reload takes that gives the last of `instances` another address, until that is there.
pub(crate) fn reload(binary: &Binary, instances: usize) -> Duration {
    let network = Network::new(instances);
    let text = config(instances, "1", OWNER);
    let daemon = Daemon::start_silent(binary, &network.node, &text);
    let addresses: Vec<IpAddr> = (0..instances).map(address).collect();
    let settled = network.addresses.wait(&addresses, true, 3 * PATIENCE);
    assert!(settled, "not all of {instances} routers have their address");
    thread::sleep(Duration::from_secs(1));
    let last = addresses.last().expect("there is one").to_string();
    let other: IpAddr = [10, 4, 2, 1].into();
    let began = Instant::now();
    daemon.reload(&text.replace(&format!("{last}/32"), &format!("{other}/32")));
    assert!(network.addresses.wait(&[other], true, PATIENCE), "{other} did not come");
    began.elapsed()
}

/// How much later than Master_Down_Interval after the last advert the address was at the backup, `rounds` times.
pub(crate) fn failover(binary: &Binary, rounds: usize) -> Vec<Duration> {
    let float = Float::new(51, &["10.9.0.100"]);
    let text = |priority: u8| {
        format!(
            "vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.1
    virtual_ipaddress {{
        10.9.0.100/24
    }}
}}\n"
        )
    };
    let mut pair = Pair::new([binary.clone(), binary.clone()], [text(150), text(100)]).silent();
    pair.start(1);
    let mut late = Vec::new();
    for _ in 0..rounds {
        pair.start(0);
        pair.await_master(&float, 0);
        let mark = pair.lan().capture().frames().mark();
        let killed = SystemTime::now();
        pair.kill(0);
        pair.await_master(&float, 1);
        let failover = pair.failover(&float, 1, mark);
        let events = pair.lan().nodes()[1].addresses().events().all();
        let arrived = events.iter().find(|event| event.present && event.at > killed);
        let away = arrived
            .and_then(|event| event.at.duration_since(failover.ended).ok())
            .unwrap_or_default();
        late.push(away.saturating_sub(failover.bound(3)));
    }
    late
}
