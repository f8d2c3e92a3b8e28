//! Counters for people and scripts.

use super::super::Engine;
use crate::stats::Stats;

impl Engine {
    /// The counters of all instances.
    pub(super) fn statistics(&self) -> String {
        let all = self.instances.iter();
        all.map(|instance| statistics(instance.name(), &instance.stats)).collect()
    }
}

fn statistics(name: &str, stats: &Stats) -> String {
    let Stats {
        advert_rcvd,
        advert_sent,
        become_master,
        release_master,
        packet_len_err,
        advert_interval_err,
        ip_ttl_err,
        invalid_type_rcvd,
        addr_list_err,
        invalid_authtype,
        authtype_mismatch,
        auth_failure,
        pri_zero_rcvd,
        pri_zero_sent,
        chk_err: _,
        vers_err: _,
        auth_ext_missing,
        auth_ext_malformed,
        auth_ext_unknown_key,
        auth_ext_invalid_hmac,
        auth_ext_stale,
        auth_ext_replay,
    } = stats;
    format!(
        "VRRP Instance: {name}
  Advertisements:
    Received: {advert_rcvd}
    Sent: {advert_sent}
  Became master: {become_master}
  Released master: {release_master}
  Packet Errors:
    Length: {packet_len_err}
    TTL: {ip_ttl_err}
    Invalid Type: {invalid_type_rcvd}
    Advertisement Interval: {advert_interval_err}
    Address List: {addr_list_err}
  Authentication Errors:
    Invalid Type: {invalid_authtype}
    Type Mismatch: {authtype_mismatch}
    Failure: {auth_failure}
  Authentication Extension Errors:
    Missing: {auth_ext_missing}
    Malformed: {auth_ext_malformed}
    Unknown Key: {auth_ext_unknown_key}
    Invalid HMAC: {auth_ext_invalid_hmac}
    Stale: {auth_ext_stale}
    Replay: {auth_ext_replay}
  Priority Zero:
    Received: {pri_zero_rcvd}
    Sent: {pri_zero_sent}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the original wrote it.
    const CAPTURED: &str = "VRRP Instance: VI_1
  Advertisements:
    Received: 3
    Sent: 27
  Became master: 1
  Released master: 0
  Packet Errors:
    Length: 0
    TTL: 0
    Invalid Type: 0
    Advertisement Interval: 0
    Address List: 0
  Authentication Errors:
    Invalid Type: 0
    Type Mismatch: 0
    Failure: 0
  Authentication Extension Errors:
    Missing: 0
    Malformed: 0
    Unknown Key: 0
    Invalid HMAC: 0
    Stale: 0
    Replay: 0
  Priority Zero:
    Received: 0
    Sent: 0
";

    #[test]
    fn statistics_as_captured() {
        let stats = Stats { advert_rcvd: 3, advert_sent: 27, become_master: 1, ..Stats::default() };
        assert_eq!(statistics("VI_1", &stats), CAPTURED);
    }
}
