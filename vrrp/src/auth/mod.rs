//! Packet authentication: IPSEC-AH of version 2, and the keyed trailer of 2.4.2 and later. Pure functions and values.

pub mod ah;
pub mod trailer;
