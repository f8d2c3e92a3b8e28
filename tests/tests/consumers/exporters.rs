//! Exporters for Prometheus: they ask for dumps by signals, and read them by their shape.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use lab::Dump;
use serde_json::Value;

use super::{
    CONFIG, banner, from_pid_file, integer, kill, namespace, parsed, signal_number, start, string,
};

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
