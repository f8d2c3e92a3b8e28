//! The reference frames: captured from the C daemon 2.4.3 on a veth pair, and expected here byte for byte. Only what the
//! kernel or the moment decides is blanked: the flow label of IPv6, and for the last advert the number of the IPv4
//! packet.

use std::time::Duration;

use lab::{Binary, Daemon, Frame, Lan, PATIENCE};

/// Who sends, what it is told besides the common lines, and what must be seen: at first, and when it stops.
struct Reference {
    config: &'static str,
    first: &'static [&'static str],
    last: &'static [&'static str],
}

/// Runs a daemon alone on its network and waits for the frames of `reference`, in any order.
fn compare(reference: &Reference) {
    let lan = Lan::new(2);
    let common = "vrrp_instance reference {
        interface eth0
        virtual_router_id 51
        priority 254
        garp_master_repeat 1
        garp_master_delay 0
        down_timer_adverts 1\n";
    let config = format!("{common}{}\n}}\n", reference.config);
    let mut daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), &config);
    for wanted in reference.first {
        expect(&lan, &daemon, wanted, Exactness::Whole);
    }
    daemon.stop();
    for wanted in reference.last {
        expect(&lan, &daemon, wanted, Exactness::AnyNumber);
    }
}

#[derive(Clone, Copy)]
enum Exactness {
    Whole,
    AnyNumber,
}

fn expect(lan: &Lan, daemon: &Daemon, wanted: &str, exactness: Exactness) {
    let wanted = blanked(&Frame::from_hex(wanted), exactness);
    let frames = lan.capture().frames();
    let seen = frames.wait(Default::default(), PATIENCE, |captured| {
        let ours = lan.sender(captured) == Some(0) && blanked(&captured.frame, exactness) == wanted;
        ours.then_some(())
    });
    if seen.is_none() {
        let sent = frames.all().into_iter().filter(|captured| lan.sender(captured) == Some(0));
        let sent: String = sent.map(|captured| format!("  {}\n", captured.frame.hex())).collect();
        panic!("never sent:\n  {}\nbut:\n{sent}{}", wanted.hex(), daemon.log_text());
    }
}

fn blanked(frame: &Frame, exactness: Exactness) -> Frame {
    let mut bytes = frame.bytes.clone();
    match (bytes.get(12..14), exactness) {
        (Some([0x08, 0x00]), Exactness::AnyNumber) if bytes.len() >= 34 => {
            bytes[18..20].fill(0);
            bytes[24..26].fill(0);
        }
        (Some([0x86, 0xdd]), _) if bytes.len() >= 54 => {
            bytes[15] &= 0xf0;
            bytes[16..18].fill(0);
        }
        _ => {}
    }
    Frame::new(bytes)
}

