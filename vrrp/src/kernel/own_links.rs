//! The interfaces that we make: VMACs, and ipvlan interfaces.
//!
//! As with addresses there is one idea: what is wanted is compared with what is there, and the difference is asked for.
//! An interface that a killed process has left behind, one that somebody else has deleted or renamed, a parent that came
//! back, and shutdown are all the same to it. It takes rounds, since what is new must be seen before it can be set up:
//! [`OwnLinks::plan`] is asked until it wants nothing more.

mod name;
mod wanted;

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use log::{debug, info};
use nix::errno::Errno;
use runtime::machine::{Address, AddressFlags, Hardware, IfIndex, Link};
use runtime::netlink::{LinkChange, LinkKind, NetlinkError, NewLink, Request};

pub use wanted::{Key, LinkLocal, Wanted, wanted};

use super::PROTOCOL;
use super::sysctl::{Knob, Setting};
use crate::interfaces::{Interface, Interfaces};
use crate::packet::Family;

/// How a macvlan reaches its siblings: not at all (`MACVLAN_MODE_PRIVATE`).
const PRIVATE: u32 = 1;
/// So many interfaces are removed in one go. What the kernel tells about it must fit the monitor's buffer.
const REMOVED_TOGETHER: usize = 12;
/// The prefix length of addresses of the link.
const LINK_LOCAL_LEN: u8 = 64;

/// The interfaces that we make, as far as they are there.
#[derive(Debug, Default)]
pub struct OwnLinks {
    links: BTreeMap<Key, OwnLink>,
    leaving: Vec<Leaving>,
}

/// An interface of ours.
#[derive(Debug)]
struct OwnLink {
    wanted: Wanted,
    name: String,
    state: State,
    /// Why it could not be made, which has been told.
    told: Option<Errno>,
    /// A change of its VRF is asked for once.
    vrf: Option<Option<IfIndex>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
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

/// An interface that is to go.
#[derive(Debug)]
struct Leaving {
    index: IfIndex,
    name: String,
    user: String,
    kind: &'static str,
    /// The interface below is to be told about afterwards.
    notify: bool,
    ipv4_vmac: bool,
    asked: bool,
    /// It cannot be removed together with others.
    alone: bool,
}

/// Something to be asked of the kernel, and what it is for.
#[derive(Debug)]
pub struct Step {
    request: Request,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Create(Key),
    SetUp(Key),
    Gather(IfIndex),
    Remove(Vec<IfIndex>),
    /// It only makes the kernel talk.
    Notify,
}

impl Step {
    /// What is to be asked.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

impl OwnLinks {
    /// From now on exactly these interfaces are wanted. Those that are there already keep their names.
    pub fn want(&mut self, wanted: Vec<Wanted>, interfaces: &Interfaces) {
        let mut before = std::mem::take(&mut self.links);
        let mut fresh = Vec::new();
        for wanted in wanted {
            if let Some(link) = self.links.get_mut(&wanted.key) {
                link.share(wanted);
                continue;
            }
            let key = wanted.key.clone();
            let link = match before.remove(&key) {
                Some(link) if link.may_keep_its_name(&wanted) => link.adjusted(wanted),
                old => {
                    if let Some(link) = old {
                        info!("({}) Deleting old VMAC interface {}", wanted.user, link.name);
                        self.leave(link);
                    }
                    fresh.push(key.clone());
                    OwnLink::new(wanted)
                }
            };
            self.links.insert(key, link);
        }
        for link in before.into_values() {
            self.leave(link);
        }
        for key in fresh {
            self.name(&key, interfaces);
        }
    }

    /// Whether there is nothing to do, ever.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.leaving.is_empty()
    }

    /// What could not be done before is tried again.
    pub fn retry(&mut self) {
        for link in self.links.values_mut().filter(|link| link.state == State::Refused) {
            link.state = State::Absent;
        }
        for link in &mut self.leaving {
            link.asked = false;
        }
    }

