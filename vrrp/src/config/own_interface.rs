//! `use_vmac` and `use_ipvlan`: an interface made for one instance.

use std::net::IpAddr;

use conf_parser::{Class, Diagnostics, Spanned, Statement, Value, Word};

use super::address_entry::{owned, parse_prefix};
use super::context::Context;
use super::instance::IpvlanMode;
use super::instance_draft::InstanceDraft;
use super::iproute_names::Kind;
use crate::packet::Family;

/// The longest name of an interface.
const LONGEST_NAME: usize = 15;
/// The MAC addresses of the protocol start so (RFC 9568 §7.3).
const PREFIX: [u8; 4] = [0x00, 0x00, 0x5e, 0x00];
/// How a VMAC reaches its siblings: not at all (`MACVLAN_MODE_PRIVATE`).
const PRIVATE: u32 = 1;

/// What `use_vmac` says.
#[derive(Clone, Debug, Default)]
pub(super) struct VmacDraft {
    pub(super) name: Option<Spanned<String>>,
    pub(super) mac: Option<MacDraft>,
    pub(super) netlink_notify: bool,
    pub(super) group: Option<Spanned<String>>,
}

/// A MAC address, of which the number of the virtual router may be the last octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MacDraft {
    /// All of it.
    Whole([u8; 6]),
    /// All but the last octet.
    WithoutVrid([u8; 5]),
}

/// What `use_ipvlan` says.
#[derive(Clone, Debug, Default)]
pub(super) struct IpvlanDraft {
    pub(super) name: Option<Spanned<String>>,
    pub(super) address: Option<(IpAddr, u8)>,
    pub(super) mode: Option<IpvlanMode>,
    pub(super) group: Option<Spanned<String>>,
}

impl MacDraft {
    /// The address for this virtual router.
    pub(super) fn finish(self, vrid: u8) -> [u8; 6] {
        match self {
            MacDraft::Whole(mac) => mac,
            MacDraft::WithoutVrid([a, b, c, d, e]) => [a, b, c, d, e, vrid],
        }
    }
}

/// `use_vmac [[name] IFNAME] [MAC] [netlink_notify_msg] [group GROUP]`, in any order.
pub(super) fn use_vmac(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let vmac = draft.vmac.get_or_insert_default();
    let mut index = 0;
    while let Some(word) = statement.arg(index) {
        index += 1;
        match word.text {
            text if text.contains(':') => vmac.set_mac(word, diagnostics),
            "netlink_notify_msg" => vmac.netlink_notify = true,
            "group" | "name" => {
                let Some(value) = statement.arg(index) else {
                    conf_parser::report_missing_parameter(statement, index, diagnostics);
                    return;
                };
                index += 1;
                if word.text == "group" {
                    vmac.group = Some(owned(value));
                } else {
                    vmac.set_name(value, diagnostics);
                }
            }
            _ => vmac.set_name(word, diagnostics),
        }
    }
}

impl VmacDraft {
    /// Whether the number of the virtual router ends its MAC address.
    pub(super) fn mac_has_vrid(&self) -> bool {
        matches!(self.mac, Some(MacDraft::WithoutVrid(_)))
    }

    fn set_name(&mut self, word: Word<'_>, diagnostics: &mut Diagnostics) {
        let text = if self.name.is_some() {
            "VMAC interface name already specified".to_owned()
        } else if is_interface_name(word.text) {
            self.name = Some(owned(word));
            return;
        } else {
            format!("VMAC interface name '{}' too long or invalid characters - ignoring", word.text)
        };
        diagnostics.report(Class::GeneralError, word.place, text);
    }

