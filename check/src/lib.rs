//! The load-balancing side: virtual servers, real servers and their health checks.
//!
//! Three values stand side by side, and know nothing of each other: `check` is the state of a health check, [`probe`]
//! one attempt of it, `balance` what follows for weights and quorums. `table` brings the kernel's IPVS there. Only
//! [`engine`] reads the clock, waits and logs. [`genhash`] is the program of that name, which fetches pages as checks do.

mod balance;
mod check;
pub mod config;
pub mod engine;
pub mod genhash;
pub mod probe;
mod report;
mod table;
