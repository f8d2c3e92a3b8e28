//! The keywords of an instance: what they accept, their defaults, what they refuse.

use super::*;
use crate::auth::trailer::AntiReplay;
use crate::config::auth::{Auth, HmacMode};
use crate::config::instance::{Deleted, IpvlanMode, OwnInterface, Transport};
use crate::fsm::Preempt;
use crate::packet::{Family, OldChecksum, Priority, Version};

#[test]
fn numbers_and_times_are_kept_in_range() {
    assert_eq!(good("virtual_router_id 255").vrid.0, 255);
    assert_eq!(good("priority 1").priority, Priority(1));
    assert_eq!(good("advert_int 3").advert_interval, Duration::from_secs(3));
    assert_eq!(good("version 3\nadvert_int 0.25").advert_interval, Duration::from_millis(250));
    assert_eq!(good("down_timer_adverts 100").down_timer_adverts, 100);
    assert_eq!(good("preempt_delay 1.5").preempt, Preempt::After(Duration::from_millis(1500)));
    assert_eq!(good("kernel_rx_buf_size 65536").receive_buffer, Some(65_536));
    assert_eq!(good("kernel_rx_buf_size 0").receive_buffer, None);
    assert_eq!(good("debug 4").shown.debug, 4);
    for (line, complaint) in [
        ("virtual_router_id 0", "VRID '0' not valid - must be between 1 & 255"),
        ("virtual_router_id 256", "VRID '256' not valid - must be between 1 & 255"),
        ("virtual_router_id 5x", "VRID '5x' not valid"),
        ("advert_int 0.001", "Advert interval (0.001) not valid! Must be > 0 - ignoring"),
        ("advert_int 256", "Advert interval (256) not valid! Must be > 0 - ignoring"),
        ("down_timer_adverts 0", "(web): Invalid down_timer_adverts [1:100] '0'"),
        ("down_timer_adverts 101", "(web): Invalid down_timer_adverts [1:100] '101'"),
        ("preempt_delay 1001", "(web) Preempt_delay not valid! must be between 0-1000"),
        ("debug 5", "(web) Debug value '5' not valid; must be between 0-4"),
    ] {
        bad(
            line,
            &["number '", complaint].map(|part| {
                if line.ends_with('x') && part == "number '" { "invalid number" } else { part }
            }),
        );
    }
    bad("kernel_rx_buf_size 1 2", &["(web) invalid kernel_rx_buf_size specified"]);
}

#[test]
fn a_wrong_priority_is_the_default_one_even_for_a_master() {
    let web = bad(
        "state MASTER\npriority 256",
        &[
            "number '256' outside range",
            "(web) Priority not valid! must be between 1 & 255. Using default 100",
        ],
    );
    assert_eq!(web.priority, Priority::DEFAULT);
}

#[test]
fn state_and_priority_follow_from_each_other() {
    let role = |lines| {
        let web = good(lines);
        (web.priority.0, web.wants_master)
    };
    assert_eq!(role("state MASTER"), (255, true));
    assert_eq!(role("state BACKUP"), (100, false));
    assert_eq!(role("priority 255"), (255, true));
    assert_eq!(role("priority 255\nstate BACKUP"), (255, false));
    assert_eq!(role("priority 50\nstate MASTER"), (50, true));
    let web = bad("state SLAVE", &["(web) unknown state 'SLAVE', defaulting to BACKUP"]);
    assert!(!web.wants_master);
    let web = bad(
        "state MASTER\npriority 9\nstate BACKUP",
        &["(web) state previously set as MASTER - ignoring BACKUP"],
    );
    assert!(web.wants_master);
}

#[test]
fn the_version_must_fit_what_is_known_already() {
    assert_eq!(good("version 3").version, Version::V3);
    bad("version 4", &["number '4' outside range", "(web): Version must be either 2 or 3"]);
    let conflict = "(web) vrrp_version 3 conflicts with configured or deduced version 2; ignoring.";
    assert_eq!(bad("version 2\nversion 3", &[conflict]).version, Version::V2);
    let mut global = global();
    global.vrrp.version = 3;
    let loaded = Loaded::with(&instance(""), &global, &machine()).expect_silence();
    assert_eq!(loaded.instance().version, Version::V3);
    // Version 2 is possible for IPv6 as long as nothing has fixed the family before it.
    let loaded = Loaded::from(&instance6("version 2")).expect_silence();
    assert_eq!((loaded.instance().family, loaded.instance().version), (Family::V6, Version::V2));
    assert_eq!(Loaded::from(&instance6("")).instance().version, Version::V3);
    assert_eq!(Loaded::from(&instance6("native_ipv6")).instance().version, Version::V3);
    let loaded = Loaded::from(&instance6("native_ipv6\nversion 2"));
    loaded.expect_complaints(&["conflicts with configured or deduced version 3"]);
}

