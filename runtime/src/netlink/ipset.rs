//! Sets of addresses for iptables (ipset).

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::SockProtocol;

use super::attribute_writer::AttributeWriter;
use super::error::NetlinkError;
use super::family;
use super::message::{HEADER_LEN, Message};
use super::nftables::Family;
use super::socket::{Received, Socket};
use crate::global::NetlinkBuffer;

/// How long answers may take in all.
const PATIENCE: Duration = Duration::from_secs(2);
/// Requests that leave in one datagram: the answers must fit the receive buffer.
const BATCH: usize = 64;

const NFNL_SUBSYS_IPSET: u8 = 6;
const IPSET_CMD_CREATE: u8 = 2;
const IPSET_CMD_DESTROY: u8 = 3;
const IPSET_CMD_SWAP: u8 = 6;
const IPSET_CMD_ADD: u8 = 9;
const IPSET_CMD_DEL: u8 = 10;

const IPSET_PROTOCOL: u8 = 6;
const IPSET_ATTR_PROTOCOL: u16 = 1;
const IPSET_ATTR_SETNAME: u16 = 2;
const IPSET_ATTR_TYPENAME: u16 = 3;
const IPSET_ATTR_SETNAME2: u16 = 3;
const IPSET_ATTR_REVISION: u16 = 4;
const IPSET_ATTR_FAMILY: u16 = 5;
const IPSET_ATTR_DATA: u16 = 7;
const IPSET_ATTR_IP: u16 = 1;
const IPSET_ATTR_CIDR: u16 = 3;
const IPSET_ATTR_IFACE: u16 = 23;
const IPSET_ATTR_IPADDR_IPV4: u16 = 1;
const IPSET_ATTR_IPADDR_IPV6: u16 = 2;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_CREATE: u16 = 0x400;
/// `NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`
const NESTED: u16 = 0x8000;
const NETWORK_ORDER: u16 = 0x4000;

/// What the entries of a set are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// Addresses (`hash:ip`).
    Addresses,
    /// Networks on interfaces (`hash:net,iface`).
    NetworksOnInterfaces,
}

/// An entry of a set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entry {
    /// An address.
    Address(IpAddr),
    /// A network on an interface.
    OnInterface(IpAddr, u8, String),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Address(address) => address.fmt(f),
            Entry::OnInterface(address, len, name) => write!(f, "{address}/{len},{name}"),
        }
    }
}

/// A change of sets. What is as asked for already is no failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetChange {
    /// Makes a set.
    Create(String, SetKind, Family),
    /// Removes a set, which no rule may use.
    Destroy(String),
    /// Exchanges what two sets of the same kind hold.
    Swap(String, String),
    /// Puts an entry into a set.
    Add(String, Entry),
    /// Takes an entry out of a set.
    Remove(String, Entry),
}

impl fmt::Display for SetChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetChange::Create(name, ..) => write!(f, "create ipset {name}"),
            SetChange::Destroy(name) => write!(f, "destroy ipset {name}"),
            SetChange::Swap(one, other) => write!(f, "swap ipsets {one} and {other}"),
            SetChange::Add(name, entry) => write!(f, "add {entry} to ipset {name}"),
            SetChange::Remove(name, entry) => write!(f, "remove {entry} from ipset {name}"),
        }
    }
}

/// A socket for changes of sets. It belongs to the network namespace in which it was opened.
#[derive(Debug)]
pub struct Ipset {
    socket: Socket,
    sequence: u32,
}