    /// The number of an interface, while it is there.
    pub fn index(&self, key: &Key) -> Option<IfIndex> {
        self.links.get(key)?.index()
    }

    /// The name of an interface, whether it is there or not.
    pub fn name_of(&self, key: &Key) -> Option<&str> {
        Some(self.links.get(key)?.name.as_str())
    }

    /// The VMACs that are there: what they are for, their numbers and names.
    pub fn vmacs(&self) -> impl Iterator<Item = (&Wanted, IfIndex, &str)> {
        let vmacs = self
            .links
            .values()
            .filter(|link| matches!(link.wanted.kind, LinkKind::PrivateMacvlan { .. }));
        vmacs.filter_map(|link| Some((&link.wanted, link.index()?, link.name.as_str())))
    }

    /// The names of all of them, whether they are there or not.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.links.values().map(|link| link.name.as_str())
    }

    /// Whether an interface is one of ours.
    pub fn is_ours(&self, index: IfIndex) -> bool {
        self.links.values().any(|link| link.index() == Some(index))
    }

    /// What is to be asked of the kernel next; nothing where all is as it should be, or cannot be.
    pub fn plan(&mut self, interfaces: &Interfaces) -> Vec<Step> {
        self.look(interfaces);
        let removals = self.removals(interfaces);
        if !removals.is_empty() {
            // A name or an address that they have may be wanted.
            return removals;
        }
        let mut steps = Vec::new();
        let mut taken: HashSet<IfIndex> = self.links.values().filter_map(OwnLink::index).collect();
        for link in self.links.values_mut() {
            let Some(parent) = interfaces.by_name(link.wanted.key.parent()) else { continue };
            if link.state == State::Absent {
                match link.find(parent, interfaces, &taken) {
                    Found::Ours(index) => {
                        taken.insert(index);
                        link.state = State::Made(index);
                    }
                    Found::InTheWay(leaving) => self.leaving.push(leaving),
                    Found::Nothing => steps.extend(link.create(parent.link(), interfaces)),
                }
            }
            match link.state {
                State::Made(index) => steps.extend(link.set_up(index, parent, interfaces)),
                State::Ready(index) => steps.extend(link.follow_vrf(index, parent, interfaces)),
                State::Absent | State::Unseen | State::Refused => {}
            }
        }
        if self.leaving.iter().any(|link| !link.asked) {
            steps.splice(0..0, self.removals(interfaces));
        }
        steps
    }

    /// How what was planned has ended.
    pub fn done(&mut self, steps: Vec<Step>, outcomes: Vec<Result<(), NetlinkError>>) {
        for (Step { request, task }, outcome) in steps.into_iter().zip(outcomes) {
            match task {
                Task::Create(key) => {
                    if let Some(link) = self.links.get_mut(&key) {
                        link.created(outcome);
                    }
                }
                Task::SetUp(key) => {
                    if let Some(link) = self.links.get_mut(&key) {
                        link.was_set_up(&request, outcome);
                    }
                }
                Task::Gather(index) => self.gathered(index, &outcome),
                Task::Remove(indexes) => self.removed_together(&indexes, outcome),
                Task::Notify => {}
            }
        }
    }

    /// The settings that the interfaces and those below them need. Those of the former go with them, those of the latter
    /// are to be put back when nobody needs them any more.
    pub fn settings(&self, interfaces: &Interfaces) -> BTreeMap<Setting, i32> {
        let mut settings = BTreeMap::new();
        for link in self.links.values() {
            let Some(index) = link.index() else { continue };
            let mut set = |index, knob, value| {
                settings.insert(Setting::Interface(index, knob), value);
            };
            set(index, Knob::DisableIpv6, i32::from(!link.wanted.ipv6));
            if !matches!(link.wanted.key, Key::Vmac { .. }) {
                continue;
            }
            set(index, Knob::ArpIgnore, 1);
            if link.wanted.family == Family::V6 {
                continue;
            }
            // Adverts of other routers come from addresses of this link, which another interface has.
            set(index, Knob::AcceptLocal, 1);
            set(index, Knob::RpFilter, 0);
            set(index, Knob::PromoteSecondaries, 1);
        }
        settings.extend(self.settings_below(interfaces));
        settings
    }

