//! Virtual interfaces in a VRF: adverts, addresses and their routes stay inside, and nothing is left of them. They are
//! tried on the virtual machine, since this one's kernel may have no VRFs.

use std::collections::BTreeSet;
use std::time::Instant;

use lab::{Advert, Binary, Float, Mark, Namespace, PATIENCE, Pair, on_machine};
use serde_json::Value;

fn config(priority: u8) -> String {
    let instance = |name: &str, addresses: &str| {
        format!(
            "vrrp_instance {name} {{
    interface eth0
    virtual_router_id 51
    version 3
    priority {priority}
    advert_int 0.5
    use_vmac
    virtual_ipaddress {{
        {addresses}
    }}
}}\n"
        )
    };
    instance("four", "10.9.0.100/24") + &instance("six", "fe80::100/64\n        fd00:9::100/64")
}

/// Takes the network of `eth0` to table 10. What is enslaved loses its IPv6 addresses.
fn enslave(namespace: &Namespace, index: u8) {
    namespace.ip(&format!(
        "link add blue type vrf table 10\nlink set blue up\nlink set eth0 master blue\n\
         addr replace fd00:9::{index}/64 dev eth0 nodad\n"
    ));
}

/// Interfaces with what they are enslaved to, addresses, and the routes of all tables.
fn holdings(namespace: &Namespace) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for link in namespace.ip_json(&["addr", "show"]).as_array().into_iter().flatten() {
        lines.insert(format!("{} in {}", link["ifname"], link["master"]));
        for address in link["addr_info"].as_array().into_iter().flatten() {
            lines.insert(format!("{} has {}", link["ifname"], address["local"]));
        }
    }
    for family in ["-4", "-6"] {
        let routes = namespace.ip_json(&[family, "route", "show", "table", "all"]);
        for route in routes.as_array().into_iter().flatten() {
            lines.insert(format!("{} by {} in {}", route["dst"], route["dev"], route["table"]));
        }
    }
    lines
}

/// Each address is on its VMAC, which is in the VRF, and so is its route.
#[track_caller]
fn assert_inside(namespace: &Namespace) {
    for (name, address) in [("vrrp.51", "10.9.0.100"), ("vrrp6.51", "fd00:9::100")] {
        let link = namespace.link(name).unwrap_or_else(|| panic!("there is no {name}"));
        assert_eq!((&link["link"], &link["master"]), (&"eth0".into(), &"blue".into()), "{name}");
        let family = if address.contains(':') { "-6" } else { "-4" };
        let local = ["route", "show", "table", "10", "type", "local", address];
        let found = namespace.ip_json(&[&[family][..], &local].concat());
        assert_eq!(found[0]["dev"], name, "{address}: {found}");
        let main = namespace.ip_json(&[family, "route", "show", "table", "local", address]);
        assert_eq!(main, Value::Array(Vec::new()), "{address} is outside");
    }
}

#[test]
fn a_vmac_stays_in_the_vrf_of_its_interface() {
    on_machine("a_vmac_stays_in_the_vrf_of_its_interface", || {
        let binaries = [Binary::under_test(), Binary::under_test()];
        let mut pair = Pair::new(binaries, [config(150), config(100)]);
        for (index, node) in (1..).zip(pair.lan().nodes()) {
            enslave(node.namespace(), index);
        }
        let before: Vec<_> =
            pair.lan().nodes().iter().map(|node| holdings(node.namespace())).collect();
        let four = Float::new(51, &["10.9.0.100"]);
        let six = Float::new(51, &["fe80::100", "fd00:9::100"]);
        pair.start(0);
        pair.await_masters([(&four, 0), (&six, 0)]);
        assert_inside(pair.lan().nodes()[0].namespace());
        // The second one hears the adverts of the first.
        pair.start(1);
        pair.daemon(1).await_log(Mark::default(), "(four) master set to 10.9.0.1");
        pair.daemon(1).await_log(Mark::default(), "(six) master set to fe80::ff:fe00:1");
        pair.await_masters([(&four, 0), (&six, 0)]);
        let frames = pair.lan().capture().frames().all();
        let senders: BTreeSet<(u8, [u8; 6])> = frames
            .iter()
            .filter_map(|captured| {
                let advert: &Advert = captured.frame.advert()?;
                Some((advert.version, captured.frame.sender()))
            })
            .collect();
        let vmacs = [[0, 0, 0x5e, 0, 1, 51], [0, 0, 0x5e, 0, 2, 51]];
        assert_eq!(senders, vmacs.map(|mac| (3, mac)).into());
        // A killed one leaves all behind, and takes it over again.
        let mark = pair.lan().capture().frames().mark();
        pair.kill(0);
        pair.await_masters([(&four, 1), (&six, 1)]);
        assert!(!pair.failover(&four, 1, mark).leave, "it was killed");
        assert_inside(pair.lan().nodes()[1].namespace());
        pair.start(0);
        pair.await_masters([(&four, 0), (&six, 0)]);
        assert_inside(pair.lan().nodes()[0].namespace());
        // They follow the interface out of the VRF, and into it again.
        let namespace = pair.lan().nodes()[0].namespace();
        for master in [Value::Null, "blue".into()] {
            let change =
                master.as_str().map_or("nomaster".to_owned(), |name| format!("master {name}"));
            namespace
                .ip(&format!("link set eth0 {change}\naddr replace fd00:9::1/64 dev eth0 nodad\n"));
            let deadline = Instant::now() + PATIENCE;
            while ["vrrp.51", "vrrp6.51"]
                .iter()
                .any(|name| namespace.link(name).is_none_or(|link| link["master"] != master))
            {
                assert!(Instant::now() < deadline, "not in {master}{}", pair.logs());
            }
        }
        let said = "vmac: Success changing VRF of VMAC interface vrrp6.51 for vrrp_instance six";
        pair.daemon(0).await_log(Mark::default(), said);
        pair.await_masters([(&four, 0), (&six, 0)]);
        assert_inside(namespace);
        pair.terminate(0);
        assert!(pair.ended(0).success());
        pair.await_masters([(&four, 1), (&six, 1)]);
        pair.terminate(1);
        assert!(pair.ended(1).success());
        for (node, before) in pair.lan().nodes().iter().zip(before) {
            assert_eq!(holdings(node.namespace()), before);
        }
    });
}
