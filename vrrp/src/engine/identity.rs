//! Which virtual router of a new configuration is one that runs already. The name does not matter: others on the link
//! know a virtual router by its number, family and interface.

use std::collections::HashMap;
use std::rc::Rc;

use crate::config::Instance;
use crate::config::instance::Transport;
use crate::packet::{Family, Vrid};

/// For each instance of `new` the position of the one of `old` that it goes on from.
pub(super) fn matches(old: &[Rc<Instance>], new: &[Rc<Instance>]) -> Vec<Option<usize>> {
    let mut found = vec![None; new.len()];
    let mut places = HashMap::with_capacity(new.len());
    for (place, now) in new.iter().enumerate() {
        // The first one that looks alike decides, even when it then turns out to be another.
        places.entry(looks(now)).or_insert(place);
    }
    for (position, before) in old.iter().enumerate() {
        let alike = places.get(&looks(before)).copied();
        if let Some(place) = alike.filter(|&place| is_same(before, &new[place])) {
            found[place].get_or_insert(position);
        }
    }
    found
}

/// What two that could be the same have in common.
fn looks(instance: &Instance) -> (Vrid, Family, Option<&str>, bool) {
    let interface = instance.interface.as_deref();
    (instance.vrid, instance.family, interface, instance.transport.is_unicast())
}

fn is_same(before: &Instance, now: &Instance) -> bool {
    match (&before.transport, &now.transport) {
        (Transport::Multicast { group: before_group }, Transport::Multicast { group }) => {
            before_group == group
                && before.has_vmac() == now.has_vmac()
                && before.address_vmacs == now.address_vmacs
        }
        _ => before.source == now.source,
    }
}
