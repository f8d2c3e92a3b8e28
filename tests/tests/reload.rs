//! A reload must never hurt: whatever the new file holds, who was master stays master, and no advert is late.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use lab::{Binary, Captured, Daemon, Float, Lan, Mark, PATIENCE, Scratch, Timeline, Waits};

const INTERVAL: Duration = Duration::from_millis(200);

/// No advert may be later than this after the one before, but for what the machine has kept the process waiting: a backup
/// would not have lost patience.
const LATEST: Duration = Duration::from_millis(400);

fn instance(lines: &str) -> String {
    format!(
        "vrrp_instance web {{
    interface eth0
    virtual_router_id 51
    version 3
    advert_int 0.2
    down_timer_adverts 1
{lines}
}}\n"
    )
}

fn addresses(list: &[&str]) -> String {
    let list: String = list.iter().map(|address| format!("        {address}/24\n")).collect();
    format!("    virtual_ipaddress {{\n{list}    }}\n")
}

/// A master alone on its network.
struct Master {
    lan: Lan,
    daemon: Daemon,
    float: Float,
    waits: Waits,
}

impl Master {
    fn new() -> Self {
        Self::of(&instance(&addresses(&["10.9.0.100"])))
    }

    /// With a configuration that is not of [`instance`] alone.
    fn of(config: &str) -> Self {
        let lan = Lan::new(2);
        let float = Float::new(51, &["10.9.0.100"]);
        let daemon = Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config);
        let address = ["10.9.0.100".parse().expect("it is an address")];
        let there = lan.nodes()[0].addresses().wait(&address, true, PATIENCE);
        assert!(there, "it is no master\n{}", daemon.log_text());
        let waits = Waits::of(&daemon.vrrp().expect("it has made a master"));
        let master = Self { lan, daemon, float, waits };
        master.await_adverts(Mark::default(), 2);
        master
    }

    #[track_caller]
    fn await_address(&self, address: &str, there: bool) {
        let address: IpAddr = address.parse().expect("it is an address");
        let seen = self.lan.nodes()[0].addresses().wait(&[address], there, PATIENCE);
        assert!(seen, "{address} there: {}\n{}", !there, self.daemon.log_text());
    }

    #[track_caller]
    fn await_adverts(&self, mark: Mark, count: usize) {
        let mut seen = 0;
        let heard = self.lan.capture().frames().wait(mark, PATIENCE, |captured| {
            seen += usize::from(self.float.advert(&captured.frame).is_some());
            (seen == count).then_some(())
        });
        assert!(heard.is_some(), "only {seen} adverts\n{}", self.daemon.log_text());
    }

    /// It never left, it never said so, and nobody missed an advert.
    #[track_caller]
    fn assert_undisturbed(&self) {
        self.await_adverts(self.lan.capture().frames().mark(), 3);
        let frames = self.lan.capture().frames().all();
        let adverts: Vec<&Captured> =
            frames.iter().filter(|captured| self.float.advert(&captured.frame).is_some()).collect();
        for pair in adverts.windows(2) {
            let gap = pair[1].at.duration_since(pair[0].at).unwrap_or_default();
            let waited = || self.waits.between(pair[0].at, pair[1].at);
            let in_time = gap < LATEST || gap < LATEST + waited();
            assert!(in_time, "{gap:?} without an advert\n{}", self.daemon.log_text());
            let advert = self.float.advert(&pair[1].frame).expect("they were filtered");
            assert_ne!(advert.priority, 0, "it took its leave\n{}", self.daemon.log_text());
        }
        let lost: IpAddr = "10.9.0.100".parse().expect("it is an address");
        let events = self.lan.nodes()[0].addresses().events().all();
        let lost = events.iter().any(|event| event.address == lost && !event.present);
        assert!(!lost, "the address was away\n{}", self.daemon.log_text());
        let masters = self.daemon.log().all();
        let masters =
            masters.iter().filter(|line| line.text.contains("(web) Entering MASTER STATE")).count();
        assert_eq!(masters, 1, "it became master again\n{}", self.daemon.log_text());
    }
}

