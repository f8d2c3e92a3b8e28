//! What single keywords do that no other test shows: on the wire, in the kernel, in processes, scripts and logs. Where
//! each keyword of the documentation is tested says `doc/keyword-tests.md`.

mod kernel;
mod notify;
mod process;
mod receive;
mod sessions;
mod track;
mod wire;

use std::time::{Duration, SystemTime};

use lab::{Binary, Captured, Content, Daemon, Lan, Mark, PATIENCE};

/// An instance on eth0 with the address 10.9.0.*vrid*, and with `lines`.
fn instance(name: &str, vrid: u8, lines: &str) -> String {
    format!(
        "vrrp_instance {name} {{
    interface eth0
    virtual_router_id {vrid}
    version 3
    advert_int 0.1
    virtual_ipaddress {{
        10.9.0.{vrid}/24
    }}
{lines}
}}\n"
    )
}

fn globals(lines: &str) -> String {
    format!("global_defs {{\n{lines}\n}}\n")
}

/// A daemon on the first node of `lan`.
fn start(lan: &Lan, config: &str) -> Daemon {
    Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config)
}

/// Waits until these instances have become master.
#[track_caller]
fn await_masters(daemon: &Daemon, names: &[&str]) {
    for name in names {
        daemon.await_log(Mark::default(), &format!("({name}) Entering MASTER STATE"));
    }
}

/// Whether the log says `text` after `mark`.
fn says(daemon: &Daemon, mark: Mark, text: &str) -> bool {
    daemon.log().since(mark).iter().any(|line| line.text.contains(text))
}

/// Whether the frame announces `address`.
fn announces(captured: &Captured, address: &str) -> bool {
    let (Content::Arp(claim) | Content::NeighbourAdvert(claim)) = &captured.frame.content else {
        return false;
    };
    claim.gratuitous && claim.address.to_string() == address
}

/// When the first `count` frames that `wanted` takes were sent since `mark`.
#[track_caller]
fn await_frames(
    lan: &Lan,
    mark: Mark,
    count: usize,
    mut wanted: impl FnMut(&Captured) -> bool,
) -> Vec<SystemTime> {
    let mut times = Vec::new();
    lan.capture().frames().wait(mark, PATIENCE, |captured| {
        if wanted(captured) {
            times.push(captured.at);
        }
        (times.len() >= count).then_some(())
    });
    assert_eq!(times.len(), count, "so many were sent");
    times
}

/// From one moment to a later one.
fn between(first: SystemTime, second: SystemTime) -> Duration {
    second.duration_since(first).unwrap_or_default()
}
