//! `garp_*` keywords of an instance.

use std::time::Duration;

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Statement, Value, keyword, parse_uint,
};
use runtime::global::{ExtraGarp, GarpDefaults};

use super::instance::Garp;
use super::instance_draft::InstanceDraft;

/// What the keywords say.
#[derive(Clone, Debug, Default)]
pub(super) struct GarpDraft {
    delay: Option<Duration>,
    repeat: Option<u32>,
    refresh: Option<Duration>,
    refresh_repeat: Option<u32>,
    pub(super) lower_prio_delay: Option<Duration>,
    pub(super) lower_prio_repeat: Option<u32>,
    extra_all: bool,
    extra_interval: Option<Duration>,
}

const SECONDS: Args = Args::Uint { unit: "SECS", min: 0, max: 4294, strict: false };
const COUNT: Args = Args::Uint { unit: "UINT", min: 0, max: 4_294_967_295, strict: false };

/// The keywords.
pub(super) const KEYWORDS: &[Keyword<InstanceDraft>] = &[
    keyword(
        "garp_master_delay",
        SECONDS,
        "time until the second burst of announcements",
        |draft: &mut InstanceDraft, value, _, _| draft.garp.delay = Some(value.seconds()),
    )
    .invalid_for(|draft, text| {
        format!("({}): garp_master_delay '{text}' invalid - ignoring", draft.name())
    }),
    keyword(
        "garp_master_repeat",
        COUNT,
        "messages per address in a burst",
        |draft: &mut InstanceDraft, value, statement, diagnostics| {
            draft.garp.repeat = Some(at_least_one(draft, value, statement, diagnostics));
        },
    )
    .invalid_for(|draft, text| {
        format!("({}): garp_master_repeat '{text}' invalid - ignoring", draft.name())
    }),
    keyword(
        "garp_master_refresh",
        Args::Word("UINT:0..4294967295"),
        "period of the refresh while master",
        garp_master_refresh,
    ),
    keyword(
        "garp_master_refresh_repeat",
        COUNT,
        "messages per address in a refresh",
        |draft: &mut InstanceDraft, value, statement, diagnostics| {
            draft.garp.refresh_repeat = Some(at_least_one(draft, value, statement, diagnostics));
        },
    )
    .invalid_for(|draft, text| {
        format!("({}): garp_master_refresh_repeat '{text}' invalid - ignoring", draft.name())
    }),
    keyword(
        "garp_lower_prio_delay",
        SECONDS,
        "time until the second burst after an advert of lower priority",
        |draft: &mut InstanceDraft, value, _, _| {
            draft.garp.lower_prio_delay = Some(value.seconds())
        },
    )
    .invalid_for(|draft, text| {
        format!("({}): garp_lower_prio_delay '{text}' invalid - ignoring", draft.name())
    }),
    keyword(
        "garp_lower_prio_repeat",
        Args::Uint { unit: "UINT", min: 0, max: 0x7fff_ffff, strict: false },
        "messages per address after an advert of lower priority",
        |draft: &mut InstanceDraft, value, _, _| draft.garp.lower_prio_repeat = Some(value.u32()),
    )
    .invalid_for(|draft, text| {
        format!("({}): Invalid garp_lower_prio_repeat '{text}'", draft.name())
    }),
    keyword(
        "garp_extra_if",
        Args::Words("[all] SECS:0..86400"),
        "period of announcements on other interfaces",
        garp_extra_if,
    ),
    keyword(
        "vmac_garp_intvl",
        Args::Words("[all] SECS:0..86400"),
        "old name of garp_extra_if",
        |draft, value, statement, diagnostics| {
            let text = "Keyword \"vmac_garp_intvl\" is deprecated - please use \"garp_extra_if\"";
            diagnostics.report(Class::Deprecated, statement.place(), text);
            garp_extra_if(draft, value, statement, diagnostics);
        },
    ),
];

