//! Lines as the original wrote them for the same entries of a configuration.

use conf_parser::{Diagnostics, Options, parse_text};
use runtime::global::{Account, Global};
use runtime::machine::Machine;

use super::*;
use crate::config::{self, Config, Instance};

/// A configuration with an instance that has these entries.
fn instance(entries: &str) -> Instance {
    let text = format!(
        "vrrp_instance one {{\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {{\n10.0.0.1\n}}\n{entries}\n}}\n"
    );
    let mut global = Global::default();
    global.scripts.account = Some(Account { uid: 0, gid: 0, groups: vec![] });
    global.vrrp.iproute_etc_dir = "/nonexistent".to_owned();
    global.vrrp.iproute_usr_dir = "/nonexistent".to_owned();
    let machine = Machine::with_interfaces(&["eth0", "eth1"]);
    let mut diagnostics = Diagnostics::default();
    let options = Options { main: "test.conf".into(), ..Options::default() };
    let statements = parse_text(text.as_bytes(), &options, &config::ROOT, &mut diagnostics);
    let mut config: Config = config::load(&statements, &global, &machine, &[], &mut diagnostics);
    config.instances.remove(0).as_ref().clone()
}

#[test]
fn addresses() {
    let on = |interface: &str| Placed { interface: interface.to_owned(), ..Placed::default() };
    for (entry, placed, expected) in [
        (
            "10.77.0.100/24 label eth0:1",
            Placed { set: true, ..on("eth0") },
            "10.77.0.100/24 dev eth0 scope global label eth0:1 set",
        ),
        ("10.77.0.101/32", on("eth0"), "10.77.0.101 dev eth0 scope global"),
        (
            "10.77.0.102/24 brd 10.77.0.255 dev eth1 scope link no_track",
            Placed { nftables: true, set: true, ..on("eth1") },
            "10.77.0.102/24 brd 10.77.0.255 dev eth1 scope link no_track set nftable_set",
        ),
        (
            "10.77.1.101 peer 10.77.1.102",
            on("eth0"),
            "10.77.1.101 dev eth0 scope global peer 10.77.1.102/32",
        ),
        (
            "fd77::100/128",
            Placed { base: Some("eth0".to_owned()), ..on("vrrp.53") },
            "fd77::100 dev vrrp.53@eth0 scope global deprecated",
        ),
        (
            "fd77::101/64 preferred_lft 100 home mngtmpaddr noprefixroute",
            Placed { track_group: Some("TG1".to_owned()), ..on("eth0") },
            "fd77::101/64 dev eth0 scope global home mngtmpaddr noprefixroute track_group TG1 preferred_lft 100",
        ),
        ("fd77::53/64", on("eth0"), "fd77::53/64 dev eth0 scope global preferred_lft forever"),
    ] {
        let instance = instance(&format!("virtual_ipaddress_excluded {{\n{entry}\n}}"));
        assert_eq!(address(&instance.excluded[0], &placed), expected);
    }
}

