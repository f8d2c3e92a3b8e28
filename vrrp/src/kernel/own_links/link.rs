//! One interface that we make: what there is of it, and what is to be asked so that it is as it should be.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

use log::{debug, info};
use nix::errno::Errno;
use runtime::machine::{Address, AddressFlags, Hardware, IfIndex, Link};
use runtime::netlink::{LinkChange, LinkKind, NetlinkError, NewLink, Request};

use super::leaving::Leaving;
use super::{Key, LinkLocal, Step, Task, Wanted, notify};
use crate::interfaces::{Interface, Interfaces};
use crate::kernel::PROTOCOL;
use crate::packet::Family;

/// How a macvlan reaches its siblings: not at all (`MACVLAN_MODE_PRIVATE`).
pub(super) const PRIVATE: u32 = 1;
/// The prefix length of addresses of the link.
const LINK_LOCAL_LEN: u8 = 64;

/// An interface of ours.
#[derive(Debug)]
pub(super) struct OwnLink {
    pub(super) wanted: Wanted,
    pub(super) name: String,
    pub(super) state: State,
    /// How many come before it in the configuration.
    pub(super) place: usize,
    /// Why it could not be made, which has been told.
    told: Option<Errno>,
    /// A change of its VRF is asked for once.
    vrf: Option<Option<IfIndex>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is not there.
    Absent,
    /// It was made, but not seen yet.
    Unseen,
    /// It could not be made.
    Refused,
    /// It is there, and is not set up yet.
    Made(IfIndex),
    /// It is as it should be.
    Ready(IfIndex),
}

/// What there is already of an interface that is to be made.
pub(super) enum Found {
    Nothing,
    /// It, or what can be made to be it.
    Ours(IfIndex),
    /// Another one of its name.
    InTheWay(Leaving),
}

impl OwnLink {
    pub(super) fn new(wanted: Wanted, place: usize) -> Self {
        Self { wanted, name: String::new(), state: State::Absent, place, told: None, vrf: None }
    }

    pub(super) fn index(&self) -> Option<IfIndex> {
        match self.state {
            State::Made(index) | State::Ready(index) => Some(index),
            State::Absent | State::Unseen | State::Refused => None,
        }
    }

    /// Whether it is on the interface that the configuration names, or on what that stands on.
    pub(super) fn is_in_place(&self, index: IfIndex, interfaces: &Interfaces) -> bool {
        let parent = interfaces.by_name(self.wanted.key.parent());
        parent.is_some_and(|parent| {
            let parent = parent.link().index;
            interfaces.base(index) == interfaces.base(parent)
        })
    }

    pub(super) fn is_ipv4_vmac(&self) -> bool {
        matches!(self.wanted.key, Key::Vmac { .. }) && self.wanted.family == Family::V4
    }

