//! PDUs of AgentX. What is understood must survive being written and read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use runtime::agentx::pdu::{decode, encode};

fuzz_target!(|data: &[u8]| {
    if let Ok(Some((header, pdu, _))) = decode(data) {
        let mut written = Vec::new();
        encode(header, &pdu, &mut written);
        let length = written.len();
        assert_eq!(decode(&written), Ok(Some((header, pdu, length))));
    }
});