fn at_least_one(
    draft: &InstanceDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) -> u32 {
    if value.u32() == 0 {
        let text = format!(
            "({}): {} must be greater than 0, setting to 1",
            draft.name(),
            statement.keyword()
        );
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    value.u32().max(1)
}

/// A wrong value switches the refresh off.
fn garp_master_refresh(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let limits = Limits { min: 0, max: u64::from(u32::MAX), strict: false };
    let seconds = parse_uint(word, limits, diagnostics).unwrap_or_else(|| {
        let text =
            format!("({}): Invalid garp_master_refresh '{}' - ignoring", draft.name(), word.text);
        diagnostics.report(Class::GeneralError, word.place, text);
        0
    });
    draft.garp.refresh = Some(Duration::from_secs(seconds));
}

fn garp_extra_if(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let keyword = statement.keyword();
    let limits = Limits { min: 0, max: 86_400, strict: false };
    let mut interval = None;
    for word in statement.args() {
        if word.text == "all" {
            draft.garp.extra_all = true;
            continue;
        }
        let Some(seconds) = parse_uint(word, limits, diagnostics) else {
            let text = format!("({}): {keyword} '{}' invalid - ignoring", draft.name(), word.text);
            diagnostics.report(Class::GeneralError, word.place, text);
            return;
        };
        interval = Some(Duration::from_secs(seconds));
    }
    if interval.is_none() {
        let text = format!("({}): {keyword} specified without time - ignoring", draft.name());
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    }
    draft.garp.extra_interval = interval;
}

/// Which interfaces other than that of the adverts hold addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ExtraInterfaces {
    /// VMACs for single addresses.
    pub(super) vmac: bool,
    /// Any others.
    pub(super) plain: bool,
}

impl GarpDraft {
    /// The settings, with those of the daemon where there are none. Strict instances announce nothing when they hear an
    /// advert of lower priority.
    pub(super) fn finish(
        self,
        defaults: &GarpDefaults,
        strict: bool,
        interfaces: ExtraInterfaces,
    ) -> Garp {
        let or_strict = |value, none| if strict { none } else { value };
        let lower_prio_delay = defaults.lower_prio_delay.unwrap_or(defaults.master_delay);
        let lower_prio_repeat = defaults.lower_prio_repeat.unwrap_or(defaults.master_repeat);
        Garp {
            delay: self.delay.unwrap_or(defaults.master_delay),
            repeat: self.repeat.unwrap_or(defaults.master_repeat),
            refresh: self.refresh.unwrap_or(defaults.master_refresh),
            refresh_repeat: self.refresh_repeat.unwrap_or(defaults.master_refresh_repeat),
            lower_prio_delay: self
                .lower_prio_delay
                .unwrap_or(or_strict(lower_prio_delay, Duration::ZERO)),
            lower_prio_repeat: self.lower_prio_repeat.unwrap_or(if strict {
                0
            } else {
                lower_prio_repeat
            }),
            extra: self.extra(defaults.extra_if, interfaces),
        }
    }

    /// Nothing is announced on interfaces that are not there.
    /// Whether periodic announcements are asked for on all interfaces.
    pub(super) fn announces_everywhere(&self) -> bool {
        self.extra_all
    }

    fn extra(&self, default: Option<ExtraGarp>, interfaces: ExtraInterfaces) -> Option<ExtraGarp> {
        let extra = match (self.extra_interval, default) {
            (Some(interval), _) => ExtraGarp { all: self.extra_all, interval },
            (None, default) => {
                let default = default?;
                ExtraGarp { all: default.all || self.extra_all, ..default }
            }
        };
        let wanted = interfaces.vmac || (extra.all && interfaces.plain);
        (wanted && !extra.interval.is_zero()).then_some(extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_announcements_need_an_extra_interface() {
        let every = |seconds| Some(Duration::from_secs(seconds));
        let vmac = ExtraInterfaces { vmac: true, plain: false };
        let plain = ExtraInterfaces { vmac: false, plain: true };
        let own = GarpDraft { extra_interval: every(30), ..GarpDraft::default() };
        let all = GarpDraft { extra_all: true, ..own.clone() };
        assert!(own.extra(None, vmac).is_some());
        assert_eq!(own.extra(None, plain), None);
        assert!(all.extra(None, plain).is_some());
        assert_eq!(all.extra(None, ExtraInterfaces::default()), None);
        let off = GarpDraft { extra_interval: every(0), ..GarpDraft::default() };
        let default = ExtraGarp { all: true, interval: Duration::from_secs(60) };
        assert_eq!(off.extra(Some(default), vmac), None);
        assert_eq!(GarpDraft::default().extra(Some(default), plain), Some(default));
    }

    #[test]
    fn strict_instances_do_not_announce_after_a_lower_advert() {
        let defaults = GarpDefaults::default();
        let finish =
            |strict| GarpDraft::default().finish(&defaults, strict, ExtraInterfaces::default());
        assert_eq!(finish(false).lower_prio_repeat, 5);
        assert_eq!(finish(false).lower_prio_delay, Duration::from_secs(5));
        assert_eq!(finish(true).lower_prio_repeat, 0);
        assert_eq!(finish(true).lower_prio_delay, Duration::ZERO);
    }
}
