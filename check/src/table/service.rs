//! One service: what it should be, what the kernel has of it, and the requests that lead from one to the other.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use ipvs_sys::{Destination, Key, Refusal, Request, Service};
use log::info;
use nix::errno::Errno;

use super::desired::{Wanted, unique};
use crate::balance::PoolId;

/// A service that is ours.
#[derive(Debug)]
pub(super) struct Entry {
    /// Which virtual servers want it, and how. Several may share it; the first decides what the service is like.
    claims: Vec<(PoolId, Wanted)>,
    pub(super) there: There,
    /// What has been logged of it and not been done since.
    refused: Vec<String>,
}

/// What the kernel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum There {
    /// Nobody has looked.
    Unknown,
    /// No such service.
    Nothing,
    /// This.
    This(Wanted),
}

impl Entry {
    pub(super) fn new(there: There) -> Self {
        Self { claims: Vec::new(), there, refused: Vec::new() }
    }

    /// A virtual server wants it like this.
    pub(super) fn claim(&mut self, pool: PoolId, wanted: Wanted) {
        match self.claims.iter_mut().find(|(claimant, _)| *claimant == pool) {
            Some((_, claim)) => *claim = wanted,
            None => {
                // Nearly always there is one.
                self.claims.reserve_exact(1);
                self.claims.push((pool, wanted));
            }
        }
    }

    /// Whether a virtual server wants it.
    pub(super) fn is_for(&self, pool: PoolId) -> bool {
        self.claims.iter().any(|(claimant, _)| *claimant == pool)
    }

    /// Nobody wants it.
    pub(super) fn abandon(&mut self) {
        self.claims.clear();
    }

    /// Whether nobody wants it.
    pub(super) fn is_abandoned(&self) -> bool {
        self.claims.is_empty()
    }

    /// Whether it can be forgotten: nobody wants it, and it is not there.
    pub(super) fn is_over(&self) -> bool {
        self.is_abandoned() && self.there == There::Nothing
    }

    /// The kernel has this. What is as it is wanted need not be kept twice.
    pub(super) fn found(&mut self, there: Wanted) {
        let wanted = self.wanted().filter(|wanted| wanted.is_like(&there));
        self.there = There::This(wanted.unwrap_or(there));
    }

    /// Whether the kernel has refused something of it.
    pub(super) fn is_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Whether it is known to be as it should be.
    pub(super) fn is_settled(&self) -> bool {
        match (&self.there, self.wanted()) {
            (There::Unknown, _) => false,
            (There::Nothing, wanted) => wanted.is_none(),
            (There::This(there), wanted) => wanted.is_some_and(|wanted| wanted.is_like(there)),
        }
    }

    fn wanted(&self) -> Option<Wanted> {
        let (first, others) = self.claims.split_first()?;
        let (_, first) = first;
        if others.is_empty() {
            return Some(first.clone());
        }
        let all = self.claims.iter().flat_map(|(_, wanted)| wanted.destinations.iter().cloned());
        let destinations = unique(all.collect()).into();
        Some(Wanted { service: Rc::clone(&first.service), destinations })
    }

    /// Appends what is to be asked of the kernel. Nothing where it is not known what there is.
    pub(super) fn plan(&self, key: Key, out: &mut Vec<Request>) {
        match (&self.there, self.wanted()) {
            (There::Unknown, _) | (There::Nothing, None) => {}
            (There::This(_), None) => out.push(Request::RemoveService(key)),
            (There::Nothing, Some(wanted)) => {
                out.push(Request::AddService((*wanted.service).clone()));
                let servers = wanted.destinations.iter().cloned();
                out.extend(servers.map(|server| Request::AddDestination(key, server)));
            }
            (There::This(there), Some(wanted)) => difference(key, there, &wanted, out),
        }
    }

    /// Takes in what the kernel has answered to all that was planned.
    pub(super) fn absorb(&mut self, requests: &[Request], answers: &[Result<(), Errno>]) {
        let wanted = self.wanted();
        if answers.iter().all(Result::is_ok) {
            self.there = wanted.map_or(There::Nothing, There::This);
            self.refused.clear();
            return;
        }
        let mut outcome = Outcome::new(&self.there);
        let before = std::mem::take(&mut self.refused);
        for (request, answer) in requests.iter().zip(answers) {
            let Err(errno) = *answer else {
                outcome.done(request);
                continue;
            };
            if !outcome.follows_from_before(request, errno) {
                let line = Refusal { request, errno }.to_string();
                if !before.contains(&line) {
                    info!("{line}");
                }
                self.refused.push(line);
            }
            outcome.refused(request, errno);
        }
        self.there = outcome.there();
    }
}

