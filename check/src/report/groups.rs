//! Groups of addresses and marks in dumps.

use std::net::IpAddr;

use runtime::report::{Report, yes_no};

use super::{PoolState, Snapshot};
use crate::config::group::Entry;
use crate::config::{Config, Family, Group, GroupId, Protocol, Service, VirtualServer};

/// How many destinations the kernel has behind an entry, over all virtual servers that use it.
#[derive(Clone, Copy, Debug, Default)]
struct Alive {
    tcp: usize,
    udp: usize,
    sctp: usize,
    inet: usize,
    inet6: usize,
}

pub(super) fn report_group(
    config: &Config,
    snapshot: &Snapshot,
    id: GroupId,
    group: &Group,
    out: &mut Report,
) {
    out.line("------< Virtual server group >------");
    let has = |family| yes_no(group.has(family));
    let families = format!("IPv4 = {}, IPv6 = {}", has(Family::Inet), has(Family::Inet6));
    out.field("Virtual Server Group", format_args!("{}, {families}", group.name));
    let marks = snapshot.marks.iter().find(|(of, _)| *of == id).map(|(_, marks)| *marks);
    if let Some([tcp, udp, sctp]) = marks.filter(|marks| *marks != [0; 3]) {
        out.line(format_args!(" Fwmark TCP: {tcp} UDP: {udp} SCTP: {sctp}"));
    }
    // Behind a mark of ours the kernel knows no addresses.
    let alive = match marks {
        Some(marks) if marks != [0; 3] => Alive::default(),
        _ => alive(config, snapshot, id),
    };
    out.inside(|out| {
        // Addresses come before marks, whatever their order in the file.
        let entries = group.entries.iter().zip(kept_entries(config, snapshot, id, group));
        let (marks, addresses): (Vec<_>, Vec<_>) =
            entries.partition(|(entry, _): &(&Entry, bool)| entry.is_mark());
        for (entry, kept) in addresses.into_iter().chain(marks) {
            report_entry(entry, alive, kept, out);
        }
    });
}

fn report_entry(entry: &Entry, alive: Alive, kept: bool, out: &mut Report) {
    let counts = match *entry {
        Entry::Mark { mark, family } => {
            let family = match family {
                None => "",
                Some(Family::Inet) => " IPv4",
                Some(Family::Inet6) => " IPv6",
            };
            out.field("FWMARK", format_args!("{mark}{family}"));
            format!("{} IPv4, {} IPv6", alive.inet, alive.inet6)
        }
        Entry::Range { first, last, port } => {
            report_range(first, last, port, out);
            format!("{} tcp, {} udp, {} sctp", alive.tcp, alive.udp, alive.sctp)
        }
    };
    out.inside(|out| {
        out.line(format_args!("Alive: {counts}"));
        out.field("reloaded", if kept { "True" } else { "False" });
    });
}

fn report_range(first: IpAddr, last: IpAddr, port: Option<u16>, out: &mut Report) {
    let port = port.unwrap_or(0);
    if first == last {
        out.field("VIP", format_args!("{first}, VPORT = {port}"));
    } else {
        out.field("VIP Range", format_args!("{first}-{last}, VPORT = {port}"));
    }
}

/// The virtual servers that use a group.
fn members<'a>(
    config: &'a Config,
    snapshot: &'a Snapshot,
    id: GroupId,
) -> impl Iterator<Item = (&'a VirtualServer, &'a PoolState)> {
    let pools = config.virtual_servers.iter().zip(&snapshot.pools);
    pools.filter(move |(server, _)| server.service == Service::Group(id))
}

/// For each entry of a group whether some virtual server had it before the last reload.
fn kept_entries(config: &Config, snapshot: &Snapshot, id: GroupId, group: &Group) -> Vec<bool> {
    let is_kept = |place: usize| {
        members(config, snapshot, id)
            .any(|(_, state)| state.kept_entries.get(place).copied().unwrap_or(false))
    };
    (0..group.entries.len()).map(is_kept).collect()
}

fn alive(config: &Config, snapshot: &Snapshot, id: GroupId) -> Alive {
    members(config, snapshot, id).fold(Alive::default(), |mut alive, (server, state)| {
        alive.add(server, state);
        alive
    })
}

impl Alive {
    fn add(&mut self, server: &VirtualServer, state: &PoolState) {
        let servers = state.servers.iter().filter(|server| server.set).count();
        let count = servers + usize::from(state.sorry.set);
        match server.protocol {
            Some(Protocol::Tcp) => self.tcp += count,
            Some(Protocol::Udp) => self.udp += count,
            Some(Protocol::Sctp) => self.sctp += count,
            None => {}
        }
        match server.family {
            Some(Family::Inet) => self.inet += count,
            // One of both families, or of an unknown one, is counted as 2.4.3 counts it.
            Some(Family::Inet6) | None => self.inet6 += count,
        }
    }
}
