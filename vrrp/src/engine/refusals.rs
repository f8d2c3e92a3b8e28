//! Which complaints about received adverts were already written to the log.

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

#[cfg(test)]
mod tests {
    use super::*;

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
