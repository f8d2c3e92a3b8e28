//! The load-balancing part of the configuration: typed, complete and in range.
//!
//! The parent makes a [`Config`] from the statements of the configuration file; the checker child is given it and parses
//! nothing. Blocks fill drafts in the order of the file, then [`load`] resolves names, inherits and checks.

mod block;
pub mod checker;
pub mod dns;
pub mod forwarding;
pub mod group;
pub mod http;
mod inherit;
pub mod misc;
pub mod real;
mod scripts;
pub mod service;
pub mod tracked;
pub mod udp;
mod validate;

use std::borrow::Borrow;
use std::net::IpAddr;
use std::rc::Rc;

use conf_parser::{
    Args, Class, Diagnostics, Statement, Table, Value, keyword, report_missing_parameter,
};
use runtime::global::{Global, TrackFile};
use serde::{Deserialize, Serialize};

pub use checker::{Checker, Connection, Timing};
pub use forwarding::Forwarding;
pub use group::Group;
pub use real::{RealServer, SorryServer};
pub use service::{Protocol, Scheduler, Service, VirtualServer};

/// Everything that the checker child is to do, besides the settings of the whole daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Keys and certificates for checks over TLS.
    pub ssl: Option<Ssl>,
    /// Groups of addresses and marks that virtual servers share.
    pub groups: Vec<Group>,
    /// The virtual servers, in the order of the file. All have real servers.
    pub virtual_servers: Vec<VirtualServer>,
    /// The files that some check watches.
    pub files: Vec<TrackFile>,
    /// The BFD sessions that checks may look at.
    pub sessions: Vec<String>,
    wanted: bool,
}

impl Config {
    /// Whether the checker child is needed: there is a virtual server, even if nothing in it can be used.
    pub fn needs_child(&self) -> bool {
        self.wanted
    }

    /// The group with this number.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(usize::try_from(id.0).ok()?)
    }
}

/// A group, as its position in [`Config::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub u32);

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl Family {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Inet } else { Self::Inet6 }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "inet" => Some(Self::Inet),
            "inet6" => Some(Self::Inet6),
            _ => None,
        }
    }
}

/// Keys and certificates for checks over TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssl {
    /// What opens the key.
    pub password: Option<String>,
    /// File of the certificates of authorities.
    pub ca: Option<String>,
    /// File of our certificate and those that vouch for it.
    pub certificate: Option<String>,
    /// File of our key.
    pub key: Option<String>,
}

/// What the keywords fill.
#[derive(Debug)]
pub struct Draft {
    /// What names in the blocks are looked up in.
    global: Rc<Global>,
    ssl: Option<Ssl>,
    groups: Vec<Group>,
    virtual_servers: Vec<block::Draft>,
    wanted: bool,
}

/// The keywords of the top level that belong to load balancing.
pub static ROOT: Table<Draft> = Table(&[
    keyword("SSL", Args::Block("", &SSL), "keys and certificates for checks over TLS", ssl),
    keyword(
        "virtual_server_group",
        Args::NamedLines("NAME", "IPADDR[-RANGE|/MASK] [PORT] | fwmark N [inet|inet6]"),
        "addresses and marks that virtual servers share",
        |draft, _, statement, diagnostics| match statement.arg(0) {
            Some(name) => draft.groups.extend(group::read(name.text, statement, diagnostics)),
            None => report_missing_parameter(statement, 0, diagnostics),
        },
    ),
    keyword(
        "virtual_server",
        Args::Block("IPADDR [PORT]|fwmark N|group NAME", &block::VIRTUAL_SERVER),
        "a virtual server",
        |draft, _, statement, diagnostics| {
            draft.wanted = true;
            let server = block::read(statement, &draft.global, diagnostics);
            draft.virtual_servers.extend(server);
        },
    ),
]);

/// Loads the load-balancing part from the statements of the top level; those of others are passed over. Statements that
/// are given away are gone as soon as they have been read.
pub fn load(
    statements: impl IntoIterator<Item: Borrow<Statement>>,
    global: &Global,
    diagnostics: &mut Diagnostics,
) -> Config {
    let mut draft = Draft {
        global: Rc::new(global.clone()),
        ssl: None,
        groups: Vec::new(),
        virtual_servers: Vec::new(),
        wanted: false,
    };
    for statement in statements {
        ROOT.apply(&mut draft, statement.borrow(), diagnostics);
    }
    validate::finish(draft, diagnostics)
}

fn ssl(draft: &mut Draft, _: Value<'_>, statement: &Statement, diagnostics: &mut Diagnostics) {
    if draft.ssl.is_some() {
        let text = "SSL context already specified - replacing";
        diagnostics.report(Class::GeneralError, statement.place(), text);
    }
    let mut ssl = Ssl::default();
    SSL.fill(&mut ssl, statement, diagnostics);
    draft.ssl = Some(ssl);
}

static SSL: Table<Ssl> = Table(&[
    keyword(
        "password",
        Args::Word("STRING"),
        "what opens the key",
        |ssl: &mut Ssl, value, statement, diagnostics| {
            set_string(&mut ssl.password, "SSL", value.word(), statement, diagnostics);
        },
    )
    .missing("SSL password missing"),
    keyword(
        "ca",
        Args::Word("PATH"),
        "file of the certificates of authorities",
        |ssl: &mut Ssl, value, statement, diagnostics| {
            set_string(&mut ssl.ca, "SSL", value.word(), statement, diagnostics);
        },
    )
    .missing("SSL cafile missing"),
    keyword(
        "certificate",
        Args::Word("PATH"),
        "file of our certificate",
        |ssl: &mut Ssl, value, statement, diagnostics| {
            set_string(&mut ssl.certificate, "SSL", value.word(), statement, diagnostics);
        },
    )
    .missing("SSL certfile missing"),
    keyword(
        "key",
        Args::Word("PATH"),
        "file of our key",
        |ssl: &mut Ssl, value, statement, diagnostics| {
            set_string(&mut ssl.key, "SSL", value.word(), statement, diagnostics);
        },
    )
    .missing("SSL keyfile missing"),
]);

/// Sets `place` to `text`, and reports that it was set before. `what` is what messages call it.
fn set_string(
    place: &mut Option<String>,
    what: &str,
    text: &str,
    statement: &Statement,
    diagnostics: &mut Diagnostics,
) {
    if let Some(before) = place {
        let message = format!("Duplicate {what} - overwriting {before} with {text}");
        diagnostics.report(Class::GeneralError, statement.place(), message);
    }
    *place = Some(text.to_owned());
}

#[cfg(test)]
mod tests;
