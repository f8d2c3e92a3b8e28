//! Dumps, compared with those that the original wrote of the same configurations and events.
//!
//! `RECORD=1 KEEPALIVED=…` makes the program write the expected texts (`tests/dumps`) anew.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lab::{Binary, Daemon, Dump, Mark, Namespace, PATIENCE, Pair, Scratch, linked_as_recorded};

const INSTANCE: &str = "vrrp_instance one {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.77.0.9\n }\n}\n";

fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dumps").join(name)
}

/// A configuration of `tests/dumps`, whose files are in `scratch`.
fn configuration(name: &str, scratch: &Scratch) -> String {
    let text = fs::read_to_string(recorded(name)).expect("it is in the tree");
    text.replace("@DIR@", &scratch.path().to_string_lossy())
}

fn start(namespace: &Namespace, config: &str) -> Daemon {
    Daemon::start_with(&Binary::under_test(), namespace, config, &["-P"])
}

/// Compares `text` with what was recorded, or records it.
#[track_caller]
fn compare(name: &str, text: &str) {
    let path = recorded(name);
    if std::env::var_os("RECORD").is_some() {
        fs::write(path, text).expect("the tree can be written to");
        return;
    }
    let expected = fs::read_to_string(path).expect("it was recorded");
    let (lines, wanted): (Vec<&str>, Vec<&str>) =
        (text.lines().collect(), expected.lines().collect());
    let differs = lines.iter().zip(&wanted).position(|(line, wanted)| line != wanted);
    let place = differs.unwrap_or(lines.len().min(wanted.len()));
    let around = |lines: &[&str]| {
        let from = place.saturating_sub(3).min(lines.len());
        lines[from..(place + 3).min(lines.len())].join("\n")
    };
    assert!(
        differs.is_none() && lines.len() == wanted.len(),
        "{name} differs from line {}:\n{}\nis not\n{}",
        place + 1,
        around(&lines),
        around(&wanted)
    );
}

/// A data dump without what depends on the time, on descriptors, and on how the original was built.
fn masked(text: &str, scratch: &Scratch) -> String {
    let text = text.replace(&*scratch.path().to_string_lossy(), "@DIR@");
    text.lines().filter_map(masked_line).map(|line| line + "\n").collect()
}

fn masked_line(line: &str) -> Option<String> {
    /// They depend on the build of the original, or on whether the kernel had something to tell.
    const ABSENT: [&str; 4] = [" libnftnl version", " DBus ", " iproute ", "   rp_filter "];
    /// Of these the name is the same.
    const VALUES: [&str; 14] = [
        "Last ran",
        "GARP next time",
        "local discriminator",
        "last seen",
        "GNA next time",
        "Last transition",
        "Read timeout",
        "Last advert sent",
        "Default script uid:gid",
        "Reset ARP config counter",
        "Original arp_ignore",
        "Original arp_filter",
        "Original promote_secondaries",
        "Not IPv6 forwarding. Last checked",
    ];
    if ABSENT.iter().any(|beginning| line.starts_with(beginning)) {
        return None;
    }
    let text = line.trim_start();
    let blanks = &line[..line.len() - text.len()];
    if text.starts_with("remote discriminator = 0x") && !text.ends_with("0x0") {
        return Some(format!("{blanks}remote discriminator …"));
    }
    if text.ends_with("= DISABLED") {
        return Some(line.to_owned());
    }
    if let Some(name) = VALUES.iter().find(|name| text.starts_with(**name)) {
        return Some(format!("{blanks}{name} …"));
    }
    // Pointers of the original.
    if let Some((name, _)) = text.split_once("0x").filter(|_| text.starts_with("thread_")) {
        return Some(format!("{blanks}{name}…"));
    }
    if text.contains("fd_in ") || text.starts_with("fd_out ") {
        let numbers = text.replace(|c: char| c.is_ascii_digit() || c == '-', "");
        return Some(format!("{blanks}{numbers}"));
    }
    Some(line.to_owned())
}

/// JSON with a member on each line, without times and the number of adverts.
fn unfolded(json: &str) -> String {
    let lines = json.trim_end().replace(",\"", ",\n\"");
    let masked = lines.lines().map(|line| match line.split_once(':') {
        Some((name @ ("\"last_transition\"" | "\"advert_sent\""), value)) => {
            assert!(value.trim_end_matches(',').parse::<f64>().is_ok(), "{line}");
            format!("{name}:0,\n")
        }
        _ => format!("{line}\n"),
    });
    masked.collect()
}

