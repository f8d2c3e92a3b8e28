//! What every keepalived process needs: reactor, timers, signals, scripts, logging, netlink.

pub mod global;
pub mod reactor;
