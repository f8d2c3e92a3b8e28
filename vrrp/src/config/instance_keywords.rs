//! The keywords of a `vrrp_instance` block: what it is, how it behaves, and what it holds.

use conf_parser::{
    Args, Class, Diagnostics, Joined, Keyword, Limits, Reload, Statement, Value, keyword,
    parse_int, parse_micros, parse_uint,
};

use super::address_entry::{AddressDraft, Owner, owned};
use super::auth_keywords::{AUTH_HMAC, AUTHENTICATION};
use super::instance_draft::{Carried, InstanceDraft};
use super::{garp_keywords, notify, place_keywords, unicast_keywords};
use crate::packet::{Family, Priority, Version, Vrid};

/// The keywords of a `vrrp_instance` block.
pub(super) static TABLE: Joined<InstanceDraft> = Joined(&[
    IDENTITY,
    place_keywords::KEYWORDS,
    unicast_keywords::KEYWORDS,
    BEHAVIOUR,
    OBJECTS,
    garp_keywords::KEYWORDS,
    TRACK,
    NOTIFY,
    AUTH,
    OLD,
]);

const IDENTITY: &[Keyword<InstanceDraft>] = &[
    keyword(
        "state",
        Args::Word("MASTER|BACKUP"),
        "how it starts; only an address owner starts as master",
        state,
    )
    .reload(Reload::StartOnly),
    keyword(
        "virtual_router_id",
        Args::Uint { unit: "UINT", min: 1, max: 255, strict: true },
        "number that all routers of the virtual router share",
        |draft: &mut InstanceDraft, value, _, _| draft.vrid = Some(Vrid(value.u8())),
    )
    .invalid_for(|draft, text| {
        format!("({}): VRID '{text}' not valid - must be between 1 & 255", draft.name())
    }),
    keyword("priority", Args::Word("UINT:1..255"), "255 owns the addresses", priority),
    keyword("version", Args::Word("2|3"), "protocol version", version),
    keyword("native_ipv6", Args::Flag, "IPv6 and version 3", native_ipv6),
    keyword(
        "advert_int",
        Args::Timer { min: 10_000, max: 255_000_000 },
        "time between adverts",
        |draft: &mut InstanceDraft, value, _, _| draft.advert_interval = Some(value.duration()),
    )
    .invalid_for(|draft, text| {
        format!("({}) Advert interval ({text}) not valid! Must be > 0 - ignoring", draft.name())
    }),
    keyword(
        "down_timer_adverts",
        Args::Uint { unit: "UINT", min: 1, max: 100, strict: false },
        "so many missed adverts make a master dead",
        |draft: &mut InstanceDraft, value, _, _| draft.down_timer_adverts = Some(value.u8()),
    )
    .invalid_for(|draft, text| {
        format!("({}): Invalid down_timer_adverts [1:100] '{text}'", draft.name())
    }),
];

