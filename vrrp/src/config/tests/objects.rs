//! Addresses, routes and rules.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use runtime::machine::AddressFlags;
use runtime::machine::route::{AddMode, Encap, Prefix};
use runtime::machine::rule::RuleAction;

use crate::config::route::Route;
use crate::config::rule::Rule;
use crate::packet::Family;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An address among those that adverts do not carry, which may be of any family.
#[track_caller]
fn address(entry: &str) -> Address {
    good(&format!("virtual_ipaddress_excluded {{\n {entry}\n}}")).excluded.remove(0)
}

/// What is left of an entry about which something is said.
#[track_caller]
fn odd_address(entry: &str, complaints: &[&str]) -> Option<Address> {
    bad(&format!("virtual_ipaddress_excluded {{\n {entry}\n}}"), complaints).excluded.pop()
}

#[test]
fn addresses_have_prefixes_and_options() {
    let plain = address("10.1.0.1");
    assert_eq!((plain.address, plain.prefix_len), (ip("10.1.0.1"), 32));
    assert!(plain.tracked && !plain.use_vmac && plain.interface.is_none());
    let full = address(
        "10.1.0.1/24 dev eth1 scope link label eth1:x brd + home mngtmpaddr noprefixroute autojoin no_track",
    );
    assert_eq!((full.prefix_len, full.scope), (24, 253));
    assert_eq!((full.interface.as_deref(), full.label.as_deref()), (Some("eth1"), Some("eth1:x")));
    assert_eq!(full.broadcast, Some(Ipv4Addr::new(10, 1, 0, 255)));
    let flags = full.flags;
    let all = [
        AddressFlags::HOME,
        AddressFlags::MANAGE_TEMPORARY,
        AddressFlags::NO_PREFIX_ROUTE,
        AddressFlags::AUTOJOIN,
    ];
    assert_eq!(flags, all.into_iter().fold(AddressFlags::default(), AddressFlags::with));
    assert!(!full.tracked);
    assert_eq!(address("10.1.0.1/24 brd -").broadcast, Some(Ipv4Addr::new(10, 1, 0, 0)));
    assert_eq!(
        address("10.1.0.1/24 broadcast 10.1.0.9").broadcast,
        Some(Ipv4Addr::new(10, 1, 0, 9))
    );
    let peer = address("10.1.0.1 peer 10.1.0.2");
    assert_eq!((peer.peer, peer.prefix_len), (Some(ip("10.1.0.2")), 32));
}

#[test]
fn ipv6_addresses_are_used_at_once_and_for_ever() {
    let subnet = address("fd00::1/64");
    assert!(subnet.flags.contains(AddressFlags::NO_DAD));
    assert_eq!(subnet.preferred_lifetime, None);
    assert_eq!(address("fd00::1/64 -nodad").flags, AddressFlags::default());
    assert_eq!(address("fd00::1").preferred_lifetime, Some(0));
    assert_eq!(address("fd00::1 preferred_lft forever").preferred_lifetime, None);
    assert_eq!(address("fd00::1/64 preferred_lft 90").preferred_lifetime, Some(90));
}

#[test]
fn wrong_addresses_are_dropped() {
    for (entry, complaints) in [
        ("nonsense", &["VRRP parsed invalid IP nonsense. skipping IP..."][..]),
        ("10.1.0/24", &["VRRP parsed invalid IP 10.1.0/24."]),
        ("10.1.0.1 dev", &["No dev parameter specified for 10.1.0.1"]),
        ("10.1.0.1 scope", &["No scope parameter specified for 10.1.0.1"]),
        (
            "10.1.0.1 dev eth0 dev eth1",
            &["Cannot specify ipaddress device more than once for 10.1.0.1"],
        ),
        (
            "10.1.0.1 label 1234567890123456",
            &["is longer than maximum length 15 - removing address"],
        ),
        ("10.1.0.1/24 brd x", &["VRRP is trying to assign invalid broadcast x. skipping VIP..."]),
        ("fd00::1/64 brd +", &["cannot be given for the IPv6 address"]),
    ] {
        assert_eq!(odd_address(entry, complaints), None, "{entry}");
    }
}

