//! Sync groups, track groups, static objects, and instances that get into each other's way.

use super::*;

fn two(first: &str, second: &str) -> String {
    let text = |name: &str, lines: &str, address: u8| {
        format!(
            "vrrp_instance {name} {{\n interface eth0\n virtual_router_id 51\n {lines}\n virtual_ipaddress {{\n 10.9.0.{address}/24\n }}\n}}\n"
        )
    };
    text("one", first, 100) + &text("two", second, 101)
}

#[track_caller]
fn conflict(first: &str, second: &str, complaint: &str) {
    let loaded = Loaded::from(&two(first, second)).expect_complaints(&[complaint]);
    assert!(!loaded.config.usable);
}

#[test]
fn one_virtual_router_runs_once_on_a_wire() {
    conflict("", "", "one and two both use VRID 51 with IPv4 on interface eth0");
    Loaded::from(&two("", "interface eth1")).expect_silence();
    Loaded::from(&two("", "mcast_dst_ip 224.0.0.200")).expect_silence();
    Loaded::from(&two("", "virtual_router_id 52")).expect_silence();
    let peer = |last: u8| format!("unicast_peer {{\n 10.9.0.{last}\n}}");
    Loaded::from(&two("", &peer(2))).expect_silence();
    Loaded::from(&two(&peer(2), &peer(3))).expect_silence();
    conflict(&peer(2), &peer(2), "(one) duplicate VRID conflict with two VRID 51");
    let other_source = format!("unicast_src_ip 10.9.0.200\n{}", peer(2));
    Loaded::from(&two(&peer(2), &other_source)).expect_silence();
    conflict(&format!("unicast_src_ip 10.9.0.1\n{}", peer(2)), &peer(2), "duplicate VRID conflict");
}

#[test]
fn a_vmac_shares_the_wire_of_its_parent() {
    let mut machine = machine();
    let link = &mut machine.links[1];
    link.kind = "macvlan".to_owned();
    link.parent = Some(IfIndex(1));
    let loaded = Loaded::with(&two("", "interface eth1"), &global(), &machine);
    loaded.expect_complaints(&["one and two both use VRID 51 with IPv4 on interface eth0"]);
}

#[test]
fn a_vmac_has_one_user_outside_of_a_group() {
    let text = two("use_vmac", "use_vmac\nmcast_dst_ip 224.0.0.200");
    let loaded = Loaded::from(&text).expect_silence();
    assert!(!loaded.config.instances[0].defective && loaded.config.instances[1].defective);
    let group = "vrrp_sync_group g {\n group {\n one\n two\n }\n}\n";
    let loaded = Loaded::from(&format!("{group}{text}")).expect_silence();
    assert!(!loaded.config.instances[1].defective);
    // A name belongs to the first who asks for it.
    let loaded = Loaded::from(&two("use_vmac v", "use_vmac v\nvirtual_router_id 52"));
    loaded.expect_complaints(&["(two) VRRP instance one is already using v - ignoring name"]);
}

#[test]
fn names_are_defined_once() {
    let text = format!("{}{}", instance(""), instance("virtual_router_id 52"));
    let loaded = Loaded::from(&text).expect_complaints(&["vrrp instance web already defined"]);
    assert_eq!(loaded.config.instances.len(), 1);
    Loaded::from("vrrp_instance {\n}").expect_complaints(&["vrrp_instance must have a name"]);
    let group = "vrrp_sync_group g {\n group {\n one\n two\n }\n}\n";
    let text = format!("{group}{group}{}", two("", "virtual_router_id 52"));
    Loaded::from(&text).expect_complaints(&["vrrp sync group g already defined"]);
}

fn grouped(group: &str) -> Loaded {
    let text = format!("vrrp_sync_group g {{\n{group}\n}}\n{}", two("", "virtual_router_id 52"));
    Loaded::from(&text)
}

#[test]
fn groups_have_members() {
    let loaded =
        grouped("group {\n two\n one\n}\nsmtp_alert\nnotify /bin/sh\nsync_group_tracking_weight");
    let loaded = loaded.expect_silence();
    let group = &loaded.config.groups[0];
    assert_eq!(group.members, [InstanceId(1), InstanceId(0)]);
    assert!(group.smtp_alert && group.tracking_weight && group.notify.any.is_some());
    assert!(loaded.config.instances.iter().all(|instance| instance.group == Some(GroupId(0))));
    for (lines, complaints) in [
        ("", &["Sync group g has no members - removing"][..]),
        (
            "group {\n}",
            &["Warning - sync group g has empty group block", "Sync group g has no members"],
        ),
        (
            "group {\n three\n}",
            &[
                "Virtual router three specified in sync group g doesn't exist",
                "no matching virtual router found",
            ],
        ),
        ("group {\n one\n}", &["Sync group g has only 1 virtual router(s)"]),
        (
            "group {\n one\n two\n one\n}",
            &["Virtual router one cannot exist in more than one sync group; ignoring g"],
        ),
        (
            "group {\n one\n two\n}\ngroup {\n one\n}",
            &["Group list already specified for sync group g"],
        ),
        ("group {\n one\n two\n}\nglobal_tracking", &["(g) global_tracking is deprecated."]),
        ("group {\n one\n two\n}\nsmtp_alert x", &["Invalid vrrp_group smtp_alert parameter x"]),
        (
            "group {\n one\n two\n}\nnotify_priority_changes x",
            &["Invalid value 'x' for sync group notify_priority_changes"],
        ),
    ] {
        grouped(lines).expect_complaints(complaints);
    }
}