#[test]
fn version_2_with_password() {
    compare(&Reference {
        config: "advert_int 1
                 authentication {
                     auth_type PASS
                     auth_pass s3cret
                 }
                 virtual_ipaddress {
                     10.9.0.100/24
                     10.9.0.101/24
                 }",
        first: &["01005e000012020000000001080045c0002c00010000ff70d0840a090001e0000012
                  2133fe0201018ed30a0900640a0900657333637265740000"],
        last: &["01005e000012020000000001080045c0002c00030000ff70d0820a090001e0000012
                 2133000201018cd40a0900640a0900657333637265740000"],
    });
}

#[test]
fn version_2_with_an_authentication_header() {
    compare(&Reference {
        config: "advert_int 1
                 authentication {
                     auth_type AH
                     auth_pass s3cret
                 }
                 virtual_ipaddress {
                     10.9.0.100/24
                     10.9.0.101/24
                 }",
        first: &["01005e000012020000000001080045c0004400010000ff33d0a90a090001e0000012
                  700400000a090001000000016bc726de2077e7ddf640a7e0
                  2133fe020201c9ed0a0900640a0900650000000000000000"],
        // The number of the packet is under the seal, and which it is then depends on the moment.
        last: &[],
    });
}

#[test]
fn all_peers_are_sent_the_same_number_in_the_authentication_header() {
    let lan = Lan::new(3);
    let config = "vrrp_instance reference {
        interface eth0
        virtual_router_id 51
        priority 254
        advert_int 1
        down_timer_adverts 1
        authentication {
            auth_type AH
            auth_pass s3cret
        }
        unicast_peer {
            10.9.0.2
            10.9.0.3
        }
        virtual_ipaddress {
            10.9.0.100/24
        }
    }\n";
    let daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config);
    expect(
        &lan,
        &daemon,
        "020000000002020000000001080045c0004000010000ff33a6b50a0900010a090002
         700400000a090001000000013cdaf95297a1b8b3cffd016f
         2133fe010201d45c0a0900640000000000000000",
        Exactness::Whole,
    );
    let number = lan.capture().frames().wait(Default::default(), PATIENCE, |captured| {
        let advert = captured.frame.advert()?;
        let third = advert.destination.to_string() == "10.9.0.3";
        third.then(|| captured.frame.bytes[42..46].to_vec())
    });
    assert_eq!(number, Some(vec![0, 0, 0, 1]), "{}", daemon.log_text());
}

#[test]
fn version_2_without_authentication() {
    compare(&Reference {
        config: "advert_int 1
                 virtual_ipaddress {
                     10.9.0.100/24
                     10.9.0.101/24
                 }",
        first: &["01005e000012020000000001080045c0002c00010000ff70d0840a090001e0000012
                  2133fe020001cbed0a0900640a0900650000000000000000"],
        last: &["01005e000012020000000001080045c0002c00030000ff70d0820a090001e0000012
                 213300020001c9ee0a0900640a0900650000000000000000"],
    });
}

#[test]
fn version_3_multicast_and_gratuitous_arp() {
    compare(&Reference {
        config: "version 3
                 advert_int 0.25
                 virtual_ipaddress {
                     10.9.0.100/24
                     10.9.0.101/24
                 }",
        first: &[
            "01005e000012020000000001080045c0002400010000ff70d08c0a090001e0000012
             3133fe020019d1380a0900640a090065",
            "ffffffffffff02000000000108060001080006040001 0200000000010a090064 ffffffffffff0a090064",
            "ffffffffffff02000000000108060001080006040001 0200000000010a090065 ffffffffffff0a090065",
        ],
        last: &["01005e000012020000000001080045c0002400050000ff70d0880a090001e0000012
                 313300020019cf390a0900640a090065"],
    });
}

#[test]
fn version_3_with_the_checksum_of_version_2() {
    if Binary::under_test().version().starts_with("2.2.") {
        return eprintln!("a version before 2.4 has no v3_checksum_as_v2");
    }
    compare(&Reference {
        config: "version 3
                 advert_int 0.25
                 v3_checksum_as_v2
                 virtual_ipaddress {
                     10.9.0.100/24
                     10.9.0.101/24
                 }",
        first: &["01005e000012020000000001080045c0002400010000ff70d08c0a090001e0000012
                  3133fe020019bbd50a0900640a090065"],
        last: &[],
    });
}

#[test]
fn every_peer_is_sent_the_right_checksum_of_version_2() {
    if Binary::under_test().version().starts_with("2.2.") {
        return eprintln!("a version before 2.4 has no v3_checksum_as_v2");
    }
    let lan = Lan::new(3);
    let config = "vrrp_instance reference {
        interface eth0
        virtual_router_id 51
        version 3
        priority 254
        advert_int 0.25
        v3_checksum_as_v2
        unicast_peer {
            10.9.0.2
            10.9.0.3
        }
        virtual_ipaddress {
            10.9.0.100/24
            10.9.0.101/24
        }
    }\n";
    let daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config);
    let payload = Frame::from_hex("3133fe020019bbd50a0900640a090065").bytes;
    for peer in ["10.9.0.2", "10.9.0.3"] {
        let sent = lan.capture().frames().wait(Default::default(), PATIENCE, |captured| {
            let advert = captured.frame.advert()?;
            (advert.destination.to_string() == peer).then(|| advert.payload.clone())
        });
        assert_eq!(sent.as_ref(), Some(&payload), "to {peer}:\n{}", daemon.log_text());
    }
}

#[test]
fn version_3_unicast() {
    compare(&Reference {
        config: "version 3
                 advert_int 0.25
                 unicast_peer {
                     10.9.0.2
                 }
                 virtual_ipaddress {
                     10.9.0.100/24
                 }",
        first: &["020000000002020000000001080045c0002000010000ff70a6980a0900010a090002
                  3133fe010019b1b30a090064"],
        last: &["020000000002020000000001080045c0002000050000ff70a6940a0900010a090002
                 313300010019afb40a090064"],
    });
}

#[test]
fn version_3_unicast_with_the_old_checksum() {
    compare(&Reference {
        config: "version 3
                 advert_int 0.25
                 old_unicast_checksum
                 unicast_ttl 64
                 unicast_peer {
                     10.9.0.2
                     10.9.0.3
                 }
                 virtual_ipaddress {
                     10.9.0.100/24
                 }",
        first: &["020000000002020000000001080045c0002000010000407065990a0900010a090002
                  3133fe010019dbab0a090064"],
        last: &["020000000002020000000001080045c0002000050000407065950a0900010a090002
                 313300010019d9ac0a090064"],
    });
}

#[test]
fn version_3_over_ipv6_and_neighbour_adverts() {
    compare(&Reference {
        config: "advert_int 0.25
                 virtual_ipaddress {
                     fe80::100/64
                     fd00:9::100/64
                 }",
        first: &[
            "33330000001202000000000186dd6c07a2ad002870ff
             fe80000000000000000000fffe000001ff020000000000000000000000000012
             3133fe020019d5f6fe800000000000000000000000000100fd000009000000000000000000000100",
            "33330000000102000000000186dd6000000000203aff
             fe800000000000000000000000000100ff020000000000000000000000000001
             8800559d20000000fe8000000000000000000000000001000201020000000001",
        ],
        last: &["33330000001202000000000186dd6c07a2ad002870ff
                 fe80000000000000000000fffe000001ff020000000000000000000000000012
                 313300020019d3f7fe800000000000000000000000000100fd000009000000000000000000000100"],
    });
}

/// Adverts have the virtual address, reports of groups that of the interface below.
#[test]
fn a_virtual_address_and_the_reports_of_its_groups() {
    compare(&Reference {
        config: "version 3
                 advert_int 0.25
                 use_vmac
                 virtual_ipaddress {
                     10.9.0.100/24
                 }",
        first: &[
            "01005e00001200005e000133080045c0002000010000ff70d0900a090001e0000012
             3133fe010019dbab0a090064",
            "01005e000016020000000001080046c0002800004000010203fa00000000e0000016
             940400002200f9eb0000000104000000e0000012",
            "ffffffffffff00005e000133080600010800060400010000 5e0001330a090064ffffffffffff0a090064",
        ],
        last: &[],
    });
    compare(&Reference {
        config: "advert_int 0.25
                 use_vmac
                 virtual_ipaddress {
                     fe80::100/64
                     fd00:9::100/64
                 }",
        first: &[
            "33330000001200005e00023386dd6c07a2ad002870ff
             fe80000000000000000000fffe000001ff020000000000000000000000000012
             3133fe020019d5f6fe800000000000000000000000000100fd000009000000000000000000000100",
            "33330000000100005e00023386dd6000000000203aff
             fe800000000000000000000000000100ff020000000000000000000000000001
             8800f76a20000000fe800000000000000000000000000100020100005e000233",
        ],
        last: &[],
    });
}

#[test]
fn a_forwarding_node_advertises_itself_as_a_router() {
    let lan = Lan::new(1);
    let node = lan.nodes()[0].namespace();
    node.sysctl("ipv6/conf/eth0/forwarding", "1");
    let config = "vrrp_instance reference {
        interface eth0
        virtual_router_id 51
        priority 254
        advert_int 0.25
        virtual_ipaddress {
            fe80::100/64
        }\n}\n";
    let daemon = Daemon::start(&Binary::under_test(), node, config);
    let advert = "33330000000102000000000186dd6000000000203aff
        fe800000000000000000000000000100ff020000000000000000000000000001
        8800d59ca0000000fe8000000000000000000000000001000201020000000001";
    expect(&lan, &daemon, advert, Exactness::Whole);
}

#[test]
fn version_3_unicast_over_link_local_addresses() {
    compare(&Reference {
        config: "advert_int 0.25
                 unicast_src_ip fe80::ff:fe00:1
                 unicast_peer {
                     fe80::ff:fe00:2
                 }
                 virtual_ipaddress {
                     fe80::100/64
                     fd00:9::100/64
                 }",
        first: &[
            "02000000000202000000000186dd6c03e53200287040
                  fe80000000000000000000fffe000001fe80000000000000000000fffe000002
                  3133fe020019d788fe800000000000000000000000000100fd000009000000000000000000000100",
        ],
        last: &["02000000000202000000000186dd6c03e53200287040
                 fe80000000000000000000fffe000001fe80000000000000000000fffe000002
                 313300020019d589fe800000000000000000000000000100fd000009000000000000000000000100"],
    });
}

#[test]
fn version_3_unicast_over_global_addresses() {
    compare(&Reference {
        config: "advert_int 0.25
                 unicast_src_ip fd00:9::1
                 unicast_ttl 64
                 unicast_peer {
                     fd00:9::2
                 }
                 virtual_ipaddress {
                     fe80::100/64
                     fd00:9::100/64
                 }",
        first: &[
            "02000000000202000000000186dd6c0776ab00287040
                  fd000009000000000000000000000001fd000009000000000000000000000002
                  3133fe020019d876fe800000000000000000000000000100fd000009000000000000000000000100",
        ],
        last: &["02000000000202000000000186dd6c0776ab00287040
                 fd000009000000000000000000000001fd000009000000000000000000000002
                 313300020019d677fe800000000000000000000000000100fd000009000000000000000000000100"],
    });
}

#[test]
fn adverts_are_sent_every_interval() {
    let lan = Lan::new(1);
    let config = "vrrp_instance regular {
        interface eth0
        virtual_router_id 51
        version 3
        priority 254
        advert_int 0.1
        virtual_ipaddress {
            10.9.0.100/24
        }\n}\n";
    let daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config);
    let mut sent = Vec::new();
    let frames = lan.capture().frames();
    let enough = frames.wait(Default::default(), PATIENCE, |captured| {
        captured.frame.advert()?;
        sent.push(captured.at);
        (sent.len() == 21).then_some(())
    });
    assert!(enough.is_some(), "too few adverts:\n{}", daemon.log_text());
    let took = sent[20].duration_since(sent[0]).unwrap();
    let due = Duration::from_secs(2);
    assert!(
        took >= due - Duration::from_millis(20) && took < due + Duration::from_millis(100),
        "20 took {took:?}"
    );
}