#[test]
fn intervals_are_rounded_to_what_the_packets_carry() {
    for (lines, millis, complaint) in [
        (
            "advert_int 1.5",
            2000,
            "(web) VRRPv2 advertisement interval 1.500000s must be an integer. rounding",
        ),
        (
            "advert_int 0.1",
            1000,
            "(web) VRRPv2 advertisement interval 0.100000s must be an integer. rounding",
        ),
        (
            "version 3\nadvert_int 0.123",
            120,
            "(web) VRRPv3 advertisement interval 0.123000s must be in units of 10ms - rounding",
        ),
        (
            "version 3\nadvert_int 41",
            40_950,
            "(web) VRRPv3 advertisement interval 41.00s is out of range. Must be less than 40.96s. Setting to 40.95s",
        ),
        ("version 3\nadvert_int 40.956", 40_950, "40.956000s must be in units of 10ms"),
    ] {
        assert_eq!(bad(lines, &[complaint]).advert_interval, Duration::from_millis(millis));
    }
}

#[test]
fn switches_may_stand_alone() {
    assert!(good("strict_mode\nversion 3").strict);
    assert!(!good("strict_mode off").strict);
    assert!(good("v3_checksum_as_v2").v3_checksum_as_v2);
    assert!(!good("v3_checksum_as_v2 no").v3_checksum_as_v2);
    assert!(good("skip_check_adv_addr").skip_check_adv_addr);
    assert!(!good("skip_check_adv_addr false").skip_check_adv_addr);
    assert!(good("lower_prio_no_advert yes").lower_prio_no_advert);
    assert!(good("higher_prio_send_advert on").higher_prio_send_advert);
    assert!(good("notify_priority_changes").notify_priority_changes);
    assert!(good("smtp_alert").smtp_alert);
    assert!(!good("no_accept").accept);
    assert!(good("no_accept\naccept").accept);
    assert!(!good("dont_track_primary").track_primary);
    assert!(good("promote_secondaries").promote_secondaries);
    for (line, complaint) in [
        ("strict_mode 1", "(web) invalid strict_mode 1 specified"),
        ("v3_checksum_as_v2 x", "(web) invalid v3_checksum_as_v2 x specified"),
        ("skip_check_adv_addr x", "(web) invalid skip_check_adv_addr x specified"),
        ("lower_prio_no_advert x", "(web) invalid lower_prio_no_advert x specified"),
        ("higher_prio_send_advert x", "(web) invalid higher_prio_send_advert x specified"),
        ("owner_ignore_adverts x", "(web) invalid owner_ignore_adverts x specified"),
        (
            "notify_priority_changes x",
            "(web) Invalid value 'x' for notify_priority_changes specified",
        ),
        ("smtp_alert x", "Invalid vrrp_instance smtp_alert parameter x"),
    ] {
        bad(line, &[complaint]);
    }
}

#[test]
fn settings_of_the_daemon_are_the_defaults() {
    let mut global = global();
    let vrrp = &mut global.vrrp;
    vrrp.v3_checksum_as_v2 = true;
    vrrp.skip_check_adv_addr = true;
    vrrp.lower_prio_no_advert = true;
    vrrp.higher_prio_send_advert = true;
    vrrp.notify_priority_changes = true;
    vrrp.down_timer_adverts = 7;
    vrrp.garp.master_repeat = 2;
    vrrp.multicast4 = [224, 0, 0, 200].into();
    global.mail.alert = Some(true);
    let load = |lines| Loaded::with(&instance(lines), &global, &machine()).expect_silence();
    let loaded = load("");
    let web = loaded.instance();
    assert!(web.v3_checksum_as_v2 && web.skip_check_adv_addr && web.lower_prio_no_advert);
    assert!(web.higher_prio_send_advert && web.notify_priority_changes && web.smtp_alert);
    assert_eq!(web.down_timer_adverts, 7);
    assert_eq!((web.garp.repeat, web.garp.lower_prio_repeat), (2, 2));
    assert_eq!(web.transport, Transport::Multicast { group: "224.0.0.200".parse().unwrap() });
    let loaded = load("v3_checksum_as_v2 no\nsmtp_alert no\ndown_timer_adverts 2");
    let web = loaded.instance();
    assert!(!web.v3_checksum_as_v2 && !web.smtp_alert && web.down_timer_adverts == 2);
}