    /// The settings of the interfaces below VMACs for IPv4, for as long as those are there: they must not answer for the
    /// addresses of the virtual router, nor VMACs for theirs.
    fn settings_below(&self, interfaces: &Interfaces) -> BTreeMap<Setting, i32> {
        let present = self.links.values().filter(|link| link.is_ipv4_vmac());
        let present = present.filter_map(OwnLink::index);
        let leaving = self.leaving.iter().filter(|link| link.ipv4_vmac).map(|link| link.index);
        present
            .chain(leaving)
            .map(|index| (index, interfaces.base(index)))
            .filter(|(index, base)| index != base)
            .flat_map(|(_, base)| [Knob::ArpIgnore, Knob::ArpFilter].map(|knob| (base, knob)))
            .map(|(base, knob)| (Setting::Interface(base, knob), 1))
            .collect()
    }

    /// The addresses that the interfaces have for themselves.
    pub fn addresses(&self, interfaces: &Interfaces) -> Vec<Address> {
        let there = self.links.values().filter_map(|link| Some((link, link.index()?)));
        there.flat_map(|(link, index)| link.addresses(index, interfaces)).collect()
    }

    /// The address of the link that a VMAC sends adverts over IPv6 from.
    pub fn link_local(&self, key: &Key, interfaces: &Interfaces) -> Option<IpAddr> {
        let link = self.links.get(key)?;
        link.index()?;
        link.link_local(interfaces)
    }

    /// Compares what is known with what is there: what is gone, renamed or on another interface than it should be is
    /// missing, what was made is seen.
    fn look(&mut self, interfaces: &Interfaces) {
        let mut strayed = Vec::new();
        for link in self.links.values_mut() {
            if let Some(index) = link.index() {
                match interfaces.get(index).map(|found| found.link().name.as_str()) {
                    Some(name) if name == link.name && link.is_in_place(index, interfaces) => {}
                    Some(name) => {
                        // It is still ours, and nobody else needs it.
                        strayed.push(link.leaving(index, name));
                        link.state = State::Absent;
                    }
                    None => link.state = State::Absent,
                }
            }
            if link.state == State::Unseen {
                if let Some(found) = interfaces.by_name(&link.name) {
                    link.state = State::Made(found.link().index);
                }
            }
        }
        self.leaving.extend(strayed);
        self.leaving.retain(|link| interfaces.get(link.index).is_some());
    }

    /// Those that are to go are gathered in a group that nothing else is in, and go together: the kernel takes some ten
    /// milliseconds for each removal, however many interfaces it is of.
    fn removals(&mut self, interfaces: &Interfaces) -> Vec<Step> {
        let due = self.leaving.iter_mut().filter(|link| !link.asked);
        let due: Vec<&mut Leaving> = due.take(REMOVED_TOGETHER).collect();
        let mut steps = Vec::new();
        let mut below: Vec<Step> = Vec::new();
        let mut gathered = Vec::new();
        let group = (due.len() > 1).then(|| unused_group(interfaces)).flatten();
        for link in due {
            link.asked = true;
            let index = link.index;
            match group.filter(|_| !link.alone) {
                Some(group) => {
                    let request = Request::ChangeLink(index, LinkChange::Group(group));
                    steps.push(Step { request, task: Task::Gather(index) });
                    gathered.push(index);
                }
                None => {
                    let request = Request::RemoveLink(index);
                    steps.push(Step { request, task: Task::Remove(vec![index]) });
                }
            }
            let base = interfaces.get(interfaces.base(index));
            below.extend(base.filter(|_| link.notify).map(|base| notify(base.link())));
        }
        if let (Some(group), false) = (group, gathered.is_empty()) {
            let request = Request::RemoveLinkGroup(group);
            steps.push(Step { request, task: Task::Remove(gathered) });
        }
        steps.extend(below);
        steps
    }

