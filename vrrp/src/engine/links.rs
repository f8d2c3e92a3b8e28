//! Which interfaces count as up: what the kernel says, or the driver where it is polled, once it has lasted as long as the
//! configuration wants.

use std::collections::{HashMap, HashSet};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use log::{error, info};
use runtime::machine::{IfIndex, Link};
use runtime::sys;

use super::{Engine, Timer};
use crate::config::link::{LinkDelay, Linkbeat, LinkbeatMethod};
use crate::config::{self};
use crate::interfaces::Interface;
use crate::packet::Version;

/// From one poll to the next.
const POLL: Duration = Duration::from_secs(1);

/// What counts where it is not what the kernel says.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Interfaces that have changed too recently, with what still counts.
    held: HashMap<IfIndex, bool>,
    /// Interfaces that were up at some time. The first time is never held back.
    seen_up: HashSet<IfIndex>,
    polls: Vec<Poll>,
    /// For asking drivers.
    socket: Option<UdpSocket>,
}

/// An interface that is polled.
#[derive(Debug)]
struct Poll {
    config: Linkbeat,
    /// The way that works.
    method: Option<LinkbeatMethod>,
    up: bool,
}

impl Links {
    /// Whether the interface counts as up.
    pub(super) fn is_up(&self, interface: &Interface) -> bool {
        let link = interface.link();
        self.held.get(&link.index).copied().unwrap_or_else(|| self.looks_up(link))
    }

    /// Whether it is up now, however short.
    fn looks_up(&self, link: &Link) -> bool {
        self.polled(&link.name).map_or_else(|| link.is_up(), |poll| poll.up)
    }

    fn polled(&self, name: &str) -> Option<&Poll> {
        self.polls.iter().find(|poll| poll.config.interface == name)
    }

    /// Whether a change of the interface does not count yet.
    pub(super) fn is_held(&self, index: IfIndex) -> bool {
        self.held.contains_key(&index)
    }

    /// Whether the interface was up at some time.
    pub(super) fn has_been_up(&self, index: IfIndex) -> bool {
        self.seen_up.contains(&index)
    }

    /// The way in which an interface is asked that is polled, if one works.
    pub(super) fn method(&self, name: &str) -> Option<LinkbeatMethod> {
        self.polled(name)?.method
    }

    /// Forgets an interface that is gone.
    pub(super) fn forget(&mut self, index: IfIndex) {
        self.held.remove(&index);
        self.seen_up.remove(&index);
    }
}

impl Poll {
    /// Asks the interface, in the way that the configuration wants, or else in one that works.
    fn ask(&mut self, socket: &UdpSocket) -> bool {
        let name = self.config.interface.as_str();
        let found = match self.method {
            Some(method) => ask(socket, name, method).map(|up| (method, up)),
            None => self.ways().find_map(|method| Some((method, ask(socket, name, method)?))),
        };
        let Some((method, up)) = found else {
            self.method = None;
            return false;
        };
        if self.method.is_none() {
            self.method = Some(method);
            if let Some(wanted) = self.config.method.filter(|&wanted| wanted != method) {
                let (wanted, method) = (wanted.name(), method.name());
                info!("({name}): Configured linkbeat type {wanted} not supported, using {method}");
            }
        }
        up && sys::link::by_flags(socket, name) == Ok(true)
    }

    fn ways(&self) -> impl Iterator<Item = LinkbeatMethod> + use<> {
        use LinkbeatMethod::{Ethtool, Ioctl, Mii};
        let ways: &[LinkbeatMethod] = match self.config.method {
            None | Some(Mii) => &[Mii, Ethtool, Ioctl],
            Some(Ethtool) => &[Ethtool, Mii, Ioctl],
            Some(Ioctl) => &[Ioctl],
        };
        ways.iter().copied()
    }
}

fn ask(socket: &UdpSocket, name: &str, method: LinkbeatMethod) -> Option<bool> {
    let answer = match method {
        LinkbeatMethod::Mii => sys::link::by_transceiver(socket, name),
        LinkbeatMethod::Ethtool => sys::link::by_driver(socket, name),
        LinkbeatMethod::Ioctl => sys::link::by_flags(socket, name),
    };
    answer.ok()
}

impl Engine {
    /// Polls what the configuration wants polled, and holds nothing back that was held back before.
    pub(super) fn watch_links(&mut self, now: Instant) {
        for (index, _) in self.links.held.drain() {
            self.reactor.disarm(Timer::Link(index));
        }
        self.links.polls = self
            .config
            .linkbeat
            .iter()
            .map(|config| Poll { config: config.clone(), method: None, up: false })
            .collect();
        if self.links.polls.is_empty() {
            self.reactor.disarm(Timer::Poll);
        } else if self.open_link_socket() {
            info!("Using MII-BMSR/ETHTOOL NIC polling thread(s)...");
            self.ask_links();
            self.reactor.arm(Timer::Poll, now + POLL);
        }
        self.note_links_up();
    }

    /// Remembers which interfaces have been up: those that have not are not held back when they come up.
    pub(super) fn note_links_up(&mut self) {
        let up = self.interfaces.iter().filter(|interface| self.links.is_up(interface));
        let up: Vec<IfIndex> = up.map(|interface| interface.link().index).collect();
        self.links.seen_up.extend(up);
    }

