//! The VRRP engine: elections, virtual addresses, announcements.
//!
//! Four modules are pure: [`packet`] and [`auth`] read and write adverts, [`fsm`] decides what an instance does, [`track`]
//! judges what it depends on. None
//! opens a socket, reads a clock or writes a log line; the engine around them does.

pub mod announce;
pub mod auth;
pub mod config;
pub mod fsm;
pub mod group;
pub mod interfaces;
pub mod kernel;
pub mod packet;
pub mod socket;
pub mod stats;
pub mod track;
