//! Valid configurations by chance. They are made of few names, numbers and addresses, so that two of them have much in
//! common, often in another place or with another option.

use std::path::Path;

use crate::dice::Dice;

/// A configuration.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its text.
    pub(crate) text: String,
    /// The instances that are soon master on a network of their own.
    pub(crate) masters: Vec<String>,
}

const NAMES: [&str; 7] = ["web", "shop", "mail", "db", "proxy", "dns", "voice"];

const ADDRESSES4: [(&str, &str); 9] = [
    ("10.9.0.100", "24"),
    ("10.9.0.101", "24"),
    ("10.9.0.102", "32"),
    ("10.9.1.1", "24"),
    ("10.9.1.2", "24"),
    ("10.9.1.3", "24"),
    ("10.9.2.1", "25"),
    ("10.8.0.100", "24"),
    ("10.8.1.1", "24"),
];

const ADDRESSES6: [(&str, &str); 6] = [
    ("fe80::100", "64"),
    ("fe80::101", "64"),
    ("fd00:9::100", "64"),
    ("fd00:9::101", "128"),
    ("fd00:a::1", "64"),
    ("fd00:a::2", "64"),
];

const OPTIONS4: [&str; 7] =
    ["", "", "brd 10.9.3.255", "scope link", "preferred_lft 0", "noprefixroute", "no_track"];

const OPTIONS6: [&str; 5] = ["", "", "preferred_lft 0", "noprefixroute", "no_track"];

/// What keeps packets away, where that is not `nftables`, which no reload may add or take away. The chains `one` and `two` are
/// there.
const FIREWALLS: [&str; 6] = [
    "",
    "vrrp_iptables",
    "vrrp_iptables one",
    "vrrp_iptables one two",
    "vrrp_iptables\n    vrrp_ipsets",
    "vrrp_iptables one two\n    vrrp_ipsets mine mine6 mine_if6",
];

/// What has not been used yet: nothing may be in two places at once.
struct Stock {
    names: Vec<&'static str>,
    vrids: Vec<u8>,
    addresses4: Vec<(&'static str, &'static str)>,
    addresses6: Vec<(&'static str, &'static str)>,
    routes: Vec<u8>,
    rules: Vec<u8>,
}

impl Stock {
    fn address(&mut self, ipv4: bool, dice: &mut Dice) -> Option<String> {
        let (from, options) = if ipv4 {
            (&mut self.addresses4, OPTIONS4.as_slice())
        } else {
            (&mut self.addresses6, OPTIONS6.as_slice())
        };
        let (address, length) = dice.take(from)?;
        let option = dice.pick(options);
        // The kernel wants the same of all addresses of a subnet.
        let is_wrong = option.starts_with("scope") && length == "24";
        Some(format!("{address}/{length} {}", if is_wrong { "" } else { option }))
    }

    /// A route that needs no virtual address.
    fn route(&mut self, dice: &mut Dice) -> Option<String> {
        let number = dice.take(&mut self.routes)?;
        let metric = dice.pick(&["", "metric 7", "mtu 1400", "table 100", "no_track"]);
        Some(match number {
            0..4 => {
                let way = dice.pick(&["via 10.9.0.9", "via 10.9.0.8 dev eth0", "dev inner0"]);
                format!("10.20.{number}.0/24 {way} {metric}")
            }
            4 => "10.20.4.0/24 nexthop via 10.9.0.9 weight 1 nexthop via 10.9.0.8 weight 2".into(),
            5 => format!("blackhole 10.20.5.0/24 {metric}"),
            _ => {
                let way = dice.pick(&["via fd00:9::9", "dev eth0", "via fd00:9::8 dev eth0"]);
                format!("fd20:{number}::/64 {way} {metric}")
            }
        })
    }

    fn rule(&mut self, dice: &mut Dice) -> Option<String> {
        let number = dice.take(&mut self.rules)?;
        let table = dice.pick(&["table 100", "table 101", "table 100 no_track"]);
        let from = if number < 4 { "10.30" } else { "fd30:0:0" };
        let selector = match number {
            0..4 => format!("from {from}.{number}.0/24"),
            _ => format!("to {from}:{number}::/64"),
        };
        let more = dice.pick(&["", "", "fwmark 5", "iif eth0"]);
        Some(format!("{selector} {more} priority {} {table}", 1000 + u32::from(number)))
    }
}

/// The configuration of `dice`. It tracks the file `track`, which holds a 1, and the interface `down0`, which is down.
/// Without `nftables` it may use iptables.
pub(crate) fn scenario(dice: &mut Dice, track: &Path, nftables: bool) -> Scenario {
    let mut stock = Stock {
        names: NAMES.to_vec(),
        vrids: (51..59).collect(),
        addresses4: ADDRESSES4.to_vec(),
        addresses6: ADDRESSES6.to_vec(),
        routes: (0..8).collect(),
        rules: (0..6).collect(),
    };
    let mut text = global(dice, nftables);
    text += &format!("track_file one {{\n    file {}\n}}\n", track.display());
    text += &fixed(&mut stock, dice);
    let count = 1 + dice.below(5);
    let instances: Vec<Instance> = (0..count).filter_map(|_| instance(&mut stock, dice)).collect();
    let mut masters: Vec<bool> = instances.iter().map(|one| one.is_master).collect();
    if instances.len() >= 3 && dice.chance(40) {
        let first = dice.below(instances.len() - 1);
        let members = &instances[first..first + 2];
        let list: String = members.iter().map(|one| format!("        {}\n", one.name)).collect();
        text += &format!("vrrp_sync_group all {{\n    group {{\n{list}    }}\n}}\n");
        let all = masters[first] && masters[first + 1];
        masters[first..first + 2].fill(all);
    }
    text.extend(instances.iter().map(|one| one.text.as_str()));
    let masters = instances.iter().zip(masters).filter(|(_, is_master)| *is_master);
    Scenario { text, masters: masters.map(|(one, _)| one.name.to_owned()).collect() }
}

