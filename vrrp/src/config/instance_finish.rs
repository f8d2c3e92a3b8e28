//! From what a `vrrp_instance` block says to a complete instance.
//!
//! Each step settles one question: defaults are filled in, and what cannot be is corrected with a word about it.

mod interfaces;
mod transport;

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use conf_parser::Class;
use runtime::machine::{Hardware, Link};
use runtime::scripts::ScriptChecker;

use super::address_entry::Owner;
use super::auth::Auth;
use super::context::Context;
use super::garp_keywords::ExtraInterfaces;
use super::instance::{BfdTakeover, Instance, OwnInterface, Shown};
use super::instance_draft::InstanceDraft;
use super::trackables::Trackables;
use super::{GroupId, auth_finish, route_entry, rule_entry, virtual_addresses};
use crate::fsm::Preempt;
use crate::packet::{Family, Priority, Version, Vrid};

/// Without any word in the configuration (RFC 9568 §6.1).
const ADVERT_INTERVAL: Duration = Duration::from_secs(1);
/// The longest intervals that the packets can carry.
const LONGEST_V2: Duration = Duration::from_secs(255);
const LONGEST_V3: Duration = Duration::from_millis(40_950);
const CENTISECOND: Duration = Duration::from_millis(10);
/// Missed adverts that make a master dead (RFC 9568 §6.1).
pub(super) const DOWN_TIMER_ADVERTS: u8 = 3;
/// Size of packets where no interface is known.
const DEFAULT_MTU: u32 = 1500;

/// What a sync group means for its members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) id: GroupId,
    pub(super) tracking_weight: bool,
    pub(super) notify_priority_changes: Option<bool>,
}

/// What instances share while they are finished.
pub(super) struct Workshop<'w, 'm> {
    pub(super) context: &'w mut Context<'m>,
    pub(super) checker: &'w mut ScriptChecker<'m>,
    pub(super) trackables: &'w Trackables,
    /// Which instance has asked for an interface of this name.
    pub(super) own_interfaces: HashMap<String, String>,
}

impl Workshop<'_, '_> {
    /// The complete instance. `None` when the child cannot run with it, which has been reported then.
    pub(super) fn finish(
        &mut self,
        draft: InstanceDraft,
        membership: Option<Membership>,
    ) -> Option<Instance> {
        Finish::new(draft, membership, self)?.complete()
    }
}

/// An instance on its way.
struct Finish<'f, 'w, 'm> {
    draft: InstanceDraft,
    membership: Option<Membership>,
    workshop: &'f mut Workshop<'w, 'm>,
    vrid: Vrid,
    interface: Option<String>,
    /// The interface, if it is there.
    link: Option<&'m Link>,
    strict: bool,
    family: Family,
    version: Version,
    priority: Priority,
    wants_master: bool,
    unicast: bool,
    defective: bool,
}

impl<'f, 'w, 'm> Finish<'f, 'w, 'm> {
    fn new(
        draft: InstanceDraft,
        membership: Option<Membership>,
        workshop: &'f mut Workshop<'w, 'm>,
    ) -> Option<Self> {
        let context = &mut *workshop.context;
        let interface = configured_interface(&draft, context);
        let Some(vrid) = draft.vrid else {
            let text = format!("({}) the virtual router id must be set", draft.name());
            context.refuse(draft.place(), text);
            return None;
        };
        if interface.is_none() && !draft.unicast.configured {
            let text = format!("({}) Unknown interface!", draft.name());
            context.refuse(draft.place(), text);
            return None;
        }
        let link = interface.as_deref().and_then(|name| context.link(name));
        Some(Self {
            strict: draft.strict.unwrap_or(context.global.vrrp.strict),
            family: draft.family.unwrap_or(Family::V4),
            unicast: !draft.unicast.peers.is_empty(),
            version: Version::V2,
            priority: Priority::DEFAULT,
            wants_master: false,
            defective: false,
            draft,
            membership,
            workshop,
            vrid,
            interface,
            link,
        })
    }

