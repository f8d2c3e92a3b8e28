//! Counters of services and servers.

use crate::attribute::{Attribute, Attributes};

const CONNS: u16 = 1;
const INPKTS: u16 = 2;
const OUTPKTS: u16 = 3;
const INBYTES: u16 = 4;
const OUTBYTES: u16 = 5;
const CPS: u16 = 6;
const INPPS: u16 = 7;
const OUTPPS: u16 = 8;
const INBPS: u16 = 9;
const OUTBPS: u16 = 10;

/// Counters and rates per second; what the kernel does not tell is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Connections.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Connections per second.
    pub connection_rate: u64,
    /// Packets from clients per second.
    pub packet_rate_in: u64,
    /// Packets to clients per second.
    pub packet_rate_out: u64,
    /// Bytes from clients per second.
    pub byte_rate_in: u64,
    /// Bytes to clients per second.
    pub byte_rate_out: u64,
    /// Connections that are established; of servers only.
    pub active: u32,
    /// Connections that are not, or not any more; of servers only.
    pub inactive: u32,
    /// Clients that would come back; of servers only.
    pub persistent: u32,
}

impl Statistics {
    /// Reads the 64-bit set (Linux 4.1), else the older one.
    pub(crate) fn read(wide: Option<Attribute<'_>>, narrow: Option<Attribute<'_>>) -> Self {
        let Some(set) = wide.or(narrow) else { return Self::default() };
        let attributes: Attributes<'_> = set.attributes();
        let counter = |kind| {
            let attribute = attributes.find(kind);
            attribute
                .and_then(|found| found.u64().or_else(|| found.u32().map(u64::from)))
                .unwrap_or(0)
        };
        Self {
            connections: counter(CONNS),
            packets_in: counter(INPKTS),
            packets_out: counter(OUTPKTS),
            bytes_in: counter(INBYTES),
            bytes_out: counter(OUTBYTES),
            connection_rate: counter(CPS),
            packet_rate_in: counter(INPPS),
            packet_rate_out: counter(OUTPPS),
            byte_rate_in: counter(INBPS),
            byte_rate_out: counter(OUTBPS),
            active: 0,
            inactive: 0,
            persistent: 0,
        }
    }
}
