//! A virtual router while it runs: its configuration, its election, and what it sends and expects.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::SystemTime;

use runtime::machine::IfIndex;

use super::notify::News;
use super::receive::time_of_day;
use super::refusals::{Chatter, Refusals};
use super::snmp::Told;
use super::sockets::SocketId;
use crate::config::instance::Transport;
use crate::config::{self, GroupId};
use crate::fsm::{Router, Settings};
use crate::kernel::placement::Owner;
use crate::packet::{Cast, Counters, Expect, Family, Form, OldChecksum, Packet, Priority, Seal};
use crate::stats::Stats;

/// TTL of IPv4 adverts, but for unicast ones that are configured otherwise.
const FULL_TTL: u8 = 255;

/// A virtual router while it runs.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) config: Rc<config::Instance>,
    pub(super) router: Router,
    pub(super) expect: Expect,
    pub(super) stats: Stats,
    pub(super) refusals: Refusals,
    pub(super) chatter: Chatter,
    /// Its group, and its place there.
    pub(super) group: Option<(GroupId, usize)>,
    /// The interface that the configuration names; `None` while it is missing, or for unicast without one.
    pub(super) base: Option<IfIndex>,
    /// Its VMAC or ipvlan interface, while it is there.
    pub(super) own: Option<IfIndex>,
    /// The interface of these that adverts go through and come from.
    pub(super) interface: Option<IfIndex>,
    /// Where adverts come from; `None` while there is no such address.
    pub(super) source: Option<IpAddr>,
    pub(super) socket: Option<SocketId>,
    /// Adverts, one for each destination; for IPv6 one for all, since only the kernel writes addresses into them.
    packets: Vec<Packet>,
    /// IPv4 identification of the last advert.
    identification: u16,
    /// Numbers against replay.
    pub(super) counters: Counters,
    /// Whether anybody was ever told about its state.
    pub(super) told: bool,
    /// What the last mail about it said; a reload forgets it.
    pub(super) mailed: Option<News>,
    /// Whether addresses, routes and rules are in place.
    pub(super) holds: bool,
    pub(super) last_transition: SystemTime,
    pub(super) told_snmp: Told,
}