    fn kind(&self) -> &'static str {
        match self.wanted.key {
            Key::Vmac { .. } => "VMAC",
            Key::Ipvlan { .. } => "ipvlan",
        }
    }

    /// Somebody else wants it too.
    pub(super) fn share(&mut self, other: Wanted) {
        self.wanted.both_families |= other.both_families;
        if self.wanted.link_local == LinkLocal::None {
            self.wanted.link_local = other.link_local;
        }
    }

    pub(super) fn may_keep_its_name(&self, wanted: &Wanted) -> bool {
        let fits = wanted.name.as_ref().is_none_or(|name| *name == self.name);
        fits || wanted.name == self.wanted.name
    }

    /// Goes on with changed wishes.
    pub(super) fn adjusted(mut self, wanted: Wanted, place: usize) -> Self {
        self.place = place;
        let same = Wanted { user: wanted.user.clone(), ..self.wanted } == wanted;
        self.wanted = wanted;
        if let (State::Ready(index), false) = (self.state, same) {
            self.state = State::Made(index);
        }
        self.told = None;
        self
    }

    pub(super) fn leaving(&self, index: IfIndex, name: &str) -> Leaving {
        Leaving {
            index,
            name: name.to_owned(),
            user: self.wanted.user.clone(),
            notify: self.wanted.notify,
            ipv4_vmac: self.is_ipv4_vmac(),
            asked: false,
            alone: false,
        }
    }

    /// Whether an interface is this one, made by a process before us.
    pub(super) fn is(&self, link: &Link, interfaces: &Interfaces) -> bool {
        let parent = interfaces.by_name(self.wanted.key.parent());
        let base = parent.map(|parent| interfaces.base(parent.link().index));
        base.is_some_and(|base| {
            link.index != base
                && interfaces.base(link.index) == base
                && self.is_like(link, interfaces)
        })
    }

    /// Looks for what a process before us has left behind.
    pub(super) fn find(
        &mut self,
        parent: &Interface,
        interfaces: &Interfaces,
        taken: &HashSet<IfIndex>,
    ) -> Found {
        let base = interfaces.base(parent.link().index);
        let user = &self.wanted.user;
        let free = interfaces.iter().filter(|found| !taken.contains(&found.link().index));
        let matching = free.map(Interface::link).find(|link| self.is(link, interfaces));
        if let Some(link) = matching {
            info!("({user}) Found matching interface {}", link.name);
            if self.wanted.name.as_ref().is_some_and(|name| *name != link.name) {
                let (ours, theirs) = (&self.name, &link.name);
                info!("({user}) vmac name mismatch {ours} <=> {theirs}. changing to {theirs}.");
            }
            self.name.clone_from(&link.name);
            return Found::Ours(link.index);
        }
        let namesake = interfaces.by_name(&self.name).map(Interface::link);
        let Some(namesake) = namesake.filter(|link| !taken.contains(&link.index)) else {
            return Found::Nothing;
        };
        let ours = self.wanted.kind.name();
        if namesake.kind != ours {
            // Whatever it is, it is not ours; making one of its name fails, and that is told.
            return Found::Nothing;
        }
        info!(
            "({user}) {} {} already exists but is incompatible. It will be deleted/updated",
            self.kind(),
            self.name
        );
        let same_base = interfaces.base(namesake.index) == base;
        if same_base && matches!(self.wanted.kind, LinkKind::PrivateMacvlan { .. }) {
            return Found::Ours(namesake.index);
        }
        Found::InTheWay(self.leaving(namesake.index, &self.name))
    }

    /// Whether an interface on the same base could have been made for this.
    fn is_like(&self, link: &Link, interfaces: &Interfaces) -> bool {
        match self.wanted.kind {
            LinkKind::PrivateMacvlan { mac } => {
                link.kind == "macvlan" && link.macvlan_mode == Some(PRIVATE) && link.mac == mac
            }
            LinkKind::Ipvlan { flags } => {
                let Wanted { name, address, family, .. } = &self.wanted;
                let on_frames =
                    link.ipvlan.is_some_and(|ipvlan| (ipvlan.mode, ipvlan.flags) == (0, flags));
                let anonymous = *family == Family::V6 && name.is_none() && address.is_none();
                let has = |address: IpAddr| {
                    let interface = interfaces.get(link.index);
                    interface.is_some_and(|found| {
                        found.addresses().iter().any(|one| one.local == address)
                    })
                };
                on_frames
                    && !anonymous
                    && name.as_ref().is_none_or(|name| *name == link.name)
                    && address.is_none_or(|(address, _)| has(address))
            }
        }
    }

    pub(super) fn create(&mut self, parent: &Link, interfaces: &Interfaces) -> Option<Step> {
        if parent.hardware != Hardware::ETHERNET {
            self.refuse(Errno::EOPNOTSUPP, || {
                "vmacs are only supported on Ethernet type interfaces".to_owned()
            });
            return None;
        }
        let base = interfaces.get(interfaces.base(parent.index));
        let group = base.map_or(parent.group, |base| base.link().group);
        let link = NewLink {
            name: self.name.clone(),
            parent: parent.index,
            kind: self.wanted.kind,
            group: self.wanted.group.unwrap_or(group),
            vrf: interfaces.vrf(parent.index).map(|vrf| vrf.link().index),
        };
        let task = Task::Create(self.wanted.key.clone());
        Some(Step { request: Request::CreateLink(link), task })
    }

    pub(super) fn created(&mut self, outcome: Result<(), NetlinkError>) {
        let (user, kind, name) = (&self.wanted.user, self.kind(), &self.name);
        match outcome {
            Ok(()) => {
                debug!("({user}): Success creating {kind} interface {name}");
                self.state = State::Unseen;
                self.told = None;
            }
            // The interface below has just gone.
            Err(error) if error.errno() == Some(Errno::ENODEV) => self.state = State::Refused,
            Err(error) => {
                let text = format!("Unable to create {kind} interface {name}: {error}");
                self.refuse(error.errno().unwrap_or(Errno::EIO), || text);
            }
        }
    }

    fn refuse(&mut self, errno: Errno, text: impl FnOnce() -> String) {
        self.state = State::Refused;
        if self.told != Some(errno) {
            info!("({}): {}", self.wanted.user, text());
            self.told = Some(errno);
        }
    }

    /// What makes an interface that is there what it should be.
    pub(super) fn set_up(
        &mut self,
        index: IfIndex,
        parent: &Interface,
        interfaces: &Interfaces,
    ) -> Vec<Step> {
        self.state = State::Ready(index);
        let mut requests = Vec::new();
        let mut change = |change| requests.push(Request::ChangeLink(index, change));
        let Some(link) = interfaces.get(index).map(Interface::link) else { return Vec::new() };
        if let LinkKind::PrivateMacvlan { mac } = self.wanted.kind {
            if link.macvlan_mode != Some(PRIVATE) || link.mac != mac {
                info!(
                    "({}) Update old VMAC interface {} due to wrong MAC/mode",
                    self.wanted.user, self.name
                );
                change(LinkChange::PrivateMacvlan { mac });
            }
            change(LinkChange::NoGeneratedAddress);
        }
        if let Some(group) = self.wanted.group.filter(|&group| group != link.group) {
            change(LinkChange::Group(group));
        }
        change(LinkChange::Up);
        requests.extend(self.addresses(index, interfaces).into_iter().map(Request::AddAddress));
        let key = &self.wanted.key;
        let step = |request| Step { request, task: Task::SetUp(key.clone()) };
        let mut steps: Vec<Step> = requests.into_iter().map(step).collect();
        if self.wanted.notify {
            let base = interfaces.get(interfaces.base(parent.link().index)).unwrap_or(parent);
            steps.push(notify(base.link()));
        }
        steps
    }

    pub(super) fn was_set_up(&self, request: &Request, outcome: Result<(), NetlinkError>) {
        let (user, name) = (&self.wanted.user, &self.name);
        match (request, outcome) {
            (Request::ChangeLink(_, LinkChange::Vrf(_)), outcome) => match outcome {
                Ok(()) => debug!(
                    "vmac: Success changing VRF of VMAC interface {name} for vrrp_instance {user}"
                ),
                Err(error) => info!(
                    "vmac: Error changing VRF of VMAC interface {name} for vrrp_instance {user}: {error}"
                ),
            },
            (Request::ChangeLink(_, LinkChange::PrivateMacvlan { .. }), Ok(())) => {
                debug!("({user}): Success updating VMAC interface {name}");
            }
            (_, Ok(())) => {}
            (Request::AddAddress(_), Err(error)) if error.errno() == Some(Errno::EEXIST) => {}
            (_, Err(error)) => info!("({user}) {name}: {error}"),
        }
    }

    /// It belongs to the VRF that the interface below belongs to.
    pub(super) fn follow_vrf(
        &mut self,
        index: IfIndex,
        parent: &Interface,
        interfaces: &Interfaces,
    ) -> Option<Step> {
        let vrf = |index| interfaces.vrf(index).map(|vrf| vrf.link().index);
        let (own, wanted) = (vrf(index), vrf(parent.link().index));
        if own == wanted {
            self.vrf = None;
            return None;
        }
        if self.vrf.replace(wanted) == Some(wanted) {
            return None;
        }
        let request = Request::ChangeLink(index, LinkChange::Vrf(wanted));
        Some(Step { request, task: Task::SetUp(self.wanted.key.clone()) })
    }

    pub(super) fn addresses(&self, index: IfIndex, interfaces: &Interfaces) -> Vec<Address> {
        let link_local = self.link_local(interfaces);
        let link_local = link_local.map(|address| for_adverts(index, address, LINK_LOCAL_LEN));
        let own = self
            .wanted
            .address
            .map(|(address, prefix_len)| for_adverts(index, address, prefix_len));
        link_local.into_iter().chain(own).collect()
    }

    pub(super) fn link_local(&self, interfaces: &Interfaces) -> Option<IpAddr> {
        match self.wanted.link_local {
            LinkLocal::None => None,
            LinkLocal::Given(address) => Some(address),
            LinkLocal::OfParent => {
                let parent = interfaces.by_name(self.wanted.key.parent())?;
                parent.source(Family::V6).or_else(|| {
                    let base = interfaces.get(interfaces.base(parent.link().index))?;
                    Some(made_from(&base.link().mac)?.into())
                })
            }
        }
    }
}

/// An address for adverts only: one of IPv6 is not offered for anything else.
fn for_adverts(interface: IfIndex, address: IpAddr, prefix_len: u8) -> Address {
    let plain = Address { protocol: PROTOCOL, ..Address::plain(interface, address, prefix_len) };
    match address {
        IpAddr::V4(_) => plain,
        IpAddr::V6(_) => Address { preferred: Some(0), flags: AddressFlags::NO_DAD, ..plain },
    }
}

/// The address of the link that goes with a hardware address (RFC 4291 appendix A).
fn made_from(mac: &[u8]) -> Option<Ipv6Addr> {
    let &[a, b, c, d, e, f] = mac else { return None };
    Some(Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]))
}
