//! Policy rules as they are shown in logs and dumps, in the words of 2.4.3.

use std::fmt::{Result, Write};

use super::TrackGroup;
use super::route_text::{find, prefix, write_tracking};
use super::rule::{Rule, RuleAction};
use crate::packet::Family;

impl Rule {
    /// The rule in one line. `groups` are those of the configuration.
    pub fn describe(&self, groups: &[TrackGroup]) -> String {
        let mut text = String::new();
        // A string takes whatever is written.
        let _ = self.write(&mut text, groups);
        text
    }

    fn write(&self, out: &mut String, groups: &[TrackGroup]) -> Result {
        if self.from.is_none() && self.to.is_none() && self.family == Family::V6 {
            out.push_str("inet6 ");
        }
        if self.invert {
            out.push_str("not ");
        }
        match self.from {
            Some(from) => write!(out, "from {}", prefix(from))?,
            None => out.push_str("from all"),
        }
        if let Some(to) = self.to {
            write!(out, " to {}", prefix(to))?;
        }
        write!(out, " priority {} tos {:#x}", self.priority, self.tos)?;
        if let Some(mark) = self.mark {
            write!(out, " fwmark {mark:#x}")?;
        }
        if let Some(mask) = self.mask.filter(|&mask| mask != u32::MAX) {
            write!(out, "/{mask:#x}")?;
        }
        for (name, interface) in [("iif", &self.input), ("oif", &self.output)] {
            if let Some(interface) = interface {
                write!(out, " {name} {interface}")?;
            }
        }
        self.write_selectors(out)?;
        match self.action {
            RuleAction::Table(table) => write!(out, " lookup {table}")?,
            RuleAction::L3mdev => out.push_str(" lookup 0"),
            RuleAction::Goto(target) => write!(out, " goto {target}")?,
            RuleAction::Nop => out.push_str(" nop"),
            RuleAction::Blackhole => out.push_str(" type blackhole"),
            RuleAction::Unreachable => out.push_str(" type unreachable"),
            RuleAction::Prohibit => out.push_str(" type prohibit"),
        }
        write_tracking(self.tracked, self.track_group.and_then(|id| find(groups, id.0)), out)
    }

    fn write_selectors(&self, out: &mut String) -> Result {
        if let Some(len) = self.suppress_prefix_len {
            write!(out, " suppress_prefixlen {len}")?;
        }
        if let Some(group) = self.suppress_group {
            write!(out, " suppress_ifgroup {group}")?;
        }
        if let Some(id) = self.tunnel {
            write!(out, " tunnel-id {id}")?;
        }
        if let Some(users) = &self.users {
            write!(out, " uidrange {}-{}", users.start(), users.end())?;
        }
        if self.action == RuleAction::L3mdev {
            out.push_str(" l3mdev");
        }
        if let Some(protocol) = self.protocol {
            write!(out, " protocol {protocol}")?;
        }
        if let Some(protocol) = self.ip_protocol {
            write!(out, " ipproto {protocol}")?;
        }
        for (name, ports) in [("sport", &self.source_ports), ("dport", &self.destination_ports)] {
            if let Some(ports) = ports {
                write!(out, " {name} {}-{}", ports.start(), ports.end())?;
            }
        }
        match self.realms {
            Some(realms) => write!(out, " realms {}/{}", realms >> 16, realms & 0xffff),
            None => Ok(()),
        }
    }
}
