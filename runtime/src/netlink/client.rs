//! Requests, and the kernel's answers to them.

use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::error::NetlinkError;
use super::event::{Event, event};
use super::message::{Answer, Message};
use super::request::{Dump, Request, encode_end};
use super::socket::{BUFFER, Received, Socket};
use crate::global::NetlinkBuffer;
use crate::machine::{Address, IfIndex, Link, Machine, Route, Rule};

/// Octets of requests that leave in one datagram. Far more is refused for its size.
const BATCH_OCTETS: usize = 32 * 1024;
/// Requests that leave in one datagram: should all be refused, the answers must fit the receive buffer.
const BATCH_REQUESTS: usize = 64;
/// How long answers may take in all.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a dump is begun that changes keep interrupting.
const DUMPS: u32 = 5;

/// A socket for requests. It belongs to the network namespace in which it was opened.
#[derive(Debug)]
pub struct Client {
    socket: Socket,
    sequence: u32,
}

/// How a request ended.
#[derive(Clone, Debug)]
enum Outcome {
    Done,
    Answered(Answer),
    Unanswered,
    Failed(Errno),
}

impl Outcome {
    fn into_result(self, attempted: impl FnOnce() -> String) -> Result<(), NetlinkError> {
        match self {
            Outcome::Done | Outcome::Answered(Answer { errno: None, .. }) => Ok(()),
            Outcome::Answered(Answer { errno: Some(errno), text }) => {
                Err(NetlinkError::Refused { attempted: attempted(), errno, text })
            }
            Outcome::Unanswered => Err(NetlinkError::Unanswered { attempted: attempted() }),
            Outcome::Failed(errno) => Err(NetlinkError::Socket { attempted: attempted(), errno }),
        }
    }
}

