//! The lab: networks made of namespaces, daemons running in them, and what can be seen of both from outside.
//!
//! A [`Lan`] is a bridge with [`Node`]s on it. A [`Daemon`] is any keepalived binary running in a node. What happens is
//! recorded on [`Timeline`]s: log lines, frames on the wire, addresses of the kernel. A test waits *for* something on
//! one of them, never just for time to pass, and judges afterwards by the time stamps.
//!
//! Everything that the lab makes bears the name `kl-PID-N`. It goes when its owner is dropped, also by a panic; what a
//! killed process left behind is swept by the next one. A failed set-up panics: there is nothing else to do in a test.

mod addresses;
mod backend;
pub mod bfd;
mod binary;
mod bird;
mod bus;
mod capture;
mod control;
mod daemon;
mod dump;
mod file;
mod flood;
mod forge;
mod frame;
mod frr;
mod intake;
mod iptables;
mod lan;
mod links;
mod listener;
mod machine;
mod mail_server;
mod namespace;
mod nginx;
pub mod objects;
mod pair;
mod precedence;
mod process;
mod retold;
mod router;
mod scratch;
mod script;
mod snmp;
mod tables;
mod timeline;
mod transcript;
mod tshark;
mod waits;
mod wire;

pub use addresses::{AddressEvent, AddressWatch};
pub use backend::{Backend, Service};
pub use binary::{Binary, target_directory};
pub use bird::Bird;
pub use bus::Bus;
pub use capture::{Capture, Captured};
pub use control::Control;
pub use daemon::{Daemon, LogLine, Verdict};
pub use dump::Dump;
pub use file::{await_file, await_process};
pub use flood::{Flood, Reader};
pub use forge::Forged;
pub use frame::{Advert, Announcement, Content, Frame};
pub use frr::Frr;
pub use iptables::Iptables;
pub use lan::{Lan, Node};
pub use links::{linked, linked_as_recorded};
pub use listener::Listener;
pub use machine::{each_on_machine, machine, on_machine, on_machine_for};
pub use mail_server::{MailServer, Session};
pub use namespace::{Namespace, run};
pub use nginx::Nginx;
pub use pair::{Failover, Float, Pair};
pub use precedence::go_first;
pub use process::Process;
pub use retold::{repair, retell, send_once};
pub use router::Router;
pub use scratch::Scratch;
pub use script::Script;
pub use snmp::MasterAgent;
pub use tables::TableWatch;
pub use timeline::{Mark, Timeline};
pub use transcript::{Scene, Transcript};
pub use tshark::{judge, judge_sessions};
pub use waits::Waits;
pub use wire::Wire;

use std::time::Duration;

/// How long a test waits for what must happen, where the protocol sets no bound of its own.
pub const PATIENCE: Duration = Duration::from_secs(10);
