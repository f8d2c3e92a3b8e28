//! Tunnel headers in route entries.

use std::net::IpAddr;

use conf_parser::{Word, c_number};
use runtime::machine::route::{Encap, EncapIp};

use super::address_entry::parse_host;
use super::context::Context;
use super::entry::{Reported, Words, refuse, unsigned};
use super::iproute_names::Kind;
use crate::packet::Family;

/// The greatest MPLS label: 20 bits.
const GREATEST_LABEL: u64 = 0xf_ffff;
/// How many MPLS labels a route may put on.
const MOST_LABELS: usize = 2;

/// Reads what follows `encap`.
pub(super) fn read_encap(
    words: &mut Words<'_>,
    context: &mut Context<'_>,
) -> Result<Encap, Reported> {
    let Some(kind) = words.next() else {
        return Err(refuse(context.diagnostics, words.place(), "Missing encap type"));
    };
    match kind.text {
        "ip" => read_ip(Family::V4, kind, words, context),
        "ip6" => read_ip(Family::V6, kind, words, context),
        "mpls" => {
            let word = value(words, kind, "missing address for MPLS encapsulation", context)?;
            parse_labels(word.text).map(Encap::Mpls).ok_or_else(|| {
                let text = format!("invalid mpls address {} for encapsulation", word.text);
                refuse(context.diagnostics, word.place, text)
            })
        }
        "ila" => {
            let word = value(words, kind, "missing locator for ILA encapsulation", context)?;
            parse_locator(word.text).map(Encap::Ila).ok_or_else(|| {
                let text = format!("invalid locator {} for ila encapsulation", word.text);
                refuse(context.diagnostics, word.place, text)
            })
        }
        other => {
            let text = format!("Unknown encap type - {other}");
            Err(refuse(context.diagnostics, kind.place, text))
        }
    }
}

fn value<'a>(
    words: &mut Words<'a>,
    kind: Word<'_>,
    message: &str,
    context: &mut Context<'_>,
) -> Result<Word<'a>, Reported> {
    words.next().ok_or_else(|| refuse(context.diagnostics, kind.place, message))
}

fn read_ip(
    family: Family,
    kind: Word<'_>,
    words: &mut Words<'_>,
    context: &mut Context<'_>,
) -> Result<Encap, Reported> {
    let mut encap = EncapIp::default();
    let name = kind.text;
    let (tos, ttl) = match family {
        Family::V4 => ("tos", "ttl"),
        Family::V6 => ("tc", "hoplimit"),
    };
    while let Some(option) = words.peek() {
        let known = ["id", "dst", "src", "flags", tos, ttl].contains(&option.text);
        if !known {
            break;
        }
        words.next();
        let Some(word) = words.next() else {
            let text = format!("{} has no value for {name} encapsulation", option.text);
            return Err(refuse(context.diagnostics, option.place, text));
        };
        let message =
            |text: &str| format!("{} {text} is not valid for {name} encapsulation", option.text);
        match option.text {
            "id" => {
                encap.id = Some(unsigned(word, u64::MAX, context.diagnostics, message)?);
            }
            "dst" => encap.destination = Some(address(word, option, kind, family, context)?),
            "src" => encap.source = Some(address(word, option, kind, family, context)?),
            "flags" => {
                let max = u64::from(u16::MAX);
                encap.flags = Some(unsigned(word, max, context.diagnostics, message)?);
            }
            option if option == ttl => {
                encap.ttl = Some(unsigned(word, 255, context.diagnostics, message)?);
            }
            _ => {
                let found = context.names.find_u8(Kind::DsField, word.text);
                encap.tos = Some(found.ok_or_else(|| {
                    let text = format!("dsfield {} not valid for {name} encapsulation", word.text);
                    refuse(context.diagnostics, word.place, text)
                })?);
            }
        }
    }
    if encap.destination.is_none() && encap.id.is_none() {
        let text = format!("address or id missing for {name} encapsulation");
        return Err(refuse(context.diagnostics, kind.place, text));
    }
    Ok(match family {
        Family::V4 => Encap::Ip(encap),
        Family::V6 => Encap::Ip6(encap),
    })
}

fn address(
    word: Word<'_>,
    option: Word<'_>,
    kind: Word<'_>,
    family: Family,
    context: &mut Context<'_>,
) -> Result<IpAddr, Reported> {
    let address = parse_host(word, context.diagnostics).map_err(|_| {
        let text = format!("Invalid encap {} {} {}", kind.text, option.text, word.text);
        refuse(context.diagnostics, word.place, text)
    })?;
    if Family::of(address) == family {
        return Ok(address);
    }
    let other = if family == Family::V4 { "IPv6" } else { "IPv4" };
    let text = format!("{other} address {} not valid for {} encapsulation", word.text, kind.text);
    Err(refuse(context.diagnostics, word.place, text))
}

/// One label, or several with slashes between them, outermost first.
fn parse_labels(text: &str) -> Option<Vec<u32>> {
    let labels: Option<Vec<u32>> = text
        .split('/')
        .map(|label| {
            let label = c_number(label).filter(|&label| label <= GREATEST_LABEL)?;
            u32::try_from(label).ok()
        })
        .collect();
    labels.filter(|labels| labels.len() <= MOST_LABELS)
}

/// Four groups of hexadecimal digits with colons between them.
fn parse_locator(text: &str) -> Option<u64> {
    let groups: Option<Vec<u16>> = text
        .trim_start()
        .split(':')
        .map(|group| {
            group.starts_with(|c: char| c.is_ascii_hexdigit()).then_some(())?;
            u16::from_str_radix(group, 16).ok()
        })
        .collect();
    let groups: [u16; 4] = groups?.try_into().ok()?;
    Some(groups.iter().fold(0, |locator, &group| locator << 16 | u64::from(group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_locators() {
        assert_eq!(parse_labels("100"), Some(vec![100]));
        assert_eq!(parse_labels("100/0xfffff"), Some(vec![100, 0xf_ffff]));
        for bad in ["", "1/", "1/2/3", "1048576", "-1", "x"] {
            assert_eq!(parse_labels(bad), None, "{bad:?}");
        }
        assert_eq!(parse_locator("1:2:3:abcd"), Some(0x0001_0002_0003_abcd));
        for bad in ["", "1:2:3", "1:2:3:4:5", "1:2:3:10000", "1::3:4", "+1:2:3:4"] {
            assert_eq!(parse_locator(bad), None, "{bad:?}");
        }
    }
}
