//! What must survive a reload or a pause of the machine: sockets, FIFOs, runs of scripts, and the belief in a master that
//! was alive all the time.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use lab::{
    Binary, Daemon, Float, Lan, Mark, PATIENCE, Pair, Process, Scratch, Timeline, await_process,
};
use nix::sys::signal::Signal;

fn instance(name: &str, vrid: u8, priority: u8, lines: &str) -> String {
    format!(
        "vrrp_instance {name} {{
    interface eth0
    virtual_router_id {vrid}
    version 3
    priority {priority}
    advert_int 0.2
{lines}
    virtual_ipaddress {{
        10.9.0.{vrid}/24
    }}
}}\n"
    )
}

fn start(lan: &Lan, config: &str) -> Daemon {
    Daemon::start(&Binary::under_test(), lan.nodes()[0].namespace(), config)
}

/// The numbers of the raw sockets that a process has open.
fn sockets(process: &Process) -> BTreeSet<String> {
    let directory = format!("/proc/{}", process.pid());
    let raw: String = ["raw", "raw6"]
        .iter()
        .filter_map(|name| fs::read_to_string(format!("{directory}/net/{name}")).ok())
        .collect();
    let open = fs::read_dir(format!("{directory}/fd")).expect("it is there").flatten();
    let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    let inodes = links.filter_map(|link| {
        let number = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
        raw.split_whitespace().any(|word| word == number).then_some(number)
    });
    inodes.collect()
}

#[test]
fn sockets_stay_open_over_a_reload() {
    let lan = Lan::new(1);
    let config = instance("one", 51, 100, "") + &instance("two", 52, 100, "");
    let daemon = start(&lan, &config);
    daemon.await_log(Mark::default(), "(two) Entering MASTER STATE");
    let vrrp = daemon.vrrp().expect("it runs");
    let before = sockets(&vrrp);
    assert!(!before.is_empty());
    let mark = daemon.log().mark();
    daemon.reload(&(config + &instance("three", 53, 100, "")));
    daemon.await_log(mark, "Reload complete");
    assert_eq!(sockets(&vrrp), before);
}

#[test]
fn a_fifo_stays_over_a_reload_and_goes_with_the_daemon() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let path = scratch.path().join("fifo");
    let global =
        format!("global_defs {{\n    script_user root\n    notify_fifo {}\n}}\n", path.display());
    let mut daemon = start(&lan, &(global.clone() + &instance("one", 51, 255, "")));
    daemon.await_log(Mark::default(), "(one) Entering MASTER STATE");
    let inode = fs::metadata(&path).expect("the daemon has made it").ino();
    let told = Timeline::<String>::default();
    let record = told.clone();
    let fifo = OpenOptions::new().read(true).open(&path).expect("it may be read");
    thread::spawn(move || {
        BufReader::new(fifo).lines().map_while(Result::ok).for_each(|line| record.push(line));
    });
    daemon.reload(&(global + &instance("one", 51, 255, "") + &instance("two", 52, 255, "")));
    let heard = |text: &str| {
        told.wait(Mark::default(), PATIENCE, |line| (line == text).then_some(())).is_some()
    };
    assert!(heard("INSTANCE \"two\" MASTER 255"), "{}", daemon.log_text());
    assert_eq!(fs::metadata(&path).expect("it is still there").ino(), inode);
    assert!(daemon.stop().success());
    assert!(heard("INSTANCE \"two\" STOP 255"));
    assert!(!path.exists(), "it was made by the daemon");
}

#[test]
fn the_reader_of_a_fifo_hears_of_the_end() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let (fifo, heard) = (scratch.path().join("fifo"), scratch.path().join("heard"));
    let body = format!("#!/bin/sh\nexec cat \"$1\" > {}\n", heard.display());
    let reader = scratch.write("reader", &body);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&reader, mode).expect("it is ours");
    let global = format!(
        "global_defs {{\n    script_user root\n    vrrp_notify_fifo {}\n    vrrp_notify_fifo_script {}\n}}\n",
        fifo.display(),
        reader.display()
    );
    let mut daemon = start(&lan, &(global + &instance("one", 51, 255, "")));
    daemon.await_log(Mark::default(), "(one) Entering MASTER STATE");
    assert!(daemon.stop().success());
    let line = "INSTANCE \"one\" STOP 255";
    let content = fs::read_to_string(&heard);
    assert!(
        content.as_ref().is_ok_and(|text| text.contains(line)),
        "{content:?}\n{}",
        daemon.log_text()
    );
}