const BEHAVIOUR: &[Keyword<InstanceDraft>] = &[
    keyword("nopreempt", Args::Flag, "whoever is master stays it", |draft, _, _, _| {
        draft.nopreempt = true;
    }),
    keyword("preempt", Args::Flag, "replace a master of lower priority", |draft, _, _, _| {
        draft.nopreempt = false;
    }),
    keyword(
        "preempt_delay",
        Args::Word("TIMER:0..1000"),
        "how long after its first advert a master of lower priority is replaced",
        preempt_delay,
    ),
    keyword("accept", Args::Flag, "accept packets for the addresses", |draft, _, _, _| {
        draft.accept = Some(true);
    }),
    keyword(
        "no_accept",
        Args::Flag,
        "drop packets for the addresses, where it does not own them",
        |draft, _, _, _| {
            draft.accept = Some(false);
        },
    ),
    keyword(
        "strict_mode",
        Args::Bool,
        "follow the protocol strictly",
        |draft: &mut InstanceDraft, value, _, _| {
            draft.strict = Some(value.bool());
        },
    )
    .invalid_for(|draft, text| format!("({}) invalid strict_mode {text} specified", draft.name())),
    keyword(
        "v3_checksum_as_v2",
        Args::Bool,
        "version 3 checksum over IPv4 without pseudo-header",
        |draft: &mut InstanceDraft, value, _, _| draft.v3_checksum_as_v2 = Some(value.bool()),
    )
    .invalid_for(|draft, text| {
        format!("({}) invalid v3_checksum_as_v2 {text} specified", draft.name())
    }),
    keyword(
        "skip_check_adv_addr",
        Args::Bool,
        "do not compare the addresses of a known master",
        |draft: &mut InstanceDraft, value, _, _| draft.skip_check_adv_addr = Some(value.bool()),
    )
    .invalid_for(|draft, text| {
        format!("({}) invalid skip_check_adv_addr {text} specified", draft.name())
    }),
    keyword(
        "lower_prio_no_advert",
        Args::Bool,
        "do not answer an advert of lower priority",
        |draft: &mut InstanceDraft, value, _, _| draft.lower_prio_no_advert = Some(value.bool()),
    )
    .invalid_for(|draft, text| {
        format!("({}) invalid lower_prio_no_advert {text} specified", draft.name())
    }),
    keyword(
        "higher_prio_send_advert",
        Args::Bool,
        "answer an advert of higher priority before giving in",
        |draft: &mut InstanceDraft, value, _, _| draft.higher_prio_send_advert = Some(value.bool()),
    )
    .invalid_for(|draft, text| {
        format!("({}) invalid higher_prio_send_advert {text} specified", draft.name())
    }),
    keyword(
        "owner_ignore_adverts",
        Args::Bool,
        "the owner of the addresses ignores adverts",
        |draft: &mut InstanceDraft, value, _, _| draft.owner_ignore_adverts = Some(value.bool()),
    )
    .invalid_for(|draft, text| {
        format!("({}) invalid owner_ignore_adverts {text} specified", draft.name())
    }),
    keyword(
        "timer_expired_backup",
        Args::Words("[PRIORITY:1..254]"),
        "give up being master after the machine stood still",
        timer_expired_backup,
    ),
    keyword(
        "thread_timer_expired",
        Args::Words("[PRIORITY:1..254]"),
        "old name of timer_expired_backup",
        |draft, value, statement, diagnostics| {
            let text = format!(
                "({}) thread_timer_expired - please replace with keyword 'timer_expired_backup'",
                draft.name()
            );
            diagnostics.report(Class::GeneralError, statement.place(), text);
            timer_expired_backup(draft, value, statement, diagnostics);
        },
    ),
];

const OBJECTS: &[Keyword<InstanceDraft>] = &[
    keyword(
        "virtual_ipaddress",
        Args::Lines(""),
        "addresses of the master",
        |draft, _, statement, diagnostics| {
            add_addresses(draft, Carried::Yes, statement, diagnostics);
        },
    ),
    keyword(
        "virtual_ipaddress_excluded",
        Args::Lines(""),
        "further addresses, which adverts do not carry",
        |draft, _, statement, diagnostics| {
            add_addresses(draft, Carried::No, statement, diagnostics);
        },
    ),
    keyword("no_virtual_ipaddress", Args::Flag, "no addresses are needed", |draft, _, _, _| {
        draft.no_addresses = true;
    }),
    keyword("virtual_routes", Args::Lines(""), "routes of the master", |draft, _, statement, _| {
        draft.routes.extend_from_slice(statement.lines());
    }),
    keyword(
        "virtual_rules",
        Args::Lines(""),
        "policy rules of the master",
        |draft, _, statement, _| {
            draft.rules.extend_from_slice(statement.lines());
        },
    ),
];

const TRACK: &[Keyword<InstanceDraft>] = &[
    keyword(
        "track_interface",
        Args::Lines("IFNAME [weight -253..253 [reverse]]"),
        "interfaces that matter",
        |draft, _, statement, _| draft.track.interfaces.extend_from_slice(statement.lines()),
    ),
    keyword(
        "track_script",
        Args::Lines("NAME [weight -253..253 [reverse|noreverse]]"),
        "scripts that matter",
        |draft, _, statement, _| draft.track.scripts.extend_from_slice(statement.lines()),
    ),
    keyword(
        "track_file",
        Args::Lines("NAME [weight -254..254 [reverse|noreverse]]"),
        "files that matter",
        |draft, _, statement, _| draft.track.files.extend_from_slice(statement.lines()),
    ),
    keyword(
        "track_process",
        Args::Lines("NAME [weight -254..254 [reverse|noreverse]]"),
        "processes that matter",
        |draft, _, statement, _| draft.track.processes.extend_from_slice(statement.lines()),
    ),
    keyword(
        "track_bfd",
        Args::Lines("NAME [weight -253..253 [reverse|noreverse]]"),
        "BFD sessions that matter",
        |draft, _, statement, _| draft.track.sessions.extend_from_slice(statement.lines()),
    ),
    keyword(
        "bfd_takeover",
        Args::Words("NAME [only_backup]"),
        "the BFD session whose silence means that the master is gone",
        bfd_takeover,
    ),
];

