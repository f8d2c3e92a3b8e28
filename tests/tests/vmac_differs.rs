//! VMACs where the original goes wrong, and ours do not.

use lab::{Dump, Lan, Mark, Router};

fn instance(name: &str, interface: &str, vrid: u8, lines: &str, address: &str) -> String {
    format!(
        "vrrp_instance {name} {{
    interface {interface}
    virtual_router_id {vrid}
    version 3
    advert_int 0.1
    {lines}
    virtual_ipaddress {{
        {address}
    }}
}}\n"
    )
}

/// The original makes a second one with the same link-layer address, which cannot come up, and so stays in FAULT.
#[test]
fn two_wishes_for_one_address_make_one_vmac() {
    let lines = "use_vmac\n    use_vmac_addr";
    let mut router = Router::start(&instance("web", "eth0", 51, lines, "10.9.0.100/24 use_vmac"));
    router.await_on("10.9.0.100", "vrrp.51");
    let links = router.namespace().ip_json(&["link", "show", "type", "macvlan"]);
    assert_eq!(links.as_array().map(Vec::len), Some(1), "{links}");
    router.stop();
}

/// In the original the member is a backup from then on, and says at each time-out that it has heard nothing.
#[test]
fn one_that_was_taken_down_while_nobody_was_there_is_set_up() {
    let config = instance("web", "eth0", 51, "use_vmac", "10.9.0.100/24");
    let mut router = Router::start(&config);
    router.await_addresses(&["10.9.0.100"], true);
    router.daemon.kill();
    router.namespace().ip("link set vrrp.51 down\n");
    let mut router = Router::on(router.lan, &config);
    router.daemon.await_log(Mark::default(), "(web) Entering MASTER STATE");
    assert!(!router.daemon.log_text().contains("FAULT"), "{}", router.daemon.log_text());
    let (_, mac) = router.advert(true);
    assert_eq!(mac, [0, 0, 0x5e, 0, 1, 51]);
    router.stop();
}

#[test]
fn a_group_in_fault_stays_so_when_a_vmac_is_made_again() {
    let group = "vrrp_sync_group all {\n    group {\n        web\n        shop\n    }\n}\n";
    let config = group.to_owned()
        + &instance("web", "eth0", 51, "use_vmac", "10.9.0.100/24")
        + &instance("shop", "inner0", 52, "use_vmac", "10.8.0.100/24");
    let mut router = Router::start(&config);
    router.await_addresses(&["10.9.0.100", "10.8.0.100"], true);
    router.change("link set inner0 down\n", "(web) Entering FAULT STATE");
    let mark = router.daemon.log().mark();
    router.change("link del vrrp.51\n", "Success creating VMAC interface vrrp.51");
    router.daemon.await_log(mark, "Netlink reports vrrp.51 up");
    // One whose turn it is several times over meanwhile.
    let config = config + &instance("other", "eth0", 53, "", "10.9.0.103/24");
    router.daemon.reload(&config);
    router.daemon.await_log(mark, "(other) Entering MASTER STATE");
    let said = router.daemon.log().since(mark);
    let said: Vec<&str> = said
        .iter()
        .map(|line| line.text.as_str())
        .filter(|text| text.starts_with("(web) ") || text.starts_with("(shop) "))
        .collect();
    assert_eq!(said, [] as [&str; 0], "{}", router.daemon.log_text());
    router.change("link set inner0 up\n", "(web) Entering BACKUP STATE");
    router.await_addresses(&["10.9.0.100", "10.8.0.100"], true);
    router.stop();
}

/// In the original the instance stays in FAULT.
#[test]
fn an_address_for_adverts_may_come_after_the_start() {
    let lan = Lan::new(1);
    lan.nodes()[0].namespace().ip("addr del fe80::ff:fe00:1/64 dev eth0\n");
    let lines = "use_vmac\n    vmac_xmit_base";
    let mut router = Router::on(lan, &instance("web", "eth0", 51, lines, "fe80::100/64"));
    let fault = "(web) entering FAULT state (no IPv6 address for interface)";
    router.daemon.await_log(Mark::default(), fault);
    router.change("addr add fe80::ff:fe00:1/64 dev eth0 nodad\n", "(web) Entering BACKUP STATE");
    router.await_on("fe80::100", "vrrp.51");
    router.stop();
}

/// The original shows what it has set itself.
#[test]
fn dumps_tell_what_the_settings_were_before() {
    let lan = Lan::new(1);
    lan.nodes()[0].namespace().sysctl("ipv4/conf/eth0/arp_ignore", "2");
    let router = Router::on(lan, &instance("web", "eth0", 51, "use_vmac", "10.9.0.100/24"));
    router.daemon.await_log(Mark::default(), "(web) Entering MASTER STATE");
    let dump = router.daemon.dump(Dump::State);
    let (_, interfaces) = dump.split_once("< Interfaces >").expect("there are interfaces");
    let of = |name: &str| -> Vec<String> {
        let lines = interfaces.lines().skip_while(|line| *line != format!(" Name = {name}"));
        let lines = lines.skip(1).take_while(|line| !line.starts_with(" Name = "));
        let lines = lines.map(str::trim).filter(|line| line.starts_with("Original "));
        lines.map(str::to_owned).collect()
    };
    let settings = |ignore: u8| {
        [
            format!("Original arp_ignore {ignore}"),
            "Original arp_filter 0".to_owned(),
            "Original promote_secondaries 0".to_owned(),
        ]
    };
    assert_eq!(of("eth0"), settings(2), "{dump}");
    assert_eq!(of("vrrp.51"), settings(0), "{dump}");
}
