//! Policy rules in the ledger.

use runtime::machine::Rule;
use runtime::machine::route::Prefix;
use runtime::netlink::Request;

use super::objects::Object;
use crate::config;
use crate::packet::Family;

/// A mask of which all bits count.
const WHOLE: u32 = u32::MAX;

impl Object for Rule {
    /// The kernel takes those for the same one that agree in everything but who has made them.
    type Key = Rule;

    fn key(&self) -> Rule {
        let prefix =
            |prefix: Option<Prefix>| prefix.filter(|prefix| prefix.len > 0).map(Prefix::network);
        Rule {
            from: prefix(self.from),
            to: prefix(self.to),
            tunnel: self.tunnel.filter(|&id| id != 0),
            protocol: None,
            ..self.clone()
        }
    }

    fn is_shown_as(&self, shown: &Self) -> bool {
        self.key() == shown.key()
    }

    fn is_complete(&self, shown: &Self) -> bool {
        self.protocol.unwrap_or(0) == shown.protocol.unwrap_or(0)
    }

    fn has_parts(&self) -> bool {
        false
    }

    fn is_barred_by(&self, _: &Self) -> bool {
        false
    }

    fn add(&self) -> Request {
        Request::AddRule(Box::new(self.clone()))
    }

    fn remove(&self) -> Request {
        Request::RemoveRule(Box::new(self.clone()))
    }
}

/// A configured rule as it is to be in the kernel. It may name interfaces that are not there.
pub(super) fn on_machine(configured: &config::Rule) -> Rule {
    Rule {
        invert: configured.invert,
        from: configured.from,
        to: configured.to,
        tos: configured.tos,
        mark: configured.mark.map(|mark| (mark, configured.mask.unwrap_or(WHOLE))),
        realms: configured.realms,
        suppress_prefix_len: configured.suppress_prefix_len,
        suppress_group: configured.suppress_group,
        input: configured.input.clone(),
        output: configured.output.clone(),
        tunnel: configured.tunnel,
        users: configured.users.clone(),
        protocol: configured.protocol,
        ip_protocol: configured.ip_protocol,
        source_ports: configured.source_ports.clone(),
        destination_ports: configured.destination_ports.clone(),
        ..Rule::plain(configured.family == Family::V6, configured.priority, configured.action)
    }
}