#[test]
fn announcements_have_their_own_settings() {
    let garp = good(
        "garp_master_delay 0\ngarp_master_repeat 2\ngarp_master_refresh 60\ngarp_master_refresh_repeat 3\ngarp_lower_prio_delay 4\ngarp_lower_prio_repeat 0",
    )
    .garp;
    assert!(garp.delay.is_zero());
    assert_eq!((garp.repeat, garp.refresh.as_secs(), garp.refresh_repeat), (2, 60, 3));
    assert_eq!((garp.lower_prio_delay.as_secs(), garp.lower_prio_repeat), (4, 0));
    let zero = "must be greater than 0, setting to 1";
    assert_eq!(bad("garp_master_repeat 0", &[zero]).garp.repeat, 1);
    assert_eq!(bad("garp_master_refresh_repeat 0", &[zero]).garp.refresh_repeat, 1);
    for line in [
        "garp_master_delay 4295",
        "garp_master_repeat 4294967296",
        "garp_lower_prio_delay 4295",
        "garp_lower_prio_repeat 2147483648",
    ] {
        let keyword = line.split(' ').next().unwrap();
        bad(line, &["number '", keyword]);
    }
    bad("garp_extra_if all", &["(web): garp_extra_if specified without time - ignoring"]);
    let text = "virtual_ipaddress_excluded {\n 10.9.0.7 dev eth1\n}";
    let extra = good(&format!("garp_extra_if all 30\n{text}")).garp.extra.unwrap();
    assert!(extra.all && extra.interval.as_secs() == 30);
    assert_eq!(good(&format!("garp_extra_if 30\n{text}")).garp.extra, None);
    bad(&format!("vmac_garp_intvl all 30\n{text}"), &["please use \"garp_extra_if\""]);
}

#[test]
fn preemption_settles_with_the_role() {
    assert_eq!(good("nopreempt").preempt, Preempt::Never);
    assert_eq!(good("nopreempt\npreempt").preempt, Preempt::AtOnce);
    let web = bad(
        "nopreempt\npriority 255",
        &["(web) nopreempt is incompatible with priority 255. resetting nopreempt"],
    );
    assert_eq!(web.preempt, Preempt::AtOnce);
    let web = bad(
        "nopreempt\npreempt_delay 5\nstate MASTER\npriority 10",
        &[
            "nopreempt will not work with initial state MASTER",
            "preempt delay will not work with initial state MASTER",
        ],
    );
    assert_eq!(web.preempt, Preempt::AtOnce);
    let web =
        bad("nopreempt\npreempt_delay 5", &["preempt_delay is incompatible with nopreempt mode"]);
    assert_eq!(web.preempt, Preempt::Never);
    assert_eq!(
        good("nopreempt\ntimer_expired_backup 200").timer_expired_backup,
        Some(Priority(200))
    );
    assert_eq!(good("nopreempt\ntimer_expired_backup").timer_expired_backup, Some(Priority(254)));
    let web =
        bad("timer_expired_backup 200", &["expired_timer_backup requires nopreempt - resetting"]);
    assert_eq!(web.timer_expired_backup, None);
    bad("nopreempt\nthread_timer_expired", &["please replace with keyword 'timer_expired_backup'"]);
    bad(
        "nopreempt\ntimer_expired_backup 255",
        &["number '255'", "highest_other_priority not valid!"],
    );
}

#[test]
fn owners_may_ignore_adverts() {
    let owner = "priority 255\nowner_ignore_adverts";
    assert!(good(owner).owner_ignore_adverts);
    // Said outright, the owner of the addresses listens, whatever the daemon's default is.
    assert!(!good(&format!("{owner} no")).owner_ignore_adverts);
    let web =
        bad("owner_ignore_adverts", &["ignoring owner_ignore_adverts since priority is not 255"]);
    assert!(!web.owner_ignore_adverts);
    let web = bad(
        &format!("strict_mode\nversion 3\n{owner} no"),
        &["(web) strict_mode with priority 255 requires owner_ignore_adverts"],
    );
    assert!(web.owner_ignore_adverts);
}

