//! Which firewall keeps traffic for virtual addresses away, and the names there.

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Reload, Statement, Word, fitting, keyword,
    parse_int, parse_uint, report_missing_parameter,
};
use serde::{Deserialize, Serialize};

use super::Draft as All;

/// Names in the firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    /// iptables for VRRP.
    pub iptables: Option<Iptables>,
    /// Whether and by which names iptables uses sets.
    pub ipsets: Ipsets,
    /// nftables for VRRP.
    pub nftables: Option<Nftables>,
    /// nftables for VRRP where something needs a firewall and none is configured.
    pub fallback: Nftables,
    /// nftables for groups of virtual servers.
    pub ipvs_nftables: Option<IpvsNftables>,
    /// Whether rules count.
    pub counters: bool,
}

/// The chains that rules go into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Iptables {
    /// For what comes in.
    pub input: String,
    /// For what goes out.
    pub output: Option<String>,
}

/// Sets of addresses for iptables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ipsets {
    /// Where the kernel has them, by the default names.
    #[default]
    Default,
    /// None.
    Off,
    /// By these names.
    Named {
        /// IPv4 addresses.
        address: String,
        /// IPv6 addresses.
        address6: String,
        /// IPv6 addresses with their interface.
        address_interface6: String,
        /// IGMP.
        igmp: String,
        /// MLD.
        mld: String,
        /// Neighbour discovery of VMACs.
        vmac_nd: String,
    },
}

/// The table for VRRP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nftables {
    /// Its name.
    pub table: String,
    /// Priority of its base chains.
    pub priority: i32,
    /// Whether interfaces are matched by index.
    pub ifindex: bool,
}

impl Default for Nftables {
    fn default() -> Self {
        Self { table: TABLE_NAME.to_owned(), priority: DEFAULT_PRIORITY, ifindex: false }
    }
}

/// The table for groups of virtual servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpvsNftables {
    /// Its name.
    pub table: String,
    /// Priority of its base chains.
    pub priority: i32,
    /// The first mark that is given out.
    pub start_fwmark: u32,
}

/// What the keywords say. A priority may stand before the table that it belongs to.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    settings: Firewall,
    table: Option<String>,
    priority: Option<i32>,
    ifindex: bool,
    ipvs_table: Option<String>,
    ipvs_priority: Option<i32>,
    start_fwmark: Option<u32>,
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<All>] = &[
    keyword(
        "vrrp_iptables",
        Args::Words("[IN_CHAIN [OUT_CHAIN]] (1..27 chars)"),
        "chains of iptables to use",
        |draft: &mut All, _, statement, diagnostics| {
            iptables(&mut draft.firewall.settings, statement, diagnostics);
        },
    ),
    keyword(
        "vrrp_ipsets",
        Args::Words("[ADDR4 [ADDR6 [ADDR_IF6 [IGMP [MLD [ND]]]]]] (1..30 chars)"),
        "names of ipsets to use, or none of them",
        |draft: &mut All, _, statement, diagnostics| {
            draft.firewall.settings.ipsets = ipsets(statement, diagnostics);
        },
    ),
    keyword(
        "nftables",
        TABLE,
        "use nftables, with this table",
        |draft: &mut All, _, statement, diagnostics| {
            let table = &mut draft.firewall.table;
            nftables(table, "", TABLE_NAME, statement, diagnostics);
        },
    )
    .reload(Reload::Refused),
    keyword(
        "nftables_priority",
        PRIORITY,
        "priority of the base chains",
        |draft: &mut All, _, statement, diagnostics| {
            priority(&mut draft.firewall.priority, "nftables", statement, diagnostics);
        },
    ),
    keyword(
        "nftables_ifindex",
        Args::Flag,
        "match interfaces by index",
        |draft: &mut All, _, _, _| {
            draft.firewall.ifindex = true;
        },
    ),
    keyword("nftables_counters", Args::Flag, "let rules count", |draft: &mut All, _, _, _| {
        draft.firewall.settings.counters = true;
    }),
    keyword(
        "nftables_ipvs",
        TABLE,
        "use nftables for groups of virtual servers, with this table",
        |draft: &mut All, _, statement, diagnostics| {
            let table = &mut draft.firewall.ipvs_table;
            nftables(table, "ipvs ", "keepalived_ipvs", statement, diagnostics);
        },
    )
    .reload(Reload::Refused),
    keyword(
        "nftables_ipvs_priority",
        PRIORITY,
        "priority of the base chains",
        |draft: &mut All, _, statement, diagnostics| {
            priority(&mut draft.firewall.ipvs_priority, "ipvs nftables", statement, diagnostics);
        },
    ),
    keyword(
        "nftables_ipvs_start_fwmark",
        Args::Words("UINT:1..4294967295"),
        "the first mark that is given out",
        |draft: &mut All, _, statement, diagnostics| {
            start_fwmark(&mut draft.firewall, statement, diagnostics);
        },
    ),
];

const TABLE_NAME: &str = "keepalived";
const TABLE: Args = Args::Words("[TABLE:1..254 chars]");
const PRIORITY: Args = Args::Words("INT32");

const CHAIN_MAX: usize = 27;
const SET_MAX: usize = 30;
const TABLE_MAX: usize = 254;

