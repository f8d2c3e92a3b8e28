//! Which authentication an instance ends up with.

use std::time::Duration;

use super::auth::{Auth, HmacMode};
use super::auth_keywords::{AuthDraft, Kind};
use crate::packet::{Family, Version};

/// What decides about authentication besides its own keywords.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    pub(super) family: Family,
    pub(super) version: Version,
    pub(super) strict: bool,
    /// Whether the instance is to start as master without owning the addresses.
    pub(super) master_without_owning: bool,
    pub(super) advert_interval: Duration,
}

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finished {
    pub(super) auth: Auth,
    /// IPSEC-AH must hear a sequence number before it may send one.
    pub(super) starts_as_backup: bool,
}

/// Bounds of the window that follows from the advertisement interval, in seconds.
const WINDOW: (u64, u64) = (5, 300);

/// Settles the authentication; `report` is told what had to be corrected.
pub(super) fn finish(
    draft: AuthDraft,
    situation: Situation,
    report: &mut dyn FnMut(&str),
) -> Finished {
    let mut kind = draft.kind.and_then(|kind| match objection(kind, &draft, situation) {
        None => Some(kind),
        Some(message) => {
            report(message);
            None
        }
    });
    let starts_as_backup = kind == Some(Kind::Ah) && situation.master_without_owning;
    if starts_as_backup {
        report("Initial state master is incompatible with AH authentication - clearing");
    }
    if let Some(hmac) = draft.hmac {
        if kind.take().is_some() {
            report("auth_hmac cannot be combined with authentication, dropping legacy auth");
        }
        let active = hmac.active;
        let seconds = situation.advert_interval.as_secs().saturating_mul(3);
        let window = u32::try_from(seconds.clamp(WINDOW.0, WINDOW.1)).unwrap_or(u32::MAX);
        match hmac.finish(window) {
            None => {
                let message =
                    format!("auth_hmac active_key {active} is not defined, disabling extension");
                report(&message);
            }
            Some(mut hmac) => {
                if situation.strict && hmac.mode != HmacMode::Enforce {
                    report("strict mode requires auth_hmac mode enforce");
                    hmac.mode = HmacMode::Enforce;
                }
                return Finished { auth: Auth::Hmac(Box::new(hmac)), starts_as_backup };
            }
        }
    }
    let auth = match kind {
        None => Auth::None,
        Some(Kind::Pass) => Auth::Pass(draft.password),
        Some(Kind::Ah) => Auth::Ah(draft.password),
    };
    Finished { auth, starts_as_backup }
}

/// Why the authentication of version 2 cannot be used.
fn objection(kind: Kind, draft: &AuthDraft, situation: Situation) -> Option<&'static str> {
    let without_password = draft.password.first() == Some(&0);
    match (kind, situation) {
        (_, Situation { strict: true, .. }) => {
            Some("Strict mode does not support authentication. Ignoring.")
        }
        (_, Situation { version: Version::V3, .. }) => {
            Some("VRRP version 3 does not support authentication. Ignoring.")
        }
        _ if without_password => Some("Authentication specified but no password given. Ignoring"),
        (Kind::Ah, Situation { family: Family::V6, .. }) => {
            Some("Cannot use AH authentication with IPv6. ignoring")
        }
        // IPv6 adverts carry no password, so none would ever match.
        (Kind::Pass, Situation { family: Family::V6, .. }) => {
            Some("Cannot use PASS authentication with IPv6. ignoring")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::auth::HmacKey;
    use super::super::auth_keywords::HmacDraft;
    use super::*;
    use crate::auth::trailer::AntiReplay;

    const V2: Situation = Situation {
        family: Family::V4,
        version: Version::V2,
        strict: false,
        master_without_owning: false,
        advert_interval: Duration::from_secs(1),
    };

    fn run(draft: AuthDraft, situation: Situation) -> (Finished, Vec<String>) {
        let mut messages = Vec::new();
        let finished = finish(draft, situation, &mut |message| messages.push(message.to_owned()));
        (finished, messages)
    }

    fn legacy(kind: Kind) -> AuthDraft {
        AuthDraft { kind: Some(kind), password: *b"secret\0\0", hmac: None }
    }

    fn hmac(active: u8) -> AuthDraft {
        let keys = vec![HmacKey { id: 1, secret: vec![0; 32] }];
        AuthDraft {
            hmac: Some(HmacDraft { keys, active, ..HmacDraft::default() }),
            ..legacy(Kind::Pass)
        }
    }

    #[test]
    fn passwords_are_for_version_2_over_ipv4() {
        let (finished, messages) = run(legacy(Kind::Pass), V2);
        assert_eq!((finished.auth, messages.len()), (Auth::Pass(*b"secret\0\0"), 0));
        for situation in [
            Situation { strict: true, ..V2 },
            Situation { version: Version::V3, ..V2 },
            Situation { family: Family::V6, ..V2 },
        ] {
            for kind in [Kind::Pass, Kind::Ah] {
                let (finished, messages) = run(legacy(kind), situation);
                assert_eq!((finished.auth, messages.len()), (Auth::None, 1), "{situation:?}");
            }
        }
        let empty = AuthDraft { password: [0; 8], ..legacy(Kind::Ah) };
        assert_eq!(run(empty, V2).0.auth, Auth::None);
    }

    #[test]
    fn a_master_with_ah_listens_first() {
        let situation = Situation { master_without_owning: true, ..V2 };
        assert!(run(legacy(Kind::Ah), situation).0.starts_as_backup);
        assert!(!run(legacy(Kind::Pass), situation).0.starts_as_backup);
    }

    #[test]
    fn the_keyed_trailer_replaces_the_password_and_needs_its_key() {
        let (finished, messages) = run(hmac(1), V2);
        let Auth::Hmac(settings) = finished.auth else { panic!("{messages:?}") };
        assert_eq!(settings.anti_replay, AntiReplay::Time { window: 5 });
        assert_eq!(messages.len(), 1);
        let (finished, messages) = run(hmac(2), V2);
        assert_eq!((finished.auth, messages.len()), (Auth::None, 2));
        let slow = Situation { advert_interval: Duration::from_secs(200), ..V2 };
        let Auth::Hmac(settings) = run(hmac(1), slow).0.auth else { panic!("no trailer") };
        assert_eq!(settings.anti_replay, AntiReplay::Time { window: 300 });
    }
}