#[test]
fn strict_mode_corrects_what_the_protocol_forbids() {
    let strict = |lines: &str, complaints: &[&str]| {
        bad(&format!("strict_mode\nversion 3\n{lines}"), complaints)
    };
    assert!(!good("strict_mode\nversion 3").accept);
    assert!(good("strict_mode\nversion 3\nstate MASTER").accept);
    assert!(good("strict_mode\nversion 3").lower_prio_no_advert);
    let web = strict("state MASTER\npriority 5", &["State MASTER must match being address owner"]);
    assert!(!web.wants_master);
    strict("preempt_delay 5", &["preempt_delay is incompatible with strict mode - resetting"]);
    let web =
        strict("down_timer_adverts 5", &["down_timer_adverts is incompatible with strict mode"]);
    assert_eq!(web.down_timer_adverts, 3);
    let web = strict(
        "garp_lower_prio_repeat 1\ngarp_lower_prio_delay 1",
        &["Strict mode requires no repeat garps.", "Strict mode requires no repeat garp delay."],
    );
    assert_eq!((web.garp.lower_prio_repeat, web.garp.lower_prio_delay), (0, Duration::ZERO));
    let web = strict(
        "lower_prio_no_advert no",
        &["Strict mode requires no lower priority advert. resetting"],
    );
    assert!(web.lower_prio_no_advert);
    let web = strict("higher_prio_send_advert", &["requires higher_prio_send_advert to be clear"]);
    assert!(!web.higher_prio_send_advert);
    let web =
        bad("strict_mode\nversion 2\naccept", &["accept mode for VRRP version 2 does not comply"]);
    assert!(!web.accept);
    let loaded = Loaded::from(&instance6("strict_mode\nversion 2"));
    let loaded =
        loaded.expect_complaints(&["cannot use IPv6 with VRRP version 2; setting version 3"]);
    assert_eq!(loaded.instance().version, Version::V3);
    let text = instance("strict_mode\nversion 3\nunicast_peer {\n 10.9.0.2\n}");
    let loaded =
        Loaded::from(&text).expect_complaints(&["Unicast peers are not supported in strict mode"]);
    assert!(!loaded.config.usable);
}

#[test]
fn authentication_blocks_are_read() {
    let block = |kind: &str, pass: &str| {
        format!("authentication {{\n auth_type {kind}\n auth_pass {pass}\n}}")
    };
    assert_eq!(good(&block("PASS", "secret")).auth, Auth::Pass(*b"secret\0\0"));
    assert_eq!(good(&block("AH", "12345678")).auth, Auth::Ah(*b"12345678"));
    let web = bad(&block("PASS", "123456789"), &["Truncating auth_pass to 8 characters"]);
    assert_eq!(web.auth, Auth::Pass(*b"12345678"));
    let web = bad(&block("MD5", "x"), &["(web) unknown authentication type 'MD5'"]);
    assert_eq!(web.auth, Auth::None);
    let loaded = Loaded::from(&instance6(&format!("version 2\n{}", block("PASS", "x"))));
    let loaded = loaded.expect_complaints(&["Cannot use PASS authentication with IPv6"]);
    assert_eq!(loaded.instance().auth, Auth::None);
}

#[test]
fn the_keyed_trailer_is_read() {
    let key = "00".repeat(32);
    let web = good(&format!(
        "auth_hmac {{\n key 1 hex:{key}\n key 2 {}\n active_key 2\n anti_replay time\n time_window 9\n mode permissive\n}}",
        "x".repeat(64)
    ));
    let Auth::Hmac(hmac) = web.auth else { panic!("no trailer") };
    assert_eq!((hmac.keys.len(), hmac.active, hmac.mode), (2, 2, HmacMode::Permissive));
    assert_eq!(hmac.anti_replay, AntiReplay::Time { window: 9 });
    assert!(hmac.signs());
    let unused = "auth_hmac active_key 0 is not defined, disabling extension";
    for (line, complaints) in [
        ("key 1", &["(web) auth_hmac key needs an id and a value", unused][..]),
        ("key 0 x", &["number '0'", "auth_hmac key id '0' must be between 1 and 255", unused]),
        ("key 1 short", &["(web) auth_hmac key 1 length 5 not in range [32, 64]", unused]),
        ("key 1 hex:zz", &["(web) auth_hmac key 1 length 0 not in range [32, 64]", unused]),
        ("key 1 file:/nonexistent/key", &["cannot be opened", "length 0 not in range", unused]),
        ("active_key 256", &["number '256'", "active_key '256' must be between 1 and 255", unused]),
        ("anti_replay x", &["(web) auth_hmac anti_replay 'x' must be time or monotonic", unused]),
        ("time_window 301", &["number '301'", "must be between 1 and 300 seconds", unused]),
        ("mode x", &["must be enforce, permissive or receive-only", unused]),
    ] {
        assert_eq!(bad(&format!("auth_hmac {{\n {line}\n}}"), complaints).auth, Auth::None);
    }
}

