//! Top-level blocks about interfaces: polling, delays, and pacing of announcements.

use std::collections::HashSet;
use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Extent, Limits, Line, Spanned, Statement, Table, Value, Word,
    keyword, parse_micros,
};
use serde::{Deserialize, Serialize};

use super::address_entry::owned;
use super::context::Context;
use super::sync_group::word_list;

/// Pacing of announcements that several interfaces share (`garp_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpGroup {
    /// The interfaces. None is in two groups.
    pub interfaces: Vec<String>,
    /// Gap between gratuitous ARP messages; `None` sets none.
    pub garp_interval: Option<Duration>,
    /// Gap between neighbour advertisements; `None` sets none.
    pub gna_interval: Option<Duration>,
}

/// An interface whose link is polled instead of waiting for the kernel's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linkbeat {
    /// The interface.
    pub interface: String,
    /// How it is asked; `None` tries all ways.
    pub method: Option<LinkbeatMethod>,
}

/// How an interface is asked for its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkbeatMethod {
    /// The registers of the transceiver.
    Mii,
    /// `ethtool`'s link query.
    Ethtool,
    /// The interface's flags.
    Ioctl,
}

impl LinkbeatMethod {
    /// Its word in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mii => "MII",
            Self::Ethtool => "ETHTOOL",
            Self::Ioctl => "IOCTL",
        }
    }
}

/// How long a change of an interface must last before it counts (`interface_up_down_delays`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkDelay {
    /// The interface.
    pub interface: String,
    /// Before it counts as down.
    pub down: Duration,
    /// Before it counts as up.
    pub up: Duration,
}

/// The longest delay, in microseconds.
const LONGEST_DELAY: u64 = 255_000_000;
/// Gaps from here on are worth a line in the log.
const LARGE_GAP: Duration = Duration::from_secs(1);

/// What a `garp_group` block says.
#[derive(Clone, Debug)]
pub(super) struct GarpGroupDraft {
    block: Extent,
    interfaces: Vec<Spanned<String>>,
    garp_interval: Option<Duration>,
    gna_interval: Option<Duration>,
}

const GAP: Args = Args::Timer { min: 0, max: 4_294_967_295 };

/// The keywords of a `garp_group` block.
pub(super) static GARP_GROUP: Table<GarpGroupDraft> = Table(&[
    keyword(
        "garp_interval",
        GAP,
        "gap between gratuitous ARP messages",
        |draft: &mut GarpGroupDraft, value, statement, diagnostics| {
            draft.garp_interval = Some(gap(value, statement, diagnostics));
        },
    )
    .invalid("garp_group garp_interval '{}' invalid"),
    keyword(
        "gna_interval",
        GAP,
        "gap between neighbour advertisements",
        |draft: &mut GarpGroupDraft, value, statement, diagnostics| {
            draft.gna_interval = Some(gap(value, statement, diagnostics));
        },
    )
    .invalid("garp_group gna_interval '{}' invalid"),
    keyword("interface", Args::Word("IFNAME"), "an interface", |draft, _, statement, _| {
        draft.interfaces.extend(statement.arg(0).map(owned));
    }),
    keyword(
        "interfaces",
        Args::WordList("IFNAME..."),
        "interfaces",
        |draft, _, statement, diagnostics| {
            let names = word_list(statement);
            if names.is_empty() {
                let text = "Warning - empty garp_group interfaces block";
                diagnostics.report_block(Class::GeneralError, statement.extent(), text);
            }
            draft.interfaces.extend(names);
        },
    ),
]);

fn gap(value: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) -> Duration {
    let gap = value.duration();
    if gap >= LARGE_GAP {
        let shown = statement.arg(0).map_or("", |word| word.text);
        let text = format!("The {} is very large - {shown} seconds", statement.keyword());
        diagnostics.report(Class::Notice, statement.place(), text);
    }
    gap
}

impl GarpGroupDraft {
    /// A block of which nothing is known but where it stands.
    pub(super) fn new(block: Extent) -> Self {
        Self { block, interfaces: Vec::new(), garp_interval: None, gna_interval: None }
    }
}

/// The groups that have a gap. The first group that names an interface has it.
pub(super) fn finish_garp_groups(
    drafts: Vec<GarpGroupDraft>,
    context: &mut Context<'_>,
) -> Vec<GarpGroup> {
    let mut taken = HashSet::new();
    let mut groups = Vec::new();
    for draft in drafts {
        let mut interfaces = Vec::new();
        for name in draft.interfaces {
            if garp_interface_usable(&name, &taken, context) {
                taken.insert(name.value.clone());
                interfaces.push(name.value);
            }
        }
        let (garp_interval, gna_interval) = (draft.garp_interval, draft.gna_interval);
        if garp_interval.is_none() && gna_interval.is_none() {
            let number = groups.len();
            let text = format!("garp group {number} does not have any delay set - removing");
            context.report_block(draft.block, text);
            for name in &interfaces {
                taken.remove(name);
            }
            continue;
        }
        groups.push(GarpGroup { interfaces, garp_interval, gna_interval });
    }
    groups
}

