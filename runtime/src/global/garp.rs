//! How new masters announce addresses: defaults for gratuitous ARP and unsolicited neighbour advertisements.

use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Statement, Value, keyword, parse_uint,
};
use serde::{Deserialize, Serialize};

use super::Draft;

/// How a new master announces its addresses: gratuitous ARP, and unsolicited neighbour advertisements for IPv6.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarpDefaults {
    /// Time until the second burst; zero is none.
    pub master_delay: Duration,
    /// Messages per address in a burst.
    pub master_repeat: u32,
    /// Period of the refresh while master; zero is none.
    pub master_refresh: Duration,
    /// Messages per address in a refresh.
    pub master_refresh_repeat: u32,
    /// Time until the second burst after an advert of lower priority; `None` is [`Self::master_delay`].
    pub lower_prio_delay: Option<Duration>,
    /// Messages per address after an advert of lower priority; `None` is [`Self::master_repeat`].
    pub lower_prio_repeat: Option<u32>,
    /// Gap between ARP messages on an interface.
    pub garp_interval: Duration,
    /// Gap between neighbour advertisements on an interface.
    pub gna_interval: Duration,
    /// Periodic messages on other interfaces.
    pub extra_if: Option<ExtraGarp>,
}

impl Default for GarpDefaults {
    fn default() -> Self {
        Self {
            master_delay: Duration::from_secs(5),
            master_repeat: 5,
            master_refresh: Duration::ZERO,
            master_refresh_repeat: 1,
            lower_prio_delay: None,
            lower_prio_repeat: None,
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            extra_if: None,
        }
    }
}

/// Periodic announcements on interfaces other than the instance's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraGarp {
    /// On all interfaces rather than the VMAC ones only.
    pub all: bool,
    /// Period.
    pub interval: Duration,
}

/// The keywords of `global_defs`.
pub(super) const KEYWORDS: &[Keyword<Draft>] = &[
    keyword(
        "vrrp_garp_master_delay",
        SECONDS,
        "time until the second burst of announcements",
        |draft: &mut Draft, value, _, _| draft.vrrp.garp.master_delay = value.seconds(),
    )
    .invalid("vrrp_garp_master_delay '{}' invalid - ignoring"),
    keyword(
        "vrrp_garp_master_repeat",
        COUNT,
        "messages per address in a burst",
        |draft: &mut Draft, value, statement, diagnostics| {
            draft.vrrp.garp.master_repeat = at_least_one(value, statement, diagnostics);
        },
    )
    .invalid("vrrp_garp_master_repeat '{}' invalid - ignoring"),
    keyword(
        "vrrp_garp_master_refresh",
        COUNT,
        "seconds between refreshing announcements",
        |draft: &mut Draft, value, _, _| draft.vrrp.garp.master_refresh = value.seconds(),
    )
    .invalid("Invalid vrrp_garp_master_refresh '{}' - ignoring"),
    keyword(
        "vrrp_garp_master_refresh_repeat",
        COUNT,
        "messages per address in a refresh",
        |draft: &mut Draft, value, statement, diagnostics| {
            draft.vrrp.garp.master_refresh_repeat = at_least_one(value, statement, diagnostics);
        },
    )
    .invalid("vrrp_garp_master_refresh_repeat '{}' invalid - ignoring"),
    keyword(
        "vrrp_garp_lower_prio_delay",
        SECONDS,
        "time until the second burst after an advert of lower priority",
        |draft: &mut Draft, value, _, _| draft.vrrp.garp.lower_prio_delay = Some(value.seconds()),
    )
    .invalid("vrrp_garp_lower_prio_delay '{}' invalid - ignoring"),
    keyword(
        "vrrp_garp_lower_prio_repeat",
        Args::Uint { unit: "UINT", min: 0, max: 2_147_483_647, strict: false },
        "messages per address after an advert of lower priority",
        |draft: &mut Draft, value, _, _| draft.vrrp.garp.lower_prio_repeat = Some(value.u32()),
    )
    .invalid("Invalid vrrp_garp_lower_prio_repeat '{}'"),
    keyword(
        "vrrp_garp_interval",
        GAP,
        "gap between ARP messages on an interface",
        |draft: &mut Draft, value, statement, diagnostics| {
            draft.vrrp.garp.garp_interval = gap(value, statement, diagnostics);
        },
    )
    .invalid("vrrp_garp_interval '{}' is invalid"),
    keyword(
        "vrrp_gna_interval",
        GAP,
        "gap between neighbour advertisements on an interface",
        |draft: &mut Draft, value, statement, diagnostics| {
            draft.vrrp.garp.gna_interval = gap(value, statement, diagnostics);
        },
    )
    .invalid("vrrp_gna_interval '{}' is invalid"),
    keyword(
        "vrrp_min_garp",
        Args::Bool,
        "one message per address and no more",
        |draft: &mut Draft, value, _, _| {
            if value.bool() {
                draft.vrrp.garp.reduce();
            }
        },
    )
    .invalid("Invalid value for vrrp_min_garp specified"),
    keyword("vrrp_garp_extra_if", EXTRA, "period of announcements on other interfaces", extra_if),
    keyword(
        "vrrp_vmac_garp_intvl",
        EXTRA,
        "old name of vrrp_garp_extra_if",
        |draft: &mut Draft, value, statement, diagnostics| {
            let text = "Keyword \"vrrp_vmac_garp_intvl\" is deprecated - please use \"vrrp_garp_extra_if\"";
            diagnostics.report(Class::Deprecated, statement.place(), text);
            extra_if(draft, value, statement, diagnostics);
        },
    ),
];

