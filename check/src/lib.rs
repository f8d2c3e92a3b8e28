//! The load-balancing side: virtual servers, real servers and their health checks.

pub mod balance;
pub mod check;
pub mod config;
pub mod engine;
pub mod genhash;
pub mod probe;
mod report;
pub mod table;
