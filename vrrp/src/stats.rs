//! Counters of an instance, as data dumps and SNMP show them.

use serde::{Deserialize, Serialize};

use crate::auth::{ah, trailer};
use crate::packet::{Refused, Remark, Verdict};

/// Counters of an instance. They live as long as the instance, over reloads too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stats {
    /// Well-formed adverts received.
    pub advert_rcvd: u64,
    /// Adverts sent; copies to several peers count once.
    pub advert_sent: u32,
    /// Transitions to MASTER.
    pub become_master: u32,
    /// Transitions from MASTER.
    pub release_master: u32,
    /// Packets of a wrong length.
    pub packet_len_err: u64,
    /// Adverts with another interval than ours; the original has the counter, but never counts.
    pub advert_interval_err: u64,
    /// Packets with a wrong TTL or hop limit.
    pub ip_ttl_err: u64,
    /// Packets of an unknown type.
    pub invalid_type_rcvd: u64,
    /// Adverts whose addresses or destination are not ours.
    pub addr_list_err: u64,
    /// Adverts of an unknown authentication type.
    pub invalid_authtype: u64,
    /// Adverts of another authentication type than ours.
    pub authtype_mismatch: u64,
    /// Adverts with a wrong password.
    pub auth_failure: u64,
    /// Adverts with priority 0 received.
    pub pri_zero_rcvd: u64,
    /// Adverts with priority 0 sent.
    pub pri_zero_sent: u64,
    /// Adverts with a wrong checksum.
    pub chk_err: u64,
    /// Adverts of another version.
    pub vers_err: u64,
    /// Adverts without the keyed trailer.
    pub auth_ext_missing: u64,
    /// Adverts with a trailer that is none.
    pub auth_ext_malformed: u64,
    /// Trailers made with an unknown key.
    pub auth_ext_unknown_key: u64,
    /// Wrong trailers.
    pub auth_ext_invalid_hmac: u64,
    /// Trailers that are too old or too new.
    pub auth_ext_stale: u64,
    /// Trailers that were used before.
    pub auth_ext_replay: u64,
}

impl Stats {
    /// Counts what the checks found about one advert.
    pub(crate) fn count(&mut self, verdict: &Verdict) {
        if verdict.counts {
            self.advert_rcvd += 1;
        }
        if let Some(Remark::AddressCount { .. } | Remark::AddressMissing(_)) = verdict.addresses {
            self.addr_list_err += 1;
        }
        match &verdict.outcome {
            Ok(advert) if advert.priority == crate::packet::Priority::STOP => {
                self.pri_zero_rcvd += 1
            }
            Ok(_) => {}
            Err(refused) => self.count_refused(refused),
        }
    }

    fn count_refused(&mut self, refused: &Refused) {
        let counter = match refused {
            Refused::Length { .. } | Refused::TotalLength { .. } => &mut self.packet_len_err,
            Refused::HopLimit(_) | Refused::PeerHopLimit { .. } => &mut self.ip_ttl_err,
            Refused::Version { .. } => &mut self.vers_err,
            Refused::AuthType(_) => &mut self.invalid_authtype,
            Refused::UnexpectedAh | Refused::MissingAh | Refused::AuthMismatch { .. } => {
                &mut self.authtype_mismatch
            }
            Refused::Ah(ah::Refused::NextHeader(_)) => return,
            Refused::Password | Refused::Ah(_) => &mut self.auth_failure,
            Refused::Trailer { why, .. } => match why {
                trailer::Refused::Missing => &mut self.auth_ext_missing,
                trailer::Refused::Malformed => &mut self.auth_ext_malformed,
                trailer::Refused::UnknownKey(_) => &mut self.auth_ext_unknown_key,
                trailer::Refused::Tag => &mut self.auth_ext_invalid_hmac,
                trailer::Refused::Stale => &mut self.auth_ext_stale,
                trailer::Refused::Replayed => &mut self.auth_ext_replay,
            },
            Refused::Interval { .. } => &mut self.advert_interval_err,
            Refused::Kind(_) => &mut self.invalid_type_rcvd,
            Refused::Checksum(_) => &mut self.chk_err,
            Refused::Cast { .. } => &mut self.addr_list_err,
            Refused::Owner | Refused::NotAPeer => return,
        };
        *counter += 1;
    }
}
