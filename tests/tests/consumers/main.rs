//! What programs of others read of keepalived, by the rules that they read it by: one test for each of them.
//!
//! danos and shorewalld speak D-Bus (`dbus.rs`), check_keepalived_vrrp and kadadm SNMP (`snmp.rs`); the exporter of categraf
//! is that of mehdy.

mod exporters;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::{Binary, Daemon, Dump, Mark, Namespace, PATIENCE, Process, Scratch};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde_json::Value;

/// What the daemons of all tests run with.
const CONFIG: &str = "global_defs {
 script_user root
}
vrrp_script check {
 script /usr/bin/true
 weight 3
}
vrrp_track_process absent {
 process no-such-process
 weight 2
}
vrrp_instance first {
 interface eth0
 virtual_router_id 51
 priority 150
 authentication {
  auth_type PASS
  auth_pass longer-than-eight
 }
 virtual_ipaddress {
  10.77.0.100/24 label eth0:1
  10.77.0.101
 }
 virtual_ipaddress_excluded {
  10.77.0.102
 }
 virtual_routes {
  198.18.0.0/16 via 10.77.0.2 dev eth0
 }
 track_script {
  check
 }
 track_process {
  absent
 }
 notify_master \"/usr/bin/true master\"
}
vrrp_instance second {
 interface eth0
 virtual_router_id 52
 version 3
 advert_int 0.5
 garp_master_delay 2
 virtual_ipaddress {
  10.77.0.110/24
 }
}
";

fn namespace() -> Namespace {
    let namespace = Namespace::new();
    namespace.ip(
        "link add eth0 type veth peer name there\nlink set there up\nlink set eth0 up\naddr add 10.77.0.1/24 dev eth0\n",
    );
    namespace
}

/// A daemon whose two instances are master.
fn start(namespace: &Namespace, config: &str) -> Daemon {
    let daemon = Daemon::start_with(&Binary::under_test(), namespace, config, &["-P"]);
    daemon.await_log(Mark::default(), "(first) Entering MASTER");
    daemon.await_log(Mark::default(), "(second) Entering MASTER");
    daemon
}

/// What `--version` and the like print on standard error.
fn banner(option: &str) -> String {
    let output = Binary::under_test().command().arg(option).output().expect("it can be run");
    assert!(output.stdout.is_empty(), "readers look at standard error");
    String::from_utf8(output.stderr).expect("it is text")
}

/// The number that `--signum` prints.
fn signal_number(name: &str) -> i32 {
    let output = Binary::under_test().command().arg(format!("--signum={name}")).output();
    let output = output.expect("it can be run");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("it prints a number")
}

fn kill(process: &Process, number: i32) {
    lab::run("kill", &[&format!("-{number}"), &process.pid().to_string()]);
}

/// The process whose number a pid file of the daemon has: one integer and a newline.
fn from_pid_file(daemon: &Daemon, name: &str) -> Process {
    let text = fs::read_to_string(daemon.directory().join(name)).expect("there is a pid file");
    let number = text.strip_suffix('\n').expect("a newline ends it");
    Process::new(number.parse().expect("it holds a number")).expect("the process lives")
}

/// Waits for an event about exactly `name` in the directory of the daemon, after `act`.
fn await_event(daemon: &Daemon, wanted: AddWatchFlags, name: &str, act: impl FnOnce()) -> String {
    let changes = Inotify::init(InitFlags::IN_NONBLOCK).expect("inotify");
    changes.add_watch(daemon.directory(), wanted).expect("the directory is there");
    act();
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let mut polled = [PollFd::new(changes.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut polled, PollTimeout::from(1000_u16));
        let events = changes.read_events().unwrap_or_default();
        if events.iter().any(|event| event.name.as_deref() == Some(name.as_ref())) {
            return fs::read_to_string(daemon.directory().join(name)).expect("it is there");
        }
    }
    panic!("nothing is heard of {name}");
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("it is JSON")
}

fn integer(object: &Value, key: &str) -> i64 {
    object[key].as_i64().unwrap_or_else(|| panic!("{key} is no integer in {object}"))
}

fn string<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_else(|| panic!("{key} is no string in {object}"))
}

