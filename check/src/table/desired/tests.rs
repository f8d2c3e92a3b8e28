//! Configurations, and what becomes of them in IPVS.

use conf_parser::{Diagnostics, Options, parse_text};
use runtime::global::{Global, IpvsNftables};

use super::*;
use crate::balance::Settings;

fn balance(text: &str) -> Balance {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &config::ROOT, &mut diagnostics);
    let config = config::load(&statements, &Global::default(), &mut diagnostics);
    let mut balance = Balance::new();
    balance.prepare(Rc::new(config), Settings::default());
    balance.complete();
    balance
}

/// The services of the first virtual server with their servers, a line each.
fn table(text: &str, marks: &mut Marks) -> Vec<String> {
    let mut lines = Vec::new();
    for wanted in services(&balance(text), PoolId(0), marks) {
        let servers = wanted.destinations.iter().map(|server| {
            let method = match server.forwarding {
                ipvs_sys::Forwarding::Masquerade => "m",
                ipvs_sys::Forwarding::Route => "g",
                ipvs_sys::Forwarding::Tunnel(_) => "i",
            };
            format!(" {}:{}/{method}{}", server.address, server.port, server.weight)
        });
        lines.push(format!("{}{}", wanted.service.key, servers.collect::<String>()));
    }
    lines
}

fn group(entries: &str, servers: &str) -> String {
    format!(
        "virtual_server_group G {{\n{entries}\n}}\nvirtual_server group G {{\nlvs_method DR\nprotocol TCP\n{servers}\n}}\n"
    )
}

const ONE: &str = "real_server 192.168.50.2 {\n}";

#[test]
fn entries_of_groups_decide_over_ports() {
    let servers = "real_server 192.168.50.2 {\n}
real_server 192.168.50.3 80 {\nlvs_method NAT\nweight 4\n}
real_server 192.168.50.4 {\nlvs_method NAT\n}";
    let text = group("fwmark 100\n10.1.1.254-10.1.1.255 443", servers);
    assert_eq!(
        table(&text, &mut Marks::default()),
        [
            "10.1.1.254:tcp:443 192.168.50.2:443/g1 192.168.50.3:80/m4 192.168.50.4:443/m1",
            "10.1.1.255:tcp:443 192.168.50.2:443/g1 192.168.50.3:80/m4 192.168.50.4:443/m1",
            "Fwm 100 192.168.50.2:0/g1 192.168.50.3:80/m4 192.168.50.4:0/m1",
        ]
    );
}

#[test]
fn a_sorry_server_without_a_port_has_that_of_its_service() {
    for method in ["NAT", "DR"] {
        let text = format!(
            "virtual_server 10.0.0.1 80 {{\nprotocol TCP\nlvs_method {method}\nsorry_server 192.168.50.99\n
real_server 192.168.50.2 80 {{\nalpha\nTCP_CHECK {{\n}}\n}}\n}}\n"
        );
        let sign = if method == "NAT" { "m" } else { "g" };
        let expected = format!("10.0.0.1:tcp:80 192.168.50.99:80/{sign}1");
        assert_eq!(table(&text, &mut Marks::default()), [expected]);
    }
}