#[test]
fn odd_options_of_addresses_are_ignored() {
    for (entry, complaints) in [
        (
            "10.1.0.1/33",
            &["number '33'", "Invalid address prefix len 33 for address 10.1.0.1/33 - using 32"][..],
        ),
        (
            "10.1.0.1 nonsense",
            &["Unknown configuration entry 'nonsense' for ip address - ignoring"],
        ),
        (
            "10.1.0.1 track_group g",
            &["Unknown configuration entry 'track_group'", "Unknown configuration entry 'g'"],
        ),
        ("10.1.0.1/24 scope none", &["Invalid scope 'none' specified for 10.1.0.1/24 - ignoring"]),
        ("10.1.0.1/31 brd +", &["Address prefix length 31 too long for broadcast"]),
        (
            "10.1.0.1/24 peer 10.1.0.2",
            &["Cannot specify address prefix when specifying peer address"],
        ),
        ("10.1.0.1 peer fd00::1", &["Peer address fd00::1 does not match address family"]),
        ("10.1.0.1 peer x", &["VRRP parsed invalid IP x.", "Invalid peer address x"]),
        (
            "10.1.0.1 peer 10.1.0.2 peer 10.1.0.3",
            &["Peer 10.1.0.3 - another peer has already been specified"],
        ),
        ("10.1.0.1 peer 10.1.0.2 brd +", &["Cannot specify broadcast and peer addresses"]),
        ("10.1.0.1 preferred_lft -5", &["negative number '-5'", "preferred_lft -5 is invalid"]),
        ("fd00::1/64 scope link", &["Cannot specify scope for IPv6 addresses (fd00::1/64)"]),
        ("fd00::1/64 label x", &["Cannot specify label for IPv6 addresses (fd00::1/64)"]),
    ] {
        let left = odd_address(entry, complaints).unwrap_or_else(|| panic!("{entry}"));
        assert_eq!((left.label, left.scope), (None, 0), "{entry}");
    }
}

#[test]
fn addresses_are_there_once() {
    let web = bad(
        "virtual_ipaddress {\n 10.9.0.100/24\n 10.9.0.7\n 10.9.0.7 dev eth1\n fd00::1\n}\nvirtual_ipaddress_excluded {\n 10.9.0.7\n 10.9.0.7 dev eth1\n 10.9.0.7 dev eth1\n fd00::1\n}",
        &[
            "(web): VIP duplicates a VIP 10.9.0.7 - ignoring",
            "(web): address family must match VRRP instance [fd00::1] - ignoring",
            "(web): Excluded VIP duplicates a VIP 10.9.0.7 - ignoring",
            "(web): Excluded VIP duplicates an excluded VIP 10.9.0.7 - ignoring",
            "(web): VIP duplicates a VIP 10.9.0.100/24 - ignoring",
        ],
    );
    assert_eq!((web.addresses.len(), web.excluded.len()), (2, 2));
}

#[test]
fn an_advert_carries_what_fits_a_packet() {
    let lines =
        |count: u32| (0..count).map(|index| format!(" fd00::{index:x}\n")).collect::<String>();
    let text = format!(
        "vrrp_instance web {{\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {{\n fe80::1\n{} }}\n}}\n",
        lines(99)
    );
    let loaded = Loaded::from(&text).expect_complaints(&[
        "(web) Number of VIPs (100) exceeds maximum/space available in packet (max 89 addresses) - excess moved to eVIPs",
    ]);
    let web = loaded.instance();
    assert_eq!((web.addresses.len(), web.excluded.len()), (89, 11));
    assert_eq!(web.excluded[0].address, ip("fd00::58"));
}

#[test]
fn a_master_without_addresses_is_odd() {
    let text = |lines: &str| {
        format!("vrrp_instance web {{\n interface eth0\n virtual_router_id 51\n {lines}\n}}\n")
    };
    let loaded =
        Loaded::from(&text("")).expect_complaints(&["No VIP specified; at least one is sensible"]);
    assert!(loaded.config.usable);
    Loaded::from(&text("no_virtual_ipaddress")).expect_silence();
    Loaded::from(&text("version 3\nno_virtual_ipaddress")).expect_silence();
    let loaded = Loaded::from(&text("version 3"))
        .expect_complaints(&["No VIP specified; at least one is required"]);
    assert!(!loaded.config.usable);
    Loaded::from(&text("strict_mode\nno_virtual_ipaddress"))
        .expect_complaints(&["clearing no_virtual_ipaddress", "at least one is required"]);
}

