//! A virtual or static policy rule as a line of a dump.

use runtime::machine::rule::RuleAction;

use super::{kind, prefix};
use crate::config::Rule;

/// `from 10.0.0.1 to 198.18.0.0/16 priority 2000 tos 0x0 protocol 18 lookup 101`. `track_group` is the name of its track
/// group.
pub(crate) fn rule(rule: &Rule, track_group: Option<&str>) -> String {
    let mut words = selectors(rule);
    words.extend(matches(rule));
    words.push(action(rule));
    if !rule.tracked {
        words.push("no_track".to_owned());
    }
    words.extend(track_group.map(|group| format!("track_group {group}")));
    words.join(" ")
}

fn selectors(rule: &Rule) -> Vec<String> {
    let mut words = Vec::new();
    if rule.wanted.ipv6 && rule.wanted.from.is_none() && rule.wanted.to.is_none() {
        words.push("inet6".to_owned());
    }
    if rule.wanted.invert {
        words.push("not".to_owned());
    }
    words.push(
        rule.wanted.from.map_or_else(|| "from all".to_owned(), |it| format!("from {}", prefix(it))),
    );
    words.extend(rule.wanted.to.map(|it| format!("to {}", prefix(it))));
    words.push(format!("priority {}", rule.wanted.priority));
    words.push(format!("tos {:#x}", rule.wanted.tos));
    let mask = rule.mask.filter(|&mask| mask != u32::MAX);
    if rule.mark.is_some() || rule.mask.is_some() {
        let mask = mask.map(|mask| format!("/{mask:#x}")).unwrap_or_default();
        words.push(format!("fwmark {:#x}{mask}", rule.mark.unwrap_or(0)));
    }
    words.extend(rule.wanted.input.as_ref().map(|name| format!("iif {name}")));
    words.extend(rule.wanted.output.as_ref().map(|name| format!("oif {name}")));
    words
}

fn matches(rule: &Rule) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(rule.wanted.suppress_prefix_len.map(|len| format!("suppress_prefixlen {len}")));
    words.extend(rule.wanted.suppress_group.map(|group| format!("suppress_ifgroup {group}")));
    words.extend(rule.wanted.tunnel.map(|id| format!("tunnel-id {id}")));
    let users = rule.wanted.users.as_ref();
    words.extend(users.map(|users| format!("uidrange {}-{}", users.start(), users.end())));
    if rule.wanted.action == RuleAction::L3mdev {
        words.push("l3mdev".to_owned());
    }
    words.extend(rule.wanted.protocol.map(|number| format!("protocol {number}")));
    words.extend(rule.wanted.ip_protocol.map(|number| format!("ipproto {number}")));
    for (name, ports) in
        [("sport", &rule.wanted.source_ports), ("dport", &rule.wanted.destination_ports)]
    {
        let ports = ports.as_ref();
        words.extend(ports.map(|ports| format!("{name} {}-{}", ports.start(), ports.end())));
    }
    let realms = rule.wanted.realms.filter(|&realms| realms != 0);
    words.extend(realms.map(|realms| format!("realms {}/{}", realms >> 16, realms & 0xffff)));
    words
}

fn action(rule: &Rule) -> String {
    match rule.wanted.action {
        RuleAction::Table(table) => format!("lookup {table}"),
        RuleAction::L3mdev => "lookup 0".to_owned(),
        RuleAction::Goto(priority) => format!("goto {priority}"),
        RuleAction::NOP => "nop".to_owned(),
        RuleAction::Other(number) => format!("type {}", kind(number)),
    }
}