#[test]
fn an_unchanged_file_changes_nothing() {
    let master = Master::new();
    let mark = master.daemon.log().mark();
    master.daemon.reload(&instance(&addresses(&["10.9.0.100"])));
    master.daemon.await_log(mark, "Reload complete");
    master.assert_undisturbed();
}

#[test]
fn addresses_come_and_go_while_the_master_stays() {
    let master = Master::new();
    master.daemon.reload(&instance(&addresses(&["10.9.0.100", "10.9.0.101", "10.9.0.102"])));
    master.await_address("10.9.0.101", true);
    master.await_address("10.9.0.102", true);
    master.daemon.reload(&instance(&addresses(&["10.9.0.102", "10.9.0.100"])));
    master.await_address("10.9.0.101", false);
    master.assert_undisturbed();
    let held = master.lan.nodes()[0]
        .holds(&["10.9.0.100".parse().unwrap(), "10.9.0.102".parse().unwrap()]);
    assert_eq!(held.len(), 2);
}

#[test]
fn a_new_priority_is_announced_by_the_same_master() {
    let master = Master::new();
    let mark = master.lan.capture().frames().mark();
    master.daemon.reload(&instance(&format!("    priority 77\n{}", addresses(&["10.9.0.100"]))));
    let changed = master.lan.capture().frames().wait(mark, PATIENCE, |captured| {
        (master.float.advert(&captured.frame)?.priority == 77).then_some(())
    });
    assert!(changed.is_some(), "{}", master.daemon.log_text());
    master.assert_undisturbed();
}

#[test]
fn a_new_name_makes_no_new_router() {
    let master = Master::new();
    let mark = master.daemon.log().mark();
    master.daemon.reload(&instance(&addresses(&["10.9.0.100"])).replace("web", "shop"));
    master.daemon.await_log(mark, "Reload complete");
    master.assert_undisturbed();
}

#[test]
fn another_router_joins_and_leaves() {
    let master = Master::new();
    let one = instance(&addresses(&["10.9.0.100"]));
    let two =
        instance(&addresses(&["10.9.0.200"])).replace("web", "shop").replace("id 51", "id 52");
    master.daemon.reload(&format!("{one}{two}"));
    master.await_address("10.9.0.200", true);
    let mark = master.lan.capture().frames().mark();
    master.daemon.reload(&one);
    master.await_address("10.9.0.200", false);
    let second = Float::new(52, &["10.9.0.200"]);
    let left = master.lan.capture().frames().wait(mark, PATIENCE, |captured| {
        (second.advert(&captured.frame)?.priority == 0).then_some(())
    });
    assert!(left.is_some(), "it did not take its leave\n{}", master.daemon.log_text());
    master.assert_undisturbed();
}

#[test]
fn a_backup_stays_backup() {
    let master = Master::new();
    let config = instance(&format!("    priority 50\n{}", addresses(&["10.9.0.100"])));
    let backup = Daemon::start(&Binary::under_test(), master.lan.nodes()[1].namespace(), &config);
    backup.await_log(Mark::default(), "Entering BACKUP STATE (init)");
    let mark = backup.log().mark();
    backup.reload(&config.replace("priority 50", "priority 60"));
    backup.await_log(mark, "Reload complete");
    master.assert_undisturbed();
    assert!(!backup.log_text().contains("MASTER STATE"), "{}", backup.log_text());
}

#[test]
fn many_reloads_at_once() {
    let master = Master::new();
    for round in 0..20 {
        let extra = format!("10.9.0.{}", 150 + round);
        master.daemon.reload(&instance(&addresses(&["10.9.0.100", &extra])));
    }
    master.await_address("10.9.0.169", true);
    for round in 0..19 {
        master.await_address(&format!("10.9.0.{}", 150 + round), false);
    }
    master.assert_undisturbed();
}

