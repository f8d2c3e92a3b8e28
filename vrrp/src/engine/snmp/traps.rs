//! Notifications. Those of KEEPALIVED-MIB name columns without a row, which is what receivers match.

use std::net::IpAddr;
use std::time::Instant;

use log::debug;
use runtime::agentx::{Oid, Value};
use runtime::global::mib;

use super::super::notify::News;
use super::super::refusals::Noise;
use super::super::{Engine, RunningGroup};
use super::{ROOT, instances, rfc2787, rfc6527};
use crate::config::instance::Deleted;
use crate::config::{GroupId, InstanceId};
use crate::fsm::{Cause, State, Transition};
use crate::packet::{Refused, Verdict};

/// What SNMP tells of an instance besides its counters, which may start anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Told {
    /// Since when it is backup or master.
    pub(in super::super) since: Option<Instant>,
    /// Why it last became master (`vrrpv3StatisticsNewMasterReason`).
    pub(super) reason: i32,
    /// What was last wrong with an advert (`vrrpv3StatisticsProtoErrReason`).
    pub(super) error: i32,
}

impl Told {
    /// A state is entered.
    pub(in super::super) fn enter(&mut self, transition: &Transition, now: Instant) {
        match transition.to {
            State::Init | State::Fault => self.since = None,
            State::Backup | State::Master => drop(self.since.get_or_insert(now)),
        }
        if transition.to == State::Master {
            self.reason = match transition.cause {
                Cause::MasterLeft(_) => 1,
                Cause::Preemption(..) | Cause::Owner => 2,
                _ => 3,
            };
        }
    }
}

/// `vrrpTrapAuthErrorType` and `vrrpv3StatisticsProtoErrReason` of an advert that was refused; 0 is for none.
fn errors(refused: &Refused) -> (i32, i32) {
    match refused {
        Refused::AuthType(_) => (1, 0),
        Refused::UnexpectedAh | Refused::MissingAh | Refused::AuthMismatch { .. } => (2, 0),
        Refused::Password | Refused::Ah(_) => (3, 0),
        Refused::HopLimit(_) | Refused::PeerHopLimit { .. } => (0, 1),
        Refused::Version { .. } => (0, 2),
        Refused::Checksum(_) => (0, 3),
        _ => (0, 0),
    }
}

impl Engine {
    fn traps(&self) -> bool {
        self.managed.subagent.is_there() && self.global.snmp.traps
    }

    fn send_trap(&mut self, trap: &[u32], objects: Vec<(Oid, Value)>) {
        self.managed.subagent.notify(trap, objects);
    }

    /// `vrrpInstanceStateChange`
    pub(in super::super) fn trap_instance(&mut self, id: InstanceId, news: News) {
        let Some(instance) = self.instances.get(id) else { return };
        if !self.traps() || !self.global.snmp.vrrp {
            return;
        }
        let state = match news {
            News::Entered(state) => state.number(),
            News::Stopped => 5,
            News::Deleted if instance.config.notify.deleted == Deleted::AsFault => {
                State::Fault.number()
            }
            News::Deleted => 6,
            News::LowerPriority => return,
        };
        debug!("({}) Sending SNMP notification", instance.name());
        let initial = instances::initial_state(instance).unwrap_or(Value::Null);
        let objects = vec![
            (Oid::join(ROOT, &[3, 1, 2]), Value::text(instance.name())),
            (Oid::join(ROOT, &[3, 1, 4]), Value::Integer(state.into())),
            (Oid::join(ROOT, &[3, 1, 5]), initial),
            self.router_id(),
        ];
        self.send_trap(&Oid::join(ROOT, &[10, 0, 2]).0, objects);
    }

    /// `vrrpSyncGroupStateChange`
    pub(in super::super) fn trap_group(&mut self, group: GroupId, news: News) {
        let Some(RunningGroup { config, .. }) = self.groups.get(group) else { return };
        if !self.traps() || !self.global.snmp.vrrp {
            return;
        }
        let state = match news {
            News::Entered(state) => state.number(),
            News::Stopped => 5,
            News::Deleted | News::LowerPriority => return,
        };
        debug!("VRRP_Group({}): Sending SNMP notification", config.name);
        let objects = vec![
            (Oid::join(ROOT, &[1, 1, 2]), Value::text(&config.name)),
            (Oid::join(ROOT, &[1, 1, 3]), Value::Integer(state.into())),
            self.router_id(),
        ];
        self.send_trap(&Oid::join(ROOT, &[10, 0, 1]).0, objects);
    }

