//! Notifications. They name columns without a row, which is what receivers match.

use runtime::agentx::{Oid, Value};
use runtime::global::mib;

use super::super::Engine;
use super::ROOT;
use crate::balance::{PoolId, QuorumCause, QuorumChange, ServerChange};
use crate::config::service::{Protocol, Service};
use crate::config::{RealServer, VirtualServer};

impl Engine {
    fn traps(&self) -> bool {
        self.managed.subagent.is_there() && self.global.snmp.traps
    }

    fn send_trap(&mut self, number: u32, objects: Vec<(Oid, Value)>) {
        self.managed.subagent.notify(&Oid::join(ROOT, &[5, 0, number]).0, objects);
    }

    /// `realServerStateChange`
    pub(in super::super) fn trap_server(
        &mut self,
        change: &ServerChange,
        service: &VirtualServer,
        server: &RealServer,
    ) {
        if !self.traps() {
            return;
        }
        let column = |number, value| (Oid::join(ROOT, &[4, 1, number]), value);
        let mut objects = vec![
            column(3, Value::address_type(server.address.ip())),
            column(4, Value::address(server.address.ip())),
            column(5, Value::Gauge(server.address.port().into())),
            column(6, Value::truth(change.up)),
        ];
        objects.extend(identity(self, service));
        let up = self.up(change.server.pool().id(), service);
        objects.extend([up, total(service), self.router_id()]);
        self.send_trap(1, objects);
    }

    /// `virtualServerQuorumStateChange`
    pub(in super::super) fn trap_quorum(&mut self, change: &QuorumChange, service: &VirtualServer) {
        if !self.traps() {
            return;
        }
        let status = match change.cause {
            QuorumCause::Shutdown => 3,
            QuorumCause::Weight { .. } if change.up => 1,
            QuorumCause::Weight { .. } => 2,
        };
        let mut objects = identity(self, service);
        objects.extend([
            (Oid::join(ROOT, &[3, 1, 23]), Value::Integer(status)),
            (Oid::join(ROOT, &[3, 1, 22]), Value::Gauge(service.quorum)),
            self.up(change.pool.id(), service),
            total(service),
            self.router_id(),
        ]);
        self.send_trap(2, objects);
    }

    /// How many servers are up; of a virtual server that a reload has removed there is none.
    fn up(&self, id: PoolId, service: &VirtualServer) -> (Oid, Value) {
        let is_known = self.balance.virtual_server(id) == Some(service);
        let up = if is_known { self.servers_up(id) } else { 0 };
        (Oid::join(ROOT, &[3, 1, 21]), Value::gauge(up))
    }

    fn router_id(&self) -> (Oid, Value) {
        (Oid::from(mib::ROUTER_ID), mib::router_id(&self.global))
    }
}

fn total(service: &VirtualServer) -> (Oid, Value) {
    let servers = service.real_servers.len();
    (Oid::join(ROOT, &[3, 1, 20]), Value::gauge(servers))
}

/// What a virtual server is.
fn identity(engine: &Engine, service: &VirtualServer) -> Vec<(Oid, Value)> {
    let column = |number, value| (Oid::join(ROOT, &[3, 1, number]), value);
    let mut objects = match &service.service {
        Service::Mark(mark) => vec![column(2, Value::Integer(1)), column(4, Value::Gauge(*mark))],
        Service::Address(address, port) => vec![
            column(2, Value::Integer(2)),
            column(5, Value::address_type(*address)),
            column(6, Value::address(*address)),
            column(7, Value::Gauge(port.unwrap_or(0).into())),
        ],
        Service::Group(id) => {
            let name = engine.config.group(*id).map(|group| group.name.as_str());
            vec![column(2, Value::Integer(3)), column(3, Value::text(name.unwrap_or_default()))]
        }
    };
    // Receivers have always had 2 for what has no protocol.
    let protocol = match service.protocol {
        Some(Protocol::Tcp) => 1,
        Some(Protocol::Sctp) => 3,
        Some(Protocol::Udp) | None => 2,
    };
    objects.push(column(8, Value::Integer(protocol)));
    objects
}
