//! A virtual router, complete and in range.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use runtime::global::{ExtraGarp, Script};
use serde::{Deserialize, Serialize};

use super::GroupId;
use super::address::Address;
use super::auth::Auth;
use super::route::Route;
use super::rule::Rule;
use super::track::Trackers;
use crate::fsm::Preempt;
use crate::packet::{Family, OldChecksum, Peer, Priority, Version, Vrid};

/// A virtual router in which this machine takes part (`vrrp_instance`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// The number that all routers of the virtual router share.
    pub vrid: Vrid,
    /// Address family of the adverts.
    pub family: Family,
    /// Protocol version.
    pub version: Version,
    /// The interface that the configuration names. Only a unicast instance may have none.
    pub interface: Option<String>,
    /// VRF of a unicast instance without interface.
    pub vrf: Option<String>,
    /// Whether adverts and addresses live on an interface of their own.
    pub own_interface: OwnInterface,
    /// Whether addresses on other interfaces get an own VMAC too (`use_vmac_addr`).
    pub address_vmacs: bool,
    /// To whom adverts go.
    pub transport: Transport,
    /// Configured source address of the adverts; `None` is the interface's own.
    pub source: Option<IpAddr>,
    /// Whether the instance is faulty while the machine lacks [`Self::source`].
    pub track_source: bool,
    /// Whether it is to start as master. Only the address owner does so at once.
    pub wants_master: bool,
    /// Priority before trackers change it.
    pub priority: Priority,
    /// Advertisement interval: whole seconds in version 2, whole centiseconds in version 3.
    pub advert_interval: Duration,
    /// So many missed adverts make a master dead.
    pub down_timer_adverts: u8,
    /// Whether and when a master of lower priority is replaced.
    pub preempt: Preempt,
    /// Whether a master accepts packets for addresses that it does not own.
    pub accept: bool,
    /// Whether the protocol is followed strictly.
    pub strict: bool,
    /// Whether the version 3 checksum over IPv4 goes without the pseudo-header.
    pub v3_checksum_as_v2: bool,
    /// Whether the addresses of an advert are not compared when it comes from the same master as the last one.
    pub skip_check_adv_addr: bool,
    /// How addresses are announced.
    pub garp: Rc<Garp>,
    /// Whether a master does not answer an advert of lower priority.
    pub lower_prio_no_advert: bool,
    /// Whether a master answers an advert of higher priority before it gives in.
    pub higher_prio_send_advert: bool,
    /// Whether an address owner ignores adverts.
    pub owner_ignore_adverts: bool,
    /// Give up being master after the machine stood still for long; the highest priority of the other routers.
    pub timer_expired_backup: Option<Priority>,
    /// Bytes that the socket is to buffer for this instance; `None` follows the daemon's policy.
    pub receive_buffer: Option<u32>,
    /// Authentication of adverts.
    pub auth: Auth,
    /// Addresses that the adverts carry.
    pub addresses: Vec<Address>,
    /// Further addresses.
    pub excluded: Vec<Address>,
    /// Routes of the master.
    pub routes: Vec<Route>,
    /// Policy rules of the master.
    pub rules: Vec<Rule>,
    /// Interfaces of static objects whose fate it shares (`track_group`).
    pub shared_interfaces: Vec<String>,
    /// Whether deleting an address lets the others of its subnet live, on an interface that is not ours.
    pub promote_secondaries: bool,
    /// Whether the state of [`Self::interface`] matters.
    pub track_primary: bool,
    /// The BFD session whose silence means that the master is gone. An extension.
    pub bfd_takeover: Option<Box<BfdTakeover>>,
    /// What else changes the priority or makes the instance faulty.
    pub trackers: Rc<Trackers>,
    /// Who is told about changes.
    pub notify: Rc<Notify>,
    /// Whether changes of the priority are written to the FIFOs.
    pub notify_priority_changes: bool,
    /// Whether changes of state are mailed.
    pub smtp_alert: bool,
    /// The sync group that it belongs to.
    pub group: Option<GroupId>,
    /// Unicast with peers missing, or another defect with which the instance stays in FAULT.
    pub defective: bool,
    /// What was configured besides all this.
    pub shown: Shown,
}

/// What has no effect of its own, or has had it already. Data dumps show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// `debug`.
    pub debug: u8,
    /// Whether nothing is said about missing addresses.
    pub no_addresses: bool,
    /// Whether a unicast keyword was given, with peers or without.
    pub unicast: bool,
    /// Whether the instance itself says that an advert must come from a peer.
    pub checks_source: bool,
    /// Whether the instance was to be faulty without peers.
    pub fault_without_peers: bool,
    /// Whether the number of the virtual router ends the VMAC's own MAC address.
    pub mac_with_vrid: bool,
    /// Whether the instance asked for its interface to be polled.
    pub polls_link: bool,
    /// Whether periodic announcements were asked for on all interfaces, whether there are any or not.
    pub announces_everywhere: bool,
}

