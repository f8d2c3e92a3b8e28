//! Groups of addresses and marks that virtual servers share.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use conf_parser::{
    Class, Diagnostics, Limits, Line, Statement, Word, parse_address, parse_port, parse_uint,
};
use serde::{Deserialize, Serialize};

use super::Family;

/// Several addresses, ranges and marks under one name (`virtual_server_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What is in it; not empty.
    pub entries: Vec<Entry>,
}

/// One entry of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// All addresses from `first` to `last`, which are of the same family.
    Range {
        /// The first address.
        first: IpAddr,
        /// The last address; equal to the first for a single one.
        last: IpAddr,
        /// The port; `None` is any.
        port: Option<u16>,
    },
    /// What the firewall has marked.
    Mark {
        /// The mark.
        mark: u32,
        /// Of which family; `None` is that of the real servers.
        family: Option<Family>,
    },
}

impl Entry {
    /// Of which family it is.
    pub fn family(&self) -> Option<Family> {
        match self {
            Self::Range { first, .. } => Some(Family::of(*first)),
            Self::Mark { family, .. } => *family,
        }
    }

    /// Whether it is a mark.
    pub fn is_mark(&self) -> bool {
        matches!(self, Self::Mark { .. })
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark { mark, .. } => write!(f, "FWM {mark}"),
            Self::Range { first, last, port } => {
                write!(f, "{first}")?;
                if first != last {
                    write!(f, "-{last}")?;
                }
                write!(f, ",{}", port.unwrap_or(0))
            }
        }
    }
}

impl Group {
    /// Whether there is an entry of this family.
    pub fn has(&self, family: Family) -> bool {
        self.entries.iter().any(|entry| entry.family() == Some(family))
    }

    /// Whether there is a mark of no particular family.
    pub fn has_open_mark(&self) -> bool {
        self.entries.iter().any(|entry| entry.family().is_none())
    }

    /// Whether there is a mark.
    pub fn has_mark(&self) -> bool {
        self.entries.iter().any(Entry::is_mark)
    }

    /// Whether there is an address.
    pub fn has_address(&self) -> bool {
        self.entries.iter().any(|entry| !entry.is_mark())
    }
}

impl Group {
    /// Whether there is an address without a port.
    pub(super) fn has_any_port(&self) -> bool {
        self.ports().any(|(_, port)| port == 0)
    }

    /// The addresses with their ports; 0 is any.
    pub(super) fn ports(&self) -> impl Iterator<Item = (&Entry, u16)> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Range { port, .. } => Some((entry, port.unwrap_or(0))),
            Entry::Mark { .. } => None,
        })
    }
}

/// Reads a block; `None` when nothing in it can be used, which has been reported then.
pub(super) fn read(
    name: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) -> Option<Group> {
    let lines = statement.lines().iter();
    let entries = lines.filter_map(|line| entry(name, line, diagnostics)).collect();
    let group = Group { name: name.to_owned(), entries };
    let problem = if group.entries.is_empty() {
        "has no entries - removing"
    } else if group.has(Family::Inet) && group.has(Family::Inet6) && group.has_open_mark() {
        "cannot have IPv4, IPv6 and fwmark without family - removing"
    } else {
        return Some(group);
    };
    let text = format!("virtual server group {name} {problem}");
    diagnostics.report_block(Class::GeneralError, statement.extent(), text);
    None
}

fn entry(group: &str, line: &Line, diagnostics: &mut Diagnostics) -> Option<Entry> {
    let first = line.word(0)?;
    if first.text == "fwmark" {
        return mark(group, line, diagnostics);
    }
    // A port of zeros only is how old configurations say that there is none.
    let port_word = line.word(1).filter(|word| !word.text.bytes().all(|byte| byte == b'0'));
    let port = port_word.map(|word| parse_port(word, diagnostics));
    let address = parse_address(first.text).filter(|_| port != Some(None));
    let Some(address) = address else {
        let port = port_word.map(|word| format!("/port/{}", word.text)).unwrap_or_default();
        let text =
            format!("Invalid virtual server group IP address {} {port} - skipping", first.text);
        diagnostics.report(Class::GeneralError, first.place, text);
        return None;
    };
    let last = last(address, first, diagnostics)?;
    Some(Entry::Range { first: address, last, port: port.flatten() })
}