/// What kept a member of a group from its work is no reason once it has left the group.
#[test]
fn who_leaves_a_group_leaves_its_faults() {
    let lan = Lan::new(1);
    let node = &lan.nodes()[0];
    node.namespace().ip("link set inner0 down\n");
    let faulty = instance(&addresses(&["10.8.0.100"])).replace("web", "shop");
    let faulty = faulty.replace("eth0", "inner0").replace("id 51", "id 52");
    let both = instance(&addresses(&["10.9.0.100"])) + &faulty;
    let group = "vrrp_sync_group all {\n    group {\n        web\n        shop\n    }\n}\n";
    let daemon = Daemon::start(&Binary::under_test(), node.namespace(), &(both.clone() + group));
    daemon.await_log(Mark::default(), "(web) entering FAULT state");
    daemon.await_log(Mark::default(), "Startup complete");
    let mark = daemon.log().mark();
    daemon.reload(&both);
    daemon.await_log(mark, "(web) Entering MASTER STATE");
    // The other way round, it shares them again.
    let address = ["10.9.0.100".parse().unwrap()];
    assert!(node.addresses().wait(&address, true, PATIENCE), "{}", daemon.log_text());
    daemon.reload(&(both + group));
    assert!(node.addresses().wait(&address, false, PATIENCE), "{}", daemon.log_text());
}

/// An instance is left as it is while everything about the one beside it changes, one after the other: nobody notices
/// anything of the first one, neither its neighbours nor its scripts.
#[test]
fn what_changes_beside_it_does_not_matter() {
    let scratch = Scratch::new();
    let fifo = scratch.path().join("fifo");
    let global = format!(
        "global_defs {{\n    script_user root\n    vrrp_notify_fifo {}\n}}\n",
        fifo.display()
    );
    let kept = global + &instance(&addresses(&["10.9.0.100"]));
    let beside = |name: &str, interface: &str, lines: &str, list: &[&str]| {
        instance(&(lines.to_owned() + &addresses(list)))
            .replace("web", name)
            .replace("eth0", interface)
            .replace(
                "virtual_router_id 51",
                if lines.contains("router_id") { "" } else { "virtual_router_id 52" },
            )
    };
    let first = beside("shop", "eth0", "", &["10.9.0.200", "10.9.0.201"]);
    let master = Master::of(&(kept.clone() + &first));
    master.await_address("10.9.0.201", true);
    let told = Timeline::<String>::default();
    let record = told.clone();
    let lines = BufReader::new(File::open(&fifo).expect("the daemon has made it")).lines();
    thread::spawn(move || lines.map_while(Result::ok).for_each(|line| record.push(line)));

    let changes = [
        beside("shop", "eth0", "    priority 30\n", &["10.9.0.200", "10.9.0.201"]),
        beside("store", "eth0", "    priority 30\n", &["10.9.0.200"]),
        beside("store", "eth0", "    virtual_router_id 53\n", &["10.9.0.200", "10.9.0.202"]),
        beside("store", "inner0", "    virtual_router_id 53\n", &["10.9.0.203"]),
        beside("store", "eth0", "    use_vmac\n", &["10.9.0.204"]),
        beside(
            "store",
            "eth0",
            "    version 2\n    advert_int 1\n    priority 255\n",
            &["10.9.0.205"],
        ),
    ];
    let seen = ["10.9.0.200", "10.9.0.200", "10.9.0.202", "10.9.0.203", "10.9.0.204", "10.9.0.205"];
    for (change, address) in changes.iter().zip(seen) {
        let mark = master.daemon.log().mark();
        master.daemon.reload(&(kept.clone() + change));
        master.daemon.await_log(mark, "Reload complete");
        master.await_address(address, true);
    }
    // The kept one takes over the address of the other one, and that goes altogether.
    let both = instance(&addresses(&["10.9.0.100", "10.9.0.205"]));
    let moved = kept.replace(&instance(&addresses(&["10.9.0.100"])), &both);
    let mark = master.daemon.log().mark();
    master.daemon.reload(&moved);
    master.daemon.await_log(mark, "Reload complete");
    master.assert_undisturbed();
    let stays: IpAddr = "10.9.0.205".parse().expect("it is an address");
    let events = master.lan.nodes()[0].addresses().events().all();
    assert!(!events.iter().any(|event| event.address == stays && !event.present), "it has moved");
    let deleted = told.wait(Mark::default(), PATIENCE, |line| {
        (line == "INSTANCE \"store\" FAULT 255").then_some(())
    });
    let told = told.all();
    assert!(deleted.is_some(), "{told:?}\n{}", master.daemon.log_text());
    let of_kept: Vec<&str> =
        told.iter().filter_map(|line| line.strip_prefix("INSTANCE \"web\" ")).collect();
    assert_eq!(of_kept, ["BACKUP 100", "MASTER 100"]);
}

