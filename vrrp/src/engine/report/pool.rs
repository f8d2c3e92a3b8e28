//! The sockets for adverts, and who shares them.

use std::collections::BTreeMap;

use runtime::report::Report;

use super::super::Engine;
use super::super::instance::Instance;
use crate::config::auth::Auth;
use crate::packet::Family;
use crate::socket::Cast;

/// What stands for a descriptor that is not there.
pub(super) const NONE: i32 = -1;

impl Engine {
    pub(super) fn report_sockets(&self, out: &mut Report) {
        let mut pool: BTreeMap<usize, Vec<&Instance>> = BTreeMap::new();
        let mut places = Vec::new();
        for instance in self.instances.iter() {
            // Instances without a socket have an entry each.
            let known = instance
                .socket
                .and_then(|socket| places.iter().position(|&other| other == Some(socket)));
            let place = known.unwrap_or_else(|| {
                places.push(instance.socket);
                places.len() - 1
            });
            pool.entry(place).or_default().push(instance);
        }
        if pool.is_empty() {
            return;
        }
        out.heading("VRRP Sockpool");
        for mut instances in pool.into_values() {
            instances.sort_by_key(|instance| instance.config.vrid);
            self.report_socket(&instances, out);
        }
    }

    fn report_socket(&self, instances: &[&Instance], out: &mut Report) {
        let Some(first) = instances.first() else { return };
        let (receive, send) = self.descriptors(first);
        out.line(format_args!("fd_in {receive} fd_out = {send}"));
        out.inside(|out| {
            let name = first.interface.map(|index| self.interface_name(index));
            let name = name.or_else(|| self.adverts_on(first).map(str::to_owned));
            out.field("Interface", name.as_deref().unwrap_or("(none)"));
            let key = first.socket.and_then(|socket| self.sockets.key(socket));
            if let Some(Cast::Unicast { vrf: Some(vrf), .. }) = key.map(|key| key.cast) {
                out.field("VRF", self.interface_name(vrf));
            }
            let family = match first.config.family {
                Family::V4 => "IPv4",
                Family::V6 => "IPv6",
            };
            out.field("Family", family);
            let is_ah = matches!(first.config.auth, Auth::Ah(_));
            out.field("Protocol", if is_ah { "AH" } else { "VRRP" });
            let unicast = first.config.transport.is_unicast();
            out.field("Type", if unicast { "Unicast" } else { "Multicast" });
            if unicast {
                out.field_if_any("Address", first.source);
            }
            let buffer = first.socket.and_then(|socket| self.sockets.buffer(socket));
            out.field("Rx buf size", buffer.unwrap_or(0));
            let lines = instances
                .iter()
                .map(|instance| format!("{} vrid {}", instance.name(), instance.config.vrid.0));
            out.list("VRRP instances", lines);
        });
    }

    /// The numbers of the descriptors that an instance receives and sends with.
    pub(in crate::engine) fn descriptors(&self, instance: &Instance) -> (i32, i32) {
        let receive = instance.socket.and_then(|socket| self.sockets.descriptor(socket));
        let send = receive.and_then(|_| self.sender.descriptor(instance.config.family));
        (receive.unwrap_or(NONE), send.unwrap_or(NONE))
    }
}
