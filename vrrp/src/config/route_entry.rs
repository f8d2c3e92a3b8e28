//! Entries of `virtual_routes` and `static_routes`.

use conf_parser::{Diagnostics, Line, Word, c_number};
use runtime::machine::route::{AddMode, Prefix};

use super::address_entry::{Owner, find_track_group, owned, parse_host, parse_prefix};
use super::context::Context;
use super::encap_entry::read_encap;
use super::entry::{Reported, Words, refuse, unsigned};
use super::iproute_names::{Kind, Names};
use super::route::{Metrics, NextHop, Route};
use super::route_metrics::read_metric;
use crate::packet::Family;

/// What keepalived calls itself in the kernel's tables (`RTPROT_KEEPALIVED`).
pub(super) const PROTOCOL: u8 = 18;
/// The main routing table.
const MAIN_TABLE: u32 = 254;
/// An ordinary route (`RTN_UNICAST`).
const UNICAST: u8 = 1;

/// Kinds of routes (`RTN_*`).
const KINDS: [(&str, u8); 12] = [
    ("local", 2),
    ("nat", 10),
    ("broadcast", 3),
    ("brd", 3),
    ("anycast", 4),
    ("multicast", 5),
    ("prohibit", 8),
    ("unreachable", 7),
    ("blackhole", 6),
    ("xresolve", 11),
    ("unicast", UNICAST),
    ("throw", 9),
];

/// The kind of route, or of rule action, that `text` names.
pub(super) fn find_kind(text: &str) -> Option<u8> {
    let named = KINDS.iter().find(|(name, _)| *name == text).map(|&(_, kind)| kind);
    named.or_else(|| c_number(text).and_then(|number| u8::try_from(number).ok()))
}

/// Where packets go to or come from: everywhere, everywhere in one family, or a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Everywhere,
    EverywhereIn(Family),
    Prefix(Prefix),
}

impl Range {
    /// Reads a prefix or a word for "everywhere".
    pub(super) fn parse(word: Word<'_>, diagnostics: &mut Diagnostics) -> Result<Self, Reported> {
        match word.text {
            "default" | "any" | "all" => Ok(Range::Everywhere),
            "default6" => {
                let text = "'default6' is deprecated - please replace with 'inet6 default'";
                diagnostics.report(conf_parser::Class::Notice, word.place, text);
                Ok(Range::EverywhereIn(Family::V6))
            }
            _ => {
                let (address, len) = parse_prefix(word, diagnostics)?;
                Ok(Range::Prefix(Prefix { address, len }))
            }
        }
    }

    /// The family that it belongs to, if it says so.
    pub(super) fn family(self) -> Option<Family> {
        match self {
            Range::Everywhere => None,
            Range::EverywhereIn(family) => Some(family),
            Range::Prefix(prefix) => Some(Family::of(prefix.address)),
        }
    }

    /// The prefix; none for everywhere.
    pub(super) fn prefix(self) -> Option<Prefix> {
        match self {
            Range::Prefix(prefix) => Some(prefix),
            Range::Everywhere | Range::EverywhereIn(_) => None,
        }
    }
}

/// Realms, as `FROM/TO` or `TO`.
pub(super) fn parse_realms(text: &str, names: &Names) -> Option<u32> {
    let find = |text| names.find(Kind::Realm, text);
    match text.split_once('/') {
        Some((from, to)) => Some(find(from)? << 16 | find(to)?),
        None => find(text),
    }
}

/// Reads an entry. `None` when it cannot be used, which has been reported then.
pub(super) fn parse(line: &Line, owner: Owner, context: &mut Context<'_>) -> Option<Route> {
    let mut entry = Entry {
        words: Words::new(line),
        owner,
        context,
        family: None,
        destination: None,
        track_group: None,
        protocol: None,
        route: Route::plain(),
    };
    entry.read().ok()?;
    entry.finish().ok()
}