#[test]
fn addresses_without_any_interface_use_the_default_one() {
    let text = "vrrp_instance web {\n virtual_router_id 51\n unicast_src_ip 10.9.0.1\n unicast_peer {\n 10.9.0.2\n }\n virtual_ipaddress {\n 10.9.0.100\n }\n}\n";
    let loaded = Loaded::from(text).expect_silence();
    assert_eq!(loaded.instance().addresses[0].interface.as_deref(), Some("eth0"));
    let mut global = global();
    global.vrrp.default_interface = "eth9".to_owned();
    Loaded::with(text, &global, &machine()).expect_complaints(&[
        "(web): no interface for vip 10.9.0.100 - removing",
        "No VIP specified",
    ]);
}

#[test]
fn addresses_elsewhere_may_have_vmacs() {
    let excluded = "virtual_ipaddress_excluded {\n 10.1.0.1\n 10.1.0.2 dev eth0\n 10.1.0.3 dev eth1\n 10.1.0.4 dev eth1 use_vmac\n fd00::1\n}";
    let vmacs =
        |web: &Instance| web.excluded.iter().map(|address| address.use_vmac).collect::<Vec<_>>();
    let web = good(excluded);
    assert_eq!(vmacs(&web), [false, false, false, true, false]);
    assert_eq!(web.excluded[1].interface, None, "the instance's own");
    let web = bad(
        &format!("use_vmac_addr\n{excluded}"),
        &["use_vmac_addr specified and use_vmac specified for VIP/eVIP 10.1.0.4"],
    );
    assert_eq!(vmacs(&web), [false, false, true, true, true]);
    let entry = "virtual_ipaddress_excluded {\n 10.1.0.1/24 use_vmac\n}";
    let web = bad(
        &format!("use_vmac\n{entry}"),
        &["use_vmac specified for VIP/eVIP 10.1.0.1/24 and vrrp instance"],
    );
    assert_eq!(vmacs(&web), [false]);
    assert_eq!(vmacs(&good(entry)), [true]);
}

#[test]
fn the_first_ipv6_address_should_be_link_local() {
    let text = instance6("").replace("fe80::100", "fd00::1");
    Loaded::from(&text).expect_silence();
    let text = text.replace("virtual_router_id 51", "virtual_router_id 51\n strict_mode");
    Loaded::from(&text).expect_complaints(&["(web) the first IPv6 VIP address must be link local"]);
}

#[track_caller]
fn route(entry: &str) -> Route {
    good(&format!("virtual_routes {{\n {entry}\n}}")).routes.remove(0)
}

#[track_caller]
fn odd_route(entry: &str, complaints: &[&str]) -> Option<Route> {
    bad(&format!("virtual_routes {{\n {entry}\n}}"), complaints).routes.pop()
}

#[test]
fn routes_lead_somewhere() {
    let plain = route("10.1.0.0/16 via 10.9.0.2 dev eth0");
    assert_eq!(plain.destination, Some(Prefix { address: ip("10.1.0.0"), len: 16 }));
    assert_eq!((plain.gateway, plain.interface.as_deref()), (Some(ip("10.9.0.2")), Some("eth0")));
    assert_eq!((plain.kind, plain.table, plain.protocol, plain.tracked), (1, 254, 18, true));
    assert_eq!(route("default via 10.9.0.2").destination, None);
    assert_eq!(route("blackhole 10.1.0.0/16").kind, 6);
    assert_eq!(route("to unreachable 10.1.0.0/16").kind, 7);
    let full = route(
        "10.1.0.0/16 src 10.9.0.1 table 500 scope link tos 4 metric 7 onlink protocol static no_track append",
    );
    assert_eq!((full.source, full.table, full.scope), (Some(ip("10.9.0.1")), 500, Some(253)));
    assert_eq!((full.tos, full.metric, full.onlink), (4, Some(7), true));
    assert_eq!((full.protocol, full.tracked, full.add), (4, false, AddMode::Append));
}

#[test]
fn a_leading_family_does_not_swallow_the_next_word() {
    let route = route("inet6 default via fe80::1 dev eth0");
    assert_eq!((route.family, route.destination), (Family::V6, None));
    assert_eq!(route.gateway, Some(ip("fe80::1")));
    let rule = rule("inet6 from all lookup 5 priority 5");
    assert_eq!((rule.wanted.ipv6, rule.wanted.from), (true, None));
}

