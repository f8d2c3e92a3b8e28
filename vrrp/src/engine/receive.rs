//! Received adverts: from the socket to the election.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use log::{debug, info};
use runtime::sys::receive::{Received, RecvBatch};

use super::Engine;
use super::refusals::Noise;
use super::sockets::SocketId;
use crate::auth::trailer::Stamp;
use crate::config::InstanceId;
use crate::fsm::{Event, Heard, State};
use crate::packet::{
    Advert, Cast, Datagram, Family, OldChecksum, Policy, Priority, TooShort, Verdict,
};

/// So many datagrams are received in one call.
pub(super) const BATCH: usize = 32;
/// So many calls are made for a socket at a time.
const CALLS_PER_TURN: usize = 8;

impl Engine {
    /// Reads what a socket has, up to a limit: a flood gives way to others. It goes on where there may be more.
    pub(super) fn receive(&mut self, socket: SocketId, now: Instant) -> ControlFlow<()> {
        let Some(family) = self.sockets.key(socket).map(|key| key.family()) else {
            return ControlFlow::Break(());
        };
        let mut batch = std::mem::replace(&mut self.batch, RecvBatch::new(0, 0));
        let mut received = BATCH;
        for _ in 0..CALLS_PER_TURN {
            received = self.sockets.receive(socket, &mut batch).unwrap_or_else(|error| {
                if self.chatter.allows(Noise::Socket, now) {
                    info!("{error}");
                }
                0
            });
            // While the start is delayed the sockets are emptied, but nobody listens.
            if !self.is_delayed(now) {
                for datagram in batch.datagrams() {
                    self.take_datagram(socket, family, &datagram, now);
                }
            }
            if received < BATCH {
                break;
            }
        }
        self.batch = batch;
        if received == BATCH { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn take_datagram(
        &mut self,
        socket: SocketId,
        family: Family,
        received: &Received<'_>,
        now: Instant,
    ) {
        if received.truncated {
            if self.chatter.allows(Noise::TooLong, now) {
                let room = received.data.len();
                info!("advert longer than the {room} octets that there is room for");
            }
            return;
        }
        match split(family, received) {
            Some(Ok(datagram)) => self.hear(socket, &datagram, now),
            Some(Err(short)) if self.chatter.allows(Noise::TooShort, now) => info!("{short}"),
            None if self.chatter.allows(Noise::NoAddresses, now) => {
                debug!("advert without addresses");
            }
            Some(Err(_)) | None => {}
        }
    }

    fn hear(&mut self, socket: SocketId, datagram: &Datagram<'_>, now: Instant) {
        let Some(id) = self.addressee(socket, datagram) else {
            let wanted = self.global.vrrp.log_unknown_vrids;
            if wanted && self.chatter.allows(Noise::UnknownVrid, now) {
                let on = self.sockets.key(socket).and_then(|key| key.interface());
                let on = on.map_or_else(|| "any".to_owned(), |index| self.interface_name(index));
                info!(
                    "Unknown VRID({}) received on interface({on}). ignoring...",
                    datagram.vrid().0
                );
            }
            return;
        };
        let Some(instance) = self.instances.get_mut(id) else { return };
        let state = instance.router.state();
        if !matches!(state, State::Backup | State::Master) {
            return;
        }
        let (source, to) = (datagram.source, datagram.destination);
        let unicast = instance.expect.cast != Cast::Multicast;
        if instance.config.family == Family::V6 && to.is_multicast() == unicast {
            // An IPv6 socket also hears groups that others have joined.
            if instance.chatter.allows(Noise::Cast, now) {
                debug!("({}) discarded an advert from {source} to {to}", instance.name());
            }
            return;
        }
        let known = state == State::Backup && instance.router.master() == Some(source);
        let owner = instance.router.effective_priority() == Priority::OWNER;
        let policy = Policy {
            compare_addresses: !(known && instance.config.skip_check_adv_addr),
            ignore: owner && instance.config.owner_ignore_adverts,
            clock: time_of_day(),
        };
        let verdict = instance.expect.check(datagram, policy, &mut instance.counters);
        instance.stats.count(&verdict);
        self.log_verdict(id, &verdict, source, now);
        self.trap_refused(id, &verdict, source, now);
        if verdict.old_checksum_detected {
            self.use_old_checksum(id);
        }
        if let Ok(advert) = verdict.outcome {
            self.take_advert(id, advert, source, now);
        }
    }

    fn take_advert(&mut self, id: InstanceId, advert: Advert, source: IpAddr, now: Instant) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let order = instance.source.map_or(Ordering::Equal, |own| source.cmp(&own));
        let rank = advert.priority.cmp(&instance.router.effective_priority()).then(order);
        let is_master = instance.router.state() == State::Master;
        let contradicted = is_master && advert.priority != Priority::STOP && rank == Ordering::Less;
        if let Some(number) = advert.ah_number.filter(|_| contradicted) {
            if instance.chatter.allows(Noise::AhNumber, now) {
                info!("({}) IPSEC-AH : Syncing seq_num - Increment seq", instance.name());
            }
            instance.counters.ah.overtake(number);
        }
        let Advert { priority, interval, .. } = advert;
        self.take(id, Event::Advert(Heard { source, order, priority, interval }), now);
    }

    /// The instance that a datagram is for. Unicast instances may share a VRID; then the sender decides.
    fn addressee(&self, socket: SocketId, datagram: &Datagram<'_>) -> Option<InstanceId> {
        let mut listeners = self.sockets.listeners(socket, datagram.vrid());
        let mut others = listeners.clone().skip(1);
        if others.next().is_none() {
            return listeners.next();
        }
        let knows_sender = |&id: &InstanceId| {
            let instance = self.instances.get(id);
            instance.is_some_and(|instance| instance.destinations().any(|to| to == datagram.source))
        };
        listeners.find(knows_sender)
    }

    fn log_verdict(&mut self, id: InstanceId, verdict: &Verdict, source: IpAddr, now: Instant) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        let name = instance.config.name.as_str();
        let remarks = [verdict.clock, verdict.interval, verdict.addresses];
        for remark in remarks.into_iter().flatten() {
            if instance.refusals.is_news(remark.topic()) {
                info!("({name}) {}", remark.text(instance.config.vrid, source));
            }
        }
        let Err(refused) = &verdict.outcome else { return };
        let news = match refused.topic() {
            Some(topic) => instance.refusals.is_news(topic),
            None => instance.chatter.allows(Noise::Ah, now),
        };
        if news && !refused.is_silent() {
            info!("({name}) {}", refused.text(source));
        }
    }

    fn use_old_checksum(&mut self, id: InstanceId) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        info!("({}) Setting unicast VRRPv3 checksum to old version", instance.name());
        instance.expect.old_checksum = OldChecksum::Detected;
        instance.build_packets();
    }
}

/// The headers of a received datagram; `None` where the kernel did not say whom it was sent by and to.
fn split<'a>(family: Family, received: &Received<'a>) -> Option<Result<Datagram<'a>, TooShort>> {
    match (family, received.source, received.destination) {
        (Family::V4, _, _) => Some(Datagram::from_ipv4(received.data)),
        (Family::V6, Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) => {
            Some(Datagram::from_ipv6(received.data, source, destination, received.hop_limit))
        }
        (Family::V6, _, _) => None,
    }
}

/// The time of day, for trailers.
pub(super) fn time_of_day() -> Stamp {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Stamp::from_unix(since_1970.unwrap_or(Duration::ZERO))
}
