//! Virtual routers.

use std::borrow::Cow;

use runtime::global::Script;
use runtime::json::significant;
use runtime::report::{Moment, Report, command, enabled, yes_no};

use super::super::instance::Instance;
use super::super::{Engine, own_links};
use super::Clocks;
use crate::auth::trailer::AntiReplay;
use crate::config;
use crate::config::auth::{Auth, HmacMode};
use crate::config::instance::{Deleted, Garp, IpvlanMode, OwnInterface, Transport, Unicast};
use crate::config::track::Trackers;
use crate::fsm::{Fault, Preempt, State};
use crate::packet::{Family, OldChecksum, Priority, Version};
use crate::report::rule;

/// TTL of adverts for unicast IPv4 that says nothing else.
const FULL_TTL: u8 = 255;

impl Engine {
    pub(super) fn report_instances(&self, clocks: Clocks, out: &mut Report) {
        if self.instances.iter().next().is_none() {
            return;
        }
        out.heading("VRRP Topology");
        for instance in self.instances.iter() {
            out.field("VRRP Instance", instance.name());
            out.inside(|out| self.report_instance(instance, clocks, out));
        }
    }

    fn report_instance(&self, instance: &Instance, clocks: Clocks, out: &mut Report) {
        let config = &instance.config;
        out.field("VRRP Version", config.version.number());
        let group = config.group.and_then(|group| self.config.group(group));
        out.field_if_any("Sync group", group.map(|group| &group.name));
        out.line_if(config.family == Family::V6, "Using Native IPv6");
        if out.shows_state() {
            report_state(instance, out);
        }
        self.report_flags(instance, out);
        let refused = instance.refusals.bits();
        if refused != 0 {
            out.field("Rate-limit flags", format_args!("{refused:#x}"));
        }
        let wanted = match wanted(instance) {
            // Nothing is known of faults where nothing but the configuration is.
            State::Fault if !out.shows_state() => State::Backup,
            state => state,
        };
        out.field("Wantstate", wanted.name());
        out.field("Number of config faults", u8::from(config.defective));
        if out.shows_state() {
            report_faults(instance, out);
            report_timers(instance, clocks, out);
        }
        self.report_interface(instance, out);
        self.report_source(instance, out);
        report_announcements(&config.garp, config.down_timer_adverts, out);
        report_election(instance, clocks, out);
        report_rules_of_election(instance, out);
        report_auth(&config.auth, config.version, out);
        if config.version == Version::V3 && config.family == Family::V4 {
            out.field("VRRPv3 uses VRRPv2 checksum", enabled(config.v3_checksum_as_v2));
        }
        out.field_if_any("Kernel rx buffer size", config.receive_buffer);
        let debug = config.shown.debug;
        out.field_if_any("Debug level", Some(debug).filter(|&level| level != 0));
        self.report_addresses(instance, out);
        if let Transport::Unicast(unicast) = &config.transport {
            report_unicast(unicast, instance.expect.old_checksum, config, out);
        }
        if out.shows_state() {
            let (receive, send) = self.descriptors(instance);
            out.line(format_args!("fd_in {receive}, fd_out {send}"));
        } else {
            out.line("No sockets allocated");
        }
        out.list("Virtual Routes :", config.routes.iter().map(|one| self.route_line(one)));
        out.list("Virtual Rules :", config.rules.iter().map(|one| rule(one, None)));
        self.report_trackers(&self.trackers_as_said(config), "Tracked processes :", out);
        report_notify(instance, out);
    }

