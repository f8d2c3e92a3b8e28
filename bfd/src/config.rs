//! BFD sessions as the configuration gives them: `bfd_instance` blocks, typed, complete and in range.

use std::fmt::Display;
use std::net::IpAddr;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Limits, Place, Statement, Table, Value, keyword,
    parse_address, parse_decimal, parse_int, report_missing_parameter,
};
use runtime::global::BfdName;
use serde::{Deserialize, Serialize};

use crate::packet::Micros;
use crate::session::Parameters;

/// The sessions of the BFD child.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The sessions that can run.
    pub sessions: Vec<Instance>,
    /// All names that may be tracked. A name whose session cannot run is never up.
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
    /// Its name, at most [`NAME_MAX`] bytes.
    pub name: String,
    /// The other side.
    pub neighbor: IpAddr,
    /// Our side, of the same family; `None` leaves it to the routes.
    pub source: Option<IpAddr>,
    /// Whether it runs over several hops (RFC 5883) rather than one (RFC 5881).
    pub multihop: bool,
    /// Timers and role.
    pub parameters: Parameters,
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

/// The longest name of a session, in bytes.
pub const NAME_MAX: usize = 31;

/// What the keywords fill.
#[derive(Debug, Default)]
pub struct Draft {
    config: Config,
}

/// The keywords of the top level that belong to BFD.
pub static ROOT: Table<Draft> = Table(&[keyword(
    "bfd_instance",
    Args::Block("NAME", &INSTANCE),
    "a BFD session",
    |draft, _, statement, diagnostics| draft.config.instance(statement, diagnostics),
)]);

/// Loads the BFD part from the statements of the top level; those of others are passed over.
pub fn load(statements: &[Statement], diagnostics: &mut Diagnostics) -> Config {
    let mut draft = Draft::default();
    for statement in statements {
        ROOT.apply(&mut draft, statement, diagnostics);
    }
    draft.config
}

/// One block.
#[derive(Debug)]
struct InstanceDraft {
    name: String,
    neighbor: Neighbor,
    source: Option<IpAddr>,
    multihop: bool,
    parameters: Parameters,
    ttl: Option<u8>,
    max_hops: Hops,
    vrrp: bool,
    checker: bool,
    weight: i32,
    reverse: bool,
}

#[derive(Debug, Default)]
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
    fn new(name: &str) -> Self {
        Self {
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
            },
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
        let text = format!("Configuration error: BFD instance {} {problem}", self.name);
        diagnostics.report(Class::GeneralError, place, text);
    }

    /// As [`Self::report`], for what was found at the end of the block.
    fn report_block(&self, block: Extent, problem: impl Display, diagnostics: &mut Diagnostics) {
        let text = format!("Configuration error: BFD instance {} {problem}", self.name);
        diagnostics.report_block(Class::GeneralError, block, text);
    }
}

