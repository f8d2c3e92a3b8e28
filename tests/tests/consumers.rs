//! What programs of others read of keepalived, by the rules that they read it by: one test for each of them.
//!
//! danos and shorewalld speak D-Bus (`dbus.rs`), check_keepalived_vrrp and kadadm SNMP (`snmp.rs`); the exporter of categraf
//! is that of mehdy.

use std::collections::HashMap;
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

/// Members of `stats` that exporters ask for by name.
const COUNTERS: [&str; 14] = [
    "advert_rcvd",
    "advert_sent",
    "become_master",
    "release_master",
    "packet_len_err",
    "advert_interval_err",
    "ip_ttl_err",
    "invalid_type_rcvd",
    "addr_list_err",
    "invalid_authtype",
    "authtype_mismatch",
    "auth_failure",
    "pri_zero_rcvd",
    "pri_zero_sent",
];

/// An instance as the exporter finds it in `keepalived.data`.
#[derive(Debug, Default)]
struct Exported {
    fields: HashMap<String, String>,
    addresses: Vec<String>,
    excluded: Vec<String>,
}

/// The exporter's reader of `keepalived.data`: what is indented by three blanks belongs to the instance above, what is
/// indented by five to the title above.
fn exported_data(
    text: &str,
) -> (HashMap<String, Exported>, HashMap<String, HashMap<String, String>>) {
    let (mut instances, mut scripts) = (HashMap::new(), HashMap::new());
    let (mut instance, mut script, mut title) = (None::<String>, None::<String>, String::new());
    for line in text.lines() {
        let blanks = line.len() - line.trim_start_matches(' ').len();
        let content = &line[blanks..];
        let pair = content.split_once(" = ").map(|(key, value)| (key.to_owned(), value.to_owned()));
        match (blanks, pair) {
            (1, Some((key, name))) if key == "VRRP Instance" => {
                instances.insert(name.clone(), Exported::default());
                (instance, script) = (Some(name), None);
            }
            (1, Some((key, name))) if key == "VRRP Script" => {
                scripts.insert(name.clone(), HashMap::new());
                (script, instance) = (Some(name), None);
            }
            (3, pair) => {
                if let (Some(script), Some((key, value))) = (&script, &pair) {
                    let fields: &mut HashMap<String, String> =
                        scripts.get_mut(script).expect("it was put there");
                    fields.insert(key.clone(), value.clone());
                }
                if let (Some(instance), Some((key, value))) = (&instance, pair) {
                    let found = instances.get_mut(instance).expect("it was put there");
                    found.fields.insert(key, value);
                }
                content.clone_into(&mut title);
            }
            (5, _) => {
                let Some(instance) = &instance else { continue };
                let found = instances.get_mut(instance).expect("it was put there");
                if title.starts_with("Virtual IP Excluded") {
                    found.excluded.push(content.to_owned());
                } else if title.starts_with("Virtual IP") {
                    found.addresses.push(content.to_owned());
                }
            }
            _ => (instance, script) = (None, None),
        }
    }
    (instances, scripts)
}

/// The exporter's reader of `keepalived.stats`: a value that is no integer ends it.
fn exported_statistics(text: &str) -> HashMap<String, HashMap<String, i64>> {
    let (mut all, mut name, mut section) = (HashMap::new(), String::new(), String::new());
    for line in text.lines() {
        let blanks = line.len() - line.trim_start_matches(' ').len();
        let (key, value) = line.trim().split_once(':').expect("every line has a colon");
        let mut insert = |key: String| {
            let value = value.trim().parse().unwrap_or_else(|_| panic!("no integer: {line}"));
            let fields: &mut HashMap<String, i64> = all.entry(name.clone()).or_default();
            fields.insert(key, value);
        };
        match (blanks, value.trim()) {
            (0, instance) => {
                assert_eq!(key, "VRRP Instance");
                instance.clone_into(&mut name);
            }
            (2, "") => key.clone_into(&mut section),
            (2, _) => insert(key.to_owned()),
            (4, _) => insert(format!("{section}/{key}")),
            _ => panic!("a line of another shape: {line:?}"),
        }
    }
    all
}