#[test]
fn a_default_route_may_stand_behind_its_gateway() {
    for (behind, before) in [
        ("via 10.0.0.1 default", "default via 10.0.0.1"),
        ("via fe80::1 dev eth0 default", "default via fe80::1 dev eth0"),
    ] {
        assert_eq!(route(behind), route(before));
    }
}

#[test]
fn routes_have_metrics() {
    let metrics = route(
        "10.1.0.0/16 mtu lock 1400 advmss 1300 rtt 1s rttvar 300ms rto_min 0.5s window 5 cwnd 6 ssthresh 7 initcwnd 8 initrwnd 9 hoplimit 10 reordering 11 quickack 1 fastopen_no_cookie 0 congctl lock cubic features ecn",
    )
    .metrics;
    assert_eq!((metrics.mtu, metrics.advmss), (Some(1400), Some(1300)));
    assert_eq!((metrics.rtt, metrics.rttvar, metrics.rto_min), (Some(8000), Some(1200), Some(500)));
    assert_eq!((metrics.quickack, metrics.fastopen_no_cookie), (Some(true), Some(false)));
    assert_eq!((metrics.congestion.as_deref(), metrics.features), (Some("cubic"), 1));
    assert_eq!(metrics.locked, 1 << 2 | 1 << 16);
    let short = odd_route("10.1.0.0/16 rtt 5", &["rtt value 5 below minimum 200ms, resetting"]);
    assert_eq!(short.unwrap().metrics.rtt, Some(1600));
    odd_route(
        "10.1.0.0/16 rtt 1.e3",
        &["exponential form 1.e3 no longer supported", "Invalid rtt 1.e3 for route"],
    );
}

#[test]
fn routes_may_split() {
    let split = route("10.1.0.0/16 nexthop via 10.9.0.2 weight 256 nexthop dev eth1 onlink");
    let hops: Vec<_> =
        split.next_hops.iter().map(|hop| (hop.gateway, hop.weight, hop.onlink)).collect();
    assert_eq!(hops, [(Some(ip("10.9.0.2")), 256, false), (None, 1, true)]);
    let old =
        odd_route("10.1.0.0/16 via 10.9.0.2 or 10.9.0.3", &["\"or\" for routes is deprecated"])
            .unwrap();
    assert_eq!((old.gateway, old.next_hops.len()), (None, 2));
    let rest = odd_route(
        "10.1.0.0/16 nexthop via 10.9.0.2 nexthop via nonsense",
        &["VRRP parsed invalid IP nonsense.", "invalid nexthop address nonsense"],
    );
    assert_eq!(rest.unwrap().next_hops.len(), 1);
    assert_eq!(odd_route("10.1.0.0/16 nexthop via 10.9.0.2 weight 0", &["Invalid weight 0"]), None);
}

#[test]
fn routes_may_put_a_header_on() {
    assert_eq!(route("10.1.0.0/16 encap mpls 100/200").encap, Some(Encap::Mpls(vec![100, 200])));
    assert_eq!(route("fd00::/64 encap ila 1:2:3:4").encap, Some(Encap::Ila(0x0001_0002_0003_0004)));
    let Some(Encap::Ip(encap)) =
        route("10.1.0.0/16 encap ip id 5 dst 10.0.0.1 ttl 9 dev eth0").encap
    else {
        panic!("no header")
    };
    assert_eq!((encap.id, encap.ttl, encap.destination), (Some(5), Some(9), Some(ip("10.0.0.1"))));
    for (entry, complaint) in [
        ("encap", "Missing encap type"),
        ("encap foo", "Unknown encap type - foo"),
        ("encap ip ttl 5", "address or id missing for ip encapsulation"),
        ("encap mpls x", "invalid mpls address x for encapsulation"),
        ("encap ila", "missing locator for ILA encapsulation"),
        ("encap ip dst fd00::1", "IPv6 address fd00::1 not valid for ip encapsulation"),
    ] {
        assert_eq!(odd_route(&format!("10.1.0.0/16 {entry}"), &[complaint]), None, "{entry}");
    }
}

