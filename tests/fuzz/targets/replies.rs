//! What servers send to health checks. The first byte is the size of the parts that it comes in; the verdict on a stream
//! must not depend on it.

#![no_main]

use std::sync::LazyLock;

use check::config::{Config, ROOT, load};
use check::probe::{Job, Tools, replay};
use conf_parser::{Diagnostics, Options, parse_text};
use libfuzzer_sys::fuzz_target;
use runtime::global::Global;

/// Three checks of a page: of its status alone, of its digest, and of a text in it.
const CHECKS: &str = "virtual_server 192.0.2.1 80 {
    protocol TCP
    lvs_sched rr
    lvs_method NAT
    real_server 192.0.2.2 80 {
        HTTP_GET {
            url {
                path /
                status_code 200-299
            }
        }
        HTTP_GET {
            url {
                path /
                digest 00000000000000000000000000000000
            }
        }
        HTTP_GET {
            url {
                path /
                regex \"(?<=a)b+(c|d)*$\"
                regex_options utf
            }
        }
    }
}
";

static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let mut diagnostics = Diagnostics::for_test();
    let options = Options { main: "fuzz.conf".into(), ..Options::default() };
    let statements = parse_text(CHECKS.as_bytes(), &options, &ROOT, &mut diagnostics);
    load(&statements, &Global::default(), &mut diagnostics)
});

thread_local! {
    static TOOLS: Tools = Tools::new(&CONFIG).expect("no TLS is asked for");
}

fuzz_target!(|data: &[u8]| {
    let Some((&size, stream)) = data.split_first() else { return };
    let size = usize::from(size).max(1);
    for checker in &CONFIG.virtual_servers[0].real_servers[0].checkers {
        let Some((Job::Http { http, page, .. }, _)) = Job::of(checker, 0) else {
            panic!("it is a page")
        };
        let judge = |size| TOOLS.with(|tools| replay::page(tools, (http, page), stream, size));
        assert_eq!(judge(size), judge(usize::MAX));
    }
    assert_eq!(replay::mail(stream, size), replay::mail(stream, usize::MAX));
    let _ = (replay::name(stream), replay::echo(stream));
});