    fn complete(mut self) -> Option<Instance> {
        self.settle_version();
        self.settle_role();
        let advert_interval = self.advert_interval();
        let auth = self.auth(advert_interval);
        let shown = Shown {
            unicast: self.draft.unicast.configured,
            checks_source: self.draft.unicast.check_source,
            fault_without_peers: self.draft.unicast.fault_no_peer,
            mac_with_vrid: self.draft.vmac.as_ref().is_some_and(|vmac| vmac.mac_has_vrid()),
            ..Shown::default()
        };
        let own_interface = self.own_interface();
        let transport = self.transport()?;
        let source = self.draft.source;
        self.check_link();
        let vrf = self.vrf();
        let (preempt, timer_expired_backup) = self.preemption();
        let down_timer_adverts = self.down_timer_adverts();
        let accept = self.accept();
        self.check_strict_announcements();
        let (lower_prio_no_advert, higher_prio_send_advert) = self.answers();
        let owner_ignore_adverts = self.owner_ignore_adverts();
        let promote_secondaries = self.promote_secondaries(&own_interface);
        let capacity = self.capacity(&auth);
        let (addresses, excluded, extra) = self.addresses(&own_interface, capacity)?;
        let (routes, rules) = self.routes_and_rules();
        let bfd_takeover = self.bfd_takeover();
        let trackers = self.workshop.trackables.of_instance(
            &self.draft,
            self.interface.as_deref(),
            self.priority == Priority::OWNER,
            self.membership,
            self.workshop.context,
        );
        let shown = Shown {
            debug: self.draft.debug,
            no_addresses: self.draft.no_addresses && !self.strict,
            polls_link: self.draft.linkbeat_use_polling,
            announces_everywhere: self.draft.garp.announces_everywhere()
                || self.workshop.context.global.vrrp.garp.extra_if.is_some_and(|it| it.all),
            ..shown
        };
        let Workshop { context, checker, .. } = self.workshop;
        let vrrp = &context.global.vrrp;
        let draft = self.draft;
        Some(Instance {
            vrid: self.vrid,
            family: self.family,
            version: self.version,
            interface: self.interface,
            vrf,
            own_interface,
            address_vmacs: draft.address_vmacs,
            transport,
            source,
            track_source: draft.track_source && source.is_some(),
            bfd_takeover,
            wants_master: self.wants_master,
            priority: self.priority,
            advert_interval,
            down_timer_adverts,
            preempt,
            accept,
            strict: self.strict,
            v3_checksum_as_v2: draft.v3_checksum_as_v2.unwrap_or(vrrp.v3_checksum_as_v2),
            skip_check_adv_addr: draft.skip_check_adv_addr.unwrap_or(vrrp.skip_check_adv_addr),
            garp: Rc::new(draft.garp.finish(&vrrp.garp, self.strict, extra)),
            lower_prio_no_advert,
            higher_prio_send_advert,
            owner_ignore_adverts,
            timer_expired_backup,
            receive_buffer: draft.receive_buffer,
            auth,
            addresses,
            excluded,
            routes,
            rules,
            shared_interfaces: Vec::new(),
            promote_secondaries,
            track_primary: !draft.dont_track_primary,
            trackers: Rc::new(trackers),
            notify: Rc::new(
                draft.notify.map(|notify| notify.finish(checker, context)).unwrap_or_default(),
            ),
            notify_priority_changes: draft
                .notify_priority_changes
                .or(self.membership.and_then(|group| group.notify_priority_changes))
                .unwrap_or(vrrp.notify_priority_changes),
            smtp_alert: draft.smtp_alert.unwrap_or_else(|| context.default_alert()),
            group: self.membership.map(|group| group.id),
            defective: self.defective,
            shown,
            name: draft.name.value,
        })
    }

    fn report(&mut self, message: &str) {
        let text = format!("({}) {message}", self.draft.name());
        self.workshop.context.report_later(self.draft.place(), text);
    }

    fn note(&mut self, message: &str) {
        let text = format!("({}) {message}", self.draft.name());
        self.workshop.context.note(self.draft.place(), text);
    }

    fn refuse(&mut self, message: &str) {
        let text = format!("({}) {message}", self.draft.name());
        self.workshop.context.refuse(self.draft.place(), text);
    }

    fn is_owner(&self) -> bool {
        self.priority == Priority::OWNER
    }

    fn settle_version(&mut self) {
        self.version = match (self.family, self.draft.version) {
            (Family::V6, Some(Version::V2)) if self.strict => {
                self.report("cannot use IPv6 with VRRP version 2; setting version 3");
                Version::V3
            }
            (_, Some(version)) => version,
            (Family::V6, None) => Version::V3,
            (Family::V4, None) if self.workshop.context.global.vrrp.version == 3 => Version::V3,
            (Family::V4, None) => Version::V2,
        };
    }