#[test]
fn routes() {
    for (entry, expected) in [
        (
            "198.18.0.0/16 via 10.77.0.2 dev eth0 metric 20 mtu 1400",
            "prepend 198.18.0.0/16 via inet 10.77.0.2 dev eth0 proto 18 metric 20 mtu 1400",
        ),
        (
            "198.19.0.0/16 nexthop via 10.77.0.2 dev eth0 weight 1 nexthop via 10.77.0.3 dev eth0 weight 2",
            "prepend 198.19.0.0/16 proto 18 nexthop via inet 10.77.0.2 dev eth0 weight 1 nexthop via inet 10.77.0.3 dev eth0 weight 2",
        ),
        ("blackhole 198.51.100.128/25", "prepend blackhole 198.51.100.128/25 proto 18"),
        ("blackhole 203.0.114.0/24 no_track", "prepend blackhole 203.0.114.0/24 no_track"),
        (
            "10.99.0.0/24 via 10.77.0.2 table 100 src 10.77.0.142 scope link metric 5 realms 3/4 rtt 200ms rttvar 2s rto_min 200ms mtu lock 1200 window 100 ssthresh 5 cwnd 6 advmss 500 reordering 3 hoplimit 7 initcwnd 9 initrwnd 8 features ecn quickack 1 congctl cubic",
            "prepend 10.99.0.0/24 src 10.77.0.142 via inet 10.77.0.2 table 100 proto 18 scope 253 metric 5 realms 3/4 congctl cubic rtt 200ms rttvar 2s rto_min 200ms features ecn mtu lock 1200 window 100 ssthresh 5 cwnd 6 advmss 500 reordering 3 hoplimit 7 initcwnd 9 initrwnd 8 quickack 1",
        ),
        (
            "append default via 10.77.0.2 onlink",
            "append 0.0.0.0/0 via inet 10.77.0.2 proto 18 onlink",
        ),
        ("add 10.98.0.0/24 dev eth0 tos 4", "add 10.98.0.0/24 tos 4 dev eth0 proto 18"),
        (
            "fd98::/64 via fd77::2 dev eth0 expires 200 pref high",
            "prepend fd98::/64 via inet6 fd77::2 dev eth0 proto 18 expires 200sec pref high",
        ),
        (
            "10.96.0.0/24 encap ip id 5 dst 10.1.1.1 src 10.1.1.2 tos 3 ttl 9 via 10.77.0.2 dev eth0",
            "prepend 10.96.0.0/24 encap ip id 5 dst 10.1.1.1 src 10.1.1.2 tos 3 ttl 9 via inet 10.77.0.2 dev eth0 proto 18",
        ),
        (
            "10.95.0.0/24 encap mpls 100/200 via 10.77.0.2 dev eth0",
            "prepend 10.95.0.0/24 encap mpls 64000/c8100 via inet 10.77.0.2 dev eth0 proto 18",
        ),
        (
            "10.93.0.0/24 nexthop via 10.77.0.2 dev eth0 onlink nexthop via 10.77.0.3 weight 4 realms 7",
            "prepend 10.93.0.0/24 proto 18 nexthop via inet 10.77.0.2 dev eth0 onlink nexthop via inet 10.77.0.3 weight 4 realm 7",
        ),
    ] {
        let instance = instance(&format!("virtual_routes {{\n{entry}\n}}"));
        assert_eq!(route(&instance.routes[0], None), expected);
    }
}

#[test]
fn rules() {
    for (entry, expected) in [
        (
            "from 10.77.0.100 to 198.18.0.0/16 table 101 priority 2000",
            "from 10.77.0.100 to 198.18.0.0/16 priority 2000 tos 0x0 protocol 18 lookup 101",
        ),
        (
            "not from 10.1.0.0/16 to 10.2.0.0/16 table main priority 10 tos 4",
            "not from 10.1.0.0/16 to 10.2.0.0/16 priority 10 tos 0x4 protocol 18 lookup 254",
        ),
        (
            "fwmark 1/0xff iif eth0 oif eth1 table 200 priority 11",
            "from all priority 11 tos 0x0 fwmark 0x1/0xff iif eth0 oif eth1 protocol 18 lookup 200",
        ),
        (
            "from 10.3.0.1 goto 5000 priority 12",
            "from 10.3.0.1 priority 12 tos 0x0 protocol 18 goto 5000",
        ),
        (
            "from 10.4.0.1 blackhole priority 13",
            "from 10.4.0.1 priority 13 tos 0x0 protocol 18 type blackhole",
        ),
        ("from 10.5.0.1 nop priority 16", "from 10.5.0.1 priority 16 tos 0x0 protocol 18 nop"),
        (
            "from 10.7.0.1 table 9 suppress_prefixlength 3 uidrange 5-9 ipproto 17 sport 1-5 dport 7-9 priority 18 no_track",
            "from 10.7.0.1 priority 18 tos 0x0 suppress_prefixlen 3 uidrange 5-9 ipproto 17 sport 1-5 dport 7-9 lookup 9 no_track",
        ),
        (
            "from 10.8.0.0/24 table 7 realms 5/6 priority 21 suppress_ifgroup 4",
            "from 10.8.0.0/24 priority 21 tos 0x0 suppress_ifgroup 4 protocol 18 realms 5/6 lookup 7",
        ),
    ] {
        let instance = instance(&format!("virtual_rules {{\n{entry}\n}}"));
        assert_eq!(rule(&instance.rules[0], None), expected);
    }
}
