//! Entries of `virtual_rules` and `static_rules`.

use std::fs;
use std::ops::RangeInclusive;

use conf_parser::{Limits, Line, Word, c_number, parse_uint};
use runtime::machine::rule::RuleAction;

use super::address_entry::{Owner, find_track_group, owned};
use super::context::Context;
use super::entry::{Reported, Words, refuse, unsigned};
use super::iproute_names::Kind;
use super::route_entry::{PROTOCOL, Range, find_kind, parse_realms};
use super::rule::Rule;
use crate::packet::Family;

/// Reads an entry. `None` when it cannot be used, which has been reported then.
pub(super) fn parse(line: &Line, owner: Owner, context: &mut Context<'_>) -> Option<Rule> {
    let mut entry = Entry {
        words: Words::new(line),
        owner,
        context,
        family: None,
        action: None,
        priority: None,
        table_only: false,
        track_group: None,
        protocol: None,
        rule: Rule::plain(),
    };
    while let Some(word) = entry.words.next() {
        entry.read_option(word).ok()?;
    }
    entry.finish().ok()
}

impl Rule {
    /// What an entry without a word would be.
    fn plain() -> Self {
        let wanted = runtime::machine::Rule::plain(false, 0, RuleAction::NOP);
        Self {
            wanted: runtime::machine::Rule { protocol: Some(PROTOCOL), ..wanted },
            mark: None,
            mask: None,
            tracked: true,
            track_group: None,
        }
    }
}

/// An entry that is being read.
struct Entry<'a, 'c, 'm> {
    words: Words<'a>,
    owner: Owner,
    context: &'c mut Context<'m>,
    family: Option<Family>,
    action: Option<RuleAction>,
    priority: Option<u32>,
    /// Whether there is an option that only makes sense where a table is looked at.
    table_only: bool,
    track_group: Option<Word<'a>>,
    protocol: Option<Word<'a>>,
    rule: Rule,
}

const MIXED: &str = "rule specification has mixed IPv4 and IPv6";

impl<'a> Entry<'a, '_, '_> {
    fn read_option(&mut self, word: Word<'a>) -> Result<(), Reported> {
        match word.text {
            "inet" => self.belongs_to(Family::V4, word, "inet specified for IPv6 rule"),
            "inet6" => self.belongs_to(Family::V6, word, "inet6 specified for IPv4 rule"),
            "from" | "to" => self.read_range(word),
            "not" => {
                self.rule.wanted.invert = true;
                Ok(())
            }
            "no_track" => {
                self.rule.tracked = false;
                Ok(())
            }
            "dev" | "iif" | "oif" => self.read_interface(word),
            "track_group" if self.owner == Owner::Static => self.read_track_group(),
            "tos" | "dsfield" | "realms" | "suppress_ifgroup" | "sup_group" => self.read_name(word),
            "preference"
            | "order"
            | "priority"
            | "suppress_prefixlength"
            | "sup_pl"
            | "tunnel-id"
            | "protocol" => self.read_number(word),
            "fwmark" => self.read_mark(),
            "uidrange" | "sport" | "dport" => self.read_span(word),
            "ipproto" | "ip_proto" => self.read_ip_protocol(),
            _ => self.read_action(word),
        }
    }

    fn belongs_to(
        &mut self,
        family: Family,
        word: Word<'_>,
        message: &str,
    ) -> Result<(), Reported> {
        if self.family.is_some_and(|known| known != family) {
            return Err(self.refuse(word, message));
        }
        self.family = Some(family);
        Ok(())
    }

    fn refuse(&mut self, word: Word<'_>, message: impl Into<String>) -> Reported {
        refuse(self.context.diagnostics, word.place, message)
    }

