//! The machine's interfaces.

use std::collections::BTreeSet;
use std::net::IpAddr;

use runtime::machine::{Hardware, IfIndex, Ipvlan, Link, LinkFlags};
use runtime::report::Report;

use super::super::{Engine, own_links};
use super::Clocks;
use super::trackers::report_dependants;
use crate::announce::Pace;
use crate::config::link::LinkbeatMethod;
use crate::interfaces::Interface;
use crate::kernel::sysctl::{Knob, Setting};
use crate::track::Weighting;

/// What stands for the weight of an interface that an instance is on, but does not depend on.
const NOT_TRACKED: i32 = 255;

impl Engine {
    /// What is there, then what is named but missing, then what is ours, there or not.
    pub(super) fn report_interfaces(&self, clocks: Clocks, out: &mut Report) {
        out.heading("Interfaces");
        let (ours, others): (Vec<&Interface>, Vec<&Interface>) =
            self.interfaces.iter().partition(|one| self.own_links.is_ours(one.link().index));
        let dependants = self.interface_dependants();
        for interface in others {
            self.report_link(interface, false, &dependants, clocks, out);
        }
        let missing = self.named_interfaces();
        for name in missing.into_iter().filter(|name| self.interfaces.by_name(name).is_none()) {
            out.field("Name", name);
            out.inside(|out| {
                out.field("index", "0 (deleted)");
                report_dependants("Tracking VRRP instances :", &dependants(name), out);
            });
        }
        for interface in ours {
            self.report_link(interface, true, &dependants, clocks, out);
        }
        for name in self.own_links.names() {
            if self.interfaces.by_name(name).is_some() {
                continue;
            }
            out.field("Name", name);
            out.inside(|out| {
                out.field("index", "0 (deleted)");
                out.line("I/f created by keepalived");
                report_dependants("Tracking VRRP instances :", &dependants(name), out);
            });
        }
    }

    /// The names of all interfaces that instances need.
    fn named_interfaces(&self) -> BTreeSet<&str> {
        let instances = self.config.instances.iter();
        let of_instances = instances.flat_map(|instance| {
            let addresses = instance.all_addresses();
            let of_addresses = addresses.filter_map(|address| address.interface.as_deref());
            let tracked = instance.trackers.interfaces.iter().map(|one| one.what.as_str());
            instance.interface.as_deref().into_iter().chain(of_addresses).chain(tracked)
        });
        let groups = self.config.groups.iter().flat_map(|group| &group.trackers.interfaces);
        of_instances.chain(groups.map(|tracker| tracker.what.as_str())).collect()
    }

