//! Policy rules as they are written and read.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::attribute::{Attribute, Attributes};
use super::attribute_writer::AttributeWriter;
use super::family;
use crate::machine::route::Prefix;
use crate::machine::rule::{Rule, RuleAction};

/// Length of what precedes the attributes (`struct fib_rule_hdr`).
pub(super) const HEADER_LEN: usize = 12;

const FIB_RULE_INVERT: u32 = 0x2;

const FR_ACT_TO_TBL: u8 = 1;
const FR_ACT_GOTO: u8 = 2;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_FLOW: u16 = 11;
const FRA_TUN_ID: u16 = 12;
const FRA_SUPPRESS_IFGROUP: u16 = 13;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_L3MDEV: u16 = 19;
const FRA_UID_RANGE: u16 = 20;
const FRA_PROTOCOL: u16 = 21;
const FRA_IP_PROTO: u16 = 22;
const FRA_SPORT_RANGE: u16 = 23;
const FRA_DPORT_RANGE: u16 = 24;

/// A mask of which all bits count.
const WHOLE: u32 = u32::MAX;

/// What a request that adds or removes `rule` has behind its header.
pub(super) fn encode(rule: &Rule) -> Vec<u8> {
    let mut writer = AttributeWriter::after(&header(rule));
    if let Some(from) = rule.from.filter(|from| from.len > 0) {
        writer.put_address(FRA_SRC, from.address);
    }
    if let Some(to) = rule.to.filter(|to| to.len > 0) {
        writer.put_address(FRA_DST, to.address);
    }
    writer.put_u32(FRA_PRIORITY, rule.priority);
    if let Some((mark, mask)) = rule.mark {
        writer.put_u32(FRA_FWMARK, mark);
        if mask != WHOLE {
            writer.put_u32(FRA_FWMASK, mask);
        }
    }
    if let Some(len) = rule.suppress_prefix_len {
        writer.put(FRA_SUPPRESS_PREFIXLEN, &len.to_ne_bytes());
    }
    for (kind, name) in [(FRA_IIFNAME, &rule.input), (FRA_OIFNAME, &rule.output)] {
        if let Some(name) = name {
            writer.put_text(kind, name);
        }
    }
    if let Some(tunnel) = rule.tunnel {
        writer.put(FRA_TUN_ID, &tunnel.to_be_bytes());
    }
    if let Some(users) = &rule.users {
        let (first, last) = (users.start().to_ne_bytes(), users.end().to_ne_bytes());
        writer.put(FRA_UID_RANGE, &[first, last].concat());
    }
    for (kind, number) in [(FRA_FLOW, rule.realms), (FRA_SUPPRESS_IFGROUP, rule.suppress_group)] {
        if let Some(number) = number {
            writer.put_u32(kind, number);
        }
    }
    for (kind, number) in [(FRA_PROTOCOL, rule.protocol), (FRA_IP_PROTO, rule.ip_protocol)] {
        if let Some(number) = number {
            writer.put_u8(kind, number);
        }
    }
    let ports = [(FRA_SPORT_RANGE, &rule.source_ports), (FRA_DPORT_RANGE, &rule.destination_ports)];
    for (kind, ports) in ports {
        if let Some(ports) = ports {
            writer.put(kind, &[ports.start().to_ne_bytes(), ports.end().to_ne_bytes()].concat());
        }
    }
    match rule.action {
        RuleAction::Table(table) if u8::try_from(table).is_err() => {
            writer.put_u32(FRA_TABLE, table);
        }
        RuleAction::L3mdev => writer.put_u8(FRA_L3MDEV, 1),
        RuleAction::Goto(target) => writer.put_u32(FRA_GOTO, target),
        RuleAction::Table(_) | RuleAction::Other(_) => {}
    }
    writer.octets().to_vec()
}

fn header(rule: &Rule) -> [u8; HEADER_LEN] {
    let family = family::number(rule.ipv6);
    let [f0, f1, f2, f3] = if rule.invert { FIB_RULE_INVERT } else { 0 }.to_ne_bytes();
    let len = |prefix: Option<Prefix>| prefix.map_or(0, |prefix| prefix.len);
    let (table, action) = match rule.action {
        RuleAction::Table(table) => (u8::try_from(table).unwrap_or(0), FR_ACT_TO_TBL),
        RuleAction::L3mdev => (0, FR_ACT_TO_TBL),
        RuleAction::Goto(_) => (0, FR_ACT_GOTO),
        RuleAction::Other(action) => (0, action),
    };
    [family, len(rule.to), len(rule.from), rule.tos, table, 0, 0, action, f0, f1, f2, f3]
}