    fn value(&mut self) -> Result<Word<'a>, Reported> {
        self.words.required(self.context.diagnostics)
    }

    fn read_range(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        let word = self.value()?;
        let range = Range::parse(word, self.context.diagnostics).map_err(|_| {
            let text = format!("Invalid rule {} address {}", keyword.text, word.text);
            self.refuse(word, text)
        })?;
        if let Some(family) = range.family() {
            self.belongs_to(family, word, MIXED)?;
        }
        if keyword.text == "from" {
            self.rule.wanted.from = range.prefix();
        } else {
            self.rule.wanted.to = range.prefix();
        }
        Ok(())
    }

    fn read_interface(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        let word = self.value()?;
        let known = self.context.interface_known(word.text, word.place, || {
            format!("WARNING - interface {} for rule doesn't exist", word.text)
        });
        let name = known.then(|| word.text.to_owned()).ok_or(Reported)?;
        if keyword.text == "oif" {
            self.rule.wanted.output = Some(name);
        } else {
            self.rule.wanted.input = Some(name);
        }
        Ok(())
    }

    fn read_track_group(&mut self) -> Result<(), Reported> {
        let word = self.value()?;
        if self.track_group.is_some() {
            self.context.report(word.place, format!("track_group {} is a duplicate", word.text));
        } else {
            self.track_group = Some(word);
        }
        Ok(())
    }

    fn read_name(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        let word = self.value()?;
        let names = &self.context.names;
        let text = word.text;
        let message = match keyword.text {
            "realms" => match parse_realms(text, names) {
                Some(realms) => {
                    self.rule.wanted.realms = Some(realms);
                    self.table_only = true;
                    return self.belongs_to(Family::V4, word, "realms is only valid for IPv4");
                }
                None => format!("invalid realms {text} for rule"),
            },
            "tos" | "dsfield" => match names.find_u8(Kind::DsField, text) {
                Some(tos) => {
                    self.rule.wanted.tos = tos;
                    return Ok(());
                }
                None => format!("TOS value {text} is invalid"),
            },
            _ => match names.find(Kind::Group, text) {
                Some(group) => {
                    self.rule.wanted.suppress_group = Some(group);
                    self.table_only = true;
                    return Ok(());
                }
                None => format!("suppress_group {text} is invalid"),
            },
        };
        Err(self.refuse(word, message))
    }

    fn read_number(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        let word = self.value()?;
        let diagnostics = &mut *self.context.diagnostics;
        match keyword.text {
            "suppress_prefixlength" | "sup_pl" => {
                let max = u64::from(i32::MAX.unsigned_abs());
                let len = unsigned(word, max, diagnostics, |_| {
                    format!("Invalid suppress_prefixlength {} specified", word.text)
                })?;
                self.rule.wanted.suppress_prefix_len = Some(len);
                self.table_only = true;
            }
            "tunnel-id" => {
                let id = unsigned(word, u64::MAX, diagnostics, |_| {
                    format!("Invalid tunnel-id {} specified", word.text)
                })?;
                self.rule.wanted.tunnel = Some(id);
            }
            "protocol" => {
                let limits = Limits { min: 0, max: 255, strict: true };
                match parse_uint(word, limits, diagnostics) {
                    Some(protocol) => {
                        self.rule.wanted.protocol = u8::try_from(protocol).ok();
                        self.protocol = Some(word);
                    }
                    None => {
                        self.context.report(word.place, format!("Invalid protocol {}", word.text));
                    }
                }
            }
            _ => {
                let number = c_number(word.text).and_then(|number| u32::try_from(number).ok());
                let priority = number.ok_or_else(|| {
                    let text = format!("Invalid rule preference {} specified", word.text);
                    refuse(diagnostics, word.place, text)
                })?;
                self.priority = Some(priority);
            }
        }
        Ok(())
    }

    fn read_mark(&mut self) -> Result<(), Reported> {
        let word = self.value()?;
        let number = |text: &str| c_number(text).and_then(|number| u32::try_from(number).ok());
        let parsed = match word.text.split_once('/') {
            Some((mark, mask)) => number(mark).zip(number(mask).map(Some)),
            None => number(word.text).map(|mark| (mark, None)),
        };
        let Some((mark, mask)) = parsed else {
            let text = format!("Invalid rule fwmark {} specified", word.text);
            return Err(self.refuse(word, text));
        };
        self.rule.mark = Some(mark);
        self.rule.mask = mask;
        Ok(())
    }

    fn read_span(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        let word = self.value()?;
        if keyword.text == "uidrange" {
            let users = parse_span::<u32>(word.text).ok_or_else(|| {
                self.refuse(word, format!("Invalid uidrange {} specified", word.text))
            })?;
            self.rule.wanted.users = Some(users);
            return Ok(());
        }
        let Some(ports) = parse_span::<u16>(word.text) else {
            let text = format!("invalid {} range {}", keyword.text, word.text);
            self.context.report(word.place, text);
            return Ok(());
        };
        if keyword.text == "sport" {
            self.rule.wanted.source_ports = Some(ports);
        } else {
            self.rule.wanted.destination_ports = Some(ports);
        }
        Ok(())
    }

    fn read_ip_protocol(&mut self) -> Result<(), Reported> {
        let word = self.value()?;
        self.rule.wanted.ip_protocol = find_ip_protocol(word.text);
        if self.rule.wanted.ip_protocol.is_none() {
            self.context.report(word.place, format!("Invalid ipproto {}", word.text));
        }
        Ok(())
    }

    fn read_action(&mut self, word: Word<'a>) -> Result<(), Reported> {
        let word = if word.text == "type" { self.value()? } else { word };
        let action = match word.text {
            "table" | "lookup" => RuleAction::Table(self.read_table()?),
            "l3mdev" => RuleAction::L3mdev,
            "nop" => RuleAction::NOP,
            "goto" => {
                let target = self.value()?;
                let max = u64::from(u32::MAX);
                RuleAction::Goto(unsigned(target, max, self.context.diagnostics, |_| {
                    format!("Invalid target {} specified", target.text)
                })?)
            }
            text => match find_kind(text) {
                Some(6) => RuleAction::BLACKHOLE,
                Some(7) => RuleAction::UNREACHABLE,
                Some(8) => RuleAction::PROHIBIT,
                Some(_) => return Err(self.refuse(word, format!("Invalid rule action {text}"))),
                None => return Err(self.refuse(word, format!("Unknown rule option {text}"))),
            },
        };
        if self.action.is_some() {
            let text = match action {
                RuleAction::Table(_) => {
                    "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable for rule"
                }
                RuleAction::L3mdev => "Cannot specify l3mdev with other action",
                _ => {
                    "Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable/l3mdev for rule"
                }
            };
            return Err(self.refuse(word, text));
        }
        self.action = Some(action);
        Ok(())
    }

    fn read_table(&mut self) -> Result<u32, Reported> {
        let word = self.value()?;
        match self.context.names.find(Kind::Table, word.text) {
            Some(0) => Err(self.refuse(word, "Table 0 is not valid")),
            Some(table) => Ok(table),
            None => {
                Err(self.refuse(word, format!("Routing table {} not found for rule", word.text)))
            }
        }
    }

    fn finish(mut self) -> Result<Rule, Reported> {
        let place = self.words.place();
        self.rule.wanted.action = self.checked_action()?;
        let group = self.track_group.map(owned);
        self.rule.track_group = find_track_group(group.as_ref(), self.context);
        if self.rule.tracked && self.rule.wanted.protocol != Some(PROTOCOL) {
            let text = format!(
                "Rule cannot be tracked if protocol is not RTPROT_KEEPALIVED({PROTOCOL}), resetting protocol"
            );
            self.context.report(self.protocol.map_or(place, |word| word.place), text);
            self.rule.wanted.protocol = Some(PROTOCOL);
        }
        if !self.rule.tracked && self.protocol.is_none() {
            self.rule.wanted.protocol = None;
        }
        if self.rule.track_group.is_some() && self.rule.wanted.input.is_none() {
            let text = "Static rule cannot have track_group if dev/iif not specified";
            self.context.report(place, text);
            self.rule.track_group = None;
        }
        let family = self.family.unwrap_or(Family::V4);
        self.rule.wanted.ipv6 = family == Family::V6;
        self.rule.wanted.mark =
            self.rule.mark.map(|mark| (mark, self.rule.mask.unwrap_or(u32::MAX)));
        self.rule.wanted.priority = self.priority.unwrap_or_else(|| {
            let priority = self.context.next_rule_priority(family);
            let text = format!(
                "Rule has no preference specified - setting to {priority}. This is probably not what you want."
            );
            self.context.report(place, text);
            priority
        });
        Ok(self.rule)
    }

    fn checked_action(&mut self) -> Result<RuleAction, Reported> {
        let message = match (self.action, self.priority) {
            (None, _) => "No action specified for rule - ignoring".to_owned(),
            (Some(RuleAction::Goto(target)), Some(priority)) if priority >= target => {
                format!("Invalid rule - preference {priority} >= goto target {target}")
            }
            (Some(RuleAction::Goto(target)), None) => {
                format!("Invalid rule - goto target {target} specified without preference")
            }
            (Some(action @ (RuleAction::Table(_) | RuleAction::L3mdev)), _) => return Ok(action),
            (Some(_), _) if self.table_only => {
                "suppressor/realm specified for non table action - skipping".to_owned()
            }
            (Some(action), _) => return Ok(action),
        };
        Err(refuse(self.context.diagnostics, self.words.place(), message))
    }
}

