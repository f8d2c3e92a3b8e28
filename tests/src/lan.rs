//! A network: one bridge, and nodes on its ports.

use std::net::IpAddr;

use crate::{AddressWatch, Capture, Captured, Namespace};

/// A bridge with nodes on it. Every frame that a node sends is captured where it enters the bridge.
#[derive(Debug)]
pub struct Lan {
    capture: Capture,
    nodes: Vec<Node>,
    switch: Namespace,
}

/// A machine on the network: a namespace with the interface `eth0` on the bridge, and a pair `inner0`, `inner1` of its own.
#[derive(Debug)]
pub struct Node {
    index: usize,
    port: usize,
    addresses: AddressWatch,
    namespace: Namespace,
}

impl Lan {
    /// A network of `count` nodes. Node *n*, counted from 1, has the addresses 10.9.0.*n*/24 and fd00:9::*n*/64, the
    /// link-layer address 02:00:00:00:00:*n*, and so fe80::ff:fe00:*n*.
    pub fn new(count: usize) -> Self {
        let switch = Namespace::new();
        switch.ip("link add bridge type bridge stp_state 0 mcast_snooping 0\nlink set bridge up\n");
        let capture = Capture::start(&switch, Some("bridge"));
        let nodes = (1..=count).map(|index| Node::new(index, &switch)).collect();
        Self { capture, nodes, switch }
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What its nodes have sent.
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Which node sent `captured`, counted from 0.
    pub fn sender(&self, captured: &Captured) -> Option<usize> {
        self.nodes.iter().position(|node| node.port == captured.interface)
    }

    /// Puts another machine on the network, by an interface called `name` in it. What it sends is captured as nobody's.
    pub fn plug(&self, namespace: &Namespace, name: &str) {
        let inside = namespace.name();
        self.switch.ip(&format!(
            "link add extra type veth peer name {name} netns {inside}\n\
             link set extra master bridge\nlink set extra addrgenmode none\nlink set extra up\n"
        ));
        namespace.ip(&format!("link set {name} up\naddr add 10.9.0.77/24 dev {name}\n"));
    }

    /// Takes `node` off the network without taking its link down: it hears nobody, and nobody hears it.
    pub fn cut(&self, node: usize) {
        self.switch.ip(&format!("link set port{} nomaster\n", node + 1));
    }

    /// Undoes [`Lan::cut`].
    pub fn mend(&self, node: usize) {
        self.switch.ip(&format!("link set port{} master bridge\n", node + 1));
    }
}

impl Node {
    fn new(index: usize, switch: &Namespace) -> Self {
        let namespace = Namespace::new();
        let addresses = AddressWatch::start(&namespace);
        let (name, port) = (namespace.name(), format!("port{index}"));
        switch.ip(&format!(
            "link add {port} address 02:00:00:00:01:{index:02x} type veth \
             peer name eth0 netns {name} address 02:00:00:00:00:{index:02x}\n\
             link set {port} master bridge\nlink set {port} addrgenmode none\nlink set {port} up\n"
        ));
        namespace.ip(&format!(
            "link add inner0 type veth peer name inner1\nlink set inner0 up\nlink set inner1 up\n\
             addr add 10.8.0.{index}/24 dev inner0\n\
             link set eth0 up\naddr add 10.9.0.{index}/24 dev eth0\naddr add fd00:9::{index:x}/64 dev eth0 nodad\n"
        ));
        let number = switch.enter(|| nix::net::if_::if_nametoindex(port.as_str()));
        let port = usize::try_from(number.expect("ip has just made the port"))
            .expect("interfaces are few");
        let link_local =
            format!("fe80::ff:fe00:{index:x}").parse().expect("an index makes an address");
        assert!(
            addresses.wait(&[link_local], true, crate::PATIENCE),
            "{name} has no link-local address"
        );
        Self { index, port, addresses, namespace }
    }

    /// Its number, from 1: the last byte of its addresses.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Where its processes run.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its addresses, as the kernel reports them.
    pub fn addresses(&self) -> &AddressWatch {
        &self.addresses
    }

    /// Takes its interface down.
    pub fn link_down(&self) {
        self.namespace.ip("link set eth0 down\n");
    }

    /// Takes its interface up, with the address of version 6 that the kernel forgets meanwhile.
    pub fn link_up(&self) {
        let index = self.index;
        self.namespace
            .ip(&format!("link set eth0 up\naddr replace fd00:9::{index:x}/64 dev eth0 nodad\n"));
    }

    /// Which of `addresses` the kernel of this node has, by a fresh look.
    pub fn holds(&self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let present = self.namespace.addresses();
        let held = present.iter().filter_map(|text| text.split('/').next()?.parse().ok());
        held.filter(|address| addresses.contains(address)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Content, PATIENCE};

    fn ping(lan: &Lan) -> bool {
        let name = lan.nodes()[0].namespace().name().to_owned();
        let ping = ["netns", "exec", &name, "ping", "-c", "1", "-W", "1", "10.9.0.2"];
        std::process::Command::new("ip")
            .args(ping)
            .output()
            .is_ok_and(|output| output.status.success())
    }

    #[test]
    fn nodes_hear_each_other_until_they_are_cut_off() {
        let lan = Lan::new(2);
        assert!(ping(&lan));
        let heard = lan.capture().frames().wait(Default::default(), PATIENCE, |captured| {
            matches!(&captured.frame.content, Content::Arp(_)).then(|| lan.sender(captured))
        });
        assert_eq!(heard, Some(Some(0)));
        lan.cut(1);
        assert!(!ping(&lan));
        lan.mend(1);
        assert!(ping(&lan));
        lan.nodes()[1].link_down();
        let global = ["fd00:9::2".parse().unwrap()];
        assert!(lan.nodes()[1].addresses().wait(&global, false, PATIENCE));
        lan.nodes()[1].link_up();
        assert!(lan.nodes()[1].addresses().wait(&global, true, Duration::from_secs(5)));
        assert_eq!(lan.nodes()[1].holds(&global), global);
    }
}
