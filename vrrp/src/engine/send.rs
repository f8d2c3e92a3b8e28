//! What leaves at the end of a turn: adverts, requests to the kernel, announcements, scripts.

use std::collections::HashSet;
use std::time::Instant;

use log::{debug, info};
use nix::errno::Errno;
use runtime::agentx::Offering;
use runtime::machine::IfIndex;

use super::instance::Instance;
use super::{Engine, Timer};
use crate::announce::Target;
use crate::config::instance::Transport;
use crate::config::{self, InstanceId};
use crate::packet::{Family, Priority};
use crate::socket::Outgoing;

impl Engine {
    /// Has an advert with `priority` leave at the end of this turn.
    pub(super) fn advertise(&mut self, id: InstanceId, priority: Priority) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        // Nothing is sent where nothing can be heard.
        let Some(socket) = instance.socket.filter(|_| instance.source.is_some()) else { return };
        instance.seal(priority);
        // Without an interface the way out is that of the VRF.
        let vrf = || self.sockets.key(socket)?.vrf();
        let interface = instance.interface.or_else(vrf);
        let hop_limit = hop_limit(&instance.config);
        for (packet, to, source) in instance.outgoing() {
            let outgoing = Outgoing { to, source, interface, hop_limit };
            let tag = super::Sent { instance: id, to, stop: priority == Priority::STOP };
            self.sender.push(outgoing, tag, |data| data.extend_from_slice(packet.bytes()));
        }
        instance.stats.advert_sent = instance.stats.advert_sent.wrapping_add(1);
    }

    /// Sends what was born in this turn. So a new master is heard before its addresses are there, its addresses are
    /// there before they are announced, and all that before anybody is told.
    pub(super) fn flush(&mut self, now: Instant) {
        self.send_adverts();
        self.reconcile();
        self.announce(now);
        self.synchronise();
        self.audience.flush(&mut self.reactor, now);
        self.send_traps(now);
        self.send_signals(now);
    }

    pub(super) fn send_adverts(&mut self) {
        for (sent, errno) in self.sender.send() {
            let Some(instance) = self.instances.get(sent.instance) else { continue };
            let up = instance.interface.is_none_or(|index| self.interfaces.is_up(index));
            // That a router leaves cannot be said where nothing passes, which is often why it leaves.
            if sent.stop
                && !up
                && matches!(errno, Errno::ENETUNREACH | Errno::ENETDOWN | Errno::ENODEV)
            {
                continue;
            }
            let (name, text) = (instance.name(), errno.desc());
            match instance.config.transport {
                Transport::Multicast { .. } => {
                    info!("({name}): send advert error {} ({text})", errno as i32);
                }
                Transport::Unicast(_) => info!("({name}) Cant send advert to {} ({text})", sent.to),
            }
        }
    }

    fn announce(&mut self, now: Instant) {
        for id in std::mem::take(&mut self.entered) {
            let Some(instance) = self.instances.get(id).filter(|instance| instance.holds) else {
                continue;
            };
            let targets = self.targets(instance);
            let extra = self.extra_targets(instance, &targets);
            self.announcer.enter(id, &instance.config.garp, targets, extra, now);
        }
        for id in std::mem::take(&mut self.changed) {
            let Some(instance) = self.instances.get(id).filter(|instance| instance.holds) else {
                continue;
            };
            let targets = self.targets(instance);
            let extra = self.extra_targets(instance, &targets);
            self.announcer.replace(id, &instance.config.garp, targets, extra, now);
        }
        // The log can wait, the neighbours cannot.
        let due = self.announcer.due(now);
        let sent = due.filter(|&target| self.frames.push(target, &self.interfaces, now));
        let sent: Vec<Target> = sent.collect();
        let failures = self.frames.send();
        for (id, target) in self.announcer.take_begun() {
            self.log_begun(id, target);
        }
        for target in sent {
            debug!(
                "Sending {} on {} for {}",
                kind(target),
                self.interface_name(target.interface),
                target.address
            );
        }
        for (target, errno) in failures {
            info!(
                "cannot announce {} on {}: {}",
                target.address,
                self.interface_name(target.interface),
                errno.desc()
            );
        }
        match self.announcer.deadline() {
            Some(deadline) => self.reactor.arm(Timer::Announcements, deadline),
            None => self.reactor.disarm(Timer::Announcements),
        }
    }

    /// The addresses of a master that are in place, where somebody can hear of them.
    pub(super) fn targets(&self, instance: &Instance) -> Vec<Target> {
        let placed = instance
            .config
            .all_addresses()
            .filter_map(|address| self.place(address, Some(instance)))
            .filter(|address| self.ledger.holds(address.key()))
            .filter(|address| self.interfaces.is_up(address.interface));
        placed
            .map(|address| Target {
                address: address.local,
                interface: address.interface,
                paced_by: self.interfaces.base(address.interface),
            })
            .collect()
    }

    /// What is announced from time to time so that switches do not forget the virtual MAC address (`garp_extra_if`): the
    /// first address of each interface that no adverts leave by.
    fn extra_targets(&self, instance: &Instance, targets: &[Target]) -> Vec<Target> {
        let Some(extra) = instance.config.garp.extra else { return Vec::new() };
        // With vmac_xmit_base the adverts leave by another one than the addresses are on.
        let by_own = instance.own.is_none() || instance.own == instance.interface;
        let sends = instance.interface.filter(|_| by_own);
        let mut seen: HashSet<IfIndex> = sends.into_iter().collect();
        let wanted = targets.iter().filter(|target| {
            (extra.all || self.own_links.is_ours(target.interface)) && seen.insert(target.interface)
        });
        wanted.copied().collect()
    }

    fn log_begun(&self, id: InstanceId, target: Target) {
        let Some(instance) = self.instances.get(id) else { return };
        let what = match Family::of(target.address) {
            Family::V4 => "gratuitous ARPs",
            Family::V6 => "Unsolicited Neighbour Adverts",
        };
        debug!(
            "({}) Sending/queueing {what} on {} for {}",
            instance.name(),
            self.interface_name(target.interface),
            target.address
        );
    }

    /// Announces the address that a unicast instance sends from, so that the master need not look for it.
    pub(super) fn announce_source(&mut self, id: InstanceId, now: Instant) {
        let Some(instance) = self.instances.get(id) else { return };
        let (Some(interface), Some(address)) = (instance.base, instance.source) else {
            return;
        };
        if !instance.config.transport.is_unicast() {
            return;
        }
        let base = self.interfaces.base(interface);
        let kind = if address.is_ipv4() { "ARP" } else { "NA" };
        debug!("{}: sending gratuitous {kind} for {address}", instance.name());
        let target = Target { address, interface: base, paced_by: base };
        self.announcer.once(id, target, now);
    }
}

/// The hop limit of IPv6 to a peer; IPv4 has it in its header.
fn hop_limit(config: &config::Instance) -> Option<u8> {
    match &config.transport {
        Transport::Unicast(unicast) => unicast.ttl,
        Transport::Multicast { .. } => None,
    }
}

fn kind(target: Target) -> &'static str {
    match Family::of(target.address) {
        Family::V4 => "gratuitous ARP",
        Family::V6 => "unsolicited Neighbour Advert",
    }
}
