//! To whom the adverts of an instance go.

use std::net::IpAddr;

use conf_parser::Class;
use runtime::machine::LinkFlags;

use super::Finish;
use crate::config::instance::{Transport, Unicast};
use crate::packet::Family;

impl Finish<'_, '_, '_> {
    /// Whom adverts go to. `None` when the child cannot run with it.
    pub(super) fn transport(&mut self) -> Option<Transport> {
        self.check_unicast();
        if self.strict && self.unicast && self.link_has(LinkFlags::MULTICAST) {
            self.refuse("Unicast peers are not supported in strict mode");
            return None;
        }
        if self.interface.is_none() && !self.check_source_without_interface() {
            return None;
        }
        let vrrp = &self.workshop.context.global.vrrp;
        if !self.unicast {
            let default = match self.family {
                Family::V4 => IpAddr::V4(vrrp.multicast4),
                Family::V6 => IpAddr::V6(vrrp.multicast6),
            };
            return Some(Transport::Multicast { group: self.draft.group.unwrap_or(default) });
        }
        let check_source = self.draft.unicast.check_source || vrrp.check_unicast_src;
        if self.draft.group.is_some() {
            self.report("multicast destination specified with unicast - ignoring");
        }
        let unicast = std::mem::take(&mut self.draft.unicast);
        Some(Transport::Unicast(Unicast {
            peers: unicast.peers,
            ttl: unicast.ttl,
            check_source,
            old_checksum: unicast.old_checksum,
        }))
    }

    fn check_unicast(&mut self) {
        if self.unicast {
            return;
        }
        let unicast = &self.draft.unicast;
        let (configured, fault, ttl) =
            (unicast.configured, unicast.fault_no_peer, unicast.ttl.is_some());
        if ttl {
            let text = format!(
                "({}): Cannot use unicast_ttl without unicast peers - resetting",
                self.draft.name()
            );
            self.workshop.context.report_block(self.draft.block, text);
        }
        if configured && fault {
            self.note("Cannot use unicast without any peers - going to fault state");
            self.defective = true;
        } else if configured {
            let text = format!(
                "({}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.",
                self.draft.name()
            );
            let class = Class::Deprecated;
            self.workshop.context.diagnostics.report_later(class, self.draft.place(), text);
        }
    }

    fn check_source_without_interface(&mut self) -> bool {
        match self.draft.source {
            None => {
                let text = format!(
                    "({}): Unicast instances must have unicast_src_ip or interface",
                    self.draft.name()
                );
                self.workshop.context.refuse(self.draft.place(), text);
                false
            }
            Some(IpAddr::V6(source)) if source.is_unicast_link_local() => {
                self.refuse("Non link-local address required if interface omitted");
                false
            }
            Some(_) => true,
        }
    }
}