impl Client {
    /// Opens it. Its buffer is never smaller than a full batch of answers needs.
    pub fn open(buffer: NetlinkBuffer) -> Result<Self, NetlinkError> {
        let size = Some(buffer.size.unwrap_or(BUFFER).max(BUFFER));
        let buffer = NetlinkBuffer { size, ..buffer };
        let socket = Socket::open(buffer, 0).map_err(|errno| NetlinkError::Socket {
            attempted: "open a netlink socket".to_owned(),
            errno,
        })?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks for all of `requests` and returns how each ended, in their order. A refused one does not stop the others.
    ///
    /// The kernel works requests off while they are sent, which takes as long as it takes, and has normally answered
    /// then. Should it not have, at most two seconds are waited for all of them together.
    pub fn execute(&mut self, requests: &[Request]) -> Vec<Result<(), NetlinkError>> {
        let mut results = Vec::with_capacity(requests.len());
        let deadline = Instant::now() + PATIENCE;
        let mut rest = requests;
        while !rest.is_empty() {
            let first = self.sequence.wrapping_add(1);
            let mut datagram = Vec::new();
            let mut count = 0;
            for request in rest.iter().take(BATCH_REQUESTS) {
                self.sequence = self.sequence.wrapping_add(1);
                request.encode(self.sequence, &mut datagram);
                count += 1;
                if datagram.len() >= BATCH_OCTETS {
                    break;
                }
            }
            self.sequence = self.sequence.wrapping_add(1);
            encode_end(self.sequence, &mut datagram);
            let (batch, after) = rest.split_at(count);
            let outcomes = self.exchange(&datagram, first, count, deadline);
            results.extend(
                batch
                    .iter()
                    .zip(outcomes)
                    .map(|(request, outcome)| outcome.into_result(|| request.to_string())),
            );
            rest = after;
        }
        results
    }

    /// All interfaces.
    pub fn links(&mut self) -> Result<Vec<Link>, NetlinkError> {
        let events = self.dump(Dump::Links)?;
        Ok(events
            .into_iter()
            .filter_map(|event| match event {
                Event::LinkChanged(link) => Some(link),
                _ => None,
            })
            .collect())
    }

    /// All addresses.
    pub fn addresses(&mut self) -> Result<Vec<Address>, NetlinkError> {
        self.dump_addresses(None)
    }

    /// The addresses of one interface.
    pub fn addresses_of(&mut self, interface: IfIndex) -> Result<Vec<Address>, NetlinkError> {
        let found = self.dump_addresses(Some(interface))?;
        // A kernel without strict checking gives those of all.
        Ok(found.into_iter().filter(|address| address.interface == interface).collect())
    }

    /// All interfaces and addresses.
    pub fn machine(&mut self) -> Result<Machine, NetlinkError> {
        Ok(Machine { links: self.links()?, addresses: self.addresses()? })
    }

    /// All routes that are marked with `protocol` (`RTPROT_*`). The kernel picks them out, so that a machine with a full
    /// table gives no more than these.
    pub fn routes(&mut self, protocol: u8) -> Result<Vec<Route>, NetlinkError> {
        let mut routes = Vec::new();
        for ipv6 in [false, true] {
            let events = match self.dump(Dump::Routes { ipv6, protocol }) {
                // A machine without IPv6 has no routes of it.
                Err(error) if ipv6 && is_unsupported(&error) => continue,
                events => events?,
            };
            routes.extend(events.into_iter().filter_map(|event| match event {
                // A kernel without strict checking gives all.
                Event::RouteAdded(route) if route.protocol == protocol => Some(*route),
                _ => None,
            }));
        }
        Ok(routes)
    }

    /// All policy rules.
    pub fn rules(&mut self) -> Result<Vec<Rule>, NetlinkError> {
        let events = self.dump(Dump::Rules)?;
        Ok(events
            .into_iter()
            .filter_map(|event| match event {
                Event::RuleAdded(rule) => Some(*rule),
                _ => None,
            })
            .collect())
    }

    /// The number by which the kernel names this socket as the cause of a change.
    pub fn port(&self) -> Result<u32, NetlinkError> {
        self.socket.port().map_err(|errno| NetlinkError::Socket {
            attempted: "learn the number of a netlink socket".to_owned(),
            errno,
        })
    }

    fn dump_addresses(&mut self, of: Option<IfIndex>) -> Result<Vec<Address>, NetlinkError> {
        let events = self.dump(Dump::Addresses(of))?;
        Ok(events
            .into_iter()
            .filter_map(|event| match event {
                Event::AddressAdded(address) => Some(address),
                _ => None,
            })
            .collect())
    }

    /// Sends a batch of `count` requests, of which the first has the number `first`, and which an end follows. The kernel
    /// works them off in order and tells only of those that it refuses; so, with the answer to the end, the others are
    /// done.
    fn exchange(
        &mut self,
        datagram: &[u8],
        first: u32,
        count: usize,
        deadline: Instant,
    ) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Unanswered; count];
        if let Err(errno) = self.socket.send(datagram) {
            outcomes.fill(Outcome::Failed(errno));
            return outcomes;
        }
        let mut lost = false;
        loop {
            match self.socket.receive() {
                Ok(Received::Datagram(received)) => {
                    for message in Message::all(received) {
                        let Some(answer) = message.answer() else { continue };
                        let place = usize::try_from(message.sequence.wrapping_sub(first)).ok();
                        if place == Some(count) && !lost {
                            fill_done(&mut outcomes);
                            return outcomes;
                        }
                        if let Some(slot) = place.and_then(|place| outcomes.get_mut(place)) {
                            *slot = Outcome::Answered(answer);
                        }
                    }
                }
                // What is lost does not come; what is not lost is there.
                Ok(Received::Overrun) => lost = true,
                Ok(Received::Nothing) if lost => break,
                Ok(Received::Nothing) => match self.socket.wait(deadline) {
                    Ok(true) => {}
                    Ok(false) | Err(_) => break,
                },
                Err(_) => break,
            }
        }
        outcomes
    }

    fn dump(&mut self, what: Dump) -> Result<Vec<Event>, NetlinkError> {
        let mut last = Outcome::Unanswered;
        for _ in 0..DUMPS {
            match self.dump_once(what) {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(outcome) => {
                    last = outcome;
                    break;
                }
            }
        }
        last.into_result(|| what.to_string()).map(|()| Vec::new())
    }

    /// `None` when the dump was interrupted by a change, or part of it was lost.
    fn dump_once(&mut self, what: Dump) -> Result<Option<Vec<Event>>, Outcome> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut datagram = Vec::new();
        what.encode(self.sequence, &mut datagram);
        self.socket.send(&datagram).map_err(Outcome::Failed)?;
        let deadline = Instant::now() + PATIENCE;
        let mut found = Vec::new();
        let mut consistent = true;
        loop {
            match self.socket.receive().map_err(Outcome::Failed)? {
                Received::Datagram(received) => {
                    for message in Message::all(received) {
                        if message.sequence != self.sequence {
                            continue;
                        }
                        consistent &= !message.is_interrupted();
                        match message.answer() {
                            Some(Answer { errno: None, .. }) => {
                                return Ok(consistent.then_some(found));
                            }
                            Some(answer) => return Err(Outcome::Answered(answer)),
                            None => found.extend(event(message)),
                        }
                    }
                }
                Received::Overrun => consistent = false,
                Received::Nothing => {
                    if !self.socket.wait(deadline).map_err(Outcome::Failed)? {
                        return Err(Outcome::Unanswered);
                    }
                }
            }
        }
    }
}

/// What was not refused has been done.
fn fill_done(outcomes: &mut [Outcome]) {
    for outcome in outcomes.iter_mut().filter(|outcome| matches!(outcome, Outcome::Unanswered)) {
        *outcome = Outcome::Done;
    }
}

fn is_unsupported(error: &NetlinkError) -> bool {
    matches!(error.errno(), Some(Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT))
}
