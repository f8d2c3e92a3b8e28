//! Hearing of tables that somebody removes.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::SockProtocol;

use super::transaction::{NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE};
use super::{Family, Nftables, Table, family};
use crate::global::NetlinkBuffer;
use crate::netlink::Drained;
use crate::netlink::attribute::Attributes;
use crate::netlink::error::NetlinkError;
use crate::netlink::message::Message;
use crate::netlink::socket::{Received, Socket};

/// Multicast group of changes of nf_tables, as a mask.
const GROUP: u32 = 1 << 6;
/// Datagrams that are read at once.
const BUDGET: usize = 64;

/// A socket that hears of it. It belongs to the network namespace in which it was opened.
#[derive(Debug)]
pub struct TableMonitor {
    socket: Socket,
    /// The number of the socket by which we remove tables ourselves.
    own: u32,
}

impl TableMonitor {
    /// Hears what others than `client` remove.
    pub fn open(client: &Nftables) -> Result<Self, NetlinkError> {
        let failed = |errno| NetlinkError::Socket {
            attempted: "hear of changes of nftables".to_owned(),
            errno,
        };
        let protocol = SockProtocol::NetlinkNetFilter;
        let socket = Socket::open_for(protocol, NetlinkBuffer::default(), GROUP).map_err(failed)?;
        let own = client.socket.port().map_err(failed)?;
        Ok(Self { socket, own })
    }

    /// Appends the tables that others have removed. What does not fit the socket's buffer is not heard.
    pub fn drain(&mut self, out: &mut Vec<Table>) -> Result<Drained, NetlinkError> {
        for _ in 0..BUDGET {
            match self.socket.receive() {
                Ok(Received::Datagram(datagram)) => {
                    let foreign = Message::all(datagram).filter(|message| message.port != self.own);
                    out.extend(foreign.filter_map(|message| removed(&message)));
                }
                Ok(Received::Overrun) => {}
                Ok(Received::Nothing) => return Ok(Drained::Empty),
                Err(errno) => {
                    let attempted = "hear of changes of nftables".to_owned();
                    return Err(NetlinkError::Socket { attempted, errno });
                }
            }
        }
        Ok(Drained::More)
    }
}

impl AsFd for TableMonitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn removed(message: &Message<'_>) -> Option<Table> {
    const NFTA_TABLE_NAME: u16 = 1;
    if message.kind.to_be_bytes() != [NFNL_SUBSYS_NFTABLES, NFT_MSG_DELTABLE] {
        return None;
    }
    let (&[family, _, _, _], attributes) = message.payload.split_first_chunk()?;
    let family = if family::is_ipv6(family)? { Family::Ip6 } else { Family::Ip };
    let name = Attributes(attributes).find(|attribute| attribute.kind == NFTA_TABLE_NAME)?;
    Some(Table { family, name: name.text() })
}