    /// The trackers of an instance. In a group that leaves its members no weights, those of interfaces are said to be
    /// ignored, and shown so, although they act.
    fn trackers_as_said<'a>(&self, config: &'a config::Instance) -> Cow<'a, Trackers> {
        let group = config.group.and_then(|group| self.config.group(group));
        if config.trackers.interfaces.is_empty() || group.is_none_or(|group| group.tracking_weight)
        {
            return Cow::Borrowed(&config.trackers);
        }
        let mut trackers = (*config.trackers).clone();
        trackers.interfaces.iter_mut().for_each(|tracker| tracker.weighting.weight = 0);
        Cow::Owned(trackers)
    }

    fn report_flags(&self, instance: &Instance, out: &mut Report) {
        if !self.has_flags(instance) {
            out.line("Flags: none");
            return;
        }
        let config = &instance.config;
        let unicast = config.transport.is_unicast();
        out.line("Flags:");
        out.inside(|out| {
            if unicast {
                let twice =
                    if self.shares_number(instance) { " with VRID duplication" } else { "" };
                out.line(format_args!("Using unicast{twice}"));
            } else if config.shown.unicast {
                out.line("Unicast config option specified but using multicast");
            }
            let text = "If unicast go to fault state if no peers";
            out.line_if(config.shown.fault_without_peers, text);
        });
    }

    /// Whether the original would have noted anything of what it keeps as flags, shown here or elsewhere.
    fn has_flags(&self, instance: &Instance) -> bool {
        let config = &instance.config;
        let other_family = config.has_vmac()
            && config.excluded.iter().any(|address| address.family() != config.family);
        config.shown.unicast
            || config.transport.is_unicast()
            || config.shown.fault_without_peers
            || !config.track_primary
            || config.shown.polls_link
            || config.skip_check_adv_addr
            || config.source.is_some()
            || config.promote_secondaries
            || other_family
            || config.shown.no_addresses
            || config.preempt == Preempt::Never
            || config.v3_checksum_as_v2
            || config.own_interface != OwnInterface::None
            || config.address_vmacs
            || config.shown.announces_everywhere
    }

    /// Whether another unicast instance has the same number, between the same addresses of this machine.
    fn shares_number(&self, instance: &Instance) -> bool {
        let same = |other: &&Instance| {
            let (one, two) = (&other.config, &instance.config);
            one.vrid == two.vrid
                && one.family == two.family
                && one.transport.is_unicast()
                && (one.interface == two.interface
                    || one.interface.is_none()
                    || two.interface.is_none())
                && other.source == instance.source
        };
        self.instances.iter().filter(same).count() > 1
    }

    fn report_interface(&self, instance: &Instance, out: &mut Report) {
        let config = &instance.config;
        let own = own_links::of_adverts(config, &self.own_links);
        let is_up = instance.own.is_some();
        match &config.own_interface {
            OwnInterface::None => {}
            OwnInterface::Vmac(vmac) => {
                let name = own.unwrap_or_default();
                let xmit_base = vmac.xmit_base;
                let text =
                    format!("Use VMAC, i/f name {name}, is_up = {is_up}, xmit_base = {xmit_base}");
                out.line(text);
                if let Some([a, b, c, d, e, f]) = vmac.mac {
                    let using = if config.shown.mac_with_vrid { " (using VRID)" } else { "" };
                    let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}{using}");
                    out.inside(|out| out.field("MAC", mac));
                }
            }
            OwnInterface::Ipvlan(ipvlan) => {
                let name = own.unwrap_or_default();
                let address = ipvlan.address.map_or_else(String::new, |(address, len)| {
                    let whole = Family::of(address).address_len() * 8 == usize::from(len);
                    let len = if whole { String::new() } else { format!("/{len}") };
                    format!(", i/f address = {address}{len}")
                });
                let mode = match ipvlan.mode {
                    IpvlanMode::Bridge => "bridge",
                    IpvlanMode::Private => "private",
                    IpvlanMode::Vepa => "vepa",
                };
                let text = format!("Use IPVLAN, i/f {name}, is_up = {is_up}{address}, type {mode}");
                out.line(text);
            }
        }
        out.inside(|out| self.report_own_interface(instance, out));
        self.report_interface_names(instance, own, out);
        out.line_if(!config.track_primary, "VRRP interface tracking disabled");
        out.line_if(config.skip_check_adv_addr, "Skip checking advert IP addresses");
        out.line_if(config.shown.no_addresses, "Suppress no VIPs warning");
        out.line_if(config.strict, "Enforcing strict VRRP compliance");
    }

    fn report_own_interface(&self, instance: &Instance, out: &mut Report) {
        let (notify, group) = match &instance.config.own_interface {
            OwnInterface::None => (false, None),
            OwnInterface::Vmac(vmac) => (vmac.netlink_notify, vmac.group),
            OwnInterface::Ipvlan(ipvlan) => (false, ipvlan.group),
        };
        out.line_if(notify, "Force netlink update for base interface");
        let elsewhere = "Use VMAC for VIPs on other interfaces";
        out.line_if(instance.config.address_vmacs, elsewhere);
        if let Some(group) = group {
            out.line(format_args!("Interface group {group}"));
            return;
        }
        let base = self.interface_of(instance).map(|index| self.interfaces.base(index));
        let group = base.and_then(|index| self.interfaces.get(index)).map(|it| it.link().group);
        if let Some(group) = group.filter(|&group| group != 0) {
            out.line(format_args!("Interface group {group} (copied from parent)"));
        }
    }

    fn report_interface_names(&self, instance: &Instance, own: Option<&str>, out: &mut Report) {
        let config = &instance.config;
        let configured = config.interface.as_deref();
        match own {
            Some(name) => {
                let kind = if config.has_vmac() { "vmac" } else { "ipvlan" };
                let base = self.interface_of(instance).map(|index| self.interfaces.base(index));
                let base = base.map(|index| self.interface_name(index));
                let base = base.filter(|base| base != name);
                let base = base.as_deref().or(configured).unwrap_or("(unknown)").to_owned();
                let xmit_base = match &config.own_interface {
                    OwnInterface::Vmac(vmac) if vmac.xmit_base => ", xmit base i/f",
                    _ => "",
                };
                out.field("Interface", format_args!("{name}, {kind} on {base}{xmit_base}"));
                let differs = configured.filter(|&configured| configured != base);
                out.field_if_any("Configured interface", differs);
            }
            None => out.field("Interface", configured.unwrap_or("not configured")),
        }
        out.field_if_any("VRF", config.vrf.as_ref());
    }

    fn report_source(&self, instance: &Instance, out: &mut Report) {
        let config = &instance.config;
        let from = if config.source.is_some() { " (from configuration)" } else { "" };
        match instance.source {
            Some(source) => out.field("Using src_ip", format_args!("{source}{from}")),
            None => out.field("Using src_ip", "(none)"),
        }
        if let Transport::Multicast { group } = &config.transport {
            match config.family {
                Family::V4 => out.line(format_args!("Multicast address {group}")),
                Family::V6 => {
                    let index = instance.interface.map_or(0, |index| index.0);
                    out.line(format_args!("Multicast address {group}, ifindex {index}"));
                }
            }
        }
    }
}