#[test]
fn unicast_instances_have_peers() {
    let web = good(
        "unicast_src_ip 10.9.0.1\nunicast_ttl 3\nold_unicast_checksum never\nunicast_peer {\n 10.9.0.2 min_ttl 2 max_ttl 5\n 10.9.0.3\n}",
    );
    assert_eq!(web.source, Some("10.9.0.1".parse().unwrap()));
    let Transport::Unicast(unicast) = web.transport else { panic!("multicast") };
    assert_eq!((unicast.ttl, unicast.old_checksum), (Some(3), OldChecksum::Never));
    assert!(unicast.check_source, "a peer with a limit must be the only sender");
    let limits: Vec<_> = unicast.peers.iter().map(|peer| (peer.min_ttl, peer.max_ttl)).collect();
    assert_eq!(limits, [(2, 5), (0, 255)]);
    for (peer, complaint) in [
        ("nonsense", "malformed unicast peer address[nonsense]"),
        ("fe80::1", "MUST be of the same family"),
        ("10.9.0.2", "(web) 10.9.0.2 - duplicate unicast_peer"),
        ("10.9.0.4 min_ttl", "(web) 10.9.0.4 - min_ttl is missing a value"),
        ("10.9.0.4/24 min_ttl", "(web) 10.9.0.4/24 - min_ttl is missing a value"),
        ("10.9.0.4 ttl 5", "(web) 10.9.0.4 - unknown unicast_peer option ttl"),
        ("10.9.0.4 min_ttl 6 max_ttl 5", "min_ttl 6 > max_ttl 5 - all packets will be discarded"),
    ] {
        bad(&format!("unicast_peer {{\n 10.9.0.2\n {peer}\n}}"), &[complaint]);
    }
    bad(
        "old_unicast_checksum x\nunicast_peer {\n 10.9.0.2\n}",
        &["Unknown old_unicast_chksum mode x"],
    );
    bad(
        "mcast_dst_ip 224.0.0.9\nunicast_peer {\n 10.9.0.2\n}",
        &["multicast destination specified with unicast"],
    );
}

#[test]
fn unicast_without_peers_multicasts_or_fails() {
    let web = bad("check_unicast_src", &["Defaulting to multicast. This usage is deprecated"]);
    assert!(!web.transport.is_unicast() && !web.defective);
    let web = good("unicast_fault_no_peer");
    assert!(web.defective);
    // The original would send with a time to live of 0, that is, not at all.
    let web =
        bad("unicast_ttl 5", &["(web): Cannot use unicast_ttl without unicast peers - resetting"]);
    assert!(!web.transport.is_unicast());
}

#[test]
fn instances_without_interface_are_for_unicast() {
    let text = |lines: &str| {
        format!(
            "vrrp_instance web {{\n virtual_router_id 51\n {lines}\n virtual_ipaddress {{\n 10.9.0.100 dev eth1\n }}\n}}\n"
        )
    };
    let peers = "unicast_peer {\n 10.9.0.2\n}";
    let loaded = Loaded::from(&text(&format!("unicast_src_ip 10.9.0.1\n{peers}"))).expect_silence();
    assert_eq!(loaded.instance().interface, None);
    for (lines, complaint) in [
        ("", "(web) Unknown interface!"),
        ("interface lo", "cannot use a loopback interface (lo) for vrrp - ignoring"),
        (peers, "(web): Unicast instances must have unicast_src_ip or interface"),
    ] {
        let loaded = Loaded::from(&text(lines));
        assert!(loaded.complaints()[0].contains(complaint), "{:?}", loaded.complaints());
        assert!(!loaded.config.usable);
    }
    let vrf = good("");
    assert_eq!(vrf.vrf, None);
    bad("vrf eth1", &["(web) Cannot specify VRF interface and interface - ignoring"]);
}