fn mark(group: &str, line: &Line, diagnostics: &mut Diagnostics) -> Option<Entry> {
    let Some(word) = line.word(1) else {
        let text = "*** Configuration line starting `fwmark` is missing a parameter after keyword `fwmark` at word position 2";
        diagnostics.report(Class::MissingParameter, line.place(), text);
        return None;
    };
    let limits = Limits { min: 0, max: u64::from(u32::MAX), strict: false };
    let number = parse_uint(word, limits, diagnostics);
    let Some(mark) = number.and_then(|mark| u32::try_from(mark).ok()) else {
        let text =
            format!("({group}): fwmark '{}' must be in [0, 4294967295] - ignoring", word.text);
        diagnostics.report(Class::GeneralError, word.place, text);
        return None;
    };
    let family = match line.word(2) {
        None => None,
        Some(word) => match Family::parse(word.text) {
            Some(family) => Some(family),
            None => {
                let text =
                    format!("({group}): fwmark '{mark}' family {} unknown - ignoring", word.text);
                diagnostics.report(Class::GeneralError, word.place, text);
                return None;
            }
        },
    };
    Some(Entry::Mark { mark, family })
}

/// The last address of `word`, which starts with `first`: that of a prefix, that behind a `-`, or `first` itself.
fn last(first: IpAddr, word: Word<'_>, diagnostics: &mut Diagnostics) -> Option<IpAddr> {
    let text = word.text;
    let problem = if let Some((_, length)) = text.split_once('/') {
        match prefix_end(first, length) {
            Ok(last) => return Some(last),
            Err(problem) => format!("{problem} - {text} - skipping"),
        }
    } else if let Some((_, end)) = text.split_once('-') {
        if end.contains(if first.is_ipv4() { '.' } else { ':' }) {
            match parse_address(end) {
                None => format!("Invalid range end {text} - skipping"),
                Some(last) if last.is_ipv4() != first.is_ipv4() => {
                    format!("Range address families do not match {text} - skipping")
                }
                Some(last) if last < first => {
                    format!(
                        "Address range end is less than address range start - {text} - skipping"
                    )
                }
                Some(last) => return Some(last),
            }
        } else {
            let last = short_end(first, end, word, diagnostics)?;
            if last > first {
                return Some(last);
            }
            format!("Address range end is not greater than address range start - {text} - skipping")
        }
    } else {
        return Some(first);
    };
    diagnostics.report(Class::GeneralError, word.place, problem);
    None
}

fn prefix_end(first: IpAddr, length: &str) -> Result<IpAddr, &'static str> {
    let width = if first.is_ipv4() { 32 } else { 128 };
    let length = length.parse().ok().filter(|length| (1..=width).contains(length));
    let length: u32 = length.ok_or("Invalid netmask")?;
    let last = match first {
        IpAddr::V4(first) => {
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            (first.to_bits() & host == 0)
                .then(|| Ipv4Addr::from_bits(first.to_bits() | host).into())
        }
        IpAddr::V6(first) => {
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            (first.to_bits() & host == 0)
                .then(|| Ipv6Addr::from_bits(first.to_bits() | host).into())
        }
    };
    last.ok_or("Address mask bits not empty")
}

/// `first` with its last part replaced: an octet in decimal, or 16 bits in hexadecimal.
fn short_end(
    first: IpAddr,
    end: &str,
    word: Word<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<IpAddr> {
    let last = match first {
        IpAddr::V4(first) => end.parse().ok().map(|end: u8| {
            let [a, b, c, _] = first.octets();
            IpAddr::from([a, b, c, end])
        }),
        IpAddr::V6(first) => u16::from_str_radix(end, 16).ok().map(|end| {
            let [a, b, c, d, e, f, g, _] = first.segments();
            IpAddr::from([a, b, c, d, e, f, g, end])
        }),
    };
    if last.is_none() {
        let radix = if first.is_ipv4() { 10 } else { 16 };
        let digits = end.chars().take_while(|digit| digit.is_digit(radix)).count();
        let text = match end.get(digits..) {
            Some(rest) if !rest.is_empty() => format!(
                "Virtual server group range '{}' has extra characters at end '{rest}'",
                word.text
            ),
            _ => format!("Virtual server group range '{}' end '{end}' too large", word.text),
        };
        diagnostics.report(Class::InvalidNumber, word.place, text);
    }
    last
}