    /// Priority and state follow from each other where only one of them is given.
    fn settle_role(&mut self) {
        let owns = self.draft.is_owner();
        self.priority =
            self.draft.priority.unwrap_or(if owns { Priority::OWNER } else { Priority::DEFAULT });
        self.wants_master = self.draft.wants_master.unwrap_or(owns);
        if self.strict && self.wants_master != owns {
            self.report("State MASTER must match being address owner");
            self.wants_master = owns;
        }
    }

    fn auth(&mut self, advert_interval: Duration) -> Auth {
        let situation = auth_finish::Situation {
            family: self.family,
            version: self.version,
            strict: self.strict,
            master_without_owning: self.wants_master && !self.is_owner(),
            advert_interval,
        };
        let draft = std::mem::take(&mut self.draft.auth);
        let finished = auth_finish::finish(draft, situation, &mut |message| self.report(message));
        if finished.starts_as_backup {
            self.wants_master = false;
        }
        finished.auth
    }

    fn preemption(&mut self) -> (Preempt, Option<Priority>) {
        if self.draft.nopreempt && self.is_owner() {
            let owner = Priority::OWNER.0;
            let message =
                format!("nopreempt is incompatible with priority {owner}. resetting nopreempt");
            self.report(&message);
            self.draft.nopreempt = false;
        }
        if self.wants_master && self.draft.nopreempt {
            self.report("Warning - nopreempt will not work with initial state MASTER - clearing");
            self.draft.nopreempt = false;
        }
        let mut delay = self.draft.preempt_delay;
        let objections = [
            (
                self.wants_master,
                "Warning - preempt delay will not work with initial state MASTER - clearing",
            ),
            (self.strict, "preempt_delay is incompatible with strict mode - resetting"),
            (self.draft.nopreempt, "preempt_delay is incompatible with nopreempt mode - resetting"),
        ];
        for (applies, message) in objections {
            if applies && !delay.is_zero() {
                self.report(message);
                delay = Duration::ZERO;
            }
        }
        let mut timer_expired_backup = self.draft.timer_expired_backup;
        if timer_expired_backup.is_some() && !self.draft.nopreempt {
            self.report("expired_timer_backup requires nopreempt - resetting");
            timer_expired_backup = None;
        }
        let preempt = match (self.draft.nopreempt, delay) {
            (true, _) => Preempt::Never,
            (false, Duration::ZERO) => Preempt::AtOnce,
            (false, delay) => Preempt::After(delay),
        };
        (preempt, timer_expired_backup)
    }

    fn down_timer_adverts(&mut self) -> u8 {
        let default = self.workshop.context.global.vrrp.down_timer_adverts;
        let adverts = self.draft.down_timer_adverts.unwrap_or(default);
        if self.strict && adverts != DOWN_TIMER_ADVERTS {
            self.report("down_timer_adverts is incompatible with strict mode - resetting");
            return DOWN_TIMER_ADVERTS;
        }
        adverts
    }

    fn accept(&mut self) -> bool {
        let accept = self.draft.accept.unwrap_or(self.is_owner() || !self.strict);
        if accept && !self.is_owner() && self.strict && self.version == Version::V2 {
            self.report(
                "warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting",
            );
            return false;
        }
        accept
    }

    fn check_strict_announcements(&mut self) {
        if !self.strict {
            return;
        }
        if self.draft.garp.lower_prio_repeat.is_some_and(|repeat| repeat > 0) {
            self.report("Strict mode requires no repeat garps. resetting");
            self.draft.garp.lower_prio_repeat = Some(0);
        }
        if self.draft.garp.lower_prio_delay.is_some_and(|delay| !delay.is_zero()) {
            self.report("Strict mode requires no repeat garp delay. resetting");
            self.draft.garp.lower_prio_delay = Some(Duration::ZERO);
        }
    }