/// github.com/mehdy/keepalived-exporter.
#[test]
fn keepalived_exporter() {
    for option in ["-v", "--version"] {
        assert!(banner(option).contains("--enable-json"), "it would not ask for JSON");
    }
    let namespace = namespace();
    let daemon = start(&namespace, CONFIG);
    let parent = from_pid_file(&daemon, "parent.pid");
    kill(&parent, signal_number("JSON"));
    let json =
        lab::await_file(&daemon.dump_path(Dump::Json), |text| serde_json::from_str(text).ok());
    let Value::Array(instances) = json else { panic!("version 1 is an array") };
    assert_eq!(instances.len(), 2);
    for instance in &instances {
        let data = &instance["data"];
        for key in ["iname", "ifp_ifname"] {
            string(data, key);
        }
        for key in ["state", "wantstate", "garp_delay", "vrid"] {
            integer(data, key);
        }
        for address in data["vips"].as_array().expect("there are addresses") {
            let words: Vec<&str> = address.as_str().expect("it is text").split(' ').collect();
            assert!(words.len() >= 3, "{words:?}");
            assert!(
                words[0].split('/').next().is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok())
            );
            assert_eq!(words[2], "eth0");
        }
        for key in COUNTERS {
            integer(&instance["stats"], key);
        }
    }
    assert_eq!(instances[0]["data"]["evips"].as_array().map(Vec::len), Some(1));
    assert!(instances[1]["data"]["evips"].is_null());

    kill(&parent, signal_number("DATA"));
    let data = lab::await_file(&daemon.dump_path(Dump::State), |text| {
        text.contains("< Interfaces >").then(|| text.to_owned())
    });
    let (instances, scripts) = exported_data(&data);
    let first = &instances["first"];
    assert_eq!(first.fields["State"], "MASTER");
    assert_eq!(first.fields["Wantstate"], "MASTER");
    assert_eq!(first.fields["Interface"], "eth0");
    assert_eq!(first.fields["Virtual Router ID"], "51");
    assert_eq!(instances["second"].fields["Gratuitous ARP delay"], "2");
    assert_eq!(first.addresses[0], "10.77.0.100/24 dev eth0 scope global label eth0:1 set");
    assert_eq!((first.addresses.len(), first.excluded.len()), (2, 1));
    assert!(["GOOD", "BAD"].contains(&scripts["check"]["Status"].as_str()));
    assert!(
        ["idle", "running", "requested termination", "forcing termination"]
            .contains(&scripts["check"]["State"].as_str())
    );

    kill(&parent, signal_number("STATS"));
    let statistics = lab::await_file(&daemon.dump_path(Dump::Statistics), |text| {
        text.ends_with("Sent: 0\n").then(|| exported_statistics(text))
    });
    for key in [
        "Advertisements/Received",
        "Advertisements/Sent",
        "Became master",
        "Released master",
        "Packet Errors/Length",
        "Packet Errors/TTL",
        "Packet Errors/Invalid Type",
        "Packet Errors/Advertisement Interval",
        "Packet Errors/Address List",
        "Authentication Errors/Invalid Type",
        "Authentication Errors/Type Mismatch",
        "Authentication Errors/Failure",
        "Priority Zero/Received",
        "Priority Zero/Sent",
    ] {
        assert!(statistics["second"].contains_key(key), "{key} is missing");
    }
    assert_eq!(statistics["first"]["Became master"], 1);
}

/// github.com/gen2brain/keepalived_exporter: it knows the process by the name of its program, and the signal by its
/// number.
#[test]
fn keepalived_exporter_by_process_name() {
    let namespace = namespace();
    let daemon = start(&namespace, CONFIG);
    let pid = daemon.process().pid();
    let command = fs::read(format!("/proc/{pid}/cmdline")).expect("the process lives");
    let program = command.split(|&byte| byte == 0).next().unwrap_or_default();
    let program = String::from_utf8_lossy(program).into_owned();
    assert_eq!(Path::new(&program).file_name().and_then(|name| name.to_str()), Some("keepalived"));
    let json = parsed(&daemon.dump(Dump::Json));
    for instance in json.as_array().expect("it is an array") {
        let data = &instance["data"];
        assert!(data["last_transition"].is_f64(), "{}", data["last_transition"]);
        for key in ["vrid", "state", "wantstate"] {
            integer(data, key);
        }
        for key in ["iname", "ifp_ifname"] {
            string(data, key);
        }
    }
    // It deletes what temporary files it finds.
    let left = fs::read_dir(daemon.directory()).expect("it is there").flatten();
    let names = left.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let surplus = names.filter(|name| name.starts_with("keepalived.json")).count();
    assert_eq!(surplus, 1, "only the dump itself");
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
