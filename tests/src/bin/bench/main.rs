//! `make bench`: the binary under test beside the C daemon, in one run, on one machine.
//!
//! Prints one table: what was measured, both figures, and how the first relates to the second. The argument `only-lvs`,
//! `only-vrrp`, `only-bfd` or `only-holds` leaves out what is not about virtual servers, VRRP, sessions, or whether sessions
//! hold on a busy machine.

mod lvs;
mod measures;
mod sessions;
mod stalls;
mod subject;
mod takeover;

use std::time::Duration;

use lab::Binary;

use measures::{Rhythm, Startup, check, failover, load, reload, rhythm, startup};
use sessions::{Cost, Hold, cost, hold_under_load, lateness, takeover};
use takeover::Takeover;

/// How often what varies is measured.
const ROUNDS: usize = 5;

fn main() {
    let (ours, theirs) = (Binary::under_test(), Binary::peer());
    let part = std::env::args().nth(1);
    if part.as_deref() == Some(lvs::INSIDE) {
        return lvs::inside(&ours, &theirs);
    }
    println!("ours: {} {}", ours.version(), ours.path().display());
    println!("C:    {} {}\n", theirs.version(), theirs.path().display());
    println!("{:54} {:>12} {:>12} {:>7}", "", "ours", "C", "ratio");

    let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if wanted("only-lvs") {
        lvs::measure(&ours, &theirs);
    }
    if wanted("only-vrrp") {
        compare_vrrp(&ours, &theirs);
    }
    if wanted("only-bfd") {
        compare_sessions(&ours, &theirs);
    } else if wanted("only-holds") {
        compare_holds(&ours, &theirs);
    }
}

fn compare_vrrp(ours: &Binary, theirs: &Binary) {
    let binaries = [ours, theirs];
    for instances in [1, 255, 1000, 5000] {
        let [ours, theirs] =
            [&ours, &theirs].map(|binary| median(ROUNDS, || check(binary, instances)));
        time(&format!("-t, {instances} instances"), ours, theirs);
    }
    let [ours_start, their_start] = [&ours, &theirs].map(|binary| {
        let rounds: Vec<Startup> = (0..ROUNDS).map(|_| startup(binary, 1000)).collect();
        let pick = |part: fn(&Startup) -> Duration| middle(rounds.iter().map(part).collect());
        Startup { first: pick(|startup| startup.first), last: pick(|startup| startup.last) }
    });
    time("exec to the first advert, 1000 instances", ours_start.first, their_start.first);
    time("exec to the last first advert, 1000 instances", ours_start.last, their_start.last);
    for interval in ["1", "0.1"] {
        for instances in [1, 50, 255, 1000] {
            compare_load(ours, theirs, instances, interval);
        }
    }
    let [ours, theirs] = [ours, theirs].map(|binary| failover(binary, 2 * ROUNDS));
    time(
        "address later than Master_Down_Interval, median",
        middle(ours.clone()),
        middle(theirs.clone()),
    );
    let latest = |times: Vec<Duration>| times.into_iter().max().unwrap_or_default();
    time("address later than Master_Down_Interval, latest", latest(ours), latest(theirs));
    for (title, measure) in [
        ("20 instances with 10 addresses each", takeover::group as fn(&Binary, usize) -> _),
        ("an instance with 500 addresses", takeover::addresses),
    ] {
        let [ours, theirs] = binaries.map(|binary| measure(binary, ROUNDS));
        let pick = |part: fn(&Takeover) -> Duration, all: &[Takeover]| {
            middle(all.iter().map(part).collect())
        };
        let there: fn(&Takeover) -> Duration = |takeover| takeover.addresses;
        let told: fn(&Takeover) -> Duration = |takeover| takeover.announcements;
        time(&format!("{title}: last address"), pick(there, &ours), pick(there, &theirs));
        time(&format!("{title}: last GARP"), pick(told, &ours), pick(told, &theirs));
    }
    let [ours_reload, their_reload] =
        binaries.map(|binary| median(ROUNDS, || reload(binary, 1000)));
    time("reload of 1000 instances, one address changed", ours_reload, their_reload);
    type Part = fn(&Rhythm) -> Duration;
    let parts: [(&str, Part); 2] =
        [("p99 of jitter", |rhythm| rhythm.p99), ("longest gap", |rhythm| rhythm.longest)];
    for (title, dumping) in [("", false), (", dumps meanwhile", true)] {
        let rounds = binaries.map(|binary| -> Vec<Rhythm> {
            (0..ROUNDS).map(|_| rhythm(binary, 1000, dumping)).collect()
        });
        for (what, part) in parts {
            let [ours, theirs] =
                [&rounds[0], &rounds[1]].map(|all| middle(all.iter().map(part).collect()));
            time(&format!("1000 instances, advert_int 0.1{title}: {what}"), ours, theirs);
        }
    }
}