#[test]
fn ranges_go_on_over_the_end_of_an_octet() {
    let keys = |entries: &str, server: &str| -> Vec<String> {
        let server = format!("real_server {server} {{\n}}");
        let lines = table(&group(entries, &server), &mut Marks::default());
        lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(
        keys("10.1.1.254-10.1.2.1 80", "192.168.50.2"),
        ["10.1.1.254:tcp:80", "10.1.1.255:tcp:80", "10.1.2.0:tcp:80", "10.1.2.1:tcp:80"]
    );
    assert_eq!(keys("10.1.0.0/22 80", "192.168.50.2").len(), 1024);
    assert_eq!(keys("255.255.255.254-255.255.255.255 80", "192.168.50.2").len(), 2);
    assert_eq!(
        keys("fd00:1::fffe-fd00:1::1:1 80", "fd00:50::2"),
        ["fd00:1::fffe:tcp:80", "fd00:1::ffff:tcp:80", "fd00:1::1:0:tcp:80", "fd00:1::1:1:tcp:80"]
    );
    assert_eq!(keys("::/1 80", "fd00:50::2"), [""; 0], "more than there is memory for");
}

#[test]
fn a_group_of_addresses_may_be_one_mark() {
    let tables = IpvsNftables { table: "t".into(), priority: -1, start_fwmark: 1000 };
    let mut marks = Marks::default();
    marks.configure(Some(&tables));
    let addresses = group("10.1.0.0/16 80", ONE);
    assert_eq!(table(&addresses, &mut marks), ["Fwm 1000 192.168.50.2:0/g1"]);
    assert_eq!(table(&addresses, &mut marks), ["Fwm 1000 192.168.50.2:0/g1"], "it is kept");
    let both = group("10.1.0.1 80\nfd00:1::1 80", ONE).replace("DR", "TUN").replace("G {", "H {");
    assert_eq!(
        table(&both, &mut marks),
        ["Fwm 1001 192.168.50.2:0/i1", "Fwm 1001 inet6 192.168.50.2:0/i1"]
    );
    let marked = group("10.1.0.1 80\nfwmark 7", ONE);
    let expected = ["10.1.0.1:tcp:80 192.168.50.2:80/g1", "Fwm 7 192.168.50.2:0/g1"];
    assert_eq!(table(&marked, &mut marks), expected, "it has a mark of its own");
}

#[test]
fn one_address_is_one_server() {
    let sorry = "sorry_server 192.168.50.2 80\nreal_server 192.168.50.2 80 {\nweight 9\n}\n";
    let text = format!("virtual_server 10.0.0.1 80 {{\nprotocol TCP\n{sorry}}}\n");
    assert_eq!(table(&text, &mut Marks::default()), ["10.0.0.1:tcp:80 192.168.50.2:80/m9"]);
    let idle = text.replace("weight 9", "weight 0");
    assert_eq!(table(&idle, &mut Marks::default()), ["10.0.0.1:tcp:80 192.168.50.2:80/m1"]);
    // In a group two ports may become one.
    let servers =
        "real_server 192.168.50.2 80 {\nweight 2\n}\nreal_server 192.168.50.2 81 {\nweight 3\n}";
    let text = group("10.0.0.1 443", servers);
    assert_eq!(table(&text, &mut Marks::default()), ["10.0.0.1:tcp:443 192.168.50.2:443/g3"]);
}

#[test]
fn persistence_has_any_mask() {
    let text = |granularity: &str, address: &str, server: &str| {
        format!(
            "virtual_server {address} 80 {{\nprotocol TCP\n{granularity}\npersistence_engine sip\nreal_server {server} 80 {{\n}}\n}}\n"
        )
    };
    let of = |text: &str| {
        let services = services(&balance(text), PoolId(0), &mut Marks::default());
        (*services[0].service).clone()
    };
    let odd = of(&text("persistence_granularity 255.0.255.3", "10.0.0.1", "192.168.50.2"));
    let mask = ipvs_sys::Granularity::Mask([255, 0, 255, 3].into());
    assert_eq!(odd.persistence, Some(Persistence { timeout: 360, granularity: mask }));
    assert_eq!(odd.engine.as_deref(), Some("sip"));
    let prefix =
        of(&text("persistence_timeout 7\npersistence_granularity 64", "fd00::1", "fd00:50::2"));
    let granularity = ipvs_sys::Granularity::Prefix(64);
    assert_eq!(prefix.persistence, Some(Persistence { timeout: 7, granularity }));
    assert_eq!(of(&text("", "10.0.0.1", "192.168.50.2")).persistence, None);
    // In the original it does not reach the entries of groups.
    let lines = "persistence_timeout 33\npersistence_granularity 255.255.0.0";
    let entries = of(&group("10.1.0.1-2 80\nfwmark 7", &format!("{lines}\n{ONE}")));
    let granularity = ipvs_sys::Granularity::Mask([255, 255, 0, 0].into());
    assert_eq!(entries.persistence, Some(Persistence { timeout: 33, granularity }));
}