#[test]
fn members_follow_their_group_in_notifying_priorities() {
    let loaded = grouped("group {\n one\n two\n}\nnotify_priority_changes").expect_silence();
    assert!(loaded.config.instances.iter().all(|instance| instance.notify_priority_changes));
}

#[test]
fn owners_and_others_do_not_mix() {
    let text = format!(
        "vrrp_sync_group g {{\n group {{\n one\n two\n }}\n}}\n{}",
        two("priority 255\nstate MASTER", "virtual_router_id 52\nstate BACKUP")
    );
    Loaded::from(&text)
        .expect_complaints(&["some member(s) as address owner and some not as address owner"]);
}

#[test]
fn static_objects_are_there_without_an_instance() {
    let loaded = Loaded::from(
        "static_ipaddress {\n 10.1.0.1/24\n 10.2.0.1/24 dev eth1\n}\nstatic_routes {\n 10.3.0.0/16 dev eth1\n}\nstatic_rules {\n from 10.1.0.0/16 table 5 priority 5\n}",
    )
    .expect_silence();
    let interfaces: Vec<_> =
        loaded.config.static_addresses.iter().map(|address| address.interface.as_deref()).collect();
    assert_eq!(interfaces, [Some("eth0"), Some("eth1")]);
    assert_eq!((loaded.config.static_routes.len(), loaded.config.static_rules.len()), (1, 1));
    let mut global = global();
    global.vrrp.default_interface = "eth9".to_owned();
    let loaded = Loaded::with("static_ipaddress {\n 10.1.0.1/24\n}", &global, &machine());
    let loaded = loaded.expect_complaints(&[
        "Static address 10.1.0.1/24 requires either an interface or default interface must exist",
        "Non-existent interface specified in configuration",
    ]);
    assert!(!loaded.config.usable);
    assert_eq!(loaded.diagnostics.items()[0].class, Class::Fatal);
}

#[test]
fn static_objects_share_the_fate_of_their_group() {
    let text = format!(
        "static_ipaddress {{\n 10.1.0.1/24 dev eth1 track_group g\n}}\nstatic_routes {{\n 10.3.0.0/16 dev eth2 track_group g\n 10.4.0.0/16 track_group g\n 10.5.0.0/16 dev eth1 track_group none\n}}\ntrack_group g {{\n group {{\n web\n }}\n}}\n{}",
        instance("")
    );
    let loaded = Loaded::from(&text).expect_complaints(&[
        "Static route cannot have track group if no oif specified",
        "track_group none not found",
    ]);
    let groups: Vec<_> =
        loaded.config.static_routes.iter().map(|route| route.track_group).collect();
    assert_eq!(groups, [Some(TrackGroupId(0)), None, None]);
    let trackers = loaded.config.effective_trackers();
    let names: Vec<_> =
        trackers[0].interfaces.iter().map(|tracker| tracker.what.as_str()).collect();
    assert_eq!(names, ["eth0", "eth1", "eth2"]);
}

#[test]
fn a_track_group_without_instances_goes() {
    let text = "track_group g {\n group {\n none\n }\n}\nstatic_ipaddress {\n 10.1.0.1 dev eth0 track_group g\n}";
    let loaded = Loaded::from(text).expect_silence();
    assert!(loaded.config.track_groups.is_empty());
    assert_eq!(loaded.config.static_addresses[0].track_group, None);
    Loaded::from("track_group g {\n}")
        .expect_complaints(&["Static track group g has no members - removing"]);
}

#[test]
fn what_instances_have_in_common_is_kept_once() {
    let number = |name: &str, vrid: u8| {
        let text = instance("garp_master_repeat 2");
        text.replace("web", name).replace("router_id 51", &format!("router_id {vrid}"))
    };
    let other = instance("garp_master_repeat 3").replace("web", "other");
    let text = format!("{}{}{other}", number("one", 1), number("two", 2));
    let load = || Loaded::from(&text).expect_silence().config;
    let mut config = load();
    config.share();
    assert_eq!(config, load());
    let [one, two, other] = &config.instances[..] else { panic!("three instances") };
    assert!(Rc::ptr_eq(&one.garp, &two.garp) && Rc::ptr_eq(&one.notify, &two.notify));
    assert!(!Rc::ptr_eq(&two.garp, &other.garp) && Rc::ptr_eq(&two.trackers, &other.trackers));
}
