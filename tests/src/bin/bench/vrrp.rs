//! Virtual routers: reading their configuration, starting, running, taking over and reloading.

use std::time::Duration;

use lab::Binary;

use crate::measures::{Load, Rhythm, Startup, check, failover, load, reload, rhythm, startup};
use crate::table::{ROUNDS, median, middle, percentile, row, time};
use crate::takeover::{self, Takeover};

/// How often a master is killed: what matters of it is what happens seldom.
const FAILOVERS: usize = 50;

/// How long `-t` takes.
pub(crate) fn compare_checks(ours: &Binary, theirs: &Binary) {
    for instances in [1, 255, 1000, 5000] {
        let checked = [ours, theirs].map(|binary| median(|| check(binary, instances)));
        time(&format!("-t, {instances} instances"), checked);
    }
}

/// How soon the first adverts leave.
pub(crate) fn compare_starts(ours: &Binary, theirs: &Binary) {
    let rounds = [ours, theirs]
        .map(|binary| -> Vec<Startup> { (0..ROUNDS).map(|_| startup(binary, 1000)).collect() });
    let pick = |part: fn(&Startup) -> Duration| {
        rounds.each_ref().map(|rounds| middle(rounds.iter().map(part).collect()))
    };
    time("exec to the first advert, 1000 instances", pick(|startup| startup.first));
    time("exec to the last first advert, 1000 instances", pick(|startup| startup.last));
}

/// Processor time and memory of every process.
pub(crate) fn compare_loads(ours: &Binary, theirs: &Binary) {
    for interval in ["1", "0.1"] {
        for instances in [1, 50, 255, 1000] {
            let loads = [ours, theirs].map(|binary| load(binary, instances, interval, false));
            print_loads(&format!("{instances} instances, advert_int {interval}"), &loads);
        }
    }
    let loads = [ours, theirs].map(|binary| load(binary, 1000, "1", true));
    print_loads("sync group of 1000 instances, advert_int 1", &loads);
}

fn print_loads(title: &str, [ours, theirs]: &[[Load; 2]; 2]) {
    for (role, (ours, theirs)) in ["parent", "VRRP"].iter().zip(ours.iter().zip(theirs)) {
        let processor = [ours.processor, theirs.processor];
        time(&format!("{title}, {role}: processor time in 10 s"), processor);
        #[expect(clippy::cast_precision_loss, reason = "kilobytes of one process")]
        let kilobytes = [ours.memory as f64, theirs.memory as f64];
        row(&format!("{title}, {role}: memory (PSS)"), kilobytes, "kB", 0);
    }
}

/// How much longer than the protocol asks for an address is away when its master is killed.
pub(crate) fn compare_failovers(ours: &Binary, theirs: &Binary) {
    let late = [ours, theirs].map(|binary| failover(binary, FAILOVERS));
    for (name, percent) in [("median", 50), ("95 of 100", 95), ("latest", 100)] {
        let title = format!("address later than Master_Down_Interval, {name}");
        time(&title, late.each_ref().map(|late| percentile(late.clone(), percent)));
    }
}

/// How long it takes to have many addresses, and to announce them.
pub(crate) fn compare_takeovers(ours: &Binary, theirs: &Binary) {
    for (title, measure) in [
        ("20 instances with 10 addresses each", takeover::group as fn(&Binary, usize) -> _),
        ("an instance with 500 addresses", takeover::addresses),
    ] {
        let rounds: [Vec<Takeover>; 2] = [ours, theirs].map(|binary| measure(binary, ROUNDS));
        let pick = |part: fn(&Takeover) -> Duration| {
            rounds.each_ref().map(|rounds| middle(rounds.iter().map(part).collect()))
        };
        time(&format!("{title}: last address"), pick(|takeover| takeover.addresses));
        time(&format!("{title}: last GARP"), pick(|takeover| takeover.announcements));
    }
}

/// How long a reload takes.
pub(crate) fn compare_reloads(ours: &Binary, theirs: &Binary) {
    let reloaded = [ours, theirs].map(|binary| median(|| reload(binary, 1000)));
    time("reload of 1000 instances, one address changed", reloaded);
}

/// How regularly adverts leave.
pub(crate) fn compare_rhythms(ours: &Binary, theirs: &Binary) {
    for (title, dumping) in [("", false), (", dumps meanwhile", true)] {
        let rounds = [ours, theirs].map(|binary| -> Vec<Rhythm> {
            (0..ROUNDS).map(|_| rhythm(binary, 1000, dumping)).collect()
        });
        let pick = |part: fn(&Rhythm) -> Duration| {
            rounds.each_ref().map(|rounds| middle(rounds.iter().map(part).collect()))
        };
        let title = format!("1000 instances, advert_int 0.1{title}");
        time(&format!("{title}: p99 of jitter"), pick(|rhythm| rhythm.p99));
        time(&format!("{title}: longest gap"), pick(|rhythm| rhythm.longest));
    }
}
