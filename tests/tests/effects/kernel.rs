//! What the kernel gets.

use std::fs;
use std::process::Command;

use lab::{Lan, Mark, Scratch};

use crate::{await_masters, globals, instance, start};

#[test]
fn what_names_no_interface_is_on_the_default_one() {
    let lan = Lan::new(1);
    let config = globals("default_interface inner0")
        + "static_ipaddress {\n    192.0.2.1/24\n}\n"
        + &instance("web", 51, "priority 255");
    let daemon = start(&lan, &config);
    await_masters(&daemon, &["web"]);
    let shown = lan.nodes()[0].namespace().ip_json(&["addr", "show", "dev", "inner0"]);
    assert!(shown.to_string().contains("192.0.2.1"), "{shown}");
}

#[test]
fn names_of_tables_are_looked_up_where_the_configuration_says() {
    for settings in ["iproute_etc_dir DIR", "iproute_etc_dir DIR/none\niproute_usr_dir DIR"] {
        let (lan, scratch) = (Lan::new(1), Scratch::new());
        fs::write(scratch.path().join("rt_tables"), "777 elsewhere\n").expect("it is ours");
        let config = globals(&settings.replace("DIR", &scratch.path().display().to_string()))
            + &instance(
                "web",
                51,
                "    priority 255\n    virtual_routes {\n        192.0.2.0/24 dev eth0 table elsewhere\n    }",
            );
        let daemon = start(&lan, &config);
        await_masters(&daemon, &["web"]);
        daemon.await_log(Mark::default(), "Sending gratuitous ARP on eth0");
        let arguments = ["route", "show", "table", "777"];
        let shown = lan.nodes()[0].namespace().ip_json(&arguments);
        assert_eq!(shown[0]["dst"], "192.0.2.0/24", "{settings}\n{}", daemon.log_text());
    }
}

#[test]
fn strict_routers_do_not_answer() {
    let lan = Lan::new(2);
    let config = instance("plain", 51, "") + &instance("strict", 52, "    strict_mode");
    let daemon = start(&lan, &config);
    await_masters(&daemon, &["plain", "strict"]);
    daemon.await_log(Mark::default(), "Sending gratuitous ARP on eth0 for 10.9.0.51");
    daemon.await_log(Mark::default(), "Sending gratuitous ARP on eth0 for 10.9.0.52");
    let host = lan.nodes()[1].namespace().name();
    let answers = |address: &str| {
        let ping = ["netns", "exec", host, "ping", "-c", "1", "-W", "1", address];
        Command::new("ip").args(ping).output().is_ok_and(|output| output.status.success())
    };
    assert_eq!(["10.9.0.51", "10.9.0.52"].map(answers), [true, false], "{}", daemon.log_text());
}