fn report_state(instance: &Instance, out: &mut Report) {
    let router = &instance.router;
    out.field("State", router.state().name());
    match router.state() {
        State::Backup => {
            match router.master() {
                Some(master) => out.field("Master router", master),
                None => out.field("Master router", "(none)"),
            }
            out.field("Master priority", router.master_priority().map_or(0, |priority| priority.0));
            if instance.config.version == Version::V3 {
                let interval = router.master_interval().as_millis();
                out.field("Master advert interval", format_args!("{interval} milli-sec"));
            }
        }
        State::Master if instance.config.is_owner() => {
            let (left, interval) =
                router.rival_adverts().map_or((0, None), |(left, interval)| (left, Some(interval)));
            out.field("Rogue master counter", left);
            out.field("Roger timer thread", "(nil)");
            let interval = interval.map(|interval| format!("{} ms", interval.as_millis()));
            out.field_if_any("Roger adver interval", interval);
        }
        State::Init | State::Master | State::Fault => {}
    }
}

/// Where an instance would stand without its sync group. One that must not run never got as far as giving up.
pub(super) fn wanted(instance: &Instance) -> State {
    let router = &instance.router;
    let misconfigured = router.faults().iter().any(|fault| *fault == Fault::Configuration);
    match router.state() {
        State::Fault if misconfigured => State::Backup,
        State::Fault => State::Fault,
        State::Init | State::Backup | State::Master => router.wants(),
    }
}

