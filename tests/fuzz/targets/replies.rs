//! What servers send to health checks. The first byte is the size of the parts that it comes in; the verdict on a stream
//! must not depend on it.

#![no_main]

use check::config::Config;
use check::config::http::{Http, HttpVersion, Url};
use check::probe::{Tools, replay};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&size, stream)) = data.split_first() else { return };
    let size = usize::from(size).max(1);
    let tools = Tools::new(&Config::default()).expect("no TLS is asked for");
    let url = Url {
        path: "/".to_owned(),
        digest: Some([0; 16]),
        status: vec![200..=299],
        virtualhost: None,
        regex: None,
        tls_compliant: false,
    };
    let http = Http {
        tls: false,
        virtualhost: None,
        version: HttpVersion::Http10,
        sni: false,
        sni_name: None,
        fast_recovery: false,
        tls_compliant: false,
        urls: vec![url],
    };
    let whole = replay::page(&tools, &http, stream, usize::MAX);
    assert_eq!(replay::page(&tools, &http, stream, size), whole);
    assert_eq!(replay::mail(stream, size), replay::mail(stream, usize::MAX));
    let _ = replay::name(stream);
});
