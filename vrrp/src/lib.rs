//! The VRRP engine: elections, virtual addresses, announcements.
//!
//! Most modules are values without I/O: [`packet`] and [`auth`] read and write adverts, [`fsm`] and `group` decide what
//! an instance does, `track` judges what it depends on, `interfaces`, `kernel` and `announce` know what is there
//! and what should be. Only [`engine`] reads the clock, waits and logs.

mod announce;
pub mod auth;
#[cfg(test)]
mod cable;
pub mod config;
pub mod engine;
pub mod fsm;
mod group;
mod interfaces;
mod kernel;
pub mod packet;
mod report;
mod socket;
mod stats;
mod track;
