//! Blocks about interfaces.

use super::*;

#[test]
fn announcements_are_paced_per_group() {
    let loaded = Loaded::from(
        "garp_group {\n garp_interval 0.5\n gna_interval 0.25\n interfaces {\n eth0\n eth1\n }\n}\ngarp_group {\n garp_interval 1.5\n interface eth2\n}\n",
    )
    .expect_silence();
    let [first, second] = loaded.config.garp_groups.as_slice() else { panic!("not two") };
    assert_eq!(first.interfaces, ["eth0", "eth1"]);
    assert_eq!(first.garp_interval, Some(Duration::from_millis(500)));
    assert_eq!(first.gna_interval, Some(Duration::from_millis(250)));
    assert_eq!((second.interfaces.len(), second.gna_interval), (1, None));
}

#[test]
fn odd_garp_groups_are_named() {
    for (lines, complaints) in [
        ("interface eth0", &["garp group 0 does not have any delay set - removing"][..]),
        (
            "garp_interval x\ngna_interval 1\ninterface eth0",
            &["invalid number 'x'", "garp_group garp_interval 'x' invalid"],
        ),
        ("garp_interval 1\ninterfaces {\n}", &["Warning - empty garp_group interfaces block"]),
        (
            "garp_interval 1\ninterfaces {\n eth0\n eth0\n}",
            &["garp_group already specified for eth0 - ignoring"],
        ),
        (
            "garp_interval 1\ninterface eth9",
            &[
                "WARNING - interface eth9 specified for garp_group doesn't exist",
                "Non-existent interface",
            ],
        ),
    ] {
        Loaded::from(&format!("garp_group {{\n{lines}\n}}\n")).expect_complaints(complaints);
    }
    let mut machine = machine();
    machine.links[0].kind = "macvlan".to_owned();
    let text = "garp_group {\n garp_interval 1\n interface eth0\n}\n";
    Loaded::with(text, &global(), &machine)
        .expect_complaints(&["Cannot specify garp_delay on a vmac (eth0) - ignoring"]);
}

#[test]
fn links_are_polled() {
    let loaded =
        Loaded::from("linkbeat_interfaces {\n eth0\n eth1 MII\n eth2 IOCTL\n eth1 ETHTOOL\n}\n")
            .expect_silence();
    let polled: Vec<_> =
        loaded.config.linkbeat.iter().map(|it| (it.interface.as_str(), it.method)).collect();
    assert_eq!(
        polled,
        [
            ("eth0", None),
            ("eth2", Some(LinkbeatMethod::Ioctl)),
            ("eth1", Some(LinkbeatMethod::Ethtool))
        ]
    );
    let loaded = Loaded::from("linkbeat_interfaces {\n eth0 FOO\n eth9\n}\n").expect_complaints(&[
        "extra characters FOO in linkbeat interface",
        "unknown interface eth9 specified for linkbeat interface",
    ]);
    assert_eq!(loaded.diagnostics.items()[1].class, Class::Fatal);
}

#[test]
fn changes_of_links_may_have_to_last() {
    let delays = |lines: &str| {
        let text = format!("interface_up_down_delays {{\n{lines}\n}}\n{}", instance(""));
        let config = Loaded::from(&text).expect_silence().config;
        config.delays.iter().map(|it| (it.down.as_millis(), it.up.as_millis())).collect::<Vec<_>>()
    };
    assert_eq!(delays("eth1 1.5 2"), [(1500, 2000)]);
    assert_eq!(delays("eth1 1.5"), [(1500, 0)]);
    assert_eq!(delays("eth1 1\neth1 2"), [(2000, 0)]);
    assert_eq!(delays("eth1"), []);
    // Below the time that the others wait for an advert: 2 s, less a 256th of an interval.
    assert_eq!(delays("eth0 5"), [(1996, 0)]);
    assert_eq!(delays("eth0 5 5"), [(1996, 1996)]);
    assert_eq!(delays("eth0 5 9"), [(1996, 9000)]);
    let text =
        format!("interface_up_down_delays {{\n eth0 1 1\n}}\n{}", instance("down_timer_adverts 1"));
    let config = Loaded::from(&text).expect_silence().config;
    assert_eq!((config.delays[0].down, config.delays[0].up), (Duration::ZERO, Duration::ZERO));
    Loaded::from("interface_up_down_delays {\n eth9 1\n}\n")
        .expect_complaints(&["unknown interface eth9 specified for up/down delay"]);
}