/// Faults of what is tracked by name count, those of interfaces are listed.
fn report_faults(instance: &Instance, out: &mut Report) {
    let faults: Vec<&Fault> = instance.router.faults().iter().collect();
    let has = |is: fn(&Fault) -> bool| faults.iter().any(|fault| is(fault));
    let is_tracker = |fault: &Fault| {
        matches!(fault, Fault::Script(_) | Fault::File(_) | Fault::Process(_) | Fault::Bfd(_))
    };
    let trackers = faults.iter().filter(|fault| is_tracker(fault)).count();
    out.field("Number of tracker faults", trackers);
    let base = instance.config.interface.as_deref();
    let own = instance.config.own_interface != OwnInterface::None;
    let base_down = own
        && faults.iter().any(|fault| match fault {
            Fault::InterfaceDown(name) => Some(&**name) == base,
            _ => false,
        });
    let down = faults.iter().any(|fault| match fault {
        Fault::InterfaceDown(name) => !own || Some(&**name) != base,
        _ => false,
    });
    let flags = [
        (trackers > 0, "unspecified"),
        (down, "i/f down"),
        (base_down, "base i/f down"),
        (has(|fault| *fault == Fault::DuplicateVrid), "duplicate VRID"),
        (
            has(|fault| matches!(fault, Fault::NoSourceAddress(..) | Fault::SourceNotConfigured)),
            "no source IP address",
        ),
        (has(|fault| *fault == Fault::Configuration), "config error"),
    ];
    let set: Vec<&str> = flags.iter().filter(|(is, _)| *is).map(|&(_, text)| text).collect();
    if set.is_empty() {
        out.line("Flags of interface faults - (none)");
    } else {
        out.list("Flags of interface faults:", set);
    }
    out.line_if(has(|fault| *fault == Fault::DuplicateVrid), "Duplicate VRID");
    let waiting = faults.iter().filter(|fault| matches!(fault, Fault::Pending(_))).count();
    out.field("Number of track scripts init", waiting);
}

fn report_timers(instance: &Instance, clocks: Clocks, out: &mut Report) {
    out.field("Last transition", Moment(instance.last_transition).dated());
    match instance.router.deadline() {
        Some(deadline) => out.field("Read timeout", clocks.moment(deadline).dated()),
        None => out.field("Read timeout", "DISABLED"),
    }
    let down = if instance.config.is_owner() {
        // It waits for nobody.
        1
    } else {
        instance.router.master_down().as_micros()
    };
    out.field("Master down timer", format_args!("{down} usecs"));
}

fn report_announcements(garp: &Garp, down_timer_adverts: u8, out: &mut Report) {
    out.field("Gratuitous ARP delay", garp.delay.as_secs());
    out.field("Gratuitous ARP repeat", garp.repeat);
    out.field("Gratuitous ARP refresh", garp.refresh.as_secs());
    out.field("Gratuitous ARP refresh repeat", garp.refresh_repeat);
    out.field("Gratuitous ARP lower priority delay", garp.lower_prio_delay.as_secs());
    out.field("Gratuitous ARP lower priority repeat", garp.lower_prio_repeat);
    out.field("Down timer adverts", down_timer_adverts);
    if let Some(extra) = garp.extra {
        let what = if extra.all { "i/f" } else { "VMAC" };
        let name = format!("Gratuitous ARP for each secondary {what}");
        out.field(&name, extra.interval.as_secs());
    }
}

fn report_election(instance: &Instance, clocks: Clocks, out: &mut Report) {
    let (config, router) = (&instance.config, &instance.router);
    let lower = "Send advert after receive lower priority advert";
    out.field(lower, !config.lower_prio_no_advert);
    let higher = "Send advert after receive higher priority advert";
    out.field(higher, config.higher_prio_send_advert);
    if config.is_owner() {
        out.field("Address owner ignores received adverts", config.owner_ignore_adverts);
    }
    out.field("Virtual Router ID", config.vrid.0);
    out.field("Priority", config.priority.0);
    if out.shows_state() {
        out.field("Effective priority", router.effective_priority().0);
        let total = match config.priority {
            Priority::OWNER => i32::from(router.effective_priority().0),
            priority => i32::from(priority.0).saturating_add(router.weight()),
        };
        out.field("Total priority", total);
    }
    if config.preempt == Preempt::Never {
        let other = config.timer_expired_backup.map_or(0, |priority| priority.0);
        out.field("Highest other priority", other);
    }
    let interval = match config.version {
        Version::V2 => format!("{} sec", config.advert_interval.as_secs()),
        Version::V3 => format!("{} milli-sec", config.advert_interval.as_millis()),
    };
    out.field("Advert interval", interval);
    let sent = router.last_sent().filter(|_| out.shows_state());
    match sent {
        Some(at) => out.field("Last advert sent", clocks.moment(at)),
        None => out.field("Last advert sent", "0.000000"),
    }
}

