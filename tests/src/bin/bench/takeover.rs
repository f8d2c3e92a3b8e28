//! How long a new master takes with many addresses.

use std::time::{Duration, SystemTime};

use lab::{Binary, Content, Float, PATIENCE, Pair};

/// From the first advert of the new master on.
#[derive(Clone, Copy)]
pub(crate) struct Takeover {
    /// Until its last address is there.
    pub(crate) addresses: Duration,
    /// Until its last address was announced for the first time.
    pub(crate) announcements: Duration,
}

/// A sync group of 20 instances with 10 addresses each.
pub(crate) fn group(binary: &Binary, rounds: usize) -> Vec<Takeover> {
    let text = |priority: u8| {
        let names: String = (1..=20).map(|number| format!("        router{number}\n")).collect();
        let instances: String = (1..=20_u8)
            .map(|number| {
                let addresses = (1..=10).map(|last| format!("10.9.{number}.{last}"));
                instance(number, priority, addresses)
            })
            .collect();
        format!("vrrp_sync_group all {{\n    group {{\n{names}    }}\n}}\n{instances}")
    };
    let addresses = (1..=20).flat_map(|number| (1..=10).map(move |last| (number, last)));
    takeovers(binary, text, addresses.collect(), rounds)
}

/// One instance with 500 addresses.
pub(crate) fn addresses(binary: &Binary, rounds: usize) -> Vec<Takeover> {
    let all: Vec<(u8, u8)> =
        (1..=2).flat_map(|number| (1..=250).map(move |last| (number, last))).collect();
    let listed = all.clone();
    let text = move |priority: u8| {
        instance(1, priority, listed.iter().map(|(number, last)| format!("10.9.{number}.{last}")))
    };
    takeovers(binary, text, all, rounds)
}

/// The first address is carried by adverts, the others are not.
fn instance(vrid: u8, priority: u8, mut addresses: impl Iterator<Item = String>) -> String {
    let first = addresses.next().unwrap_or_default();
    let others: String = addresses.map(|address| format!("        {address}/32\n")).collect();
    format!(
        "vrrp_instance router{vrid} {{
    interface eth0
    virtual_router_id {vrid}
    version 3
    priority {priority}
    advert_int 0.2
    garp_master_repeat 1
    garp_master_delay 0
    virtual_ipaddress {{
        {first}/32
    }}
    virtual_ipaddress_excluded {{
{others}    }}
}}\n"
    )
}

fn takeovers(
    binary: &Binary,
    text: impl Fn(u8) -> String,
    addresses: Vec<(u8, u8)>,
    rounds: usize,
) -> Vec<Takeover> {
    let parse = |&(number, last): &(u8, u8)| std::net::IpAddr::from([10, 9, number, last]);
    let float = Float { vrid: 1, addresses: addresses.iter().map(parse).collect() };
    let mut pair = Pair::new([binary.clone(), binary.clone()], [text(150), text(100)]).silent();
    pair.start(1);
    (0..rounds)
        .map(|_| {
            pair.start(0);
            pair.await_master(&float, 0);
            let (mark, left) = (pair.lan().capture().frames().mark(), SystemTime::now());
            pair.terminate(0);
            pair.await_addresses(&float, 1, true);
            let frames = pair.lan().capture().frames();
            let mut missing: Vec<std::net::IpAddr> = float.addresses.clone();
            let mut first = None;
            let last = frames.wait(mark, PATIENCE, |captured| {
                if pair.lan().sender(captured) != Some(1) {
                    return None;
                }
                match &captured.frame.content {
                    Content::Advert(_) => drop(first.get_or_insert(captured.at)),
                    Content::Arp(claim) => missing.retain(|address| *address != claim.address),
                    _ => {}
                }
                missing.is_empty().then_some(captured.at)
            });
            let events = pair.lan().nodes()[1].addresses().events().all();
            let there = events.iter().filter(|event| event.present && event.at > left);
            let there = there.map(|event| event.at).max();
            pair.ended(0);
            let since = |at: Option<SystemTime>| {
                at.zip(first).and_then(|(at, first)| at.duration_since(first).ok())
            };
            Takeover {
                addresses: since(there).unwrap_or_default(),
                announcements: since(last).unwrap_or_default(),
            }
        })
        .collect()
}
