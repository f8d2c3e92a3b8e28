//! BFD sessions as the configuration gives them: `bfd_instance` blocks, typed, complete and in range.

mod extensions;
mod keywords;

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Place, Statement, Table, keyword, report_missing_parameter,
};
use runtime::global::BfdName;
use serde::{Deserialize, Serialize};

use crate::auth::Authentication;
use crate::packet::Micros;
use crate::session::Parameters;
use extensions::AuthDraft;
use keywords::{INSTANCE, PROFILE};

/// The sessions of the BFD child.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The sessions that can run.
    pub sessions: Vec<Instance>,
    /// All names that may be tracked, for those who do. A name whose session cannot run is never up.
    #[serde(skip)]
    pub names: Vec<BfdName>,
    wanted: bool,
}

impl Config {
    /// Whether the BFD child is needed: there is a block for it, even if nothing in it can be used.
    pub fn needs_child(&self) -> bool {
        self.wanted
    }
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Between whom it is, and who hears of it.
    pub ends: Ends,
    /// Timers and role.
    pub parameters: Parameters,
    /// How packets are authenticated, if they are. An extension.
    pub authentication: Option<Authentication>,
}

/// Between whom a session is, and who hears of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// Its name, at most [`NAME_MAX`] bytes.
    pub name: String,
    /// The other side.
    pub neighbor: IpAddr,
    /// Our side, of the same family; `None` leaves it to the routes.
    pub source: Option<IpAddr>,
    /// Whether it runs over several hops (RFC 5883) rather than one (RFC 5881).
    pub multihop: bool,
    /// Time to live, or hop limit, of what we send.
    pub ttl: u8,
    /// The smallest one of what we accept; `None` accepts any.
    pub accepted_ttl: Option<u8>,
    /// How many hops a packet may have taken, which that comes from; `None` is any number.
    pub max_hops: Option<u8>,
    /// Whether VRRP is told of changes.
    pub vrrp: bool,
    /// Whether the checkers are told of changes.
    pub checker: bool,
}

impl Ends {
    /// What is the same for a session that goes on, under new settings perhaps.
    pub fn identity(&self) -> (&str, IpAddr, Option<IpAddr>, bool, u8) {
        (&self.name, self.neighbor, self.source, self.multihop, self.ttl)
    }
}

/// The longest name of a session, in bytes.
pub const NAME_MAX: usize = 31;

/// What the keywords fill.
#[derive(Debug, Default)]
pub struct Draft {
    config: Config,
    profiles: HashMap<String, InstanceDraft>,
}

/// The keywords of the top level that belong to BFD.
pub static ROOT: Table<Draft> = Table(&[
    keyword(
        "bfd_instance",
        Args::Block("NAME", &INSTANCE),
        "a BFD session",
        |draft, _, statement, diagnostics| draft.instance(statement, diagnostics),
    ),
    keyword(
        "bfd_profile",
        Args::Block("NAME", &PROFILE),
        "values for BFD sessions that name it",
        |draft, _, statement, diagnostics| draft.profile(statement, diagnostics),
    ),
]);

/// Loads the BFD part from the statements of the top level; those of others are passed over.
pub fn load(statements: &[Statement], diagnostics: &mut Diagnostics) -> Config {
    let mut draft = Draft::default();
    // Profiles first, so that they may stand anywhere.
    for profiles in [true, false] {
        let wanted = |s: &&Statement| (s.keyword() == "bfd_profile") == profiles;
        for statement in statements.iter().filter(wanted) {
            ROOT.apply(&mut draft, statement, diagnostics);
        }
    }
    draft.config
}

/// One block.
#[derive(Clone, Debug)]
struct InstanceDraft {
    /// What messages call it.
    title: String,
    name: String,
    neighbor: Neighbor,
    source: Option<IpAddr>,
    multihop: bool,
    parameters: Parameters,
    auth: AuthDraft,
    ttl: Option<u8>,
    max_hops: Hops,
    vrrp: bool,
    checker: bool,
    weight: i32,
    reverse: bool,
}

#[derive(Clone, Debug, Default)]
enum Neighbor {
    #[default]
    Missing,
    Malformed,
    Given(IpAddr),
}

/// How many hops a packet may have taken.
#[derive(Clone, Copy, Debug)]
enum Hops {
    Any,
    AtMost(u8),
}

impl InstanceDraft {
    fn new(kind: &str, name: &str) -> Self {
        Self {
            title: format!("BFD {kind} {name}"),
            name: name.to_owned(),
            neighbor: Neighbor::Missing,
            source: None,
            multihop: false,
            parameters: Parameters {
                min_tx: Micros(10_000),
                min_rx: Micros(10_000),
                idle_tx: Micros(1_000_000),
                multiplier: 5,
                passive: false,
                demand: None,
                echo_tx: None,
                echo_rx: Micros(0),
            },
            auth: AuthDraft::default(),
            ttl: None,
            max_hops: Hops::AtMost(0),
            vrrp: false,
            checker: false,
            weight: 0,
            reverse: false,
        }
    }

    /// Reports a problem in the words that all those of an instance begin with.
    fn report(&self, place: Place, problem: impl Display, diagnostics: &mut Diagnostics) {
        let text = format!("Configuration error: {} {problem}", self.title);
        diagnostics.report(Class::GeneralError, place, text);
    }

