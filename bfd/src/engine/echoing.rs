//! The echo function at work: sockets, and packets to and from sessions.

use std::io;
use std::time::Instant;

use log::error;
use runtime::reactor::Readiness;

use super::{Engine, Event, SessionId, Source};
use crate::config::Config;
use crate::echo::{Echoes, Heard};

/// A family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    fn of(ipv6: bool) -> Self {
        if ipv6 { Self::V6 } else { Self::V4 }
    }
}

impl Engine {
    /// Opens the sockets that are needed and closes the others.
    pub(super) fn open_echoes(&mut self, config: &Config) -> io::Result<()> {
        for ipv6 in [false, true] {
            let family = Family::of(ipv6);
            let mut users = config.sessions.iter().filter(|instance| {
                instance.ends.neighbor.is_ipv6() == ipv6 && instance.parameters.echo_tx.is_some()
            });
            match (users.next().is_some(), self.echoes.remove(&family)) {
                (true, Some(open)) => {
                    self.echoes.insert(family, open);
                }
                (true, None) => {
                    let echoes = Echoes::open(ipv6).inspect_err(|failure| {
                        error!("Unable to open socket for echo packets ({failure})")
                    })?;
                    let source = Source::Echoes(family);
                    let registration =
                        self.reactor.register(&echoes, source, Readiness::Readable)?;
                    self.echoes.insert(family, (echoes, registration));
                }
                (false, Some((echoes, registration))) => {
                    self.reactor.deregister(&echoes, registration)?;
                }
                (false, None) => {}
            }
        }
        Ok(())
    }

    /// Takes all that has come back, as [`Engine::receive`] does.
    pub(super) fn hear_echoes(&mut self, family: Family) {
        let now = Instant::now();
        for _ in 0..self.most_waiting {
            let Some((echoes, _)) = self.echoes.get_mut(&family) else { return };
            let payload = match echoes.receive() {
                Ok(Some(Heard::Echo(payload))) => payload,
                Ok(Some(Heard::Other)) => continue,
                Ok(None) => return self.forget_strangers(family),
                Err(failure) => return error!("cannot receive echo packets: {failure}"),
            };
            if let Some(&id) = self.by_discriminator.get(&payload.discriminator) {
                self.event(id, Event::Echo(payload.number), now);
            }
        }
        self.forget_strangers(family);
        self.reactor.again(Source::Echoes(family));
    }

    fn forget_strangers(&mut self, family: Family) {
        let sessions = &self.sessions;
        if let Some((echoes, _)) = self.echoes.get_mut(&family) {
            echoes.retain(|address| sessions.values().any(|live| live.ends().neighbor == *address));
        }
    }

    /// Sends the echo packet that the session has asked for, if it has.
    pub(super) fn send_echo(&mut self, id: SessionId) {
        let Some(live) = self.sessions.get_mut(&id) else { return };
        let Some(payload) = live.take_echo() else { return };
        let neighbor = live.ends().neighbor;
        let Some((echoes, _)) = self.echoes.get(&Family::of(neighbor.is_ipv6())) else { return };
        if let Err(failure) = echoes.send(neighbor, payload) {
            live.failed(&failure);
        }
    }
}
