//! Instances with an ipvlan interface, on the virtual machine where this one's kernel has none.

use lab::{Dump, Lan, Router, on_machine};

/// Does `work` where ipvlan interfaces can be made: here, or on the virtual machine.
fn with_ipvlan(name: &str, work: impl Fn(Lan)) {
    let lan = Lan::new(1);
    let node = lan.nodes()[0].namespace().name().to_owned();
    let probe = ["-n", &node, "link", "add", "link", "inner0", "name", "probe", "type", "ipvlan"];
    let made = std::process::Command::new("ip").args(probe).output();
    if made.is_ok_and(|made| made.status.success()) {
        lan.nodes()[0].namespace().ip("link del probe\n");
        return work(lan);
    }
    drop(lan);
    on_machine(name, || work(Lan::new(1)));
}

fn config(form: &str) -> String {
    format!(
        "vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    advert_int 0.1
    {form}
    virtual_ipaddress {{
        10.9.0.100/24
    }}
}}\n"
    )
}

#[test]
fn every_form_makes_its_interface() {
    let forms = [
        ("use_ipvlan 10.9.0.50/24", "vrrp.51", "bridge"),
        ("use_ipvlan own 10.9.0.50/24 private", "own", "private"),
        ("use_ipvlan name bridge 10.9.0.50/24 vepa", "bridge", "vepa"),
    ];
    with_ipvlan("every_form_makes_its_interface", |first| {
        let mut lan = Some(first);
        for (form, name, flag) in forms {
            try_form(lan.take().unwrap_or_else(|| Lan::new(1)), form, name, flag);
        }
        try_ipv6(Lan::new(1));
    });
}

/// An address of IPv6 is there for adverts, and not offered for anything else.
fn try_ipv6(lan: Lan) {
    let config = config("use_ipvlan six fe80::50/64").replace("10.9.0.100/24", "fe80::100/64");
    let router = Router::on(lan, &config);
    router.await_addresses(&["fe80::100"], true);
    let shown = router.namespace().ip_json(&["addr", "show", "dev", "six"]);
    let addresses = shown[0]["addr_info"].as_array().expect("it has addresses");
    let own = addresses.iter().find(|one| one["local"] == "fe80::50").expect("it has its own");
    assert_eq!((&own["deprecated"], &own["nodad"]), (&true.into(), &true.into()), "{own}");
    assert_eq!(router.advert(false).0.source.to_string(), "fe80::50");
}

fn try_form(lan: Lan, form: &str, name: &str, flag: &str) {
    let mut router = Router::on(lan, &config(form));
    router.await_addresses(&["10.9.0.100"], true);
    let link = router.link(name);
    assert_eq!(link["linkinfo"]["info_kind"], "ipvlan", "{form}");
    assert_eq!(link["linkinfo"]["info_data"]["mode"], "l2", "{form}");
    let data = link["linkinfo"]["info_data"].as_object().expect("it has settings");
    assert!(data.contains_key(flag), "{form}: {data:?}");
    assert_eq!(router.advert(true).0.source.to_string(), "10.9.0.50", "{form}");
    let dump = router.daemon.dump(Dump::State);
    assert!(dump.contains(&format!("\n   IPVLAN type L2 {flag}, underlying")), "{form}: {dump}");
    router.stop();
}
