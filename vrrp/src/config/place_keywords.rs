//! The keywords of a `vrrp_instance` block about where it runs: its interfaces, and the addresses of its adverts.

use std::net::IpAddr;

use conf_parser::{
    Args, Class, Diagnostics, Keyword, Limits, Statement, Value, keyword, parse_address, parse_uint,
};

use super::address_entry::owned;
use super::instance_draft::InstanceDraft;
use super::own_interface::{use_ipvlan, use_vmac};
use crate::packet::Family;

/// The longest name of an interface.
const LONGEST_NAME: usize = 15;

/// The keywords.
pub(super) const KEYWORDS: &[Keyword<InstanceDraft>] = &[
    keyword("interface", Args::Word("IFNAME"), "where it runs", interface),
    keyword("vrf", Args::Word("IFNAME"), "VRF of unicast without interface", vrf),
    keyword(
        "use_vmac",
        Args::Words("[[name] IFNAME] [MAC:5|6 octets] [netlink_notify_msg] [group GROUP]"),
        "use the virtual MAC address",
        use_vmac,
    ),
    keyword(
        "use_vmac_addr",
        Args::Flag,
        "also for addresses on other interfaces",
        |draft, _, _, _| draft.address_vmacs = true,
    ),
    keyword(
        "vmac_xmit_base",
        Args::Flag,
        "send adverts through the interface below the VMAC",
        |draft, _, _, _| draft.xmit_base = true,
    ),
    keyword(
        "use_ipvlan",
        Args::Words("[[name] IFNAME] [IPADDR] [bridge|private|vepa] [group GROUP]"),
        "use an ipvlan interface",
        use_ipvlan,
    ),
    keyword("mcast_src_ip", Args::Word("IPADDR"), "source address of adverts", source),
    keyword("mcast_dst_ip", Args::Word("MULTICAST_IPADDR"), "group that adverts go to", group),
    keyword(
        "track_src_ip",
        Args::Flag,
        "faulty while the source address is missing",
        |draft, _, _, _| draft.track_source = true,
    ),
    keyword(
        "promote_secondaries",
        Args::Flag,
        "deleting an address spares the others of its subnet",
        |draft, _, _, _| draft.promote_secondaries = true,
    ),
    keyword(
        "dont_track_primary",
        Args::Flag,
        "the state of the interface does not matter",
        |draft, _, _, _| draft.dont_track_primary = true,
    ),
    keyword(
        "kernel_rx_buf_size",
        Args::Words("BYTES:0..4294967295"),
        "what the socket buffers for it",
        receive_buffer,
    ),
];

fn interface(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    if word.text.len() > LONGEST_NAME {
        let text = format!("Interface name '{}' too long - ignoring", word.text);
        diagnostics.report(Class::GeneralError, word.place, text);
        return;
    }
    draft.interface = Some(owned(word));
}

fn vrf(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let name = draft.name();
    let text = if word.text.len() > LONGEST_NAME {
        format!("({name}) VRF interface name '{}' too long - ignoring", word.text)
    } else if draft.interface.is_some() {
        format!("({name}) Cannot specify VRF interface and interface - ignoring")
    } else if let Some(known) = &draft.vrf {
        format!("({name}) VRF interface already specified as '{}' - ignoring", known.value)
    } else {
        draft.vrf = Some(owned(word));
        return;
    };
    diagnostics.report(Class::GeneralError, word.place, text);
}

/// The source address of adverts.
pub(super) fn source(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let start = format!("Configuration error: VRRP instance[{}]", draft.name());
    let text = match parse_address(word.text) {
        None => format!("{start} malformed src address[{}]. Skipping...", word.text),
        Some(address) if draft.deduce_family(Family::of(address)) => {
            draft.source = Some(address);
            return;
        }
        Some(_) => {
            draft.source = None;
            format!(
                "{start} and src address[{}] MUST be of the same family !!! Skipping...",
                word.text
            )
        }
    };
    diagnostics.report(Class::GeneralError, word.place, text);
}

fn group(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let Some(word) = statement.arg(0) else { return };
    let (name, shown) = (draft.name().to_owned(), word.text);
    draft.group = None;
    let Some(address) = parse_address(shown) else {
        let text = format!("({name}) malformed mcast dest address {shown}. Skipping...");
        diagnostics.report(Class::GeneralError, word.place, text);
        return;
    };
    let mut usable = true;
    if !draft.deduce_family(Family::of(address)) {
        let text = format!(
            "({name}) mcast dest address {shown} MUST match VRRP instance family. Skipping..."
        );
        diagnostics.report(Class::GeneralError, word.place, text);
        usable = false;
    }
    let (is_group, kind) = match address {
        IpAddr::V4(address) => (address.is_multicast(), ""),
        // Scope 2: link-local (RFC 4291 §2.7).
        IpAddr::V6(address) => (address.segments()[0] & 0xff0f == 0xff02, " link-local"),
    };
    if !is_group {
        let text = format!("({name}) mcast_dst_ip {shown} not{kind} multicast. Skipping...");
        diagnostics.report(Class::GeneralError, word.place, text);
        usable = false;
    }
    draft.group = usable.then_some(address);
}

fn receive_buffer(
    draft: &mut InstanceDraft,
    _: Value<'_>,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    let limits = Limits { min: 0, max: u64::from(u32::MAX), strict: true };
    let only = statement.arg(0).filter(|_| statement.arg(1).is_none());
    let parsed = only.and_then(|word| parse_uint(word, limits, diagnostics));
    match parsed.and_then(|size| u32::try_from(size).ok()) {
        Some(size) => draft.receive_buffer = Some(size).filter(|&size| size > 0),
        None => {
            let text = format!("({}) invalid kernel_rx_buf_size specified", draft.name());
            diagnostics.report(Class::GeneralError, statement.place(), text);
        }
    }
}