    fn set_mac(&mut self, word: Word<'_>, diagnostics: &mut Diagnostics) {
        let text = word.text;
        let message = match parse_mac(text) {
            _ if self.mac.is_some() => "VMAC interface address already specified".to_owned(),
            Err(Malformed::Character) => format!("VMAC invalid MAC address {text}"),
            Err(Malformed::Octets) => format!("VMAC invalid MAC address {text} - ignored"),
            Ok(mac) => {
                let [first, b, c, d, fifth, _] = mac.finish(0);
                if first & 1 != 0 {
                    format!("VMAC MAC address is multicast {text} - ignoring")
                } else if [first, b, c, d] == PREFIX && matches!(fifth, 1 | 2) {
                    format!(
                        "VMAC MAC address not allowed to be RFC5798 address ({text}) - ignoring"
                    )
                } else {
                    self.mac = Some(mac);
                    return;
                }
            }
        };
        diagnostics.report(Class::GeneralError, word.place, message);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Malformed {
    Character,
    Octets,
}

/// Five or six octets of one or two hexadecimal digits. Five may end with a colon.
fn parse_mac(text: &str) -> Result<MacDraft, Malformed> {
    if !text.bytes().all(|byte| byte == b':' || byte.is_ascii_hexdigit()) {
        return Err(Malformed::Character);
    }
    let octets: Result<Vec<u8>, Malformed> = text
        .strip_suffix(':')
        .unwrap_or(text)
        .split(':')
        .map(|octet| {
            let short = octet.len() <= 2;
            u8::from_str_radix(octet, 16).ok().filter(|_| short).ok_or(Malformed::Octets)
        })
        .collect();
    let octets = octets?;
    if let Ok(octets) = <[u8; 5]>::try_from(octets.as_slice()) {
        return Ok(MacDraft::WithoutVrid(octets));
    }
    match <[u8; 6]>::try_from(octets) {
        Ok(octets) if !text.ends_with(':') => Ok(MacDraft::Whole(octets)),
        _ => Err(Malformed::Octets),
    }
}

/// Whether the kernel would take it for the name of an interface.
fn is_interface_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_NAME
        && !matches!(text, "." | "..")
        && !text.contains(|c: char| matches!(c, '/' | ':') || c.is_ascii_whitespace())
}

/// `use_ipvlan [[name] IFNAME] [ADDRESS] [bridge|private|vepa] [group GROUP]`, in any order.
pub(super) fn use_ipvlan(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let name = draft.name().to_owned();
    if draft.ipvlan.is_some() {
        let text = format!("({name}) use_ipvlan already specified");
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    }
    let mut ipvlan = IpvlanDraft::default();
    let mut index = 0;
    while let Some(word) = statement.arg(index) {
        index += 1;
        match word.text {
            "bridge" => ipvlan.set_mode(IpvlanMode::Bridge, word, &name, diagnostics),
            "private" => ipvlan.set_mode(IpvlanMode::Private, word, &name, diagnostics),
            "vepa" => ipvlan.set_mode(IpvlanMode::Vepa, word, &name, diagnostics),
            "group" | "name" => {
                let Some(value) = statement.arg(index) else {
                    conf_parser::report_missing_parameter(statement, index, diagnostics);
                    break;
                };
                index += 1;
                if word.text == "group" {
                    ipvlan.group = Some(owned(value));
                } else {
                    ipvlan.set_name(value, &name, diagnostics);
                }
            }
            text if looks_like_address(text) => {
                set_address(draft, &mut ipvlan, word, diagnostics);
            }
            _ => ipvlan.set_name(word, &name, diagnostics),
        }
    }
    draft.ipvlan = Some(Box::new(ipvlan));
}

impl IpvlanDraft {
    fn set_mode(
        &mut self,
        mode: IpvlanMode,
        word: Word<'_>,
        instance: &str,
        diagnostics: &mut Diagnostics,
    ) {
        if self.mode.is_none() {
            self.mode = Some(mode);
            return;
        }
        let text = format!("({instance}) ipvlan type already specified - ignoring '{}'", word.text);
        diagnostics.report(Class::GeneralError, word.place, text);
    }