/// What VyOS makes of a line from the FIFO: `TYPE "NAME" STATE PRIORITY`.
fn notification(line: &str) -> Option<(&str, &str, &str, u32)> {
    let (kind, rest) = line.split_once(" \"")?;
    let (name, rest) = rest.split_once("\" ")?;
    let (state, priority) = rest.split_once(' ')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (name.chars().all(is_name)).then_some(())?;
    Some((kind, name, state, priority.parse().ok()?))
}

/// VyOS waits for the file to be closed under its name, reads and deletes it; and it reads the FIFO.
#[test]
fn vyos() {
    let (namespace, scratch) = (namespace(), Scratch::new());
    let fifo = scratch.path().join("fifo");
    let setting = format!("global_defs {{\nvrrp_notify_fifo {}", fifo.display());
    let daemon = start(&namespace, &CONFIG.replacen("global_defs {", &setting, 1));
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(nix::libc::O_NONBLOCK).open(&fifo);
    let mut lines = [0; 4096];
    let length = opened.expect("it is there").read(&mut lines).expect("there is something in it");
    let lines = String::from_utf8_lossy(&lines[..length]);
    let told: Vec<_> = lines.lines().map(|line| notification(line).expect(line)).collect();
    assert!(told.contains(&("INSTANCE", "second", "MASTER", 100)), "{told:?}");
    for dump in [Dump::Json, Dump::State, Dump::Statistics] {
        for _ in 0..2 {
            let wanted = AddWatchFlags::IN_CLOSE_WRITE;
            let text = await_event(&daemon, wanted, dump.name(), || daemon.ask(dump));
            assert!(text.ends_with('\n'), "{dump:?} is not complete");
            fs::remove_file(daemon.dump_path(dump)).expect("it is there");
        }
    }
    let json = parsed(&daemon.dump(Dump::Json));
    for instance in json.as_array().expect("it is an array") {
        let data = &instance["data"];
        for key in ["vrid", "state", "effective_priority"] {
            integer(data, key);
        }
        assert!(data["last_transition"].is_number());
    }
}

/// The checkmk extension takes both versions, and makes a metric of every member of `stats`.
#[test]
fn checkmk() {
    let namespace = namespace();
    for version in [1, 2] {
        let config =
            CONFIG.replacen("global_defs {", &format!("global_defs {{\njson_version {version}"), 1);
        let daemon = start(&namespace, &config);
        let wanted = AddWatchFlags::IN_CLOSE_WRITE;
        let text = await_event(&daemon, wanted, Dump::Json.name(), || daemon.ask(Dump::Json));
        let json = parsed(&text);
        let instances = if version == 1 { &json } else { &json["vrrp"] };
        for instance in instances.as_array().expect("it is an array") {
            for (name, value) in instance["stats"].as_object().expect("there are counters") {
                assert!(value.is_number(), "{name} is {value}");
            }
            assert!([0, 1, 2, 3, 97, 98].contains(&integer(&instance["data"], "state")));
            assert!(instance["data"]["vips"].is_array());
        }
        if version == 2 {
            let process = &json["track_process"][0];
            assert_eq!(string(process, "process"), "absent");
            assert_eq!(process["have_quorum"], Value::Bool(false));
            assert_eq!(integer(process, "current_processes"), 0);
            assert_eq!(integer(process, "min_processes"), 1);
        }
    }
}

/// nser77/keepalived-wrapper and its Zabbix template insist on Python's types.
#[test]
fn keepalived_wrapper_for_zabbix() {
    let namespace = namespace();
    let daemon = start(&namespace, CONFIG);
    let json = parsed(&daemon.dump(Dump::Json));
    for instance in json.as_array().expect("it is an array") {
        let data = &instance["data"];
        for key in [
            "dont_track_primary",
            "skip_check_adv_addr",
            "strict_mode",
            "master_priority",
            "lower_prio_no_advert",
            "higher_prio_send_advert",
            "vrid",
            "base_priority",
            "effective_priority",
            "accept",
            "preempt_delay",
            "state",
            "wantstate",
            "version",
        ] {
            integer(data, key);
        }
        for key in ["vipset", "promote_secondaries", "nopreempt", "smtp_alert", "notify_deleted"] {
            assert!(data[key].is_boolean(), "{key} is {}", data[key]);
        }
    }
    let data = &json[0]["data"];
    assert_eq!((integer(data, "adver_int"), integer(data, "master_adver_int")), (1, 1));
    assert_eq!(string(data, "script_master"), "'/usr/bin/true' 'master'");
    assert_eq!((integer(data, "auth_type"), string(data, "auth_data")), (1, "********"));
    assert_eq!(data["track_script"][0], "'/usr/bin/true'");
    assert_eq!(data["vroutes"][0], "prepend 198.18.0.0/16 via inet 10.77.0.2 dev eth0 proto 18");
}

