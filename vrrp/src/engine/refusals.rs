//! Which complaints about received adverts were already written to the log.

use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use crate::fsm::Note;
use crate::packet::Topic;

/// Topics that were logged and are not logged again, until the instance changes its state or its master.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refusals(u32);

impl Refusals {
    /// Whether `topic` is new. It is not from now on.
    pub(super) fn is_news(&mut self, topic: Topic) -> bool {
        let bit = topic.bit();
        let news = self.0 & bit == 0;
        self.0 |= bit;
        news
    }

    /// A bit for each topic that is no news.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// Everything is news again.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// How often a line may be repeated that anybody on the network can cause.
const REPEAT: Duration = Duration::from_secs(1);

/// What anybody on the network can cause again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noise {
    /// A socket cannot be read.
    Socket,
    /// An advert is longer than any we expect.
    TooLong,
    /// An advert is too short to be one.
    TooShort,
    /// The kernel does not say whom an advert is from.
    NoAddresses,
    /// An advert is for a virtual router that we do not know.
    UnknownVrid,
    /// An advert for the other kind of instance.
    Cast,
    /// An authentication header that proves nothing.
    Ah,
    /// A number of an authentication header ahead of ours.
    AhNumber,
    /// A master heard a lower priority, for its script.
    LowerPriority,
    /// A notification of SNMP about an advert that was refused.
    Trap,
    /// What an election says about an advert.
    Note(Discriminant<Note>),
}

/// Lines that were written lately: each kind of noise is written once a second at most, and once more where that was
/// silent before, since one change is often followed by another.
#[derive(Clone, Debug, Default)]
pub(super) struct Chatter(Vec<(Noise, [Instant; 2])>);

impl Chatter {
    /// Whether `noise` may be written now.
    pub(super) fn allows(&mut self, noise: Noise, now: Instant) -> bool {
        let Some((_, free)) = self.0.iter_mut().find(|(known, _)| *known == noise) else {
            self.0.push((noise, [now + REPEAT, now]));
            return true;
        };
        let Some(place) = free.iter_mut().filter(|at| **at <= now).min() else { return false };
        // Each of the two may be used again two periods later, so that there is one line a period in the long run.
        *place = now + 2 * REPEAT;
        true
    }

    /// Whether `note` may be written now. What does not come from adverts always may.
    pub(super) fn allows_note(&mut self, note: &Note, now: Instant) -> bool {
        !note.is_about_an_advert() || self.allows(Noise::Note(discriminant(note)), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_noise_is_heard_once_a_second() {
        let mut chatter = Chatter::default();
        let now = Instant::now();
        let half = Duration::from_millis(500);
        let heard = |chatter: &mut Chatter, seconds: u32| {
            let times = (0..seconds * 1000).map(|at| now + Duration::from_millis(u64::from(at)));
            times.filter(|&at| chatter.allows(Noise::TooShort, at)).count()
        };
        assert_eq!(heard(&mut chatter, 100), 101);
        assert!(chatter.allows(Noise::TooLong, now + half));
        for expected in [true, true, false] {
            assert_eq!(chatter.allows_note(&Note::BackupHeardStop, now), expected);
        }
        assert!(chatter.allows_note(&Note::Timeout, now));
        assert!(chatter.allows_note(&Note::Timeout, now));
    }

    #[test]
    fn each_topic_is_news_once() {
        let mut refusals = Refusals::default();
        assert!(refusals.is_news(Topic::Password));
        assert!(!refusals.is_news(Topic::Password));
        assert!(refusals.is_news(Topic::AddressMissing));
        assert_eq!(refusals.bits(), 0x1040);
        refusals.forget();
        assert!(refusals.is_news(Topic::Password));
    }
}
