//! Virtual rules: every keyword in the kernel, and what becomes of them when somebody deletes one, the configuration
//! changes, or the daemon ends in one way or the other.

use lab::objects::{Recorded, await_master, instance, master};
use lab::{Lan, Namespace, TableWatch, run};

fn rules(list: &[&str]) -> String {
    let list: String = list.iter().map(|rule| format!("        {rule}\n")).collect();
    format!("    virtual_rules {{\n{list}    }}\n")
}

const TWO: &[&str] =
    &["from 10.60.0.0/16 table 60 priority 600", "from fd60::/64 table 60 priority 601"];

/// Deletes the rule of a family at a priority.
fn delete(namespace: &Namespace, [family, priority]: [&str; 2]) {
    run("ip", &["-n", namespace.name(), family, "rule", "del", "pref", priority]);
}

#[test]
fn every_keyword_is_seen_in_the_kernel() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let recorded = Recorded::named("rules");
    let mut daemon = master(&lan, &recorded.config());
    recorded.assert_equal(namespace.rules(), &daemon);
    assert!(daemon.stop().success());
    assert_eq!(namespace.rules().len(), 0, "{:#?}", namespace.rules());
}

/// What 2.4.3 does not understand.
#[test]
fn more_is_understood_than_by_the_original() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let lines = rules(&[
        "inet6 from all table 60 priority 600",
        "ip_proto udp sport 53 table 60 priority 601",
    ]);
    let daemon = master(&lan, &instance(&lines));
    let rules = namespace.rules();
    assert_eq!(rules.len(), 2, "{rules:#?}{}", daemon.log_text());
    assert!(rules.iter().any(|rule| rule.contains(r#""sport":53"#)), "{rules:#?}");
}

#[test]
fn a_master_that_loses_a_rule_steps_back_for_a_moment() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let daemon = master(&lan, &instance(&rules(TWO)));
    for gone in [["-4", "600"], ["-6", "601"]] {
        let mark = daemon.log().mark();
        delete(namespace, gone);
        daemon.await_log(mark, "(web) Entering BACKUP STATE");
        await_master(&daemon, mark);
        assert_eq!(namespace.rules().len(), 2, "{}", daemon.log_text());
    }
}

#[test]
fn a_rule_without_tracking_is_left_to_whoever_deletes_it() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let lines = rules(&["from 10.60.0.0/16 table 60 priority 600 no_track", TWO[1]]);
    let daemon = master(&lan, &instance(&lines));
    let mark = daemon.log().mark();
    delete(namespace, ["-4", "600"]);
    // A reload is no reason to put it back either.
    daemon.reload(&instance(&lines));
    daemon.await_log(mark, "Reload complete");
    assert_eq!(namespace.rules().len(), 1, "{}", daemon.log_text());
    delete(namespace, ["-6", "601"]);
    await_master(&daemon, mark);
    assert_eq!(namespace.rules().len(), 2, "{}", daemon.log_text());
}

#[test]
fn a_reload_touches_only_what_is_different() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let daemon = master(&lan, &instance(&rules(TWO)));
    let watch = TableWatch::start(namespace);
    let mark = watch.lines().mark();
    daemon.reload(&instance(&rules(&[
        "from 10.60.0.0/16 table 61 priority 600",
        TWO[1],
        "to 10.62.0.0/16 table 60 priority 602",
    ])));
    watch.wait(mark, "10.62.0.0/16 lookup 60", true);
    watch.wait(mark, "10.60.0.0/16 lookup 61", true);
    watch.wait(mark, "10.60.0.0/16 lookup 60", false);
    assert_eq!(watch.deleted(mark).len(), 1, "{:#?}", watch.deleted(mark));
    daemon.reload(&instance(""));
    for gone in ["10.62.0.0/16", "10.60.0.0/16 lookup 61", "fd60::/64"] {
        watch.wait(mark, gone, false);
    }
    assert_eq!(namespace.rules().len(), 0);
    let log = daemon.log_text();
    assert_eq!(log.matches("Entering MASTER STATE").count(), 1, "{log}");
}

#[test]
fn what_a_killed_master_left_is_taken_over() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    let mut killed = master(&lan, &instance(&rules(TWO)));
    killed.kill();
    assert_eq!(namespace.rules().len(), 2);
    let watch = TableWatch::start(namespace);
    let mark = watch.lines().mark();
    let mut daemon = master(&lan, &instance(&rules(TWO)));
    assert_eq!(watch.deleted(mark), [] as [&str; 0], "{}", daemon.log_text());
    assert!(daemon.stop().success());
    assert_eq!(namespace.rules().len(), 0, "{}", daemon.log_text());
}

#[test]
fn the_interfaces_of_a_rule_matter() {
    let lan = Lan::new(1);
    let namespace = lan.nodes()[0].namespace();
    for selector in ["iif", "oif"] {
        let lines = rules(&[&format!("{selector} inner0 table 60 priority 600")]);
        let mut daemon = master(&lan, &instance(&lines));
        let mark = daemon.log().mark();
        namespace.ip("link set inner0 down\n");
        daemon.await_log(mark, "(web) Entering FAULT STATE");
        namespace.ip("link set inner0 up\n");
        await_master(&daemon, mark);
        assert_eq!(namespace.rules().len(), 1, "{}", daemon.log_text());
        assert!(daemon.stop().success());
    }
    let lines = rules(&["iif inner0 table 60 priority 600 no_track"]);
    let daemon = master(&lan, &instance(&lines));
    namespace.ip("link set inner0 down\n");
    namespace.ip("link set inner0 up\n");
    let mark = daemon.log().mark();
    lan.nodes()[0].link_down();
    daemon.await_log(mark, "(web) Entering FAULT STATE");
    let log = daemon.log_text();
    assert_eq!(log.matches("Entering FAULT STATE").count(), 1, "{log}");
}