/// OpenWrt signals every process of keepalived, parent and children, and embeds the file in JSON of its own.
#[test]
fn openwrt() {
    let namespace = namespace();
    let daemon = start(&namespace, CONFIG);
    let children = daemon.process().children();
    // An old one may be there.
    let _ = fs::remove_file(daemon.dump_path(Dump::Json));
    for process in children.iter().chain([daemon.process()]) {
        kill(process, Dump::Json.number());
    }
    let text = lab::await_file(&daemon.dump_path(Dump::Json), |text| {
        text.ends_with('\n').then(|| text.to_owned())
    });
    assert!(parsed(&format!("{{ \"status\": {text} }}"))["status"].is_array());
    for number in [10, 12, 1] {
        for process in &children {
            kill(process, number);
        }
    }
    daemon.await_log(Mark::default(), "Printing VRRP stats for process(");
    assert!(children.iter().all(Process::lives), "{}", daemon.log_text());
}

/// OpenStack neutron finds its router in the command lines of both processes that the pid files name, and the version
/// as second word on standard error.
#[test]
fn neutron() {
    let first = banner("--version");
    let first = first.lines().next().expect("it says something");
    let version = first.split(' ').nth(1).expect("there are words").trim_start_matches('v');
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().expect("a number")).collect();
    assert!(parts >= vec![2, 0, 3], "{version}");
    let namespace = namespace();
    let daemon = start(&namespace, CONFIG);
    let identity = daemon.config().to_string_lossy().into_owned();
    for name in ["parent.pid", "vrrp.pid"] {
        let pid = from_pid_file(&daemon, name).pid();
        let line = fs::read(format!("/proc/{pid}/cmdline")).expect("the process lives");
        assert!(String::from_utf8_lossy(&line).contains(&identity), "{name}");
    }
}

/// OpenShift empties the file, asks for it, and looks for an instance in it within 5 s.
#[test]
fn openshift() {
    let namespace = namespace();
    let daemon = start(&namespace, CONFIG);
    let path = daemon.dump_path(Dump::State);
    fs::write(&path, "").expect("the directory is ours");
    let since = Instant::now();
    daemon.ask(Dump::State);
    lab::await_file(&path, |text| text.contains("VRRP Instance").then_some(()));
    assert!(since.elapsed() < Duration::from_secs(5));
}

/// kube-keepalived-vip and the keepalived-operator run it in the foreground, with pid files where they are by default and
/// a chain of iptables, reload it with SIGHUP, and learn of states by a script.
#[test]
fn kube_keepalived_vip() {
    let (namespace, scratch) = (namespace(), Scratch::new());
    let told = scratch.write("told", "");
    let script =
        scratch.write("notify", &format!("#!/bin/sh\necho $1 $2 $3 >>{}\n", told.display()));
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let setting = "global_defs {\n vrrp_version 3\n vrrp_iptables KUBE-KEEPALIVED-VIP";
    let notify = format!(" notify {}\n notify_master", script.display());
    let config =
        CONFIG.replacen("global_defs {", setting, 1).replacen(" notify_master", &notify, 1);
    let file = scratch.write("keepalived.conf", &config);
    // A /run of its own, and the number of the shell becomes that of the daemon.
    let options = "--dont-fork --log-console --log-detail --release-vips --use-file";
    let script = format!("mount -t tmpfs tmpfs /run && exec \"$0\" {options} \"$1\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]).arg(Binary::under_test().path()).arg(file);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = namespace.enter(|| command.spawn()).expect("it can be run");
    let log = BufReader::new(child.stderr.take().expect("it was asked for"));
    let mut log = log.lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("(first) Entering MASTER STATE")));
    let root = Path::new("/proc").join(child.id().to_string()).join("root");
    let [parent, vrrp] = ["run/keepalived.pid", "run/vrrp.pid"].map(|name| {
        let text = fs::read_to_string(root.join(name)).expect("it is where it always was");
        Process::new(text.trim().parse().expect("it holds a number")).expect("the process lives")
    });
    assert_eq!(parent.children().first().map(Process::pid), Some(vrrp.pid()));
    kill(&parent, 1);
    assert!(log.any(|line| line.contains("Reload complete")));
    lab::await_file(&told, |text| {
        text.lines().any(|line| line == "INSTANCE first MASTER").then_some(())
    });
    kill(&parent, 15);
    assert!(child.wait().expect("it is our child").success());
}