#[test]
fn wrong_routes_are_dropped() {
    for (entry, complaints) in [
        ("via 10.9.0.2", &["Route must have a destination"][..]),
        ("nonsense", &["VRRP parsed invalid IP nonsense.", "unknown route keyword nonsense"]),
        ("10.1.0.0/16 via fe80::1", &["Cannot mix IPv4 and IPv6 addresses for route"]),
        ("10.1.0.0/16 fd00::/64", &["Cannot mix IPv4 and IPv6 addresses for route (fd00::/64)"]),
        ("inet6 10.1.0.0/16", &["Cannot mix IPv4 and IPv6"]),
        ("10.1.0.0/16 inet6", &["inet6 specified for IPv4 route"]),
        (
            "10.1.0.0/16 from 10.2.0.0/16",
            &["route from address only supported with IPv6 (10.2.0.0/16)"],
        ),
        ("10.1.0.0/16 table none", &["Routing table none not found for route"]),
        ("10.1.0.0/16 protocol none-such", &["Protocol none-such not found or invalid for route"]),
        ("10.1.0.0/16 scope none", &["Scope none not found or invalid for route"]),
        ("10.1.0.0/16 tos none", &["TOS value none is invalid"]),
        ("10.1.0.0/16 metric x", &["invalid number 'x'", "Invalid metric x specified for route"]),
        ("10.1.0.0/16 expires 5", &["expires is only valid for IPv6"]),
        ("10.1.0.0/16 pref low", &["pref is only valid for IPv6"]),
        ("fd00::/64 realms 5", &["realms are only valid for IPv4"]),
        ("10.1.0.0/16 vrf eth0", &["Route specified VRF eth0 is not a VRF"]),
        ("10.1.0.0/16 vrf none", &["VRF none not found for route"]),
    ] {
        assert_eq!(odd_route(entry, complaints), None, "{entry}");
    }
    let forced = odd_route(
        "10.1.0.0/16 protocol static",
        &["Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18)"],
    );
    assert_eq!(forced.unwrap().protocol, 18);
}

#[track_caller]
fn rule(entry: &str) -> Rule {
    good(&format!("virtual_rules {{\n {entry}\n}}")).rules.remove(0)
}

#[track_caller]
fn odd_rule(entry: &str, complaints: &[&str]) -> Option<Rule> {
    bad(&format!("virtual_rules {{\n {entry}\n}}"), complaints).rules.pop()
}

#[test]
fn rules_do_something_with_what_matches() {
    let full = rule(
        "not from 10.1.0.0/16 to 10.2.0.0/16 iif eth0 oif eth1 fwmark 5/0xf tos 4 realms 1/2 suppress_prefixlength 8 suppress_ifgroup 3 tunnel-id 6 uidrange 1-9 ipproto tcp sport 80 dport 90-99 lookup main priority 7",
    );
    let wanted = full.wanted;
    assert!(wanted.invert);
    assert_eq!(wanted.from, Some(Prefix { address: ip("10.1.0.0"), len: 16 }));
    assert_eq!((wanted.input.as_deref(), wanted.output.as_deref()), (Some("eth0"), Some("eth1")));
    assert_eq!((full.mark, full.mask), (Some(5), Some(15)));
    assert_eq!((wanted.mark, wanted.tos), (Some((5, 15)), 4));
    assert_eq!(
        (wanted.realms, wanted.suppress_prefix_len, wanted.suppress_group),
        (Some(1 << 16 | 2), Some(8), Some(3))
    );
    assert_eq!((wanted.tunnel, wanted.users, wanted.ip_protocol), (Some(6), Some(1..=9), Some(6)));
    assert_eq!((wanted.source_ports, wanted.destination_ports), (Some(80..=80), Some(90..=99)));
    assert_eq!(
        (wanted.action, wanted.priority, wanted.protocol),
        (RuleAction::Table(254), 7, Some(18))
    );
    for (entry, action) in [
        ("l3mdev", RuleAction::L3mdev),
        ("goto 9", RuleAction::Goto(9)),
        ("nop", RuleAction::NOP),
        ("type blackhole", RuleAction::BLACKHOLE),
        ("unreachable", RuleAction::UNREACHABLE),
        ("prohibit", RuleAction::PROHIBIT),
    ] {
        assert_eq!(rule(&format!("{entry} priority 5")).wanted.action, action);
    }
    assert_eq!(rule("ip_proto udp table 5 priority 5").wanted.ip_protocol, Some(17));
    assert_eq!(rule("no_track table 5 priority 5").wanted.protocol, None);
}