static INSTANCE: Table<InstanceDraft> = Table(&[
    keyword("neighbor_ip", ADDRESS, "the other side", neighbor),
    keyword("neighbour_ip", ADDRESS, "the other side", neighbor),
    keyword("source_ip", ADDRESS, "our side", |draft, value, statement, diagnostics| {
        match parse_address(value.word()) {
            Some(address) => draft.source = Some(address),
            None => {
                let problem = format!("has malformed source address {}, ignoring", value.word());
                draft.report(statement.place(), problem, diagnostics);
            }
        }
    }),
    keyword("min_rx", INTERVAL, "how often we can receive", |draft, _, statement, diagnostics| {
        if let Some(interval) = interval(draft, FASTEST, statement, diagnostics) {
            draft.parameters.min_rx = interval;
        }
    }),
    keyword("min_tx", INTERVAL, "how often to send while up", |draft, _, statement, diagnostics| {
        if let Some(interval) = interval(draft, FASTEST, statement, diagnostics) {
            draft.parameters.min_tx = interval;
        }
    }),
    keyword(
        "idle_tx",
        Args::Words("MSECS(3 dp):1000..4294967"),
        "how often to send while not up",
        |draft, _, statement, diagnostics| {
            if let Some(interval) = interval(draft, FASTEST_IDLE, statement, diagnostics) {
                draft.parameters.idle_tx = interval;
            }
        },
    ),
    keyword(
        "multiplier",
        Args::Uint { unit: "UINT", min: 1, max: 255, strict: true },
        "how many missed packets make a failure",
        |draft: &mut InstanceDraft, value, _, _| draft.parameters.multiplier = value.u8(),
    )
    .invalid_for(|draft, given| {
        let name = &draft.name;
        format!(
            "Configuration error: BFD instance {name} multiplier value {given} not valid (must be in range [1-255]), ignoring"
        )
    }),
    keyword("passive", Args::Flag, "stay silent until the other side is heard", |draft, _, _, _| {
        draft.parameters.passive = true;
    }),
    keyword("ttl", TTL, "time to live of what we send", |draft: &mut InstanceDraft, value, _, _| {
        draft.ttl = Some(value.u8());
    })
    .invalid_for(bad_ttl),
    keyword("hoplimit", TTL, "hop limit of what we send", |draft: &mut InstanceDraft, value, _, _| {
        draft.ttl = Some(value.u8());
    })
    .invalid_for(bad_ttl),
    keyword(
        "max_hops",
        Args::Int { min: -1, max: 255, strict: true },
        "how many hops a packet may have taken; -1 is any number",
        |draft: &mut InstanceDraft, value, _, _| {
            draft.max_hops = u8::try_from(value.int()).map_or(Hops::Any, Hops::AtMost);
        },
    )
    .invalid_for(|draft, given| {
        let name = &draft.name;
        format!(
            "Configuration error: BFD instance {name} max_hops value {given} not valid (must be in range [-1-255]), ignoring"
        )
    }),
    keyword("multihop", Args::Bool, "run over several hops", |draft: &mut InstanceDraft, value, _, _| {
        draft.multihop = value.bool();
    })
    .invalid_for(|draft, given| {
        let name = &draft.name;
        format!("Configuration error: BFD instance {name} multihop setting not valid - {given}")
    }),
    keyword(
        "weight",
        Args::Words("INT:-253..253 [reverse]"),
        "what the session counts where track_bfd gives no weight",
        weight,
    ),
    keyword("vrrp", Args::Flag, "tell VRRP of changes, and the checkers only if asked", |draft, _, _, _| {
        draft.vrrp = true;
    }),
    keyword("checker", Args::Flag, "tell the checkers of changes, and VRRP only if asked", |draft, _, _, _| {
        draft.checker = true;
    }),
]);

const ADDRESS: Args = Args::Word("IPADDR");
const INTERVAL: Args = Args::Words("MSECS(3 dp):1..4294967");
const TTL: Args = Args::Uint { unit: "UINT", min: 1, max: 255, strict: true };

/// Milliseconds.
const FASTEST: u32 = 1;
const FASTEST_IDLE: u32 = 1000;
const SLOWEST: u32 = 4_294_967;
/// From here on somebody has probably mistaken the unit.
const SENSIBLE: u32 = 10_000;

/// RFC 5881 §5 asks for 255 in both families. 2.4.3 sends and expects 64 over IPv6.
const TTL_SENT: u8 = 255;
const HOP_LIMIT_EXPECTED: u8 = 64;

fn neighbor(
    draft: &mut InstanceDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    draft.neighbor = match parse_address(value.word()) {
        Some(address) => Neighbor::Given(address),
        None => {
            let problem =
                format!("has malformed neighbor address {}, ignoring instance", value.word());
            draft.report(statement.place(), problem, diagnostics);
            Neighbor::Malformed
        }
    };
}