fn report_rules_of_election(instance: &Instance, out: &mut Report) {
    let config = &instance.config;
    out.field("Accept", enabled(config.accept));
    out.field("Preempt", enabled(config.preempt != Preempt::Never));
    if let Preempt::After(delay) = config.preempt {
        out.field("Preempt delay", format_args!("{} secs", significant(delay.as_secs_f64())));
    }
    out.field("Promote_secondaries", enabled(config.promote_secondaries));
}

fn report_auth(auth: &Auth, version: Version, out: &mut Report) {
    match auth {
        Auth::Pass(_) => {
            out.field("Authentication type", "SIMPLE_PASSWORD");
            out.field("Password", "********");
        }
        Auth::Ah(_) => out.field("Authentication type", "IPSEC_AH"),
        Auth::None | Auth::Hmac(_) if version == Version::V2 => {
            out.field("Authentication type", "none");
        }
        Auth::None | Auth::Hmac(_) => {}
    }
    let Auth::Hmac(hmac) = auth else { return };
    out.field("Authentication extension", "HMAC-SHA256-128");
    out.inside(|out| {
        let (keys, active) = (hmac.keys.len(), hmac.active);
        out.field("Keys", format_args!("{keys}, active key id = {active}"));
        let mode = match hmac.mode {
            HmacMode::Enforce => "enforce",
            HmacMode::Permissive => "permissive",
            HmacMode::ReceiveOnly => "receive-only",
        };
        out.field("Mode", mode);
        match hmac.anti_replay {
            AntiReplay::Time { window } => {
                out.field("Anti replay", format_args!("time, window = {window} sec"));
            }
            AntiReplay::Monotonic => out.field("Anti replay", "monotonic"),
        }
    });
}

fn report_unicast(
    unicast: &Unicast,
    checksum: OldChecksum,
    config: &config::Instance,
    out: &mut Report,
) {
    let default = (config.family == Family::V4).then_some(FULL_TTL);
    out.field_if_any("Unicast TTL", unicast.ttl.or(default));
    let check = yes_no(config.shown.checks_source);
    out.line(format_args!("Check unicast src : {check}"));
    out.line("Unicast Peer :");
    out.inside(|out| {
        for peer in &unicast.peers {
            let (address, least, most) = (peer.address, peer.min_ttl, peer.max_ttl);
            out.line(format_args!("{address} min_ttl {least} max_ttl {most}"));
        }
    });
    let compatibility = match checksum {
        OldChecksum::Detect => "no",
        OldChecksum::Never => "never",
        OldChecksum::Configured => "config",
        OldChecksum::Detected => "auto",
    };
    out.field("Unicast checksum compatibility", compatibility);
}

fn report_notify(instance: &Instance, out: &mut Report) {
    let config = &instance.config;
    out.field("Using smtp notification", yes_no(config.smtp_alert));
    let notify = &config.notify;
    let (deleted, script) = match &notify.deleted {
        Deleted::AsFault => ("Fault", None),
        Deleted::Reported(script) => ("Deleted", script.as_deref()),
    };
    out.field("Notify deleted", deleted);
    for (kind, script) in [
        ("Backup", notify.backup.as_deref()),
        ("Master", notify.master.as_deref()),
        ("Fault", notify.fault.as_deref()),
        ("Stop", notify.stop.as_deref()),
        ("Deleted", script),
        ("Generic", notify.any.as_deref()),
        ("Master rx lower pri", notify.lower_priority.as_deref()),
    ] {
        report_script(kind, script, out);
    }
    out.field("Notify priority changes", config.notify_priority_changes);
}

/// The script that is run at a transition.
pub(super) fn report_script(kind: &str, script: Option<&Script>, out: &mut Report) {
    let Some(script) = script else { return };
    let (command, account) = (command(script), &script.account);
    let path = script.resolved().map(|path| format!("{path}, params = ")).unwrap_or_default();
    let name = format!("{kind} state transition script");
    out.field(&name, format_args!("{path}{command}, uid:gid {}:{}", account.uid, account.gid));
    out.inside(|out| out.list("Supplementary groups:", &account.groups));
}