impl Route {
    /// A route to everywhere, without any attribute.
    fn plain() -> Self {
        Self {
            family: Family::V4,
            destination: None,
            from: None,
            source: None,
            kind: UNICAST,
            table: MAIN_TABLE,
            protocol: PROTOCOL,
            scope: None,
            tos: 0,
            metric: None,
            gateway: None,
            interface: None,
            onlink: false,
            metrics: Metrics::default(),
            realms: None,
            expires: None,
            preference: None,
            ttl_propagate: None,
            encap: None,
            next_hops: Vec::new(),
            add: AddMode::default(),
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
    destination: Option<Range>,
    track_group: Option<Word<'a>>,
    protocol: Option<Word<'a>>,
    route: Route,
}

const MIXED: &str = "Cannot mix IPv4 and IPv6 addresses for route";

impl<'a> Entry<'a, '_, '_> {
    fn read(&mut self) -> Result<(), Reported> {
        while let Some(word) = self.words.next() {
            if word.text == "nexthop" {
                return self.read_next_hops(word);
            }
            self.read_option(word)?;
        }
        Ok(())
    }

    fn read_option(&mut self, word: Word<'a>) -> Result<(), Reported> {
        match word.text {
            "inet" => self.belongs_to(Family::V4, word, "inet specified for IPv6 route"),
            "inet6" => self.belongs_to(Family::V6, word, "inet6 specified for IPv4 route"),
            "src" | "via" | "gw" | "from" | "or" => self.read_address(word),
            "dev" | "oif" | "vrf" => self.read_interface(word),
            "table" | "protocol" | "scope" | "tos" | "dsfield" | "realms" => self.read_name(word),
            "metric" | "priority" | "preference" => {
                let metric = self.number(u64::from(u32::MAX), |text| {
                    format!("Invalid metric {text} specified for route")
                })?;
                self.route.metric = Some(metric);
                Ok(())
            }
            "expires" | "pref" => self.read_ipv6_option(word),
            "ttl-propagate" => self.read_ttl_propagate(),
            "encap" => {
                self.route.encap = Some(read_encap(&mut self.words, self.context)?);
                Ok(())
            }
            "track_group" if self.owner == Owner::Static => self.read_track_group(),
            "as" => {
                self.words.take("to");
                self.words.required(self.context.diagnostics)?;
                self.context.report(word.place, "\"as to\" for MPLS only - ignoring");
                Ok(())
            }
            _ => self.read_flag(word),
        }
    }

    fn read_flag(&mut self, word: Word<'a>) -> Result<(), Reported> {
        match word.text {
            "onlink" => self.route.onlink = true,
            "add" => self.route.add = AddMode::Exclusive,
            "append" => self.route.add = AddMode::Append,
            "prepend" => self.route.add = AddMode::Prepend,
            "no_track" => self.route.tracked = false,
            _ if read_metric(word, &mut self.words, &mut self.route.metrics, self.context)? => {}
            _ => self.read_destination(word)?,
        }
        Ok(())
    }

    /// The entry is about `family`; `message` says that it was about the other one before.
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

    fn number<T: TryFrom<u64>>(
        &mut self,
        max: u64,
        message: impl FnOnce(&str) -> String,
    ) -> Result<T, Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        unsigned(word, max, self.context.diagnostics, message)
    }

    fn read_destination(&mut self, word: Word<'a>) -> Result<(), Reported> {
        let mut word = word;
        if word.text == "to" {
            word = self.words.required(self.context.diagnostics)?;
        }
        if let Some(kind) = find_kind(word.text) {
            self.route.kind = kind;
            word = self.words.required(self.context.diagnostics)?;
        }
        let range = Range::parse(word, self.context.diagnostics)
            .map_err(|_| self.refuse(word, format!("unknown route keyword {}", word.text)))?;
        if let Some(family) = range.family() {
            self.belongs_to(family, word, &format!("{MIXED} ({})", word.text))?;
        }
        self.destination = Some(range);
        Ok(())
    }

    fn read_address(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        match keyword.text {
            "from" => return self.read_from(),
            "or" => return self.read_second_gateway(keyword),
            "gw" => {
                let text = "\"gw\" for routes is deprecated. Please use \"via\"";
                self.context.report(keyword.place, text);
            }
            _ => {}
        }
        let is_source = keyword.text == "src";
        if !is_source {
            if self.words.take("inet") {
                self.belongs_to(Family::V4, keyword, MIXED)?;
            } else if self.words.take("inet6") {
                self.belongs_to(Family::V6, keyword, MIXED)?;
            }
        }
        let word = self.words.required(self.context.diagnostics)?;
        let kind = if is_source { "src" } else { "via" };
        let address = parse_host(word, self.context.diagnostics).map_err(|_| {
            self.refuse(word, format!("invalid route {kind} address {}", word.text))
        })?;
        self.belongs_to(Family::of(address), word, MIXED)?;
        if is_source {
            self.route.source = Some(address);
        } else {
            self.route.gateway = Some(address);
        }
        Ok(())
    }

    fn read_from(&mut self) -> Result<(), Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        let range = Range::parse(word, self.context.diagnostics)
            .map_err(|_| self.refuse(word, format!("invalid route from address {}", word.text)))?;
        if range.family() != Some(Family::V6) {
            let text = format!("route from address only supported with IPv6 ({})", word.text);
            return Err(self.refuse(word, text));
        }
        self.belongs_to(Family::V6, word, MIXED)?;
        self.route.from = range.prefix();
        Ok(())
    }

