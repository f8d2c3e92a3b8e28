//! Adverts, as instances of every kind receive them. The first byte chooses the kind of instance, the rest is what the
//! socket delivers.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use vrrp::auth::trailer::{AntiReplay, Stamp};
use vrrp::config::auth::{Auth, Hmac, HmacKey, HmacMode};
use vrrp::packet::{Cast, Counters, Datagram, Expect, OldChecksum, Peer, Policy, Version, Vrid};

const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1);
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

fn auth(kind: u8) -> Auth {
    match kind {
        0 => Auth::None,
        1 => Auth::Pass(*b"s3cret\0\0"),
        2 => Auth::Ah(*b"s3cret\0\0"),
        _ => Auth::Hmac(Box::new(Hmac {
            keys: vec![HmacKey { id: 1, secret: (0..32).collect() }],
            active: 1,
            mode: HmacMode::Permissive,
            anti_replay: AntiReplay::Monotonic,
        })),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, data)) = data.split_first() else { return };
    let (is_v6, is_v3, is_unicast) = (kind & 1 != 0, kind & 2 != 0, kind & 4 != 0);
    let address: IpAddr =
        if is_v6 { SOURCE.into() } else { Ipv4Addr::new(10, 9, 0, 100).into() };
    let peer = Peer { address: Ipv4Addr::new(10, 9, 0, 1).into(), min_ttl: 0, max_ttl: 255 };
    let expect = Expect {
        vrid: Vrid(51),
        version: if is_v3 { Version::V3 } else { Version::V2 },
        interval: Duration::from_secs(1),
        auth: auth(kind >> 3 & 3),
        addresses: vec![address],
        cast: if is_unicast {
            Cast::Unicast { peers: vec![peer], check_source: kind & 32 != 0 }
        } else {
            Cast::Multicast
        },
        checksum_as_v2: kind & 64 != 0,
        old_checksum: OldChecksum::Detect,
        group: Ipv4Addr::new(224, 0, 0, 18),
    };
    let datagram = if is_v6 {
        Datagram::from_ipv6(data, SOURCE, GROUP, Some(255))
    } else {
        Datagram::from_ipv4(data)
    };
    let Ok(datagram) = datagram else { return };
    let policy =
        Policy { compare_addresses: true, ignore: false, clock: Stamp::from_unix(Duration::ZERO) };
    let verdict = expect.check(&datagram, policy, &mut Counters::default());
    if let Err(refused) = verdict.outcome {
        let _ = refused.text(datagram.source).to_string();
    }
});
