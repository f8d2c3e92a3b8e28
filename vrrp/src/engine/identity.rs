//! Which virtual router of a new configuration is one that runs already. The name does not matter: others on the link
//! know a virtual router by its number, family and interface.

use std::rc::Rc;

use crate::config::Instance;
use crate::config::instance::Transport;

/// For each instance of `new` the position of the one of `old` that it goes on from.
pub(super) fn matches(old: &[Rc<Instance>], new: &[Rc<Instance>]) -> Vec<Option<usize>> {
    let mut found = vec![None; new.len()];
    for (position, before) in old.iter().enumerate() {
        // The first one that looks alike decides, even when it then turns out to be another.
        let alike = new.iter().position(|now| looks_alike(before, now));
        if let Some(place) = alike.filter(|&place| is_same(before, &new[place])) {
            found[place].get_or_insert(position);
        }
    }
    found
}

fn looks_alike(before: &Instance, now: &Instance) -> bool {
    before.vrid == now.vrid
        && before.family == now.family
        && before.interface == now.interface
        && before.transport.is_unicast() == now.transport.is_unicast()
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
