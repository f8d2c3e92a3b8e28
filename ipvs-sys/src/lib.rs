//! The IPVS generic-netlink family: message codec and a small client.
//!
//! [`Request`]s are plain values; [`Client::execute`] sends any number of them in a few system calls and gives the
//! kernel's answer to each. What the kernel sends is read as input from outside: any bytes give values or an error.

mod attribute;
mod client;
mod daemon;
mod destination;
mod refusal;
mod request;
mod service;
mod statistics;
mod synchronisation;

pub use client::{Client, Error};
pub use daemon::{Role, SyncDaemon};
pub use destination::{Destination, Forwarding, Tunnel, TunnelChecksum, TunnelKind};
pub use refusal::Refusal;
pub use request::{Request, Timeouts};
pub use service::{Flags, Granularity, Key, Persistence, Protocol, Service};
pub use statistics::Statistics;
pub use synchronisation::Synchronisation;