impl Instance {
    /// A virtual router that has not started. `starts_as_master` is false where its sync group does not allow it.
    pub(super) fn new(
        config: &Rc<config::Instance>,
        group4: Ipv4Addr,
        starts_as_master: bool,
    ) -> Self {
        Self {
            router: Router::new(settings(config, starts_as_master)),
            expect: expect(config, group4),
            stats: Stats::default(),
            refusals: Refusals::default(),
            chatter: Chatter::default(),
            group: None,
            base: None,
            own: None,
            interface: None,
            source: None,
            socket: None,
            packets: Vec::new(),
            identification: 0,
            counters: Counters::default(),
            told: false,
            mailed: None,
            holds: false,
            last_transition: SystemTime::now(),
            told_snmp: Told::default(),
            config: Rc::clone(config),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether it has a fault that is to be told.
    pub(super) fn is_faulty(&self) -> bool {
        self.router.faults().iter().any(|fault| !fault.is_pending())
    }

    /// Where what it owns is.
    pub(super) fn owner(&self) -> Owner<'_> {
        Owner { config: &self.config, base: self.base, own: self.own }
    }

    /// Where adverts go, in order.
    pub(super) fn destinations(&self) -> impl Iterator<Item = IpAddr> {
        let (group, peers) = match &self.config.transport {
            Transport::Multicast { group } => (Some(*group), &[][..]),
            Transport::Unicast(unicast) => (None, &unicast.peers[..]),
        };
        group.into_iter().chain(peers.iter().map(|peer| peer.address))
    }

    /// Builds the adverts anew: after a change of the configuration, the source or the checksum.
    pub(super) fn build_packets(&mut self) {
        self.packets.clear();
        let Some(source) = self.source else { return };
        let form = form(&self.config, self.expect.old_checksum, self.expect.group);
        let single = self.config.family == Family::V6;
        let count = if single { 1 } else { usize::MAX };
        let packets: Vec<Packet> = self
            .destinations()
            .take(count)
            .map(|destination| Packet::new(&form, source, destination))
            .collect();
        self.packets = packets;
    }

    /// Makes the packets the next advert. All copies carry the same numbers.
    pub(super) fn seal(&mut self, priority: Priority) {
        let Some(source) = self.source else { return };
        self.identification = self.identification.wrapping_add(1);
        for packet in &mut self.packets {
            packet.stamp(priority, self.identification);
        }
        let seal = Seal {
            auth: &self.config.auth,
            version: self.config.version,
            vrid: self.config.vrid,
            source,
            unicast: self.config.transport.is_unicast(),
            clock: time_of_day(),
        };
        seal.apply(&mut self.packets, &mut self.counters);
    }

    /// The packets, each with where it goes to and comes from.
    pub(super) fn outgoing(&self) -> impl Iterator<Item = (&Packet, IpAddr, IpAddr)> {
        let last = self.packets.len().saturating_sub(1);
        self.destinations().enumerate().filter_map(move |(place, to)| {
            Some((self.packets.get(place.min(last))?, to, self.source?))
        })
    }

    /// Octets of an advert from `source`, for receive buffers.
    pub(super) fn advert_len(&self, source: IpAddr) -> u32 {
        let form = form(&self.config, self.expect.old_checksum, self.expect.group);
        let packet = self.destinations().next().map(|to| Packet::new(&form, source, to));
        u32::try_from(packet.map_or(0, |packet| packet.bytes().len())).unwrap_or(u32::MAX)
    }

    /// Goes on with a changed configuration, which is for the same virtual router.
    pub(super) fn reconfigure(&mut self, config: Rc<config::Instance>, group4: Ipv4Addr) {
        self.expect = expect(&config, group4);
        self.config = config;
        self.refusals = Refusals::default();
        self.group = None;
        self.mailed = None;
        // Whether interface, source and socket are still right, is looked at afterwards.
        self.socket = None;
        self.build_packets();
    }
}

/// What the election has to know of `config`.
pub(super) fn settings(config: &config::Instance, starts_as_master: bool) -> Settings {
    Settings {
        version: config.version,
        interval: config.advert_interval,
        down_timer_adverts: u32::from(config.down_timer_adverts),
        priority: config.priority,
        preempt: config.preempt,
        starts_as_master,
        lower_prio_no_advert: config.lower_prio_no_advert,
        higher_prio_send_advert: config.higher_prio_send_advert,
        timer_expired_backup: config.timer_expired_backup,
    }
}

fn expect(config: &config::Instance, group4: Ipv4Addr) -> Expect {
    let (cast, old_checksum) = match &config.transport {
        Transport::Multicast { .. } => (Cast::Multicast, OldChecksum::Never),
        Transport::Unicast(unicast) => {
            let peers = unicast.peers.clone();
            (Cast::Unicast { peers, check_source: unicast.check_source }, unicast.old_checksum)
        }
    };
    Expect {
        vrid: config.vrid,
        version: config.version,
        interval: config.advert_interval,
        auth: config.auth.clone(),
        addresses: addresses(config),
        cast,
        checksum_as_v2: config.v3_checksum_as_v2,
        old_checksum,
        group: group4,
    }
}

fn form(config: &config::Instance, old_checksum: OldChecksum, group4: Ipv4Addr) -> Form {
    let ttl = match &config.transport {
        Transport::Multicast { .. } => FULL_TTL,
        Transport::Unicast(unicast) => unicast.ttl.unwrap_or(FULL_TTL),
    };
    Form {
        version: config.version,
        vrid: config.vrid,
        interval: config.advert_interval,
        addresses: addresses(config),
        auth: config.auth.clone(),
        ttl,
        checksum_as_v2: config.v3_checksum_as_v2,
        checksum_destination: old_checksum.in_use().then_some(group4),
    }
}

fn addresses(config: &config::Instance) -> Vec<IpAddr> {
    config.addresses.iter().map(|address| address.address).collect()
}