    /// One that could not be gathered is removed alone.
    fn gathered(&mut self, index: IfIndex, outcome: &Result<(), NetlinkError>) {
        if outcome.is_err() {
            self.part(&[index]);
        }
    }

    /// Interfaces are to be removed one by one.
    fn part(&mut self, indexes: &[IfIndex]) {
        for link in self.leaving.iter_mut().filter(|link| indexes.contains(&link.index)) {
            link.alone = true;
            link.asked = false;
        }
    }

    fn removed_together(&mut self, indexes: &[IfIndex], outcome: Result<(), NetlinkError>) {
        match outcome {
            Err(_) if indexes.len() > 1 => self.part(indexes),
            outcome => {
                for &index in indexes {
                    self.removed(index, outcome.clone());
                }
            }
        }
    }

    fn removed(&mut self, index: IfIndex, outcome: Result<(), NetlinkError>) {
        let asked = |link: &Leaving| link.index == index && link.asked;
        let Some(place) = self.leaving.iter().position(asked) else { return };
        let Leaving { user, name, kind, .. } = &self.leaving[place];
        match outcome {
            Ok(()) => debug!("({user}) Success removing {kind} interface {name}"),
            Err(error) if error.errno() == Some(Errno::ENODEV) => {}
            Err(error) => {
                info!("({user}) Error removing {kind} interface {name}: {error}");
                return;
            }
        }
        self.leaving.remove(place);
    }

    fn leave(&mut self, link: OwnLink) {
        if let Some(index) = link.index() {
            self.leaving.push(link.leaving(index, &link.name));
        }
    }

    /// Gives an interface the configured name, or one that nothing else has.
    fn name(&mut self, key: &Key, interfaces: &Interfaces) {
        let Some(link) = self.links.get(key) else { return };
        let Wanted { name, prefix, vrid, family, .. } = &link.wanted;
        let is_taken = |name: &str| {
            interfaces.by_name(name).is_some() || self.links.values().any(|one| one.name == name)
        };
        let name = name.clone().unwrap_or_else(|| name::free(prefix, *vrid, *family, is_taken));
        if let Some(link) = self.links.get_mut(key) {
            link.name = name;
        }
    }
}

/// What there is already of an interface that is to be made.
enum Found {
    Nothing,
    /// It, or what can be made to be it.
    Ours(IfIndex),
    /// Another one of its name.
    InTheWay(Leaving),
}

impl OwnLink {
    fn new(wanted: Wanted) -> Self {
        Self { wanted, name: String::new(), state: State::Absent, told: None, vrf: None }
    }

    fn index(&self) -> Option<IfIndex> {
        match self.state {
            State::Made(index) | State::Ready(index) => Some(index),
            State::Absent | State::Unseen | State::Refused => None,
        }
    }

    /// Whether it is on the interface that the configuration names, or on what that stands on.
    fn is_in_place(&self, index: IfIndex, interfaces: &Interfaces) -> bool {
        let parent = interfaces.by_name(self.wanted.key.parent());
        parent.is_some_and(|parent| {
            let parent = parent.link().index;
            interfaces.base(index) == interfaces.base(parent)
        })
    }

    fn is_ipv4_vmac(&self) -> bool {
        matches!(self.wanted.key, Key::Vmac { .. }) && self.wanted.family == Family::V4
    }

