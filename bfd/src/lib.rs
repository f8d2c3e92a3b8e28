//! Bidirectional Forwarding Detection sessions (RFC 5880, 5881, 5883).
//!
//! `session` decides, without I/O; [`packet`] and [`auth`] read and write what it says, `echo` what comes back to us.
//! [`engine`] holds the `socket`s, reads the clock, waits and logs.

pub mod auth;
pub mod config;
mod echo;
pub mod engine;
pub mod packet;
mod session;
mod socket;
