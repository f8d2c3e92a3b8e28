//! Where the master agent listens, as `snmp_socket` and `-A` say it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// Where master agents listen that nobody has told otherwise.
const USUAL: &str = "/var/agentx/master";
/// The port of AgentX (RFC 2741 §8.1).
const PORT: u16 = 705;

/// Where the master agent listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A socket of this machine.
    Unix(PathBuf),
    /// TCP.
    Tcp(SocketAddr),
}

impl Default for Address {
    fn default() -> Self {
        Self::Unix(PathBuf::from(USUAL))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

/// What cannot be connected to: another transport, or a name, which would have to be asked for while adverts wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAddress(String);

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is neither unix:PATH nor tcp:ADDRESS:PORT nor tcp6:[ADDRESS]:PORT", self.0)
    }
}

impl std::error::Error for BadAddress {}

impl std::str::FromStr for Address {
    type Err = BadAddress;

    /// Reads `unix:PATH`, `PATH`, `tcp:ADDRESS:PORT` and `tcp6:[ADDRESS]:PORT`. Of address and port either may be missing:
    /// this machine and port 705.
    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress(text.to_owned());
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        let (transport, rest) = match text.split_once(':') {
            Some((word @ ("unix" | "tcp" | "tcp6" | "tcpv6" | "tcpipv6"), rest)) => (word, rest),
            // Something else that could only be a transport.
            Some((word @ ("udp" | "udp6" | "ssh" | "tlstcp" | "dtlsudp"), _)) => (word, ""),
            _ => ("tcp", text),
        };
        match transport {
            "unix" => Ok(Self::Unix(PathBuf::from(rest))),
            "tcp" => tcp(rest, Ipv4Addr::LOCALHOST.into()).ok_or_else(bad),
            "tcp6" | "tcpv6" | "tcpipv6" => tcp(rest, Ipv6Addr::LOCALHOST.into()).ok_or_else(bad),
            _ => Err(bad()),
        }
    }
}

fn tcp(text: &str, here: IpAddr) -> Option<Address> {
    let host = |text: &str| match text.trim_start_matches('[').trim_end_matches(']') {
        "" | "localhost" => Some(here),
        text => text.parse().ok(),
    };
    let whole = || {
        let port = text.parse().ok().map(|port| SocketAddr::new(here, port));
        port.or_else(|| host(text).map(|address| SocketAddr::new(address, PORT)))
    };
    let parts = || {
        let (address, port) = text.rsplit_once(':')?;
        Some(SocketAddr::new(host(address)?, port.parse().ok()?))
    };
    // An IPv6 address without brackets is whole, and so it is tried first.
    whole().or_else(parts).map(Address::Tcp)
}
