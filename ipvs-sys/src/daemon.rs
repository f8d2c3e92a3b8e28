//! The daemon in the kernel that keeps the connections of two directors in step.

use std::net::IpAddr;

use crate::attribute::Writer;

const STATE: u16 = 1;
const MCAST_IFN: u16 = 2;
const SYNC_ID: u16 = 3;
const SYNC_MAXLEN: u16 = 4;
const MCAST_GROUP: u16 = 5;
const MCAST_GROUP6: u16 = 6;
const MCAST_PORT: u16 = 7;
const MCAST_TTL: u16 = 8;

/// Which side of the synchronisation the daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends its connections.
    Master,
    /// Takes them in.
    Backup,
}

/// A synchronisation daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncDaemon {
    /// Its role; both may run at once.
    pub role: Role,
    /// The interface of the multicast traffic.
    pub interface: String,
    /// Only daemons of the same number hear each other.
    pub id: u8,
    /// Longest message, 0 for what fits the interface.
    pub max_length: u16,
    /// Multicast group; the kernel's 224.0.0.81 where none is given.
    pub group: Option<IpAddr>,
    /// UDP port, 0 for 8848.
    pub port: u16,
    /// TTL of the messages, 0 for 1.
    pub ttl: u8,
}

impl SyncDaemon {
    pub(crate) fn write(&self, writer: &mut Writer) {
        let state = match self.role {
            Role::Master => 1,
            Role::Backup => 2,
        };
        writer.u32(STATE, state);
        writer.text(MCAST_IFN, &self.interface);
        writer.u32(SYNC_ID, u32::from(self.id));
        if self.max_length != 0 {
            writer.u16(SYNC_MAXLEN, self.max_length);
        }
        if self.port != 0 {
            writer.u16(MCAST_PORT, self.port);
        }
        if self.ttl != 0 {
            writer.u8(MCAST_TTL, self.ttl);
        }
        match self.group {
            Some(IpAddr::V4(group)) => writer.put(MCAST_GROUP, &group.octets()),
            Some(IpAddr::V6(group)) => writer.put(MCAST_GROUP6, &group.octets()),
            None => {}
        }
    }
}
