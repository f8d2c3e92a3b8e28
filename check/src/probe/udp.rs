//! UDP_CHECK: a datagram is answered as it should be, or at least not refused.

use super::failure::{Failure, Good, UdpFailure, Verdict};
use crate::config::udp::{Reply, Udp};

/// What is sent where the configuration says nothing.
const PAYLOAD: &[u8; 32] = b"keepalived check - keepalived ch";

/// What is sent, and what must come back.
#[derive(Debug)]
pub(super) struct Exchange {
    payload: Option<Vec<u8>>,
    reply: Option<Reply>,
}

impl Exchange {
    pub(super) fn new(udp: &Udp) -> Self {
        Self { payload: udp.payload.clone(), reply: udp.reply.clone() }
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.payload.as_deref().unwrap_or(PAYLOAD)
    }

    pub(super) fn received(&self, datagram: &[u8]) -> Verdict {
        match &self.reply {
            Some(reply) if !reply.accepts(datagram) => Err(Failure::Udp(UdpFailure::Mismatch)),
            _ => Ok(Good::Answered),
        }
    }

    /// Nothing has come in time.
    pub(super) fn silent(&self) -> Verdict {
        match &self.reply {
            Some(_) => Err(Failure::Udp(UdpFailure::Connection)),
            None => Ok(Good::Answered),
        }
    }
}

impl Reply {
    /// Lengths count only where there is a pattern, of which only as much is compared as there is data: so it ever was.
    fn accepts(&self, datagram: &[u8]) -> bool {
        let length = usize::from(self.min_length)..=usize::from(self.max_length);
        self.pattern.is_empty()
            || length.contains(&datagram.len())
                && datagram
                    .iter()
                    .zip(&self.pattern)
                    .all(|(byte, pattern)| (byte ^ pattern.value) & pattern.mask == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::udp::Pattern;

    fn exchange(pattern: &[(u8, u8)], lengths: (u16, u16)) -> Exchange {
        let pattern = pattern.iter().map(|&(value, mask)| Pattern { value, mask }).collect();
        let reply = Reply { pattern, min_length: lengths.0, max_length: lengths.1 };
        Exchange::new(&Udp { payload: None, reply: Some(reply) })
    }

    #[test]
    fn without_a_wanted_reply_silence_is_as_good_as_any() {
        let exchange = Exchange::new(&Udp { payload: None, reply: None });
        assert_eq!(exchange.payload(), b"keepalived check - keepalived ch");
        assert_eq!(exchange.received(b""), Ok(Good::Answered));
        assert_eq!(exchange.silent(), Ok(Good::Answered));
    }

    #[test]
    fn a_wanted_reply_must_match() {
        let wanted = exchange(&[(0x10, 0xf0), (0x22, 0xff)], (2, 4));
        let mismatch = Err(Failure::Udp(UdpFailure::Mismatch));
        assert_eq!(wanted.received(&[0x1f, 0x22, 0xff]), Ok(Good::Answered));
        assert_eq!(wanted.received(&[0x2f, 0x22]), mismatch);
        assert_eq!(wanted.received(&[0x1f]), mismatch, "too short");
        assert_eq!(wanted.received(&[0x1f, 0x22, 0, 0, 0]), mismatch, "too long");
        assert_eq!(wanted.silent(), Err(Failure::Udp(UdpFailure::Connection)));
        let shorter = exchange(&[(0x10, 0xff), (0x22, 0xff)], (0, 255));
        assert_eq!(shorter.received(&[]), Ok(Good::Answered), "nothing differs from nothing");
        assert_eq!(exchange(&[], (5, 5)).received(b"x"), Ok(Good::Answered));
    }
}