    /// Finds those who depend on an interface. Those that are on it come first.
    fn interface_dependants<'a>(&'a self) -> impl Fn(&str) -> Vec<(&'a str, Weighting)> {
        let tracking = self.dependants_of(|trackers| &trackers.interfaces);
        move |name| {
            let mut found = tracking(&name.to_owned());
            for instance in self.instances.iter() {
                let (config, links) = (&instance.config, &self.own_links);
                let on_it = own_links::of_adverts(config, links) == Some(name)
                    || !config.track_primary && config.interface.as_deref() == Some(name);
                let has_address = own_links::of_addresses(config, links).any(|own| own == name);
                let known = found.iter().any(|(known, _)| *known == instance.name());
                if (on_it || has_address) && !known {
                    let is_needed = config.track_primary || has_address;
                    let weight = if is_needed { 0 } else { NOT_TRACKED };
                    found.push((instance.name(), Weighting { weight, reverse: false }));
                }
            }
            let place = |name: &str| {
                self.config.instances.iter().position(|instance| instance.name == name)
            };
            found.sort_by_key(|(instance, weighting)| {
                let by_group = weighting.weight != 0 && weighting.weight != NOT_TRACKED;
                (by_group, place(instance))
            });
            found
        }
    }

    fn report_link<'a>(
        &'a self,
        interface: &Interface,
        ours: bool,
        dependants: &impl Fn(&str) -> Vec<(&'a str, Weighting)>,
        clocks: Clocks,
        out: &mut Report,
    ) {
        let link = interface.link();
        out.field("Name", &link.name);
        out.inside(|out| {
            out.field("index", link.index);
            report_addresses(interface, out);
            if link.mac.iter().any(|&octet| octet != 0) {
                out.field("MAC", hardware_address(&link.mac));
                out.field("MAC broadcast", hardware_address(&link.broadcast));
            }
            let base = self.interfaces.get(self.interfaces.base(link.index)).map(Interface::link);
            let base = base.filter(|base| base.index != link.index);
            out.field("State", state(link, base));
            self.report_link_delays(link, out);
            out.field("Group", link.group);
            report_kind(link, base, out);
            out.line_if(ours, "I/f created by keepalived");
            let changeable = !ours && self.global.vrrp.allow_if_changes && !link.is_loopback();
            out.line_if(changeable, "Interface type/base can be changed");
            out.field("MTU", link.mtu);
            match link.hardware {
                Hardware::LOOPBACK => out.field("HW Type", "LOOPBACK"),
                Hardware::ETHERNET => out.field("HW Type", "ETHERNET"),
                Hardware::INFINIBAND => out.field("HW Type", "INFINIBAND"),
                Hardware(number) => out.field("HW Type", format_args!("UNKNOWN ({number})")),
            }
            self.report_linkbeat(link, out);
            if link.is_vrf() {
                let table = link.vrf_table.unwrap_or(0);
                out.line(format_args!("VRF master table {table}"));
            } else if let Some(vrf) = self.interfaces.vrf(link.index) {
                out.line(format_args!("VRF slave of {}", vrf.link().name));
            }
            report_pace(self.pace_of(&link.name), out);
            self.report_settings(link.index, ours, out);
            self.report_forwarding(&link.name, clocks, out);
            report_dependants("Tracking VRRP instances :", &dependants(&link.name), out);
        });
    }

    fn report_link_delays(&self, link: &Link, out: &mut Report) {
        out.field("Seen up", u8::from(self.links.has_been_up(link.index)));
        out.field("Delayed state change running", self.links.is_held(link.index));
        // A VMAC of an instance has the delays of the interface below it.
        let is_vmac = self.instances.iter().any(|instance| instance.own == Some(link.index));
        let delayed = if is_vmac { self.interfaces.base(link.index) } else { link.index };
        let name = self.interface_name(delayed);
        let delay = self.config.delays.iter().find(|delay| delay.interface == name);
        let micros = |time: std::time::Duration| format!("{}us", time.as_micros());
        let (up, down) = delay.map_or_else(Default::default, |delay| (delay.up, delay.down));
        out.field("Up debounce timer", micros(up));
        out.field("Down debounce timer", micros(down));
    }

    fn report_linkbeat(&self, link: &Link, out: &mut Report) {
        let polled = self.config.linkbeat.iter().any(|one| one.interface == link.name);
        let text = match self.links.method(&link.name) {
            _ if !polled => "NIC netlink status update",
            Some(LinkbeatMethod::Mii) => "NIC support MII regs",
            Some(LinkbeatMethod::Ethtool) => "NIC support ETHTOOL GLINK interface",
            Some(LinkbeatMethod::Ioctl) | None => "NIC ioctl refresh polling",
        };
        out.line(text);
    }

    /// Settings of the kernel that we have changed, as they were before.
    fn report_settings(&self, index: IfIndex, ours: bool, out: &mut Report) {
        let before = |knob| self.settings.before(Setting::Interface(index, knob));
        let changed = before(Knob::ArpIgnore).is_some() || before(Knob::ArpFilter).is_some();
        // Interfaces of ours go, so nothing will be put back.
        out.line(format_args!("Reset ARP config counter {}", u8::from(changed && !ours)));
        let ignore = before(Knob::ArpIgnore).unwrap_or(0);
        out.line(format_args!("Original arp_ignore {ignore}"));
        let filter = before(Knob::ArpFilter).unwrap_or(0);
        out.line(format_args!("Original arp_filter {filter}"));
        if ours || self.carries_ours(index) {
            let value = before(Knob::RpFilter).unwrap_or(0);
            out.line(format_args!("rp_filter {value}"));
        }
        let promote = before(Knob::PromoteSecondaries);
        out.line(format_args!("Original promote_secondaries {}", promote.unwrap_or(0)));
        let counter = u8::from(promote.is_some() && !ours);
        out.line(format_args!("Reset promote_secondaries counter {counter}"));
    }

    /// Whether an interface of ours stands on this one.
    fn carries_ours(&self, index: IfIndex) -> bool {
        let mut ours = self.interfaces.iter().map(|it| it.link().index);
        ours.any(|own| {
            own != index && self.own_links.is_ours(own) && self.interfaces.base(own) == index
        })
    }

    /// What neighbour advertisements have to say.
    fn report_forwarding(&self, name: &str, clocks: Clocks, out: &mut Report) {
        let Some((checked, forwards)) = self.frames.forwarding(name) else { return };
        let not = if forwards { "" } else { "Not " };
        let when = clocks.moment(checked).dated_before_fraction();
        out.line(format_args!("{not}IPv6 forwarding. Last checked {when}"));
    }
}

