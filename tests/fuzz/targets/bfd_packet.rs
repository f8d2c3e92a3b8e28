//! BFD control packets. What is understood must survive being written and read again; the section that authenticates it
//! is written by somebody else, who does not know the key.

#![no_main]

use std::time::Instant;

use bfd::auth::{Authentication, Guard, Key, Kind};
use bfd::packet::ControlPacket;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(packet) = ControlPacket::decode(data) {
        for (_, kind) in Kind::NAMES {
            let key = Key { id: 1, secret: b"what they do not".to_vec() };
            let authentication = Authentication { kind, key, accepted: vec![] };
            let now = Instant::now();
            let checked = Guard::new(authentication, 0).check(&packet, data, now);
            assert!(checked.is_err() || kind == Kind::SimplePassword);
        }
        let packet = ControlPacket { authenticated: false, ..packet };
        assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
    }
});