/// What a backup makes of a BFD session that nothing is heard on any more (`bfd_takeover`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BfdTakeover {
    /// The session with the router that is to be replaced.
    pub session: String,
    /// Whether there is no other backup.
    pub only_backup: bool,
}

/// An interface made for one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnInterface {
    /// None: everything happens on the configured interface.
    None,
    /// A macvlan interface with a virtual MAC address (RFC 9568 §7.3).
    Vmac(Box<Vmac>),
    /// An ipvlan interface.
    Ipvlan(Box<Ipvlan>),
}

/// Settings of a VMAC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmac {
    /// Name of the interface; `None` makes one from the prefix and the VRID.
    pub name: Option<String>,
    /// MAC address; `None` is that of the protocol.
    pub mac: Option<[u8; 6]>,
    /// Whether adverts go out through the configured interface, with its MAC address.
    pub xmit_base: bool,
    /// Whether the configured interface's group is set anew afterwards, so that listeners hear of the VMAC.
    pub netlink_notify: bool,
    /// Interface group; `None` is that of the configured interface.
    pub group: Option<u32>,
}

/// Settings of an ipvlan interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipvlan {
    /// Name of the interface; `None` makes one from the prefix and the VRID.
    pub name: Option<String>,
    /// Its own address and prefix length.
    pub address: Option<(IpAddr, u8)>,
    /// How it reaches its siblings.
    pub mode: IpvlanMode,
    /// Interface group; `None` is that of the configured interface.
    pub group: Option<u32>,
}

/// How an ipvlan interface reaches its siblings (`IPVLAN_F_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IpvlanMode {
    /// Directly.
    #[default]
    Bridge,
    /// Not at all.
    Private,
    /// Through the switch outside.
    Vepa,
}

/// To whom adverts go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// To a group.
    Multicast {
        /// The group.
        group: IpAddr,
    },
    /// To each of some routers.
    Unicast(Unicast),
}

impl Transport {
    /// Whether adverts go to single routers.
    pub fn is_unicast(&self) -> bool {
        matches!(self, Transport::Unicast(_))
    }
}

/// Unicast settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unicast {
    /// The other routers.
    pub peers: Vec<Peer>,
    /// TTL or hop limit to send with; `None` is 255 for IPv4 and the kernel's default for IPv6.
    pub ttl: Option<u8>,
    /// Whether an advert must come from a peer.
    pub check_source: bool,
    /// The checksum that some old versions used.
    pub old_checksum: OldChecksum,
}

/// How a master announces its addresses: gratuitous ARP, and unsolicited neighbour advertisements for IPv6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Garp {
    /// Time until the second burst; zero is none.
    pub delay: Duration,
    /// Messages per address in a burst.
    pub repeat: u32,
    /// Period of the refresh while master; zero is none.
    pub refresh: Duration,
    /// Messages per address in a refresh.
    pub refresh_repeat: u32,
    /// Time until the second burst after an advert of lower priority; zero is none.
    pub lower_prio_delay: Duration,
    /// Messages per address after an advert of lower priority; zero is none.
    pub lower_prio_repeat: u32,
    /// Periodic messages on other interfaces.
    pub extra: Option<ExtraGarp>,
}

/// Scripts that are started when something happens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// The instance became master.
    pub master: Option<Box<Script>>,
    /// The instance became backup.
    pub backup: Option<Box<Script>>,
    /// The instance became faulty.
    pub fault: Option<Box<Script>>,
    /// The daemon stops.
    pub stop: Option<Box<Script>>,
    /// Any of these, with what happened as further arguments.
    pub any: Option<Box<Script>>,
    /// What the end of an instance in a reload looks like to others.
    pub deleted: Deleted,
    /// A master heard an advert of lower priority.
    pub lower_priority: Option<Box<Script>>,
}

/// What the end of an instance in a reload looks like to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deleted {
    /// Like a fault.
    #[default]
    AsFault,
    /// As what it is; the script is started then.
    Reported(Option<Box<Script>>),
}

impl Instance {
    /// Keeps what it has in common with `other` only once.
    pub(super) fn share(&mut self, other: &Self) {
        fn share<T: PartialEq>(mine: &mut Rc<T>, theirs: &Rc<T>) {
            if mine == theirs {
                *mine = Rc::clone(theirs);
            }
        }
        share(&mut self.garp, &other.garp);
        share(&mut self.trackers, &other.trackers);
        share(&mut self.notify, &other.notify);
    }

    /// Whether this machine owns the addresses.
    pub fn is_owner(&self) -> bool {
        self.priority == Priority::OWNER
    }

    /// Whether packets to the addresses are kept away. Their owner has them in any case.
    pub fn refuses(&self) -> bool {
        !self.accept && !self.is_owner()
    }

    /// All addresses, those of the adverts first.
    pub fn all_addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.iter().chain(&self.excluded)
    }

    /// Whether the instance has a VMAC for its adverts and addresses.
    pub fn has_vmac(&self) -> bool {
        matches!(self.own_interface, OwnInterface::Vmac(_))
    }
}