impl Ipset {
    /// Opens it.
    pub fn open() -> Result<Self, NetlinkError> {
        let failed = |errno| NetlinkError::Socket {
            attempted: "open a netlink socket for ipsets".to_owned(),
            errno,
        };
        let protocol = SockProtocol::NetlinkNetFilter;
        let socket = Socket::open_for(protocol, NetlinkBuffer::default(), 0).map_err(failed)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks for all of `changes` and returns how each ended. A refused one does not stop the others.
    pub fn execute(&mut self, changes: &[SetChange]) -> Vec<Result<(), NetlinkError>> {
        let deadline = Instant::now() + PATIENCE;
        changes.chunks(BATCH).flat_map(|batch| self.exchange(batch, deadline)).collect()
    }

    fn exchange(
        &mut self,
        batch: &[SetChange],
        deadline: Instant,
    ) -> Vec<Result<(), NetlinkError>> {
        let first = self.sequence.wrapping_add(1);
        let mut datagram = Vec::new();
        for change in batch {
            self.sequence = self.sequence.wrapping_add(1);
            encode(change, self.sequence, &mut datagram);
        }
        if let Err(errno) = self.socket.send(&datagram) {
            let failed =
                |change: &SetChange| NetlinkError::Socket { attempted: change.to_string(), errno };
            return batch.iter().map(|change| Err(failed(change))).collect();
        }
        let unanswered =
            |change: &SetChange| Err(NetlinkError::Unanswered { attempted: change.to_string() });
        let mut outcomes: Vec<_> = batch.iter().map(unanswered).collect();
        let mut open = batch.len();
        while open > 0 {
            match self.socket.receive() {
                Ok(Received::Datagram(received)) => {
                    for message in Message::all(received) {
                        let place = usize::try_from(message.sequence.wrapping_sub(first)).ok();
                        let found =
                            place.and_then(|at| Some((batch.get(at)?, outcomes.get_mut(at)?)));
                        let (Some((change, outcome)), Some(answer)) = (found, message.answer())
                        else {
                            continue;
                        };
                        *outcome = match answer.errno {
                            None => Ok(()),
                            // Newer kernels see it the same way.
                            Some(Errno::ENOENT) if matches!(change, SetChange::Destroy(_)) => {
                                Ok(())
                            }
                            Some(errno) => Err(NetlinkError::Refused {
                                attempted: change.to_string(),
                                errno,
                                text: answer.text,
                            }),
                        };
                        open = open.saturating_sub(1);
                    }
                }
                Ok(Received::Nothing) => match self.socket.wait(deadline) {
                    Ok(true) => {}
                    Ok(false) | Err(_) => break,
                },
                Ok(Received::Overrun) | Err(_) => break,
            }
        }
        outcomes
    }
}

fn encode(change: &SetChange, sequence: u32, out: &mut Vec<u8>) {
    let mut attributes = AttributeWriter::default();
    attributes.put_u8(IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL);
    let (command, flags) = match change {
        SetChange::Create(name, kind, family) => {
            let kind = match kind {
                SetKind::Addresses => "hash:ip",
                SetKind::NetworksOnInterfaces => "hash:net,iface",
            };
            attributes.put_text(IPSET_ATTR_SETNAME, name);
            attributes.put_text(IPSET_ATTR_TYPENAME, kind);
            // The first revision is known to every kernel and every `ipset`.
            attributes.put_u8(IPSET_ATTR_REVISION, 0);
            attributes.put_u8(IPSET_ATTR_FAMILY, family.number());
            attributes.nest(IPSET_ATTR_DATA | NESTED, |_| {});
            (IPSET_CMD_CREATE, NLM_F_CREATE)
        }
        SetChange::Destroy(name) => {
            attributes.put_text(IPSET_ATTR_SETNAME, name);
            (IPSET_CMD_DESTROY, 0)
        }
        SetChange::Swap(one, other) => {
            attributes.put_text(IPSET_ATTR_SETNAME, one);
            attributes.put_text(IPSET_ATTR_SETNAME2, other);
            (IPSET_CMD_SWAP, 0)
        }
        SetChange::Add(name, entry) => {
            attributes.put_text(IPSET_ATTR_SETNAME, name);
            put_entry(entry, &mut attributes);
            (IPSET_CMD_ADD, 0)
        }
        SetChange::Remove(name, entry) => {
            attributes.put_text(IPSET_ATTR_SETNAME, name);
            put_entry(entry, &mut attributes);
            (IPSET_CMD_DEL, 0)
        }
    };
    let attributes = attributes.octets();
    let length = HEADER_LEN + 4 + attributes.len();
    out.extend(u32::try_from(length).expect("a request is short").to_ne_bytes());
    out.extend(u16::from_be_bytes([NFNL_SUBSYS_IPSET, command]).to_ne_bytes());
    out.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
    out.extend(sequence.to_ne_bytes());
    out.extend([0; 4]);
    out.extend([family::INET, 0, 0, 0]);
    out.extend(attributes);
}

fn put_entry(entry: &Entry, out: &mut AttributeWriter) {
    let (Entry::Address(address) | Entry::OnInterface(address, ..)) = entry;
    let kind = match address {
        IpAddr::V4(_) => IPSET_ATTR_IPADDR_IPV4,
        IpAddr::V6(_) => IPSET_ATTR_IPADDR_IPV6,
    };
    out.nest(IPSET_ATTR_DATA | NESTED, |out| {
        out.nest(IPSET_ATTR_IP | NESTED, |out| out.put_address(kind | NETWORK_ORDER, *address));
        if let Entry::OnInterface(_, len, name) = entry {
            out.put_u8(IPSET_ATTR_CIDR, *len);
            out.put_text(IPSET_ATTR_IFACE, name);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    fn members(set: &str) -> Vec<String> {
        let output = Command::new("ipset").args(["save", "-sorted", set]).output();
        let text = String::from_utf8(output.expect("ipset is installed").stdout).unwrap();
        let added = text.lines().filter_map(|line| line.strip_prefix("add "));
        added.map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    #[test]
    fn sets_are_what_ipset_lists() {
        let work = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a namespace needs root");
            let mut ipset = Ipset::open().unwrap();
            let address = |text: &str| Entry::Address(text.parse().unwrap());
            let on = |text: &str, len| Entry::OnInterface(text.parse().unwrap(), len, "lo".into());
            let a = || "a".to_owned();
            let b = || "b".to_owned();
            let changes = [
                SetChange::Create(a(), SetKind::Addresses, Family::Ip),
                SetChange::Create(b(), SetKind::NetworksOnInterfaces, Family::Ip6),
                SetChange::Add(a(), address("10.0.0.1")),
                SetChange::Add(a(), address("10.0.0.2")),
                SetChange::Add(a(), address("10.0.0.2")),
                SetChange::Remove(a(), address("10.0.0.1")),
                SetChange::Remove(a(), address("10.0.0.1")),
                SetChange::Add(b(), on("fe80::1", 128)),
                SetChange::Add(b(), on("::", 0)),
                SetChange::Create(a(), SetKind::Addresses, Family::Ip),
            ];
            assert!(ipset.execute(&changes).iter().all(Result::is_ok));
            assert_eq!(members("a"), ["10.0.0.2"]);
            assert_eq!(members("b"), ["::/0,lo", "fe80::1,lo"]);
            let swap = [
                SetChange::Create("c".to_owned(), SetKind::Addresses, Family::Ip),
                SetChange::Swap("c".to_owned(), a()),
                SetChange::Destroy("c".to_owned()),
                SetChange::Destroy("nowhere".to_owned()),
                SetChange::Swap("nowhere".to_owned(), a()),
            ];
            let outcomes = ipset.execute(&swap);
            assert!(outcomes[..4].iter().all(Result::is_ok), "{outcomes:?}");
            let missing = outcomes[4].as_ref().unwrap_err();
            assert_eq!(missing.errno(), Some(Errno::ENOENT));
            assert_eq!(
                missing.to_string(),
                "cannot swap ipsets nowhere and a: No such file or directory"
            );
            assert_eq!(members("a"), [] as [&str; 0]);
        };
        thread::spawn(work).join().unwrap();
    }
}