    /// Whether adverts of lower priority go unanswered, and whether those of higher priority are answered.
    fn answers(&mut self) -> (bool, bool) {
        let (lower, higher) = (self.draft.lower_prio_no_advert, self.draft.higher_prio_send_advert);
        let vrrp = &self.workshop.context.global.vrrp;
        if !self.strict {
            return (
                lower.unwrap_or(vrrp.lower_prio_no_advert),
                higher.unwrap_or(vrrp.higher_prio_send_advert),
            );
        }
        if lower == Some(false) {
            self.report("Strict mode requires no lower priority advert. resetting");
        }
        if higher == Some(true) {
            self.report("strict mode requires higher_prio_send_advert to be clear. resetting");
        }
        (true, false)
    }

    fn owner_ignore_adverts(&mut self) -> bool {
        let owner = Priority::OWNER.0;
        let given = self.draft.owner_ignore_adverts;
        if !self.is_owner() {
            if given == Some(true) {
                let message =
                    format!("ignoring owner_ignore_adverts since priority is not {owner}");
                self.report(&message);
            }
            return false;
        }
        if self.strict && given == Some(false) {
            let message =
                format!("strict_mode with priority {owner} requires owner_ignore_adverts");
            self.report(&message);
        }
        self.strict || given.unwrap_or(self.workshop.context.global.vrrp.owner_ignore_adverts)
    }

    fn promote_secondaries(&mut self, own_interface: &OwnInterface) -> bool {
        let asked = self.draft.promote_secondaries;
        if asked && *own_interface != OwnInterface::None {
            self.report("promote_secondaries is automatically set for vmacs - ignoring");
            return false;
        }
        asked
    }

    /// The interval as the packets can carry it: whole seconds, or whole centiseconds.
    fn advert_interval(&mut self) -> Duration {
        let interval = self.draft.advert_interval.unwrap_or(ADVERT_INTERVAL);
        let seconds = interval.as_secs_f64();
        let (number, longest, limit, step, unit) = match self.version {
            Version::V2 => (2, LONGEST_V2, "256", Duration::from_secs(1), "an integer. rounding"),
            Version::V3 => (3, LONGEST_V3, "40.96", CENTISECOND, "in units of 10ms - rounding"),
        };
        if interval >= longest + step {
            let shown = longest.as_secs_f64();
            let message = format!(
                "VRRPv{number} advertisement interval {seconds:.2}s is out of range. Must be less than {limit}s. Setting to {shown}s"
            );
            self.report(&message);
            return longest;
        }
        let rounded = round(interval, step).clamp(step, longest);
        if rounded != interval {
            let message =
                format!("VRRPv{number} advertisement interval {seconds:.6}s must be {unit}");
            self.report(&message);
        }
        rounded
    }

    /// How many addresses an advert can carry: what fits a packet, and its count of eight bits. The original counts an
    /// Ethernet header too; routers that disagree about the number of addresses would complain.
    fn capacity(&self, auth: &Auth) -> usize {
        const ETHERNET: u32 = 14;
        const VRRP: u32 = 8;
        const PASSWORD: u32 = 8;
        const AH: u32 = 24;
        const TRAILER: u32 = 28;
        let (ip, address) = match self.family {
            Family::V4 => (20, 4),
            Family::V6 => (40, 16),
        };
        let legacy = match (self.family, self.version, auth) {
            (Family::V4, Version::V2, Auth::Ah(_)) => PASSWORD + AH,
            (Family::V4, Version::V2, _) => PASSWORD,
            _ => 0,
        };
        let trailer = match auth {
            Auth::Hmac(hmac) if hmac.signs() => TRAILER,
            _ => 0,
        };
        let mtu = self.link.map_or(DEFAULT_MTU, |link| link.mtu);
        let room = mtu.saturating_sub(ETHERNET + ip + VRRP + legacy + trailer) / address;
        usize::try_from(room.min(255)).unwrap_or(255)
    }

    fn addresses(
        &mut self,
        own_interface: &OwnInterface,
        capacity: usize,
    ) -> Option<(Vec<super::Address>, Vec<super::Address>, ExtraInterfaces)> {
        let drafts = std::mem::take(&mut self.draft.addresses);
        let excluded = std::mem::take(&mut self.draft.excluded);
        let mut placing = virtual_addresses::Placing {
            instance: self.draft.name(),
            family: self.family,
            interface: self.interface.as_deref(),
            has_vmac: matches!(own_interface, OwnInterface::Vmac(_)),
            address_vmacs: self.draft.address_vmacs,
            extra: ExtraInterfaces::default(),
            context: &mut *self.workshop.context,
        };
        let mut addresses = placing.finish(drafts, "vip");
        let mut excluded = placing.finish(excluded, "evip");
        let extra = placing.extra;
        if addresses.len() > capacity {
            let message = format!(
                "Number of VIPs ({}) exceeds maximum/space available in packet (max {capacity} addresses) - excess moved to eVIPs",
                addresses.len()
            );
            self.report(&message);
            excluded.extend(addresses.drain(capacity..));
        }
        self.check_first_address(addresses.first());
        if addresses.is_empty() && !self.may_be_without_addresses() {
            return None;
        }
        Some((addresses, excluded, extra))
    }

