//! What the kernel may say about interfaces, addresses, routes and rules.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    runtime::netlink::decode(data, &mut Vec::new());
});