#[test]
fn rules_without_a_place_are_given_one() {
    let unplaced = "Rule has no preference specified - setting to";
    let web = bad(
        "virtual_rules {\n from 10.1.0.0/16 table 5\n from 10.2.0.0/16 table 5\n from fd00::/64 table 5\n}",
        &["setting to 16384.", "setting to 16383.", unplaced],
    );
    assert_eq!(
        web.rules.iter().map(|rule| rule.wanted.priority).collect::<Vec<_>>(),
        [16_384, 16_383, 16_384]
    );
}

#[test]
fn wrong_rules_are_dropped() {
    for (entry, complaints) in [
        ("priority 5", &["No action specified for rule - ignoring"][..]),
        (
            "from x table 5 priority 5",
            &["VRRP parsed invalid IP x.", "Invalid rule from address x"],
        ),
        (
            "from 10.0.0.0/8 to fd00::/64 table 5 priority 5",
            &["rule specification has mixed IPv4 and IPv6"],
        ),
        ("table 0 priority 5", &["Table 0 is not valid"]),
        ("table 5 table 6 priority 5", &["Cannot specify more than one of table/nop/goto"]),
        ("table 5 l3mdev priority 5", &["Cannot specify l3mdev with other action"]),
        ("goto 5 priority 10", &["Invalid rule - preference 10 >= goto target 5"]),
        ("goto 5", &["Invalid rule - goto target 5 specified without preference"]),
        (
            "realms 5 nop priority 5",
            &["suppressor/realm specified for non table action - skipping"],
        ),
        ("fwmark x table 5 priority 5", &["Invalid rule fwmark x specified"]),
        ("unicast priority 5", &["Invalid rule action unicast"]),
        ("nonsense priority 5", &["Unknown rule option nonsense"]),
        ("uidrange x table 5 priority 5", &["Invalid uidrange x specified"]),
    ] {
        assert_eq!(odd_rule(entry, complaints), None, "{entry}");
    }
    let kept = odd_rule(
        "sport x ipproto 200 table 5 priority 5",
        &["invalid sport range x", "Invalid ipproto 200"],
    );
    assert!(kept.is_some());
}