/// What a message says about a rule. Those of other families are left out.
pub(super) fn decode(payload: &[u8]) -> Option<Rule> {
    let (&[family, to_len, from_len, tos, table, _, _, action, f0, f1, f2, f3], rest) =
        payload.split_first_chunk::<HEADER_LEN>()?;
    let ipv6 = family::is_ipv6(family)?;
    let action = match action {
        FR_ACT_TO_TBL => RuleAction::Table(table.into()),
        FR_ACT_GOTO => RuleAction::Goto(0),
        action => RuleAction::Other(action),
    };
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let mut rule =
        Rule { tos, invert: flags & FIB_RULE_INVERT != 0, ..Rule::plain(ipv6, 0, action) };
    let same_family = |address: &IpAddr| address.is_ipv6() == ipv6;
    let prefix = |attribute: Attribute<'_>, len| {
        let address = attribute.address().filter(same_family)?;
        Some(Prefix { address, len })
    };
    let mut mask = WHOLE;
    for attribute in Attributes(rest) {
        match (attribute.kind, rule.action) {
            (FRA_DST, _) => rule.to = prefix(attribute, to_len),
            (FRA_SRC, _) => rule.from = prefix(attribute, from_len),
            (FRA_IIFNAME, _) => rule.input = Some(attribute.text()),
            (FRA_OIFNAME, _) => rule.output = Some(attribute.text()),
            (FRA_PRIORITY, _) => rule.priority = attribute.u32()?,
            (FRA_FWMARK, _) => rule.mark = attribute.u32().map(|mark| (mark, WHOLE)),
            (FRA_FWMASK, _) => mask = attribute.u32()?,
            (FRA_FLOW, _) => rule.realms = attribute.u32(),
            (FRA_TUN_ID, _) => {
                let id = attribute.value.first_chunk().map(|id| u64::from_be_bytes(*id));
                rule.tunnel = id.filter(|&id| id != 0);
            }
            (FRA_SUPPRESS_IFGROUP, _) => {
                rule.suppress_group = attribute.u32().filter(|&group| group != WHOLE);
            }
            // The kernel gives -1 for none.
            (FRA_SUPPRESS_PREFIXLEN, _) => {
                rule.suppress_prefix_len =
                    attribute.u32().and_then(|length| i32::try_from(length).ok());
            }
            (FRA_UID_RANGE, _) => rule.users = users(attribute.value),
            (FRA_PROTOCOL, _) => rule.protocol = attribute.u8(),
            (FRA_IP_PROTO, _) => rule.ip_protocol = attribute.u8(),
            (FRA_SPORT_RANGE, _) => rule.source_ports = ports(attribute.value),
            (FRA_DPORT_RANGE, _) => rule.destination_ports = ports(attribute.value),
            (FRA_TABLE, RuleAction::Table(_)) => rule.action = RuleAction::Table(attribute.u32()?),
            (FRA_L3MDEV, RuleAction::Table(_)) if attribute.u8() == Some(1) => {
                rule.action = RuleAction::L3mdev;
            }
            (FRA_GOTO, RuleAction::Goto(_)) => rule.action = RuleAction::Goto(attribute.u32()?),
            _ => {}
        }
    }
    rule.mark = rule.mark.map(|(mark, _)| (mark, mask));
    Some(rule)
}

fn users(value: &[u8]) -> Option<RangeInclusive<u32>> {
    let &[a, b, c, d, e, f, g, h] = value.first_chunk()?;
    Some(u32::from_ne_bytes([a, b, c, d])..=u32::from_ne_bytes([e, f, g, h]))
}

fn ports(value: &[u8]) -> Option<RangeInclusive<u16>> {
    let &[a, b, c, d] = value.first_chunk()?;
    Some(u16::from_ne_bytes([a, b])..=u16::from_ne_bytes([c, d]))
}
