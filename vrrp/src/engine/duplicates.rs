//! Virtual routers that turn out to be the same one: interfaces that come and go while the daemon runs may put two
//! instances with one number on one wire.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use log::info;
use runtime::machine::IfIndex;

use super::Engine;
use crate::config::instance::Transport;
use crate::config::{self, InstanceId};
use crate::interfaces::Interfaces;
use crate::packet::{Family, Vrid};

/// What virtual routers that hear each other's adverts agree in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Wire {
    family: Family,
    vrid: Vrid,
    base: IfIndex,
    group: IpAddr,
}

impl Wire {
    /// The wire of an instance; `None` where it has none now, or does not share it.
    fn of(config: &config::Instance, interfaces: &Interfaces) -> Option<Self> {
        let Transport::Multicast { group } = config.transport else { return None };
        let interface = interfaces.by_name(config.interface.as_deref()?)?;
        let base = interfaces.base(interface.link().index);
        Some(Self { family: config.family, vrid: config.vrid, base, group })
    }
}

/// Who may use a wire, and who must not.
#[derive(Debug, Default)]
pub(super) struct Duplicates {
    holders: HashMap<Wire, InstanceId>,
    excess: HashSet<InstanceId>,
}

impl Duplicates {
    /// A reload has given the instances other numbers: `found` tells for each new one which old one it was.
    pub(super) fn renumber(&mut self, found: &[Option<usize>]) {
        let new: HashMap<InstanceId, InstanceId> = (0..)
            .zip(found)
            .filter_map(|(new, old)| {
                Some((InstanceId(u32::try_from((*old)?).ok()?), InstanceId(new)))
            })
            .collect();
        let renumbered = |id: InstanceId| new.get(&id).copied();
        let holders = std::mem::take(&mut self.holders).into_iter();
        self.holders =
            holders.filter_map(|(wire, holder)| Some((wire, renumbered(holder)?))).collect();
        self.excess = self.excess.iter().filter_map(|&id| renumbered(id)).collect();
    }

    /// Whether the wire of an instance is another one's.
    pub(super) fn contains(&self, id: InstanceId) -> bool {
        self.excess.contains(&id)
    }

    /// Who was first keeps its wire; of those that are equal the first in the file gets it. Returns who is new among
    /// those that have none, each with the one that is in its way.
    fn look<'a>(
        &mut self,
        instances: impl Iterator<Item = (InstanceId, &'a config::Instance)>,
        interfaces: &Interfaces,
    ) -> Vec<(InstanceId, InstanceId)> {
        let mut wires: BTreeMap<Wire, Vec<InstanceId>> = BTreeMap::new();
        for (id, config) in instances {
            if let Some(wire) = Wire::of(config, interfaces) {
                wires.entry(wire).or_default().push(id);
            }
        }
        let before = std::mem::take(self);
        let mut found = Vec::new();
        for (wire, users) in wires {
            let old = before.holders.get(&wire).filter(|holder| users.contains(holder));
            let Some(holder) = old.or(users.first()).copied() else { continue };
            self.holders.insert(wire, holder);
            for user in users.into_iter().filter(|&user| user != holder) {
                self.excess.insert(user);
                if !before.excess.contains(&user) {
                    found.push((user, holder));
                }
            }
        }
        found
    }
}

impl Engine {
    /// Looks which instances are on the wire of another one.
    pub(super) fn look_for_duplicates(&mut self) {
        if !self.global.vrrp.dynamic_interfaces {
            return;
        }
        let all = self.instances.keys().zip(self.instances.iter().map(|one| &*one.config));
        for (id, other) in self.duplicates.look(all, &self.interfaces) {
            let config = |id| self.instances.get(id).map(|instance| &instance.config);
            let (Some(one), Some(other)) = (config(id), config(other)) else { continue };
            let family = if one.family == Family::V4 { 4 } else { 6 };
            info!(
                "VRID conflict between {} and {} IPv{family} vrid {}",
                one.name, other.name, one.vrid.0
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use conf_parser::{Diagnostics, Options, parse_text};
    use runtime::global::Global;
    use runtime::machine::{Link, Machine};

    use super::*;
    use crate::config::{Config, ROOT, load};

    fn configuration(machine: &Machine) -> Config {
        let text: String = ["eth0", "floating"]
            .map(|name| {
                format!(
                    "vrrp_instance {name} {{\n interface {name}\n virtual_router_id 51\n \
                     virtual_ipaddress {{\n 10.9.0.100/24\n }}\n}}\n"
                )
            })
            .concat();
        let mut diagnostics = Diagnostics::default();
        let options = Options { main: "test.conf".into(), ..Options::default() };
        let statements = parse_text(text.as_bytes(), &options, &ROOT, &mut diagnostics);
        let mut global = Global::default();
        global.vrrp.dynamic_interfaces = true;
        load(&statements, &global, machine, &[], &mut diagnostics)
    }

    #[test]
    fn who_was_first_keeps_its_wire() {
        let mut machine = Machine::with_interfaces(&["eth0"]);
        let mut floating = Link::ethernet(IfIndex(7), "floating");
        floating.kind = "macvlan".to_owned();
        floating.parent = Some(IfIndex(1));
        machine.links.push(floating);
        let config = configuration(&machine);
        let mut duplicates = Duplicates::default();
        let mut look = |machine: &Machine| {
            let interfaces = Interfaces::new(machine, HashSet::new());
            let all = config.instances.iter().map(Rc::as_ref);
            let all = (0..).map(InstanceId).zip(all);
            let found = duplicates.look(all, &interfaces);
            (found, [0, 1].map(|id| duplicates.contains(InstanceId(id))))
        };
        let conflict = (InstanceId(1), InstanceId(0));
        assert_eq!(look(&machine), (vec![conflict], [false, true]));
        assert_eq!(look(&machine), (vec![], [false, true]));
        let eth0 = machine.links.remove(0);
        // The number of what is below does not depend on its being there.
        assert_eq!(look(&machine), (vec![], [false, false]));
        machine.links.push(eth0);
        assert_eq!(look(&machine), (vec![(InstanceId(0), InstanceId(1))], [true, false]));
        duplicates.renumber(&[Some(1), Some(0)]);
        assert_eq!([0, 1].map(|id| duplicates.contains(InstanceId(id))), [false, true]);
    }
}
