//! What logs say of requests that the kernel refuses: the texts of the original, which are those of `ipvsadm`.

use std::fmt;

use nix::errno::Errno;

use crate::{Destination, Key, Request};

/// A request that the kernel has refused. The numbers are those of the socket options that the requests once were.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// What was asked.
    pub request: &'a Request,
    /// Why not.
    pub errno: Errno,
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, number) = command(self.request);
        let errno = self.errno;
        let text = text(self.request, errno);
        write!(f, "IPVS cmd IP_VS_SO_SET_{name}({number}) error: {text}({})", errno as i32)?;
        match self.request {
            Request::AddService(service) | Request::SetService(service) => {
                write!(f, " ({})", service.key)
            }
            Request::RemoveService(key) => write!(f, " ({key})"),
            Request::AddDestination(key, server)
            | Request::SetDestination(key, server)
            | Request::RemoveDestination(key, server) => {
                let Destination { address, port, .. } = server;
                write!(f, " ({key} -> {address}:{port})")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address, port } => {
                write!(f, "{address}:{}:{port}", protocol.name())
            }
            Self::Mark { mark, ipv6: false } => write!(f, "Fwm {mark}"),
            Self::Mark { mark, ipv6: true } => write!(f, "Fwm {mark} inet6"),
        }
    }
}

fn command(request: &Request) -> (&'static str, u32) {
    match request {
        Request::AddService(_) => ("ADD", 1154),
        Request::SetService(_) => ("EDIT", 1155),
        Request::RemoveService(_) => ("DEL", 1156),
        Request::Flush => ("FLUSH", 1157),
        Request::AddDestination(..) => ("ADDDEST", 1159),
        Request::RemoveDestination(..) => ("DELDEST", 1160),
        Request::SetDestination(..) => ("EDITDEST", 1161),
        Request::SetTimeouts(_) => ("TIMEOUT", 1162),
        Request::StartDaemon(_) => ("STARTDAEMON", 1163),
        Request::StopDaemon(_) => ("STOPDAEMON", 1164),
    }
}

fn text(request: &Request, errno: Errno) -> &'static str {
    match (request, errno) {
        (Request::AddService(_), Errno::EEXIST) => "Service already exists",
        (Request::AddService(_) | Request::SetService(_), Errno::ENOENT) => {
            "Scheduler or persistence engine not found"
        }
        (Request::AddDestination(..), Errno::EEXIST) => "Destination already exists",
        (Request::SetDestination(..) | Request::RemoveDestination(..), Errno::ENOENT) => {
            "No such destination"
        }
        (Request::StartDaemon(_), Errno::EEXIST) => "Daemon has already run",
        (Request::StopDaemon(_), Errno::ESRCH) => "No daemon is running",
        (_, Errno::ESRCH) => "No such service",
        (_, Errno::EPERM) => "Permission denied (you must be root)",
        (_, Errno::EINVAL) => {
            "Invalid operation.  Possibly wrong module version, address not unicast, ..."
        }
        (_, Errno::ENOPROTOOPT) => "Protocol not available",
        (_, Errno::ENOMEM) => "Memory allocation problem",
        (_, Errno::EOPNOTSUPP) => "Operation not supported with IPv6",
        (_, Errno::EAFNOSUPPORT) => "Operation not supported with specified address family",
        (_, Errno::EMSGSIZE) => "Module is wrong version",
        (_, errno) => errno.desc(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Forwarding, Protocol, Role};

    #[test]
    fn refusals_read_as_in_the_original() {
        let key = Key::Address { protocol: Protocol::Tcp, address: [10, 0, 0, 1].into(), port: 80 };
        let server = Destination {
            address: [192, 168, 50, 2].into(),
            port: 80,
            forwarding: Forwarding::Masquerade,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        let says = |request, errno, expected: &str| {
            assert_eq!(Refusal { request: &request, errno }.to_string(), expected);
        };
        says(
            Request::AddDestination(key, server.clone()),
            Errno::EEXIST,
            "IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: Destination already exists(17) (10.0.0.1:tcp:80 -> 192.168.50.2:80)",
        );
        says(
            Request::SetDestination(Key::Mark { mark: 7, ipv6: true }, server),
            Errno::ENOENT,
            "IPVS cmd IP_VS_SO_SET_EDITDEST(1161) error: No such destination(2) (Fwm 7 inet6 -> 192.168.50.2:80)",
        );
        says(
            Request::RemoveService(key),
            Errno::ESRCH,
            "IPVS cmd IP_VS_SO_SET_DEL(1156) error: No such service(3) (10.0.0.1:tcp:80)",
        );
        says(
            Request::StopDaemon(Role::Master),
            Errno::ESRCH,
            "IPVS cmd IP_VS_SO_SET_STOPDAEMON(1164) error: No daemon is running(3)",
        );
        says(
            Request::Flush,
            Errno::EBUSY,
            "IPVS cmd IP_VS_SO_SET_FLUSH(1157) error: Device or resource busy(16)",
        );
    }
}
