//! Messages of D-Bus. What is understood must survive being written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use runtime::bus::message::{Decoded, decode};

fuzz_target!(|data: &[u8]| {
    if let Ok(Decoded::Whole(message, length)) = decode(data) {
        assert!(length <= data.len());
        let _ = (message.texts::<2>(), message.number());
        let mut written = Vec::new();
        message.encode(message.serial, &mut written);
        if let Ok(Decoded::Whole(again, length)) = decode(&written) {
            assert_eq!((&again.path, &again.member, length), (&message.path, &message.member, written.len()));
        }
    }
});