impl Wanted {
    /// Whether the kernel needs no change to be like this: the order of servers does not matter.
    fn is_like(&self, there: &Self) -> bool {
        if self.service != there.service || self.destinations.len() != there.destinations.len() {
            return false;
        }
        self.destinations == there.destinations || {
            let mut out = Vec::new();
            difference(self.service.key, there, self, &mut out);
            out.is_empty()
        }
    }
}

type ServerKey = (IpAddr, u16);

fn server_key(server: &Destination) -> ServerKey {
    (server.address, server.port)
}

/// What takes a service that is there to what it should be: first what is added and gains weight, so that at no time
/// there is nobody to do the work.
fn difference(key: Key, there: &Wanted, wanted: &Wanted, out: &mut Vec<Request>) {
    if there.service != wanted.service {
        out.push(Request::SetService((*wanted.service).clone()));
    }
    if there.destinations == wanted.destinations {
        return;
    }
    let mut before: HashMap<ServerKey, &Destination> =
        there.destinations.iter().map(|server| (server_key(server), server)).collect();
    let (mut sets, mut idle) = (Vec::new(), Vec::new());
    for server in wanted.destinations.iter() {
        match before.remove(&server_key(server)) {
            None => out.push(Request::AddDestination(key, server.clone())),
            Some(same) if same == server => {}
            Some(_) if server.weight == 0 => idle.push(server.clone()),
            Some(_) => sets.push(server.clone()),
        }
    }
    let sets = sets.into_iter().chain(idle);
    out.extend(sets.map(|server| Request::SetDestination(key, server)));
    let gone = there.destinations.iter().filter(|server| before.contains_key(&server_key(server)));
    out.extend(gone.map(|server| Request::RemoveDestination(key, server.clone())));
}

/// What the kernel has after some of a plan was refused.
struct Outcome {
    service: Option<Rc<Service>>,
    servers: Vec<Destination>,
    /// Somebody else has changed it.
    is_uncertain: bool,
}

impl Outcome {
    fn new(there: &There) -> Self {
        let (service, servers) = match there {
            There::This(there) => (Some(Rc::clone(&there.service)), there.destinations.to_vec()),
            There::Nothing | There::Unknown => (None, Vec::new()),
        };
        Self { service, servers, is_uncertain: false }
    }

    fn done(&mut self, request: &Request) {
        match request {
            Request::AddService(service) | Request::SetService(service) => {
                self.service = Some(Rc::new(service.clone()));
            }
            Request::RemoveService(_) => self.service = None,
            Request::AddDestination(_, server) => self.servers.push(server.clone()),
            Request::SetDestination(_, server) => {
                let mut servers = self.servers.iter_mut();
                if let Some(known) = servers.find(|known| server_key(known) == server_key(server)) {
                    *known = server.clone();
                }
            }
            Request::RemoveDestination(_, server) => self.forget(server),
            Request::StartDaemon(_)
            | Request::StopDaemon(_)
            | Request::SetTimeouts(_)
            | Request::Flush => {}
        }
    }

    fn forget(&mut self, server: &Destination) {
        self.servers.retain(|known| server_key(known) != server_key(server));
    }

    /// Whether a refusal is only to be expected: there is no service, which has been said.
    fn follows_from_before(&self, request: &Request, errno: Errno) -> bool {
        let is_server = !matches!(request, Request::AddService(_));
        errno == Errno::ESRCH && is_server && (self.service.is_none() || self.is_uncertain)
    }

    fn refused(&mut self, request: &Request, errno: Errno) {
        match (request, errno) {
            (Request::RemoveService(_), Errno::ESRCH) => self.service = None,
            (Request::RemoveDestination(_, server), Errno::ENOENT) => self.forget(server),
            (Request::AddService(_), Errno::EEXIST)
            | (Request::AddDestination(..), Errno::EEXIST)
            | (Request::SetDestination(..), Errno::ENOENT)
            | (_, Errno::ESRCH) => self.is_uncertain = true,
            _ => {}
        }
    }

    fn there(self) -> There {
        match self.service {
            _ if self.is_uncertain => There::Unknown,
            None => There::Nothing,
            Some(service) => There::This(Wanted { service, destinations: self.servers.into() }),
        }
    }
}

#[cfg(test)]
mod tests;
