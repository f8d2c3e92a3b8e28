//! The VRRP engine: elections, virtual addresses, announcements.

pub mod auth;
