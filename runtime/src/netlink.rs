//! Conversations with the kernel about interfaces, addresses, routes and rules (rtnetlink).
//!
//! A [`Client`] asks and waits for the answers; a [`Monitor`] is told what others change. Requests and what is heard are
//! plain values, so that everything above this module can be tested without a kernel.

mod attribute;
mod attribute_writer;
mod client;
mod encap;
mod error;
mod event;
mod family;
pub mod ipset;
mod link;
mod message;
mod monitor;
pub mod nftables;
mod request;
mod route;
mod rule;
mod socket;

pub use client::Client;
pub use error::NetlinkError;
pub use event::{Event, decode};
pub use link::{LinkChange, LinkKind, NewLink};
pub use monitor::{Drained, Interest, Monitor};
pub use request::Request;

#[cfg(test)]
mod tests;
