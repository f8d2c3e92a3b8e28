//! What others do to the machine beside the daemon.

use lab::{Binary, Daemon, Lan, Mark};

const CONFIG: &str = "vrrp_instance web {
    interface eth0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        10.9.0.100/24
    }
}\n";

#[test]
fn every_address_that_comes_or_goes_is_shown_on_request() {
    let lan = Lan::new(1);
    let node = lan.nodes().first().expect("it was asked for").namespace();
    let daemon = Daemon::start_with(&Binary::under_test(), node, CONFIG, &["-a"]);
    daemon.await_log(Mark::default(), "Entering BACKUP STATE (init)");
    node.ip("address add 10.8.0.7/24 dev eth0");
    daemon.await_log(Mark::default(), "Netlink reflector reports IP 10.8.0.7 added to eth0");
    node.ip("address del 10.8.0.7/24 dev eth0");
    daemon.await_log(Mark::default(), "Netlink reflector reports IP 10.8.0.7 removed from eth0");
}