fn global(dice: &mut Dice, nftables: bool) -> String {
    let lines = ["nftables_priority 5", "nftables_counters", "nftables_ifindex", "vrrp_version 3"];
    let lines = lines.iter().filter(|_| dice.chance(20));
    let lines: String = lines.map(|line| format!("    {line}\n")).collect();
    let firewall = if nftables { "nftables" } else { dice.pick(&FIREWALLS) };
    format!("global_defs {{\n    {firewall}\n{lines}}}\n")
}

/// A block of `entries`, if there are any.
fn block(name: &str, entries: &[String]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let entries: String = entries.iter().map(|entry| format!("        {entry}\n")).collect();
    format!("    {name} {{\n{entries}    }}\n")
}

/// Up to `most` of what `make` gives.
fn some<T>(most: usize, dice: &mut Dice, mut make: impl FnMut(&mut Dice) -> Option<T>) -> Vec<T> {
    let count = dice.below(most + 1);
    (0..count).filter_map(|_| make(dice)).collect()
}

fn fixed(stock: &mut Stock, dice: &mut Dice) -> String {
    let addresses = some(2, dice, |dice| {
        let ipv4 = dice.chance(70);
        let interface = dice.pick(&["eth0", "inner0"]);
        Some(format!("{} dev {interface}", stock.address(ipv4, dice)?))
    });
    let routes = some(2, dice, |dice| stock.route(dice));
    let rules = some(2, dice, |dice| stock.rule(dice));
    block("static_ipaddress", &addresses)
        + &block("static_routes", &routes)
        + &block("static_rules", &rules)
}

struct Instance {
    name: &'static str,
    text: String,
    is_master: bool,
}

fn instance(stock: &mut Stock, dice: &mut Dice) -> Option<Instance> {
    let ipv4 = dice.chance(65);
    let first = stock.address(ipv4, dice)?;
    let name = dice.take(&mut stock.names)?;
    let vrid = dice.take(&mut stock.vrids)?;
    let interface = dice.pick(&["eth0", "eth0", "inner0"]);
    let version = if ipv4 { dice.pick(&[2, 3]) } else { 3 };
    // Others than owners take their time, which version 2 counts in seconds.
    let priority = if version == 2 { 255 } else { dice.pick(&[255, 255, 100, 200, 254]) };
    let mut lines = vec![
        format!("interface {interface}"),
        format!("virtual_router_id {vrid}"),
        format!("version {version}"),
        format!("priority {priority}"),
    ];
    if version == 3 {
        lines.push(format!("advert_int {}", dice.pick(&["0.05", "0.1"])));
    }
    lines.extend(link(vrid, dice));
    for (line, percent) in
        [("promote_secondaries", 10), ("garp_master_delay 1", 10), ("dont_track_primary", 10)]
    {
        lines.extend(dice.chance(percent).then(|| line.to_owned()));
    }
    if priority < 255 && dice.chance(30) {
        lines.push("no_accept".to_owned());
    }
    let fault = dice.pick(&["", "", "", "", "", "down0", "one", "weighted"]);
    match fault {
        "down0" => lines.push("track_interface {\n        down0\n    }".to_owned()),
        "one" => lines.push("track_file {\n        one\n    }".to_owned()),
        "weighted" => lines.push("track_file {\n        one weight 2\n    }".to_owned()),
        _ => {}
    }
    let is_master = !matches!(fault, "down0" | "one");
    let mut addresses = vec![first];
    addresses.extend(some(2, dice, |dice| stock.address(ipv4, dice)));
    let elsewhere = [" dev eth0", " dev inner0", "", "", ""];
    let addresses: Vec<String> =
        addresses.into_iter().map(|one| one + dice.pick(&elsewhere)).collect();
    let excluded = some(2, dice, |dice| {
        let ipv4 = dice.chance(50);
        Some(stock.address(ipv4, dice)? + dice.pick(&elsewhere))
    });
    let routes = some(2, dice, |dice| stock.route(dice));
    let rules = some(2, dice, |dice| stock.rule(dice));
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    let text = format!("vrrp_instance {name} {{\n{lines}")
        + &block("virtual_ipaddress", &addresses)
        + &block("virtual_ipaddress_excluded", &excluded)
        + &block("virtual_routes", &routes)
        + &block("virtual_rules", &rules)
        + "}\n";
    Some(Instance { name, text, is_master })
}

/// The lines about an interface of its own. Whether it has a name depends on its number, since it keeps a name that a
/// reload takes away: it would have to be made again.
fn link(vrid: u8, dice: &mut Dice) -> Vec<String> {
    let name = if vrid % 2 == 0 { format!(" own.{vrid}") } else { String::new() };
    let mut lines = match dice.below(10) {
        0 | 1 => vec![format!("use_vmac{name}")],
        2 => vec![format!("use_vmac{name}"), "vmac_xmit_base".to_owned()],
        _ => Vec::new(),
    };
    if !lines.is_empty() && dice.chance(20) {
        lines.push("use_vmac_addr".to_owned());
    }
    lines
}