#[test]
fn an_interface_that_is_not_there_must_be_allowed_to() {
    let text = instance("").replace("eth0", "eth9");
    let loaded = Loaded::from(&text).expect_complaints(&[
        "WARNING - interface eth9 for vrrp_instance web doesn't exist",
        "Non-existent interface specified in configuration",
    ]);
    assert!(!loaded.config.usable);
    let mut global = global();
    global.vrrp.dynamic_interfaces = true;
    let loaded = Loaded::with(&text, &global, &machine()).expect_silence();
    assert!(loaded.config.usable);
    assert_eq!(loaded.instance().interface.as_deref(), Some("eth9"));
}

#[test]
fn without_a_router_id_nothing_runs() {
    let loaded = Loaded::from("vrrp_instance web {\n interface eth0\n}");
    let loaded = loaded.expect_complaints(&["(web) the virtual router id must be set"]);
    assert!(!loaded.config.usable && loaded.config.instances.is_empty());
}

#[test]
fn sources_and_groups_must_fit_the_family() {
    let web = good("mcast_src_ip 10.9.0.1\ntrack_src_ip\nmcast_dst_ip 224.0.0.200");
    assert!(web.track_source);
    assert_eq!(web.transport, Transport::Multicast { group: "224.0.0.200".parse().unwrap() });
    assert!(!good("track_src_ip").track_source);
    bad("mcast_src_ip x", &["malformed src address[x]"]);
    bad("mcast_src_ip 10.9.0.1\nmcast_src_ip fe80::1", &["MUST be of the same family"]);
    bad("mcast_dst_ip 10.0.0.1", &["(web) mcast_dst_ip 10.0.0.1 not multicast. Skipping..."]);
    bad("mcast_dst_ip x", &["(web) malformed mcast dest address x. Skipping..."]);
    let loaded = Loaded::from(&instance6("mcast_dst_ip ff05::12"));
    loaded.expect_complaints(&["(web) mcast_dst_ip ff05::12 not link-local multicast."]);
    let loaded = Loaded::from(&instance6("mcast_src_ip 10.9.0.1"));
    let loaded = loaded.expect_complaints(&[
        "address family must match",
        "No VIP specified; at least one is sensible",
    ]);
    assert_eq!(loaded.instance().family, Family::V4);
}

#[test]
fn vmacs_have_names_and_addresses() {
    let vmac = |lines: &str| match good(lines).own_interface {
        OwnInterface::Vmac(vmac) => vmac,
        other => panic!("{other:?}"),
    };
    assert_eq!(vmac("use_vmac").name, None);
    assert_eq!(vmac("use_vmac v51").name.as_deref(), Some("v51"));
    assert_eq!(vmac("use_vmac name v51 2:0:0:0:0:9").mac, Some([2, 0, 0, 0, 0, 9]));
    assert_eq!(vmac("use_vmac 2:0:0:0:0").mac, Some([2, 0, 0, 0, 0, 51]));
    assert!(vmac("use_vmac netlink_notify_msg").netlink_notify);
    assert_eq!(vmac("use_vmac group 7").group, Some(7));
    assert!(vmac("use_vmac\nvmac_xmit_base").xmit_base);
    for (line, complaint) in [
        ("use_vmac eth1", "already exists and is not a private macvlan"),
        ("use_vmac a b", "VMAC interface name already specified"),
        ("use_vmac name-of-16-chars", "too long or invalid characters"),
        ("use_vmac 1:0:0:0:0:1", "VMAC MAC address is multicast 1:0:0:0:0:1 - ignoring"),
        ("use_vmac 0:0:5e:0:1:1", "not allowed to be RFC5798 address"),
        ("use_vmac 2:0", "VMAC invalid MAC address 2:0 - ignored"),
        ("use_vmac 2:0:0:0:0:1 2:0:0:0:0:2", "VMAC interface address already specified"),
        ("use_vmac group none", "VMAC group none not found"),
        ("use_vmac\npromote_secondaries", "promote_secondaries is automatically set for vmacs"),
        ("vmac_xmit_base", "vmac_xmit_base is only valid with a vmac"),
        (
            "use_vmac\nunicast_peer {\n 10.9.0.2\n}",
            "unicast with use_vmac requires vmac_xmit_base - setting",
        ),
        (
            "strict_mode\nversion 3\nuse_vmac 2:0:0:0:0:1",
            "cannot specify MAC address with strict mode",
        ),
        (
            "strict_mode\nversion 3\nuse_vmac\nvmac_xmit_base",
            "xmit_base is incompatible with strict mode",
        ),
    ] {
        bad(line, &[complaint]);
    }
    let mut machine = machine();
    machine.links[0].hardware = runtime::machine::Hardware::INFINIBAND;
    let loaded = Loaded::with(&instance("use_vmac"), &global(), &machine);
    let loaded =
        loaded.expect_complaints(&["vmacs are only supported on Ethernet type interfaces"]);
    assert!(loaded.instance().defective);
}