    /// `via A or B`: the old way to write two next hops.
    fn read_second_gateway(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        let text = "\"or\" for routes is deprecated. Please use \"nexthop\"";
        self.context.report(keyword.place, text);
        let word = self.words.required(self.context.diagnostics)?;
        if !self.route.next_hops.is_empty() {
            let text = "\"or\" route already specified - ignoring subsequent";
            self.context.report(keyword.place, text);
            return Ok(());
        }
        let address = parse_host(word, self.context.diagnostics)
            .map_err(|_| self.refuse(word, format!("Invalid \"or\" address {}", word.text)))?;
        self.belongs_to(Family::of(address), word, MIXED)?;
        let first = NextHop { gateway: self.route.gateway.take(), ..NextHop::default() };
        let second = NextHop { gateway: Some(address), ..NextHop::default() };
        self.route.next_hops = vec![first, second];
        Ok(())
    }

    fn read_interface(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        if keyword.text == "vrf" {
            let Some(link) = self.context.link(word.text) else {
                return Err(self.refuse(word, format!("VRF {} not found for route", word.text)));
            };
            let Some(table) = link.vrf_table else {
                let text = format!("Route specified VRF {} is not a VRF", word.text);
                return Err(self.refuse(word, text));
            };
            self.route.table = table;
            return Ok(());
        }
        self.route.interface = Some(self.known_interface(word)?);
        Ok(())
    }

    fn known_interface(&mut self, word: Word<'_>) -> Result<String, Reported> {
        let known = self.context.interface_known(word.text, word.place, || {
            format!("WARNING - interface {} for VROUTE nexthop doesn't exist", word.text)
        });
        known.then(|| word.text.to_owned()).ok_or(Reported)
    }

    fn read_name(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        let names = &self.context.names;
        let text = word.text;
        let message = match keyword.text {
            "table" => match names.find(Kind::Table, text) {
                Some(table) => {
                    self.route.table = table;
                    return Ok(());
                }
                None => format!("Routing table {text} not found for route"),
            },
            "protocol" => match names.find_u8(Kind::Protocol, text) {
                Some(protocol) => {
                    self.route.protocol = protocol;
                    self.protocol = Some(word);
                    return Ok(());
                }
                None => format!("Protocol {text} not found or invalid for route"),
            },
            "scope" => match names.find_u8(Kind::Scope, text) {
                Some(scope) => {
                    self.route.scope = Some(scope);
                    return Ok(());
                }
                None => format!("Scope {text} not found or invalid for route"),
            },
            "realms" => match parse_realms(text, names) {
                Some(realms) => {
                    self.route.realms = Some(realms);
                    return self.belongs_to(Family::V4, word, "realms are only valid for IPv4");
                }
                None => format!("Invalid realms {text} for route"),
            },
            _ => match names.find_u8(Kind::DsField, text) {
                Some(tos) => {
                    self.route.tos = tos;
                    return Ok(());
                }
                None => format!("TOS value {text} is invalid"),
            },
        };
        Err(self.refuse(word, message))
    }

    fn read_ipv6_option(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        let message = format!("{} is only valid for IPv6", keyword.text);
        self.belongs_to(Family::V6, keyword, &message)?;
        if keyword.text == "expires" {
            let seconds = self.number(u64::from(u32::MAX), |text| {
                format!("Invalid expires time {text} specified for route")
            })?;
            self.route.expires = Some(seconds);
            return Ok(());
        }
        let word = self.words.required(self.context.diagnostics)?;
        self.route.preference = Some(match word.text {
            "low" => 3,
            "medium" => 0,
            "high" => 1,
            _ => unsigned(word, 255, self.context.diagnostics, |text| {
                format!("Invalid pref value {text} specified for route")
            })?,
        });
        Ok(())
    }

