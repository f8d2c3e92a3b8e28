//! Two nodes on a wire of their own, for many BFD sessions at once.

use std::fmt::Write;
use std::net::IpAddr;

use crate::{Binary, Daemon, Namespace};

/// Two nodes, each with as many addresses as there are sessions.
#[derive(Debug)]
pub struct Wire {
    nodes: [Namespace; 2],
    sessions: usize,
}

/// The link-layer address of `side`.
fn link_address(side: usize) -> String {
    format!("02:00:00:00:00:{:02x}", side + 1)
}

impl Wire {
    /// Nodes with addresses for so many `sessions`.
    pub fn new(sessions: usize) -> Self {
        let nodes = [Namespace::new(), Namespace::new()];
        let peer = nodes[1].name();
        let [first, second] = [0, 1].map(link_address);
        nodes[0].ip(&format!(
            "link add eth0 address {first} type veth peer name eth0 netns {peer} address {second}\n"
        ));
        for (side, node) in nodes.iter().enumerate() {
            let mut lines = String::from("link set eth0 up\n");
            for number in 0..sessions {
                let (own, other) = (Self::address(side, number), Self::address(1 - side, number));
                let _ = writeln!(lines, "addr add {own}/8 dev eth0");
                // The kernel knows only so many neighbours in all namespaces together.
                let way = link_address(1 - side);
                let _ = writeln!(lines, "neigh add {other} lladdr {way} dev eth0 nud permanent");
            }
            node.ip(&lines);
        }
        Self { nodes, sessions }
    }

    /// The address of `side` in session `number`.
    pub fn address(side: usize, number: usize) -> IpAddr {
        let byte = |value: usize| u8::try_from(value).expect("sessions are some hundreds");
        [10, byte(side + 1), byte(number / 200), byte(number % 200 + 1)].into()
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[Namespace; 2] {
        &self.nodes
    }

    /// Starts `binary` at `side`: all sessions, `session0` and so on, at `interval` milliseconds.
    pub fn start(&self, side: usize, binary: &Binary, interval: u32, globals: &str) -> Daemon {
        let mut text = format!("global_defs {{\n{globals}}}\n");
        for number in 0..self.sessions {
            let (own, other) = (Self::address(side, number), Self::address(1 - side, number));
            let _ = write!(
                text,
                "bfd_instance session{number} {{
    neighbor_ip {other}
    source_ip {own}
    min_rx {interval}
    min_tx {interval}
    multiplier 5
}}\n"
            );
        }
        // The original does not run for BFD alone.
        text.push_str(
            "vrrp_instance idle {\n    interface eth0\n    state BACKUP\n    virtual_router_id 51\n    \
             virtual_ipaddress {\n        10.9.0.1/32\n    }\n}\n",
        );
        Daemon::start(binary, &self.nodes[side], &text)
    }
}