/// Sessions of BFD: what they cost, whether they hold, and how fast a backup takes over by them.
fn compare_sessions(ours: &Binary, theirs: &Binary) {
    for interval in [50, 10] {
        for count in [10, 100, 500] {
            let [ours, theirs] = [ours, theirs].map(|binary| cost(binary, count, interval));
            let title = format!("{count} sessions at {interval} ms");
            let micros = |cost: &Cost| cost.packet.as_secs_f64() * 1e6;
            row(
                &format!("{title}: processor, a packet"),
                [micros(&ours), micros(&theirs)],
                "us",
                2,
            );
            #[expect(clippy::cast_precision_loss, reason = "they are small")]
            let pair = |pick: fn(&Cost) -> u64| [pick(&ours) as f64, pick(&theirs) as f64];
            row(&format!("{title}: packets"), pair(|cost| cost.rate), "/s", 0);
            row(&format!("{title}: memory (PSS)"), pair(|cost| cost.memory), "kB", 0);
            let falls = pair(|cost| u64::try_from(cost.falls).unwrap_or(u64::MAX));
            row(&format!("{title}: false downs"), falls, "  ", 0);
        }
    }
    let late = [ours, theirs].map(lateness);
    let pick = |at: fn(&[f64]) -> Option<&f64>| {
        late.each_ref().map(|late| at(late).copied().unwrap_or(f64::NAN))
    };
    row(
        "fall after the detection time of 250 ms, median",
        pick(|late| late.get(late.len() / 2)),
        "ms",
        2,
    );
    row("fall after the detection time of 250 ms, earliest", pick(<[f64]>::first), "ms", 2);
    compare_holds(ours, theirs);
    let takeovers = [(ours, true, 20), (theirs, false, ROUNDS)]
        .map(|(binary, extension, rounds)| middle(takeover(binary, extension, rounds)));
    time("master killed to address, BFD 10 ms x 3, median", takeovers[0], takeovers[1]);
}

/// Whether sessions hold while every processor is busy. A machine that is one of many on another stands still at times: what
/// falls by that is told apart.
fn compare_holds(ours: &Binary, theirs: &Binary) {
    let holds = [ours, theirs].map(hold_under_load);
    let title = "100 sessions at 10 ms, busy for 60 s";
    #[expect(clippy::cast_precision_loss, reason = "they are small")]
    let falls = |pick: fn(&Hold) -> usize| holds.each_ref().map(|hold| pick(hold) as f64);
    row(&format!("{title}: false downs"), falls(|hold| hold.falls), "  ", 0);
    row(&format!("{title}: no stall near"), falls(|hold| hold.unexcused), "  ", 0);
    time(&format!("{title}: stalls in 200 ms"), holds[0].stall, holds[1].stall);
}

/// Processor time and memory of every process, side by side.
fn compare_load(ours: &Binary, theirs: &Binary, instances: usize, interval: &str) {
    let [ours, theirs] = [ours, theirs].map(|binary| load(binary, instances, interval));
    for (role, (ours, theirs)) in ["parent", "VRRP"].iter().zip(ours.iter().zip(&theirs)) {
        let title = format!("{instances} instances, advert_int {interval}, {role}");
        time(&format!("{title}: processor time in 10 s"), ours.processor, theirs.processor);
        #[expect(clippy::cast_precision_loss, reason = "kilobytes of one process")]
        let kilobytes = [ours.memory as f64, theirs.memory as f64];
        row(&format!("{title}: memory (PSS)"), kilobytes, "kB", 0);
    }
}

fn median(rounds: usize, measure: impl FnMut() -> Duration) -> Duration {
    middle(std::iter::repeat_with(measure).take(rounds).collect())
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn time(title: &str, ours: Duration, theirs: Duration) {
    row(title, [ours, theirs].map(|time| time.as_secs_f64() * 1e3), "ms", 2);
}

fn row(title: &str, [ours, theirs]: [f64; 2], unit: &str, digits: usize) {
    let ratio = if theirs > 0.0 { format!("{:.2}", ours / theirs) } else { "-".to_owned() };
    println!("{title:54} {ours:>9.digits$} {unit} {theirs:>9.digits$} {unit} {ratio:>7}");
}