fn garp_interface_usable(
    name: &Spanned<String>,
    taken: &HashSet<String>,
    context: &mut Context<'_>,
) -> bool {
    let Spanned { value: name, place } = name;
    let known = context.interface_known(name, *place, || {
        format!("WARNING - interface {name} specified for garp_group doesn't exist")
    });
    if !known {
        return false;
    }
    if taken.contains(name) {
        let text = format!("garp_group already specified for {name} - ignoring");
        context.report(*place, text);
        return false;
    }
    if context.is_vmac(name) {
        let text = format!("Cannot specify garp_delay on a vmac ({name}) - ignoring");
        context.report(*place, text);
        return false;
    }
    true
}

/// The entries of `linkbeat_interfaces`; the last one of an interface counts.
pub(super) fn finish_linkbeat(lines: &[Line], context: &mut Context<'_>) -> Vec<Linkbeat> {
    let mut found: Vec<Linkbeat> = Vec::new();
    for line in lines {
        let Some(name) = line.word(0) else { continue };
        let what = "linkbeat interface";
        if !interface_usable(name, what, context) {
            continue;
        }
        if context.is_vmac(name.text) {
            let text =
                format!("({}): linkbeat not supported for vmacs since netlink works", name.text);
            context.note(name.place, text);
            continue;
        }
        let method = line.word(1).and_then(|word| linkbeat_method(word, line, context));
        found.retain(|linkbeat| linkbeat.interface != name.text);
        found.push(Linkbeat { interface: name.text.to_owned(), method });
    }
    found
}

fn linkbeat_method(
    word: Word<'_>,
    line: &Line,
    context: &mut Context<'_>,
) -> Option<LinkbeatMethod> {
    let method = match word.text {
        "MII" => Some(LinkbeatMethod::Mii),
        "ETHTOOL" => Some(LinkbeatMethod::Ethtool),
        "IOCTL" => Some(LinkbeatMethod::Ioctl),
        _ => None,
    };
    if method.is_none() || line.len() > 2 {
        context.report(word.place, format!("extra characters {} in linkbeat interface", word.text));
    }
    method
}

/// Unlike with other keywords, an interface that is missing does not keep the daemon from starting.
fn interface_usable(name: Word<'_>, what: &str, context: &mut Context<'_>) -> bool {
    let usable = context.global.vrrp.dynamic_interfaces || context.link(name.text).is_some();
    if !usable {
        let text = format!("unknown interface {} specified for {what}", name.text);
        context.diagnostics.report(Class::Fatal, name.place, text);
    }
    usable
}

/// The entries of `interface_up_down_delays`; the last one of an interface counts.
pub(super) fn finish_delays(lines: &[Line], context: &mut Context<'_>) -> Vec<LinkDelay> {
    let mut found: Vec<LinkDelay> = Vec::new();
    for line in lines {
        let Some(name) = line.word(0) else { continue };
        if interface_usable(name, "up/down delay", context) {
            if let Some(delay) = read_delay(name, line, context) {
                found.retain(|known| known.interface != delay.interface);
                found.push(delay);
            }
        }
    }
    found
}

fn read_delay(name: Word<'_>, line: &Line, context: &mut Context<'_>) -> Option<LinkDelay> {
    let interface = name.text;
    let Some(down) = line.word(1) else {
        context.note(name.place, format!("No timeouts specified for {interface} up/down delays"));
        return None;
    };
    if let Some(surplus) = line.word(3) {
        let text = format!("Too many parameters for {interface} up/down delays");
        context.note(surplus.place, text);
    }
    let limits = Limits { min: 0, max: LONGEST_DELAY, strict: true };
    let mut read = |word: Word<'_>, which: &str| {
        let micros = parse_micros(word, limits, context.diagnostics);
        if micros.is_none() {
            let text = format!("Invalid {which} delay {} for {interface}", word.text);
            context.note(word.place, text);
        }
        micros.map(Duration::from_micros)
    };
    let down = read(down, "down")?;
    let up = match line.word(2) {
        Some(word) => read(word, "up")?,
        None => Duration::ZERO,
    };
    Some(LinkDelay { interface: interface.to_owned(), down, up })
}