    /// Any socket will do.
    fn open_link_socket(&mut self) -> bool {
        if self.links.socket.is_none() {
            match UdpSocket::bind(("0.0.0.0", 0)) {
                Ok(socket) => self.links.socket = Some(socket),
                Err(error) => error!("cannot poll interfaces: {error}"),
            }
        }
        self.links.socket.is_some()
    }

    /// Asks all interfaces that are polled; returns the names of those that have changed.
    fn ask_links(&mut self) -> Vec<String> {
        let Links { polls, socket: Some(socket), .. } = &mut self.links else { return Vec::new() };
        let mut changed = Vec::new();
        for poll in polls {
            let up = poll.ask(socket);
            if up != std::mem::replace(&mut poll.up, up) {
                changed.push(poll.config.interface.clone());
            }
        }
        changed
    }

    /// Time to poll.
    pub(super) fn poll_links(&mut self, now: Instant) {
        self.reactor.arm(Timer::Poll, now + POLL);
        for name in self.ask_links() {
            let up = self.links.polled(&name).is_some_and(|poll| poll.up);
            info!("Linkbeat reports {name} {}", if up { "up" } else { "down" });
            match self.interfaces.by_name(&name).map(|interface| interface.link().index) {
                Some(index) => self.link_changed(index, now),
                None => self.look_again(&name, now),
            }
        }
    }

    /// The kernel says that an interface went up or down. It is not believed where the interface is polled.
    pub(super) fn link_told(&mut self, index: IfIndex, now: Instant) {
        let polled = self.interfaces.get(index).map(Interface::link);
        if polled.is_none_or(|link| self.links.polled(&link.name).is_none()) {
            self.link_changed(index, now);
        }
    }

    /// An interface went up or down: now, or after its delay, or not at all if it was for a moment only.
    fn link_changed(&mut self, index: IfIndex, now: Instant) {
        let Some(link) = self.interfaces.get(index).map(Interface::link) else { return };
        let (up, name) = (self.links.looks_up(link), link.name.clone());
        match self.links.held.get(&index) {
            Some(&counts) if counts == up => {
                self.links.held.remove(&index);
                self.reactor.disarm(Timer::Link(index));
                info!("Delay timer for {name} cancelled");
                return;
            }
            Some(_) => return,
            None => {}
        }
        let delay = self.link_delay(index, up);
        if !delay.is_zero() && self.links.seen_up.contains(&index) {
            self.links.held.insert(index, !up);
            self.reactor.arm(Timer::Link(index), now + delay);
            let state = if up { "up" } else { "down" };
            info!("{name}: {state} counts if it lasts {} ms", delay.as_millis());
            return;
        }
        self.link_counts(index, now);
    }

    /// What an interface is now counts.
    pub(super) fn link_counts(&mut self, index: IfIndex, now: Instant) {
        self.links.held.remove(&index);
        let Some(interface) = self.interfaces.get(index) else { return };
        if self.links.is_up(interface) {
            self.links.seen_up.insert(index);
        }
        let name = interface.link().name.clone();
        if self.links.polled(&name).is_none() {
            self.log_link(index);
        }
        self.look_again(&name, now);
    }

    /// How long a change of an interface must last. It is never so long that a backup would have taken over.
    fn link_delay(&self, index: IfIndex, up: bool) -> Duration {
        let base = self.interfaces.base(index);
        let name = self.interface_name(base);
        let Some(delay) = self.config.delays.iter().find(|delay| delay.interface == name) else {
            return Duration::ZERO;
        };
        let LinkDelay { down, up: rise, .. } = delay;
        let on_it = self.instances.iter().filter(|instance| {
            instance.interface.is_some_and(|own| self.interfaces.base(own) == base)
        });
        let longest = on_it.map(|instance| {
            let learnt = match instance.config.version {
                Version::V2 => instance.config.advert_interval,
                Version::V3 => {
                    instance.router.master_interval().min(instance.config.advert_interval)
                }
            };
            config::longest_link_delay(instance.config.down_timer_adverts, learnt)
        });
        let allowed = longest.min().unwrap_or(Duration::MAX).min(*down);
        match up {
            false => allowed,
            true if rise == down => allowed,
            true => *rise,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(method: Option<LinkbeatMethod>) -> Poll {
        Poll { config: Linkbeat { interface: "lo".to_owned(), method }, method: None, up: false }
    }

    #[test]
    fn an_interface_is_asked_in_a_way_that_works() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (wanted, used) in [
            (None, LinkbeatMethod::Ethtool),
            (Some(LinkbeatMethod::Mii), LinkbeatMethod::Ethtool),
            (Some(LinkbeatMethod::Ethtool), LinkbeatMethod::Ethtool),
            (Some(LinkbeatMethod::Ioctl), LinkbeatMethod::Ioctl),
        ] {
            let mut poll = poll(wanted);
            assert!(poll.ask(&socket), "{wanted:?}");
            assert_eq!(poll.method, Some(used), "{wanted:?}");
        }
    }
}
