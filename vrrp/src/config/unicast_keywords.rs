//! Unicast keywords of an instance.

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Line, Statement, Value, keyword, parse_address,
    parse_uint,
};

use super::entry::Words;
use super::instance_draft::InstanceDraft;
use super::place_keywords::source;
use crate::packet::{Family, OldChecksum, Peer};

/// The keywords.
pub(super) const KEYWORDS: &[Keyword<InstanceDraft>] = &[
    keyword(
        "unicast_peer",
        Args::Lines("IPADDR [min_ttl 0..255] [max_ttl 0..255]"),
        "the other routers",
        |draft: &mut InstanceDraft, _, statement, diagnostics| {
            draft.unicast.configured = true;
            for line in statement.lines() {
                add_peer(draft, line, diagnostics);
            }
        },
    ),
    keyword(
        "unicast_src_ip",
        Args::Word("IPADDR"),
        "source address of adverts to single routers",
        |draft, value, statement, diagnostics| {
            draft.unicast.configured = true;
            source(draft, value, statement, diagnostics);
        },
    ),
    keyword(
        "unicast_ttl",
        Args::Uint { unit: "UINT", min: 0, max: 255, strict: true },
        "time to live of adverts to single routers",
        |draft: &mut InstanceDraft, value, _, _| draft.unicast.ttl = Some(value.u8()),
    )
    .invalid_for(|draft, text| {
        format!("({}): TTL '{text}' not valid - must be between 0 & 255", draft.name())
    }),
    keyword(
        "unicast_fault_no_peer",
        Args::Flag,
        "faulty without other routers, instead of multicasting",
        |draft, _, _, _| {
            draft.unicast.configured = true;
            draft.unicast.fault_no_peer = true;
        },
    ),
    keyword(
        "check_unicast_src",
        Args::Flag,
        "adverts must come from a configured router",
        |draft, _, _, _| {
            draft.unicast.configured = true;
            draft.unicast.check_source = true;
        },
    ),
    keyword(
        "old_unicast_checksum",
        Args::Words("[never]"),
        "the checksum of version 1.3.6 and older",
        old_checksum,
    ),
];

fn old_checksum(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    draft.unicast.configured = true;
    draft.unicast.old_checksum = match statement.arg(0) {
        None => OldChecksum::Configured,
        Some(word) if word.text == "never" => OldChecksum::Never,
        Some(word) => {
            let text = format!(
                "({}) Unknown old_unicast_chksum mode {} - ignoring",
                draft.name(),
                word.text
            );
            diagnostics.report(Class::GeneralError, word.place, text);
            return;
        }
    };
}

fn add_peer(draft: &mut InstanceDraft, line: &Line, diagnostics: &mut Diagnostics) {
    let mut words = Words::new(line);
    let Some(first) = words.next() else { return };
    let start = format!("Configuration error: VRRP instance[{}]", draft.name());
    let Some(address) = parse_address(first.text) else {
        let text = format!("{start} malformed unicast peer address[{}]. Skipping...", first.text);
        diagnostics.report(Class::GeneralError, first.place, text);
        return;
    };
    if !draft.deduce_family(Family::of(address)) {
        let text = format!(
            "{start} and unicast peer address[{}] MUST be of the same family !!! Skipping...",
            first.text
        );
        diagnostics.report(Class::GeneralError, first.place, text);
        return;
    }
    let mut peer = Peer { address, min_ttl: 0, max_ttl: 255 };
    let subject = format!("({}) {}", draft.name(), first.text);
    read_limits(draft, &mut peer, &subject, &mut words, diagnostics);
    if draft.unicast.peers.iter().any(|known| known.address == address) {
        let text = format!("{subject} - duplicate unicast_peer");
        diagnostics.report(Class::GeneralError, first.place, text);
        return;
    }
    if peer.min_ttl > peer.max_ttl {
        let text = format!(
            "{subject} - min_ttl {} > max_ttl {} - all packets will be discarded",
            peer.min_ttl, peer.max_ttl
        );
        diagnostics.report(Class::GeneralError, first.place, text);
    }
    draft.unicast.peers.push(peer);
}

/// The time to live that adverts of a peer may arrive with. Naming one limits who may send at all.
fn read_limits(
    draft: &mut InstanceDraft,
    peer: &mut Peer,
    subject: &str,
    words: &mut Words<'_>,
    diagnostics: &mut Diagnostics,
) {
    while let Some(option) = words.next() {
        let Some(value) = words.next() else {
            let text = format!("{subject} - {} is missing a value", option.text);
            diagnostics.report(Class::GeneralError, option.place, text);
            return;
        };
        let limits = Limits { min: 0, max: 255, strict: true };
        let ttl = parse_uint(value, limits, diagnostics).and_then(|ttl| u8::try_from(ttl).ok());
        let Some(ttl) = ttl else { continue };
        match option.text {
            "min_ttl" => peer.min_ttl = ttl,
            "max_ttl" => peer.max_ttl = ttl,
            other => {
                let text = format!("{subject} - unknown unicast_peer option {other}");
                diagnostics.report(Class::GeneralError, option.place, text);
                return;
            }
        }
        draft.unicast.check_source = true;
    }
}
