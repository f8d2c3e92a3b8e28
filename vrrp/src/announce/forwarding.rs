//! Whether the machine is a router on an interface, as neighbour advertisements have to say.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

/// How long an answer is believed.
const FRESH: Duration = Duration::from_secs(5);

/// The `forwarding` settings of interfaces, remembered for a few seconds.
#[derive(Debug, Default)]
pub(crate) struct Forwarding {
    known: HashMap<String, (Instant, bool)>,
}

impl Forwarding {
    /// When it was last looked at, and the answer; `None` before the first look.
    pub(crate) fn last(&self, interface: &str) -> Option<(Instant, bool)> {
        self.known.get(interface).copied()
    }

    /// Whether IPv6 packets are forwarded on `interface`. Where the setting cannot be read they are: a router that
    /// says that it is none is dropped from its neighbours' lists (RFC 4861 §7.2.5).
    pub(crate) fn is_router(&mut self, interface: &str, now: Instant) -> bool {
        if let Some(&(asked, answer)) = self.known.get(interface) {
            if now.saturating_duration_since(asked) < FRESH {
                return answer;
            }
        }
        let setting = format!("/proc/sys/net/ipv6/conf/{interface}/forwarding");
        let answer = fs::read_to_string(setting).map_or(true, |value| value.trim() != "0");
        self.known.insert(interface.to_owned(), (now, answer));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_counts_as_set() {
        let mut forwarding = Forwarding::default();
        let now = Instant::now();
        assert!(forwarding.is_router("no such interface", now));
        let asked = forwarding.known["no such interface"];
        assert!(forwarding.is_router("no such interface", now + FRESH / 2));
        assert_eq!(forwarding.known["no such interface"], asked);
        assert!(forwarding.is_router("no such interface", now + FRESH));
        assert_ne!(forwarding.known["no such interface"], asked);
    }
}