#[test]
fn the_state_looks_like_that_of_the_original() {
    let ([namespace, _other], scratch) = (linked_as_recorded(), Scratch::new());
    let daemon = start(&namespace, &configuration("everything.conf", &scratch));
    for text in ["(VI_1) Entering MASTER", "(VI_OWNER) Entering MASTER", "VRRP_Script(chk_ok) succ"]
    {
        daemon.await_log(Mark::default(), text);
    }
    daemon.await_log(Mark::default(), "Advert on eth0 for fd77::101");
    compare("everything.data", &masked(&daemon.dump(Dump::State), &scratch));
    compare("everything-parent.data", &masked(&daemon.dump(Dump::Parent), &scratch));
    compare("everything.json", &unfolded(&daemon.dump(Dump::Json)));
}

#[test]
fn so_do_faults_and_virtual_interfaces() {
    let ([namespace, _other], scratch) = (linked_as_recorded(), Scratch::new());
    let daemon = start(&namespace, &configuration("virtual-interfaces.conf", &scratch));
    for text in ["(V4MACN) Entering MASTER", "(STRICT) Entering MASTER", "(SIX) Entering MASTER"] {
        daemon.await_log(Mark::default(), text);
    }
    daemon.await_log(Mark::default(), "VRRP_Script(fails) failed");
    let mark = daemon.log().mark();
    namespace.ip("link set eth1 down\n");
    daemon.await_log(mark, "(STRICT) Entering FAULT");
    daemon.await_log(mark, "(SIX) Entering FAULT");
    compare("virtual-interfaces.data", &masked(&daemon.dump(Dump::State), &scratch));
    compare("virtual-interfaces.json", &unfolded(&daemon.dump(Dump::Json)));
}

#[test]
fn a_backup_shows_its_master() {
    let config = fs::read_to_string(recorded("backup.conf")).expect("it is in the tree");
    let binaries = [Binary::under_test(), Binary::under_test()];
    let mut pair = Pair::new(binaries, [config.clone(), config]);
    pair.start(0);
    for name in ["TWO", "THREE"] {
        let text = format!("({name}) Entering MASTER");
        pair.daemon(0).await_log(Mark::default(), &text);
    }
    pair.start(1);
    let daemon = pair.daemon(1);
    let known = |name| {
        daemon.log().wait(Mark::default(), PATIENCE, |line| line.text.contains(name).then_some(()))
    };
    assert!(known("Entering BACKUP STATE (init)").is_some(), "{}", daemon.log_text());
    // It has heard its masters when it can say who they are.
    let scratch = Scratch::new();
    let deadline = SystemTime::now() + PATIENCE;
    let text = loop {
        let text = daemon.dump(Dump::State);
        if text.matches("Master router = 10.9.0.1\n").count() == 2 || SystemTime::now() > deadline {
            break text;
        }
    };
    let start = text.find("------< VRRP Topology").expect("there are instances");
    let end = text.find("------< VRRP Sockpool").expect("there are sockets");
    compare("backup.data", &masked(&text[start..end], &scratch));
}

#[test]
fn sessions_show_both_sides() {
    let session = |name: &str, ours: u8, theirs: u8| {
        format!(
            "bfd_instance {name} {{\n neighbor_ip 10.9.0.{theirs}\n source_ip 10.9.0.{ours}\n min_rx 50\n min_tx 40\n max_hops 2\n weight 3\n}}\n"
        )
    };
    let binaries = [Binary::under_test(), Binary::under_test()];
    let configs = [session("there", 1, 2), session("there", 2, 1) + &session("nobody", 2, 9)];
    let mut pair = Pair::new(binaries, configs);
    pair.start(0);
    pair.start(1);
    let daemon = pair.daemon(1);
    daemon.await_log(Mark::default(), "(there) Entering Up state");
    let deadline = SystemTime::now() + PATIENCE;
    let text = loop {
        let text = daemon.dump(Dump::Bfd);
        // The poll for the faster pace is over.
        if text.matches("!poll").count() == 2 || SystemTime::now() > deadline {
            break text;
        }
    };
    let start = text.find("------< BFD Data").expect("there are sockets");
    compare("sessions.data", &masked(&text[start..], &Scratch::new()));
}