/// `A-B`, or one number for a span of one.
fn parse_span<T: std::str::FromStr + PartialOrd + Copy>(text: &str) -> Option<RangeInclusive<T>> {
    let number = |text: &str| text.trim().parse::<T>().ok();
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    Some(first..=last)
}

/// Names that are known without `/etc/protocols`.
const IP_PROTOCOLS: [(&str, u8); 14] = [
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("ospf", 89),
    ("vrrp", 112),
    ("sctp", 132),
    ("udplite", 136),
];

/// The number of an IP protocol. Numbers above 127 need a name.
fn find_ip_protocol(text: &str) -> Option<u8> {
    if let Ok(number) = text.trim_start().parse::<u8>() {
        return Some(number).filter(|&number| number <= 127);
    }
    let known = IP_PROTOCOLS.iter().find(|(name, _)| *name == text).map(|&(_, number)| number);
    known.or_else(|| {
        let file = fs::read_to_string("/etc/protocols").ok()?;
        file.lines().find_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let name = words.next()?;
            let number = words.next()?.parse().ok()?;
            (name == text || words.any(|alias| alias == text)).then_some(number)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_one_need_no_dash() {
        assert_eq!(parse_span::<u16>("80"), Some(80..=80));
        assert_eq!(parse_span::<u16>("80-90"), Some(80..=90));
        assert_eq!(parse_span::<u32>("0-4294967295"), Some(0..=u32::MAX));
        for bad in ["", "80-", "-80", "80-x", "65536"] {
            assert_eq!(parse_span::<u16>(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn ip_protocols_have_names_and_numbers() {
        assert_eq!(find_ip_protocol("tcp"), Some(6));
        assert_eq!(find_ip_protocol("112"), Some(112));
        assert_eq!(find_ip_protocol("sctp"), Some(132));
        assert_eq!(find_ip_protocol("200"), None);
        assert_eq!(find_ip_protocol("no-such-protocol"), None);
    }
}