    fn kind(&self) -> &'static str {
        match self.wanted.key {
            Key::Vmac { .. } => "VMAC",
            Key::Ipvlan { .. } => "ipvlan",
        }
    }

    /// Somebody else wants it too.
    fn share(&mut self, other: Wanted) {
        self.wanted.ipv6 |= other.ipv6;
        if self.wanted.link_local == LinkLocal::None {
            self.wanted.link_local = other.link_local;
        }
    }

    fn may_keep_its_name(&self, wanted: &Wanted) -> bool {
        let fits = wanted.name.as_ref().is_none_or(|name| *name == self.name);
        fits || wanted.name == self.wanted.name
    }

    /// Goes on with changed wishes.
    fn adjusted(mut self, wanted: Wanted) -> Self {
        let same = Wanted { user: wanted.user.clone(), ..self.wanted } == wanted;
        self.wanted = wanted;
        if let (State::Ready(index), false) = (self.state, same) {
            self.state = State::Made(index);
        }
        self.told = None;
        self
    }

    fn leaving(&self, index: IfIndex, name: &str) -> Leaving {
        Leaving {
            index,
            name: name.to_owned(),
            user: self.wanted.user.clone(),
            kind: self.kind(),
            notify: self.wanted.notify,
            ipv4_vmac: self.is_ipv4_vmac(),
            asked: false,
            alone: false,
        }
    }

    /// Looks for what a process before us has left behind.
    fn find(
        &mut self,
        parent: &Interface,
        interfaces: &Interfaces,
        taken: &HashSet<IfIndex>,
    ) -> Found {
        let base = interfaces.base(parent.link().index);
        let user = &self.wanted.user;
        let free = interfaces.iter().filter(|found| !taken.contains(&found.link().index));
        let on_base = free.filter(|found| {
            let index = found.link().index;
            index != base && interfaces.base(index) == base
        });
        let matching = on_base.map(Interface::link).find(|link| self.is_like(link, interfaces));
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

    fn create(&mut self, parent: &Link, interfaces: &Interfaces) -> Option<Step> {
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

    fn created(&mut self, outcome: Result<(), NetlinkError>) {
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
    fn set_up(&mut self, index: IfIndex, parent: &Interface, interfaces: &Interfaces) -> Vec<Step> {
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

    fn was_set_up(&self, request: &Request, outcome: Result<(), NetlinkError>) {
        let Err(error) = outcome else { return };
        let already =
            matches!(request, Request::AddAddress(_)) && error.errno() == Some(Errno::EEXIST);
        if !already {
            info!("({}) {}: {error}", self.wanted.user, self.name);
        }
    }

    /// It belongs to the VRF that the interface below belongs to.
    fn follow_vrf(
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

    fn addresses(&self, index: IfIndex, interfaces: &Interfaces) -> Vec<Address> {
        let link_local = self.link_local(interfaces).map(|address| Address {
            // It is for adverts only, so it is not offered for anything else.
            preferred: Some(0),
            flags: AddressFlags::NO_DAD,
            protocol: PROTOCOL,
            ..Address::plain(index, address, LINK_LOCAL_LEN)
        });
        let own = self.wanted.address.map(|(address, prefix_len)| Address {
            protocol: PROTOCOL,
            ..Address::plain(index, address, prefix_len)
        });
        link_local.into_iter().chain(own).collect()
    }

    fn link_local(&self, interfaces: &Interfaces) -> Option<IpAddr> {
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

/// An administrative group that no interface belongs to.
fn unused_group(interfaces: &Interfaces) -> Option<u32> {
    let used: HashSet<u32> = interfaces.iter().map(|interface| interface.link().group).collect();
    // Low ones have names, or may be given to an interface that comes just now.
    (1..=u32::MAX).rev().find(|group| !used.contains(group))
}

/// Has the kernel tell about an interface. That a bridge has become promiscuous for its sake it would not say otherwise.
fn notify(base: &Link) -> Step {
    let request = Request::ChangeLink(base.index, LinkChange::Group(base.group));
    Step { request, task: Task::Notify }
}

/// The address of the link that goes with a hardware address (RFC 4291 appendix A).
fn made_from(mac: &[u8]) -> Option<Ipv6Addr> {
    let &[a, b, c, d, e, f] = mac else { return None };
    Some(Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]))
}

#[cfg(test)]
mod tests;
