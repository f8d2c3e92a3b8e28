//! Proofs of origin in adverts: what is sent with them, and the numbers against replay that outlive a packet.

use std::net::IpAddr;

use super::{IPV4_LEN, Packet, Version, Vrid};
use crate::auth::ah::{self, Scope, Sequence};
use crate::auth::trailer::{self, Binding, Heard, SendStamps, Stamp};
use crate::config::auth::{Auth, Hmac, HmacMode};

/// The numbers against replay of an instance, both of what it sends and of what it has heard.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Sequence number of the authentication header.
    pub ah: Sequence,
    /// Stamps of our trailers.
    pub sent: SendStamps,
    /// Stamps of the trailers of others.
    pub heard: Heard,
}

/// What an instance seals its adverts with.
#[derive(Clone, Copy, Debug)]
pub struct Seal<'a> {
    /// How.
    pub auth: &'a Auth,
    /// Protocol version.
    pub version: Version,
    /// The virtual router.
    pub vrid: Vrid,
    /// Whom the adverts come from.
    pub source: IpAddr,
    /// Whether they go to single routers.
    pub unicast: bool,
    /// The time of day.
    pub clock: Stamp,
}

impl Seal<'_> {
    /// Seals the copies of one stamped advert. All carry the same number.
    pub fn apply(&self, packets: &mut [Packet], counters: &mut Counters) {
        match self.auth {
            Auth::None | Auth::Pass(_) => {}
            Auth::Ah(key) => self.apply_ah(key, packets, counters),
            Auth::Hmac(hmac) if hmac.mode == HmacMode::ReceiveOnly => {}
            Auth::Hmac(hmac) => self.apply_trailer(hmac, packets, counters),
        }
    }

    fn apply_ah(&self, key: &ah::Key, packets: &mut [Packet], counters: &mut Counters) {
        let number = counters.ah.advance();
        for packet in packets {
            let Some(ip): Option<&[u8; IPV4_LEN]> = packet.ipv4_header() else { continue };
            let header = ah::header(key, scope(self.unicast), ip, number, packet.message());
            packet.put_ah(&header);
        }
    }

    /// The tag does not cover the destination, so that one serves all copies.
    fn apply_trailer(&self, hmac: &Hmac, packets: &mut [Packet], counters: &mut Counters) {
        let Some(key) = hmac.keys.iter().find(|key| key.id == hmac.active) else { return };
        let Some(first) = packets.first() else { return };
        let stamp = counters.sent.advance(self.clock, hmac.anti_replay);
        let binding =
            Binding { version: self.version.number(), vrid: self.vrid.0, source: self.source };
        let trailer = trailer::trailer(key.id, &key.secret, binding, stamp, first.message());
        for packet in packets {
            packet.put_trailer(&trailer);
        }
    }
}

/// What the authentication header covers.
pub(super) fn scope(unicast: bool) -> Scope {
    if unicast { Scope::Unicast } else { Scope::Multicast }
}