/// The roles for Ansible and the module for Puppet take the version from the first line by a regular expression.
#[test]
fn configuration_management() {
    let text = banner("-v");
    let first = text.lines().next().expect("it says something");
    let version = first.strip_prefix("Keepalived v").and_then(|rest| rest.split_once(' '));
    let (version, date) = version.expect("it begins as they expect");
    assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{version}");
    assert!(date.starts_with('(') && date.ends_with(')'), "{date}");
    assert!(text.lines().any(|line| line.starts_with("Config options:") && line.contains(" JSON")));
}

/// The amphora of OpenStack Octavia is healthy while the process of the pid file lives and the file is newer than the
/// configuration. Its routes and rules are in table 1, and its own code leaves rules of protocol 18 alone.
#[test]
fn octavia() {
    let namespace = namespace();
    let amphora = " nopreempt
 accept
 garp_master_refresh 5
 garp_master_refresh_repeat 2
 unicast_src_ip 10.77.0.1
 unicast_peer {
  10.77.0.3
 }
 virtual_routes {
  default via 10.77.0.2 dev eth0 onlink table 1
  10.77.0.0/24 dev eth0 src 10.77.0.1 scope link table 1
 }
 virtual_rules {
  from 10.77.0.100/32 table 1 priority 100
 }
 notify_master";
    let config =
        CONFIG.replacen(" virtual_routes {\n  198.18.0.0/16 via 10.77.0.2 dev eth0\n }\n", "", 1);
    let daemon = start(&namespace, &config.replacen(" notify_master", amphora, 1));
    assert!(from_pid_file(&daemon, "parent.pid").lives());
    let age =
        |path: &Path| fs::metadata(path).and_then(|data| data.modified()).expect("it is there");
    assert!(age(&daemon.directory().join("parent.pid")) >= age(&daemon.config()));
    let rules = namespace.ip_json(&["-d", "-N", "rule", "show", "priority", "100"]);
    assert_eq!((&rules[0]["src"], &rules[0]["table"]), (&"10.77.0.100".into(), &"1".into()));
    assert_eq!(rules[0]["protocol"], "18", "{rules}");
    let routes = namespace.ip_json(&["route", "show", "table", "1"]);
    assert_eq!(routes.as_array().map(Vec::len), Some(2), "{routes}");
}

/// munin and ncollectd ask with SIGUSR1 and SIGUSR2 and look for the keys at the beginnings of lines, munin in a file of
/// its own choice.
#[test]
fn munin_and_ncollectd() {
    let namespace = namespace();
    let scratch = Scratch::new();
    let file = scratch.path().join("state");
    let setting = format!("global_defs {{\n state_dump_file {}", file.display());
    let daemon = start(&namespace, &CONFIG.replacen("global_defs {", &setting, 1));
    kill(&from_pid_file(&daemon, "parent.pid"), 10);
    let text =
        lab::await_file(&file, |text| text.contains("State = MASTER").then(|| text.to_owned()));
    for key in
        ["VRRP Instance = first", "State = MASTER", "Priority = 150", "Virtual Router ID = 51"]
    {
        assert!(text.lines().any(|line| line.trim_start() == key), "{key}");
    }
    kill(&from_pid_file(&daemon, "parent.pid"), 12);
    let wanted = ["Became master: 1", "Released master: 0"];
    lab::await_file(&daemon.dump_path(Dump::Statistics), |text| {
        wanted.iter().all(|key| text.lines().any(|line| line.trim() == *key)).then_some(())
    });
}
