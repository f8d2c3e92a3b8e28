//! Tunnel headers of routes as they are written and read.

use super::attribute::Attribute;
use super::attribute_writer::AttributeWriter;
use crate::machine::route::{Encap, EncapIp};

pub(super) const RTA_ENCAP_TYPE: u16 = 21;
pub(super) const RTA_ENCAP: u16 = 22;

/// Kinds of headers (`LWTUNNEL_ENCAP_*`).
const MPLS: u16 = 1;
const IP: u16 = 2;
const ILA: u16 = 3;
const IP6: u16 = 4;

/// Numbers inside a header; those of IPv4 (`LWTUNNEL_IP_*`) are those of IPv6 (`LWTUNNEL_IP6_*`).
const ID: u16 = 1;
const DESTINATION: u16 = 2;
const SOURCE: u16 = 3;
const TTL: u16 = 4;
const TOS: u16 = 5;
const FLAGS: u16 = 6;
const MPLS_LABELS: u16 = 1;
const ILA_LOCATOR: u16 = 1;

/// The label that stands last (RFC 3032 §2.1).
const BOTTOM_OF_STACK: u32 = 0x100;
const LABEL_SHIFT: u32 = 12;

/// Writes a header and its kind.
pub(super) fn put(encap: &Encap, writer: &mut AttributeWriter) {
    let kind = match encap {
        Encap::Ip(_) => IP,
        Encap::Ip6(_) => IP6,
        Encap::Mpls(_) => MPLS,
        Encap::Ila(_) => ILA,
    };
    writer.nest(RTA_ENCAP, |inside| match encap {
        Encap::Ip(header) | Encap::Ip6(header) => put_ip(header, inside),
        Encap::Mpls(labels) => inside.put(MPLS_LABELS, &stack(labels)),
        Encap::Ila(locator) => inside.put(ILA_LOCATOR, &locator.to_be_bytes()),
    });
    writer.put(RTA_ENCAP_TYPE, &kind.to_ne_bytes());
}

fn put_ip(header: &EncapIp, inside: &mut AttributeWriter) {
    if let Some(id) = header.id {
        inside.put(ID, &id.to_be_bytes());
    }
    if let Some(destination) = header.destination {
        inside.put_address(DESTINATION, destination);
    }
    if let Some(source) = header.source {
        inside.put_address(SOURCE, source);
    }
    if let Some(tos) = header.tos {
        inside.put_u8(TOS, tos);
    }
    if let Some(ttl) = header.ttl {
        inside.put_u8(TTL, ttl);
    }
    if let Some(flags) = header.flags {
        inside.put(FLAGS, &flags.to_ne_bytes());
    }
}

fn stack(labels: &[u32]) -> Vec<u8> {
    let last = labels.len().saturating_sub(1);
    let entries = labels.iter().enumerate().map(|(place, label)| {
        let bottom = if place == last { BOTTOM_OF_STACK } else { 0 };
        (label << LABEL_SHIFT | bottom).to_be_bytes()
    });
    entries.flatten().collect()
}

/// Reads a header of a `kind`. `None` for kinds that are not known here.
pub(super) fn decode(header: Attribute<'_>, kind: u16) -> Option<Encap> {
    let first = |number| header.nested().find(|inner| inner.kind == number);
    match kind {
        IP => Some(Encap::Ip(decode_ip(header))),
        IP6 => Some(Encap::Ip6(decode_ip(header))),
        MPLS => {
            let entries = first(MPLS_LABELS)?.value.chunks_exact(4);
            let labels = entries.map(|entry| match *entry {
                [a, b, c, d] => u32::from_be_bytes([a, b, c, d]) >> LABEL_SHIFT,
                _ => 0,
            });
            Some(Encap::Mpls(labels.collect()))
        }
        ILA => {
            let locator = first(ILA_LOCATOR)?.value.first_chunk()?;
            Some(Encap::Ila(u64::from_be_bytes(*locator)))
        }
        _ => None,
    }
}

fn decode_ip(header: Attribute<'_>) -> EncapIp {
    let mut found = EncapIp::default();
    for inner in header.nested() {
        match inner.kind {
            ID => found.id = inner.value.first_chunk().map(|id| u64::from_be_bytes(*id)),
            DESTINATION => found.destination = inner.address(),
            SOURCE => found.source = inner.address(),
            TTL => found.ttl = inner.u8(),
            TOS => found.tos = inner.u8(),
            FLAGS => found.flags = inner.u16(),
            _ => {}
        }
    }
    found
}
