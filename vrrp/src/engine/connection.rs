//! Where an instance sends from and listens: its interface, its source address and its socket.

use std::net::IpAddr;

use log::{debug, info};
use runtime::global::ReceiveBuffer;
use runtime::machine::IfIndex;

use super::Engine;
use crate::config::auth::Auth;
use crate::config::instance::{OwnInterface, Transport};
use crate::config::{self, InstanceId};
use crate::fsm::{Event, Fault};
use crate::interfaces::{Interface, Interfaces};
use crate::kernel::own_links::{Key as OwnKey, OwnLinks};
use crate::packet::Family;
use crate::socket::{Cast, Key, Protocol};

/// Where an instance could send from and listen now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Endpoint {
    base: Option<IfIndex>,
    own: Option<IfIndex>,
    interface: Option<IfIndex>,
    source: Option<IpAddr>,
    key: Option<Key>,
}

/// What decides where instances send from and listen, besides their configuration.
#[derive(Clone, Copy, Debug)]
struct Surroundings<'a> {
    interfaces: &'a Interfaces,
    links: &'a OwnLinks,
    /// Whether groups are joined on the interface below a VMAC too, since the firewall keeps in what the kernel reports
    /// by the VMAC itself.
    report_below: bool,
}

impl Endpoint {
    fn of(config: &config::Instance, surroundings: Surroundings<'_>) -> Self {
        let Surroundings { interfaces, links, report_below } = surroundings;
        let by_name = |name: &String| interfaces.by_name(name);
        let index = |interface: &Interface| interface.link().index;
        let named = config.interface.as_ref();
        let found = named.and_then(by_name);
        let base = found.map(index);
        let key = OwnKey::of_instance(config);
        let own = key.as_ref().and_then(|key| links.index(key));
        let interface = match &config.own_interface {
            OwnInterface::None => base,
            // The interface below is the one that is named, or what that stands on itself.
            OwnInterface::Vmac(vmac) if vmac.xmit_base => base,
            OwnInterface::Vmac(_) | OwnInterface::Ipvlan(_) => own,
        };
        let source = config.source.or_else(|| match (&config.own_interface, config.family) {
            (OwnInterface::Vmac(vmac), Family::V6) if !vmac.xmit_base => {
                links.link_local(key.as_ref()?, interfaces)
            }
            (OwnInterface::Ipvlan(_), Family::V6) => interfaces.get(own?)?.source(Family::V6),
            _ => found?.source(config.family),
        });
        let cast = match &config.transport {
            Transport::Multicast { group } => {
                let by_vmac =
                    report_below && config.has_vmac() && own.is_some() && own == interface;
                let below = own.filter(|_| by_vmac).map(|own| interfaces.base(own));
                interface.map(|interface| Cast::Multicast { group: *group, interface, below })
            }
            // An interface that is named must be there.
            Transport::Unicast(_) if named.is_some() && interface.is_none() => None,
            Transport::Unicast(_) => source.map(|source| {
                let of_interface = || interfaces.vrf(interface?).map(index);
                let vrf = config.vrf.as_ref().and_then(by_name).map(index).or_else(of_interface);
                Cast::Unicast { source, interface, vrf }
            }),
        };
        let protocol = match config.auth {
            Auth::Ah(_) => Protocol::Ah,
            _ => Protocol::Vrrp,
        };
        Self { base, own, interface, source, key: cast.map(|cast| Key { protocol, cast }) }
    }
}

impl Engine {
    /// Has an instance send from and listen where it should now. Says whether its source cannot be used.
    pub(super) fn connect(&mut self, id: InstanceId) -> Option<Event> {
        let instance = self.instances.get(id)?;
        let endpoint = Endpoint::of(&instance.config, self.surroundings());
        let connected = instance.socket.is_some();
        let before = instance.socket.and_then(|socket| self.sockets.key(socket));
        let unopened = endpoint.key.filter(|&key| !self.sockets.is_open(key));
        let buffer = unopened.and_then(|key| self.receive_buffer(key));
        let instance = self.instances.get_mut(id)?;
        (instance.base, instance.own) = (endpoint.base, endpoint.own);
        if (instance.interface, instance.source) != (endpoint.interface, endpoint.source) {
            instance.interface = endpoint.interface;
            instance.source = endpoint.source;
            instance.build_packets();
        }
        if connected && before == endpoint.key {
            return None;
        }
        if let Some(socket) = instance.socket.take() {
            self.sockets.leave(socket, id);
        }
        let vrid = instance.config.vrid;
        let key = endpoint.key?;
        let is_new = !self.sockets.is_open(key);
        match self.sockets.join(key, buffer, (vrid, id), &mut self.reactor) {
            Ok(socket) => {
                instance.socket = Some(socket);
                let cleared = Event::Cleared(Fault::SourceNotConfigured);
                let stuck =
                    instance.router.faults().iter().any(|f| *f == Fault::SourceNotConfigured);
                if is_new {
                    self.log_socket(id, key);
                }
                stuck.then_some(cleared)
            }
            Err(error) => {
                info!("({}) {error}", instance.name());
                error.is_missing_address().then_some(Event::Fault(Fault::SourceNotConfigured))
            }
        }
    }

    fn log_socket(&self, id: InstanceId, key: Key) {
        let Some(instance) = self.instances.get(id) else { return };
        let (receive, send) = self.descriptors(instance);
        let index = key.interface().map_or(0, |index| index.0);
        let family = match key.family() {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        let (cast, address) = match key.cast {
            Cast::Multicast { group, .. } => ("multicast,", group),
            Cast::Unicast { source, .. } => (", unicast,", source),
        };
        debug!(
            "VRRP sockpool: [ifindex({index:3}), family({family}), proto({}), fd({receive},{send}) {cast} address({address})]",
            key.protocol.number()
        );
    }

    fn surroundings(&self) -> Surroundings<'_> {
        let firewall = &self.global.firewall;
        // nftables sends the reports on by the interface below.
        let iptables = firewall.iptables.as_ref().filter(|_| firewall.nftables.is_none());
        Surroundings {
            interfaces: &self.interfaces,
            links: &self.own_links,
            report_below: iptables.is_some_and(|chains| chains.output.is_some()),
        }
    }

    /// The receive buffer of the socket `key`: what all instances on it want together. `None` is the system's.
    fn receive_buffer(&self, key: Key) -> Option<u32> {
        // Not all of them need be connected yet.
        let listeners = self.instances.iter().filter_map(|instance| {
            let endpoint = Endpoint::of(&instance.config, self.surroundings());
            (endpoint.key == Some(key)).then_some((instance, endpoint))
        });
        let multiplier = self.global.vrrp.receive_buffer_multiplier;
        let wanted = listeners.map(|(instance, endpoint)| {
            instance.config.receive_buffer.or_else(|| match self.global.vrrp.receive_buffer {
                ReceiveBuffer::System => None,
                ReceiveBuffer::Bytes(bytes) => Some(bytes),
                ReceiveBuffer::Advert => {
                    let advert = endpoint.source.map_or(0, |source| instance.advert_len(source));
                    Some(multiplier.saturating_mul(advert))
                }
                ReceiveBuffer::Mtu => Some(multiplier.saturating_mul(self.mtu(endpoint.interface))),
            })
        });
        wanted.sum::<Option<u32>>()
    }

    fn mtu(&self, interface: Option<IfIndex>) -> u32 {
        let interface = interface.and_then(|index| self.interfaces.get(index));
        interface.map_or(super::DEFAULT_MTU, |interface| interface.link().mtu)
    }
}
