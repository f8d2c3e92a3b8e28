//! Conversations with the kernel about interfaces and addresses (rtnetlink).
//!
//! A [`Client`] asks and waits for the answers; a [`Monitor`] is told what others change. Requests and what is heard are
//! plain values, so that everything above this module can be tested without a kernel.

mod attribute;
mod client;
mod error;
mod event;
mod message;
mod monitor;
mod request;
mod socket;

pub use client::Client;
pub use error::NetlinkError;
pub use event::{Event, decode};
pub use monitor::{Drained, Monitor};
pub use request::Request;

#[cfg(test)]
mod tests;
