//! D-Bus: how a process offers objects on the message bus of the machine.
//!
//! [`Client`] is the connection in an event loop: it never waits, and comes back by itself when the bus does. What is said
//! on it is decided by a session without I/O. What the objects are like is described by [`Interface`]s; the objects
//! themselves belong to whoever implements [`Objects`]. Introspection, properties and pings are answered here.

mod address;
mod client;
mod interface;
pub mod message;
mod session;
mod standard;
mod value;
mod wire;

pub use address::BadAddress;
pub use client::{Client, Served};
pub use interface::{Argument, Interface, Property, Signal};
pub use session::Ticket;
pub use value::Value;

/// The objects behind a connection. Each has a path and one interface of its own.
pub trait Objects {
    /// What the object at `path` is like; `None` where there is none.
    fn interface(&self, path: &str) -> Option<&'static Interface>;

    /// The paths of all objects.
    fn paths(&self) -> Vec<String>;

    /// A property of an object that has it.
    fn property(&self, path: &str, name: &str) -> Option<Value>;

    /// Calls a method of an object that has it. `ticket` is for those who answer later.
    fn call(&mut self, path: &str, method: &str, ticket: Ticket) -> Answer;
}

/// What comes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, and there is nothing to say.
    Done,
    /// Whoever has the ticket will answer.
    Later,
    /// It cannot be done.
    Failed(Failure),
}

/// Why a call fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the kind of error.
    pub name: &'static str,
    /// What to tell people.
    pub text: String,
}

impl Failure {
    /// Something about the arguments.
    pub(crate) fn invalid(text: String) -> Self {
        Self { name: "org.freedesktop.DBus.Error.InvalidArgs", text }
    }

    /// There is no such object, interface or method.
    pub(crate) fn unknown(text: String) -> Self {
        Self { name: "org.freedesktop.DBus.Error.UnknownMethod", text }
    }

    /// Too much is asked for at once.
    pub fn overloaded() -> Self {
        let text = "too many calls wait for an answer".to_owned();
        Self { name: "org.freedesktop.DBus.Error.LimitsExceeded", text }
    }
}

/// `text` as one part of the path of an object: whatever but letters and digits becomes `_`.
pub fn path_element(text: &str) -> String {
    let element = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte) } else { '_' };
    // A part is never empty.
    if text.is_empty() { "_".to_owned() } else { text.bytes().map(element).collect() }
}

#[cfg(test)]
mod tests;
