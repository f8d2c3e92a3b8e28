//! System calls that no safe crate offers. The only module with `unsafe` code: one call a function, owned types out.
#![expect(unsafe_code, reason = "this is the room for it")]

pub mod descriptor;
pub mod environment;
pub mod link;
pub mod name;
pub mod openssl;
pub mod pcre2;
pub mod process;
pub mod random;
pub mod receive;
pub mod send;
pub mod signal;
pub mod socket;
pub mod time;

#[cfg(test)]
mod datagram_tests;
