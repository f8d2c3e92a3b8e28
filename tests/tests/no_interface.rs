//! Unicast instances that name no interface: adverts take the way that the routing table says, that of a VRF where one is
//! named. VRFs are tried on the virtual machine, since this one's kernel may have none.

use lab::{Binary, Daemon, Dump, Lan, Mark, PATIENCE, on_machine};

/// The addresses of both nodes, and the one that floats.
type Way = [&'static str; 3];

const IPV4: Way = ["10.9.0.1", "10.9.0.2", "10.9.0.100"];
const IPV6: Way = ["fd00:9::1", "fd00:9::2", "fd00:9::100"];

fn config(lines: &str, [own, peer, floating]: Way, priority: u8) -> String {
    format!(
        "vrrp_instance web {{
    {lines}
    virtual_router_id 51
    version 3
    advert_int 0.5
    priority {priority}
    unicast_src_ip {own}
    unicast_peer {{
        {peer}
    }}
    virtual_ipaddress {{
        {floating} dev eth0
    }}
}}\n"
    )
}

/// The first node leads while it is alone, and gives way to the second one, whose adverts it hears.
fn gives_way(lan: &Lan, lines: &str, [first, second, floating]: Way) {
    let start = |node: usize, lines: &str, way: Way, priority: u8| {
        let namespace = lan.nodes()[node].namespace();
        Daemon::start(&Binary::under_test(), namespace, &config(lines, way, priority))
    };
    let mark = lan.capture().frames().mark();
    let low = start(0, lines, [first, second, floating], 100);
    low.await_log(Mark::default(), "(web) Entering MASTER STATE");
    let way = lan.capture().frames().wait(mark, PATIENCE, |captured| {
        let advert = captured.frame.advert().filter(|advert| advert.priority == 100)?;
        Some((advert.source.to_string(), advert.destination.to_string()))
    });
    assert_eq!(way, Some((first.to_owned(), second.to_owned())), "{}", low.log_text());
    let high = start(1, "", [second, first, floating], 200);
    high.await_log(Mark::default(), "(web) Entering MASTER STATE");
    low.await_log(Mark::default(), "(web) Entering BACKUP STATE");
    let dump = low.dump(Dump::State);
    assert!(dump.contains("\n   Interface = (none)\n"), "{dump}");
}

#[test]
fn adverts_take_the_way_of_the_routing_table() {
    let lan = Lan::new(2);
    gives_way(&lan, "", IPV4);
    gives_way(&lan, "", IPV6);
}

#[test]
fn adverts_take_the_way_of_the_vrf() {
    on_machine("adverts_take_the_way_of_the_vrf", || {
        for way in [IPV4, IPV6] {
            let lan = Lan::new(2);
            // From here on the network of eth0 is in table 10 only. What is enslaved loses its IPv6 addresses.
            lan.nodes()[0].namespace().ip("link add blue type vrf table 10\n\
                 link set blue up\nlink set eth0 master blue\naddr replace fd00:9::1/64 dev eth0 nodad\n");
            gives_way(&lan, "vrf blue", way);
        }
    });
}