fn interval(
    draft: &InstanceDraft,
    fastest: u32,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) -> Option<Micros> {
    let Some(word) = statement.arg(0) else {
        report_missing_parameter(statement, 0, diagnostics);
        return None;
    };
    let keyword = statement.keyword();
    let micros = |millis: u32| u64::from(millis) * 1000;
    let limits = Limits { min: micros(fastest), max: micros(SLOWEST), strict: true };
    let value = parse_decimal(word, 3, limits, diagnostics);
    let Some(interval) = value.and_then(|value| u32::try_from(value).ok()) else {
        let problem = format!(
            "{keyword} value {} is not valid (must be in range [{fastest}-{SLOWEST}]), ignoring",
            word.text
        );
        draft.report(word.place, problem, diagnostics);
        return None;
    };
    if u64::from(interval) > micros(SENSIBLE) {
        let text = format!(
            "Configuration warning: BFD instance {} {keyword} value {} is larger than max sensible ({SENSIBLE})",
            draft.name, word.text
        );
        diagnostics.report(Class::Notice, word.place, text);
    }
    Some(Micros(interval))
}

fn bad_ttl(draft: &InstanceDraft, given: &str) -> String {
    let name = &draft.name;
    format!(
        "Configuration error: BFD instance {name} ttl/hoplimit value {given} not valid (must be in range [1-255]), ignoring"
    )
}

fn weight(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else {
        return report_missing_parameter(statement, 0, diagnostics);
    };
    let limits = Limits { min: -253, max: 253, strict: false };
    match parse_int(word, limits, diagnostics).and_then(|weight| i32::try_from(weight).ok()) {
        Some(weight) => draft.weight = weight,
        None => {
            let problem = format!(
                "weight value {} not valid (must be in range [-253-253]), ignoring",
                word.text
            );
            draft.report(word.place, problem, diagnostics);
        }
    }
    match statement.arg(1) {
        None => {}
        Some(word) if word.text == "reverse" => draft.reverse = true,
        Some(word) => {
            let problem = format!("unknown weight option {}", word.text);
            draft.report(word.place, problem, diagnostics);
        }
    }
}

impl Config {
    fn instance(&mut self, statement: &Statement, diagnostics: &mut Diagnostics) {
        self.wanted = true;
        let Some(name) = statement.arg(0) else {
            return report_missing_parameter(statement, 0, diagnostics);
        };
        let mut draft = InstanceDraft::new(name.text);
        if name.text.len() > NAME_MAX {
            let problem =
                format!("name too long (maximum length is {NAME_MAX} characters) - ignoring");
            return draft.report(name.place, problem, diagnostics);
        }
        if self.names.iter().any(|known| known.name == name.text) {
            return draft.report(name.place, "already configured - ignoring", diagnostics);
        }
        INSTANCE.fill(&mut draft, statement, diagnostics);
        let everybody = !draft.vrrp && !draft.checker;
        draft.vrrp |= everybody;
        draft.checker |= everybody;
        self.names.push(BfdName {
            name: draft.name.clone(),
            weight: draft.weight,
            reverse: draft.reverse,
            vrrp: draft.vrrp,
            checker: draft.checker,
        });
        self.sessions.extend(draft.finish(&self.sessions, statement.extent(), diagnostics));
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
        let taken = others.iter().any(|other| {
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
        Some(Instance {
            neighbor,
            source,
            multihop: self.multihop,
            parameters: self.parameters,
            ttl: self.ttl.unwrap_or(TTL_SENT),
            accepted_ttl: self.accepted_ttl(neighbor, block, diagnostics),
            max_hops: match self.max_hops {
                Hops::Any => None,
                Hops::AtMost(hops) => Some(hops.min(self.ttl.unwrap_or(TTL_SENT))),
            },
            vrrp: self.vrrp,
            checker: self.checker,
            name: self.name,
        })
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
            let text = format!(
                "BFD instance {}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit",
                self.name
            );
            diagnostics.report_block(Class::GeneralError, block, text);
        }
        Some(expected.saturating_sub(hops))
    }
}

#[cfg(test)]
mod tests;
