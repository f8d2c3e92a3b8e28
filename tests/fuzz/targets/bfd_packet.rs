//! BFD control packets. What is understood must survive being written and read again; the section that authenticates it
//! is written by somebody else.

#![no_main]

use bfd::packet::ControlPacket;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(packet) = ControlPacket::decode(data) {
        let packet = ControlPacket { authenticated: false, ..packet };
        assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
    }
});
