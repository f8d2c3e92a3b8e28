//! Sessions of BFD: what they cost, whether they hold, and how fast a backup takes over by them.

use lab::Binary;

use crate::sessions::{Cost, Hold, cost, hold_under_load, lateness, takeover};
use crate::table::{ROUNDS, middle, row, time};

/// What sessions cost, and how late they fall.
pub(crate) fn compare_sessions(ours: &Binary, theirs: &Binary) {
    for interval in [50, 10] {
        for count in [10, 100, 500] {
            let costs = [ours, theirs].map(|binary| cost(binary, count, interval));
            let title = format!("{count} sessions at {interval} ms");
            let micros = costs.each_ref().map(|cost| cost.packet.as_secs_f64() * 1e6);
            row(&format!("{title}: processor, a packet"), micros, "us", 2);
            #[expect(clippy::cast_precision_loss, reason = "they are small")]
            let pair = |pick: fn(&Cost) -> u64| costs.each_ref().map(|cost| pick(cost) as f64);
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
}

/// Whether sessions hold while every processor is busy. A machine that is one of many on another stands still at times: what
/// falls by that is told apart.
pub(crate) fn compare_holds(ours: &Binary, theirs: &Binary) {
    let holds = [ours, theirs].map(hold_under_load);
    let title = "100 sessions at 10 ms, busy for 60 s";
    #[expect(clippy::cast_precision_loss, reason = "they are small")]
    let falls = |pick: fn(&Hold) -> usize| holds.each_ref().map(|hold| pick(hold) as f64);
    row(&format!("{title}: false downs"), falls(|hold| hold.falls), "  ", 0);
    row(&format!("{title}: no stall near"), falls(|hold| hold.unexcused), "  ", 0);
    time(&format!("{title}: stalls in 200 ms"), holds.each_ref().map(|hold| hold.stall));
}

/// How soon a backup has the address when the sessions with the master fall. C waits for its adverts all the same.
pub(crate) fn compare_takeovers(ours: &Binary, theirs: &Binary) {
    let takeovers = [(ours, true, 20), (theirs, false, ROUNDS)]
        .map(|(binary, extension, rounds)| middle(takeover(binary, extension, rounds)));
    time("master killed to address, BFD 10 ms x 3, median", takeovers);
}