    fn router_id(&self) -> (Oid, Value) {
        (Oid::from(mib::ROUTER_ID), mib::router_id(&self.global))
    }

    /// `vrrpTrapNewMaster` and `vrrpv3NewMaster`
    pub(in super::super) fn trap_new_master(&mut self, id: InstanceId) {
        if !self.traps() {
            return;
        }
        let Some(instance) = self.instances.get(id) else { return };
        let Some(source) = instance.source else { return };
        let name = instance.name();
        let mut traps = Vec::new();
        if self.global.snmp.rfc_v2 && rfc2787::is_suitable(instance) {
            debug!("({name}) Sending SNMP notification vrrpTrapNewMaster");
            let row = rfc2787::index(self, instance);
            let name = Oid([rfc2787::MIB.root, &[1, 3, 1, 7], &row].concat());
            traps.push((rfc2787::MIB.root, 1, vec![(name, ipv4(source))]));
        }
        if self.global.snmp.rfc_v3 {
            let reason = instance.told_snmp.reason;
            debug!("({name}) Sending SNMP notification vrrpv3NotifyNewMaster, reason {reason}");
            let row = rfc6527::index(self, instance);
            let object = |column: &[u32]| Oid([rfc6527::MIB.root, column, &row].concat());
            let objects = vec![
                (object(&[1, 1, 1, 1, 3]), Value::address(source)),
                (object(&[1, 2, 5, 1, 2]), Value::Integer(reason)),
            ];
            traps.push((rfc6527::MIB.root, 1, objects));
        }
        for (root, number, objects) in traps {
            self.send_trap(&Oid::join(root, &[0, number]).0, objects);
        }
    }

    /// `vrrpTrapAuthFailure` and `vrrpv3ProtoError`, at most once a second for an instance.
    pub(in super::super) fn trap_refused(
        &mut self,
        id: InstanceId,
        verdict: &Verdict,
        source: IpAddr,
        now: Instant,
    ) {
        let Err(refused) = &verdict.outcome else { return };
        let (auth, protocol) = errors(refused);
        let traps = self.traps();
        let Some(instance) = self.instances.get_mut(id) else { return };
        if protocol != 0 {
            instance.told_snmp.error = protocol;
        }
        let wanted = (auth != 0 && self.global.snmp.rfc_v2 && rfc2787::is_suitable(instance))
            || (protocol != 0 && self.global.snmp.rfc_v3);
        if !traps || !wanted || !instance.chatter.allows(Noise::Trap, now) {
            return;
        }
        let Some(instance) = self.instances.get(id) else { return };
        if auth == 0 {
            debug!("({}) Sending SNMP notification vrrpTrapProtoError", instance.name());
            let row = rfc6527::index(self, instance);
            let name = Oid([rfc6527::MIB.root, &[1, 2, 5, 1, 6], &row].concat());
            let objects = vec![(name, Value::Integer(protocol))];
            self.send_trap(&Oid::join(rfc6527::MIB.root, &[0, 2]).0, objects);
            return;
        }
        debug!("({}) Sending SNMP notification vrrpTrapAuthFailure", instance.name());
        let row = rfc2787::index(self, instance);
        let object = |column: &[u32]| Oid([rfc2787::MIB.root, column, &row].concat());
        let objects =
            vec![(object(&[1, 5]), ipv4(source)), (object(&[1, 6]), Value::Integer(auth))];
        self.send_trap(&Oid::join(rfc2787::MIB.root, &[0, 2]).0, objects);
    }
}

fn ipv4(address: IpAddr) -> Value {
    match address {
        IpAddr::V4(address) => Value::ip_address(address),
        IpAddr::V6(address) => Value::address(address.into()),
    }
}
