//! Entries of `virtual_ipaddress`, `virtual_ipaddress_excluded` and `static_ipaddress`.

use std::net::{IpAddr, Ipv4Addr};

use conf_parser::{Diagnostics, Limits, Line, Place, Spanned, Word, parse_uint};
use runtime::machine::AddressFlags;

use super::Address;
use super::context::Context;
use super::entry::{Reported, Words, refuse};
use super::iproute_names::Kind;
use crate::packet::Family;

/// The longest label that the kernel takes.
const LONGEST_LABEL: usize = 15;
/// The longest prefix that leaves room for a broadcast address.
const LONGEST_BROADCAST_PREFIX: u8 = 30;

/// An entry, before its names are looked up.
#[derive(Clone, Debug)]
pub(super) struct AddressDraft {
    /// The first word, for messages.
    pub(super) text: Spanned<String>,
    pub(super) address: IpAddr,
    pub(super) interface: Option<Spanned<String>>,
    prefix_len: u8,
    peer: Option<IpAddr>,
    broadcast: Option<Broadcast>,
    scope: Option<Spanned<String>>,
    label: Option<Spanned<String>>,
    flags: AddressFlags,
    /// `Some(None)` is forever.
    preferred_lifetime: Option<Option<u32>>,
    tracked: bool,
    use_vmac: bool,
    track_group: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Debug)]
enum Broadcast {
    Given(Ipv4Addr),
    /// `+`: all host bits are set.
    Ones,
    /// `-`: all host bits are clear.
    Zeros,
}

/// In which block an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Instance,
    Static,
}

