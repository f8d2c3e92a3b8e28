//! What every keepalived process needs: reactor, timers, signals, scripts, logging, netlink.
//!
//! [`event_loop`] is the shape of a child process: it waits on a [`reactor`], follows its parent ([`child`]), and does
//! what its settings say ([`global`]). What it has to say goes to an [`audience`] of scripts, FIFOs and recipients of
//! [`mail`], into dumps ([`mod@dump`], [`report`]), and to SNMP ([`agentx`]) and D-Bus ([`bus`]). [`netlink`] speaks with
//! the kernel about a [`machine`], which is a value. Only [`sys`] calls the system without a safe wrapper in between.

pub mod agentx;
pub mod audience;
pub mod bfd_event;
pub mod bus;
pub mod child;
pub mod dump;
pub mod event_loop;
pub mod fifo;
pub mod global;
pub mod handover;
pub mod ipvs;
pub mod json;
pub mod line;
pub mod logging;
pub mod machine;
pub mod mail;
pub mod netlink;
pub mod options;
pub mod process;
pub mod process_events;
pub mod process_list;
pub mod reactor;
pub mod report;
pub mod scripts;
pub mod signals;
pub mod sys;
pub mod tracked_file;