const SECONDS: Args = Args::Uint { unit: "SECS", min: 0, max: 4294, strict: false };
const COUNT: Args = Args::Uint { unit: "UINT", min: 0, max: 4_294_967_295, strict: false };
const GAP: Args = Args::Timer { min: 1, max: 4_294_967_295 };
const EXTRA: Args = Args::Words("[all] SECS:1..86400");

impl GarpDefaults {
    /// Sends as little as possible, but leaves what differs from the default: that was asked for.
    fn reduce(&mut self) {
        let default = Self::default();
        if self.master_repeat == default.master_repeat {
            self.master_repeat = 1;
        }
        if self.master_refresh_repeat == default.master_refresh_repeat {
            self.master_refresh_repeat = 0;
        }
        if self.master_delay == default.master_delay {
            self.master_delay = Duration::ZERO;
        }
    }
}

fn at_least_one(value: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) -> u32 {
    if value.uint() == 0 {
        let text = format!("{} must be greater than 0, setting to 1", statement.keyword());
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    value.u32().max(1)
}

fn gap(value: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) -> Duration {
    let gap = value.duration();
    if gap >= Duration::from_secs(1) {
        let given = statement.arg(0).map_or("", |word| word.text);
        let text = format!("The {} is very large - {given} seconds", statement.keyword());
        diagnostics.report(Class::Notice, statement.place(), text);
    }
    gap
}

fn extra_if(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    let keyword = statement.keyword();
    let mut extra = ExtraGarp { all: false, interval: Duration::ZERO };
    for word in statement.args() {
        if word.text == "all" {
            extra.all = true;
            continue;
        }
        let limits = Limits { min: 1, max: 86_400, strict: false };
        let Some(seconds) = parse_uint(word, limits, diagnostics) else {
            let text = format!("{keyword} '{}' invalid - ignoring", word.text);
            return diagnostics.report(Class::GeneralError, word.place, text);
        };
        extra.interval = Duration::from_secs(seconds);
    }
    if extra.interval.is_zero() {
        let text = format!("{keyword} specified without time - ignoring");
        return diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    draft.vrrp.garp.extra_if = Some(extra);
}