/// What the C daemon does not survive: it ends, or throws away what it had.
mod better_than_the_original {
    use super::*;

    /// After a reload with `config` the old one runs on, and the log names the file, the `line` of it and the `reason`.
    fn refused(config: &str, line: Option<usize>, reason: &str) {
        let mut master = Master::new();
        let mark = master.daemon.log().mark();
        master.daemon.reload(config);
        master
            .daemon
            .await_log(mark, master.daemon.config().to_str().expect("our paths are plain"));
        let wanted = match line {
            Some(line) => format!("Line {line}) "),
            None => String::new(),
        };
        let complaint = master.daemon.log().wait(mark, PATIENCE, |log| {
            let names = log.text.contains(&wanted) && log.text.contains(reason);
            names.then(|| log.text.clone())
        });
        assert!(
            complaint.is_some(),
            "no line with {wanted:?} and {reason:?}:\n{}",
            master.daemon.log_text()
        );
        master.assert_undisturbed();

        // A file that is right again is taken.
        master.daemon.reload(&instance(&addresses(&["10.9.0.100", "10.9.0.101"])));
        master.await_address("10.9.0.101", true);
        master.assert_undisturbed();
        assert!(master.daemon.stop().success());
    }

    #[test]
    fn a_missing_parameter() {
        refused(
            &instance("    priority\n"),
            Some(7),
            "missing a parameter after keyword `priority`",
        );
    }

    #[test]
    fn an_interface_that_does_not_exist() {
        let config = instance(&addresses(&["10.9.0.100"])).replace("eth0", "eth9");
        refused(&config, Some(2), "eth9");
    }

    #[test]
    fn a_missing_router_id() {
        let config = instance(&addresses(&["10.9.0.100"])).replace("virtual_router_id 51", "");
        refused(&config, None, "web");
    }

    #[test]
    fn a_missing_file() {
        let master = Master::new();
        let mark = master.daemon.log().mark();
        fs::remove_file(master.daemon.config()).unwrap();
        master.daemon.process().signal(nix::sys::signal::Signal::SIGHUP);
        master.daemon.await_log(mark, "keepalived.conf");
        master.assert_undisturbed();
        master.daemon.reload(&instance(&addresses(&["10.9.0.100", "10.9.0.101"])));
        master.await_address("10.9.0.101", true);
        master.assert_undisturbed();
    }

    #[test]
    fn a_directory_instead_of_a_file() {
        let master = Master::new();
        let mark = master.daemon.log().mark();
        fs::remove_file(master.daemon.config()).unwrap();
        fs::create_dir(master.daemon.config()).unwrap();
        master.daemon.process().signal(nix::sys::signal::Signal::SIGHUP);
        master.daemon.await_log(mark, "is a directory");
        master.assert_undisturbed();
    }
}

#[test]
fn the_interval_of_these_tests_is_the_one_on_the_wire() {
    let master = Master::new();
    let adverts = master.lan.capture().frames().all();
    let advert = adverts.iter().find_map(|captured| master.float.advert(&captured.frame));
    assert_eq!(advert.expect("two were seen").interval, INTERVAL);
}
