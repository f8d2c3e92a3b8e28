//! Doing for one attempt what the checker process does for all of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::config::{Config, Connection};
use crate::probe::{Begun, Job, Kept, Outcome, Probe, Progress, Tools};
use std::os::fd::AsFd;

/// Longer than any answer on loopback takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn connection(to: SocketAddr) -> Connection {
    Connection { to, timeout: PATIENCE, way: None }
}

/// Makes an attempt.
pub(super) fn attempt(job: Job<'_>, connection: &Connection) -> Outcome {
    attempt_again(job, connection, &mut Kept::default())
}

/// Makes an attempt with what is left of the last one.
pub(super) fn attempt_again(job: Job<'_>, connection: &Connection, kept: &mut Kept) -> Outcome {
    let mut tools = Tools::new(&Config::default()).unwrap();
    attempt_with(job, connection, &mut tools, kept)
}

pub(super) fn attempt_with(
    job: Job<'_>,
    connection: &Connection,
    tools: &mut Tools,
    kept: &mut Kept,
) -> Outcome {
    let probe = match Probe::begin(job, connection, tools, kept, Instant::now()).unwrap() {
        Begun::Over(outcome) => return outcome,
        Begun::Going(probe) => probe,
    };
    drive(probe, tools, kept)
}

fn drive(mut probe: Probe, tools: &mut Tools, kept: &mut Kept) -> Outcome {
    let flags = PollFlags::POLLIN | PollFlags::POLLOUT;
    let writable = PollFlags::POLLOUT;
    let mut connecting = true;
    let outcome = loop {
        let wait = probe.deadline().saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap();
        // Edges, as the reactor has them: once there is room to write it is not told of again.
        let wanted = match probe.readiness() {
            runtime::reactor::Readiness::Readable => PollFlags::POLLIN,
            _ if connecting => flags,
            _ => flags.difference(writable),
        };
        let ready = poll(&mut [PollFd::new(probe.as_fd(), wanted)], timeout).unwrap();
        let now = Instant::now();
        if ready != 0 {
            connecting = false;
            if let Progress::Over(outcome) = probe.on_ready(tools, now) {
                break outcome;
            }
        }
        // However much there is to read, the deadline is served as well.
        if let Some(outcome) = probe.on_deadline(now) {
            break outcome;
        }
    };
    probe.finish(&outcome, kept);
    outcome
}
