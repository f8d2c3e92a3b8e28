//! Bidirectional Forwarding Detection sessions (RFC 5880, 5881, 5883).

pub mod auth;
pub mod config;
pub mod echo;
pub mod engine;
pub mod packet;
pub mod session;
pub mod socket;
