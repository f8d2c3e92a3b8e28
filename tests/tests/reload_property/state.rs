//! What a kernel holds in a namespace, but for what depends on time, on the order of events, or on numbers that it gives.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use lab::{Iptables, Namespace};
use serde_json::Value;

/// What is there, one line for each thing.
pub(crate) fn state(namespace: &Namespace, iptables: &Iptables) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    found.extend(addresses(namespace));
    found.extend(links(namespace));
    found.extend(namespace.routes().into_iter().map(|route| format!("route {route}")));
    found.extend(namespace.rules().into_iter().map(|rule| format!("rule {rule}")));
    found.extend(firewall(namespace));
    found.extend(sets(namespace));
    found.extend(iptables.rules(namespace).into_iter().map(|rule| format!("iptables {rule}")));
    found.extend(settings(namespace));
    let names = made_up(namespace);
    let steady = |line: String| {
        names.iter().fold(line, |line, (name, steady)| line.replace(name.as_str(), steady))
    };
    found.into_iter().map(steady).collect()
}

/// Names of VMACs that the configuration does not give, and what to call them instead: which of several has which name
/// depends on which of them came first.
fn made_up(namespace: &Namespace) -> Vec<(String, String)> {
    let Value::Array(interfaces) = namespace.ip_json(&["-d", "link", "show"]) else {
        return Vec::new();
    };
    let steady = |link: &Value| {
        let name = link["ifname"].as_str().filter(|name| name.starts_with("vrrp"))?;
        Some((name.to_owned(), format!("{} on {}", link["address"], link["link"])))
    };
    interfaces.iter().filter_map(steady).collect()
}

fn without(mut value: Value, unsteady: &[&str]) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !unsteady.contains(&key.as_str()));
    }
    value
}

fn addresses(namespace: &Namespace) -> Vec<String> {
    let mut found = Vec::new();
    let Value::Array(interfaces) = namespace.ip_json(&["-N", "addr", "show"]) else {
        return found;
    };
    for interface in interfaces {
        let name = interface["ifname"].as_str().unwrap_or_default();
        for address in interface["addr_info"].as_array().into_iter().flatten() {
            // Which address of a subnet is the primary one depends on which of them came first.
            let address = without(address.clone(), &["valid_life_time", "secondary"]);
            found.push(format!("address {name} {address}"));
        }
    }
    found
}

fn links(namespace: &Namespace) -> Vec<String> {
    let Value::Array(interfaces) = namespace.ip_json(&["-d", "link", "show"]) else {
        return Vec::new();
    };
    let unsteady = ["ifindex", "link_index"];
    interfaces.into_iter().map(|link| format!("link {}", without(link, &unsteady))).collect()
}

/// Sets for iptables: their names and kinds, and what is in them.
fn sets(namespace: &Namespace) -> Vec<String> {
    let arguments = ["netns", "exec", namespace.name(), "ipset", "save"];
    let output = Command::new("ip").args(arguments).output().expect("ip is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    // Behind the kind of a set there are numbers that the kernel has made up.
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        ["create", name, kind, ..] => format!("set {name} {kind}"),
        _ => format!("set {line}"),
    };
    text.lines().map(line).collect()
}

/// The lines of all tables; elements of sets have no order, and counters count.
fn firewall(namespace: &Namespace) -> Vec<String> {
    let arguments = ["netns", "exec", namespace.name(), "nft", "list", "ruleset"];
    let output = Command::new("ip").args(arguments).output().expect("ip is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (mut table, mut block) = (String::new(), String::new());
    let mut found = Vec::new();
    // A long list of elements goes on in further lines.
    for line in text.replace(",\n", ",").lines() {
        let line = line.trim();
        if line.starts_with("table ") {
            line.clone_into(&mut table);
        } else if line.ends_with('{') {
            line.clone_into(&mut block);
        } else if let Some(elements) = line.strip_prefix("elements = {") {
            let elements = elements.trim_end_matches('}').split(',').map(str::trim);
            found.extend(elements.map(|one| format!("firewall {table} {block} element {one}")));
        } else if line.len() > 1 {
            found.push(format!("firewall {table} {block} {}", uncounted(line)));
        }
    }
    found
}

fn uncounted(line: &str) -> String {
    let mut words = line.split(' ');
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        kept.push(word);
        if word == "counter" {
            // packets N bytes N
            words.by_ref().take(4).for_each(drop);
        }
    }
    kept.join(" ")
}

fn settings(namespace: &Namespace) -> Vec<String> {
    namespace.enter(|| {
        let mut found = Vec::new();
        for family in ["ipv4", "ipv6"] {
            let conf = Path::new("/proc/sys/net").join(family).join("conf");
            let interfaces = fs::read_dir(conf).into_iter().flatten().flatten();
            for entry in interfaces.flat_map(|one| fs::read_dir(one.path())).flatten().flatten() {
                // Some cannot be read before they have been written.
                if let Ok(value) = fs::read_to_string(entry.path()) {
                    found.push(format!("setting {} {}", entry.path().display(), value.trim()));
                }
            }
        }
        found
    })
}
