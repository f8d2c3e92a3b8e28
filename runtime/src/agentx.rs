//! AgentX (RFC 2741): how a process offers its objects to the SNMP master agent of the machine.
//!
//! [`Offering`] is a process with a subagent. [`Agent`] is its connection in an event loop: it never waits, and comes back
//! by itself when the master agent does. What is said on it is decided by a session without I/O; the objects themselves are
//! described by [`mib`], and belong to whoever implements [`Objects`].

mod address;
mod agent;
pub mod mib;
mod offering;
mod oid;
pub mod pdu;
mod reader;
mod session;
mod writer;

pub use address::{Address, BadAddress};
pub use agent::Agent;
pub use offering::{Offer, Offering, Subagent};
pub use oid::Oid;
pub use pdu::{Value, VarBind};
pub use session::{Branch, Settings};

/// The objects behind an agent. Names are whole: a column's name and the index of a row after it.
pub trait Objects {
    /// The value of an object. `None`: there is none of this name.
    fn get(&self, name: &[u32]) -> Option<Value>;

    /// The first object after `from`, or at `from` if `inclusive`, and its value.
    fn next(&self, from: &[u32], inclusive: bool) -> Option<(Oid, Value)>;

    /// Whether the object would take the value.
    fn test(&self, name: &[u32], value: &Value) -> Result<(), SetError>;

    /// Gives the object a value that it would take.
    fn set(&mut self, name: &[u32], value: &Value) -> Result<(), SetError>;
}

/// Why an object does not take a value (RFC 2741 §7.2.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetError {
    /// It may not be changed at present.
    NoAccess,
    /// It is of another type.
    WrongType,
    /// It can never be this.
    WrongValue,
    /// It cannot be changed, or does not exist.
    NotWritable,
    /// It could not be changed after all.
    CommitFailed,
}

impl SetError {
    fn code(self) -> u16 {
        match self {
            Self::NoAccess => 6,
            Self::WrongType => 7,
            Self::WrongValue => 10,
            Self::CommitFailed => 14,
            Self::NotWritable => 17,
        }
    }
}

#[cfg(test)]
mod tests;