/// An address, and the length of its prefix where `text` has one; otherwise that of the address itself. What is wrong
/// with it has been reported when there is none.
pub(super) fn parse_prefix(
    word: Word<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<(IpAddr, u8), Reported> {
    let (text, len) = match word.text.split_once('/') {
        Some((text, len)) => (text, Some(len)),
        None => (word.text, None),
    };
    let longest = if text.contains(':') { 128 } else { 32 };
    let len = len.map(|len| {
        let number = Word { text: len, place: word.place };
        let limits = Limits { min: 0, max: u64::from(longest), strict: false };
        let len = parse_uint(number, limits, diagnostics).and_then(|len| u8::try_from(len).ok());
        len.unwrap_or_else(|| {
            let text = format!(
                "Invalid address prefix len {} for address {} - using {longest}",
                number.text, word.text
            );
            refuse(diagnostics, word.place, text);
            longest
        })
    });
    Ok((
        parse_plain(Word { text, place: word.place }, word.text, diagnostics)?,
        len.unwrap_or(longest),
    ))
}

/// An address without a prefix.
pub(super) fn parse_host(
    word: Word<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<IpAddr, Reported> {
    parse_plain(word, word.text, diagnostics)
}

fn parse_plain(
    word: Word<'_>,
    shown: &str,
    diagnostics: &mut Diagnostics,
) -> Result<IpAddr, Reported> {
    let address = if word.text.contains(':') {
        word.text.parse().ok().map(IpAddr::V6)
    } else {
        word.text.parse().ok().map(IpAddr::V4)
    };
    address.ok_or_else(|| {
        let text = format!("VRRP parsed invalid IP {shown}. skipping IP...");
        refuse(diagnostics, word.place, text)
    })
}

impl AddressDraft {
    /// Reads an entry. `None` when it cannot be used, which has been reported then.
    pub(super) fn parse(line: &Line, owner: Owner, diagnostics: &mut Diagnostics) -> Option<Self> {
        let mut words = Words::new(line);
        let first = words.next()?;
        let (address, prefix_len) = parse_prefix(first, diagnostics).ok()?;
        let mut draft = Self {
            text: Spanned::new(first.text.to_owned(), first.place),
            address,
            interface: None,
            prefix_len,
            peer: None,
            broadcast: None,
            scope: None,
            label: None,
            flags: if address.is_ipv6() { AddressFlags::NO_DAD } else { AddressFlags::default() },
            preferred_lifetime: None,
            tracked: true,
            use_vmac: false,
            track_group: None,
        };
        while let Some(word) = words.next() {
            draft.option(word, &mut words, owner, diagnostics).ok()?;
        }
        Some(draft)
    }

    /// Its family.
    pub(super) fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// The name of its interface, if it has one of its own.
    pub(super) fn device(&self) -> Option<&str> {
        self.interface.as_ref().map(|name| name.value.as_str())
    }

    fn option(
        &mut self,
        word: Word<'_>,
        words: &mut Words<'_>,
        owner: Owner,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Reported> {
        match word.text {
            "home" => self.flags = self.flags.with(AddressFlags::HOME),
            "-nodad" => self.flags = self.flags.without(AddressFlags::NO_DAD),
            "mngtmpaddr" => self.flags = self.flags.with(AddressFlags::MANAGE_TEMPORARY),
            "noprefixroute" => self.flags = self.flags.with(AddressFlags::NO_PREFIX_ROUTE),
            "autojoin" => self.flags = self.flags.with(AddressFlags::AUTOJOIN),
            "no_track" => self.tracked = false,
            "use_vmac" if owner == Owner::Instance => self.use_vmac = true,
            "dev" | "scope" | "brd" | "broadcast" | "label" | "peer" | "preferred_lft" => {
                self.option_with_value(word, words, diagnostics)?;
            }
            "track_group" if owner == Owner::Static => {
                self.option_with_value(word, words, diagnostics)?;
            }
            other => {
                let text =
                    format!("Unknown configuration entry '{other}' for ip address - ignoring");
                refuse(diagnostics, word.place, text);
            }
        }
        Ok(())
    }

    fn option_with_value(
        &mut self,
        word: Word<'_>,
        words: &mut Words<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Reported> {
        let Some(value) = words.next() else {
            let text = format!("No {} parameter specified for {}", word.text, self.text.value);
            return Err(refuse(diagnostics, word.place, text));
        };
        match word.text {
            "dev" => self.set_interface(value, diagnostics)?,
            "scope" => self.scope = Some(owned(value)),
            "label" => self.set_label(value, diagnostics)?,
            "peer" => self.set_peer(value, diagnostics),
            "preferred_lft" => self.set_lifetime(value, diagnostics),
            "track_group" => self.set_track_group(value, diagnostics),
            _ => self.set_broadcast(value, diagnostics)?,
        }
        Ok(())
    }

    fn set_interface(
        &mut self,
        value: Word<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Reported> {
        if self.interface.is_some() {
            let text =
                format!("Cannot specify ipaddress device more than once for {}", self.text.value);
            return Err(refuse(diagnostics, value.place, text));
        }
        self.interface = Some(owned(value));
        Ok(())
    }

    fn set_broadcast(
        &mut self,
        value: Word<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Reported> {
        if self.address.is_ipv6() {
            let text = format!(
                "A broadcast address {} cannot be given for the IPv6 address {} - ignoring address",
                value.text, self.text.value
            );
            return Err(refuse(diagnostics, value.place, text));
        }
        self.broadcast = Some(match value.text {
            "+" => Broadcast::Ones,
            "-" => Broadcast::Zeros,
            text => match text.parse() {
                Ok(address) => Broadcast::Given(address),
                Err(_) => {
                    let text = format!(
                        "VRRP is trying to assign invalid broadcast {text}. skipping VIP..."
                    );
                    return Err(refuse(diagnostics, value.place, text));
                }
            },
        });
        Ok(())
    }

    fn set_label(
        &mut self,
        value: Word<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Reported> {
        if value.text.len() > LONGEST_LABEL {
            let text = format!(
                "Address label {} is longer than maximum length {LONGEST_LABEL} - removing address",
                value.text
            );
            return Err(refuse(diagnostics, value.place, text));
        }
        self.label = Some(owned(value));
        Ok(())
    }

    fn set_peer(&mut self, value: Word<'_>, diagnostics: &mut Diagnostics) {
        let text = value.text;
        if self.peer.is_some() {
            let text = format!("Peer {text} - another peer has already been specified");
            refuse(diagnostics, value.place, text);
            return;
        }
        let Ok(peer) = parse_host(value, diagnostics) else {
            refuse(diagnostics, value.place, format!("Invalid peer address {text}"));
            return;
        };
        if Family::of(peer) != self.family() {
            let text = format!("Peer address {text} does not match address family");
            refuse(diagnostics, value.place, text);
            return;
        }
        if self.prefix_len != longest_prefix(self.address) {
            let text = "Cannot specify address prefix when specifying peer address - ignoring";
            refuse(diagnostics, value.place, text);
        }
        self.prefix_len = longest_prefix(peer);
        self.peer = Some(peer);
    }

    fn set_lifetime(&mut self, value: Word<'_>, diagnostics: &mut Diagnostics) {
        let limits = Limits { min: 0, max: u64::from(u32::MAX), strict: false };
        if value.text == "forever" {
            self.preferred_lifetime = Some(None);
        } else if let Some(seconds) = parse_uint(value, limits, diagnostics) {
            // The greatest number is the kernel's word for "forever".
            self.preferred_lifetime = Some(u32::try_from(seconds).ok().filter(|&s| s != u32::MAX));
        } else {
            let text = format!("preferred_lft {} is invalid", value.text);
            refuse(diagnostics, value.place, text);
        }
    }

    fn set_track_group(&mut self, value: Word<'_>, diagnostics: &mut Diagnostics) {
        if self.track_group.is_some() {
            let text = format!("track_group {} is a duplicate", value.text);
            refuse(diagnostics, value.place, text);
        } else {
            self.track_group = Some(owned(value));
        }
    }

    /// Looks up the names. `None` when the address cannot be used, which has been reported then.
    pub(super) fn finish(self, context: &mut Context<'_>) -> Option<Address> {
        let shown = &self.text.value;
        context
            .optional_interface_known(self.interface.as_ref(), |name| {
                format!("WARNING - interface {name} for ip address {shown} doesn't exist")
            })
            .then_some(())?;
        let broadcast = self.broadcast_address(context);
        let scope = self.scope_number(context);
        let track_group = find_track_group(self.track_group.as_ref(), context);
        let label = self.label.filter(|_| {
            if self.address.is_ipv6() {
                let text =
                    format!("Cannot specify label for IPv6 addresses ({shown}) - ignoring label");
                context.report(self.text.place, text);
            }
            self.address.is_ipv4()
        });
        let preferred_lifetime = match (self.address, self.preferred_lifetime) {
            (IpAddr::V4(_), _) => None,
            (IpAddr::V6(_), Some(given)) => given,
            // An address without a subnet is not meant as the source of new connections.
            (IpAddr::V6(_), None) if self.prefix_len == 128 => Some(0),
            (IpAddr::V6(_), None) => None,
        };
        Some(Address {
            address: self.address,
            prefix_len: self.prefix_len,
            peer: self.peer,
            broadcast,
            interface: self.interface.map(|name| name.value),
            scope,
            label: label.map(|label| label.value),
            flags: self.flags,
            preferred_lifetime,
            tracked: self.tracked,
            use_vmac: self.use_vmac,
            track_group,
        })
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.text.place
    }

    fn broadcast_address(&self, context: &mut Context<'_>) -> Option<Ipv4Addr> {
        let IpAddr::V4(address) = self.address else { return None };
        let broadcast = self.broadcast?;
        if self.peer.is_some() {
            let text = "Cannot specify broadcast and peer addresses - ignoring broadcast address";
            context.report(self.text.place, text);
            return None;
        }
        if let Broadcast::Given(given) = broadcast {
            return Some(given);
        }
        if self.prefix_len > LONGEST_BROADCAST_PREFIX {
            let text = format!("Address prefix length {} too long for broadcast", self.prefix_len);
            context.report(self.text.place, text);
            return None;
        }
        let host_bits = u32::MAX >> self.prefix_len;
        Some(match broadcast {
            Broadcast::Ones => Ipv4Addr::from(u32::from(address) | host_bits),
            _ => Ipv4Addr::from(u32::from(address) & !host_bits),
        })
    }

    fn scope_number(&self, context: &mut Context<'_>) -> u8 {
        let Some(name) = &self.scope else { return 0 };
        let Some(scope) = context.names.find_u8(Kind::Scope, &name.value) else {
            let text = format!(
                "Invalid scope '{}' specified for {} - ignoring",
                name.value, self.text.value
            );
            context.report(name.place, text);
            return 0;
        };
        if scope != 0 && self.address.is_ipv6() {
            let text = format!(
                "Cannot specify scope for IPv6 addresses ({}) - ignoring scope",
                self.text.value
            );
            context.report(name.place, text);
            return 0;
        }
        scope
    }
}

/// The track group of this name; an unknown one is reported.
pub(super) fn find_track_group(
    name: Option<&Spanned<String>>,
    context: &mut Context<'_>,
) -> Option<super::TrackGroupId> {
    let name = name?;
    let found = context.track_groups.get(&name.value).copied();
    if found.is_none() {
        context.report(name.place, format!("track_group {} not found", name.value));
    }
    found
}

/// The length of a prefix that is one address.
pub(super) fn longest_prefix(address: IpAddr) -> u8 {
    if address.is_ipv6() { 128 } else { 32 }
}

/// A word that outlives its line.
pub(super) fn owned(word: Word<'_>) -> Spanned<String> {
    Spanned::new(word.text.to_owned(), word.place)
}