#[test]
fn a_run_of_a_script_goes_on_over_a_reload() {
    let (lan, scratch) = (Lan::new(1), Scratch::new());
    let pid = scratch.path().join("pid");
    let script = scratch.write(
        "probe",
        &format!("#!/bin/sh\necho $$ > {0}.new; mv {0}.new {0}\nexec sleep 1\n", pid.display()),
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, mode).expect("it is ours");
    let script = format!(
        "global_defs {{\n    script_user root\n}}\nvrrp_script probe {{\n    script {}\n    interval 60\n    weight -10 reverse\n}}\n",
        script.display()
    );
    let tracker = "    track_script {\n        probe\n    }";
    let turned = "    track_script {\n        probe weight 0 reverse\n    }";
    let config = |priority| {
        let one = instance("one", 51, priority, tracker);
        script.clone() + &one + &instance("two", 52, 100, turned)
    };
    let daemon = start(&lan, &config(100));
    let run = await_process(&pid);
    let mark = daemon.log().mark();
    daemon.reload(&config(120));
    daemon.await_log(mark, "Reload complete");
    assert!(run.lives(), "it was ended\n{}", daemon.log_text());
    daemon.await_log(mark, "VRRP_Script(probe) succeeded");
    daemon.await_log(mark, "(two) Entering FAULT STATE");
    // What is known of it stays over another reload, with the sign that `reverse` gives.
    let mark = daemon.log().mark();
    daemon.reload(&config(130));
    daemon.await_log(mark, "VRRP_Script(probe) considered successful on reload");
    daemon.await_log(mark, "Reload complete");
    let lines = daemon.log().since(mark);
    assert!(lines.iter().all(|line| !line.text.contains("Entering FAULT")));
    assert!(lines.iter().all(|line| !line.text.contains("(two) Entering")), "a success is a fault");
}

/// A master, and a backup that knows it.
fn master_and_backup(lines: &str) -> (Pair, Float) {
    let configs = [150, 100].map(|priority| instance("web", 51, priority, lines));
    let mut pair = Pair::new([Binary::under_test(), Binary::under_test()], configs);
    let float = Float::new(51, &["10.9.0.51"]);
    pair.start(0);
    pair.await_addresses(&float, 0, true);
    pair.start(1);
    pair.await_master(&float, 0);
    (pair, float)
}

/// Waits until the master has sent adverts for so long, and has just sent another one.
fn await_adverts(pair: &Pair, float: &Float, time: Duration) {
    let mut first = None;
    let frames = pair.lan().capture().frames();
    frames.wait(frames.mark(), PATIENCE, |captured| {
        float.advert(&captured.frame)?;
        let first = *first.get_or_insert(captured.at);
        (captured.at.duration_since(first).ok()? > time).then_some(())
    });
}

#[track_caller]
fn assert_believes(pair: &Pair, float: &Float) {
    pair.await_master(float, 0);
    let log = pair.daemon(1).log().all();
    assert!(log.iter().all(|line| !line.text.contains("Entering MASTER")), "{}", pair.logs());
}

#[test]
fn a_backup_that_was_not_run_in_time_believes_in_its_master() {
    let (pair, float) = master_and_backup("");
    let backup = pair.daemon(1).vrrp().expect("it runs");
    backup.signal(Signal::SIGSTOP);
    // The master goes on for longer than the backup would have waited.
    await_adverts(&pair, &float, Duration::from_millis(1500));
    backup.signal(Signal::SIGCONT);
    assert_believes(&pair, &float);
}

#[test]
fn a_backup_that_could_not_hear_while_it_stood_still_awaits_its_master() {
    let (pair, float) = master_and_backup("    advert_int 0.5");
    let backup = pair.daemon(1).vrrp().expect("it runs");
    let stand_still = || {
        backup.signal(Signal::SIGSTOP);
        pair.lan().cut(1);
        await_adverts(&pair, &float, Duration::from_millis(2300));
    };
    stand_still();
    let mark = pair.daemon(1).log().mark();
    pair.lan().mend(1);
    backup.signal(Signal::SIGCONT);
    pair.daemon(1).await_log(mark, "waiting one more interval for the master");
    await_adverts(&pair, &float, Duration::from_millis(1300));
    assert_believes(&pair, &float);
    // Nobody speaks.
    stand_still();
    let mark = pair.daemon(1).log().mark();
    backup.signal(Signal::SIGCONT);
    pair.daemon(1).await_log(mark, "waiting one more interval for the master");
    pair.daemon(1).await_log(mark, "(web) Entering MASTER STATE");
}

#[test]
fn unicast_over_ipv6_has_the_hop_limit_of_the_machine() {
    let lan = Lan::new(2);
    let peer = "    unicast_src_ip fd00:9::1\n    unicast_peer {\n        fd00:9::2\n    }";
    let config = instance("web", 51, 255, peer).replace("10.9.0.51/24", "fd00:9::51/64");
    let _daemon = start(&lan, &config);
    let limit = lan.capture().frames().wait(Mark::default(), PATIENCE, |captured| {
        captured.frame.advert().map(|advert| advert.ttl)
    });
    assert_eq!(limit, Some(64), "as the original; the other side must accept it");
}