    fn set_name(&mut self, word: Word<'_>, instance: &str, diagnostics: &mut Diagnostics) {
        let text = if self.name.is_some() {
            format!("({instance}) IPVLAN interface already specified - ignoring '{}'", word.text)
        } else if word.text.len() > LONGEST_NAME {
            format!("({instance}) IPVLAN interface name '{}' too long - ignoring", word.text)
        } else {
            self.name = Some(owned(word));
            return;
        };
        diagnostics.report(Class::GeneralError, word.place, text);
    }
}

fn looks_like_address(text: &str) -> bool {
    let address = text.split('/').next().unwrap_or("");
    address.parse::<IpAddr>().is_ok()
}

/// The address of an ipvlan interface is the source of adverts too, unless there is one already.
fn set_address(
    draft: &mut InstanceDraft,
    ipvlan: &mut IpvlanDraft,
    word: Word<'_>,
    diagnostics: &mut Diagnostics,
) {
    let Ok((address, len)) = parse_prefix(word, diagnostics) else { return };
    let text = if ipvlan.address.is_some() {
        format!("({}) ipvlan address already specified - ignoring '{}'", draft.name(), word.text)
    } else if draft.deduce_family(Family::of(address)) {
        ipvlan.address = Some((address, len));
        draft.source.get_or_insert(address);
        return;
    } else {
        format!(
            "({}) ipvlan address[{}] MUST match vrrp instance family !!! Skipping...",
            draft.name(),
            word.text
        )
    };
    diagnostics.report(Class::GeneralError, word.place, text);
}

/// The number of an interface group; an unknown one is reported.
pub(super) fn find_group(
    name: Option<&Spanned<String>>,
    kind: &str,
    context: &mut Context<'_>,
) -> Option<u32> {
    let name = name?;
    let found = context.names.find(Kind::Group, &name.value);
    if found.is_none() {
        context.report(name.place, format!("{kind} group {} not found", name.value));
    }
    found
}

/// The name of a VMAC, unless there is another kind of interface of that name.
pub(super) fn usable_vmac_name(
    name: Spanned<String>,
    instance: &str,
    context: &mut Context<'_>,
) -> Option<String> {
    let usable = context.link(&name.value).is_none_or(|link| link.macvlan_mode == Some(PRIVATE));
    if !usable {
        let text = format!(
            "({instance}) interface {} already exists and is not a private macvlan; ignoring vmac if_name",
            name.value
        );
        context.report(name.place, text);
    }
    usable.then_some(name.value)
}

/// The name of an ipvlan interface, unless there is another kind of interface of that name.
pub(super) fn usable_ipvlan_name(
    name: Spanned<String>,
    instance: &str,
    context: &mut Context<'_>,
) -> Option<String> {
    let usable = context.link(&name.value).is_none_or(|link| link.kind == "ipvlan");
    if !usable {
        let text = format!(
            "({instance}) interface {} already exists and is not an l2 ipvlan; ignoring ipvlan if_name",
            name.value
        );
        context.report(name.place, text);
    }
    usable.then_some(name.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_of_five_and_six_octets() {
        assert_eq!(parse_mac("02:00:00:00:00:01"), Ok(MacDraft::Whole([2, 0, 0, 0, 0, 1])));
        assert_eq!(parse_mac("2:0:0:0:0a"), Ok(MacDraft::WithoutVrid([2, 0, 0, 0, 10])));
        assert_eq!(parse_mac("2:0:0:0:a:"), Ok(MacDraft::WithoutVrid([2, 0, 0, 0, 10])));
        assert_eq!(parse_mac("2:0:0:0:a").map(|mac| mac.finish(51)), Ok([2, 0, 0, 0, 10, 51]));
        for bad in ["2:0:0:0", "2:0:0:0:0:0:0", "2:0:0:0:0:1:", "200:0:0:0:0:1", "2::0:0:0:1"] {
            assert_eq!(parse_mac(bad), Err(Malformed::Octets), "{bad}");
        }
        assert_eq!(parse_mac("2:0:0:0:0:g"), Err(Malformed::Character));
    }

    #[test]
    fn names_that_the_kernel_takes() {
        for good in ["vrrp.51", "a", "123456789012345"] {
            assert!(is_interface_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "1234567890123456"] {
            assert!(!is_interface_name(bad), "{bad}");
        }
    }
}