    fn read_ttl_propagate(&mut self) -> Result<(), Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        match word.text {
            "enabled" => self.route.ttl_propagate = Some(true),
            "disabled" => self.route.ttl_propagate = Some(false),
            other => {
                let text = format!("ttl-propagate value {other} not recognised");
                self.context.report(word.place, text);
            }
        }
        Ok(())
    }

    fn read_track_group(&mut self) -> Result<(), Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        if self.track_group.is_some() {
            self.context.report(word.place, format!("track_group {} is a duplicate", word.text));
            return self.trailing(word);
        }
        self.track_group = Some(word);
        Ok(())
    }

    fn trailing(&mut self, word: Word<'_>) -> Result<(), Reported> {
        Err(self.refuse(word, format!("Route has trailing nonsense - {}", word.text)))
    }

    fn read_next_hops(&mut self, keyword: Word<'a>) -> Result<(), Reported> {
        if !self.route.next_hops.is_empty() {
            let text = "Cannot specify nexthops with \"or\" route";
            self.context.report(keyword.place, text);
            return self.trailing(keyword);
        }
        while let Ok((hop, rest)) = self.read_next_hop() {
            self.route.next_hops.push(hop);
            match rest {
                None => return Ok(()),
                Some(word) if word.text == "nexthop" => {}
                Some(word) => {
                    let text =
                        format!("Route has trailing nonsense after nexthops - {}", word.text);
                    self.context.report(word.place, text);
                    return Ok(());
                }
            }
        }
        // The hops before a wrong one still lead somewhere.
        if self.route.next_hops.is_empty() { Err(Reported) } else { Ok(()) }
    }

    /// One next hop, and the word that is none of its own any more.
    fn read_next_hop(&mut self) -> Result<(NextHop, Option<Word<'a>>), Reported> {
        let mut hop = NextHop::default();
        while let Some(word) = self.words.next() {
            match word.text {
                "via" => self.read_hop_gateway(&mut hop)?,
                "dev" => {
                    let name = self.words.required(self.context.diagnostics)?;
                    hop.interface = Some(self.known_interface(name)?);
                }
                "weight" => {
                    hop.weight = self.read_hop_weight()?;
                    hop.weight_given = true;
                }
                "onlink" => hop.onlink = true,
                "encap" => hop.encap = Some(read_encap(&mut self.words, self.context)?),
                "realms" => {
                    let value = self.words.required(self.context.diagnostics)?;
                    let Some(realms) = parse_realms(value.text, &self.context.names) else {
                        let text = format!("Invalid realms {} for route", value.text);
                        return Err(self.refuse(value, text));
                    };
                    self.belongs_to(Family::V4, value, "realms are only supported for IPv4")?;
                    hop.realms = Some(realms);
                }
                "as" => return Err(self.refuse(word, "'as [to]' (nat) not supported")),
                _ => return Ok((hop, Some(word))),
            }
        }
        Ok((hop, None))
    }

    fn read_hop_gateway(&mut self, hop: &mut NextHop) -> Result<(), Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        let word = match word.text {
            "inet" | "inet6" => {
                let family = if word.text == "inet" { Family::V4 } else { Family::V6 };
                self.belongs_to(family, word, "IPv4/6 mismatch for nexthop")?;
                self.words.required(self.context.diagnostics)?
            }
            _ => word,
        };
        let address = parse_host(word, self.context.diagnostics)
            .map_err(|_| self.refuse(word, format!("invalid nexthop address {}", word.text)))?;
        self.belongs_to(Family::of(address), word, "Address family mismatch for next hop")?;
        hop.gateway = Some(address);
        Ok(())
    }

    fn read_hop_weight(&mut self) -> Result<u16, Reported> {
        let word = self.words.required(self.context.diagnostics)?;
        let message = |text: &str| format!("Invalid weight {text} specified for route");
        match unsigned(word, 256, self.context.diagnostics, message)? {
            0 => Err(self.refuse(word, "Invalid weight 0 specified for route")),
            weight => Ok(weight),
        }
    }

    fn finish(mut self) -> Result<Route, Reported> {
        let place = self.words.place();
        let Some(destination) = self.destination else {
            return Err(refuse(self.context.diagnostics, place, "Route must have a destination"));
        };
        let group = self.track_group.map(owned);
        self.route.track_group = find_track_group(group.as_ref(), self.context);
        if self.route.tracked && self.route.protocol != PROTOCOL {
            let text = format!(
                "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED({PROTOCOL}), resetting protocol"
            );
            self.context.report(self.protocol.map_or(place, |word| word.place), text);
            self.route.protocol = PROTOCOL;
        }
        if self.route.track_group.is_some() && self.route.interface.is_none() {
            let text = "Static route cannot have track group if no oif specified";
            self.context.report(place, text);
            self.route.track_group = None;
        }
        self.route.family = self.family.unwrap_or(Family::V4);
        self.route.destination = destination.prefix();
        Ok(self.route)
    }
}

impl Default for NextHop {
    fn default() -> Self {
        Self {
            gateway: None,
            interface: None,
            weight: 1,
            weight_given: false,
            onlink: false,
            realms: None,
            encap: None,
        }
    }
}
