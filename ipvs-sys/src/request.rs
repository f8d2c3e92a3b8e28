//! What can be asked of the kernel.

use crate::attribute::Writer;
use crate::service::write_key;
use crate::{Destination, Key, Role, Service, SyncDaemon};

const SERVICE: u16 = 1;
const DESTINATION: u16 = 2;
const DAEMON: u16 = 3;
const TIMEOUT_TCP: u16 = 4;
const TIMEOUT_TCP_FIN: u16 = 5;
const TIMEOUT_UDP: u16 = 6;

const DAEMON_STATE: u16 = 1;

/// Time-outs of connections, in seconds; 0 leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// Established TCP.
    pub tcp: u32,
    /// TCP after a FIN.
    pub tcp_fin: u32,
    /// UDP.
    pub udp: u32,
}

/// A change of the kernel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Adds a service.
    AddService(Service),
    /// Changes a service.
    SetService(Service),
    /// Removes a service with its servers.
    RemoveService(Key),
    /// Adds a server to a service.
    AddDestination(Key, Destination),
    /// Changes a server.
    SetDestination(Key, Destination),
    /// Removes a server.
    RemoveDestination(Key, Destination),
    /// Starts a synchronisation daemon.
    StartDaemon(SyncDaemon),
    /// Stops one.
    StopDaemon(Role),
    /// Sets the time-outs.
    SetTimeouts(Timeouts),
    /// Removes everything.
    Flush,
}

impl Request {
    /// The number of the command.
    pub(crate) fn command(&self) -> u8 {
        match self {
            Self::AddService(_) => 1,
            Self::SetService(_) => 2,
            Self::RemoveService(_) => 3,
            Self::AddDestination(..) => 5,
            Self::SetDestination(..) => 6,
            Self::RemoveDestination(..) => 7,
            Self::StartDaemon(_) => 9,
            Self::StopDaemon(_) => 10,
            Self::SetTimeouts(_) => 12,
            Self::Flush => 17,
        }
    }

    /// The attributes of the command.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        match self {
            Self::AddService(service) | Self::SetService(service) => {
                writer.nested(SERVICE, with(|inner| service.write(inner)));
            }
            Self::RemoveService(key) => {
                writer.nested(SERVICE, with(|inner| write_key(*key, inner)))
            }
            Self::AddDestination(key, destination)
            | Self::SetDestination(key, destination)
            | Self::RemoveDestination(key, destination) => {
                writer.nested(SERVICE, with(|inner| write_key(*key, inner)));
                writer.nested(DESTINATION, with(|inner| destination.write(inner)));
            }
            Self::StartDaemon(daemon) => writer.nested(DAEMON, with(|inner| daemon.write(inner))),
            Self::StopDaemon(role) => {
                let state = if *role == Role::Master { 1 } else { 2 };
                writer.nested(DAEMON, with(|inner| inner.u32(DAEMON_STATE, state)));
            }
            Self::SetTimeouts(timeouts) => {
                for (kind, value) in [
                    (TIMEOUT_TCP, timeouts.tcp),
                    (TIMEOUT_TCP_FIN, timeouts.tcp_fin),
                    (TIMEOUT_UDP, timeouts.udp),
                ] {
                    writer.u32(kind, value);
                }
            }
            Self::Flush => {}
        }
        writer.into_bytes()
    }
}

/// The key of a service as the attributes of a query.
pub(crate) fn key_payload(key: Key) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.nested(SERVICE, with(|inner| write_key(key, inner)));
    writer.into_bytes()
}

fn with(fill: impl FnOnce(&mut Writer)) -> Writer {
    let mut writer = Writer::default();
    fill(&mut writer);
    writer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::Attributes;
    use crate::{
        Flags, Forwarding, Granularity, Persistence, Protocol, Tunnel, TunnelChecksum, TunnelKind,
    };

    fn service() -> Service {
        let key = Key::Address { protocol: Protocol::Tcp, address: [10, 0, 0, 1].into(), port: 80 };
        Service {
            key,
            scheduler: "wlc".into(),
            flags: Flags::default(),
            persistence: None,
            engine: None,
        }
    }

    #[test]
    fn a_service_is_as_long_as_the_original_sends_it() {
        assert_eq!(
            Request::AddService(service()).payload().len() + 20,
            104,
            "a scheduler of three letters"
        );
    }

    #[test]
    fn services_survive_the_round_trip() {
        let masked = |mask: [u8; 4]| Granularity::Mask(mask.into());
        let sticky = Persistence { timeout: 300, granularity: masked([255, 255, 255, 0]) };
        let odd = Persistence { timeout: 300, granularity: masked([255, 0, 255, 3]) };
        let flags = Flags { one_packet: true, scheduler: [false, true, false] };
        let v6 =
            Key::Address { protocol: Protocol::Sctp, address: "fd00::1".parse().unwrap(), port: 0 };
        for service in [
            service(),
            Service { persistence: Some(sticky), engine: Some("sip".into()), ..service() },
            Service {
                key: v6,
                flags,
                persistence: Some(Persistence { timeout: 1, granularity: Granularity::Prefix(64) }),
                ..service()
            },
            Service { key: Key::Mark { mark: 7, ipv6: true }, ..service() },
            Service { persistence: Some(odd), ..service() },
        ] {
            let payload = Request::AddService(service.clone()).payload();
            let attributes = Attributes(&payload).find(SERVICE).unwrap().attributes();
            assert_eq!(Service::read(attributes), Some(service));
        }
    }

    #[test]
    fn servers_survive_the_round_trip() {
        let server = Destination {
            address: [192, 168, 50, 2].into(),
            port: 8080,
            forwarding: Forwarding::Masquerade,
            weight: 3,
            upper_threshold: 100,
            lower_threshold: 10,
        };
        let tunnel = |kind, checksum| Forwarding::Tunnel(Tunnel { kind, checksum });
        for forwarding in [
            Forwarding::Masquerade,
            Forwarding::Route,
            tunnel(TunnelKind::Ipip, TunnelChecksum::None),
            tunnel(TunnelKind::Gue(6080), TunnelChecksum::Remote),
            tunnel(TunnelKind::Gre, TunnelChecksum::Full),
        ] {
            let server = Destination { forwarding, ..server.clone() };
            let payload = Request::AddDestination(service().key, server.clone()).payload();
            let attributes = Attributes(&payload).find(DESTINATION).unwrap().attributes();
            assert_eq!(Destination::read(2, attributes).unwrap().0, server);
        }
    }
}
