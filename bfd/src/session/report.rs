//! The state of a session in a dump.

use std::time::Duration;

use runtime::report::Report;

use super::Session;
use crate::packet::{Micros, State};

impl Session {
    /// Writes what the session knows of both sides, in the words of the original.
    pub(crate) fn report(&self, out: &mut Report) {
        let Self { remote, .. } = self;
        out.field("local state", name(self.state));
        out.field("remote state", name(remote.state));
        out.field("local discriminator", format_args!("{:#x}", self.discriminator));
        out.field("remote discriminator", format_args!("{:#x}", remote.discriminator));
        out.field("local diag", self.diagnostic);
        out.field("remote diag", remote.diagnostic);
        out.field("remote min tx intv", interval(Duration::from_micros(remote.min_tx.0.into())));
        let min_rx = if self.heard.is_some() { remote.min_rx.0 } else { 0 };
        out.field("remote min rx intv", interval(Duration::from_micros(min_rx.into())));
        out.field("local demand", u8::from(self.demands()));
        out.field("remote demand", u8::from(remote.demand));
        out.field("remote detect multiplier", remote.multiplier);
        let poll = if self.polling { "poll" } else { "!poll" };
        // Answers leave at once.
        out.line(format_args!("{poll}, !final"));
        out.field("local tx intv", interval(self.transmit_interval()));
        out.field("remote tx intv", interval(self.remote_interval()));
        out.field("local detection time", interval(self.detection_time()));
        let remote_detection = self.transmit_interval() * u32::from(self.parameters.multiplier);
        let remote_detection = if self.heard.is_some() { remote_detection } else { Duration::ZERO };
        out.field("remote detection time", interval(remote_detection));
    }

    /// What both sides have agreed on, as a table of four lines in the words of the original.
    pub(crate) fn interval_table(&self, name: &str) -> [String; 4] {
        let Self { parameters, remote, .. } = self;
        let indent = " ".repeat(name.len() + 2);
        let min_tx = if self.state == State::Up { parameters.min_tx } else { parameters.idle_tx };
        let row = |side: &str, tx: Micros, rx: Micros, interval: Duration, multiplier: u8| {
            let (tx, rx, interval) = (tx.0, rx.0, interval.as_micros());
            format!("{indent} {side:6} {tx:>8} {rx:>7} {interval:>8} {multiplier:>5}")
        };
        let ours = self.transmit_interval();
        let local = row("local", min_tx, parameters.min_rx, ours, parameters.multiplier);
        let theirs = self.remote_interval();
        let far = row("remote", remote.min_tx, remote.min_rx, theirs, remote.multiplier);
        let remote_detection = ours * u32::from(parameters.multiplier);
        [
            format!("({name}) ---------------< Session parameters >--------------"),
            format!("{indent}          min_tx  min_rx  tx_intv  mult  detect_time"),
            format!("{local} {:>12}", self.detection_time().as_micros()),
            format!("{far} {:>12}", remote_detection.as_micros()),
        ]
    }

    /// How often the other side sends; zero before anything was heard.
    pub(super) fn remote_interval(&self) -> Duration {
        match self.remote.multiplier {
            0 => Duration::ZERO,
            multiplier => self.detection_time() / u32::from(multiplier),
        }
    }
}

fn interval(time: Duration) -> String {
    format!("{} us", time.as_micros())
}

fn name(state: State) -> &'static str {
    match state {
        State::AdminDown => "AdminDown",
        State::Down => "Down",
        State::Init => "Init",
        State::Up => "Up",
    }
}
