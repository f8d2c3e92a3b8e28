//! What is measured: many virtual routers on as many interfaces as they need.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use lab::{AddressWatch, Namespace};

/// How many virtual routers share an interface: their numbers are 1 to 255.
const PER_INTERFACE: usize = 250;

/// A namespace for the daemon, with links into another one, where its frames can be captured.
pub(crate) struct Network {
    pub(crate) addresses: AddressWatch,
    pub(crate) node: Namespace,
    pub(crate) outside: Namespace,
}

impl Network {
    /// With interfaces enough for `instances`.
    pub(crate) fn new(instances: usize) -> Self {
        let (node, outside) = (Namespace::new(), Namespace::new());
        let addresses = AddressWatch::start(&node);
        let mut inside_lines = String::new();
        let mut outside_lines = String::new();
        for index in 0..instances.div_ceil(PER_INTERFACE) {
            let peer = node.name();
            let lines = format!(
                "link add out{index} type veth peer name in{index} netns {peer}\n\
                 link set out{index} addrgenmode none\nlink set out{index} up\n"
            );
            outside_lines.push_str(&lines);
            let _ = writeln!(
                inside_lines,
                "link set in{index} up\naddr add 10.{}.0.1/16 dev in{index}",
                index + 1
            );
        }
        outside.ip(&outside_lines);
        node.ip(&inside_lines);
        Self { addresses, node, outside }
    }
}

/// The address of virtual router `number`, counted from 0.
pub(crate) fn address(number: usize) -> IpAddr {
    let byte = |value: usize| u8::try_from(value).unwrap_or(u8::MAX);
    let (interface, router) = (number / PER_INTERFACE, number % PER_INTERFACE);
    Ipv4Addr::new(10, byte(interface + 1), 1, byte(router + 1)).into()
}

/// A configuration of `instances` virtual routers of version 3, each with one address.
pub(crate) fn config(instances: usize, interval: &str, priority: u8) -> String {
    let mut text = String::from(
        "global_defs {\n    vrrp_garp_master_repeat 1\n    vrrp_garp_master_delay 0\n}\n",
    );
    for number in 0..instances {
        let (interface, router) = (number / PER_INTERFACE, number % PER_INTERFACE + 1);
        let address = address(number);
        let _ = write!(
            text,
            "vrrp_instance router{number} {{
    interface in{interface}
    virtual_router_id {router}
    version 3
    priority {priority}
    advert_int {interval}
    virtual_ipaddress {{
        {address}/32
    }}
}}\n"
        );
    }
    text
}

/// A sync group of the first `instances` routers of [`config`].
pub(crate) fn sync_group(instances: usize) -> String {
    let members: String =
        (0..instances).map(|number| format!("        router{number}\n")).collect();
    format!("vrrp_sync_group all {{\n    group {{\n{members}    }}\n}}\n")
}
