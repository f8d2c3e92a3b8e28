//! What every keepalived process needs: reactor, timers, signals, scripts, logging, netlink.

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
