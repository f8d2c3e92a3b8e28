//! The interfaces of ours that are to go.

use std::collections::HashSet;

use log::{debug, info};
use nix::errno::Errno;
use runtime::machine::IfIndex;
use runtime::netlink::{LinkChange, NetlinkError, Request};

use super::{OwnLinks, Step, Task, notify};
use crate::interfaces::{Interface, Interfaces};

/// So many interfaces are removed in one go. What the kernel tells about it must fit the monitor's buffer.
const REMOVED_TOGETHER: usize = 12;

/// An interface that is to go.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) index: IfIndex,
    pub(super) name: String,
    pub(super) user: String,
    /// The interface below is to be told about afterwards.
    pub(super) notify: bool,
    pub(super) ipv4_vmac: bool,
    pub(super) asked: bool,
    /// It cannot be removed together with others.
    pub(super) alone: bool,
}

impl OwnLinks {
    /// Of those that a process before us has made, the ones that nobody wants any more are to go.
    pub(super) fn disown(&mut self, interfaces: &Interfaces) {
        for (index, name) in std::mem::take(&mut self.inherited) {
            let link = interfaces.get(index).map(Interface::link);
            let Some(link) = link.filter(|link| link.name == name) else { continue };
            let kind = match link.kind.as_str() {
                "macvlan" => "VMAC",
                "ipvlan" => "ipvlan",
                _ => continue,
            };
            if self.links.values().any(|wanted| wanted.is(link, interfaces)) {
                continue;
            }
            info!("Deleting {kind} interface {name} of a process before this one");
            self.leaving.push(Leaving {
                index,
                user: name.clone(),
                name,
                notify: false,
                ipv4_vmac: false,
                asked: false,
                alone: false,
            });
        }
    }

    /// Those that are to go are gathered in a group that nothing else is in, and go together: the kernel takes some ten
    /// milliseconds for each removal, however many interfaces it is of.
    pub(super) fn removals(&mut self, interfaces: &Interfaces) -> Vec<Step> {
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
    pub(super) fn gathered(&mut self, index: IfIndex, outcome: &Result<(), NetlinkError>) {
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

    pub(super) fn removed_together(
        &mut self,
        indexes: &[IfIndex],
        outcome: Result<(), NetlinkError>,
    ) {
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
        let Leaving { user, name, .. } = &self.leaving[place];
        match outcome {
            // As the original says of ipvlan interfaces too.
            Ok(()) => debug!("({user}) Success removing VMAC interface {name}"),
            Err(error) if error.errno() == Some(Errno::ENODEV) => {}
            Err(error) => {
                info!("({user}) Error removing VMAC interface {name}: {error}");
                return;
            }
        }
        self.leaving.remove(place);
    }
}

/// An administrative group that no interface belongs to.
fn unused_group(interfaces: &Interfaces) -> Option<u32> {
    let used: HashSet<u32> = interfaces.iter().map(|interface| interface.link().group).collect();
    // Low ones have names, or may be given to an interface that comes just now.
    (1..=u32::MAX).rev().find(|group| !used.contains(group))
}