    fn check_first_address(&mut self, first: Option<&super::Address>) {
        let Some(IpAddr::V6(address)) = first.map(|first| first.address) else { return };
        if self.unicast || address.is_unicast_link_local() {
            return;
        }
        if self.strict {
            self.report("the first IPv6 VIP address must be link local");
        } else {
            self.note("the first IPv6 VIP address should be link local");
        }
    }

    fn may_be_without_addresses(&mut self) -> bool {
        if self.workshop.context.is_interface_missing() {
            // The address may be missing because its interface is.
            return true;
        }
        let place = self.draft.place();
        if self.draft.no_addresses && self.strict {
            let text = format!(
                "({}) no_virtual_ipaddress and strict mode incompatible, clearing no_virtual_ipaddress",
                self.draft.name()
            );
            self.workshop.context.diagnostics.report_later(Class::Warning, place, text);
        } else if self.draft.no_addresses {
            return true;
        }
        if self.version == Version::V3 || self.strict {
            self.refuse("No VIP specified; at least one is required");
            return false;
        }
        let text = format!("({}) No VIP specified; at least one is sensible", self.draft.name());
        self.workshop.context.diagnostics.report_later(Class::Warning, place, text);
        true
    }

    /// Only a session that there is, and that VRRP hears of.
    fn bfd_takeover(&mut self) -> Option<Box<BfdTakeover>> {
        let (session, only_backup) = self.draft.bfd_takeover.take()?;
        if self.workshop.trackables.has_session(&session.value) {
            return Some(Box::new(BfdTakeover { session: session.value, only_backup }));
        }
        let name = self.draft.name();
        let text = format!("({name}) bfd_takeover {} not found, ignoring...", session.value);
        let hint = "define it with bfd_instance, without `checker` or with `vrrp` too";
        self.workshop.context.report_with_hint(session.place, text, Some(hint.to_owned()));
        None
    }

    fn routes_and_rules(&mut self) -> (Vec<super::Route>, Vec<super::Rule>) {
        let context = &mut *self.workshop.context;
        let routes = self.draft.routes.iter();
        let routes =
            routes.filter_map(|line| route_entry::parse(line, Owner::Instance, context)).collect();
        let rules = self.draft.rules.iter();
        let rules =
            rules.filter_map(|line| rule_entry::parse(line, Owner::Instance, context)).collect();
        (routes, rules)
    }
}

/// The interface that the block names, unless it cannot be used.
fn configured_interface(draft: &InstanceDraft, context: &mut Context<'_>) -> Option<String> {
    let name = draft.interface.as_ref()?;
    context.interface_known(&name.value, name.place, || {
        format!(
            "WARNING - interface {} for vrrp_instance {} doesn't exist",
            name.value,
            draft.name()
        )
    });
    if context.link(&name.value).is_some_and(|link| link.hardware == Hardware::LOOPBACK) {
        let text = format!(
            "({}) cannot use a loopback interface ({}) for vrrp - ignoring",
            draft.name(),
            name.value
        );
        context.report(name.place, text);
        return None;
    }
    Some(name.value.clone())
}

/// The multiple of `step` that is nearest; halves go up.
fn round(time: Duration, step: Duration) -> Duration {
    let (time, step) = (time.as_micros(), step.as_micros());
    let rounded = (time + step / 2) / step * step;
    Duration::from_micros(u64::try_from(rounded).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_up() {
        let second = Duration::from_secs(1);
        assert_eq!(round(Duration::from_millis(1500), second), 2 * second);
        assert_eq!(round(Duration::from_millis(1499), second), second);
        assert_eq!(round(Duration::from_micros(14_999), CENTISECOND), CENTISECOND);
    }
}