const SCRIPT: Args = Args::Script("SCRIPT [USER [[:]GROUP]]");

const NOTIFY: &[Keyword<InstanceDraft>] = &[
    keyword("notify_master", SCRIPT, "run on becoming master", notify::of_instance),
    keyword("notify_backup", SCRIPT, "run on becoming backup", notify::of_instance),
    keyword("notify_fault", SCRIPT, "run on becoming faulty", notify::of_instance),
    keyword("notify_stop", SCRIPT, "run when the daemon stops", notify::of_instance),
    keyword("notify", SCRIPT, "run on each of these", notify::of_instance),
    keyword(
        "notify_deleted",
        Args::Words("[SCRIPT [USER [[:]GROUP]]]"),
        "report that a reload took the instance away",
        notify::deleted,
    ),
    keyword(
        "notify_master_rx_lower_pri",
        SCRIPT,
        "run when a master hears an advert of lower priority",
        notify::of_instance,
    ),
    keyword(
        "notify_priority_changes",
        Args::Bool,
        "write changes of the priority to the FIFOs",
        |draft: &mut InstanceDraft, value, _, _| draft.notify_priority_changes = Some(value.bool()),
    )
    .invalid_for(|draft, text| {
        format!("({}) Invalid value '{text}' for notify_priority_changes specified", draft.name())
    }),
    keyword(
        "smtp_alert",
        Args::Bool,
        "mail changes of state",
        |draft: &mut InstanceDraft, value, _, _| {
            draft.smtp_alert = Some(value.bool());
        },
    )
    .invalid("Invalid vrrp_instance smtp_alert parameter {}"),
];

const AUTH: &[Keyword<InstanceDraft>] = &[
    keyword(
        "authentication",
        Args::Block("", &AUTHENTICATION),
        "authentication of version 2",
        |draft, _, statement, diagnostics| AUTHENTICATION.fill(draft, statement, diagnostics),
    ),
    keyword(
        "auth_hmac",
        Args::Block("", &AUTH_HMAC),
        "keyed trailer behind adverts",
        |draft, _, statement, diagnostics| {
            draft.auth.hmac.get_or_insert_default();
            AUTH_HMAC.fill(draft, statement, diagnostics);
        },
    ),
];

const OLD: &[Keyword<InstanceDraft>] = &[
    keyword(
        "lvs_sync_daemon_interface",
        Args::Word("IFNAME"),
        "old form of the global lvs_sync_daemon",
        sync_daemon,
    ),
    keyword(
        "linkbeat_use_polling",
        Args::Flag,
        "old form of linkbeat_interfaces",
        |draft, _, statement, diagnostics| {
            let text = format!(
                "({}) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block",
                draft.name()
            );
            diagnostics.report(Class::GeneralError, statement.place(), text);
            draft.linkbeat_use_polling = true;
        },
    ),
    keyword(
        "debug",
        Args::Uint { unit: "UINT", min: 0, max: 4, strict: false },
        "without effect",
        |draft: &mut InstanceDraft, value, _, _| draft.debug = value.u8(),
    )
    .invalid_for(|draft, text| {
        format!("({}) Debug value '{text}' not valid; must be between 0-4", draft.name())
    }),
];