#[test]
fn ipvlan_interfaces_need_an_address_for_ipv4() {
    let web = good("use_ipvlan ipv51 10.9.0.7/24 private");
    assert_eq!(web.source, Some("10.9.0.7".parse().unwrap()));
    let OwnInterface::Ipvlan(ipvlan) = web.own_interface else { panic!("no ipvlan") };
    assert_eq!((ipvlan.name.as_deref(), ipvlan.mode), (Some("ipv51"), IpvlanMode::Private));
    assert_eq!(ipvlan.address, Some(("10.9.0.7".parse().unwrap(), 24)));
    assert!(bad("use_ipvlan", &["IPv4 ipvlan requires a source ip address"]).defective);
    for (line, complaint) in [
        ("use_ipvlan 10.9.0.7 bridge vepa", "ipvlan type already specified - ignoring 'vepa'"),
        ("use_ipvlan 10.9.0.7 10.9.0.8", "ipvlan address already specified - ignoring '10.9.0.8'"),
        ("use_ipvlan 10.9.0.7 a b", "IPVLAN interface already specified - ignoring 'b'"),
        ("use_ipvlan 10.9.0.7 eth1", "is not an l2 ipvlan; ignoring ipvlan if_name"),
        ("use_ipvlan 10.9.0.7\nuse_ipvlan", "(web) use_ipvlan already specified"),
    ] {
        bad(line, &[complaint]);
    }
}

#[test]
fn scripts_are_told_about_changes() {
    let web = good("notify_master \"/bin/sh -c 'a b'\"\nnotify /bin/sh\nnotify_stop /bin/sh root");
    let master = web.notify.master.as_ref().unwrap();
    assert_eq!(master.argv, ["/bin/sh", "-c", "a b"]);
    assert!(web.notify.any.is_some() && web.notify.stop.is_some() && web.notify.backup.is_none());
    assert_eq!(web.notify.deleted, Deleted::AsFault);
    assert_eq!(good("notify_deleted").notify.deleted, Deleted::Reported(None));
    let web = bad(
        "notify_master /bin/sh\nnotify_master /bin/false",
        &["(web) notify_master script already specified - ignoring /bin/false"],
    );
    assert_eq!(web.notify.master.as_ref().unwrap().argv, ["/bin/sh"]);
    bad(
        "notify_deleted\nnotify_deleted /bin/sh",
        &["(web) notify_deleted already specified - ignoring /bin/sh"],
    );
    assert_eq!(good("notify_fault /nonexistent/script").notify.fault, None);
}

#[test]
fn old_keywords_name_the_new_ones() {
    const ADVICE: &str = "       Please use global lvs_sync_daemon";
    let loaded = Loaded::from(&instance("lvs_sync_daemon_interface eth1"));
    let loaded = loaded
        .expect_complaints(&["lvs_sync_daemon_interface against a vrrp is deprecated", ADVICE]);
    let daemon = loaded.config.sync_daemon.unwrap();
    assert_eq!((daemon.interface.as_str(), daemon.instance.as_deref()), ("eth1", Some("web")));
    assert_eq!(daemon.id, Some(0), "the old form never had the number of the virtual router");
    let twice = "lvs_sync_daemon_interface eth1\nlvs_sync_daemon_interface eth0";
    let loaded = Loaded::from(&instance(twice)).expect_complaints(&[
        "against a vrrp is deprecated",
        ADVICE,
        "against a vrrp is deprecated",
        ADVICE,
        "(web) lvs_sync_daemon_interface has already been specified as eth1 - ignoring",
    ]);
    assert_eq!(loaded.config.sync_daemon.unwrap().interface, "eth1");
    let loaded = Loaded::from(&instance("linkbeat_use_polling"));
    let loaded = loaded.expect_complaints(&["use linkbeat_interfaces block"]);
    assert_eq!(loaded.config.linkbeat.len(), 1);
}
