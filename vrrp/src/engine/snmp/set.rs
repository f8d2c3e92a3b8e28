//! The objects that can be changed: until the next reload, which brings back what is configured.

use std::rc::Rc;
use std::time::Instant;

use log::info;
use runtime::agentx::{SetError, Value};

use super::super::{Engine, instance};
use super::{ROOT, instances};
use crate::config::{self, InstanceId};
use crate::fsm::{Event, Preempt};
use crate::packet::{Priority, Version};

/// A change that has been found to be possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Priority(InstanceId, Priority),
    Preempt(InstanceId, bool),
}

impl Engine {
    /// What giving an object a value means.
    pub(super) fn change(&self, name: &[u32], value: &Value) -> Result<Change, SetError> {
        let not_writable = SetError::NotWritable;
        let Some([3, 1, column, row]) = name.strip_prefix(ROOT) else { return Err(not_writable) };
        let id = InstanceId(row.checked_sub(1).ok_or(not_writable)?);
        let instance = self.instances.get(id).ok_or(not_writable)?;
        let number = match value {
            Value::Integer(number) => Ok(*number),
            _ => Err(SetError::WrongType),
        };
        match *column {
            instances::BASE_PRIORITY => match u8::try_from(number?) {
                Ok(priority @ 1..) => Ok(Change::Priority(id, Priority(priority))),
                Ok(0) | Err(_) => Err(SetError::WrongValue),
            },
            instances::PREEMPT => match number? {
                1 => Ok(Change::Preempt(id, true)),
                2 => Ok(Change::Preempt(id, false)),
                _ => Err(SetError::WrongValue),
            },
            instances::ACCEPT if instance.config.version == Version::V3 => Err(SetError::NoAccess),
            _ => Err(not_writable),
        }
    }

    pub(super) fn perform_change(&mut self, change: Change, now: Instant) {
        let (Change::Priority(id, _) | Change::Preempt(id, _)) = change;
        let configured = self.config.instance(id).map(|config| config.preempt);
        let Some(instance) = self.instances.get_mut(id) else { return };
        let mut config: config::Instance = (*instance.config).clone();
        let name = &config.name;
        match change {
            Change::Priority(_, priority) => {
                let before = config.priority.0;
                info!("({name}) base priority changed from {before} to {} via SNMP.", priority.0);
                config.priority = priority;
            }
            Change::Preempt(_, true) => {
                info!("({name}) preemption enabled with SNMP");
                let delayed = configured.filter(|preempt| *preempt != Preempt::Never);
                config.preempt = delayed.unwrap_or(Preempt::AtOnce);
            }
            Change::Preempt(_, false) => {
                info!("({name}) preemption disabled with SNMP");
                config.preempt = Preempt::Never;
            }
        }
        instance.config = Rc::new(config);
        let starts_as_master =
            self.instances.get(id).is_some_and(|one| self.starts_as_master(&one.config));
        let Some(instance) = self.instances.get(id) else { return };
        let settings = instance::settings(&instance.config, starts_as_master);
        self.drive(id, Event::Reconfigure(Box::new(settings)), now);
    }
}