fn state(
    draft: &mut InstanceDraft,
    value: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let name = draft.name();
    let text = match (value.word(), draft.wants_master) {
        ("MASTER", _) => {
            draft.wants_master = Some(true);
            return;
        }
        ("BACKUP", Some(true)) => {
            format!("({name}) state previously set as MASTER - ignoring BACKUP")
        }
        ("BACKUP", _) => {
            draft.wants_master = Some(false);
            return;
        }
        (other, _) => {
            let text = format!("({name}) unknown state '{other}', defaulting to BACKUP");
            draft.wants_master = Some(false);
            text
        }
    };
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

/// A wrong priority is the default one, whatever the state says.
fn priority(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let limits = Limits { min: 1, max: 255, strict: true };
    let parsed = parse_uint(word, limits, diagnostics).and_then(|value| u8::try_from(value).ok());
    if parsed.is_none() {
        let text = format!(
            "({}) Priority not valid! must be between 1 & {}. Using default {}",
            draft.name(),
            Priority::OWNER.0,
            Priority::DEFAULT.0
        );
        diagnostics.report(Class::GeneralError, word.place, text);
    }
    draft.priority = Some(parsed.map_or(Priority::DEFAULT, Priority));
}

fn version(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let limits = Limits { min: 2, max: 3, strict: false };
    let text = match parse_int(word, limits, diagnostics) {
        None => format!("({}): Version must be either 2 or 3", draft.name()),
        Some(number) => {
            let version = if number == 2 { Version::V2 } else { Version::V3 };
            let differs = draft.version.is_some_and(|known| known != version);
            let impossible = version == Version::V2 && draft.family == Some(Family::V6);
            if !differs && !impossible {
                draft.version = Some(version);
                return;
            }
            format!(
                "({}) vrrp_version {number} conflicts with configured or deduced version {}; ignoring.",
                draft.name(),
                draft.version.map_or(0, Version::number)
            )
        }
    };
    diagnostics.report(Class::GeneralError, word.place, text);
}

fn native_ipv6(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if draft.deduce_family(Family::V6) {
        draft.version = Some(Version::V3);
        return;
    }
    let text = format!("({}) Cannot specify native_ipv6 with IPv4 addresses", draft.name());
    diagnostics.report(Class::GeneralError, statement.place(), text);
}

/// A wrong delay is none.
fn preempt_delay(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let limits = Limits { min: 0, max: 1_000_000_000, strict: true };
    let micros = parse_micros(word, limits, diagnostics).unwrap_or_else(|| {
        let text = format!("({}) Preempt_delay not valid! must be between 0-1000", draft.name());
        diagnostics.report(Class::GeneralError, word.place, text);
        0
    });
    draft.preempt_delay = std::time::Duration::from_micros(micros);
}

fn timer_expired_backup(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    // The others are supposed to be quick unless it is known better.
    let Some(word) = statement.arg(0) else {
        draft.timer_expired_backup = Some(Priority(254));
        return;
    };
    let limits = Limits { min: 1, max: 254, strict: true };
    match parse_uint(word, limits, diagnostics).and_then(|value| u8::try_from(value).ok()) {
        Some(priority) => draft.timer_expired_backup = Some(Priority(priority)),
        None => {
            let text = format!(
                "({}) timer_expired_backup highest_other_priority not valid! must be between 1 & 254",
                draft.name()
            );
            diagnostics.report(Class::GeneralError, word.place, text);
        }
    }
}

fn add_addresses(
    draft: &mut InstanceDraft,
    carried: Carried,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    draft.expect_addresses(statement.lines().len(), carried);
    for line in statement.lines() {
        if let Some(address) = AddressDraft::parse(line, Owner::Instance, diagnostics) {
            draft.add_address(address, carried, diagnostics);
        }
    }
}

fn sync_daemon(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let name = draft.name();
    let text =
        format!("({name}) Specifying lvs_sync_daemon_interface against a vrrp is deprecated.");
    let indent = 6 + name.len().abs_diff(2);
    let advice = format!("{:indent$}Please use global lvs_sync_daemon", "");
    diagnostics.report(Class::GeneralError, statement.place(), text);
    diagnostics.report(Class::GeneralError, statement.place(), advice);
    if let Some(known) = &draft.sync_daemon {
        let text = already_specified(draft.name(), &known.value);
        return diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    draft.sync_daemon = Some(owned(word));
}

/// What is said of a further interface for the synchronisation daemon.
pub(super) fn already_specified(instance: &str, known: &str) -> String {
    format!(
        "({instance}) lvs_sync_daemon_interface has already been specified as {known} - ignoring"
    )
}

fn bfd_takeover(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let name = draft.name().to_owned();
    let Some(session) = statement.arg(0) else {
        let text = format!("({name}) bfd_takeover needs the name of a bfd_instance");
        diagnostics.report(Class::GeneralError, statement.place(), text);
        return;
    };
    let only_backup = match statement.arg(1) {
        None => false,
        Some(word) if word.text == "only_backup" => true,
        Some(word) => {
            let text = format!("({name}) unknown bfd_takeover option {} - ignoring", word.text);
            diagnostics.report(Class::GeneralError, word.place, text);
            false
        }
    };
    draft.bfd_takeover = Some((owned(session), only_backup));
}