    /// As [`Self::report`], for what was found at the end of the block.
    fn report_block(&self, block: Extent, problem: impl Display, diagnostics: &mut Diagnostics) {
        let text = format!("Configuration error: {} {problem}", self.title);
        diagnostics.report_block(Class::GeneralError, block, text);
    }
}

/// RFC 5881 §5 asks for 255 in both families. 2.4.3 sends and expects 64 over IPv6.
const TTL_SENT: u8 = 255;
const HOP_LIMIT_EXPECTED: u8 = 64;

impl Draft {
    fn instance(&mut self, statement: &Statement, diagnostics: &mut Diagnostics) {
        let config = &mut self.config;
        config.wanted = true;
        let Some(name) = statement.arg(0) else {
            return report_missing_parameter(statement, 0, diagnostics);
        };
        let mut draft = InstanceDraft::new("instance", name.text);
        if name.text.len() > NAME_MAX {
            let problem =
                format!("name too long (maximum length is {NAME_MAX} characters) - ignoring");
            return draft.report(name.place, problem, diagnostics);
        }
        if config.names.iter().any(|known| known.name == name.text) {
            return draft.report(name.place, "already configured - ignoring", diagnostics);
        }
        if let Some(profile) = keywords::profile_of(statement) {
            match self.profiles.get(profile.text) {
                Some(profile) => {
                    let InstanceDraft { title, name, .. } = draft;
                    draft = InstanceDraft { title, name, ..profile.clone() };
                }
                None => {
                    let problem = format!("profile {} not found, ignoring", profile.text);
                    draft.report(profile.place, problem, diagnostics);
                }
            }
        }
        INSTANCE.fill(&mut draft, statement, diagnostics);
        let everybody = !draft.vrrp && !draft.checker;
        draft.vrrp |= everybody;
        draft.checker |= everybody;
        config.names.push(BfdName {
            name: draft.name.clone(),
            weight: draft.weight,
            reverse: draft.reverse,
            vrrp: draft.vrrp,
            checker: draft.checker,
        });
        config.sessions.extend(draft.finish(&config.sessions, statement.extent(), diagnostics));
    }

    fn profile(&mut self, statement: &Statement, diagnostics: &mut Diagnostics) {
        let Some(name) = statement.arg(0) else {
            return report_missing_parameter(statement, 0, diagnostics);
        };
        let mut draft = InstanceDraft::new("profile", name.text);
        if self.profiles.contains_key(name.text) {
            return draft.report(name.place, "already configured - ignoring", diagnostics);
        }
        PROFILE.fill(&mut draft, statement, diagnostics);
        self.profiles.insert(name.text.to_owned(), draft);
    }
}

impl InstanceDraft {
    /// The session, unless it cannot run or would get in the way of one of `others`.
    fn finish(
        self,
        others: &[Instance],
        block: Extent,
        diagnostics: &mut Diagnostics,
    ) -> Option<Instance> {
        let neighbor = match self.neighbor {
            Neighbor::Given(neighbor) => neighbor,
            Neighbor::Malformed => return None,
            Neighbor::Missing => {
                let problem = "has no neighbor address set, disabling instance";
                self.report_block(block, problem, diagnostics);
                return None;
            }
        };
        let source = self.source;
        if let Some(source) = source.filter(|source| source.is_ipv4() != neighbor.is_ipv4()) {
            let problem = format!(
                "source address {source} and neighbor address {neighbor} are not of the same family, disabling instance"
            );
            self.report_block(block, problem, diagnostics);
            return None;
        }
        let taken = others.iter().any(|Instance { ends: other, .. }| {
            other.neighbor == neighbor
                && other.multihop == self.multihop
                && (other.source.is_none() || source.is_none() || other.source == source)
        });
        if taken {
            let problem = match source {
                Some(source) => format!(
                    "has duplicate source/neighbor address {source}/{neighbor}, ignoring instance"
                ),
                None => format!("has duplicate neighbor address {neighbor}, ignoring instance"),
            };
            self.report_block(block, problem, diagnostics);
            return None;
        }
        let authentication = match self.auth.finish() {
            Ok(authentication) => authentication,
            Err(problem) => {
                self.report_block(block, problem, diagnostics);
                return None;
            }
        };
        let ends = Ends {
            neighbor,
            source,
            multihop: self.multihop,
            ttl: self.ttl.unwrap_or(TTL_SENT),
            accepted_ttl: self.accepted_ttl(neighbor, block, diagnostics),
            max_hops: match self.max_hops {
                Hops::Any => None,
                Hops::AtMost(hops) => Some(hops.min(self.ttl.unwrap_or(TTL_SENT))),
            },
            vrrp: self.vrrp,
            checker: self.checker,
            name: self.name,
        };
        Some(Instance { ends, parameters: self.parameters, authentication })
    }

    fn accepted_ttl(
        &self,
        neighbor: IpAddr,
        block: Extent,
        diagnostics: &mut Diagnostics,
    ) -> Option<u8> {
        let default = if neighbor.is_ipv4() { TTL_SENT } else { HOP_LIMIT_EXPECTED };
        let expected = self.ttl.unwrap_or(default);
        let hops = match self.max_hops {
            Hops::Any => return None,
            Hops::AtMost(hops) => hops,
        };
        if hops > expected {
            let text =
                format!("{}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit", self.title);
            diagnostics.report_block(Class::GeneralError, block, text);
        }
        Some(expected.saturating_sub(hops))
    }
}

#[cfg(test)]
mod tests;