/// A name of at least one byte and at most `max`; anything else is reported and `None`. `kind` is what it names.
fn name(word: Word<'_>, max: usize, kind: &str, diagnostics: &mut Diagnostics) -> Option<String> {
    let problem = match word.text.len() {
        0 => "empty",
        length if length > max => "too long",
        _ => return Some(word.text.to_owned()),
    };
    let text = format!("VRRP Error : {kind} name {problem} - ignored");
    diagnostics.report(Class::GeneralError, word.place, text);
    None
}

fn iptables(settings: &mut Firewall, statement: &Statement, diagnostics: &mut Diagnostics) {
    if settings.iptables.is_some() {
        let text = "iptables already specified - ignoring";
        return diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    let Some(word) = statement.arg(0) else {
        let output = Some("OUTPUT".to_owned());
        settings.iptables = Some(Iptables { input: "INPUT".to_owned(), output });
        return;
    };
    let Some(input) = name(word, CHAIN_MAX, "iptables in chain", diagnostics) else { return };
    let output =
        statement.arg(1).and_then(|word| name(word, CHAIN_MAX, "iptables out chain", diagnostics));
    if output.as_ref() == Some(&input) {
        let text = "vrrp_iptables: chain names cannot be the same";
        return diagnostics.report(Class::Notice, statement.place(), text);
    }
    settings.iptables = Some(Iptables { input, output });
}

/// The names given, and for those missing the first one with a suffix.
fn ipsets(statement: &Statement, diagnostics: &mut Diagnostics) -> Ipsets {
    if statement.arg(0).is_none() {
        return Ipsets::Off;
    }
    const KINDS: [&str; 6] = ["address", "IPv6 address", "IPv6 address_iface", "IGMP", "MLD", "ND"];
    let mut given = Vec::new();
    for (word, kind) in statement.args().zip(KINDS) {
        let Some(name) = name(word, SET_MAX, &format!("ipset {kind}"), diagnostics) else {
            return Ipsets::Default;
        };
        given.push(name);
    }
    let mut given = given.into_iter();
    let Some(address) = given.next() else { return Ipsets::Off };
    let mut next = |base: &str, suffix: &str| given.next().unwrap_or_else(|| with(base, suffix));
    let address6 = next(&address, "6");
    let address_interface6 = next(address6.strip_suffix('6').unwrap_or(&address6), "_if6");
    let igmp = next(&address, "_igmp");
    let mld = next(&address, "_mld");
    let vmac_nd = next(&address, "_nd");
    let names = [&address, &address6, &address_interface6, &igmp, &mld, &vmac_nd];
    let twice = names.iter().enumerate().find(|&(at, name)| names[at + 1..].contains(name));
    if let Some((_, name)) = twice {
        let text = format!("vrrp_ipsets: set name {name} used more than once");
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return Ipsets::Default;
    }
    Ipsets::Named { address, address6, address_interface6, igmp, mld, vmac_nd }
}

/// `base` with `suffix`, cut so that a set may be called so.
fn with(base: &str, suffix: &str) -> String {
    let base = fitting(base, SET_MAX + 1 - suffix.len());
    format!("{base}{suffix}")
}

fn nftables(
    table: &mut Option<String>,
    prefix: &str,
    default: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if table.is_some() {
        let text = format!("{prefix}nftables already specified - ignoring");
        return diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    *table = match statement.arg(0) {
        None => Some(default.to_owned()),
        Some(word) => name(word, TABLE_MAX, &format!("nftables {prefix}chain"), diagnostics),
    };
}

fn priority(
    place: &mut Option<i32>,
    kind: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else {
        return report_missing_parameter(statement, 0, diagnostics);
    };
    let limits = Limits { min: i64::from(i32::MIN), max: i64::from(i32::MAX), strict: true };
    match parse_int(word, limits, diagnostics).and_then(|number| i32::try_from(number).ok()) {
        Some(priority) => *place = Some(priority),
        None => {
            let text = format!("invalid {kind} chain priority '{}'", word.text);
            diagnostics.report(Class::InvalidNumber, word.place, text);
        }
    }
}

fn start_fwmark(draft: &mut Draft, statement: &Statement, diagnostics: &mut Diagnostics) {
    let Some(word) = statement.arg(0) else {
        return report_missing_parameter(statement, 0, diagnostics);
    };
    let limits = Limits { min: 1, max: u64::from(u32::MAX), strict: true };
    match parse_uint(word, limits, diagnostics).and_then(|number| u32::try_from(number).ok()) {
        Some(mark) => draft.start_fwmark = Some(mark),
        None => {
            let text = format!("invalid ipvs nftables start_fwmark priority '{}'", word.text);
            diagnostics.report(Class::InvalidNumber, word.place, text);
        }
    }
}

const DEFAULT_PRIORITY: i32 = -1;
const DEFAULT_START_FWMARK: u32 = 1000;

impl Draft {
    /// Gives the tables what belongs to them.
    pub(super) fn finish(self) -> Firewall {
        let fallback = Nftables {
            priority: self.priority.unwrap_or(DEFAULT_PRIORITY),
            ifindex: self.ifindex,
            ..Nftables::default()
        };
        let nftables = self.table.map(|table| Nftables { table, ..fallback.clone() });
        let ipvs_nftables = self.ipvs_table.map(|table| IpvsNftables {
            table,
            priority: self.ipvs_priority.unwrap_or(DEFAULT_PRIORITY),
            start_fwmark: self.start_fwmark.unwrap_or(DEFAULT_START_FWMARK),
        });
        Firewall { nftables, fallback, ipvs_nftables, ..self.settings }
    }
}