fn report_addresses(interface: &Interface, out: &mut Report) {
    let all = interface.usable_sources();
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = all.partition(IpAddr::is_ipv4);
    for (family, addresses) in [("IPv4", v4), ("IPv6", v6)] {
        let name = format!("{family} address");
        match addresses.split_first() {
            None => out.field(&name, "(none)"),
            Some((first, more)) => {
                out.field(&name, first);
                out.list(&format!("Additional {family} addresses :"), more);
            }
        }
    }
}

fn hardware_address(octets: &[u8]) -> String {
    let octets: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    octets.join(":")
}

/// What `base`, on which it stands, means to it belongs to it.
fn state(link: &Link, base: Option<&Link>) -> String {
    let has = |flag| link.flags.contains(flag);
    let mut text = up_and_running(link);
    for (is, word) in [
        (!has(LinkFlags::BROADCAST), ", no broadcast"),
        (has(LinkFlags::LOOPBACK), ", loopback"),
        (has(LinkFlags::POINT_TO_POINT), ", point to point"),
        (has(LinkFlags::NO_ARP), ", no arp"),
        (!has(LinkFlags::MULTICAST), ", no multicast"),
        (base.is_some_and(|base| !base.flags.contains(LinkFlags::UP)), ", master down"),
    ] {
        if is {
            text.push_str(word);
        }
    }
    text
}

fn up_and_running(link: &Link) -> String {
    let not = |flag| if link.flags.contains(flag) { "" } else { "not " };
    format!("{}UP, {}RUNNING", not(LinkFlags::UP), not(LinkFlags::RUNNING))
}

/// What an ipvlan works on, and how it reaches its siblings.
fn ipvlan_mode(ipvlan: Option<Ipvlan>) -> String {
    let Some(Ipvlan { mode, flags }) = ipvlan else { return "unknown mode unknown".to_owned() };
    let mode = match mode {
        0 => "L2",
        1 => "L3",
        2 => "L3S",
        _ => "unknown mode",
    };
    let way = match flags {
        0 => "bridge",
        1 => "private",
        2 => "vepa",
        _ => "unknown",
    };
    format!("{mode} {way}")
}

fn report_kind(link: &Link, base: Option<&Link>, out: &mut Report) {
    let (kind, mode) = match link.kind.as_str() {
        "macvlan" | "macvtap" => {
            let mode = match link.macvlan_mode {
                Some(1) => "private",
                Some(2) => "vepa",
                Some(4) => "bridge",
                Some(8) => "passthru",
                Some(16) => "source",
                _ => "unknown",
            };
            ("VMAC", mode.to_owned())
        }
        "ipvlan" => ("IPVLAN", ipvlan_mode(link.ipvlan)),
        _ => return,
    };
    match (base, link.parent) {
        (Some(base), _) => {
            let (name, state) = (&base.name, up_and_running(base));
            let text =
                format!("{kind} type {mode}, underlying interface = {name}, state = {state}");
            out.line(text);
        }
        (None, Some(parent)) => {
            out.line(format_args!("{kind} type {mode}, underlying ifindex = {parent}"));
        }
        (None, None) => {
            let text = "underlying interface in different namespace";
            out.line(format_args!("{kind} type {mode}, {text}"));
        }
    }
}

fn report_pace(pace: Option<Pace>, out: &mut Report) {
    let Some(Pace { garp, gna }) = pace else { return };
    for (what, interval) in [("ARP", garp), ("NA", gna)] {
        if !interval.is_zero() {
            out.line(format_args!("Gratuitous {what} interval {}ms", interval.as_millis()));
        }
    }
}