/// What 2.4.3 shows of its routes in a dump.
#[test]
fn routes_are_shown_in_the_words_of_the_original() {
    let shown = |entry: &str| crate::report::route(&route(entry), None);
    for (entry, text) in [
        ("10.100.0.0/16 via 10.9.0.2", "prepend 10.100.0.0/16 via inet 10.9.0.2 proto 18"),
        (
            "10.103.0.0/16 dev eth1 scope link table 1000",
            "prepend 10.103.0.0/16 dev eth1 table 1000 proto 18 scope 253",
        ),
        (
            "10.104.0.0/16 via 10.9.0.2 tos 16 metric 50",
            "prepend 10.104.0.0/16 tos 16 via inet 10.9.0.2 proto 18 metric 50",
        ),
        (
            "10.105.0.0/16 via 10.88.0.2 dev eth1 onlink",
            "prepend 10.105.0.0/16 via inet 10.88.0.2 dev eth1 proto 18 onlink",
        ),
        ("throw 10.109.0.0/16 table 100", "prepend throw 10.109.0.0/16 table 100 proto 18"),
        (
            "10.112.0.0/16 via 10.9.0.2 mtu lock 1400 advmss 1360 rtt 500ms rttvar 300ms reordering 10 window 5000 cwnd lock 20 ssthresh 30 rto_min 400ms initcwnd 12 initrwnd 13 quickack 1 congctl reno hoplimit 30 features ecn fastopen_no_cookie 1",
            "prepend 10.112.0.0/16 via inet 10.9.0.2 proto 18 congctl reno rtt 500ms rttvar 300ms rto_min 400ms features ecn mtu lock 1400 window 5000 ssthresh 30 cwnd lock 20 advmss 1360 reordering 10 hoplimit 30 initcwnd 12 initrwnd 13 quickack 1 fastopen_no_cookie 1",
        ),
        (
            "10.113.0.0/16 via 10.9.0.2 realms 3/4",
            "prepend 10.113.0.0/16 via inet 10.9.0.2 proto 18 realms 3/4",
        ),
        (
            "10.114.0.0/16 via 10.9.0.2 protocol 99 no_track",
            "prepend 10.114.0.0/16 via inet 10.9.0.2 proto 99 no_track",
        ),
        ("10.116.0.0/16 via 10.9.0.2 add", "add 10.116.0.0/16 via inet 10.9.0.2 proto 18"),
        (
            "10.118.0.0/16 nexthop via 10.9.0.2 dev eth1 weight 3 nexthop via 10.9.0.3 dev eth1",
            "prepend 10.118.0.0/16 proto 18 nexthop via inet 10.9.0.2 dev eth1 weight 3 nexthop via inet 10.9.0.3 dev eth1",
        ),
        (
            "10.121.0.0/16 encap ip id 7 dst 10.9.0.2 src 10.9.0.1 tos 4 ttl 60 dev eth1",
            "prepend 10.121.0.0/16 encap ip id 7 dst 10.9.0.2 src 10.9.0.1 tos 4 ttl 60 dev eth1 proto 18",
        ),
        (
            "10.122.0.0/16 via 10.9.0.2 ttl-propagate disabled",
            "prepend 10.122.0.0/16 via inet 10.9.0.2 proto 18 ttl-propagate disabled",
        ),
        (
            "default via 10.9.0.2 table 100",
            "prepend 0.0.0.0/0 via inet 10.9.0.2 table 100 proto 18",
        ),
        (
            "10.123.0.0/16 via 10.9.0.2 encap mpls 100/200",
            "prepend 10.123.0.0/16 encap mpls 64000/c8100 via inet 10.9.0.2 proto 18",
        ),
        (
            "fd1c::/64 via fd00:9::2 encap ila 1:2:3:4",
            "prepend fd1c::/64 encap ila 288233674720149760 via inet6 fd00:9::2 proto 18",
        ),
        (
            "fd14::/64 via fd00:9::2 src fd00:9::100 from fd07::/64 expires 1000 pref high",
            "prepend fd14::/64 from fd07::/64 src fd00:9::100 via inet6 fd00:9::2 proto 18 expires 1000sec pref high",
        ),
    ] {
        assert_eq!(shown(entry), text);
    }
}

#[test]
fn rules_are_shown_in_the_words_of_the_original() {
    for (entry, text) in [
        (
            "from 10.60.0.0/16 to 10.61.0.0/16 table 60 priority 600",
            "from 10.60.0.0/16 to 10.61.0.0/16 priority 600 tos 0x0 protocol 18 lookup 60",
        ),
        (
            "not fwmark 7/0xff iif eth1 oif eth1 table 60 priority 602",
            "not from all priority 602 tos 0x0 fwmark 0x7/0xff iif eth1 oif eth1 protocol 18 lookup 60",
        ),
        (
            "from 10.64.0.0/16 realms 3/4 table 60 priority 606 suppress_prefixlength 8 suppress_ifgroup 5",
            "from 10.64.0.0/16 priority 606 tos 0x0 suppress_prefixlen 8 suppress_ifgroup 5 protocol 18 realms 3/4 lookup 60",
        ),
        (
            "tunnel-id 77 uidrange 10-20 ipproto tcp sport 1000-2000 dport 80-80 table 60 priority 612",
            "from all priority 612 tos 0x0 tunnel-id 77 uidrange 10-20 protocol 18 ipproto 6 sport 1000-2000 dport 80-80 lookup 60",
        ),
        ("l3mdev priority 614", "from all priority 614 tos 0x0 l3mdev protocol 18 lookup 0"),
        (
            "from 10.65.0.0/16 type goto 700 priority 616",
            "from 10.65.0.0/16 priority 616 tos 0x0 protocol 18 goto 700",
        ),
        (
            "from 10.71.0.0/16 blackhole priority 622 no_track",
            "from 10.71.0.0/16 priority 622 tos 0x0 type blackhole no_track",
        ),
        (
            "inet6 from all table 60 priority 632",
            "inet6 from all priority 632 tos 0x0 protocol 18 lookup 60",
        ),
    ] {
        assert_eq!(crate::report::rule(&rule(entry), None), text);
    }
}
