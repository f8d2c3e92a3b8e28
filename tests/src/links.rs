//! Two namespaces with links between them.

use crate::Namespace;

/// A namespace with `interfaces`, and one with their other ends, `there0` and so on; all of them are up. An interface is
/// its name, and what else `ip link add` is to know of it.
pub fn linked(interfaces: &[&str]) -> [Namespace; 2] {
    let [here, there] = [Namespace::new(), Namespace::new()];
    for (number, interface) in interfaces.iter().enumerate() {
        let name = interface.split_whitespace().next().unwrap_or_default();
        here.ip(&format!(
            "link add {interface} type veth peer name there{number} netns {}\nlink set {name} up\n",
            there.name()
        ));
        there.ip(&format!("link set there{number} up\n"));
    }
    [here, there]
}

/// [`linked`] as what is recorded of the original shows it: two interfaces, whose numbers and addresses are known.
pub fn linked_as_recorded() -> [Namespace; 2] {
    let both = linked(&[
        "eth0 index 2 address 02:00:00:00:00:01",
        "eth1 index 3 address 02:00:00:00:00:02",
    ]);
    both[0].ip(
        "addr add 10.77.0.1/24 dev eth0\naddr add 10.77.0.8/24 dev eth0\naddr add fd77::1/64 dev eth0\n\
         addr add 10.78.0.1/24 dev eth1\n",
    );
    both
}
