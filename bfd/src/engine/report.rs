//! What the process tells about itself when it is asked by a signal.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Instant, SystemTime};

use runtime::dump::{self, Copy, Dumping, Dumps, SHARED, Writer};
use runtime::global::{Author, Global};
use runtime::report::{Moment, Report};

use super::live::Live;
use super::{Engine, Source};

/// What stands for a timer of the original that is none here.
const NO_THREAD: &str = "0x(nil)";

impl Dumping for Engine {
    /// Everything that there is to know is the only thing that can be asked for.
    type Dump = ();

    const WRITTEN: Source = Source::Dump;
    const WRITER: Writer = Writer::Bfd;

    fn global(&self) -> &Global {
        &self.global
    }

    fn dumps(&mut self) -> &mut Dumps<()> {
        &mut self.dumps
    }

    fn begin_dump(&mut self, (): ()) -> Option<io::Result<Copy>> {
        let path = dump::state_path(&self.global, Self::WRITER);
        Some(dump::write_apart(path, SHARED, || self.state()))
    }

    fn report(&self, out: &mut Report) {
        let real_time = self.promotion.real_time();
        self.global.report(&Author { real_time, ..Author::new(Self::WRITER) }, out);
        if out.shows_state() {
            out.heading("BFD Data");
            for (multihop, name) in [(false, "fd_in"), (true, "multihop fd_in")] {
                let sockets = self.arrivals.iter().filter(|(kind, _)| kind.multihop == multihop);
                let number = sockets.map(|(_, (socket, _))| OwnedFd::as_raw_fd(socket)).min();
                out.field_if_any(name, number);
            }
            out.field("thread_in", NO_THREAD);
        }
        if self.sessions.is_empty() {
            return;
        }
        out.heading("BFD Topology");
        for live in self.sessions.values() {
            out.field("BFD Instance", &live.ends().name);
            out.inside(|out| report_session(live, out));
        }
    }
}

fn report_session(live: &Live, out: &mut Report) {
    let ends = live.ends();
    let parameters = live.session().parameters();
    out.field("Neighbor IP", ends.neighbor);
    out.field_if_any("Source IP", ends.source);
    for (name, interval) in [
        ("Required min RX interval", parameters.min_rx),
        ("Desired min TX interval", parameters.min_tx),
        ("Desired idle TX interval", parameters.idle_tx),
    ] {
        out.field(name, format_args!("{} us", interval.0));
    }
    out.field("Detection multiplier", parameters.multiplier);
    let ttl = if ends.neighbor.is_ipv4() { "TTL" } else { "hoplimit" };
    out.field(ttl, ends.ttl);
    match ends.max_hops {
        Some(hops) => out.field("max_hops", hops),
        None => out.field("max_hops", -1),
    }
    out.field("passive", parameters.passive);
    let yes_no = |is| if is { "Yes" } else { "No" };
    out.field("send event to VRRP process", yes_no(ends.vrrp));
    out.field("send event to checker process", yes_no(ends.checker));
    if !out.shows_state() {
        return;
    }
    out.line(format_args!("fd_out {}", live.descriptor().unwrap_or(-1)));
    out.line(format_args!("thread_open_fd_out {NO_THREAD}"));
    for timer in ["out", "exp", "rst"] {
        out.line(format_args!("thread_{timer} {NO_THREAD}"));
        out.field(&format!("sands_{timer}"), "[disabled]");
    }
    out.field("send error", live.is_failing());
    live.session().report(out);
    match live.session().heard() {
        None => out.field("last_seen", "[never]"),
        Some(at) => {
            let ago = Instant::now().saturating_duration_since(at);
            out.field("last seen", Moment(SystemTime::now() - ago).dated_before_fraction());
        }
    }
}