/// Plays one configuration with virtual servers until `texts` are in the log, and compares its dump; then another one, to
/// which it is reloaded, if there is any (`NAME-after.conf`).
fn dump_virtual_servers(name: &str, texts: &[&str]) {
    let (namespace, scratch) = (Namespace::new(), Scratch::new());
    namespace.ip("link set lo up\n");
    let _server = namespace.enter(|| TcpListener::bind("127.0.0.2:2525")).expect("nobody has it");
    for (file, content) in [("load", "3"), ("down", "1"), ("weight", "5")] {
        fs::write(scratch.path().join(file), content).expect("the directory is ours");
    }
    for status in [1, 12] {
        let path = scratch.path().join(format!("exit{status}"));
        fs::write(&path, format!("#!/bin/sh\nexit {status}\n")).expect("the directory is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let config = configuration(&format!("{name}.conf"), &scratch);
    let mut daemon = Daemon::start_with(&Binary::under_test(), &namespace, &config, &["-C"]);
    for text in texts {
        let text = text.replace("@DIR@", &scratch.path().to_string_lossy());
        daemon.await_log(Mark::default(), &text);
    }
    compare(&format!("{name}.data"), &masked_checks(&daemon.dump(Dump::Checker), &scratch));
    let after = format!("{name}-after");
    if recorded(&format!("{after}.conf")).exists() {
        let mark = daemon.log().mark();
        daemon.reload(&configuration(&format!("{after}.conf"), &scratch));
        daemon.await_log(mark, "Activating BFD healthchecker");
        compare(&format!("{after}.data"), &masked_checks(&daemon.dump(Dump::Checker), &scratch));
    }
    assert!(daemon.stop().success());
}

/// A dump of the checker process without what ours says otherwise on purpose, or what the machine has no name for.
fn masked_checks(text: &str, scratch: &Scratch) -> String {
    const OTHERWISE: [&str; 4] =
        ["   Log all failures", "     Regex options:", "   Retries iterations", " Smtp HELO name"];
    let text = masked(text, scratch);
    let lines = text.lines().filter(|line| !OTHERWISE.iter().any(|text| line.starts_with(text)));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn virtual_servers_look_like_those_of_the_original() {
    lab::on_machine("virtual_servers_look_like_those_of_the_original", || {
        dump_virtual_servers("lvs-groups", &["Activating BFD healthchecker"]);
        dump_virtual_servers("lvs-families", &["Activating BFD healthchecker"]);
        dump_virtual_servers("lvs-checks", &["Activating BFD healthchecker", "BFD check of"]);
        let concluded = [
            "TCP_CHECK on service [127.0.0.1]:tcp:1 failed",
            "TCP connection to [127.0.0.2]:tcp:2525 success",
            "TCP_CHECK on service [127.0.0.4]:tcp:80 failed",
            "Misc check for [[127.0.0.5]:tcp:80 VS [10.0.0.1]:tcp:80] by [@DIR@/exit12] succeeded",
            "Misc check for [[127.0.0.6]:tcp:80 VS [10.0.0.1]:tcp:80] by [@DIR@/exit1] failed",
        ];
        dump_virtual_servers("lvs-state", &concluded);
    });
}

#[test]
fn files_go_where_the_configuration_says() {
    let ([namespace, _other], scratch) = (linked_as_recorded(), Scratch::new());
    let directory = scratch.path().display();
    let config = format!(
        "instance inst\nglobal_defs {{\n state_dump_file {directory}/state.txt\n stats_dump_file {directory}/\n json_dump_file json\n data_use_instance\n umask 022\n}}\n{INSTANCE}"
    );
    let daemon = start(&namespace, &config);
    daemon.await_log(Mark::default(), "(one) Entering");
    for dump in [Dump::State, Dump::Statistics, Dump::Json] {
        daemon.ask(dump);
    }
    let complete = |text: &str| text.ends_with('\n').then_some(());
    for name in ["state.inst.txt", "state_parent.inst.txt", "keepalived.inst.stats"] {
        let path = scratch.path().join(name);
        lab::await_file(&path, complete);
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{name}");
    }
    let json = daemon.directory().join("json");
    lab::await_file(&json, complete);
    assert_eq!(json.metadata().expect("it is there").mode() & 0o777, 0o600);
}

#[test]
fn nobody_writes_through_a_link_of_somebody_else() {
    let [namespace, _other] = linked_as_recorded();
    let daemon = start(&namespace, INSTANCE);
    daemon.await_log(Mark::default(), "(one) Entering");
    let victim = daemon.directory().join("victim");
    for dump in [Dump::State, Dump::Parent, Dump::Statistics, Dump::Json] {
        fs::write(&victim, "precious").expect("the directory is ours");
        let path = daemon.dump_path(dump);
        let _ = fs::remove_file(&path);
        symlink(&victim, &path).expect("the directory is ours");
        daemon.ask(dump);
        lab::await_file(&path, |text| (text != "precious" && text.ends_with('\n')).then_some(()));
        assert!(!path.is_symlink(), "{dump:?}");
        assert_eq!(fs::read_to_string(&victim).expect("it is there"), "precious", "{dump:?}");
    }
}

#[test]
fn what_cannot_be_written_is_said() {
    let [namespace, _other] = linked_as_recorded();
    let config = format!("global_defs {{\n state_dump_file /nowhere/at/all/\n}}\n{INSTANCE}");
    let daemon = start(&namespace, &config);
    daemon.await_log(Mark::default(), "(one) Entering");
    daemon.ask(Dump::State);
    for name in ["/nowhere/at/all/keepalived_parent.data", "/nowhere/at/all/keepalived.data"] {
        daemon.await_log(Mark::default(), &format!("Can't open dump file {name}"));
    }
    assert!(daemon.vrrp().is_some_and(|process| process.lives()));
}

#[test]
fn the_configuration_is_logged_where_that_is_asked_for() {
    let ([namespace, _other], scratch) = (linked_as_recorded(), Scratch::new());
    let config = configuration("everything.conf", &scratch);
    let daemon = Daemon::start_with(&Binary::under_test(), &namespace, &config, &["-P", "-d"]);
    daemon.await_log(Mark::default(), "------< Interfaces >------");
    daemon.await_log(Mark::default(), "(VI_OWNER) Entering MASTER");
    let log = daemon.log().all();
    let lines: Vec<&str> = log.iter().map(|line| line.text.as_str()).collect();
    let vrrp = lines.iter().position(|line| *line == " Default interface = eth0");
    let from = vrrp.expect("VRRP logs its settings");
    let rest = &lines[from..];
    let length = rest.iter().position(|line| !line.starts_with([' ', '-'])).unwrap_or(rest.len());
    let text: String = rest[..length].iter().map(|line| format!("{line}\n")).collect();
    compare("everything.log", &masked(&text, &scratch));
}

/// The longest time between two adverts of a virtual router.
fn longest_gap(adverts: &[(SystemTime, u8)]) -> Duration {
    let gaps = (1..=255).flat_map(|vrid| {
        let times = adverts.iter().filter(move |(_, one)| *one == vrid).map(|(at, _)| *at);
        let times: Vec<SystemTime> = times.collect();
        let gaps = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).unwrap_or_default());
        gaps.collect::<Vec<Duration>>()
    });
    gaps.max().unwrap_or_default()
}

#[test]
fn dumps_hold_up_no_advert() {
    const INTERVAL: Duration = Duration::from_millis(200);
    let lan = lab::Lan::new(1);
    let instances = (1..=200).map(|vrid| {
        format!(
            "vrrp_instance v{vrid} {{\n interface eth0\n virtual_router_id {vrid}\n version 3\n advert_int 0.2\n virtual_ipaddress {{\n 10.9.1.{vrid}\n }}\n}}\n"
        )
    });
    let config: String = instances.collect();
    let namespace = lan.nodes()[0].namespace();
    let daemon = Daemon::start_silent(&Binary::under_test(), namespace, &config);
    let all = ["10.9.1.200".parse().expect("it is an address")];
    assert!(lan.nodes()[0].addresses().wait(&all, true, PATIENCE), "{}", daemon.log_text());
    let since = |mark| -> Vec<(SystemTime, u8)> {
        let captured = lan.capture().frames().since(mark);
        let adverts = captured.iter().filter_map(|it| Some((it.at, it.frame.advert()?.vrid)));
        adverts.collect()
    };
    let adverts_of_one = |mark, count| {
        let mut seen = 0;
        lan.capture().frames().wait(mark, PATIENCE, |captured| {
            seen += u32::from(captured.frame.advert().is_some_and(|advert| advert.vrid == 1));
            (seen == count).then_some(())
        })
    };
    let mark = lan.capture().frames().mark();
    assert!(adverts_of_one(mark, 8).is_some(), "no adverts");
    let quiet = longest_gap(&since(mark));
    let mark = lan.capture().frames().mark();
    for _ in 0..3 {
        for dump in [Dump::State, Dump::Statistics, Dump::Json] {
            let text = daemon.dump(dump);
            let count = text.matches("v200").count();
            assert!(count > 0, "{dump:?} is not complete");
        }
    }
    assert!(adverts_of_one(mark, 4).is_some(), "no adverts any more");
    let busy = longest_gap(&since(mark));
    // A machine that has other things to do delays adverts by itself.
    let allowed = 2 * INTERVAL + quiet.saturating_sub(INTERVAL);
    assert!(busy <= allowed, "{busy:?} between adverts, {quiet:?} without dumps");
}
