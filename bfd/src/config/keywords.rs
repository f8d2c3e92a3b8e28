//! The keywords of `bfd_instance` and `bfd_profile`.

use conf_parser::{
    Args, Class, Diagnostics, Joined, Keyword, Limits, Statement, Value, Word, keyword,
    parse_address, parse_decimal, parse_int, report_missing_parameter,
};

use super::{Hops, InstanceDraft, Neighbor, extensions};
use crate::packet::Micros;

pub(super) static INSTANCE: Joined<InstanceDraft> =
    Joined(&[OWN, SHARED, extensions::PROFILED, extensions::KEYWORDS]);

/// What many sessions may have in common.
pub(super) static PROFILE: Joined<InstanceDraft> = Joined(&[SHARED, extensions::KEYWORDS]);

/// The profile that a block names, if it names one.
pub(super) fn profile_of(block: &Statement) -> Option<Word<'_>> {
    let mut named = block.statements().iter().filter(|s| s.keyword() == extensions::PROFILE);
    named.next_back()?.arg(0)
}

const OWN: &[Keyword<InstanceDraft>] = &[
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
    keyword(
        "weight",
        Args::Words("INT:-253..253 [reverse]"),
        "what the session counts where track_bfd gives no weight",
        weight,
    ),
    keyword(
        "vrrp",
        Args::Flag,
        "tell VRRP of changes, and the checkers only if asked",
        |draft, _, _, _| {
            draft.vrrp = true;
        },
    ),
    keyword(
        "checker",
        Args::Flag,
        "tell the checkers of changes, and VRRP only if asked",
        |draft, _, _, _| {
            draft.checker = true;
        },
    ),
];

const SHARED: &[Keyword<InstanceDraft>] = &[
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
        let title = &draft.title;
        format!(
            "Configuration error: {title} multiplier value {given} not valid (must be in range [1-255]), ignoring"
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
        let title = &draft.title;
        format!(
            "Configuration error: {title} max_hops value {given} not valid (must be in range [-1-255]), ignoring"
        )
    }),
    keyword("multihop", Args::Bool, "run over several hops", |draft: &mut InstanceDraft, value, _, _| {
        draft.multihop = value.bool();
    })
    .invalid_for(|draft, given| {
        let title = &draft.title;
        format!("Configuration error: {title} multihop setting not valid - {given}")
    }),
];

const ADDRESS: Args = Args::Word("IPADDR");
pub(super) const INTERVAL: Args = Args::Words("MSECS(3 dp):1..4294967");
const TTL: Args = Args::Uint { unit: "UINT", min: 1, max: 255, strict: true };

/// Milliseconds.
pub(super) const FASTEST: u32 = 1;
const FASTEST_IDLE: u32 = 1000;
const SLOWEST: u32 = 4_294_967;
/// From here on somebody has probably mistaken the unit.
const SENSIBLE: u32 = 10_000;

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

/// An interval of at least `fastest` milliseconds.
pub(super) fn interval(
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
            "Configuration warning: {} {keyword} value {} is larger than max sensible ({SENSIBLE})",
            draft.title, word.text
        );
        diagnostics.report(Class::Notice, word.place, text);
    }
    Some(Micros(interval))
}

fn bad_ttl(draft: &InstanceDraft, given: &str) -> String {
    let title = &draft.title;
    format!(
        "Configuration error: {title} ttl/hoplimit value {given} not valid (must be in range [1-255]), ignoring"
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
